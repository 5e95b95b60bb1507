//! Everything that tests can make go wrong, and the races that go wrong by themselves.

mod vbox_support;

use std::time::{Duration, Instant};

use simhost::vbox::{Effect, Fault, What};
use vbox_support::{Host, KILL, finish, hangs, wait_until};

#[test]
fn calls_can_be_slow_hang_crash_fail_and_be_cut_off() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    host.vbox.fault(Fault::new(Effect::Slow(Duration::from_millis(300))).verb("list runningvms").times(1));
    let begun = Instant::now();
    assert_eq!(host.manage(&["list", "runningvms"]).exit, 0);
    assert!(begun.elapsed() >= Duration::from_millis(300));

    host.vbox.fault(Fault::new(Effect::Hang).verb("showvminfo").on(&uuid).times(1));
    assert!(hangs(host.spawn("VBoxManage", &["showvminfo", "v1"]), Duration::from_millis(300)));
    host.vbox.fault(Fault::new(Effect::Crash(11)).verb("showvminfo").times(1));
    assert_eq!(host.manage(&["showvminfo", "v1"]).exit, 139);

    host.vbox.fault(Fault::new(Effect::Fail { exit: 1, stderr: "VBoxManage: error: odd\n".into() }).times(1));
    let failed = host.manage(&["list", "vms"]);
    assert_eq!((failed.exit, failed.out.as_str(), failed.err.as_str()), (1, "", "VBoxManage: error: odd\n"));

    host.vbox.fault(Fault::new(Effect::CutOff { lines: 25 }).verb("showvminfo").times(1));
    let cut = host.manage(&["showvminfo", "v1", "--machinereadable"]);
    assert_eq!((cut.exit, cut.out.lines().count()), (1, 25));
    assert_eq!(cut.err, recorded!("iem-trans-not-ready.err"));

    host.vbox.fault(Fault::new(Effect::NoServer).times(1));
    assert_eq!(host.manage(&["list", "vms"]).err, recorded!("iem-s10-svcTERM-showvminfo.err"));

    host.vbox.fault(Fault::new(Effect::Noise));
    assert!(
        host.manage(&["list", "vms"]).out.starts_with("WARNING: The character device /dev/vboxdrv does not exist.\n")
    );
    host.vbox.clear_faults();
    assert_eq!(host.manage(&["list", "vms"]).out, format!("\"v1\" {{{uuid}}}\n"));
}

#[test]
fn somebody_elses_lock_is_told_by_its_code_and_passes() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    host.vbox.fault(Fault::new(Effect::Locked).on(&uuid).lasting(Duration::from_millis(600)));
    let start = host.manage(&["startvm", &uuid, "--type", "headless"]);
    assert_eq!((start.exit, start.err.as_str()), (1, recorded!("iem-s1-startvm-again.err")));
    let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
    assert_eq!((headless.exit, headless.err.as_str()), (1, recorded!("iem-s1-headless-again.err")));
    let modify = host.manage(&["modifyvm", &uuid, "--memory", "64"]);
    assert_eq!(modify.err, recorded!("iem-s1-modifyvm-running.err"));
    wait_until("the lock passes", || host.manage(&["startvm", &uuid, "--type", "headless"]).exit == 0);
}

#[test]
fn a_machine_that_runs_cannot_be_started_again() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let _vm = host.run_headless(&uuid);
    assert_eq!(host.manage(&["startvm", &uuid, "--type", "headless"]).err, recorded!("iem-s1-startvm-again.err"));
    let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
    assert_eq!((headless.exit, headless.err.as_str()), (1, recorded!("iem-s1-headless-again.err")));
    assert!(!host.vbox.ran_twice(&uuid));
}

