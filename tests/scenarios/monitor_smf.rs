//! The monitor and SMF: the states of the service it minds, the rights it lacks, and what keeps its hands off.

mod support;

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::{User, geteuid};
use simhost::vbox::{Guest, Spec};
use support::eventually;
use support::vm::{Scene, WEB, at_once};

/// Covers: refresh
#[test]
fn a_refresh_is_acted_on_at_once() {
    let scene = Scene::new(&[("start_halted_vm", "false"), ("restart_halted_vm", "false")]);
    scene.enable();
    scene.wait_log("neither vm/restart_halted_vm nor vm/start_halted_vm is true");
    let began = Instant::now();
    scene.set(&[("restart_halted_vm", "true")]);
    scene.wait_vm("running");
    assert!(began.elapsed() < Duration::from_secs(25), "only the next poll brought it up");
}

#[test]
fn a_degraded_service_is_watched_as_an_online_one() {
    let scene = Scene::new(&[("kicker_freq", "1")]);
    scene.enable();
    scene.wait_live(1);
    scene.svcadm(&format!("mark degraded {WEB}"));
    scene.wait_service("degraded");
    scene.wait_new_process(scene.crash());
    scene.wait_live(2);
    assert_eq!(scene.service(), "degraded");
}

#[test]
fn a_long_transition_does_not_end_the_monitor() {
    let scene = Scene::new(&[("kicker_freq", "1")]);
    scene.enable();
    scene.wait_live(1);
    let monitor = scene.monitor();
    let commands = format!(
        "select {}\nsetprop refresh/exec = astring: \"/bin/sleep 5\"\nselect {WEB}\nrefresh\n",
        support::SERVICE
    );
    scene.host.svccfg(&commands).expect_success();
    scene.wait_log("Executing refresh method (\"/bin/sleep 5\")");
    let old = scene.crash();
    assert_ne!(scene.host.property(WEB, "restarter", "next_state").as_deref(), Some("none"));
    scene.wait_new_process(old);
    scene.wait_service("online");
    assert_eq!(scene.monitor(), monitor);
}

#[test]
fn a_service_that_goes_down_by_itself_ends_the_monitor() {
    let scene = Scene::new(&[("kicker_freq", "1")]);
    scene.enable();
    let monitor = scene.monitor();
    scene.svcadm(&format!("mark -I maintenance {WEB}"));
    scene.wait_service("maintenance");
    eventually("the monitor ends", || !support::vm::is_alive(monitor));
    assert_eq!(scene.state(), "running", "the VM is left for a look");
}

#[test]
fn a_monitor_without_rights_leaves_the_block_file_and_keeps_watching() {
    let scene = Scene::new(&[("kicker_freq", "1"), ("restart_aborted_vm", "false")]);
    scene.enable();
    scene.wait_live(1);
    scene.host.set_superuser(None);
    scene.crash();
    eventually("the block file is there", || scene.run_file("block").exists());
    let uid = fs::read_to_string(scene.run_file("block")).unwrap();
    assert_eq!(uid.trim(), geteuid().to_string());
    scene.wait_log("Permission denied");
    eventually("status tells", || scene.run("status").stdout.contains("complaint"));
    assert_eq!(scene.service(), "online");

    // It asks again for as long as it has cause to, and says so once.
    let asked = scene.vbox.calls("list runningvms");
    eventually("it looked again", || scene.vbox.calls("list runningvms") > asked + 2);
    assert_eq!(scene.log().matches("keeps watching").count(), 1, "{}", scene.log());
    scene.host.set_superuser(Some(geteuid().as_raw()));
    scene.wait_service("maintenance");
}

#[test]
fn the_start_after_a_refused_request_ends_in_maintenance_in_its_place() {
    let scene = Scene::new(&[("restart_aborted_vm", "false")]);
    scene.enable();
    scene.wait_live(1);
    scene.host.set_superuser(None);
    scene.crash();
    eventually("the block file is there", || scene.run_file("block").exists());
    scene.host.set_superuser(Some(geteuid().as_raw()));
    scene.svcadm(&format!("restart {WEB}"));
    scene.wait_service("maintenance");
    assert_eq!((scene.state().as_str(), scene.starts()), ("aborted", 1));
}

