//! `stop`, as SMF runs it, for every stop method and every state it may find a VM in; and `save`, `poweroff`, `reboot`
//! and `reset` by hand.

mod support;

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use simhost::vbox::{Effect, Fault, Guest, Spec, What};
use support::eventually;
use support::vm::{Scene, at_once, is_alive, kill};

fn deaf(properties: &[(&str, &str)]) -> Scene {
    Scene::of(Spec { guest: Guest::Deaf, ..Spec::named("web") }, properties)
}

/// Covers: stop, vm/stop_method
#[test]
fn each_stop_method_ends_in_its_own_state() {
    at_once(
        [
            ("savestate", "saved", &["savestate"][..]),
            ("acpipowerbutton", "poweroff", &["acpipowerbutton"]),
            ("poweroff", "poweroff", &["poweroff"]),
            ("poweroff-graceful", "poweroff", &["acpipowerbutton"]),
            ("pull-the-plug", "saved", &["savestate"]),
        ],
        |(method, word, orders)| {
            let scene = Scene::new(&[("stop_method", method)]);
            scene.enable();
            scene.disable();
            assert_eq!((scene.state().as_str(), scene.pid()), (word, None), "{method}");
            assert_eq!(scene.orders(), orders);
            assert!(!scene.run_file("nokick").exists());
        },
    );
}

#[test]
fn a_stop_method_of_reset_resets_the_vm_and_leaves_it_running() {
    let scene = Scene::new(&[("stop_method", "reset")]);
    scene.enable();
    let pid = scene.pid();
    scene.disable();
    assert_eq!((scene.state().as_str(), scene.pid()), ("running", pid));
    assert_eq!(scene.orders(), ["reset"]);
}

#[test]
fn a_paused_vm_is_resumed_for_the_button_but_saved_as_it_is() {
    at_once(
        [
            ("savestate", "saved", &["savestate"][..]),
            ("acpipowerbutton", "poweroff", &["resume", "acpipowerbutton"]),
            ("poweroff-graceful", "poweroff", &["resume", "acpipowerbutton"]),
            ("poweroff", "poweroff", &["poweroff"]),
        ],
        |(method, word, orders)| {
            let scene = Scene::new(&[("stop_method", method)]);
            scene.enable();
            scene.vbox.guest_pause(&scene.uuid);
            scene.disable();
            assert_eq!((scene.state().as_str(), scene.pid()), (word, None), "{method}");
            assert_eq!(scene.orders(), orders);
        },
    );
}

#[test]
fn a_stuck_vm_is_powered_off_by_every_method() {
    at_once(["savestate", "acpipowerbutton", "poweroff"], |method| {
        let scene = Scene::new(&[("stop_method", method)]);
        scene.enable();
        scene.vbox.guru(&scene.uuid);
        scene.disable();
        assert_eq!((scene.state().as_str(), scene.pid()), ("poweroff", None), "{method}");
        assert_eq!(scene.orders(), ["poweroff"]);
    });
}

#[test]
fn there_is_nothing_to_stop_of_a_vm_at_rest() {
    at_once(["poweroff", "saved", "aborted", "aborted-saved", "teleported"], |word| {
        let scene = Scene::new(&[("start_halted_vm", "false"), ("kicker_restart", "none")]);
        scene.enable();
        scene.vbox.set_rest(&scene.uuid, word);
        scene.disable();
        assert_eq!((scene.state().as_str(), scene.orders().len()), (word, 0));
    });
}

#[test]
fn a_vm_that_is_gone_from_virtualbox_is_nothing_to_stop() {
    let scene = Scene::new(&[("start_halted_vm", "false")]);
    scene.enable();
    scene.manage(&["unregistervm", &scene.uuid]).expect_success();
    scene.disable();
    scene.expect_log("not registered");
}

