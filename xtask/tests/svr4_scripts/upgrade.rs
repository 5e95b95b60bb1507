//! pkgadd over an older release: what was edited is kept, what was dropped goes.

use std::os::unix::fs::symlink;

use crate::WEB;
use crate::sandbox::{Sandbox, in_each_shell};

const KEPT: &str = "var/svc/vboxsvc/replaced";
const MANIFEST: &str = "var/svc/manifest/site/vbox-svc.xml";

/// A host that has a release of ours.
fn installed(sandbox: &Sandbox, release: &str) {
    assert_eq!(sandbox.run("preinstall").code, 0);
    sandbox.deliver("", release);
    assert_eq!(sandbox.run("postinstall").code, 0);
    sandbox.calls();
}

#[test]
fn manifests_as_they_were_delivered_are_not_kept() {
    in_each_shell(|sandbox| {
        installed(sandbox, "0.20");
        let ran = sandbox.run("preinstall");
        assert_eq!((ran.code, ran.said.as_str()), (0, ""));
        assert!(!sandbox.exists(KEPT));
    });
}

#[test]
fn an_edited_manifest_is_kept_where_smf_does_not_look_for_manifests() {
    in_each_shell(|sandbox| {
        installed(sandbox, "0.20");
        sandbox.write(MANIFEST, "edited\n");
        let ran = sandbox.run("preinstall");
        assert!(ran.code == 0 && ran.said.contains("/var/svc/vboxsvc/replaced/vbox-svc.xml"), "{ran:?}");
        assert_eq!(sandbox.read(&format!("{KEPT}/vbox-svc.xml")), "edited\n");
        assert!(!sandbox.exists(&format!("{KEPT}/vbox-delay-on-boot.xml")), "that one was not edited");
    });
}

#[test]
fn later_edits_do_not_replace_copies_of_earlier_ones() {
    in_each_shell(|sandbox| {
        for text in ["first\n", "second\n", "first\n"] {
            installed(sandbox, "0.20");
            sandbox.write(MANIFEST, text);
            assert_eq!(sandbox.run("preinstall").code, 0);
        }
        assert_eq!(sandbox.read(&format!("{KEPT}/vbox-svc.xml")), "first\n");
        assert_eq!(sandbox.read(&format!("{KEPT}/vbox-svc.xml.1")), "second\n");
        assert!(!sandbox.exists(&format!("{KEPT}/vbox-svc.xml.2")), "the same text is kept once");
    });
}

#[test]
fn another_root_keeps_its_own() {
    in_each_shell(|sandbox| {
        sandbox.write(&format!("a/{MANIFEST}"), "edited\n");
        assert_eq!(sandbox.run_for("preinstall", "/a").code, 0);
        assert_eq!(sandbox.read(&format!("a/{KEPT}/vbox-svc.xml")), "edited\n");
        assert!(!sandbox.exists(KEPT));
    });
}

#[test]
fn the_folder_that_a_removed_0_19_took_away_is_made_again() {
    in_each_shell(|sandbox| {
        assert!(!sandbox.exists("var/svc/manifest/site"));
        assert_eq!(sandbox.run("preinstall").code, 0);
        assert!(sandbox.exists("var/svc/manifest/site"));
    });
}

#[test]
fn what_cannot_be_kept_ends_the_installation_before_it_is_replaced() {
    in_each_shell(|sandbox| {
        sandbox.write(MANIFEST, "edited\n");
        // By what is on the disk: a shell may have a mkdir of its own.
        sandbox.write(KEPT, "where the folder should be\n");
        assert_eq!(sandbox.run("preinstall").code, 1);
        assert_eq!(sandbox.read(MANIFEST), "edited\n");
    });
}

