//! The check inside the VM: as the monitor runs it, as a start waits for it, and by hand.

mod support;

use std::fs;
use std::time::{Duration, Instant};

use simhost::vbox::{Effect, Fault, Guest, Spec};
use support::eventually;
use support::vm::{Scene, WEB, at_once, is_alive};

/// A VM whose check is due at once and every second; `body` is its script.
fn checked(body: &str, properties: &[(&str, &str)]) -> Scene {
    let scene = Scene::new(&[]);
    let hook = scene.hook(body);
    let common = [
        ("kicker_freq", "1"),
        ("kicker_vmsvccheck_enabled", "true"),
        ("kicker_vmsvccheck_method", &hook),
        ("kicker_vmsvccheck_startdelay", "0"),
    ];
    scene.set(&[&common, properties].concat());
    scene
}

/// How often the check noted that it ran.
fn runs(scene: &Scene) -> usize {
    fs::read_to_string(scene.host.root().join("runs")).unwrap_or_default().lines().count()
}

fn pid_in(scene: &Scene, file: &str) -> i32 {
    let path = scene.host.root().join(file);
    let read = || fs::read_to_string(&path).ok().and_then(|text| text.strip_suffix('\n')?.parse().ok());
    eventually("the check notes its child", || read().is_some());
    read().expect("it was there a moment ago")
}

/// Covers: vm/kicker_vmsvccheck_enabled, vm/kicker_vmsvccheck_method, vm/kicker_vmsvccheck_method_params
#[test]
fn a_check_that_is_okay_changes_nothing_and_status_tells_it() {
    let scene = checked(
        "echo \"$1|$2|$HOME|$SMF_FMRI\" >>$R/runs",
        &[("kicker_vmsvccheck_method_params", "'two words' '$HOME'")],
    );
    scene.enable();
    eventually("it ran several times", || runs(&scene) >= 3);
    let line = fs::read_to_string(scene.host.root().join("runs")).unwrap().lines().next().unwrap().to_string();
    let words: Vec<&str> = line.split('|').collect();
    assert_eq!((words[0], words[1], words[3]), ("two words", "$HOME", ""), "no shell, a clean environment");
    assert!(words[2].starts_with('/'), "{line}");
    eventually("status tells", || scene.run("status").stdout.contains("last hook   okay (exit code 0)"));
    assert_eq!((scene.service().as_str(), scene.starts(), scene.orders().len()), ("online", 1, 0));
}

/// Covers: vm/kicker_vmsvccheck_failures_maxcount, vm/kicker_vmsvccheck_failures_timeframe
#[test]
fn more_failures_than_the_limit_reboot_the_vm_and_okay_starts_the_count_over() {
    let limit = [("kicker_vmsvccheck_failures_maxcount", "2"), ("kicker_vmsvccheck_failures_timeframe", "600")];
    let scene = checked("echo x >>$R/runs; [ $(wc -l <$R/runs) -eq 2 ]", &limit);
    scene.enable();
    let old = scene.live_pid();
    scene.wait_new_process(old);
    assert!(runs(&scene) >= 5, "a failure, an okay, and three failures: {}", runs(&scene));
    scene.wait_live(2);
    assert_eq!(scene.orders(), ["acpipowerbutton"]);
    scene.expect_log("too many failures: rebooting the VM");
}

#[test]
fn the_check_may_ask_for_a_reboot_at_once() {
    let scene = checked("echo x >>$R/runs; [ $(wc -l <$R/runs) -gt 1 ] || exit 2", &[]);
    scene.enable();
    let old = scene.live_pid();
    scene.wait_new_process(old);
    scene.wait_live(2);
    assert_eq!((scene.orders(), scene.service().as_str()), (vec!["acpipowerbutton".to_string()], "online"));
}

