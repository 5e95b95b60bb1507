//! Packages broken on purpose, in either format, and what `verify` says of each: one line a defect.
//!
//! `cargo test -p xtask --test broken_packages -- --nocapture` prints the table. What cannot be a package at all is
//! refused when it is to be written; those tests are at the end.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use xtask::content::Content;
use xtask::finding::Level;
use xtask::package_view;
use xtask::svr4::datastream::{self, Package};
use xtask::svr4::pkginfo::PkgInfo;
use xtask::svr4::pkgmap::{Attributes, Entry};
use xtask::trial::{self, Release};

const EPOCH: u64 = 1_767_225_600;

/// What is broken, how, and the id of what `verify` must say.
struct Defect {
    what: &'static str,
    how: How,
    id: &'static str,
}

enum How {
    /// Bytes replaced by as many others, wherever they are.
    Everywhere(&'static str, &'static str),
    /// Only the first time they are there.
    First(&'static str, &'static str),
    /// Only the last time.
    Last(&'static str, &'static str),
    /// The file ends after this share of it, in percent.
    Cut(usize),
    /// The byte at this place behind a text is another one.
    Behind(&'static [u8], usize),
}

use How::{Behind, Cut, Everywhere, First, Last};

const SVR4: [Defect; 17] = [
    Defect { what: "the magic of the header", how: First("# PaCkAgE", "# PaCkAgX"), id: "format-unknown" },
    Defect { what: "no end of the header", how: First("# end of header", "# end of headex"), id: "header-no-end" },
    Defect { what: "another name in the header", how: First("COSvboxsvc 1", "COSvboxsvx 1"), id: "table-missing" },
    Defect { what: "cut in archive 0", how: Cut(10), id: "archive-cut" },
    Defect { what: "cut in the payload", how: Cut(70), id: "archive-cut" },
    Defect { what: "no cpio header", how: Last("070701", "070799"), id: "archive-damaged" },
    Defect { what: "a file's byte", how: Last("exit 95", "exit 94"), id: "file-cksum" },
    Defect { what: "a parameter, not its sum", how: Everywhere("VERSION=0.19", "VERSION=0.18"), id: "info-cksum" },
    Defect { what: "another PKG", how: Everywhere("PKG=COSvboxsvc", "PKG=COSvboxsvx"), id: "pkg-differs" },
    Defect { what: "no ARCH", how: Everywhere("ARCH=intel", "ARXH=intel"), id: "pkginfo-required" },
    Defect { what: "CLASSES without the class", how: Everywhere("CLASSES=none", "CLASSES=nope"), id: "class-unknown" },
    Defect { what: "a path that leads out", how: Everywhere("1 d none lib/svc ", "1 d none ../xxxx "), id: "map-path" },
    Defect { what: "a mode that is not octal", how: Everywhere(" 0755 root sys", " 0795 root sys"), id: "map-mode" },
    Defect { what: "an unknown type", how: Everywhere("1 f none lib", "1 z none lib"), id: "map-type" },
    Defect { what: "no size in a line", how: Everywhere("1 i depend ", "1 i depend_"), id: "map-fields" },
    Defect { what: "another volume", how: Everywhere("1 f none lib", "7 f none lib"), id: "map-volume" },
    Defect { what: "a dependency of no kind", how: Everywhere("P SUNWvbox", "Q SUNWvbox"), id: "depend-syntax" },
];

const IPS: [Defect; 9] = [
    Defect { what: "cut in the middle", how: Cut(50), id: "tar-truncated" },
    Defect { what: "a mode that is not octal", how: Everywhere("mode=0755", "mode=0795"), id: "mode" },
    Defect { what: "an unknown action", how: Everywhere("link path=", "lonk path="), id: "action-unknown" },
    Defect {
        what: "a path that leads out",
        how: Everywhere("path=usr/bin/VBoxM", "path=../bins/VBoxM"),
        id: "path-untidy",
    },
    Defect { what: "a payload's byte", how: Behind(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff], 12), id: "payload-gzip" },
    Defect { what: "a content hash", how: Behind(b"file:sha512t_256:", 3), id: "payload-content-hash" },
    Defect { what: "a tar header", how: First("pkg5.repository", "pkg5.repositorx"), id: "tar-header" },
    Defect { what: "an attribute without value", how: Everywhere("owner=root", "owner root"), id: "action-malformed" },
    Defect { what: "a file without group", how: Everywhere("group=bin", "groux=bin"), id: "attribute-missing" },
];

