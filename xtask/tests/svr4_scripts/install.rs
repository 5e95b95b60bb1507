//! checkinstall, and postinstall where there was nothing before.

use crate::sandbox::{MANIFESTS, in_each_shell};
use crate::{RIGHTS, SAMPLE, WEB, WIN};

#[test]
fn what_is_missing_is_said_and_leaves_the_choice_to_the_administrator() {
    in_each_shell(|sandbox| {
        let ran = sandbox.run("checkinstall");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.said.contains("VirtualBox is missing") && ran.said.contains("SUNWvbox"), "{ran:?}");
    });
}

#[test]
fn nothing_is_said_where_virtualbox_is() {
    in_each_shell(|sandbox| {
        sandbox.write("opt/VirtualBox/VBoxManage", "");
        sandbox.write("var/sadm/pkg/SUNWvbox/pkginfo", "");
        let ran = sandbox.run("checkinstall");
        assert_eq!((ran.code, ran.said.as_str()), (0, ""));
    });
}

#[test]
fn a_virtualbox_of_another_package_is_told_apart_from_none() {
    in_each_shell(|sandbox| {
        sandbox.write("opt/ooce/bin/VBoxManage", "");
        sandbox.write("var/sadm/pkg/SUNWother/pkginfo", "");
        let ran = sandbox.run("checkinstall");
        assert!(ran.code == 0 && ran.said.contains("not as the package SUNWvbox"), "{ran:?}");
    });
}

#[test]
fn another_root_is_looked_into_and_its_kernel_not_asked() {
    in_each_shell(|sandbox| {
        sandbox.write("bits", "32\n");
        sandbox.write("opt/VirtualBox/VBoxManage", "");
        let ran = sandbox.run_for("checkinstall", "/a");
        assert!(ran.code == 0 && ran.said.contains("VirtualBox is missing"), "{ran:?}");
    });
}

#[test]
fn a_kernel_that_cannot_run_the_program_ends_the_installation() {
    in_each_shell(|sandbox| {
        sandbox.write("bits", "32\n");
        let ran = sandbox.run("checkinstall");
        assert!(ran.code == 3 && ran.said.contains("64-bit"), "{ran:?}");
    });
}

#[test]
fn a_package_that_an_admin_file_relocates_is_not_installed() {
    in_each_shell(|sandbox| {
        let ran = sandbox.run_with("checkinstall", &[("CLIENT_BASEDIR", "/opt/vbox")]);
        assert!(ran.code == 3 && ran.said.contains("/opt/vbox"), "{ran:?}");
        assert_eq!(sandbox.run_with("checkinstall", &[("CLIENT_BASEDIR", "/"), ("PKG_INSTALL_ROOT", "/")]).code, 0);
    });
}

#[test]
fn the_services_are_there_when_pkgadd_returns() {
    in_each_shell(|sandbox| {
        assert_eq!(sandbox.run("preinstall").said, "");
        sandbox.deliver("", "0.20");
        let ran = sandbox.run("postinstall");
        assert_eq!((ran.code, ran.said.as_str()), (0, ""));
        let imports = MANIFESTS.map(|name| format!("svccfg import /var/svc/manifest/site/{name}"));
        assert_eq!(sandbox.calls(), imports);
    });
}

#[test]
fn the_import_waits_for_the_one_that_is_under_way_but_not_for_ever() {
    in_each_shell(|sandbox| {
        sandbox.deliver("", "0.20");
        let import = "svc:/system/manifest-import:default";
        sandbox.set_of_service(import, "state", "online*\noffline*\nonline\n");
        assert_eq!(sandbox.run("postinstall").code, 0);
        assert_eq!(sandbox.read("slept").lines().count(), 2);
        sandbox.set_of_service(import, "state", "offline*\n");
        assert_eq!(sandbox.run("postinstall").code, 0);
        assert_eq!(sandbox.read("slept").lines().count(), 2 + 59);
    });
}

#[test]
fn an_import_that_fails_is_tried_again_and_warned_of() {
    in_each_shell(|sandbox| {
        sandbox.deliver("", "0.20");
        sandbox.write("failing-imports", "x\nx\n");
        assert_eq!(sandbox.run("postinstall").code, 0);
        assert_eq!(sandbox.calls().len(), 5);
        sandbox.write("failing-imports", "x\nx\nx\n");
        let ran = sandbox.run("postinstall");
        assert!(ran.code == 2 && ran.said.contains("vbox-svc.xml"), "{ran:?}");
    });
}

/// An instance made by svccfg add goes on with its old running snapshot otherwise.
#[test]
fn instances_made_by_hand_are_refreshed_after_the_import() {
    in_each_shell(|sandbox| {
        for fmri in [WEB, WIN, SAMPLE, RIGHTS] {
            sandbox.service(fmri, "online", true);
        }
        sandbox.deliver("", "0.20");
        assert_eq!(sandbox.run("postinstall").code, 0);
        let calls = sandbox.calls();
        let refreshed: Vec<&String> = calls.iter().skip_while(|call| call.starts_with("svccfg import")).collect();
        assert_eq!(refreshed.len(), 3, "{calls:?}");
        for fmri in [WEB, WIN, SAMPLE] {
            assert!(refreshed.contains(&&format!("svcadm refresh {fmri}")), "{calls:?}");
        }
    });
}

#[test]
fn an_instance_that_cannot_be_refreshed_is_a_warning_with_its_remedy() {
    in_each_shell(|sandbox| {
        sandbox.service(WEB, "online", true);
        sandbox.set_of_service(WEB, "refuses", "");
        sandbox.deliver("", "0.20");
        let ran = sandbox.run("postinstall");
        assert!(ran.code == 2 && ran.said.contains(&format!("svcadm refresh {WEB}")), "{ran:?}");
    });
}

#[test]
fn another_root_and_a_root_without_smf_are_left_to_their_next_boot() {
    in_each_shell(|sandbox| {
        sandbox.service(WEB, "online", true);
        sandbox.deliver("a/", "0.20");
        assert_eq!(sandbox.run_for("postinstall", "/a").code, 0);
        assert!(sandbox.read("a/var/svc/vboxsvc/delivered").contains("vbox-svc.xml "), "for the next preinstall");
        std::fs::remove_file(sandbox.path("etc/svc/volatile/repository_door")).unwrap();
        sandbox.deliver("", "0.20");
        assert_eq!(sandbox.run("postinstall").code, 0);
        assert_eq!(sandbox.calls(), [""; 0]);
    });
}
