//! The simulated pkgadd, pkgrm and pkgchk: exit statuses of scripts and admin settings, dependencies, classes, zones.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod svr4_support;

use simhost::Host;
use svr4_support::{
    Crafted, add, admin, archive, deliver, exists, host, padded, prepared, read, rm, standing, stream, trial,
};
use xtask::trial::{Release, historic};

fn package() -> Crafted {
    Crafted::new("ABCx")
}

#[test]
fn the_exit_status_of_a_script_becomes_that_of_pkgadd() {
    let host = host();
    for (script, exit, status, after, file) in [
        ("preinstall", 0, 0, "completely installed", true),
        ("preinstall", 2, 2, "partially installed", true),
        ("preinstall", 1, 1, "partially installed", false),
        ("preinstall", 3, 3, "partially installed", false),
        ("preinstall", 4, 4, "partially installed", false),
        ("preinstall", 5, 5, "partially installed", false),
        ("preinstall", 10, 10, "completely installed", true),
        ("preinstall", 20, 20, "completely installed", true),
        ("preinstall", 99, 1, "partially installed", false),
        ("postinstall", 1, 1, "partially installed", true),
        ("postinstall", 2, 2, "partially installed", true),
        ("checkinstall", 1, 1, "", false),
        ("checkinstall", 3, 4, "", false),
        ("checkinstall", 4, 4, "", false),
        ("checkinstall", 5, 5, "", false),
        ("checkinstall", 99, 1, "", false),
    ] {
        let what = format!("{script} that exits with {exit}");
        let added = add(&host, &package().install(script, &format!("exit {exit}\n")));
        assert_eq!(added.code, status, "{what}: {}", added.stderr);
        assert_eq!(standing(&host, "ABCx"), after, "{what}");
        assert_eq!(exists(&host, "/opt/ABCx/file"), file, "{what}");
        host.sh("rm -rf /opt/ABCx /var/sadm/pkg/ABCx; : > /var/sadm/install/contents").expect_success();
    }
    for (script, exit, status, gone) in [
        ("preremove", 0, 0, true),
        ("preremove", 1, 1, false),
        ("preremove", 99, 1, false),
        ("preremove", 20, 10, true),
        ("postremove", 3, 3, false),
    ] {
        add(&host, &package().install(script, &format!("exit {exit}\n"))).expect_success();
        assert_eq!(rm(&host, "ABCx").code, status, "{script} that exits with {exit}");
        let after = if gone { "" } else { "partially installed" };
        assert_eq!(standing(&host, "ABCx"), after, "{script} that exits with {exit}");
        host.sh("rm -rf /opt/ABCx /var/sadm/pkg/ABCx; : > /var/sadm/install/contents").expect_success();
    }
}

#[test]
fn admin_settings_decide_where_nobody_can_be_asked() {
    let host = host();
    let needs = package().install("depend", "P ABCbase\tThe base\n");
    for (setting, value, status) in [("idepend", "quit", 4), ("idepend", "ask", 5), ("idepend", "nocheck", 0)] {
        admin(&host, &[(setting, value)]);
        assert_eq!(add(&host, &needs).code, status, "{setting}={value}");
    }
    for (value, status) in [("quit", 4), ("ask", 5), ("unique", 4), ("overwrite", 0)] {
        admin(&host, &[("instance", value)]);
        assert_eq!(add(&host, &package()).code, status, "instance={value}");
    }
    rm(&host, "ABCx").expect_success();
    for (value, status) in [("quit", 4), ("ask", 5), ("nocheck", 0)] {
        admin(&host, &[("action", value)]);
        assert_eq!(add(&host, &package().install("postinstall", "exit 0\n")).code, status, "action={value}");
    }
    let set_id = package().map("0644", "4755");
    for (value, status, mode) in [("quit", 4, None), ("nochange", 0, Some(0o755)), ("nocheck", 0, Some(0o4755))] {
        host.sh("rm -rf /opt/ABCx /var/sadm/pkg/ABCx; : > /var/sadm/install/contents").expect_success();
        admin(&host, &[("setuid", value)]);
        assert_eq!(add(&host, &set_id).code, status, "setuid={value}");
        use std::os::unix::fs::PermissionsExt;
        let found =
            std::fs::metadata(host.root().join("opt/ABCx/file")).ok().map(|meta| meta.permissions().mode() & 0o7777);
        assert_eq!(found, mode, "setuid={value}");
    }
    admin(&host, &[("conflict", "quit")]);
    let shared = Crafted::new("ABCy").line("1 d none var 0700 root sys");
    let refused = add(&host, &shared);
    assert_eq!(refused.code, 4);
    assert!(refused.stderr.contains("/var <attribute change only>"), "{}", refused.stderr);
}

