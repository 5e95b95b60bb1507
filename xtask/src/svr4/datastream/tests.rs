//! Streams as written: their layout byte by byte, and what is refused.

use std::io::{self, Write};
use std::path::PathBuf;

use super::*;
use crate::svr4::pkgmap::{Attributes, Violation};

fn info(name: &str) -> PkgInfo {
    PkgInfo::from_pairs([
        ("PKG", name),
        ("NAME", "An example"),
        ("ARCH", "i386"),
        ("VERSION", "1.0"),
        ("CATEGORY", "application"),
        ("BASEDIR", "/"),
    ])
    .unwrap()
}

fn file(path: &str, class: &str, mode: u32, content: &str) -> Entry<Content> {
    Entry::file(path, class, Attributes::new(mode, "root", "sys"), Content::Bytes(content.into()))
}

fn install(name: &str, content: &str) -> InstallFile {
    InstallFile { name: name.into(), content: Content::Bytes(content.into()) }
}

fn package(name: &str) -> Package {
    Package {
        info: info(name),
        install: vec![install("postinstall", "exit 0\n"), install("depend", "P ABCbase The base\n")],
        entries: vec![
            file("/etc/abs", "none", 0o400, "abs\n"),
            file("lib/svc/method", "none", 0o4755, "method"),
            file("lib/svc-data", "manifest", 0o444, ""),
            Entry::directory("lib", "none", Attributes::new(0o755, "root", "bin")),
            Entry::symlink("lib/link", "none", "svc/method"),
        ],
        mtime: 1_795_352_625,
    }
}

fn written(packages: &[Package]) -> (Vec<u8>, Written) {
    let mut bytes = Vec::new();
    let written = write(packages, &mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, written.bytes);
    (bytes, written)
}

/// Name, mode, size and offset of each member from a block on, and the block after the archive. The least reading that
/// shows the layout; the reader proper has its own tests.
fn members(bytes: &[u8], block: usize) -> (Vec<(String, u32, usize, usize)>, usize) {
    let mut members = Vec::new();
    let mut at = block * 512;
    loop {
        let field = |number: usize| {
            let start = at + 6 + number * 8;
            usize::from_str_radix(std::str::from_utf8(&bytes[start..start + 8]).unwrap(), 16).unwrap()
        };
        assert_eq!(&bytes[at..at + 6], b"070701");
        let name = String::from_utf8(bytes[at + 110..at + 109 + field(11)].to_vec()).unwrap();
        let data = (at + 110 + field(11)).next_multiple_of(4);
        if name == "TRAILER!!!" {
            return (members, data.div_ceil(512));
        }
        members.push((name, field(1) as u32, field(6), data));
        at = (data + field(6)).next_multiple_of(4);
    }
}

#[test]
fn a_stream_is_header_table_and_one_archive_per_package_on_block_edges() {
    let (bytes, _) = written(&[package("ABCone"), package("ABCtwo")]);
    assert!(bytes.starts_with(b"# PaCkAgE DaTaStReAm\nABCone 1 "));
    let (table, next) = members(&bytes, 1);
    let names: Vec<&str> = table.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["ABCone/pkginfo", "ABCone/pkgmap", "ABCtwo/pkginfo", "ABCtwo/pkgmap"]);
    let (_, next) = members(&bytes, next);
    let (second, end) = members(&bytes, next);
    assert_eq!(end * 512, bytes.len(), "nothing after the last archive");
    let second: Vec<(&str, u32)> = second.iter().map(|(name, mode, ..)| (name.as_str(), *mode)).collect();
    assert_eq!(
        second,
        [
            ("pkginfo", 0o100_644),
            ("pkgmap", 0o100_644),
            ("install", 0o40_755),
            ("install/depend", 0o100_644),
            ("install/postinstall", 0o100_644),
            ("reloc", 0o40_755),
            ("reloc/lib", 0o40_755),
            ("reloc/lib/svc", 0o40_755),
            ("reloc/lib/svc-data", 0o100_644),
            ("reloc/lib/svc/method", 0o100_755),
            ("root", 0o40_755),
            ("root/etc", 0o40_755),
            ("root/etc/abs", 0o100_644),
        ],
        "folders first, links only in the map, set-id bits not stored, everything readable"
    );
}

#[test]
fn the_map_and_the_header_state_the_same_and_the_map_is_complete() {
    let (bytes, written) = written(&[package("ABCone")]);
    let one = &written.packages[0];
    let maxsize = one.map.maxsize;
    assert!(bytes.starts_with(format!("# PaCkAgE DaTaStReAm\nABCone 1 {maxsize}\n# end of header\n\0").as_bytes()));
    let pkginfo_sum: u32 = one.pkginfo.bytes().map(u32::from).sum();
    let expected = format!(
        ": 1 {maxsize}\n\
         1 f none /etc/abs 0400 root sys 4 320 1795352625\n\
         1 i depend 19 1495 1795352625\n\
         1 d none lib 0755 root bin\n\
         1 s none lib/link=svc/method\n\
         1 f manifest lib/svc-data 0444 root sys 0 0 1795352625\n\
         1 f none lib/svc/method 4755 root sys 6 641 1795352625\n\
         1 i pkginfo {} {pkginfo_sum} 1795352625\n\
         1 i postinstall 7 532 1795352625\n",
        one.pkginfo.len()
    );
    assert_eq!(one.pkgmap, expected);
    assert_eq!((one.files, one.payload), (3, 10));
    assert_eq!(one.missing_parents, ["/etc", "lib/svc"]);
}

