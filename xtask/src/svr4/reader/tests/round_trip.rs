//! What the writer wrote, read back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use proptest::prelude::*;

use super::*;
use crate::svr4::content::Content;
use crate::svr4::datastream::{InstallFile, Package, Written, write};
use crate::svr4::pkgmap::{Attributes, DeviceKind, Entry, FileKind, LinkKind, Object, PkgMap};

/// Keeps every file's bytes by package and member.
#[derive(Default)]
struct Collect {
    files: BTreeMap<(String, String), Vec<u8>>,
    current: Option<(String, String)>,
}

impl Visitor for Collect {
    fn begin(&mut self, package: &str, member: &str, _: u64) {
        let key = (package.to_owned(), member.to_owned());
        self.files.insert(key.clone(), Vec::new());
        self.current = Some(key);
    }

    fn data(&mut self, bytes: &[u8]) {
        let key = self.current.as_ref().unwrap();
        self.files.get_mut(key).unwrap().extend_from_slice(bytes);
    }

    fn end(&mut self, complete: bool) {
        assert!(complete);
        self.current = None;
    }
}

fn info(name: &str, version: &str) -> PkgInfo {
    PkgInfo::from_pairs([
        ("PKG", name),
        ("NAME", "An example's \"name\""),
        ("ARCH", "i386"),
        ("VERSION", version),
        ("CATEGORY", "application"),
        ("BASEDIR", "/"),
    ])
    .unwrap()
}

fn attributes() -> impl Strategy<Value = Attributes> {
    (0u32..=0o7777, "(root|daemon|lp)", "(root|bin|sys)")
        .prop_map(|(mode, owner, group)| Attributes::new(mode, &owner, &group))
}

fn object() -> impl Strategy<Value = Object<Content>> {
    let kind = prop_oneof![Just(FileKind::Plain), Just(FileKind::Editable), Just(FileKind::Volatile)];
    let bytes = proptest::collection::vec(any::<u8>(), 0..1500);
    let link = prop_oneof![Just(LinkKind::Symbolic), Just(LinkKind::Hard)];
    let device = prop_oneof![Just(DeviceKind::Character), Just(DeviceKind::Block)];
    prop_oneof![
        6 => (kind, attributes(), bytes).prop_map(|(kind, attributes, bytes)| {
            Object::File { kind, attributes, contents: Content::Bytes(bytes) }
        }),
        2 => (any::<bool>(), attributes()).prop_map(|(exclusive, attributes)| Object::Directory { exclusive, attributes }),
        1 => Just(Object::Directory { exclusive: false, attributes: Attributes::default() }),
        2 => (link, "[a-z./]{1,12}").prop_map(|(kind, target)| Object::Link { kind, target }),
        1 => attributes().prop_map(|attributes| Object::Fifo { attributes }),
        1 => (device, 0u32..300, 0u32..300, attributes())
            .prop_map(|(kind, major, minor, attributes)| Object::Device { kind, major, minor, attributes }),
    ]
}

/// Paths end in a letter that folders between do not have, so that no entry is below another.
fn entry() -> impl Strategy<Value = (String, Entry<Content>)> {
    ("/?([a-y$#:\u{e9}-]{1,6}/){0,3}[a-y.]{0,3}z", "(none|manifest|rbac)", object())
        .prop_map(|(path, class, object)| (path.clone(), Entry { class, path, object }))
}