#[test]
fn a_person_is_asked_and_heard() {
    let host = host();
    admin(&host, &[("idepend", "ask")]);
    let needs = package().install("depend", "P ABCbase\tThe base\n");
    let path = deliver(&host, "ABCx", &needs.bytes());
    for (answer, status) in [("n\n", 3), ("", 3), ("y\n", 0)] {
        let ran = host.run_with_input("pkgadd", ["-a", "/var/tmp/admin", "-d", &path, "ABCx"], answer);
        assert_eq!(ran.code, status, "{answer:?}: {}", ran.stderr);
    }
}

#[test]
fn dependencies_hold_in_both_directions() {
    let host = host();
    admin(&host, &[("idepend", "quit"), ("rdepend", "quit")]);
    add(&host, &Crafted::new("ABCbase")).expect_success();
    let needs = package().install("depend", "P ABCbase The base\n\t(i386)1.0\nI ABCfoe A foe\n");
    add(&host, &needs).expect_success();
    assert_eq!(rm(&host, "ABCbase").code, 4, "a prerequisite was removed");
    rm(&host, "ABCx").expect_success();
    add(&host, &Crafted::new("ABCfoe")).expect_success();
    assert_eq!(add(&host, &needs).code, 4, "it was added beside what it cannot stand");
    rm(&host, "ABCfoe").expect_success();
    let other = needs.map("1 i depend @install/depend\n", "").install("depend", "P ABCbase The base\n\t(i386)2.0\n");
    assert_eq!(add(&host, &other).code, 4, "another version will not do");
    admin(&host, &[("rdepend", "nocheck")]);
    rm(&host, "ABCbase").expect_success();
    assert_eq!(rm(&host, "ABCbase").code, 1, "it was removed twice");
}

#[test]
fn an_overwrite_leaves_what_the_new_release_has_not() {
    let host = host();
    let old = package()
        .line("1 f none opt/ABCx/dropped 0644 root bin @reloc/opt/ABCx/dropped")
        .file("reloc/opt/ABCx/dropped", "old");
    add(&host, &old).expect_success();
    let told = "grep \" ABCx$\" /var/sadm/install/contents | grep -c file >/var/tmp/told; echo $UPDATE $VERSION >>/var/tmp/told\n";
    let new = package().info("1.0", "2.0").install("preinstall", told).line("1 d none opt/ABCx/new 0755 root bin");
    add(&host, &new).expect_success();
    assert_eq!(host.sh("pkgparam ABCx VERSION UPDATE").stdout, "2.0\nyes\n");
    assert!(exists(&host, "/opt/ABCx/dropped"));
    assert!(read(&host, "/var/sadm/install/contents").contains("/opt/ABCx/dropped f none"));
    assert_eq!(read(&host, "/var/tmp/told"), "1\nyes 2.0\n", "preinstall sees the new package in the database");
    add(&host, &old).expect_success();
    assert_eq!(host.sh("pkgparam ABCx VERSION").stdout, "1.0\n", "the way back");
}

#[test]
fn class_scripts_get_their_lines_and_a_last_call() {
    let host = host();
    let script =
        "echo \"call $1\" >>/var/tmp/calls; while read from to; do echo \"$to\" >>/var/tmp/calls; cp $from $to; done\n";
    let own = package()
        .info("CLASSES=none", "CLASSES=none own sed")
        .line("1 e own opt/ABCx/own 0640 root bin @reloc/opt/ABCx/own")
        .file("reloc/opt/ABCx/own", "mine\n")
        .line("1 e sed etc/motd 0644 root sys @reloc/etc/motd")
        .file("reloc/etc/motd", "!install\ns/old/new/\n!remove\ns/new/old/\n")
        .install("i.own", script)
        .install("r.own", "while read gone; do echo \"remove $gone\" >>/var/tmp/calls; rm $gone; done\n");
    host.sh("echo an old word >/etc/motd").expect_success();
    add(&host, &own).expect_success();
    assert_eq!(read(&host, "/var/tmp/calls"), "call \n/opt/ABCx/own\ncall ENDOFCLASS\n");
    assert_eq!((read(&host, "/opt/ABCx/own").as_str(), read(&host, "/etc/motd").as_str()), ("mine\n", "an new word\n"));
    host.sh("pkgchk -n ABCx").expect_success();
    // What is as it should be is no work for the script.
    host.sh(": >/var/tmp/calls").expect_success();
    add(&host, &own).expect_success();
    assert_eq!(read(&host, "/var/tmp/calls"), "call ENDOFCLASS\n");
    rm(&host, "ABCx").expect_success();
    assert!(read(&host, "/var/tmp/calls").ends_with("remove /opt/ABCx/own\n"));
}