#[test]
fn showvminfo_of_a_resting_machine_makes_a_start_fail_and_parallel_ones_cut_each_other_off() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let mut settings = host.vbox.settings();
    settings.showvminfo = Duration::from_millis(800);
    host.vbox.set_settings(&settings);
    let holder = host.spawn("VBoxManage", &["showvminfo", &uuid, "--machinereadable"]);
    wait_until("the lock is taken", || {
        host.manage(&["modifyvm", &uuid, "--memory", "64"]).err == recorded!("iem-s1-modifyvm-running.err")
    });
    let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
    assert_eq!((headless.exit, headless.err.as_str()), (1, recorded!("iem-s1-headless-again.err")));
    let parallel = host.manage(&["showvminfo", &uuid, "--machinereadable"]);
    assert_eq!((parallel.exit, parallel.err.as_str()), (1, recorded!("iem-trans-not-ready.err")));
    assert_eq!(finish(holder).exit, 0);

    // One that is killed does not keep the lock.
    let killed = host.spawn("VBoxManage", &["showvminfo", &uuid]);
    assert!(hangs(killed, Duration::from_millis(200)));
    finish({
        let vm = host.run_headless(&uuid);
        host.vbox.guest_power_off(&uuid);
        vm
    });
}

#[test]
fn showvminfo_of_a_running_machine_never_fails() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let info = host.manage(&["showvminfo", &uuid, "--machinereadable"]);
                    assert_eq!((info.exit, info.err.as_str()), (0, ""));
                    assert!(info.out.contains("\nVMState=\"running\"\n"));
                }
            });
        }
    });
    host.vbox.guest_power_off(&uuid);
    finish(vm);
}

#[test]
fn of_many_starts_at_once_one_wins_and_the_rest_are_told_so() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let kept = std::sync::Mutex::new(Vec::new());
    let exits: Vec<i32> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..6)
            .map(|n| {
                let (host, uuid, kept) = (&host, &uuid, &kept);
                scope.spawn(move || match n % 2 {
                    0 => host.manage(&["startvm", uuid, "--type", "headless"]).exit,
                    _ => {
                        let child = host.spawn("VBoxHeadless", &["--startvm", uuid]);
                        let begun = Instant::now();
                        // The winner does not end by itself.
                        while host.vbox.state(uuid) != "running" && begun.elapsed() < Duration::from_secs(10) {
                            std::thread::sleep(Duration::from_millis(10));
                        }
                        let winner = host.vbox.process(uuid) == child.pid();
                        if winner {
                            kept.lock().unwrap().push(child);
                            0
                        } else {
                            finish(child).exit
                        }
                    }
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(exits.iter().filter(|&&exit| exit == 0).count(), 1, "{exits:?}");
    assert!(!host.vbox.ran_twice(&uuid));
    assert_eq!(host.vbox.state(&uuid), "running");
}

#[test]
fn clients_that_come_at_once_share_one_vboxsvc() {
    let host = Host::new();
    host.vbox.create_vm("v1");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(host.manage(&["list", "vms"]).exit, 0));
        }
    });
    let started = host.vbox.events().iter().filter(|event| event.what == What::ServerStarted).count();
    assert_eq!(started, 1);
}

#[test]
fn saves_can_be_refused_or_slow() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    host.vbox.fault(Fault::new(Effect::SaveRefused).on(&uuid).times(1));
    let refused = host.manage(&["controlvm", &uuid, "savestate"]);
    assert_eq!(refused.exit, 1);
    assert!(refused.err.starts_with("VBoxManage: error: Failed to save the machine state"), "{}", refused.err);
    assert_eq!(host.vbox.state(&uuid), "running");
    host.vbox.fault(Fault::new(Effect::SaveTakes(Duration::from_millis(400))).times(1));
    let begun = Instant::now();
    assert_eq!(host.manage(&["controlvm", &uuid, "savestate"]).exit, 0);
    assert!(begun.elapsed() >= Duration::from_millis(400));
    assert_eq!(finish(vm).exit, 0);
    assert_eq!(host.vbox.state(&uuid), "saved");
}