#[test]
fn a_deaf_guest_is_powered_off_only_by_the_graceful_method_and_only_in_the_end() {
    let scene = deaf(&[("stop_method", "poweroff-graceful"), ("stop_timeout", "4")]);
    scene.enable();
    let began = Instant::now();
    scene.disable();
    assert!(began.elapsed() >= Duration::from_millis(1900), "the guest had no time: {:?}", began.elapsed());
    assert_eq!(scene.state(), "poweroff");
    assert_eq!(scene.orders(), ["acpipowerbutton", "poweroff"]);
}

/// Covers: vm/stop_timeout
#[test]
fn a_guest_deaf_to_its_buttons_is_left_running_and_the_stop_fails() {
    at_once(["acpipowerbutton", "acpisleepbutton"], |method| {
        let scene = deaf(&[("stop_method", method), ("stop_timeout", "2")]);
        scene.enable();
        let pid = scene.pid();
        scene.disable_to("maintenance");
        scene.expect_log("Method \"stop\" exited with status 95.");
        scene.expect_log("the time for the stop ran out");
        assert_eq!((scene.state().as_str(), scene.pid()), ("running", pid));
        assert_eq!(scene.orders(), [method]);
    });
}

#[test]
fn smfs_own_timeout_ends_a_stop_before_smf_kills_it() {
    let scene = deaf(&[("stop_method", "acpipowerbutton"), ("stop_timeout", "600")]);
    scene.set_method_timeout("stop", 6);
    scene.enable();
    scene.disable_to("maintenance");
    scene.expect_log("Method \"stop\" exited with status 95.");
    assert_eq!(scene.state(), "running");
}

#[test]
fn a_vm_that_hangs_is_not_killed_by_stop() {
    let scene = Scene::new(&[("stop_timeout", "3")]);
    scene.enable();
    let pid = scene.live_pid();
    kill(pid, Signal::SIGSTOP);
    scene.disable_to("maintenance");
    scene.expect_log("Method \"stop\" exited with status 95.");
    assert!(is_alive(pid));
    kill(pid, Signal::SIGCONT);
}

#[test]
fn a_refused_save_leaves_the_vm_running_and_is_told() {
    let scene = Scene::new(&[]);
    scene.enable();
    let pid = scene.pid();
    scene.vbox.fault(Fault::new(Effect::SaveRefused).on(&scene.uuid));
    scene.disable_to("maintenance");
    scene.expect_log("VERR_DISK_FULL");
    scene.expect_log("Method \"stop\" exited with status 95.");
    assert_eq!((scene.state().as_str(), scene.pid()), ("running", pid));
}

#[test]
fn a_vm_that_dies_while_it_is_saved_is_no_success() {
    let scene = Scene::new(&[]);
    scene.enable();
    scene.vbox.fault(Fault::new(Effect::SaveTakes(Duration::from_secs(60))).on(&scene.uuid));
    scene.svcadm(&format!("disable {}", support::vm::WEB));
    scene.wait_vm("saving");
    scene.vbox.kill_vm(&scene.uuid, 9);
    scene.wait_service("maintenance");
    scene.expect_log("the VM ended aborted");
    scene.expect_log("Method \"stop\" exited with status 95.");
    assert_eq!(scene.starts(), 1, "the monitor stood down before");
}

#[test]
fn a_vm_that_is_being_saved_by_somebody_else_is_waited_for() {
    let scene = Scene::new(&[]);
    scene.enable();
    scene.vbox.fault(Fault::new(Effect::SaveTakes(Duration::from_secs(2))).on(&scene.uuid));
    let _save = scene.spawn_manage(&["controlvm", &scene.uuid, "savestate"]);
    scene.wait_vm("saving");
    scene.disable();
    assert_eq!((scene.state().as_str(), scene.pid(), scene.orders().len()), ("saved", None, 1));
}

