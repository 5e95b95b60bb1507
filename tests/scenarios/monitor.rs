//! The monitor and its VM: what it does when the VM crashes, is shut down, pauses, gets stuck or is saved.

mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use simhost::vbox::{Effect, Fault, Settings};
use support::eventually;
use support::vm::{Scene, at_once, is_alive, kill};

/// Covers: vm/restart_aborted_vm_failures_maxcount, vm/restart_aborted_vm_failures_timeframe
#[test]
fn crashes_over_the_limit_end_in_maintenance() {
    let scene =
        Scene::new(&[("restart_aborted_vm_failures_maxcount", "2"), ("restart_aborted_vm_failures_timeframe", "600")]);
    scene.enable();
    for crash in 1..=2 {
        scene.wait_live(crash);
        scene.wait_new_process(scene.crash());
    }
    scene.wait_live(3);
    scene.crash();
    scene.wait_service("maintenance");
    assert_eq!((scene.starts(), scene.pid()), (3, None));
    scene.expect_log("restart_aborted_vm_failures_maxcount");
}

#[test]
fn repeated_crashes_wait_longer_each_time() {
    let scene = Scene::new(&[]);
    scene.enable();
    let mut waits = Vec::new();
    for crash in 1..=3 {
        scene.wait_live(crash);
        waits.push(scene.wait_new_process(scene.crash()));
    }
    assert!(waits[1] >= Duration::from_millis(900) && waits[2] >= Duration::from_millis(1900), "{waits:?}");
}

/// Covers: vm/restart_aborted_vm
#[test]
fn an_aborted_vm_that_is_not_to_be_restarted_means_maintenance() {
    let scene = Scene::new(&[("restart_aborted_vm", "false")]);
    scene.enable();
    scene.crash();
    scene.wait_service("maintenance");
    scene.wait_vm("aborted");
    assert_eq!(scene.starts(), 1);
    scene.expect_log("vm/restart_aborted_vm is false");
}

/// Covers: vm/restart_halted_vm, vm/offline_is_maint
#[test]
fn a_guest_that_powers_itself_off_is_treated_as_the_settings_say() {
    at_once(
        [
            ("true", "true", "false", "online"),
            ("false", "true", "false", "disabled"),
            ("false", "true", "true", "maintenance"),
        ],
        |(restart, start, offline_is_maint, service)| {
            let scene = Scene::new(&[
                ("restart_halted_vm", restart),
                ("start_halted_vm", start),
                ("offline_is_maint", offline_is_maint),
            ]);
            scene.enable();
            let old = scene.live_pid();
            scene.vbox.guest_power_off(&scene.uuid);
            if restart == "true" {
                scene.wait_new_process(old);
                scene.wait_vm("running");
            }
            scene.wait_service(service);
            assert_eq!(scene.starts(), if restart == "true" { 2 } else { 1 });
            assert!(scene.orders().is_empty());
        },
    );
}

#[test]
fn a_guest_that_powers_itself_off_is_left_off_where_no_setting_wants_it() {
    let scene = Scene::new(&[("restart_halted_vm", "false"), ("start_halted_vm", "false")]);
    assert_eq!(scene.run("start-force").code, 0);
    scene.enable();
    scene.vbox.guest_power_off(&scene.uuid);
    scene.wait_log("neither vm/restart_halted_vm nor vm/start_halted_vm is true");
    assert_eq!((scene.service().as_str(), scene.starts()), ("online", 1));
}

/// VirtualBox's server goes by itself some seconds after its last VM. A monitor that sees the end of the VM later than
/// that, as on a host that was overloaded or asleep, must not take it for a server that died.
#[test]
fn an_orderly_end_that_the_monitor_sees_late_is_no_crash() {
    at_once([false, true], |attached| {
        let scene = Scene::new(&[("restart_halted_vm", "false"), ("start_halted_vm", "false")]);
        assert_eq!(scene.run("start-force").code, 0);
        scene.enable();
        if attached {
            scene.start_again_to("online");
        }
        let (vm, monitor) = (scene.live_pid(), scene.monitor());
        kill(monitor, Signal::SIGSTOP);
        scene.vbox.guest_power_off(&scene.uuid);
        // A child stays as a zombie until the monitor goes on.
        eventually("the VM and VirtualBox's server are gone", || !is_alive(vm) && scene.vbox.vboxsvc().is_none());
        kill(monitor, Signal::SIGCONT);
        scene.wait_log("neither vm/restart_halted_vm nor vm/start_halted_vm is true");
        assert_eq!((scene.service().as_str(), scene.starts()), ("online", 1));
    });
}

