//! pkgrm, and pkgadd after it: VMs are stopped whole, and all that the administrator made is there again.

use crate::sandbox::{Sandbox, in_each_shell, text_of};
use crate::{RIGHTS, SAMPLE, WEB, WIN};

const STATE: &str = "var/svc/vboxsvc";

/// A host with a running VM, a VM that is off, and the sample.
fn host(sandbox: &Sandbox) {
    sandbox.deliver("", "0.20");
    assert_eq!(sandbox.run("postinstall").code, 0);
    sandbox.service(WEB, "online", true);
    sandbox.service(WIN, "disabled", false);
    sandbox.service(SAMPLE, "disabled", false);
    sandbox.service(RIGHTS, "online", true);
    sandbox.calls();
}

#[test]
fn what_runs_is_stopped_and_only_then_disabled_for_good() {
    in_each_shell(|sandbox| {
        host(sandbox);
        let ran = sandbox.run("preremove");
        assert_eq!(ran.code, 0, "{ran:?}");
        let expected = [
            &format!("svcadm disable -t {RIGHTS}"),
            &format!("svcadm disable -t {WEB}"),
            "svccfg export -a svc:/site/xvm/vbox",
            &format!("svcadm disable {RIGHTS}"),
            &format!("svcadm disable {WEB}"),
        ];
        let mut calls = sandbox.calls();
        // The order within one step is svcs's own.
        calls[..2].sort();
        calls[3..].sort();
        assert_eq!(calls, expected);
        assert_eq!(sandbox.of_service(WEB, "state"), "disabled");
    });
}

#[test]
fn a_vm_that_takes_its_time_is_waited_for() {
    in_each_shell(|sandbox| {
        host(sandbox);
        sandbox.set_of_service(WEB, "stopping", &("online*\n".repeat(50) + "disabled\n"));
        let ran = sandbox.run("preremove");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(sandbox.read("slept").lines().count(), 50);
        let told = ran.said.lines().filter(|line| line.contains("Waiting") && line.contains(WEB)).count();
        assert_eq!(told, 2, "once a minute: {ran:?}");
    });
}

#[test]
fn a_vm_that_does_not_stop_in_time_ends_the_removal_with_nothing_disabled_for_good() {
    in_each_shell(|sandbox| {
        host(sandbox);
        sandbox.set_of_service(WEB, "stopping", "online*\n");
        let ran = sandbox.run("preremove");
        assert!(ran.code == 1 && ran.said.contains("120 seconds") && ran.said.contains(WEB), "{ran:?}");
        assert_eq!(sandbox.read("slept").lines().count(), 60);
        assert_eq!(sandbox.of_service(WEB, "enabled"), "true");
        assert!(!sandbox.exists(&format!("{STATE}/enabled")));
    });
}

#[test]
fn a_vm_whose_stop_fails_ends_the_removal_and_one_that_was_in_maintenance_before_does_not() {
    in_each_shell(|sandbox| {
        host(sandbox);
        sandbox.set_of_service(WEB, "stopping", "online*\nmaintenance\n");
        let ran = sandbox.run("preremove");
        assert!(ran.code == 1 && ran.said.contains("maintenance") && ran.said.contains(WEB), "{ran:?}");
        sandbox.calls();
        let ran = sandbox.run("preremove");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!sandbox.calls().contains(&format!("svcadm disable -t {WEB}")));
    });
}

#[test]
fn an_smf_that_does_not_answer_is_not_taken_for_a_vm_that_is_down() {
    in_each_shell(|sandbox| {
        host(sandbox);
        sandbox.set_of_service(WEB, "stopping", "\n\n\nonline*\ndisabled\n");
        let ran = sandbox.run("preremove");
        assert_eq!(ran.code, 0, "{ran:?}");
        assert_eq!(sandbox.read("slept").lines().count(), 4);
    });
}

#[test]
fn another_root_and_a_root_without_smf_have_nothing_to_stop() {
    in_each_shell(|sandbox| {
        host(sandbox);
        assert_eq!(sandbox.run_for("preremove", "/a").code, 0);
        std::fs::remove_file(sandbox.path("etc/svc/volatile/repository_door")).unwrap();
        assert_eq!(sandbox.run("preremove").code, 0);
        assert_eq!(sandbox.calls(), [""; 0]);
    });
}