#[test]
fn a_stop_while_the_vm_starts_or_restores_waits_and_then_stops_it() {
    at_once([("poweroff", "starting"), ("saved", "restoring")], |(rest, word)| {
        let scene = Scene::new(&[]);
        scene.vbox.set_rest(&scene.uuid, rest);
        scene.vbox.fault(Fault::new(Effect::StartTakes(Duration::from_secs(2))).on(&scene.uuid).times(1));
        scene.svcadm(&format!("enable {}", support::vm::WEB));
        scene.wait_vm(word);
        let stopped = scene.run("stop");
        assert_eq!(stopped.code, 0, "{stopped:?}");
        assert_eq!((scene.state().as_str(), scene.pid()), ("saved", None), "{word}");
        // The start that was overtaken does not pass for one that succeeded.
        scene.wait_service("maintenance");
        scene.expect_log("a stop overtook the start");
        scene.expect_log("Method \"start\" exited with status 95.");
    });
}

#[test]
fn a_stop_is_not_done_while_a_process_lives_that_virtualbox_has_lost() {
    let scene = Scene::new(&[]);
    scene.enable();
    let pid = scene.live_pid();
    scene.vbox.kill_vboxsvc(9);
    scene.svcadm(&format!("disable {}", support::vm::WEB));
    eventually("the stop is over", || {
        let alive = is_alive(pid);
        let over = scene.log().contains("Method \"stop\" exited");
        assert!(!(over && alive && is_alive(pid)), "{}", scene.log());
        over
    });
    assert_eq!(scene.orders().len(), 0);
}

#[test]
fn a_process_that_does_not_end_after_its_vm_has_is_waited_for_and_told() {
    let scene = Scene::new(&[("stop_timeout", "2")]);
    scene.enable();
    let pid = scene.live_pid();
    scene.vbox.fault(Fault::new(Effect::HangAfterEnd).on(&scene.uuid));
    scene.disable_to("maintenance");
    assert_eq!(scene.state(), "saved");
    assert!(is_alive(pid));
    scene.expect_log("while a process of the VM lives");
}

/// Covers: save
#[test]
fn save_saves_whatever_the_stop_method_is_and_leaves_a_vm_at_rest_alone() {
    let scene = Scene::new(&[("stop_method", "poweroff"), ("kicker_freq", "1")]);
    scene.enable();
    assert_eq!(scene.run("save").code, 0);
    assert_eq!(scene.state(), "saved");
    for word in ["poweroff", "saved", "aborted"] {
        let scene = Scene::new(&[]);
        scene.bring_outside(word);
        assert_eq!(scene.run("savestate").code, 0);
        assert_eq!((scene.state().as_str(), scene.orders().len()), (word, 0));
    }
}

/// Covers: poweroff
#[test]
fn poweroff_tells_by_its_exit_code_how_it_went() {
    let gentle = Scene::new(&[]);
    gentle.enable();
    assert_eq!(gentle.run("poweroff").code, 0);
    assert_eq!((gentle.state().as_str(), gentle.orders()), ("poweroff", vec!["acpipowerbutton".to_string()]));

    let rough = deaf(&[]);
    rough.enable();
    assert_eq!(rough.run("poweroff -t 3").code, 0);
    assert_eq!(rough.orders(), ["acpipowerbutton", "poweroff"]);

    let hung = Scene::new(&[]);
    hung.enable();
    kill(hung.live_pid(), Signal::SIGSTOP);
    assert_eq!(hung.run("poweroff -t 3").code, 125);
    assert!(hung.pid().is_some());
    kill(hung.live_pid(), Signal::SIGCONT);

    let refused = deaf(&[]);
    refused.enable();
    let fault = Effect::Fail { exit: 1, stderr: "VBoxManage: error: no such luck\n".into() };
    refused.vbox.fault(Fault::new(fault).verb("controlvm poweroff"));
    let ran = refused.run("poweroff -t 3");
    assert_eq!(ran.code, 126, "{ran:?}");
    assert!(ran.stderr.contains("no such luck"), "{ran:?}");
    assert_eq!(refused.state(), "running");
}

