//! Every defect a package can have, made on purpose. Each test states all findings, so that one defect is not reported as
//! three, and nothing goes unseen behind another.

use super::sample::{Sample, archive, padded};
use super::*;

/// The sample with this change must give exactly these findings.
fn expect(sample: Sample, expected: &[&str]) {
    assert_eq!(ids(&sample.bytes()), expected);
}

/// The finding of a stream that has just one.
fn only(stream: &[u8]) -> Finding {
    let findings = findings(stream);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.into_iter().next().unwrap()
}

/// The one missing parent is that of the sample's absolute path.
const SOUND: &[&str] = &["parent-missing"];

fn sample() -> Sample {
    Sample::new()
}

#[test]
fn the_sample_itself_is_sound() {
    let report = read(sample().bytes().as_slice(), &mut NoVisitor).unwrap();
    assert!(report.is_installable());
    assert_eq!(ids(&sample().bytes()), SOUND);
    assert_eq!(report.bytes, sample().bytes().len() as u64);
    let package = &report.packages[0];
    assert_eq!((package.name.as_str(), package.parts, package.maxsize), ("ABCexample", 1, 20));
    assert_eq!(package.info.as_ref().unwrap().get("VERSION"), Some("1.0"));
    assert_eq!(package.rows.len(), 6);
    let stored = package.files["reloc/lib/method"];
    assert_eq!(stored, Stored { size: 6, cksum: 641, mode: 0o100_644, mtime: 7 });
    assert_eq!(package.files.len(), 3);
}

#[test]
fn header_defects() {
    for (text, expected) in [
        ("# PaCkAgE DaTaStReAx\nABCexample 1 20\n# end of header\n", "header-magic"),
        ("ABCexample 1 20\n# end of header\n", "header-magic"),
        ("# PaCkAgE DaTaStReAm\nABCexample 1 20\n", "header-no-end"),
        ("# PaCkAgE DaTaStReAm\nABCexample 1 20\n# end of header", "header-no-end"),
        ("# PaCkAgE DaTaStReAm\nABCexample 1 20\n\0# end of header\n", "header-no-end"),
    ] {
        assert_eq!(only(&sample().header(text).bytes()).id, expected, "{text:?}");
    }
    assert_eq!(only(b"").id, "header-magic");
    assert_eq!(only(b"# PaCkAgE DaTaStReAm\nABCexample 1 20\n# end of header\n").id, "header-cut");
}

#[test]
fn header_lines_that_name_no_package_leave_the_rest_unexpected() {
    let with = |line: &str| ids(&sample().header(&format!("# PaCkAgE DaTaStReAm\n{line}# end of header\n")).bytes());
    let lost = ["member-unknown", "member-unknown", "trailing-data"];
    for line in ["ABCexample 1\n", "ABCexample one 20\n", "ABCexample 0 20\n", "ABCexample 1 -20\n"] {
        assert_eq!(with(line), [&["header-fields", "header-no-packages"], lost.as_slice()].concat(), "{line:?}");
    }
    assert_eq!(with("# nothing\n\n"), [&["header-no-packages"], lost.as_slice()].concat());
}

#[test]
fn header_lines_that_can_be_read_all_the_same() {
    let with = |text: &str| ids(&sample().header(text).bytes());
    let crlf = with("# PaCkAgE DaTaStReAm\r\nABCexample 1 20\r\n# end of header\r\n");
    assert_eq!(crlf, [&["header-crlf"; 3], SOUND].concat());
    let volumes = with("# PaCkAgE DaTaStReAm\nABCexample 1 20 1 1\n# end of header\n");
    assert_eq!(volumes, [&["header-volumes"], SOUND].concat());
    let comment = with("# PaCkAgE DaTaStReAm\n# comment\n\nABCexample 1 20\n#\n# end of header\n");
    assert_eq!(comment, SOUND);
    let padding = with("# PaCkAgE DaTaStReAm\nABCexample 1 20\n# end of header\nmore\n");
    assert_eq!(padding, [&["header-padding"], SOUND].concat());
    let long = with(&format!("# PaCkAgE DaTaStReAm\n#{}\nABCexample 1 20\n# end of header\n", "x".repeat(128)));
    assert_eq!(long, [&["header-line-length"], SOUND].concat());
}

