//! Archives of other producers, and damaged ones.

use super::sample::{Format, Member, Sample, archive};
use super::*;

fn with_members(members: &[Member]) -> Vec<u8> {
    let sample = Sample::new();
    [sample.header.clone(), archive(&sample.table(), sample.format), archive(members, sample.format)].concat()
}

const SOUND: &[&str] = &["parent-missing"];

#[test]
fn all_three_ascii_formats_are_read() {
    for format in [Format::Newc, Format::Crc, Format::Odc] {
        let mut sample = Sample::new();
        sample.format = format;
        let report = read(sample.bytes().as_slice(), &mut NoVisitor).unwrap();
        assert_eq!(ids(&sample.bytes()), SOUND, "{format:?}");
        assert_eq!(report.packages[0].files["reloc/lib/method"].mtime, 7);
    }
}

#[test]
fn a_wrong_sum_in_a_crc_archive_is_found() {
    let mut sample = Sample::new();
    sample.format = Format::Crc;
    let mut bytes = sample.bytes();
    let at = bytes.windows(16).rposition(|window| window == b"reloc/lib/method").unwrap();
    // The last digit of the header's sum stands before the name.
    bytes[at - 1] ^= 1;
    assert_eq!(ids(&bytes), [&["cpio-crc"], SOUND].concat());
}

#[test]
fn order_dots_and_folders_do_not_matter() {
    let mut members = Sample::new().members();
    members.retain(|(_, mode, _)| mode & 0o170_000 != 0o40_000);
    members.reverse();
    members.iter_mut().for_each(|(name, ..)| name.insert_str(0, "./"));
    members.insert(0, (".".into(), 0o40_755, Vec::new()));
    members.insert(1, ("./reloc/".into(), 0o40_755, Vec::new()));
    assert_eq!(ids(&with_members(&members)), SOUND);
}

#[test]
fn a_short_last_block_is_a_warning() {
    let mut bytes = Sample::new().bytes();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    // The trailer's own NUL and padding belong to it.
    bytes.resize(bytes.len().next_multiple_of(4) + 4, 0);
    let found = findings(&bytes);
    assert_eq!(found.iter().map(|finding| finding.id).collect::<Vec<_>>(), ["last-block-short", "parent-missing"]);
    assert!(found.iter().all(|finding| finding.level == Level::Warning));
}

#[test]
fn names_that_lead_out_of_the_package_are_errors_and_reach_no_visitor() {
    struct Names(Vec<String>);
    impl Visitor for Names {
        fn begin(&mut self, _: &str, member: &str, _: u64) {
            self.0.push(member.to_owned());
        }
    }
    for name in ["../etc/passwd", "/etc/passwd", "reloc/../../x", "reloc//x", "reloc/./x", ".//etc/x", "a\0b", "./../x"]
    {
        let mut members = Sample::new().members();
        members.push((name.into(), 0o100_644, b"evil".to_vec()));
        let stream = with_members(&members);
        assert_eq!(ids(&stream), [&["member-unsafe"], SOUND].concat(), "{name:?}");
        let mut names = Names(Vec::new());
        read(stream.as_slice(), &mut names).unwrap();
        assert_eq!(names.0, ["pkginfo", "pkgmap", "install/depend", "reloc/lib/method", "root/opt/abs"]);
    }
}

#[test]
fn links_and_devices_are_no_members() {
    for kind in [0o120_000, 0o20_000, 0o60_000, 0o10_000, 0o140_000] {
        let mut members = Sample::new().members();
        members.push(("reloc/lib/odd".into(), kind | 0o644, b"/etc/passwd".to_vec()));
        assert_eq!(ids(&with_members(&members)), [&["member-type"], SOUND].concat());
    }
}

#[test]
fn members_twice_or_of_no_tree_are_found() {
    let extra = |name: &str| {
        let mut members = Sample::new().members();
        members.push((name.into(), 0o100_644, b"x".to_vec()));
        ids(&with_members(&members))
    };
    assert_eq!(extra("other/x"), ["member-unknown", "parent-missing", "file-extra"]);
    assert_eq!(extra("reloc.x/x")[0], "member-unknown");
    for name in ["reloc/lib/method", "pkgmap", "pkginfo", "install/depend"] {
        assert!(extra(name).contains(&"member-duplicate"), "{name}");
    }
}

#[test]
fn class_archives_are_not_taken_for_missing_files() {
    let sample = Sample::new()
        .map("1 f none lib/method", "1 f packed lib/method")
        .info("CLASSES=none", "CLASSES=none packed")
        .remove("reloc/lib/method")
        .add("archive/packed.gz", 0o100_644, b"");
    assert_eq!(ids(&sample.bytes()), ["parent-missing", "file-unchecked"]);
}

#[test]
fn damage_is_told_from_a_cut() {
    let good = Sample::new().bytes();
    let at = good.windows(6).rposition(|window| window == b"070701").unwrap();
    let mut no_magic = good.clone();
    no_magic[at] = b'x';
    assert_eq!(ids(&no_magic), ["archive-damaged"]);
    let mut no_number = good.clone();
    no_number[at + 8] = b' ';
    assert_eq!(ids(&no_number), ["archive-damaged"]);
    let mut long_name = good.clone();
    long_name[at + 94..at + 102].copy_from_slice(b"ffffffff");
    assert_eq!(ids(&long_name), ["archive-damaged"]);
    let mut open_name = good.clone();
    open_name[at + 94..at + 102].copy_from_slice(b"0000000a");
    assert_eq!(ids(&open_name), ["archive-damaged"]);
    let mut first = good;
    for byte in [b'x', 0] {
        first[512] = byte;
        assert_eq!(ids(&first), ["archive-magic"]);
    }
}

/// Two parts as pkgmk -l makes them: the second has pkginfo again, and the trees carry the part's number.
#[test]
fn a_package_in_two_parts_is_read_as_one() {
    let sample = Sample::new()
        .header("# PaCkAgE DaTaStReAm\nABCexample 2 20\n# end of header\n")
        .map(": 1 20", ": 2 20")
        .map("1 f none lib/method", "2 f none lib/method");
    let mut first = sample.members();
    first.retain(|(name, ..)| !name.starts_with("reloc"));
    first.iter_mut().for_each(|(name, ..)| *name = name.replace("root", "root.1"));
    let second = [sample.members()[0].clone(), ("reloc.2/lib/method".into(), 0o100_755, b"method".to_vec())];
    let stream = |second: &[Member]| {
        [
            sample.header.clone(),
            archive(&sample.table(), sample.format),
            archive(&first, sample.format),
            archive(second, sample.format),
        ]
        .concat()
    };
    assert_eq!(ids(&stream(&second)), SOUND);
    let mut other = second.clone();
    other[0].2.push(b'\n');
    assert_eq!(ids(&stream(&other))[0], "table-differs");
}
