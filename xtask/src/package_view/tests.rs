use std::io::Write as _;

use proptest::prelude::*;

use super::samples::{Sample, file, view};
use super::*;

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn read_bytes(bytes: &[u8]) -> PackageFile {
    read(file(bytes).path()).unwrap()
}

#[test]
fn a_file_is_known_by_its_bytes_alone() {
    let (svr4, ips) = (Sample::new().bytes(Format::Svr4), Sample::new().bytes(Format::Ips));
    assert_eq!(read_bytes(&svr4).container, Some(Container::Datastream));
    assert_eq!(read_bytes(&gzipped(&svr4)).container, Some(Container::GzippedDatastream));
    assert_eq!(read_bytes(&ips).container, Some(Container::Archive));
    for other in [b"".as_slice(), b"# PaCkAgE", b"\x1f\x8b", b"\x1f\x8b\x08 and nonsense", &[0; 2048], b"PK\x03\x04"] {
        let read = read_bytes(other);
        assert_eq!((read.container, read.findings[0].id), (None, "format-unknown"), "{other:?}");
    }
}

#[test]
fn a_tar_of_the_time_before_ustar_is_an_archive() {
    let mut old = Sample::new().bytes(Format::Ips);
    // The name of the format goes, and its share of the checksum with it.
    let mark: u32 = old[257..265].iter().map(|byte| u32::from(*byte)).sum();
    let stated = u32::from_str_radix(std::str::from_utf8(&old[148..154]).unwrap(), 8).unwrap();
    old[257..265].fill(0);
    old[148..154].copy_from_slice(format!("{:06o}", stated - mark).as_bytes());
    assert_eq!(read_bytes(&old).container, Some(Container::Archive));
    old[0] ^= 1;
    assert_eq!(read_bytes(&old).container, None);
}

#[test]
fn a_gzipped_archive_is_refused_for_what_it_is() {
    let read = read_bytes(&gzipped(&Sample::new().bytes(Format::Ips)));
    assert_eq!(read.container, Some(Container::Archive));
    assert_eq!(read.findings[0].id, "archive-gzip");
}

#[test]
fn cut_gzip_data_is_a_finding_and_no_failure() {
    let whole = gzipped(&Sample::new().bytes(Format::Svr4));
    let read = read_bytes(&whole[..whole.len() / 2]);
    assert!(read.findings.iter().any(|finding| finding.id == "gzip-damaged"), "{:?}", read.findings);
    let mut wrong_sum = whole.clone();
    let at = whole.len() - 6;
    wrong_sum[at] ^= 0xff;
    assert!(read_bytes(&wrong_sum).findings.iter().any(|finding| finding.id == "gzip-damaged"));
}

#[test]
fn both_formats_give_the_same_entries() {
    let shared = |entry: &Entry| {
        let Entry { path, kind, mode, owner, group, size, sha256, target, .. } = entry.clone();
        (path, kind, mode, owner, group, size, sha256, target)
    };
    let (svr4, ips) = (view(Format::Svr4, &Sample::new()), view(Format::Ips, &Sample::new()));
    assert_eq!(svr4.entries.iter().map(shared).collect::<Vec<_>>(), ips.entries.iter().map(shared).collect::<Vec<_>>());
    assert_eq!(svr4.entries.len(), 5);
    assert!(svr4.entries.iter().filter(|e| e.kind.is_file()).all(|e| e.sha256.is_some() && e.size.is_some()));
    assert_eq!((svr4.release(), ips.release()), ("1.0", "1.0"));
    assert_eq!((svr4.summary(), svr4.description()), (ips.summary(), ips.description()));
}

#[test]
fn dependencies_scripts_and_licences_are_told_apart() {
    let mut sample = Sample::new();
    sample.scripts = vec![("postinstall", "exit 0\n"), ("i.manifest", "cat\n")];
    let svr4 = view(Format::Svr4, &sample);
    assert_eq!(svr4.install_files.keys().collect::<Vec<_>>(), ["i.manifest", "postinstall"]);
    assert_eq!(svr4.licences.keys().collect::<Vec<_>>(), ["copyright"]);
    assert_eq!(svr4.dependencies[0].to_string(), "prerequisite ABCbase");
    let ips = view(Format::Ips, &sample);
    assert_eq!(ips.licences.keys().collect::<Vec<_>>(), ["MIT"]);
    assert_eq!(ips.dependencies[0].to_string(), "require pkg:/base");
    let manifest = ips.entries.iter().find(|e| e.path.ends_with("web.xml")).unwrap();
    assert_eq!(manifest.attributes.keys().collect::<Vec<_>>(), ["restart_fmri"], "nothing that tells of the payload");
}

#[test]
fn paths_are_below_the_root_whatever_basedir_says() {
    use crate::content::Content;
    use crate::svr4::datastream::{self, Package};
    use crate::svr4::pkginfo::PkgInfo;
    use crate::svr4::pkgmap;
    let pairs = [
        ("PKG", "ABCx"),
        ("NAME", "x"),
        ("ARCH", "i386"),
        ("VERSION", "1"),
        ("CATEGORY", "system"),
        ("BASEDIR", "/opt/x/"),
    ];
    let attributes = || pkgmap::Attributes::new(0o644, "root", "bin");
    let entries = vec![
        pkgmap::Entry::file("lib/a", "none", attributes(), Content::Bytes(b"a".to_vec())),
        pkgmap::Entry::file("/etc/b", "none", attributes(), Content::Bytes(b"bb".to_vec())),
    ];
    let mut out = Vec::new();
    let package = Package { info: PkgInfo::from_pairs(pairs).unwrap(), install: vec![], entries, mtime: 7 };
    datastream::write(&[package], &mut out).unwrap();
    let read = read_bytes(&out);
    let entries: Vec<_> = read.packages[0].entries.iter().map(|e| (e.path.as_str(), e.size)).collect();
    assert_eq!(entries, [("etc/b", Some(2)), ("opt/x/lib/a", Some(1))]);
}

#[test]
fn the_json_of_a_view_has_modes_as_people_write_them() {
    let json = serde_json::to_value(view(Format::Svr4, &Sample::new())).unwrap();
    assert_eq!(json["entries"][0]["mode"], "0444");
    assert_eq!(json["entries"][0]["kind"], "file");
    assert_eq!(json["format"], "svr4");
}

/// A sample with bytes overwritten here and there, and maybe cut.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let places = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..12);
    (any::<bool>(), places, any::<proptest::sample::Index>(), any::<bool>()).prop_map(|(svr4, places, end, cut)| {
        let mut bytes = Sample::new().bytes(if svr4 { Format::Svr4 } else { Format::Ips });
        for (place, byte) in places {
            // Most of an archive is padding: a place among the bytes that say something.
            let told: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
            bytes[told[place.index(told.len())]] = byte;
        }
        if cut {
            bytes.truncate(end.index(bytes.len()));
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn whatever_is_damaged_can_be_looked_at_compared_and_judged(bytes in damaged()) {
        let read = read_bytes(&bytes);
        let whole = view(Format::Svr4, &Sample::new());
        for view in &read.packages {
            crate::lint::check(view);
            diff::changes(&whole, view);
            serde_json::to_string(view).unwrap();
            prop_assert_eq!(diff::changes(view, view), vec![]);
        }
    }
}