#[test]
fn a_package_listed_twice() {
    let twice = "# PaCkAgE DaTaStReAm\nABCexample 1 20\nABCexample 1 20\n# end of header\n";
    let found = findings(&sample().header(twice).bytes());
    assert_eq!((found[0].id, found[0].place.as_str()), ("header-duplicate", "header line 3"));
}

#[test]
fn names_in_the_header_are_judged_by_the_smallest_table() {
    let named = |name: &str| {
        let text = format!("# PaCkAgE DaTaStReAm\n{name} 1 20\n# end of header\n");
        let mut sample = sample().header(&text).info("PKG=ABCexample", &format!("PKG={name}"));
        sample.table_pkgmap = None;
        let mut bytes = sample.header.clone();
        let table = sample.table().into_iter().map(|(_, mode, data)| (mode, data));
        let table =
            ["pkginfo", "pkgmap"].iter().zip(table).map(|(file, (mode, data))| (format!("{name}/{file}"), mode, data));
        bytes.extend(archive(&table.collect::<Vec<_>>(), sample.format));
        bytes.extend(archive(&sample.members(), sample.format));
        findings(&bytes).into_iter().find(|finding| finding.id == "header-name").map(|finding| finding.level)
    };
    assert_eq!(named(&"A".repeat(31)), None);
    assert_eq!(named(&"A".repeat(32)), Some(Level::Warning));
    assert_eq!(named(&"A".repeat(33)), Some(Level::Error));
    assert_eq!(named("all"), Some(Level::Error));
    assert_eq!(named("A_B"), Some(Level::Error));
    assert_eq!(named("../A"), Some(Level::Error));
}

#[test]
fn a_header_on_the_edge_of_a_block_is_found_with_and_without_the_extra_block() {
    let bare = "# PaCkAgE DaTaStReAm\nABCexample 1 20\n# end of header\n".len();
    for (length, edge) in [
        (511, None),
        (512, Some(Level::Warning)),
        (513, Some(Level::Error)),
        (514, None),
        (1024, Some(Level::Warning)),
        (1025, Some(Level::Error)),
    ] {
        let comments = "#\n".repeat((length - bare) / 2);
        let comments = if comments.len() + bare < length { comments.replacen('#', "##", 1) } else { comments };
        let text = format!("# PaCkAgE DaTaStReAm\nABCexample 1 20\n{comments}# end of header\n");
        assert_eq!(text.len(), length);
        let mut sample = sample().header(&text);
        let found = findings(&sample.bytes());
        let level = found.iter().find(|finding| finding.id == "header-edge").map(|finding| finding.level);
        assert_eq!(level, edge, "{length}");
        assert_eq!(found.len(), SOUND.len() + usize::from(edge.is_some()));
        if length % 512 == 0 {
            sample.header.extend([0; 512]);
            assert_eq!(ids(&sample.bytes()), [&["header-edge", "header-extra-block"], SOUND].concat());
        }
    }
}

#[test]
fn differing_payload() {
    let mut changed = sample();
    changed.file("reloc/lib/method").2 = b"METHOD".to_vec();
    expect(changed, &["parent-missing", "file-cksum"]);
    let mut longer = sample();
    longer.file("root/opt/abs").2.push(b'x');
    expect(longer, &["parent-missing", "file-size"]);
    let mut empty = sample();
    empty.file("root/opt/abs").2.clear();
    expect(empty, &["parent-missing", "file-size"]);
    expect(sample().map("4 320", "0 0"), &["parent-missing", "file-size"]);
    expect(sample().remove("reloc/lib/method"), &["parent-missing", "file-missing"]);
    expect(sample().add("reloc/lib/extra", 0o100_644, b"x"), &["parent-missing", "file-extra"]);
}

/// `sum` does not see it, so neither pkgadd nor this does: a caller who knows the bytes must compare them.
#[test]
fn two_swapped_bytes_are_not_seen() {
    let mut swapped = sample();
    swapped.file("reloc/lib/method").2 = b"emthod".to_vec();
    expect(swapped, SOUND);
}