#[test]
fn pkgchk_finds_what_was_changed() {
    let host = host();
    let package = package()
        .line("1 e none opt/ABCx/edit 0644 root bin @reloc/opt/ABCx/file")
        .file("reloc/opt/ABCx/edit", "of the first release\n");
    for (what, command, plain, without_editable) in [
        ("nothing", "true", 0, 0),
        ("contents", "echo x >>/opt/ABCx/file", 1, 1),
        ("a mode", "chmod 600 /opt/ABCx/file", 1, 1),
        ("a file", "rm /opt/ABCx/file", 1, 1),
        ("an editable file", "echo x >/opt/ABCx/edit", 1, 0),
    ] {
        add(&host, &package).expect_success();
        host.sh(command).expect_success();
        assert_eq!(host.sh("pkgchk ABCx").code, plain, "{what}");
        assert_eq!(host.sh("pkgchk -n ABCx").code, without_editable, "{what}, -n");
    }
    assert_eq!(host.sh("pkgchk no-such-package").code, 1);
}

#[test]
fn links_are_made_only_where_their_folder_is() {
    let host = host();
    let lost = add(&host, &package().line("1 s none no/such/folder/link=/opt"));
    assert_eq!((lost.code, standing(&host, "ABCx").as_str()), (2, "partially installed"));
    // Fixed, and added again, it is whole.
    add(&host, &package()).expect_success();
    assert_eq!(standing(&host, "ABCx"), "completely installed");
}

#[test]
fn one_stream_may_hold_several_packages() {
    let host = host();
    let (a, b, c) = (Crafted::new("ABCa"), Crafted::new("ABCb"), Crafted::new("ABCc"));
    let path = deliver(&host, "many", &stream(&[&a, &b, &c]));
    let pkgadd = |words: &str| host.sh(&format!("pkgadd -n -a /var/tmp/admin -d {path} {words}")).code;
    assert_eq!((pkgadd("ABCc ABCa"), pkgadd("ABCd"), pkgadd("")), (0, 1, 99));
    assert_eq!(host.sh("pkginfo -q ABCa && pkginfo -q ABCc; echo $?; pkginfo -q ABCb; echo $?").stdout, "0\n1\n");
    assert_eq!(pkgadd("all"), 0);
    host.sh("pkgchk ABCa ABCb ABCc").expect_success();
}

/// The look-alike of 0.19, made by our own writer.
#[test]
fn the_last_of_the_old_releases_comes_and_goes_as_it_did() {
    let host = host();
    let folder = tempfile::tempdir().unwrap();
    let [first, last] = Release::ALL.map(|release| historic(release, 1_700_000_000, folder.path()).unwrap());
    let added = trial::pkgadd(&host, &last, "");
    assert_eq!(added.code, 0, "{}", added.stderr);
    assert!(added.stderr.contains("Installation of <COSvboxsvc> was successful."), "{}", added.stderr);
    assert_eq!(standing(&host, "COSvboxsvc"), "completely installed");
    let told = host.sh("pkginfo -l COSvboxsvc").stdout;
    assert!(told.contains(" 19 installed pathnames"), "{told}");
    host.sh("pkgchk COSvboxsvc && pkgchk -n COSvboxsvc").expect_success();
    let method = "/lib/svc/method/vbox.sh";
    for command in [format!("echo >>{method}"), format!("chmod 644 {method}"), format!("rm {method}")] {
        host.sh(&command).expect_success();
        assert_eq!(host.sh("pkgchk COSvboxsvc").code, 1, "{command}");
        assert_eq!(host.sh("pkgchk -n COSvboxsvc").code, 1, "{command}, -n");
        // The same version once more.
        let again = trial::pkgadd(&host, &last, "");
        assert_eq!(again.code, 0, "{command}: {}", again.stderr);
        assert!(again.stdout.contains("same architecture and version"), "{}", again.stdout);
        host.sh("pkgchk COSvboxsvc").expect_success();
    }
    trial::pkgadd(&host, &first, "").expect_success();
    assert_eq!(host.sh("pkgparam COSvboxsvc VERSION").stdout, "0.11\n", "the way back");
    assert!(exists(&host, "/lib/svc/method/zfs-zvolrights"));
    host.sh("pkgchk COSvboxsvc").expect_success();
    host.sh(": >/usr/share/of-others").expect_success();
    rm(&host, "COSvboxsvc").expect_success();
    assert!(!read(&host, "/var/sadm/install/contents").contains("COSvboxsvc"));
    for gone in ["/var/sadm/pkg/COSvboxsvc", method, "/lib/svc/method/zfs-zvolrights", "/usr/share/doc/vboxsvc"] {
        assert!(!exists(&host, gone), "{gone}");
    }
    assert!(exists(&host, "/usr/share/of-others"), "what others have put there is gone");
    assert_eq!((host.sh("pkginfo -q COSvboxsvc").code, rm(&host, "COSvboxsvc").code), (1, 1));
}