#[test]
fn classes_are_computed_in_map_order_and_nothing_else_is_invented() {
    let (_, written) = written(&[package("ABCone")]);
    assert_eq!(written.packages[0].pkginfo, info("ABCone").render() + "CLASSES=none manifest\n");
}

#[test]
fn equal_packages_in_another_order_give_equal_bytes() {
    let mut shuffled = package("ABCone");
    shuffled.entries.reverse();
    shuffled.install.reverse();
    assert_eq!(written(&[package("ABCone")]), written(&[shuffled]));
}

#[test]
fn a_package_without_files_has_no_folders_for_them() {
    let empty = Package { install: Vec::new(), entries: Vec::new(), ..package("ABCone") };
    let (bytes, written) = written(&[empty]);
    assert!(written.packages[0].pkginfo.ends_with("CLASSES=none\n"));
    let (_, next) = members(&bytes, 1);
    let (own, _) = members(&bytes, next);
    assert_eq!(own.len(), 2);
}

fn refused(change: impl FnOnce(&mut Package)) -> Svr4Error {
    let mut package = package("ABCone");
    change(&mut package);
    let mut bytes = Vec::new();
    let error = write(&[package], &mut bytes).unwrap_err();
    assert_eq!(bytes, b"", "refused before anything is written");
    error
}

#[test]
fn a_class_that_is_not_in_classes_is_refused() {
    let error = refused(|package| package.info.set("CLASSES", "none other").unwrap());
    let Svr4Error::PkgMap { source, .. } = error else { panic!("{error}") };
    assert_eq!(source.violation, Violation::ClassNotInstalled { class: "manifest".into() });
}

#[test]
fn scripts_of_unknown_classes_and_wrong_install_files_are_refused() {
    for name in ["i.other", "r.other", "pkginfo", "pkgmap", "a/b", "", "..", "a b", "depend"] {
        let error = refused(|package| package.install.push(install(name, "")));
        assert!(matches!(&error, Svr4Error::Install { name: named, .. } if named == name), "{name:?}: {error}");
    }
    let mut good = package("ABCone");
    good.install.push(install("i.manifest", ""));
    written(&[good]);
}

#[test]
fn a_relative_path_needs_basedir() {
    let without = PkgInfo::from_pairs(info("ABCone").iter().filter(|(key, _)| *key != "BASEDIR")).unwrap();
    let error = refused(|package| package.info = without.clone());
    assert!(matches!(error, Svr4Error::NoBasedir { .. }));
    let absolute = Package { info: without, entries: vec![file("/a", "none", 0o644, "")], ..package("ABCone") };
    written(&[absolute]);
}

#[test]
fn missing_parameters_missing_files_and_no_package_are_refused() {
    assert!(matches!(refused(|package| package.info = PkgInfo::new()), Svr4Error::PkgInfo { .. }));
    let absent = |package: &mut Package| {
        package.entries.push(Entry::file(
            "x",
            "none",
            Attributes::new(0o644, "root", "sys"),
            Content::File(PathBuf::from("/nonexistent/content")),
        ));
    };
    assert!(refused(absent).to_string().contains("/nonexistent/content, the content of reloc/x"));
    assert!(matches!(write(&[], &mut io::sink()), Err(Svr4Error::NoPackages)));
    let twice = write(&[package("ABCone"), package("ABCone")], &mut io::sink());
    assert!(matches!(twice, Err(Svr4Error::PackageTwice(name)) if name == "ABCone"));
}

#[test]
fn what_the_archive_has_no_room_for_is_refused_before_anything_is_written() {
    let late = refused(|package| package.mtime = 1 << 32);
    assert!(matches!(late, Svr4Error::Archive { source: CpioError::FieldTooLarge { field: "mtime", .. }, .. }));
}

/// Changes a file as soon as the stream's first bytes arrive, that is between the two passes.
struct Meddler {
    path: PathBuf,
    with: &'static [u8],
}

impl Write for Meddler {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        std::fs::write(&self.path, self.with)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_file_that_changes_between_the_passes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("payload");
    for with in [b"longer than it was".as_slice(), b"short", b"eight by"] {
        std::fs::write(&path, b"8 bytes!").unwrap();
        let mut package = package("ABCone");
        let attributes = Attributes::new(0o644, "root", "sys");
        package.entries.push(Entry::file("payload", "none", attributes, Content::File(path.clone())));
        let error = write(&[package], &mut Meddler { path: path.clone(), with }).unwrap_err();
        assert!(matches!(error, Svr4Error::Changed { .. }), "{error}");
    }
}

#[test]
fn a_full_disk_is_an_error_of_writing() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::StorageFull))
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    assert!(matches!(write(&[package("ABCone")], &mut Full), Err(Svr4Error::Write(_))));
}