#[test]
fn differing_files_of_the_package_itself() {
    let mut depend = sample();
    depend.file("install/depend").2 = b"P ABCbase The Base\n".to_vec();
    expect(depend, &["parent-missing", "info-cksum"]);
    expect(sample().remove("install/depend"), &["parent-missing", "info-missing"]);
    expect(sample().map("i pkginfo @ 7", "i pkginfo 1 1 7"), &["parent-missing", "info-size"]);
    expect(sample().map("1 i pkginfo @ 7\n", ""), &["parent-missing", "info-unchecked"]);
    expect(sample().map("1 i depend 19 1495 7\n", ""), &["parent-missing", "info-unchecked"]);
    expect(sample().map("i depend 19 1495 7", "i depend"), &["parent-missing", "info-unchecked"]);
}

#[test]
fn package_files_nobody_uses() {
    let unknown = sample().map("1 i pkginfo @ 7", "1 i pkginfo @ 7\n1 i postinstal 0 0 7");
    expect(unknown.add("install/postinstal", 0o100_644, b""), &["parent-missing", "info-unknown"]);
    let unused = sample().map("1 d none lib 0755", "1 i i.other 0 0 7\n1 d none lib 0755");
    expect(unused.add("install/i.other", 0o100_644, b""), &["parent-missing", "script-unused"]);
    let used = sample().map("1 d none lib 0755", "1 i i.none 0 0 7\n1 d none lib 0755");
    expect(used.add("install/i.none", 0o100_644, b""), SOUND);
}

#[test]
fn a_depend_that_pkgadd_misreads() {
    let mut depend = sample().map("i depend 19 1495", "i depend 7 537");
    depend.file("install/depend").2 = b"Q ABC x".to_vec();
    let found = findings(&depend.bytes());
    assert!(found.iter().any(|finding| finding.id == "depend-syntax" && finding.level == Level::Error), "{found:?}");
}

#[test]
fn lines_of_the_map_that_cannot_be_read() {
    let method = "1 f none lib/method 0755 root bin 6 641 7";
    for (line, expected) in [
        ("1 f none lib/method 0755 root bin", "map-fields"),
        ("1 f none lib/method 0755 root bin 6 641", "map-fields"),
        ("1 f none lib/method 0755 root bin 6 641 7 8", "map-fields"),
        ("1 f none lib/method 0755 root bin six 641 7", "map-fields"),
        ("1 q none lib/method 0755 root bin 6 641 7", "map-type"),
        ("1 f none lib/method rwxr root bin 6 641 7", "map-mode"),
        ("1 f none lib/method 0799 root bin 6 641 7", "map-mode"),
        ("f none lib/method 0755 root bin 6 641 7", "map-volume"),
        ("1 f none lib/method=x 0755 root bin 6 641 7", "map-link"),
    ] {
        // The file that the line would have described is then one too many.
        expect(sample().map(method, line), &[expected, "parent-missing", "file-extra"]);
    }
    expect(sample().map("lib/link=method", "lib/link"), &["map-link", "parent-missing"]);
}

#[test]
fn lines_of_the_map_that_can_be_read_all_the_same() {
    expect(sample().map("1 d none lib", "1  d\tnone lib"), &["map-layout", "parent-missing"]);
    expect(sample().map("1 d none lib", "# comment\n\n1 d none lib"), &["map-layout", "map-layout", "parent-missing"]);
    let crlf = sample().map("\n", "\r\n");
    assert_eq!(ids(&crlf.bytes()), [["map-crlf"; 6].as_slice(), SOUND].concat());
    let mut no_newline = sample();
    no_newline.pkgmap.pop();
    expect(no_newline, &["map-layout", "parent-missing"]);
}

#[test]
fn the_first_line_of_the_map() {
    expect(sample().map(": 1 20\n", ""), &["map-first-line", "parent-missing"]);
    expect(sample().map(": 1 20", ": 1"), &["map-first-line", "parent-missing"]);
    expect(sample().map(": 1 20", ": 2 20"), &["map-parts", "parent-missing"]);
    expect(sample().map(": 1 20", ": 1 21"), &["map-maxsize", "parent-missing"]);
    expect(sample().map(": 1 20", ": 1 90 20"), SOUND);
}