#[test]
fn a_request_script_needs_a_person_or_their_answers() {
    let host = host();
    let asks = package()
        .install("request", "echo COLOUR=green >>$1\n")
        .install("postinstall", "echo $COLOUR >/var/tmp/colour\n");
    assert_eq!(add(&host, &asks).code, 5);
    assert_eq!(standing(&host, "ABCx"), "");
    let pkgadd = |options: &str| host.sh(&format!("pkgadd {options} -a /var/tmp/admin -d /var/tmp/ABCx.pkg ABCx"));
    host.sh("echo COLOUR=red >/var/tmp/response").expect_success();
    pkgadd("-n -r /var/tmp/response").expect_success();
    assert_eq!(read(&host, "/var/tmp/colour"), "red\n");
    assert_eq!(pkgadd("-n -r /var/tmp/no-such-file").code, 1);
    pkgadd("").expect_success();
    assert_eq!(read(&host, "/var/tmp/colour"), "green\n");
    // Not simulated, and said so.
    host.sh("echo rscriptalt=root >>/var/tmp/admin").expect_success();
    let refused = pkgadd("");
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("rscriptalt"), "{}", refused.stderr);
}

#[test]
fn what_is_half_done_and_what_does_not_fit_is_the_administrators_to_decide() {
    let host = host();
    let decided = |setting: &str, package: &Crafted, goes_on: i32| {
        for (value, status) in [("quit", 4), ("ask", 5), ("nocheck", goes_on)] {
            admin(&host, &[(setting, value)]);
            let added = add(&host, package);
            assert_eq!(added.code, status, "{setting}={value}: {}", added.stderr);
        }
    };
    assert_eq!(add(&host, &package().install("postinstall", "exit 1\n")).code, 1);
    decided("partial", &package(), 0);
    assert_eq!(standing(&host, "ABCx"), "completely installed");
    rm(&host, "ABCx").expect_success();
    // More than any disk has. Going on, it does not become what the map says.
    decided("space", &package().map("@reloc/opt/ABCx/file", "900000000000000000 1 1000000000"), 2);
}

#[test]
fn a_stream_may_be_in_two_parts() {
    let host = host();
    let mut package = package()
        .map(": 1 20", ": 2 20")
        .line("2 f none opt/ABCx/second 0644 root bin @reloc.2/opt/ABCx/second")
        .file("reloc.2/opt/ABCx/second", "of the second part\n")
        .file("reloc.1/opt/ABCx/file", "of the first part\n")
        .map("@reloc/", "@reloc.1/")
        .without("reloc/opt/ABCx/file");
    // The map is made while it can see both files.
    package = package.tampered("reloc.1/opt/ABCx/file", "of the first part\n");
    let second = ("reloc.2/opt/ABCx/second".to_string(), b"of the second part\n".to_vec());
    package.files.retain(|(path, _)| *path != second.0);
    package.tail = archive(&[("pkginfo".into(), package.info.clone().into_bytes()), second]);
    package.header = Some(padded("# PaCkAgE DaTaStReAm\nABCx 2 20\n# end of header\n"));
    add(&host, &package).expect_success();
    assert_eq!(read(&host, "/opt/ABCx/second"), "of the second part\n");
    host.sh("pkgchk ABCx").expect_success();
    package.tail.truncate(300);
    assert_eq!(add(&host, &package).code, 1, "the second part is cut");
}