fn package(name: &'static str) -> impl Strategy<Value = Package> {
    let entries = proptest::collection::vec(entry(), 0..12);
    let script = proptest::collection::vec(any::<u8>(), 0..700);
    ("[0-9][0-9a-z.,=]{0,20}", entries, script, 0u64..1 << 32).prop_map(move |(version, entries, script, mtime)| {
        let unique: BTreeMap<String, Entry<Content>> = entries.into_iter().collect();
        let names = ["postinstall", "preremove"];
        let install = names.map(|name| InstallFile { name: name.into(), content: Content::Bytes(script.clone()) });
        Package { info: info(name, &version), install: install.into(), entries: unique.into_values().collect(), mtime }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn what_is_written_is_read_back_without_a_complaint(one in package("ABCone"), two in package("ABCtwo")) {
        let packages = [one, two];
        let (stream, written) = written(&packages);
        let mut collected = Collect::default();
        let report = read(stream.as_slice(), &mut collected).unwrap();
        let unexpected: Vec<_> = report.findings.iter().filter(|finding| finding.id != "parent-missing").collect();
        prop_assert!(unexpected.is_empty(), "{unexpected:?}");
        prop_assert_eq!(report.bytes, written.bytes);
        for ((package, written), read) in packages.iter().zip(&written.packages).zip(&report.packages) {
            prop_assert_eq!(&read.rows, &written.map.rows);
            prop_assert_eq!(&PkgMap::parse(&written.pkgmap).unwrap(), &written.map);
            prop_assert_eq!(read.info.as_ref().unwrap().render(), written.pkginfo.as_str());
            let payload = package.entries.iter().filter_map(|entry| match &entry.object {
                Object::File { contents: Content::Bytes(bytes), .. } => Some((&entry.path, bytes)),
                _ => None,
            });
            let mut stored = 0;
            for (path, bytes) in payload {
                let member = if path.starts_with('/') { format!("root{path}") } else { format!("reloc/{path}") };
                prop_assert_eq!(&collected.files[&(written.name.clone(), member)], bytes);
                stored += 1;
            }
            prop_assert_eq!(written.files, stored);
            prop_assert_eq!(read.files.len(), stored + package.install.len());
        }
    }
}

/// Packages whose header text, without what the writer does about its length, has `length` bytes.
fn packages_with_header_of(length: usize, count: usize) -> Vec<Package> {
    let empty = |name: &str| Package { info: info(name, "1"), install: Vec::new(), entries: Vec::new(), mtime: 1 };
    let maxsize = written(&[empty("P00")]).1.packages[0].map.maxsize;
    let fixed = "# PaCkAgE DaTaStReAm\n# end of header\n".len() + count * format!("P00 1 {maxsize}\n").len();
    let mut missing = length - fixed;
    let names = (0..count).map(|number| {
        let more = missing.min(28);
        missing -= more;
        format!("P{number:02}{}", "x".repeat(more))
    });
    let packages = names.map(|name| empty(&name)).collect();
    assert_eq!(missing, 0);
    packages
}

fn written(packages: &[Package]) -> (Vec<u8>, Written) {
    let mut stream = Vec::new();
    let written = write(packages, &mut stream).unwrap();
    (stream, written)
}

#[test]
fn streams_of_many_packages_are_readable_at_every_length_of_the_header() {
    for (count, edge) in [(30, 512), (60, 1024)] {
        for length in edge - 2..edge + 4 {
            let (stream, _) = written(&packages_with_header_of(length, count));
            assert_eq!(ids(&stream), [""; 0], "{length}");
            let end = stream.windows(16).position(|window| window == b"# end of header\n").unwrap() + 16;
            let moved = if length % 512 <= 1 { 2 } else { 0 };
            assert_eq!(end, length + moved);
        }
    }
}

/// Sees how large the pieces are that payload comes in.
#[derive(Default)]
struct Largest(usize);

impl io::Write for Largest {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.max(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Visitor for Largest {
    fn data(&mut self, bytes: &[u8]) {
        self.0 = self.0.max(bytes.len());
    }
}

#[test]
fn a_large_file_goes_through_writer_and_reader_in_small_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let size = 16 << 20;
    File::create(path("large")).unwrap().set_len(size).unwrap();
    let attributes = Attributes::new(0o644, "root", "sys");
    let entries = vec![Entry::file("large", "none", attributes, Content::File(path("large")))];
    let packages = [Package { info: info("ABClarge", "1"), install: Vec::new(), entries, mtime: 1 }];

    let mut largest = Largest::default();
    let written = write(&packages, &mut largest).unwrap();
    assert!(largest.0 <= 64 * 1024, "written in pieces of {}", largest.0);
    assert!(written.packages[0].map.maxsize > size / 512);

    write(&packages, &mut File::create(path("stream")).unwrap()).unwrap();
    let mut largest = Largest::default();
    let report = read_path(&path("stream"), &mut largest).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.packages[0].files["reloc/large"].size, size);
    assert!(largest.0 <= 64 * 1024, "read in pieces of {}", largest.0);
}
