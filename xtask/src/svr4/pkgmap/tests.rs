//! Maps as written, refused and read.

use proptest::prelude::*;

use super::rules::{check_entry, class_problem, path_problem};
use super::*;

fn facts(size: u64) -> Facts {
    Facts { size, cksum: 7, mtime: 1_795_352_625 }
}

fn file(path: &str) -> Entry<Facts> {
    Entry::file(path, "none", Attributes::new(0o644, "root", "sys"), facts(10))
}

fn directory(path: &str) -> Entry<Facts> {
    Entry::directory(path, "none", Attributes::new(0o755, "root", "bin"))
}

fn build(entries: Vec<Entry<Facts>>) -> Result<PkgMap, RuleError> {
    PkgMap::build(vec![("pkginfo".into(), facts(583)), ("depend".into(), facts(92))], entries)
}

fn violation(entries: Vec<Entry<Facts>>) -> Violation {
    build(entries).unwrap_err().violation
}

/// A line of every type in pkgmk's layout, each of which must be read and written back the same.
const EVERY_TYPE: &str = "\
: 1 508
1 s none /abs/link=../elsewhere
1 i depend 92 7790 1795352625
1 c none dev/null0 13 2 0666 root sys
1 b none dev/sd0 32 0 0640 root sys
1 x none etc/example 0755 root bin
1 e preserve etc/example/conf 0644 root sys 0 0 1795352625
1 d none lib 0755 root bin
1 f none lib/method 4755 root sys 112643 47082 1795352625
1 l none lib/other=lib/method
1 d none opt ? ? ?
1 i pkginfo 583 51342 1795354071
1 p none var/fifo 0600 root sys
1 v none var/log 0644 root sys 5 500 1795352625
";

#[test]
fn every_type_reads_and_writes_back_byte_for_byte() {
    let map = PkgMap::parse(EVERY_TYPE).unwrap();
    assert_eq!(map.rows.len(), 13);
    assert_eq!(map.to_string(), EVERY_TYPE);
}

#[test]
fn a_compressed_size_is_the_third_number_of_the_first_line() {
    assert_eq!(PkgMap::parse(": 2 508 300\n").unwrap().compressed, Some(300));
}

#[test]
fn lines_are_sorted_by_the_bytes_of_the_path_whatever_their_type() {
    let map =
        build(vec![file("lib-x"), file("lib/a"), directory("lib"), file("/opt/z"), file("Z"), file("zz")]).unwrap();
    let paths: Vec<&str> = map.rows.iter().map(|row| row.item.path()).collect();
    assert_eq!(paths, ["/opt/z", "Z", "depend", "lib", "lib-x", "lib/a", "pkginfo", "zz"]);
    assert_eq!(PkgMap::parse(&map.to_string()).unwrap(), map);
}

#[test]
fn paths_that_cannot_be_written_or_escape_are_refused() {
    for path in ["", "/", "a b", "a\tb", "a\nb", "a=b", "a//b", "a/", "//a", "../a", "a/../b", "./a", "a/.", "a\u{85}b"]
    {
        assert!(path_problem(path).is_some(), "{path:?}");
    }
    for path in ["a", "/a/b", "a$b", "#a", "a:b", "-a", "a\"b", "caf\u{e9}", "..a", "a..", "..."] {
        assert_eq!(path_problem(path), None, "{path:?}");
    }
    assert_eq!(path_problem(&"p".repeat(1000)), None);
    assert!(path_problem(&"p".repeat(1001)).is_some());
}

#[test]
fn class_names_over_63_are_refused() {
    assert_eq!(class_problem(&"c".repeat(63)), None);
    assert!(class_problem(&"c".repeat(64)).is_some());
    assert!(class_problem("").is_some() && class_problem("a b").is_some() && class_problem("a/b").is_some());
}

#[test]
fn attributes_that_pkgadd_would_not_take_are_refused() {
    let with = |attributes| check_entry(&Entry::file("a", "none", attributes, facts(1))).is_ok();
    assert!(with(Attributes::new(0o7777, "root", "sys")));
    assert!(!with(Attributes::new(0o10_000, "root", "sys")));
    assert!(!with(Attributes::new(0o644, "", "sys")));
    assert!(!with(Attributes::new(0o644, "root", "a b")));
    assert!(!with(Attributes::new(0o644, &"o".repeat(65), "sys")));
    assert!(!with(Attributes::default()), "a file cannot be left as found");
    assert!(check_entry(&Entry::<Facts>::directory("a", "none", Attributes::default())).is_ok());
}

#[test]
fn links_need_a_target_of_one_word() {
    let with = |target| check_entry(&Entry::<Facts>::symlink("a", "none", target)).is_ok();
    assert!(with("../../usr/bin/true") && with("/abs"));
    assert!(!with("") && !with("a b") && !with("a=b"));
}

#[test]
fn the_same_path_twice_is_refused() {
    assert_eq!(violation(vec![file("a"), directory("a")]), Violation::Duplicate);
}

#[test]
fn a_payload_path_that_equals_a_package_file_is_refused_unless_absolute() {
    assert_eq!(violation(vec![file("depend")]), Violation::SameAsInfo);
    assert!(build(vec![file("/depend")]).is_ok());
}