fn find(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text)).collect();
    assert!(!places.is_empty(), "{:?} is not there", String::from_utf8_lossy(text));
    places
}

fn broken(whole: &[u8], how: &How) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let (from, to, places) = match how {
        Everywhere(from, to) => (from, to, find(whole, from.as_bytes())),
        First(from, to) => (from, to, find(whole, from.as_bytes())[..1].to_vec()),
        Last(from, to) => (from, to, find(whole, from.as_bytes()).split_off(find(whole, from.as_bytes()).len() - 1)),
        Cut(percent) => return bytes[..bytes.len() * percent / 100].to_vec(),
        Behind(text, distance) => {
            for at in find(whole, text) {
                bytes[at + text.len() + distance] ^= 1;
            }
            return bytes;
        }
    };
    assert_eq!(from.len(), to.len(), "{from:?}");
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

fn try_all(format: &str, whole: &Path, defects: &[Defect]) {
    let bytes = fs::read(whole).unwrap();
    assert_eq!(package_view::read(whole).unwrap().count(Level::Error), 0, "the package itself is sound");
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for defect in defects {
        let path = folder.path().join("broken");
        fs::write(&path, broken(&bytes, &defect.how)).unwrap();
        let read = package_view::read(&path).unwrap();
        let said = read.findings.iter().find(|finding| finding.id == defect.id);
        match said {
            Some(finding) => println!("| {format} | {} | {finding} |", defect.what),
            None => wrong.push(format!("{}: {:#?}", defect.what, read.findings)),
        }
    }
    assert!(wrong.is_empty(), "not said:\n{}", wrong.join("\n"));
}

#[test]
fn of_each_broken_datastream_what_is_broken_is_said() {
    let folder = tempfile::tempdir().unwrap();
    try_all("SVR4", &trial::historic(Release::V0_19, EPOCH, folder.path()).unwrap(), &SVR4);
}

#[test]
fn of_each_broken_archive_what_is_broken_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    // So that the archive is not mostly empty.
    fs::write(&program, (0..60_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<u8>>())
        .unwrap();
    try_all("IPS", &trial::virtualbox(&program, EPOCH, folder.path()).unwrap().system_ips, &IPS);
}

// --- what is refused when it is to be written ------------------------------------------------------------------------

/// What the writer says of a package with this one file.
fn refusal(path: &str, content: Content) -> String {
    let info =
        [("PKG", "ABCedge"), ("NAME", "An edge"), ("ARCH", "i386"), ("VERSION", "1"), ("CATEGORY", "application")];
    let info = PkgInfo::from_pairs(info.into_iter().chain([("BASEDIR", "/"), ("CLASSES", "none")])).unwrap();
    let entries = vec![Entry::file(path, "none", Attributes::new(0o644, "root", "bin"), content)];
    let package = Package { info, install: Vec::new(), entries, mtime: EPOCH };
    let mut out = Vec::new();
    let error = datastream::write(&[package], &mut out).unwrap_err();
    assert!(out.is_empty(), "part of a package was written");
    let error = error.to_string();
    if path.len() < 40 {
        println!("| SVR4 | to be written: {path:?} | {error} |");
    } else {
        println!("| SVR4 | to be written: a path of {} bytes | {} |", path.len(), error.replace(path, "…"));
    }
    error
}

#[test]
fn a_path_that_is_too_long_or_cannot_be_written_is_refused() {
    let refused = |path: &str| refusal(path, Content::Bytes(b"x".to_vec()));
    let long = format!("opt/{}", "n/".repeat(600));
    assert!(refused(long.trim_end_matches('/')).contains("longer than 1000 bytes"));
    assert!(refused("opt/two words").contains("a blank"));
    assert!(refused("opt/a=b").contains("="));
    assert!(refused("opt/../etc/passwd").contains(".."));
}

/// The file is all holes, and is not read: that would take a minute.
#[test]
fn a_file_of_four_gibibytes_is_refused_before_it_is_read() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path: PathBuf = file.path().to_path_buf();
    File::options().write(true).open(&path).unwrap().set_len(1 << 32).unwrap();
    let error = refusal("opt/large", Content::File(path));
    assert!(error.contains("4294967296"), "{error}");
}
