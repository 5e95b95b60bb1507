//! What the simulated pkgadd and pkginfo make of broken packages, cell by cell of what was observed with the real ones.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod svr4_support;

use std::os::unix::fs::MetadataExt;

use svr4_support::{Crafted, add, deliver, exists, header, host, padded, standing};
use xtask::svr4::cksum::cksum;

/// What a defective package leads to.
struct Case {
    what: &'static str,
    package: Crafted,
    /// Exit statuses of `pkginfo -d` and of pkgadd.
    info: i32,
    add: i32,
    /// A piece of what is said.
    says: &'static str,
    /// The state it is in afterwards, and whether its file is there.
    standing: &'static str,
    file: bool,
}

const COMPLETE: &str = "completely installed";
const PARTIAL: &str = "partially installed";
const FILE: &str = "reloc/opt/ABCx/file";

fn package() -> Crafted {
    Crafted::new("ABCx")
}

fn run(cases: Vec<Case>) {
    let host = host();
    for case in cases {
        let path = deliver(&host, "ABCx", &case.package.bytes());
        let info = host.sh(&format!("pkginfo -d {path}"));
        assert_eq!(info.code, case.info, "{}: pkginfo: {}", case.what, info.stderr);
        let added = add(&host, &case.package);
        let said = added.stdout + &added.stderr;
        assert_eq!(added.code, case.add, "{}: pkgadd: {said}", case.what);
        assert!(said.contains(case.says), "{}: {said}", case.what);
        assert_eq!(standing(&host, "ABCx"), case.standing, "{}", case.what);
        assert_eq!(exists(&host, "/opt/ABCx/file"), case.file, "{}", case.what);
        host.sh("rm -rf /opt/ABCx /var/sadm/pkg/ABCx; : > /var/sadm/install/contents").expect_success();
    }
}

fn case(what: &'static str, package: Crafted, info: i32, add: i32, says: &'static str) -> Case {
    let standing = match add {
        0 => COMPLETE,
        2 => PARTIAL,
        _ => "",
    };
    Case { what, package, info, add, says, standing, file: matches!(add, 0 | 2) }
}

#[test]
fn contents_that_are_not_what_the_map_says() {
    run(vec![
        case("bytes differ", package().tampered(FILE, "of the first releasf\n"), 0, 2, "cksum"),
        case("the size differs", package().tampered(FILE, "of the first release!\n"), 0, 2, "size"),
        case("an empty file", package().tampered(FILE, ""), 0, 2, "partially failed"),
        Case {
            file: false,
            ..case(
                "the file is missing",
                package().map("@reloc/opt/ABCx/file", "21 1965 1").without(FILE),
                0,
                2,
                "partially failed",
            )
        },
        case("two bytes are swapped", package().tampered(FILE, "fo the first release\n"), 0, 0, "successful"),
        case("a file more in the archive", package().file("reloc/opt/other", "x"), 0, 0, "successful"),
        case(
            "depend differs",
            package().install("depend", "P ABCy Y\n").tampered("install/depend", "P ABCz Z\n"),
            0,
            1,
            "packaging file <depend> is corrupt",
        ),
        case("depend is missing", package().line("1 i depend 9 9 9"), 0, 1, "No changes were made"),
        case("pkginfo differs", package().map("@pkginfo", "1 2 3"), 0, 1, "packaging file <pkginfo> is corrupt"),
        case("no line for depend", package().file("install/depend", ""), 0, 0, "successful"),
        case("no line for pkginfo", package().map("1 i pkginfo @pkginfo\n", ""), 0, 0, "successful"),
    ]);
}

#[test]
fn the_time_of_a_file_is_the_maps() {
    let host = host();
    // The archive has another one.
    let facts = format!("21 {} 1234567890", cksum(b"of the first release\n"));
    let package = package().map("@reloc/opt/ABCx/file", &facts);
    add(&host, &package).expect_success();
    assert_eq!(host.root().join("opt/ABCx/file").metadata().unwrap().mtime(), 1_234_567_890);
    host.sh("pkgchk ABCx").expect_success();
}

#[test]
fn maps_that_are_not_as_they_should_be() {
    let lost = |what, package| Case { file: false, ..case(what, package, 0, 0, "successful") };
    let kept = |what, package| case(what, package, 0, 0, "successful");
    run(vec![
        case("a file without size", package().map(" @reloc/opt/ABCx/file", ""), 0, 1, "unable to process pkgmap"),
        case("an unknown type", package().line("1 z none opt/z 0644 root bin"), 0, 1, "unable to process pkgmap"),
        case("a mode that is not octal", package().map("0644", "0648"), 0, 1, "unable to process pkgmap"),
        lost("an unknown class", package().map("f none", "f other")),
        lost("no CLASSES", package().info("CLASSES=none\n", "")),
        lost("a volume that there is not", package().map("1 f none", "7 f none")),
        case(
            "a file of an unknown owner",
            package().line("1 f none opt/ABCx/b 0644 nosuch bin @reloc/opt/ABCx/file"),
            0,
            2,
            "nosuch",
        ),
        case("an unknown group", package().line("1 d none opt/ABCx/c 0755 root nosuch"), 0, 2, "nosuch"),
        kept("no first line", package().map(": 1 20\n", "")),
        case(
            "CR LF",
            Crafted { map_shape: |text| text.replace('\n', "\r\n"), ..package() },
            0,
            2,
            "group name <bin\r> not found",
        ),
        kept("no LF at the end", Crafted { map_shape: |text| text.trim_end().into(), ..package() }),
        kept("unsorted", package().line("1 d none a 0755 root bin")),
        kept(
            "another map in archive 0",
            Crafted { table_map: Some(": 1 1\n1 d none zz 0755 root bin\n".into()), ..package() },
        ),
    ]);
}