#[test]
fn order_and_repetition_in_the_map() {
    let link = "1 s none lib/link=method\n";
    let unsorted = sample().map(link, "").map("1 i pkginfo", &format!("{link}1 i pkginfo"));
    expect(unsorted, &["map-unsorted", "parent-missing"]);
    let folder = "1 d none lib 0755 root bin\n";
    let level = |text: &str| {
        let stream = sample().map(folder, &format!("{folder}{text}")).bytes();
        findings(&stream).into_iter().find(|finding| finding.id == "map-duplicate").map(|finding| finding.level)
    };
    assert_eq!(level(folder), Some(Level::Warning), "pkgadd takes exact repetitions of folders");
    assert_eq!(level("1 d none lib 0700 root bin\n"), Some(Level::Error));
    assert_eq!(level("1 s none lib=other\n"), Some(Level::Error));
    assert_eq!(level("1 f none depend 0644 root bin 0 0 7\n"), Some(Level::Error), "equal to the name of an i file");
}

#[test]
fn names_that_may_not_exist_on_the_target() {
    expect(sample().map("lib 0755 root bin", "lib 0755 someone bin"), &["owner-unknown", "parent-missing"]);
    expect(sample().map("lib 0755 root bin", "lib 0755 root some"), &["group-unknown", "parent-missing"]);
    expect(sample().map("lib 0755 root bin", "lib ? ? ?"), SOUND);
    let found = findings(&sample().map("lib 0755 root bin", "lib 0755 someone some").bytes());
    assert!(found.iter().all(|finding| finding.level == Level::Warning), "other packages may make users");
}

#[test]
fn classes_that_are_silently_not_installed() {
    let unknown = sample().map("1 f none lib/method", "1 f manifest lib/method");
    expect(unknown.clone(), &["class-unknown", "parent-missing"]);
    expect(unknown.info("CLASSES=none", "CLASSES=none manifest"), SOUND);
    let missing = sample().info("CLASSES=none\n", "");
    assert_eq!(only_errors(&missing), ["classes-missing"]);
}

fn only_errors(sample: &Sample) -> Vec<&'static str> {
    let findings = findings(&sample.bytes()).into_iter();
    findings.filter(|finding| finding.level == Level::Error).map(|finding| finding.id).collect()
}

#[test]
fn paths_and_parents_in_the_map() {
    assert_eq!(only_errors(&sample().map("lib/link=", "lib/../link=")), ["map-path"]);
    assert_eq!(only_errors(&sample().map("lib/link=", "lib//link=")), ["map-path"]);
    let below_link = sample().map("1 i pkginfo", "1 d none lib/link/sub 0755 root bin\n1 i pkginfo");
    assert_eq!(only_errors(&below_link), ["parent-not-directory"]);
    let no_folder = sample().map("1 d none lib 0755 root bin\n", "");
    expect(no_folder, &["parent-missing", "parent-missing"]);
    let part = sample().map("1 d none lib 0755", "2 d none lib 0755");
    assert_eq!(only_errors(&part), ["map-volume"]);
}

#[test]
fn parameters_that_pkgadd_wants() {
    for (line, key) in [
        ("NAME=An example\n", "NAME"),
        ("ARCH=i386\n", "ARCH"),
        ("VERSION=1.0\n", "VERSION"),
        ("CATEGORY=application\n", "CATEGORY"),
        ("PKG=ABCexample\n", "PKG"),
    ] {
        let missing = sample().info(line, "");
        assert_eq!(only_errors(&missing), ["pkginfo-required"]);
        assert!(findings(&missing.bytes())[0].message.starts_with(key));
        assert_eq!(only_errors(&sample().info(line, &format!("{key}=\n")))[0], "pkginfo-required");
    }
    assert_eq!(only_errors(&sample().info("PKG=ABCexample", "PKG=ABCother")), ["pkg-differs"]);
    assert_eq!(only_errors(&sample().info("BASEDIR=/\n", "")), ["basedir-missing"; 3]);
}