#[test]
fn a_reboot_that_fails_asks_for_maintenance() {
    let scene = checked("exit 2", &[("stop_timeout", "3")]);
    scene.vbox.fault(Fault::new(Effect::AcpiIgnored).on(&scene.uuid));
    let fault = Effect::Fail { exit: 1, stderr: "VBoxManage: error: no such luck\n".into() };
    scene.vbox.fault(Fault::new(fault).verb("controlvm poweroff"));
    scene.enable();
    let pid = scene.pid();
    scene.wait_service("maintenance");
    scene.expect_log("the VM could not be rebooted");
    assert_eq!((scene.state().as_str(), scene.pid()), ("running", pid));
}

/// Covers: vm/maintenance_stops_vm
#[test]
fn the_check_may_ask_for_maintenance_with_or_without_stopping_the_vm() {
    at_once([("false", "running"), ("true", "saved")], |(stops, word)| {
        let scene = checked("exit 3", &[("maintenance_stops_vm", stops)]);
        scene.enable_to("maintenance");
        assert_eq!(scene.state(), word, "maintenance_stops_vm={stops}");
    });
}

/// Covers: vm/kicker_vmsvccheck_timeout
#[test]
fn a_check_out_of_time_is_killed_with_its_children_and_counts_as_a_failure() {
    let scene = checked("sleep 600 & echo $! >$R/child; sleep 600", &[("kicker_vmsvccheck_timeout", "1")]);
    scene.enable();
    let child = pid_in(&scene, "child");
    scene.wait_log("the check inside the VM failed (killed, or out of time), 1 by now");
    eventually("its child is gone", || !is_alive(child));
    assert_eq!((scene.service().as_str(), scene.starts()), ("online", 1));
}

#[test]
fn a_stop_does_not_wait_for_a_check() {
    let scene = checked("sleep 600 & echo $! >$R/child; sleep 600", &[]);
    scene.enable();
    let child = pid_in(&scene, "child");
    let began = Instant::now();
    scene.disable();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(scene.state(), "saved");
    eventually("the check is gone", || !is_alive(child));
}

#[test]
fn a_crash_is_noticed_while_a_check_runs_and_ends_it() {
    let scene = checked("sleep 600 & echo $! >$R/child; sleep 600", &[]);
    scene.enable();
    scene.wait_live(1);
    let child = pid_in(&scene, "child");
    scene.wait_new_process(scene.crash());
    eventually("the check is gone", || !is_alive(child));
}

/// Covers: vm/kicker_vmsvccheck_startdelay
#[test]
fn no_check_runs_before_its_delay_or_while_the_vm_is_paused() {
    let early = checked("echo x >>$R/runs", &[("kicker_vmsvccheck_startdelay", "300")]);
    early.enable();
    let looks = early.vbox.calls("showvminfo");
    eventually("it was looked at", || early.vbox.calls("showvminfo") > looks + 2);
    assert_eq!(runs(&early), 0);

    let paused = checked("echo x >>$R/runs", &[]);
    paused.enable();
    eventually("it ran", || runs(&paused) > 0);
    paused.vbox.guest_pause(&paused.uuid);
    paused.wait_log("the VM is paused");
    let before = runs(&paused);
    let looks = paused.vbox.calls("showvminfo");
    eventually("it was looked at", || paused.vbox.calls("showvminfo") > looks + 2);
    assert_eq!(runs(&paused), before);
}

/// Covers: vmsvccheck, vm/kicker_vmsvccheck_exitcode_okay, vm/kicker_vmsvccheck_exitcode_failonce, vm/kicker_vmsvccheck_exitcode_doreboot, vm/kicker_vmsvccheck_exitcode_maintenance
#[test]
fn by_hand_the_check_exits_as_the_settings_read_its_code() {
    let scene = checked("exit $(cat $R/code)", &[("kicker_vmsvccheck_exitcode_okay", "0 42")]);
    scene.set(&[("kicker_vmsvccheck_exitcode_doreboot", "2 7"), ("kicker_vmsvccheck_exitcode_maintenance", "3 9")]);
    for (code, read) in [(0, 0), (42, 0), (1, 1), (77, 1), (2, 2), (7, 2), (3, 3), (9, 3)] {
        fs::write(scene.host.root().join("code"), code.to_string()).unwrap();
        let ran = scene.run("vmsvccheck");
        assert_eq!(ran.code, read, "{ran:?}");
        assert!(ran.stdout.contains(&format!("exited with {code}")), "{ran:?}");
    }
    assert_eq!(scene.run("hook").code, 3, "its other name");
    // 0 is okay unless another list names it.
    scene.set(&[("kicker_vmsvccheck_exitcode_okay", "42"), ("kicker_vmsvccheck_exitcode_failonce", "0")]);
    fs::write(scene.host.root().join("code"), "0").unwrap();
    assert_eq!(scene.run("vmsvccheck").code, 1);
    scene.set(&[("kicker_vmsvccheck_method", "")]);
    let unset = scene.run("vmsvccheck");
    assert!(unset.code > 3 && unset.stderr.contains("vm/kicker_vmsvccheck_method is not set"), "{unset:?}");
}