/// The table of zone attributes: the package's three, then the exit statuses in the global zone, there with -G, and in a
/// local zone; and where the package is after the first.
#[test]
fn zones_get_what_the_attributes_say() {
    let host = prepared(Host::enclosed_with(&["i1=ipkg", "n1=native"]));
    std::fs::copy(host.root().join("var/tmp/admin"), host.root().join("zones/i1/root/var/tmp/admin")).unwrap();
    for (all, hollow, this, plain, alone, inside, zone) in [
        ("false", "false", "false", 0, 0, 0, "full"),
        ("true", "false", "false", 0, 1, 1, "full"),
        ("true", "true", "false", 0, 1, 1, "database"),
        ("false", "false", "true", 0, 0, 0, ""),
        ("true", "false", "true", 1, 1, 1, ""),
        ("false", "true", "false", 1, 1, 1, ""),
    ] {
        let what = format!("ALLZONES={all} HOLLOW={hollow} THISZONE={this}");
        let attributes =
            format!("SUNW_PKG_ALLZONES={all}\nSUNW_PKG_HOLLOW={hollow}\nSUNW_PKG_THISZONE={this}\nCLASSES");
        let package = package().info("CLASSES", &attributes);
        let path = deliver(&host, "ABCx", &package.bytes());
        std::fs::copy(host.root().join(&path[1..]), host.root().join("zones/i1/root").join(&path[1..])).unwrap();
        let pkgadd = |options: &str| format!("pkgadd -n -a /var/tmp/admin {options} -d {path} ABCx");
        let ran = host.sh(&pkgadd(""));
        assert_eq!(ran.code, plain, "{what}: {}", ran.stderr);
        assert_eq!(exists(&host, "/zones/n1/root/opt/ABCx/file"), zone == "full", "{what}, native zone");
        assert_eq!(exists(&host, "/zones/n1/root/var/sadm/pkg/ABCx"), !zone.is_empty(), "{what}, native zone");
        assert!(!exists(&host, "/zones/i1/root/var/sadm/pkg/ABCx"), "{what}: an ipkg zone was reached");
        if plain == 0 {
            rm(&host, "ABCx").expect_success();
            assert!(!exists(&host, "/zones/n1/root/var/sadm/pkg/ABCx"), "{what}: it stays in the native zone");
        }
        assert_eq!(host.sh(&pkgadd("-G")).code, alone, "{what}, -G");
        assert!(!exists(&host, "/zones/n1/root/var/sadm/pkg/ABCx"), "{what}, -G");
        if alone == 0 {
            rm(&host, "ABCx").expect_success();
        }
        for options in ["", "-G"] {
            assert_eq!(host.sh_in("i1", &pkgadd(options)).code, inside, "{what}, in a zone {options}");
        }
        host.sh_in("i1", "pkgrm -n -a /var/tmp/admin ABCx");
    }
}

#[test]
fn what_came_with_g_is_not_spread_later() {
    let host = prepared(Host::enclosed_with(&["n1=native"]));
    let path = deliver(&host, "ABCx", &package().bytes());
    let pkgadd = |options: &str| host.sh(&format!("pkgadd -n -a /var/tmp/admin {options} -d {path} ABCx"));
    pkgadd("-G").expect_success();
    assert_eq!(pkgadd("").code, 1);
    pkgadd("-G").expect_success();
    let changed = package().info("CLASSES", "SUNW_PKG_THISZONE=true\nCLASSES");
    assert_eq!(add(&host, &changed).code, 1, "an attribute changed within one version");
    add(&host, &changed.info("1.0", "1.1")).expect_success();
    rm(&host, "ABCx").expect_success();
    deliver(&host, "ABCx", &package().bytes());
    pkgadd("").expect_success();
    assert!(exists(&host, "/zones/n1/root/opt/ABCx/file"));
}

#[test]
fn scripts_may_add_to_the_database_and_take_from_it() {
    let host = host();
    let script = "echo made >/opt/ABCx/made; installf $PKGINST /opt/ABCx/made f 0600 root sys\n\
                  installf $PKGINST /opt/ABCx/link=made s; installf -f $PKGINST\n\
                  removef $PKGINST /opt/ABCx/file /no/such >/var/tmp/removed; rm -f /opt/ABCx/file; removef -f $PKGINST\n";
    add(&host, &package().install("postinstall", script)).expect_success();
    host.sh("pkgchk ABCx").expect_success();
    assert_eq!(read(&host, "/var/tmp/removed"), "/opt/ABCx/file\n");
    let rows = read(&host, "/var/sadm/install/contents");
    assert!(rows.contains("/opt/ABCx/link=made s none ABCx") && !rows.contains("/opt/ABCx/file"), "{rows}");
    rm(&host, "ABCx").expect_success();
    assert!(!exists(&host, "/opt/ABCx"), "something stays");
}