/// A process may take its time to go, as one with much memory does.
#[test]
fn a_process_that_goes_long_after_its_guest_powered_off_is_no_crash() {
    let properties = [("restart_halted_vm", "false"), ("start_halted_vm", "false"), ("kicker_freq", "1")];
    let scene = Scene::new(&properties);
    assert_eq!(scene.run("start-force").code, 0);
    scene.enable();
    // Beside a process that is no child its monitor does not see a signal.
    scene.start_again_to("online");
    let vm = scene.live_pid();
    scene.vbox.fault(Fault::new(Effect::HangAfterEnd).on(&scene.uuid));
    scene.vbox.guest_power_off(&scene.uuid);
    scene.wait_vm("poweroff");
    let looks = scene.vbox.calls("showvminfo");
    // The first ones come one soon after the other, then it is one a second.
    eventually("the monitor has looked for long", || scene.vbox.calls("showvminfo") > looks + 12);
    kill(vm, Signal::SIGKILL);
    scene.wait_log("neither vm/restart_halted_vm nor vm/start_halted_vm is true");
    assert_eq!((scene.service().as_str(), scene.starts()), ("online", 1));
}

/// Covers: vm/restart_saved_vm
#[test]
fn a_vm_that_its_user_saved_is_treated_as_the_settings_say() {
    at_once(
        [("true", "true", "online", 2), ("false", "true", "disabled", 1), ("false", "false", "online", 1)],
        |(restart, start, service, starts)| {
            let scene = Scene::new(&[("restart_saved_vm", restart), ("start_saved_vm", start)]);
            scene.enable();
            scene.manage(&["controlvm", &scene.uuid, "savestate"]).expect_success();
            eventually("the VM is where it belongs", || scene.starts() == starts && scene.service() == service);
            if (restart, start) == ("false", "false") {
                scene.wait_log("neither vm/restart_saved_vm nor vm/start_saved_vm is true");
            }
            scene.wait_vm(if restart == "true" { "running" } else { "saved" });
        },
    );
}

#[test]
fn the_restart_once_file_brings_a_saved_vm_back_once_even_where_restarts_are_forbidden() {
    let scene = Scene::new(&[("kicker_restart", "none")]);
    scene.enable();
    let old = scene.live_pid();
    std::fs::write(scene.run_file("restart_saved_once"), "").unwrap();
    scene.manage(&["controlvm", &scene.uuid, "savestate"]).expect_success();
    scene.wait_new_process(old);
    scene.wait_live(2);
    assert!(!scene.run_file("restart_saved_once").exists());
    scene.manage(&["controlvm", &scene.uuid, "savestate"]).expect_success();
    scene.wait_log("the VM is saved and vm/kicker_restart forbids to bring it back");
    assert_eq!((scene.starts(), scene.service().as_str()), (2, "online"));
}

/// Covers: vm/ignore_paused_vm, vm/restart_paused_vm
#[test]
fn a_paused_vm_is_ignored_or_resumed_or_taken_offline() {
    at_once(
        [
            (&[("ignore_paused_vm", "true"), ("restart_paused_vm", "true")][..], "paused", "online"),
            (&[("ignore_paused_vm", "false"), ("restart_paused_vm", "true")], "running", "online"),
            (&[("ignore_paused_vm", "false"), ("restart_paused_vm", "false")], "saved", "disabled"),
            (&[("kicker_restart", "all")], "running", "online"),
            (&[("ignore_paused_vm", "false"), ("kicker_restart", "none")], "paused", "online"),
        ],
        |(settings, word, service)| {
            let scene = Scene::new(&[&[("kicker_freq", "1")], settings].concat());
            scene.enable();
            let pid = scene.pid();
            scene.vbox.guest_pause(&scene.uuid);
            scene.wait_log("the VM is paused");
            scene.wait_service(service);
            scene.wait_vm(word);
            if service == "online" {
                assert_eq!(scene.pid(), pid, "{settings:?}");
            }
        },
    );
}