#[test]
fn nothing_can_be_below_a_file_or_a_link() {
    let below_file = violation(vec![file("lib"), file("lib/a/b")]);
    assert_eq!(below_file, Violation::ParentNotDirectory("lib".into()));
    let link = Entry::symlink("lib", "none", "usr/lib");
    assert_eq!(violation(vec![link, directory("lib/a")]), Violation::ParentNotDirectory("lib".into()));
}

#[test]
fn folders_that_no_entry_owns_are_listed_once() {
    let map = build(vec![file("a/b/c"), file("a/b/d"), directory("a"), file("/x/y"), file("top")]).unwrap();
    assert_eq!(map.missing_parents(), ["/x", "a/b"]);
}

#[test]
fn maxsize_covers_files_folders_and_the_map() {
    let mut big = file("a/b/big");
    big.object = Object::File {
        kind: FileKind::Plain,
        attributes: Attributes::new(0o644, "root", "sys"),
        contents: facts(512 * 1000 + 1),
    };
    // 1001 for the file, 2 + 1 for pkginfo and depend, 1 for the map, 4 + 2 for folders.
    assert_eq!(build(vec![big]).unwrap().maxsize, 1001 + 3 + 1 + 6);
}

fn problem(line: &str) -> MapError {
    PkgMap::parse(&format!(": 1 10\n1 d none a 0755 root bin\n{line}\n")).unwrap_err()
}

#[test]
fn a_bad_line_is_named_with_its_number() {
    for (line, expected) in [
        ("d none b 0755 root bin", Problem::VolumeMissing),
        ("2 d none b 0755 root bin", Problem::VolumeOutOfRange { volume: 2, parts: 1 }),
        ("0 d none b 0755 root bin", Problem::VolumeOutOfRange { volume: 0, parts: 1 }),
        ("1 q none b 0755 root bin", Problem::UnknownType("q".into())),
        ("1 f none b 0644 root bin", Problem::Missing("size")),
        ("1 f none b 0644 root bin 1 2", Problem::Missing("mtime")),
        ("1 f none b 0644 root", Problem::Missing("group")),
        ("1 f none b rw-r root bin 1 2 3", Problem::Mode("rw-r".into())),
        ("1 f none b 0648 root bin 1 2 3", Problem::Mode("0648".into())),
        ("1 f none b 10644 root bin 1 2 3", Problem::Mode("10644".into())),
        ("1 f none b 0644 root bin -1 2 3", Problem::NotANumber { field: "size", value: "-1".into() }),
        ("1 f none b 0644 root bin +1 2 3", Problem::NotANumber { field: "size", value: "+1".into() }),
        ("1 f none b 0644 root bin 1 2 3 4", Problem::Extra("4".into())),
        ("1 f none b=c 0644 root bin 1 2 3", Problem::UnexpectedTarget),
        ("1 s none b", Problem::NoTarget),
        ("1 s none b=", Problem::NoTarget),
        ("1 d none b  0755 root bin", Problem::Spacing),
        ("1 d none b 0755 root bin ", Problem::Spacing),
        ("1 d none b\t0755 root bin", Problem::Spacing),
        ("1 d none b 0755 root bin\r", Problem::CarriageReturn),
        ("1 d none a 0755 root bin", Problem::Duplicate("a".into())),
        ("1 d none A 0755 root bin", Problem::Unsorted("A".into())),
        ("", Problem::VolumeMissing),
    ] {
        assert_eq!(problem(line), MapError { line: 3, problem: expected }, "{line:?}");
    }
    assert!(matches!(problem("1 d none b/../c 0755 root bin").problem, Problem::UnsafePath { .. }));
}

#[test]
fn the_first_line_and_the_last_newline_are_wanted() {
    assert_eq!(PkgMap::parse("").unwrap_err(), MapError { line: 1, problem: Problem::NoFirstLine });
    assert_eq!(PkgMap::parse("1 d none a 0755 root bin\n").unwrap_err().problem, Problem::NoFirstLine);
    assert_eq!(PkgMap::parse(": 1\n").unwrap_err().problem, Problem::Missing("maxsize"));
    let cut = PkgMap::parse(": 1 1\n1 d none a 0755 root bin").unwrap_err();
    assert_eq!(cut, MapError { line: 2, problem: Problem::NoFinalNewline });
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in "(: 1 [0-9]{1,3}\n)?[ -~\u{e9}\t\r\n]{0,200}") {
        let _ = PkgMap::parse(&text);
    }

    #[test]
    fn a_line_with_a_changed_byte_is_read_without_panic(at in 0..EVERY_TYPE.len(), byte in 0u8..128) {
        let mut text = EVERY_TYPE.as_bytes().to_vec();
        text[at] = byte;
        if let Ok(map) = PkgMap::parse(&String::from_utf8(text.clone()).unwrap()) {
            // Leading zeros of numbers are the only freedom a strict reading leaves.
            prop_assert_eq!(PkgMap::parse(&map.to_string()).unwrap(), map);
        }
    }
}