#[test]
fn parameters_that_are_read_otherwise_than_they_look() {
    let quoted = sample().info("NAME=An example", "NAME=\"The author's example\"");
    expect(quoted, &["pkginfo-ambiguous", "parent-missing"]);
    expect(sample().info("NAME=An example", "NAME=\"An example\""), SOUND);
    assert_eq!(only_errors(&sample().info("NAME=An example", "NAME=\"An example")), ["pkginfo-quotes"]);
    expect(sample().info("ARCH=i386\n", "ARCH=i386\r\n"), &["pkginfo-layout", "parent-missing"]);
    let mut no_newline = sample();
    no_newline.pkginfo.pop();
    expect(no_newline, &["pkginfo-layout", "parent-missing"]);
}

#[test]
fn parameters_that_only_pkgmk_limits_are_warnings() {
    for (from, to) in [
        ("VERSION=1.0", format!("VERSION={}", "1".repeat(257))),
        ("VERSION=1.0", "VERSION=(x)1".into()),
        ("NAME=An", "NAME=\u{e4}n".into()),
    ] {
        expect(sample().info(from, &to), &["pkginfo-limits", "parent-missing"]);
    }
    expect(sample().info("BASEDIR=/", "INTONLY=1\nBASEDIR=/"), &["pkginfo-interactive", "parent-missing"]);
}

#[test]
fn zone_attributes_that_exclude_each_other() {
    let with = |text: &str| only_errors(&sample().info("BASEDIR=/\n", &format!("BASEDIR=/\n{text}")));
    assert_eq!(with("SUNW_PKG_ALLZONES=true\nSUNW_PKG_THISZONE=TRUE\n"), ["pkginfo-zones"]);
    assert_eq!(with("SUNW_PKG_HOLLOW=true\n"), ["pkginfo-zones"]);
    assert_eq!(with("SUNW_PKG_ALLZONES=true\nSUNW_PKG_HOLLOW=true\n"), [""; 0]);
}

#[test]
fn archive_0_that_is_not_what_the_package_holds() {
    let mut differs = sample();
    differs.table_pkgmap = Some(differs.pkgmap_text().replace("lib", "liz"));
    expect(differs, &["table-differs", "parent-missing"]);
    let stream = [
        sample().header,
        archive(&sample().table()[..1], sample().format),
        archive(&sample().members(), sample().format),
    ];
    assert_eq!(ids(&stream.concat()), [&["table-missing"], SOUND].concat());
    let renamed: Vec<_> =
        sample().table().into_iter().map(|(name, mode, data)| (name.replace("example", "other"), mode, data)).collect();
    let stream = [sample().header, archive(&renamed, sample().format), archive(&sample().members(), sample().format)];
    assert_eq!(
        ids(&stream.concat()),
        [&["member-unknown", "member-unknown", "table-missing", "table-missing"], SOUND].concat()
    );
}

#[test]
fn a_stream_without_archive_0() {
    let stream = [sample().header, archive(&sample().members(), sample().format)].concat();
    let found = ids(&stream);
    assert!(found.contains(&"archive-missing") && found.contains(&"table-missing"), "{found:?}");
}

#[test]
fn a_package_archive_without_its_texts() {
    let table = archive(&sample().table(), sample().format);
    let without = |left_out: &str| {
        let members: Vec<_> = sample().members().into_iter().filter(|(name, ..)| name != left_out).collect();
        let stream = [sample().header, table.clone(), archive(&members, sample().format)].concat();
        findings(&stream)
            .into_iter()
            .filter(|finding| finding.level == Level::Error)
            .map(|finding| finding.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(without("pkginfo"), ["pkginfo-missing", "info-missing"]);
    assert_eq!(without("pkgmap"), ["pkgmap-missing"]);
}

#[test]
fn fewer_archives_than_parts() {
    let two = "# PaCkAgE DaTaStReAm\nABCexample 2 20\n# end of header\n";
    let found = ids(&sample().header(two).bytes());
    assert_eq!(found[..2], ["archive-missing", "map-parts"]);
}

#[test]
fn what_follows_the_last_archive() {
    let mut garbage = sample();
    garbage.tail = b"garbage".to_vec();
    expect(garbage, &["parent-missing", "trailing-data"]);
    let mut zeros = sample();
    zeros.tail = padded(&[0]);
    expect(zeros, &["parent-missing", "trailing-data"]);
}