/// Covers: vm/restart_stuck_vm
#[test]
fn a_stuck_vm_is_powered_off_and_started_or_left_or_taken_offline() {
    at_once(
        [
            (&[("restart_stuck_vm", "true")][..], "online", 2),
            (&[("restart_stuck_vm", "false"), ("start_stuck_vm", "true")], "disabled", 1),
            (&[("restart_stuck_vm", "false"), ("start_stuck_vm", "false")], "online", 1),
            (&[("kicker_restart", "all")], "online", 2),
            (&[("kicker_restart", "none"), ("restart_stuck_vm", "true")], "online", 1),
        ],
        |(settings, service, starts)| {
            let scene = Scene::new(&[&[("kicker_freq", "1")], settings].concat());
            scene.enable();
            scene.vbox.guru(&scene.uuid);
            scene.wait_log("the VM is gurumeditation");
            eventually("the VM is where it belongs", || scene.starts() == starts && scene.service() == service);
            match (service, starts) {
                ("online", 2) => scene.wait_vm("running"),
                ("online", _) => assert_eq!(scene.state(), "gurumeditation"),
                _ => scene.wait_vm("poweroff"),
            }
        },
    );
}

/// Covers: vm/kicker_restart
#[test]
fn kicker_restart_none_leaves_an_aborted_vm_alone_and_all_brings_every_resting_one_back() {
    let none = Scene::new(&[("kicker_restart", "none")]);
    none.enable();
    none.vbox.kill_vm(&none.uuid, 9);
    none.wait_log("vm/kicker_restart forbids to bring it back");
    assert_eq!((none.service().as_str(), none.starts()), ("online", 1));

    let all = Scene::new(&[("kicker_restart", "ALL"), ("restart_aborted_vm", "false")]);
    all.enable();
    let old = all.live_pid();
    all.vbox.guest_power_off(&all.uuid);
    all.wait_new_process(old);
    all.wait_live(2);
    all.wait_new_process(all.crash());
    all.wait_live(3);
    assert_eq!(all.service(), "online");
}

/// Covers: vm/offline_unknown_state_maxcount
#[test]
fn an_unknown_word_is_counted_and_a_known_one_in_between_starts_over() {
    let scene = Scene::new(&[("kicker_freq", "1"), ("offline_unknown_state_maxcount", "2"), ("kicker_debug", "true")]);
    scene.enable();
    let unknown = || scene.log().matches("hibernating is not known").count();
    scene.vbox.set_state_word(&scene.uuid, Some("hibernating"));
    eventually("it was seen twice", || unknown() == 2);
    scene.vbox.set_state_word(&scene.uuid, None);
    scene.wait_log("the VM is running");
    scene.vbox.set_state_word(&scene.uuid, Some("hibernating"));
    scene.wait_log("asking SMF for offline");
    scene.expect_log("was seen 3 times in a row");
    assert!(unknown() >= 3, "counted anew: {}", scene.log());
    // The stop that follows needs to know the state.
    scene.vbox.set_state_word(&scene.uuid, None);
    scene.wait_service("disabled");
}

#[test]
fn unknown_words_never_take_the_vm_offline_where_the_limit_is_negative() {
    let scene = Scene::new(&[("kicker_freq", "1"), ("offline_unknown_state_maxcount", "-1")]);
    scene.enable();
    let pid = scene.pid();
    scene.vbox.set_state_word(&scene.uuid, Some("hibernating"));
    scene.wait_log("hibernating is not known");
    let looks = scene.vbox.calls("showvminfo");
    eventually("it was looked at some more", || scene.vbox.calls("showvminfo") > looks + 2);
    assert_eq!(scene.log().matches("hibernating is not known").count(), 1, "it is told once");
    assert_eq!((scene.service().as_str(), scene.pid()), ("online", pid));
}

