use proptest::prelude::*;

use super::*;
use crate::package_view::Format;
use crate::package_view::samples::{Sample, file};

const LIMIT: u64 = 1 << 20;

/// Unpacks bytes into `there` of a new folder.
fn unpack(bytes: &[u8], links: bool, limit: u64) -> (TempDir, Result<Vec<Unpacked>>) {
    let folder = tempfile::tempdir().unwrap();
    let result = extract(file(bytes).path(), &folder.path().join("there"), links, limit);
    (folder, result)
}

#[track_caller]
fn refused(bytes: &[u8], why: &str) {
    let (folder, result) = unpack(bytes, true, LIMIT);
    let error = format!("{:#}", result.unwrap_err());
    assert!(error.contains(why), "{error}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "something is left after: {error}");
}

fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
    assert!(!places.is_empty(), "{from:?} is not there");
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    bytes
}

/// An archive with another manifest: the writer refuses what these tests need.
fn with_manifest_lines(sample: &Sample, edit: impl Fn(&str) -> String) -> Vec<u8> {
    let whole = sample.bytes(Format::Ips);
    let mut out = Vec::new();
    let mut tar = tar::Archive::new(whole.as_slice());
    let mut to = tar::Builder::new(&mut out);
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut header = entry.header().clone();
        let name = entry.path().unwrap().to_string_lossy().into_owned();
        let mut data = Vec::new();
        io::Read::read_to_end(&mut entry, &mut data).unwrap();
        if name.starts_with("pkg5.index") {
            continue;
        }
        if name.contains("/pkg/") && header.entry_type().is_file() {
            data = edit(&String::from_utf8(data).unwrap()).into_bytes();
        }
        header.set_size(data.len() as u64);
        header.set_cksum();
        to.append(&header, data.as_slice()).unwrap();
    }
    drop(to);
    out
}