#[test]
fn a_start_that_waits_for_its_timeout_returns_only_then() {
    at_once(["timeout", "delay", "wait"], |policy| {
        let scene = Scene::new(&[("start_wait_policy", policy)]);
        scene.set_method_timeout("start", 8);
        let began = Instant::now();
        scene.enable();
        assert!(began.elapsed() >= Duration::from_millis(3900), "{policy}: {:?}", began.elapsed());
        assert_eq!(scene.state(), "running");
    });
}

#[test]
fn a_start_that_waits_for_the_check_returns_when_it_is_okay() {
    at_once(["hook", "vmsvccheck", "hook_strict"], |policy| {
        let scene = checked(
            "echo x >>$R/runs; [ $(wc -l <$R/runs) -gt 1 ]",
            &[("start_wait_policy", policy), ("kicker_vmsvccheck_startdelay", "300")],
        );
        scene.enable();
        assert_eq!((scene.state().as_str(), runs(&scene)), ("running", 2), "{policy}");
        scene.expect_log("the check inside the VM is okay");
    });
}

/// Covers: vm/start_wait_policy
#[test]
fn where_the_check_is_never_okay_the_lax_start_counts_and_the_strict_one_stops_the_vm() {
    let lax = checked("exit 1", &[("start_wait_policy", "hook"), ("kicker_vmsvccheck_startdelay", "300")]);
    lax.set_method_timeout("start", 8);
    lax.enable();
    assert_eq!(lax.state(), "running");
    lax.expect_log("did not become okay in time");

    let strict = checked("exit 1", &[("start_wait_policy", "hook_strict"), ("kicker_vmsvccheck_startdelay", "300")]);
    strict.set_method_timeout("start", 12);
    strict.enable_to("maintenance");
    strict.expect_log("Method \"start\" exited with status 95.");
    assert_eq!((strict.state().as_str(), strict.pid()), ("saved", None));
}

#[test]
fn a_stop_overtakes_a_start_that_waits_for_the_check() {
    let scene = checked("exit 1", &[("start_wait_policy", "hook"), ("kicker_vmsvccheck_startdelay", "300")]);
    scene.svcadm(&format!("enable {WEB}"));
    scene.wait_live(1);
    let stopped = scene.run("stop");
    assert_eq!(stopped.code, 0, "{stopped:?}");
    scene.wait_service("maintenance");
    scene.expect_log("a stop overtook the start");
    assert_eq!(scene.state(), "saved");
}

#[test]
fn a_deaf_guest_whose_check_asks_for_a_reboot_is_powered_off_in_the_end() {
    let scene = Scene::of(Spec { guest: Guest::Deaf, ..Spec::named("web") }, &[]);
    let hook = scene.hook("[ -f $R/once ] && exit 0; echo >$R/once; exit 2");
    scene.set(&[
        ("kicker_freq", "1"),
        ("kicker_vmsvccheck_enabled", "true"),
        ("kicker_vmsvccheck_method", &hook),
        ("kicker_vmsvccheck_startdelay", "0"),
        ("stop_timeout", "3"),
    ]);
    scene.enable();
    scene.wait_live(2);
    assert_eq!(scene.orders(), ["acpipowerbutton", "poweroff"]);
}