#[test]
fn virtualbox_losing_the_vm_is_an_abort_and_the_next_copy_waits_for_the_old_ones_end() {
    // Its process exits 0 where VBoxSVC was asked to end.
    at_once([(9, false), (15, false), (15, true)], |(signal, attached)| {
        let scene = Scene::new(&[]);
        scene.enable();
        let old = scene.live_pid();
        scene.wait_live(1);
        if attached {
            scene.start_again_to("online");
        }
        scene.vbox.kill_vboxsvc(signal);
        scene.wait_new_process(old);
        assert!(!is_alive(old), "two at once");
        scene.wait_live(2);
        scene.expect_log("VirtualBox's server had lost it");
        assert_eq!((scene.service().as_str(), scene.starts()), ("online", 2));
    });
}

#[test]
fn a_vm_that_somebody_else_starts_is_watched_too() {
    let scene = Scene::new(&[("start_halted_vm", "false"), ("kicker_freq", "1")]);
    scene.enable();
    let foreign = scene.start_outside();
    let looks = scene.vbox.calls("showvminfo");
    eventually("the monitor has seen it", || scene.vbox.calls("showvminfo") > looks + 1);
    kill(foreign, Signal::SIGKILL);
    scene.wait_new_process(foreign);
    scene.wait_vm("running");
}

#[test]
fn a_killed_monitor_leaves_its_vm_alone_and_the_next_start_attaches_to_it() {
    let scene = Scene::new(&[]);
    scene.enable();
    let (pid, monitor) = (scene.live_pid(), scene.monitor());
    // Stopped, as by somebody who debugs it: not even so may the monitor's end do it any harm.
    kill(pid, Signal::SIGSTOP);
    kill(monitor, Signal::SIGKILL);
    eventually("the monitor is gone", || !is_alive(monitor));
    kill(pid, Signal::SIGCONT);
    scene.start_again_to("online");
    assert_eq!((scene.state().as_str(), scene.pid(), scene.orders().len()), ("running", Some(pid), 0));
    assert_ne!(scene.monitor(), monitor);
    scene.vbox.kill_vm(&scene.uuid, 9);
    scene.wait_new_process(pid);
    scene.wait_vm("running");
}

#[test]
fn of_two_starts_at_once_the_second_finds_the_first_ones_vm() {
    let scene = Scene::new(&[]);
    scene.enable();
    scene.disable();
    scene.svcadm(&format!("enable {}", support::vm::WEB));
    let mut starts: Vec<_> = (0..3).map(|_| scene.spawn("start")).collect();
    assert!(starts.iter_mut().all(|start| start.code() == 0), "{}", scene.log());
    scene.wait_service("online");
    assert_eq!((scene.state().as_str(), scene.starts()), ("running", 2));
    let monitors = scene.host.processes().into_iter().filter(|pid| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|&b| b == 0).any(|word| word == b"monitor")
    });
    assert_eq!(monitors.count(), 1);
}

#[test]
fn an_idle_monitor_runs_no_program() {
    let scene = Scene::new(&[]);
    scene.enable();
    let before = scene.vbox.events().len();
    let times = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", scene.monitor())).unwrap();
        let (_, rest) = stat.rsplit_once(')').unwrap();
        rest.split_whitespace().skip(11).take(4).map(|n| n.parse::<u64>().unwrap()).sum::<u64>()
    };
    let (busy, began) = (times(), Instant::now());
    sleep(Duration::from_secs(2));
    assert!(began.elapsed() < Duration::from_secs(40), "the machine is too slow for this test");
    assert_eq!(scene.vbox.events().len(), before, "VirtualBox was asked");
    // In hundredths of a second, its children's included.
    assert!(times() - busy <= 1, "it used {} ticks", times() - busy);
}