#[test]
fn a_user_with_the_authorisation_needs_no_block_file() {
    let scene = Scene::new(&[("restart_aborted_vm", "false")]);
    scene.enable();
    scene.wait_live(1);
    let user = User::from_uid(geteuid()).unwrap().unwrap().name;
    scene.host.grant(&user, &["solaris.smf.manage.vbox"]);
    let guard = "general/action_authorization = astring: solaris.smf.manage.vbox";
    scene.host.svccfg(&format!("select {WEB}\nsetprop {guard}\nrefresh\n")).expect_success();
    scene.host.set_superuser(None);
    scene.crash();
    scene.wait_service("maintenance");
    assert!(!scene.run_file("block").exists());
}

#[test]
fn without_the_block_file_setting_a_refusal_leaves_no_file() {
    let scene = Scene::new(&[("restart_aborted_vm", "false"), ("kicker_blockfile_enabled", "false")]);
    scene.enable();
    scene.wait_live(1);
    scene.host.set_superuser(None);
    scene.crash();
    scene.wait_log("keeps watching");
    assert!(!scene.run_file("block").exists());
}

#[test]
fn a_command_at_work_keeps_the_monitor_off_until_it_is_done() {
    let scene = Scene::of(Spec { guest: Guest::Deaf, ..Spec::named("web") }, &[("kicker_freq", "1")]);
    scene.enable();
    scene.wait_live(1);
    let mut command = scene.spawn("poweroff");
    eventually("the button is pressed", || scene.orders() == ["acpipowerbutton"]);
    scene.crash();
    // The VM is not up again when the command sees what became of it.
    assert_eq!(command.code(), 126);
    assert_eq!(scene.starts(), 1);
    scene.wait_live(2);
}

#[test]
fn an_administrators_nokick_file_holds_until_he_removes_it() {
    at_once(["", "keep off, maintenance work\n"], |text| {
        let scene = Scene::new(&[("kicker_freq", "1"), ("kicker_debug", "true")]);
        scene.enable();
        scene.wait_live(1);
        fs::write(scene.run_file("nokick"), text).unwrap();
        scene.crash();
        scene.wait_log("an administrator's nokick file holds the monitor");
        assert!(scene.run("status").stdout.contains("held by an administrator's file"));
        // A command neither waits for it nor takes it away.
        assert_eq!(scene.run("save").code, 0);
        assert!(scene.run_file("nokick").exists());
        sleep(Duration::from_millis(1500));
        assert_eq!(scene.starts(), 1);
        fs::remove_file(scene.run_file("nokick")).unwrap();
        scene.wait_live(2);
    });
}

#[test]
fn a_nokick_file_that_a_killed_command_left_counts_for_nothing() {
    let scene = Scene::of(Spec { guest: Guest::Deaf, ..Spec::named("web") }, &[("kicker_freq", "1")]);
    scene.enable();
    scene.wait_live(1);
    let command = scene.spawn("poweroff");
    eventually("the button is pressed", || scene.orders() == ["acpipowerbutton"]);
    drop(command); // by KILL
    assert!(scene.run_file("nokick").exists());
    scene.crash();
    scene.wait_live(2);
    scene.expect_log("died and left");
    assert!(!scene.run_file("nokick").exists());
}

#[test]
fn a_restart_by_svcadm_saves_the_vm_and_brings_it_back() {
    let scene = Scene::new(&[]);
    scene.enable();
    let old = scene.live_pid();
    scene.svcadm(&format!("restart {WEB}"));
    scene.wait_new_process(old);
    scene.wait_service("online");
    assert_eq!((scene.state().as_str(), scene.orders()), ("running", vec!["savestate".to_string()]));
}