#[test]
fn both_formats_unpack_to_the_same_files() {
    for (format, name) in [(Format::Svr4, "ABCweb"), (Format::Ips, "service%2Fweb")] {
        let mut sample = Sample::new();
        sample.file("lib/svc/method/web").mode = 0o4551;
        let (folder, result) = unpack(&sample.bytes(format), false, LIMIT);
        let unpacked = result.unwrap();
        assert_eq!((unpacked[0].files, unpacked[0].links), (4, 0));
        assert_eq!(unpacked[0].listed_only, [("usr/bin/web".to_owned(), "a symbolic link")]);
        let root = folder.path().join("there").join(name).join("root");
        assert_eq!(fs::read(root.join("lib/svc/method/web")).unwrap(), b"#!/sbin/sh\nexec web\n");
        let mode = fs::metadata(root.join("lib/svc/method/web")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "not set-uid, and the caller may read and change it");
        assert_eq!(fs::read(root.join("usr/share/doc/web/README")).unwrap(), b"Read me\n");
        assert!(fs::symlink_metadata(root.join("usr/bin/web")).is_err(), "no link without being asked");
        let list = fs::read_to_string(folder.path().join("there").join(name).join("entries.json")).unwrap();
        assert!(list.contains("../../lib/svc/method/web") && list.contains("\"4551\""), "{list}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1, "nothing else is left");
    }
}

#[test]
fn scripts_and_licences_come_along_and_cannot_be_run() {
    let mut sample = Sample::new();
    sample.scripts.push(("postinstall", "exit 0\n"));
    let (folder, result) = unpack(&sample.bytes(Format::Svr4), false, LIMIT);
    result.unwrap();
    let own = folder.path().join("there/ABCweb/package");
    assert_eq!(fs::read(own.join("copyright")).unwrap(), b"Do as you like\n");
    assert_eq!(fs::metadata(own.join("postinstall")).unwrap().permissions().mode() & 0o777, 0o644);
}

#[test]
fn nobody_else_may_enter_the_folder_while_it_is_filled() {
    let parent = tempfile::tempdir().unwrap();
    let mode = fs::metadata(private_folder(parent.path()).unwrap().path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_folder_with_something_in_it_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let there = folder.path().join("there");
    fs::create_dir(&there).unwrap();
    fs::write(there.join("mine"), "mine").unwrap();
    let package = file(&Sample::new().bytes(Format::Svr4));
    let error = extract(package.path(), &there, false, LIMIT).unwrap_err().to_string();
    assert!(error.contains("is not empty"), "{error}");
    assert_eq!(fs::read(there.join("mine")).unwrap(), b"mine");
    fs::remove_file(there.join("mine")).unwrap();
    extract(package.path(), &there, false, LIMIT).unwrap();
    assert!(there.join("ABCweb/root/usr").is_dir());
    let link = folder.path().join("link");
    symlink(folder.path(), &link).unwrap();
    assert!(extract(package.path(), &link, false, LIMIT).unwrap_err().to_string().contains("is no folder"));
}

#[test]
fn names_that_leave_the_folder_are_refused_in_a_datastream() {
    let whole = Sample::new().bytes(Format::Svr4);
    // In the archive's members alone, in the map alone, and in both.
    refused(&replaced(&whole, "reloc/lib/svc/method/web", "/eloc/lib/svc/method/web"), "member-unsafe");
    refused(&replaced(&whole, "reloc/usr/share/doc/web/README", "reloc/../../../oc/web/READMEXX"), "member-unsafe");
    refused(
        &replaced(&whole, "none usr/share/doc/web/README", "none ../../share/doc/x/READMEX"[..29].as_ref()),
        "map-path",
    );
    refused(&replaced(&whole, "usr/share/doc/web/README", "../../share/doc/x/README"), "[m");
}

#[test]
fn names_that_leave_the_folder_are_refused_in_an_archive() {
    for (path, why) in [
        ("../../../../tmp/x", "would leave the folder"),
        ("usr/../../x", "would leave the folder"),
        ("usr//x", "would leave the folder"),
        (".", "would leave the folder"),
    ] {
        let evil = with_manifest_lines(&Sample::new(), |m| {
            m.replace("path=usr/share/doc/web/README", &format!("path={path}"))
        });
        refused(&evil, why);
    }
    // pkg drops the first slash, and so does this.
    let absolute =
        with_manifest_lines(&Sample::new(), |m| m.replace("path=usr/share/doc/web/README", "path=/etc/README"));
    let (folder, result) = unpack(&absolute, false, LIMIT);
    result.unwrap();
    assert!(folder.path().join("there/service%2Fweb/root/etc/README").is_file());
}

#[test]
fn a_file_behind_a_link_of_the_same_package_is_refused() {
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().to_str().unwrap().to_owned();
    let evil = with_manifest_lines(&Sample::new(), |m| {
        let file = m.replace("path=usr/share/doc/web/README", "path=evil/README");
        format!("{file}link path=evil target={target}\n")
    });
    refused(&evil, "path-parent");
    assert_eq!(outside.path().read_dir().unwrap().count(), 0);
}

#[test]
fn one_path_delivered_as_link_and_as_file_is_written_through_no_link() {
    let outside = file(b"precious");
    let target = outside.path().to_str().unwrap().to_owned();
    // Variants make both legal in one manifest.
    let evil = with_manifest_lines(&Sample::new(), |m| {
        let file = m.replace("path=usr/share/doc/web/README", "path=x variant.arch=i386");
        format!("{file}link path=x target={target} variant.arch=sparc\n")
    });
    let (folder, result) = unpack(&evil, true, LIMIT);
    result.unwrap();
    assert_eq!(fs::read(outside.path()).unwrap(), b"precious");
    assert_eq!(fs::read(folder.path().join("there/service%2Fweb/root/x")).unwrap(), b"Read me\n");
}

#[test]
fn sizes_beyond_the_limit_are_refused_before_anything_is_written() {
    let mut sample = Sample::new();
    sample.file("usr/share/doc/web/README").bytes = vec![b'0'; 200_000];
    for format in [Format::Svr4, Format::Ips] {
        let bytes = sample.bytes(format);
        let (folder, result) = unpack(&bytes, false, 100_000);
        assert!(result.unwrap_err().to_string().contains("more than the limit"));
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        unpack(&bytes, false, 300_000).1.unwrap();
    }
    // The archive is small and what it unpacks to is not: the content counts, not what is said of it.
    assert!(sample.bytes(Format::Ips).len() < 50_000);
    let liar = with_manifest_lines(&sample, |m| m.replace("pkg.size=200000", "pkg.size=1"));
    let (_, result) = unpack(&liar, false, 100_000);
    assert!(result.unwrap_err().to_string().contains("more than the limit"));
}

#[test]
fn a_datastream_that_claims_huge_sizes_is_refused() {
    let whole = Sample::new().bytes(Format::Svr4);
    refused(&replaced(&whole, "README 0444 root bin 8 ", "README 0444 root bin 9 "), "file-size");
    // The size in the header of the archive's member, in hexadecimal.
    let name = whole.windows(31).position(|w| w == b"reloc/usr/share/doc/web/README\0").unwrap();
    let mut huge = whole.clone();
    huge[name - 110 + 54..name - 110 + 62].copy_from_slice(b"fffffff0");
    refused(&huge, "archive-cut");
}

#[test]
fn a_file_that_grows_or_shrinks_between_the_passes_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let view = package_view::samples::view(Format::Svr4, &Sample::new());
    let plan = Plan::of(&view).unwrap();
    plan.prepare(root.path()).unwrap();
    let source = "reloc/usr/share/doc/web/README";
    let plans = BTreeMap::from([("ABCweb", &plan)]);
    let mut writer = Writer { root: root.path(), plans, current: None, written: BTreeSet::new() };
    writer.begin("ABCweb", source).unwrap();
    assert!(writer.data(b"longer than it was").is_err());
    writer.current = None;
    assert_eq!(writer.begin("ABCweb", source).unwrap_err().kind(), io::ErrorKind::AlreadyExists, "never opened again");
    let source = "reloc/lib/svc/method/web";
    writer.begin("ABCweb", source).unwrap();
    writer.data(b"less").unwrap();
    assert!(writer.end(true).is_err());
}

#[test]
fn with_links_only_those_that_stay_inside_are_made() {
    let mut sample = Sample::new();
    sample.links = vec![
        ("usr/bin/web", "../../lib/svc/method/web"),
        ("usr/bin/etc", "/etc"),
        ("usr/bin/up", "../../../up"),
        ("usr/bin/winding", "a/../../../../x"),
    ];
    let (folder, result) = unpack(&sample.bytes(Format::Svr4), true, LIMIT);
    let unpacked = &result.unwrap()[0];
    assert_eq!(unpacked.links, 1);
    let listed: Vec<&str> = unpacked.listed_only.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(listed, ["usr/bin/etc", "usr/bin/up", "usr/bin/winding"]);
    let root = folder.path().join("there/ABCweb/root");
    assert_eq!(fs::read(root.join("usr/bin/web")).unwrap(), b"#!/sbin/sh\nexec web\n");
}

#[test]
fn a_link_is_not_made_behind_another_link() {
    // In an image of either variant all is well; unpacked together, a/d/x would be made in the folder above a.
    let evil = with_manifest_lines(&Sample::new(), |m| {
        format!("{m}link path=a/d target=.. variant.arch=i386\nlink path=a/d/x target=../.. variant.arch=sparc\n")
    });
    let (folder, result) = unpack(&evil, true, LIMIT);
    let unpacked = &result.unwrap()[0];
    assert_eq!(unpacked.listed_only, [("a/d/x".to_owned(), "a symbolic link behind another one")]);
    assert!(fs::symlink_metadata(folder.path().join("there/service%2Fweb/root/x")).is_err());
}

#[test]
fn of_several_variants_of_a_path_the_first_is_unpacked() {
    let both = with_manifest_lines(&Sample::new(), |m| {
        let line = m.lines().find(|line| line.contains("README")).unwrap();
        let one = format!("{line} variant.arch=i386");
        format!("{}{line} variant.arch=sparc\n", m.replace(line, &one))
    });
    let (_, result) = unpack(&both, false, LIMIT);
    let listed = &result.unwrap()[0].listed_only;
    assert!(
        listed.contains(&("usr/share/doc/web/README".to_owned(), "another variant of it is unpacked")),
        "{listed:?}"
    );
}

#[test]
fn a_link_climbs_first_and_never_above_its_root() {
    for (path, target, inside) in [
        ("a/b", "c", true),
        ("a/b", "../c/d", true),
        ("a/b", "..", true),
        ("a/b", "../..", false),
        ("b", "..", false),
        ("a/b", "/c", false),
        ("a/b", "c/../d", false),
        ("a/b", "", false),
        ("a/b", "c//d", false),
    ] {
        assert_eq!(stays_inside(path, target), inside, "{path} -> {target}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_manifest_of_any_paths_and_links_unpacks_inside_the_folder_or_not_at_all(
        path in "(/|[a-c.]{1,2}/){0,4}[a-c.]{1,2}",
        link in "([a-c.]{1,2}/){0,2}[a-c]",
        target in "(/|[a-c.]{1,2}/){0,4}[a-c.]{1,2}",
    ) {
        let evil = with_manifest_lines(&Sample::new(), |m| {
            let file = m.replace("path=usr/share/doc/web/README", &format!("path={path} variant.arch=i386"));
            format!("{file}link path={link} target={target} variant.arch=sparc\n")
        });
        let (folder, result) = unpack(&evil, true, LIMIT);
        let left: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        prop_assert_eq!(left.len(), usize::from(result.is_ok()), "{:?}", left);
        let canonical = folder.path().canonicalize().unwrap();
        for entry in walkdir::WalkDir::new(folder.path()) {
            let path = entry.unwrap().into_path();
            // A link to nothing leads nowhere.
            if let Ok(real) = path.canonicalize() {
                prop_assert!(real.starts_with(&canonical), "{} is {}", path.display(), real.display());
            }
        }
    }
}