#[test]
fn a_crash_while_virtualbox_hangs_does_not_wait_for_its_answer() {
    let scene = Scene::new(&[("kicker_freq", "1")]);
    scene.enable();
    let old = scene.live_pid();
    scene.vbox.fault(Fault::new(Effect::Hang).verb("showvminfo"));
    let looks = scene.vbox.calls("showvminfo");
    eventually("the monitor waits for an answer", || scene.vbox.calls("showvminfo") > looks);
    scene.vbox.kill_vm(&scene.uuid, 9);
    let took = scene.wait_new_process(old);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[test]
fn a_monitor_killed_at_any_moment_of_a_restart_costs_no_vm_and_starts_no_second_one() {
    at_once([0, 5, 15, 30, 60, 100, 160, 250, 400], |millis| {
        let scene = Scene::new(&[]);
        scene.enable();
        scene.wait_live(1);
        let monitor = scene.monitor();
        scene.crash();
        sleep(Duration::from_millis(millis));
        kill(monitor, Signal::SIGKILL);
        // What SMF would do after clearing a maintenance: the method finds whatever state the killed one left.
        scene.run("start").expect_success();
        scene.wait_vm("running");
        assert!(is_alive(scene.monitor()), "after {millis} ms");
        scene.disable();
        assert_eq!(scene.state(), "saved", "after {millis} ms");
    });
}

#[test]
fn a_vm_that_dies_while_the_monitor_looks_at_it_is_brought_back_as_any_other() {
    at_once([false, true], |attached| {
        let scene = Scene::new(&[]);
        scene.enable();
        scene.wait_live(1);
        if attached {
            kill(scene.monitor(), Signal::SIGKILL);
            scene.run("start").expect_success();
        }
        let old = scene.live_pid();
        // From now on SMF answers slowly: what is known of the VM when the answer comes is old.
        let (asked, svcprop) = (scene.host.root().join("asked"), scene.host.bin().join("svcprop"));
        let real = std::fs::read_link(&svcprop).unwrap();
        std::fs::remove_file(&svcprop).unwrap();
        let (asks, real, root) = (asked.display(), real.display(), scene.host.root().display());
        write_program(&svcprop, &format!(">{asks}\n/bin/sleep 0.7\nexec {real} svcprop {root} \"$@\"\n"));
        kill(scene.monitor(), Signal::SIGHUP);
        eventually("the monitor looks", || asked.exists());
        scene.vbox.kill_vm(&scene.uuid, 9);
        scene.wait_new_process(old);
        scene.wait_log("the VM's process ");
        scene.wait_vm("running");
        // A crash that went unnoticed would be noticed by now.
        sleep(Duration::from_secs(2));
        assert_eq!((scene.service().as_str(), scene.starts()), ("online", 2), "{attached}: {}", scene.log());
        let dead = ended_children_of(scene.monitor());
        assert!(dead.is_empty(), "the monitor never looked after {dead:?}");
    });
}

#[test]
fn a_death_that_virtualbox_notices_late_counts_once() {
    let scene = Scene::new(&[("restart_aborted_vm_failures_maxcount", "1")]);
    scene.vbox.set_settings(&Settings { abort_notice: Duration::from_secs(1), ..scene.vbox.settings() });
    scene.enable();
    // VirtualBox takes a moment to find that the session is locked, as on a busy host.
    let (front_end, slow) = (scene.host.bin().join("VBoxHeadless"), scene.host.root().join("slow"));
    std::fs::create_dir(&slow).unwrap();
    std::fs::rename(&front_end, slow.join("VBoxHeadless")).unwrap();
    write_program(&front_end, &format!("/bin/sleep 0.3\nexec {}/VBoxHeadless \"$@\"\n", slow.display()));
    let old = scene.crash();
    // Listed as running for a while yet.
    scene.wait_log("VirtualBox told of the process before this one");
    scene.wait_vm("aborted");
    scene.wait_vm("running");
    assert_ne!(scene.live_pid(), old);
    eventually("the restart is counted", || scene.run("status").stdout.contains("restarts    1\n"));
    assert_eq!(scene.service(), "online", "{}", scene.log());
}

#[allow(clippy::unwrap_used, reason = "part of the tests, which clippy does not see")]
fn write_program(path: &std::path::Path, body: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{body}")).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

/// The processes that ended and that their parent has not asked about.
fn ended_children_of(parent: i32) -> Vec<String> {
    let stats = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let of_parent = format!(" Z {parent} ");
    stats.filter(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(&of_parent))).collect()
}