/// SMF's clean-up might delete an instance that only the old manifest had.
#[test]
fn services_are_tied_to_the_administrator_before_their_manifests_are_replaced() {
    in_each_shell(|sandbox| {
        sandbox.service(WEB, "online", true);
        sandbox.program("svcprop", "exit 1");
        assert_eq!(sandbox.run_for("preinstall", "/a").code, 0);
        assert_eq!(sandbox.calls(), [""; 0], "the instance is not of that root");
        assert_eq!(sandbox.run("preinstall").code, 0);
        let tie = "setprop manifestfiles/kept_for_administrator = astring: /etc/svc";
        let expected = [
            "svccfg -s svc:/site/xvm/vbox addpg manifestfiles framework",
            &format!("svccfg -s svc:/site/xvm/vbox {tie}"),
        ];
        assert_eq!(sandbox.calls(), expected);
        sandbox.program("svccfg", "exit 1");
        let refused = sandbox.run("preinstall");
        assert!(refused.code == 1 && refused.said.contains("No file was replaced."), "{refused:?}");
        // What is tied already is left alone.
        sandbox.program("svcprop", "exit 0");
        assert_eq!(sandbox.run("preinstall").code, 0);
    });
}

/// Releases up to 0.19: manifests of unknown sums, the method a script, and files that are no more.
#[test]
fn a_release_of_the_script_is_taken_over() {
    in_each_shell(|sandbox| {
        sandbox.write(MANIFEST, "0.19\n");
        sandbox.write("lib/svc/method/vbox.sh", "#!/bin/ksh\n");
        let dropped = [
            "lib/svc/method/zfs-zvolrights",
            "usr/share/doc/vboxsvc/README-vboxsvc.txt",
            "usr/share/doc/vboxsvc/README-zvolrights.txt",
            "usr/share/doc/vboxsvc/TODO-vboxsvc.txt",
            "usr/share/doc/vboxsvc/CREDITS-vboxsvc.txt",
        ];
        for path in dropped {
            sandbox.write(path, "0.19\n");
        }
        let rows = dropped.map(|path| format!("/{path}\n")).concat() + "/lib/svc/method/vbox.sh\n";
        sandbox.write("database", &rows);

        let ran = sandbox.run("preinstall");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(sandbox.read(&format!("{KEPT}/vbox-svc.xml")), "0.19\n");
        assert_eq!(sandbox.read(&format!("{KEPT}/vbox.sh")), "#!/bin/ksh\n");

        // pkgadd puts its files there.
        std::fs::remove_file(sandbox.path("lib/svc/method/vbox.sh")).unwrap();
        symlink("vboxsvc", sandbox.path("lib/svc/method/vbox.sh")).unwrap();
        sandbox.deliver("", "0.20");
        let ran = sandbox.run("postinstall");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(dropped.iter().all(|path| !sandbox.exists(path)));
        assert_eq!(sandbox.read("database"), "/lib/svc/method/vbox.sh\n");
        assert!(sandbox.calls().contains(&"removef -f COSvboxsvc".to_string()));

        assert_eq!(sandbox.run("preinstall").said, "", "a link is no script that somebody edited");
    });
}

#[test]
fn a_dropped_file_that_is_another_packages_as_well_stays_on_disk() {
    in_each_shell(|sandbox| {
        sandbox.write("lib/svc/method/zfs-zvolrights", "shared\n");
        sandbox.deliver("", "0.20");
        assert_eq!(sandbox.run("postinstall").code, 0);
        assert!(sandbox.exists("lib/svc/method/zfs-zvolrights"));
    });
}

#[test]
fn files_dropped_below_another_root_go_there() {
    in_each_shell(|sandbox| {
        sandbox.write("lib/svc/method/zfs-zvolrights", "of the running system\n");
        sandbox.write("a/lib/svc/method/zfs-zvolrights", "0.19\n");
        sandbox.write("database", "/lib/svc/method/zfs-zvolrights\n");
        sandbox.deliver("a/", "0.20");
        assert_eq!(sandbox.run_for("postinstall", "/a").code, 0);
        assert!(!sandbox.exists("a/lib/svc/method/zfs-zvolrights"));
        assert!(sandbox.exists("lib/svc/method/zfs-zvolrights"));
        let expected = ["removef -R /a COSvboxsvc /lib/svc/method/zfs-zvolrights", "removef -R /a -f COSvboxsvc"];
        assert_eq!(sandbox.calls(), expected);
    });
}