#[test]
fn savestate_of_a_paused_machine_works_and_restores_to_running() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    assert_eq!(host.manage(&["controlvm", &uuid, "pause"]).exit, 0);
    assert_eq!(host.manage(&["controlvm", &uuid, "savestate"]).exit, 0);
    finish(vm);
    let _vm = host.run_headless(&uuid);
}

#[test]
fn the_power_button_can_be_ignored_and_poweroff_can_hang() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let _vm = host.run_headless(&uuid);
    host.vbox.fault(Fault::new(Effect::AcpiIgnored).on(&uuid).times(1));
    assert_eq!(host.manage(&["controlvm", &uuid, "acpipowerbutton"]).exit, 0);
    assert!(host.vbox.events().iter().any(|event| event.what == What::PowerButton { heeded: false }));
    host.vbox.fault(Fault::new(Effect::PowerOffHangs).on(&uuid).times(1));
    assert!(hangs(host.spawn("VBoxManage", &["controlvm", &uuid, "poweroff"]), Duration::from_millis(400)));
    assert_eq!(host.vbox.state(&uuid), "stopping");
    host.vbox.kill_vm(&uuid, KILL);
    host.vbox.wait_for_state(&uuid, "aborted");
}

#[test]
fn virtualbox_can_be_made_to_say_any_word() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    for word in ["unknown", "discarding", "faulttolerantsyncing", ""] {
        host.vbox.set_state_word(&uuid, Some(word));
        assert_eq!(host.vbox.state(&uuid), word);
        let info = host.manage(&["showvminfo", &uuid, "--machinereadable"]).out;
        assert!(info.contains(&format!("\nVMState=\"{word}\"\n")), "{info}");
    }
    host.vbox.set_state_word(&uuid, None);
    assert_eq!(host.vbox.state(&uuid), "poweroff");
}

#[test]
fn a_test_can_wedge_a_session_itself() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    host.manage(&["list", "vms"]);
    host.vbox.wedge(&uuid);
    let info = host.manage(&["showvminfo", &uuid]);
    assert_eq!(info.err, recorded!("iem-s6b-termpaused-after-showvminfo.err"));
    wait_until("VBoxSVC has left", || host.vbox.vboxsvc().is_none());
    assert_eq!(host.manage(&["showvminfo", &uuid]).exit, 0);
}

#[test]
fn a_stuck_machine_fills_its_standard_error() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    let reader = std::thread::spawn(move || finish(vm));
    host.vbox.guru(&uuid);
    assert_eq!(host.manage(&["controlvm", &uuid, "poweroff"]).exit, 0);
    let ended = reader.join().unwrap();
    assert_eq!(ended.exit, 0);
    assert!(ended.err.len() > 200_000, "{} bytes", ended.err.len());
}

#[test]
fn the_log_counts_calls_and_tells_their_time() {
    let host = Host::new();
    host.vbox.create_vm("v1");
    host.vbox.fault(Fault::new(Effect::Slow(Duration::from_millis(200))).verb("list vms").times(1));
    host.manage(&["list", "vms"]);
    host.manage(&["list", "runningvms"]);
    assert_eq!((host.vbox.calls("list"), host.vbox.calls("list vms"), host.vbox.calls("showvminfo")), (2, 1, 0));
    let slow = host.vbox.events().into_iter().find_map(|event| match event.what {
        What::CallEnded { argv, exit: 0, millis } if argv == ["list", "vms"] => Some(millis),
        _ => None,
    });
    assert!(slow.is_some_and(|millis| millis >= 200), "{slow:?}");
}

#[test]
fn processes_end_when_the_host_is_gone() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    assert_eq!(host.manage(&["startvm", &uuid, "--type", "headless"]).exit, 0);
    let (vm, server) = (host.vbox.process(&uuid).unwrap(), host.vbox.vboxsvc().unwrap());
    std::fs::remove_dir_all(host.vbox.root().join("vbox")).unwrap();
    let runs =
        |pid: i32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("VBox"));
    wait_until("both are gone", || !runs(vm) && !runs(server));
    std::fs::create_dir(host.vbox.root().join("vbox")).unwrap();
}