#[test]
fn parameters_that_are_missing_or_strange() {
    let refused = |what, package, info| case(what, package, info, 1, "");
    run(vec![
        refused("no NAME", package().info("NAME=A crafted package\n", ""), 1),
        refused("no ARCH", package().info("ARCH=i386\n", ""), 1),
        refused("no VERSION", package().info("VERSION=1.0\n", ""), 1),
        refused("no CATEGORY", package().info("CATEGORY=application\n", ""), 1),
        refused("no PKG", package().info("PKG=ABCx\n", ""), 0),
        refused("another PKG", package().info("PKG=ABCx", "PKG=ABCy"), 0),
        refused("only with a person", package().info("BASEDIR", "INTONLY=true\nBASEDIR"), 0),
        case("a long version", package().info("1.0", &"1".repeat(300)), 0, 0, "successful"),
        case("a name in UTF-8", package().info("A crafted", "Ein gebastelter Käfer"), 0, 0, "successful"),
        case("CR LF", package().info("\n", "\r\n"), 0, 0, "successful"),
        case("no BASEDIR", package().info("BASEDIR=/\n", ""), 0, 5, ""),
    ]);
}

#[test]
fn streams_that_are_cut_or_have_no_good_header() {
    let bad = |what, text: &str| {
        let package = Crafted { header: Some(padded(text)), ..package() };
        case(what, package, 1, 99, "bad format in datastream table-of-contents")
    };
    let lacking =
        |what, file| case(what, Crafted { part_lacks: Some(file), ..package() }, 0, 1, "unable to unpack datastream");
    run(vec![
        bad("no magic", "# PaCkAgE DaTaStReAn\nABCx 1 20\n# end of header\n"),
        bad("no end", "# PaCkAgE DaTaStReAm\nABCx 1 20\n"),
        bad("two fields", "# PaCkAgE DaTaStReAm\nABCx 1\n# end of header\n"),
        bad("CR LF", "# PaCkAgE DaTaStReAm\r\nABCx 1 20\r\n# end of header\r\n"),
        bad("no package", "# PaCkAgE DaTaStReAm\n# end of header\n"),
        case("no archive 0", Crafted { has_table: false, ..package() }, 1, 1, "no packages were found"),
        case(
            "another name in the header",
            Crafted { table_name: "ABCy".into(), ..package() },
            0,
            1,
            "unable to find archive",
        ),
        case(
            "one part of two",
            Crafted { header: Some(padded("# PaCkAgE DaTaStReAm\nABCx 2 20\n# end of header\n")), ..package() },
            0,
            0,
            "",
        ),
        lacking("no pkginfo in the part", "pkginfo"),
        lacking("no pkgmap in the part", "pkgmap"),
        case("garbage at the end", Crafted { tail: b"garbage".to_vec(), ..package() }, 0, 0, ""),
    ]);
    let host = host();
    let whole = package().bytes();
    let table = header(&["ABCx"]).len();
    let second = whole.len() - package().archive().len();
    for (what, length, info, add) in [
        ("empty", 0, 1, 99),
        ("cut in the header", 300, 1, 99),
        ("cut in archive 0", table + 300, 1, 99),
        ("cut in archive 1", second + 300, 0, 1),
        ("the last block is missing", whole.len() - 512, 0, 1),
    ] {
        let path = deliver(&host, "ABCx", &whole[..length]);
        assert_eq!(host.sh(&format!("pkginfo -d {path}")).code, info, "{what}");
        let added = host.sh(&format!("pkgadd -n -a /var/tmp/admin -d {path} ABCx"));
        assert_eq!(added.code, add, "{what}: {}", added.stderr);
        assert_eq!((standing(&host, "ABCx").as_str(), exists(&host, "/opt/ABCx")), ("", false), "{what}");
    }
    // The padding of the last block alone does not count.
    let path = deliver(&host, "ABCx", &whole[..whole.iter().rposition(|byte| *byte != 0).unwrap() + 5]);
    host.sh(&format!("pkgadd -n -a /var/tmp/admin -d {path} ABCx")).expect_success();
}