#[test]
fn poweroff_with_k_ends_the_process_of_a_running_vm_by_term_on_which_it_saves_itself() {
    let scene = deaf(&[]);
    scene.enable();
    let fault = Effect::Fail { exit: 1, stderr: "VBoxManage: error: no such luck\n".into() };
    scene.vbox.fault(Fault::new(fault).verb("controlvm poweroff"));
    let ran = scene.run("poweroff -k -t 3");
    assert_eq!(ran.code, 126, "{ran:?}");
    assert_eq!((scene.state().as_str(), scene.pid()), ("saved", None));
}

#[test]
fn poweroff_with_k_never_signals_a_paused_vm_but_kills_it_in_the_end() {
    let scene = Scene::new(&[]);
    scene.enable();
    let pid = scene.live_pid();
    scene.vbox.guest_pause(&scene.uuid);
    let fault = Effect::Fail { exit: 1, stderr: "VBoxManage: error: no such luck\n".into() };
    scene.vbox.fault(Fault::new(fault).verb("controlvm"));
    let ran = scene.run("poweroff -k -t 1");
    assert_eq!(ran.code, 126, "{ran:?}");
    assert!(!is_alive(pid));
    let signals = scene.vbox.events().into_iter().filter(|event| matches!(event.what, What::Signal { .. })).count();
    assert_eq!(signals, 0, "TERM wedges a paused VM");
}

/// Covers: reboot
#[test]
fn reboot_brings_a_new_process_up_and_ifruns_leaves_a_vm_that_is_off() {
    let scene = Scene::new(&[]);
    scene.enable();
    let old = scene.live_pid();
    assert_eq!(scene.run("reboot").code, 0);
    assert_eq!(scene.state(), "running");
    assert_ne!(scene.live_pid(), old);
    assert_eq!(scene.orders(), ["acpipowerbutton"]);
    assert!(!scene.run_file("nokick").exists());
    scene.disable();

    let starts = scene.starts();
    assert_eq!(scene.run("reboot ifruns").code, 0);
    assert_eq!((scene.state().as_str(), scene.starts()), ("saved", starts));
}

#[test]
fn a_reboot_that_cannot_power_off_resets() {
    let scene = deaf(&[]);
    scene.enable();
    let pid = scene.pid();
    let fault = Effect::Fail { exit: 1, stderr: "VBoxManage: error: no such luck\n".into() };
    scene.vbox.fault(Fault::new(fault).verb("controlvm poweroff"));
    assert_eq!(scene.run("reboot -t 3").code, 0);
    assert_eq!((scene.state().as_str(), scene.pid()), ("running", pid));
    assert_eq!(scene.orders().last().map(String::as_str), Some("reset"));
}

/// Covers: reset
#[test]
fn reset_resets_a_running_vm_and_fails_for_one_at_rest() {
    let scene = Scene::new(&[]);
    scene.enable();
    let pid = scene.pid();
    assert_eq!(scene.run("reset").code, 0);
    assert_eq!((scene.orders(), scene.pid()), (vec!["reset".to_string()], pid));
    scene.disable();
    assert_eq!(scene.run("reset").code, 95);
}

#[test]
fn a_command_that_is_interrupted_leaves_no_nokick_file_and_the_vm_as_it_is() {
    at_once([Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP], |signal| {
        let scene = deaf(&[]);
        scene.enable();
        let mut command = scene.spawn("poweroff");
        eventually("the button is pressed", || scene.orders() == ["acpipowerbutton"]);
        assert!(scene.run_file("nokick").exists());
        kill(command.pid(), signal);
        assert_eq!(command.code(), 95);
        assert!(!scene.run_file("nokick").exists());
        assert_eq!(scene.state(), "running");
    });
}

#[test]
fn two_commands_do_not_work_against_each_other() {
    let scene = deaf(&[]);
    scene.enable();
    let _first = scene.spawn("poweroff");
    eventually("the button is pressed", || scene.orders() == ["acpipowerbutton"]);
    let second = scene.run("save");
    assert_eq!(second.code, 95, "{second:?}");
    assert!(second.stderr.contains("at work"), "{second:?}");
    // An order of SMF's goes before one of a person's.
    scene.disable();
    assert_eq!(scene.state(), "saved");
}