#[test]
fn pkgrm_and_pkgadd_enable_what_was_enabled_and_nothing_else() {
    in_each_shell(|sandbox| {
        host(sandbox);
        assert_eq!(sandbox.run("preremove").code, 0);
        let ran = sandbox.run("postremove");
        assert!(ran.code == 0 && ran.said.contains("svccfg delete -f svc:/site/xvm/vbox\n"), "{ran:?}");
        assert_eq!(sandbox.of_service(WEB, "enabled"), "false");

        assert_eq!(sandbox.run("preinstall").code, 0);
        sandbox.deliver("", "0.21");
        let ran = sandbox.run("postinstall");
        assert_eq!(ran.code, 0, "{ran:?}");
        let enabled = [WEB, WIN, SAMPLE, RIGHTS].map(|fmri| sandbox.of_service(fmri, "enabled"));
        assert_eq!(enabled, ["true", "false", "false", "true"]);
        assert!(!sandbox.exists(&format!("{STATE}/enabled")) && !sandbox.exists(&format!("{STATE}/instances")));
    });
}

#[test]
fn a_removal_in_two_attempts_remembers_both() {
    in_each_shell(|sandbox| {
        host(sandbox);
        assert_eq!(sandbox.run("preremove").code, 0);
        // Something after it failed, and pkgrm is run again.
        assert_eq!(sandbox.run("preremove").code, 0);
        let mut enabled: Vec<String> = sandbox.read(&format!("{STATE}/enabled")).lines().map(String::from).collect();
        enabled.sort();
        assert_eq!(enabled, [RIGHTS, WEB]);
    });
}

#[test]
fn stops_are_waited_for_longer_than_smf_gives_them() {
    let limit: u32 = text_of("preremove").lines().find_map(|line| line.strip_prefix("limit=")?.parse().ok()).unwrap();
    assert!(limit > 2 * vboxsvc::settings::table::SMF_STOP_TIMEOUT);
}

/// The net below what the manifests should do by themselves.
#[test]
fn instances_that_smf_lost_all_the_same_are_restored_and_enabled() {
    in_each_shell(|sandbox| {
        host(sandbox);
        assert_eq!(sandbox.run("preremove").code, 0);
        sandbox.lose_services();
        sandbox.deliver("", "0.20");
        sandbox.calls();
        let ran = sandbox.run("postinstall");
        assert!(ran.code == 0 && ran.said.contains("restored from"), "{ran:?}");
        assert_eq!(sandbox.of_service(WEB, "enabled"), "true");
        assert_eq!(sandbox.of_service(WIN, "enabled"), "false");
        let imports: Vec<String> = sandbox.calls().into_iter().filter(|call| call.contains("import")).collect();
        let last = ["svccfg import /var/svc/vboxsvc/vbox.xml", "svccfg import /var/svc/manifest/site/vbox-svc.xml"];
        assert_eq!(imports[3..], last, "the service is this release's again");
    });
}

#[test]
fn an_instance_that_was_deleted_by_hand_in_between_stays_deleted() {
    in_each_shell(|sandbox| {
        host(sandbox);
        assert_eq!(sandbox.run("preremove").code, 0);
        std::fs::remove_dir_all(sandbox.path("smf/svc:_site_xvm_vbox:web")).unwrap();
        sandbox.deliver("", "0.20");
        let ran = sandbox.run("postinstall");
        assert_eq!((ran.code, ran.said.as_str()), (0, ""));
        assert!(!sandbox.exists("smf/svc:_site_xvm_vbox:web"));
    });
}

#[test]
fn what_was_kept_can_be_read_by_root_alone() {
    use std::os::unix::fs::PermissionsExt;
    in_each_shell(|sandbox| {
        host(sandbox);
        assert_eq!(sandbox.run("preremove").code, 0);
        let mode = std::fs::metadata(sandbox.path(&format!("{STATE}/vbox.xml"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "it may hold values that only root may read");
    });
}

#[test]
fn without_vms_nothing_is_left_behind() {
    in_each_shell(|sandbox| {
        sandbox.deliver("", "0.20");
        assert_eq!(sandbox.run("postinstall").code, 0);
        assert_eq!(sandbox.run("preremove").code, 0);
        let ran = sandbox.run("postremove");
        assert_eq!((ran.code, ran.said.as_str()), (0, ""));
        assert!(!sandbox.exists(STATE));
    });
}
