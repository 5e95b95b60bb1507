//! The life of the stand-ins' processes: starts, ends, signals, VBoxSVC's coming and going.

mod vbox_support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use simhost::vbox::{Effect, Fault, Guest, Spec, What};
use vbox_support::{Host, KILL, STOP, TERM, finish, hangs, wait_until};

#[test]
fn a_machine_started_by_startvm_is_vboxsvcs_child_and_stops_at_the_power_button() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let started = host.manage(&["startvm", "v1", "--type", "headless"]);
    assert_eq!((started.exit, started.out.as_str()), (0, recorded!("iem-s1-startvm.out")));
    assert_eq!(host.manage(&["list", "runningvms"]).out, format!("\"v1\" {{{uuid}}}\n"));
    let process = host.vbox.process(&uuid).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let parent: i32 = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(Some(parent), host.vbox.vboxsvc());
    let cmdline = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap();
    let program = host.program("VBoxHeadless");
    assert_eq!(cmdline, format!("{}\0--comment\0v1\0--startvm\0{uuid}\0--vrde\0config\0", program.display()));

    assert_eq!(host.manage(&["controlvm", &uuid, "acpipowerbutton"]).exit, 0);
    host.vbox.wait_for_state(&uuid, "poweroff");
    wait_until("the process is gone", || host.vbox.process(&uuid).is_none());
    assert_eq!(host.vbox.states(&uuid), ["starting", "running", "poweroff"]);
    assert!(!host.vbox.ran_twice(&uuid));
}

#[test]
fn a_deaf_guest_ignores_the_power_button() {
    let host = Host::new();
    let uuid = host.vbox.create_vm_with(Spec { guest: Guest::Deaf, ..Spec::named("deaf1") });
    let vm = host.run_headless(&uuid);
    assert_eq!(host.manage(&["controlvm", &uuid, "acpipowerbutton"]).exit, 0);
    assert_eq!(host.manage(&["controlvm", &uuid, "acpisleepbutton"]).exit, 0);
    wait_until("the guest saw the button", || {
        host.vbox.events().iter().any(|event| event.what == What::PowerButton { heeded: false })
    });
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(host.vbox.state(&uuid), "running");
    let off = host.manage(&["controlvm", &uuid, "poweroff"]);
    assert_eq!((off.exit, off.err.as_str()), (0, recorded!("iem-s3-poweroff.err")));
    assert_eq!(finish(vm).exit, 0);
}

#[test]
fn term_saves_a_running_machine_and_the_next_start_restores_it() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    assert!(host.vbox.kill_vm(&uuid, TERM));
    let ended = finish(vm);
    assert_eq!((ended.exit, ended.out.as_str()), (0, recorded!("iem-s5-sigTERM.out")));
    assert_eq!(ended.err, recorded!("iem-s5-sigTERM.err"));
    assert_eq!(host.vbox.state(&uuid), "saved");
    let info = host.manage(&["showvminfo", &uuid, "--machinereadable"]).out;
    let file =
        info.lines().find_map(|line| line.strip_prefix("VMStateFile=\"")).unwrap().trim_end_matches('"').to_owned();
    assert!(std::path::Path::new(&file).exists(), "{file}");

    let vm = host.run_headless(&uuid);
    assert!(!std::path::Path::new(&file).exists(), "used up");
    host.vbox.guest_power_off(&uuid);
    let ended = finish(vm);
    assert_eq!((ended.exit, ended.err.as_str()), (0, recorded!("iem-s4-headless-restore.err")));
    assert_eq!(host.vbox.states(&uuid), ["starting", "running", "saving", "saved", "restoring", "running", "poweroff"]);
}

#[test]
fn hangup_interrupt_and_usr1_save_as_well() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    for signal in [1, 2, 10] {
        let vm = host.run_headless(&uuid);
        assert!(host.vbox.kill_vm(&uuid, signal));
        assert_eq!(finish(vm).exit, 0);
        assert_eq!(host.vbox.state(&uuid), "saved", "signal {signal}");
    }
}

#[test]
fn term_during_the_start_waits_for_it_and_saves_then() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    host.vbox.fault(Fault::new(Effect::StartTakes(Duration::from_millis(400))).times(1));
    let vm = host.spawn("VBoxHeadless", &["--startvm", &uuid]);
    host.vbox.wait_for_state(&uuid, "starting");
    assert!(host.vbox.kill_vm(&uuid, TERM));
    assert_eq!(finish(vm).exit, 0);
    assert_eq!(host.vbox.states(&uuid), ["starting", "running", "saving", "saved"]);
}

#[test]
fn kill_is_an_abort_that_vboxsvc_notices_a_moment_later() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    let killed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    assert!(host.vbox.kill_vm(&uuid, KILL));
    assert_eq!(finish(vm).exit, 137);
    host.vbox.wait_for_state(&uuid, "aborted");
    let noticed = host.vbox.events().into_iter().rev().find(|event| matches!(event.what, What::State { .. })).unwrap();
    assert!(noticed.at_ms >= killed + 100, "killed at {killed}, noticed at {}", noticed.at_ms);
    let refused = host.manage(&["controlvm", "v1", "poweroff"]);
    assert_eq!(refused.err, "VBoxManage: error: Machine 'v1' is not currently running.\n");
}

#[test]
fn kill_during_a_restore_leaves_the_saved_state() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("fill");
    host.vbox.set_rest(&uuid, "saved");
    host.vbox.fault(Fault::new(Effect::StartTakes(Duration::from_secs(5))).times(1));
    let vm = host.spawn("VBoxHeadless", &["--startvm", &uuid]);
    host.vbox.wait_for_state(&uuid, "restoring");
    host.vbox.kill_vm(&uuid, KILL);
    host.vbox.wait_for_state(&uuid, "aborted-saved");
    finish(vm);
    let vm = host.run_headless(&uuid);
    host.vbox.kill_vm(&uuid, KILL);
    host.vbox.wait_for_state(&uuid, "aborted");
    finish(vm);
}

#[test]
fn term_while_paused_saves_nothing_and_wedges_the_session_until_vboxsvc_is_left_alone() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    host.vbox.guest_pause(&uuid);
    assert_eq!(host.vbox.state(&uuid), "paused");
    host.vbox.kill_vm(&uuid, TERM);
    let ended = finish(vm);
    assert_eq!((ended.exit, ended.out.as_str()), (0, recorded!("iem-s6b-termpaused.out")));
    assert_eq!(ended.err, recorded!("iem-s6b-termpaused.err"));

    // As long as somebody asks, it stays so: here for twice the time that VBoxSVC lingers.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1400) {
        assert!(host.manage(&["list", "-l", "vms"]).out.contains("\nState:                       stopping (since"));
        let info = host.manage(&["showvminfo", &uuid, "--machinereadable"]);
        assert_eq!((info.exit, info.err.as_str()), (1, recorded!("iem-s6b-termpaused-after-showvminfo.err")));
        std::thread::sleep(Duration::from_millis(50));
    }
    let off = host.manage(&["controlvm", &uuid, "poweroff"]);
    assert_eq!(off.err, recorded!("iem-s6b-termpaused-after-controlvm.err"));
    let start = host.manage(&["startvm", &uuid, "--type", "headless"]);
    assert_eq!(start.err, recorded!("iem-s6b-termpaused-after-startvm.err"));
    let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
    assert_eq!((headless.exit, headless.err.as_str()), (1, recorded!("iem-s6-termpaused2.err")));

    wait_until("VBoxSVC has left", || host.vbox.vboxsvc().is_none());
    assert!(host.manage(&["showvminfo", &uuid, "--machinereadable"]).out.contains("\nVMState=\"poweroff\"\n"));
}

#[test]
fn vboxsvc_leaves_after_its_last_client_and_stays_while_a_vm_runs() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    assert!(host.vbox.vboxsvc().is_none());
    assert_eq!(host.manage(&["list", "vms"]).exit, 0);
    let pid = host.vbox.vboxsvc().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<i32> =
        stat.rsplit_once(") ").unwrap().1.split(' ').skip(1).take(3).map(|field| field.parse().unwrap()).collect();
    let me = std::process::id() as i32;
    assert!(fields[0] != me && fields[2] != me, "neither child nor of the session: {fields:?}");
    let cmdline = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(cmdline.contains("VBoxSVC\0--auto-shutdown\0--inherit-startup-pipe\0"), "{cmdline:?}");
    wait_until("VBoxSVC has left", || host.vbox.vboxsvc().is_none());

    let vm = host.run_headless(&uuid);
    std::thread::sleep(Duration::from_millis(1100));
    assert!(host.vbox.vboxsvc().is_some());
    host.vbox.guest_power_off(&uuid);
    finish(vm);
    wait_until("VBoxSVC has left", || host.vbox.vboxsvc().is_none());
}

#[test]
fn when_vboxsvc_is_killed_the_vm_lives_on_unknown_and_a_second_copy_can_be_started() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let first = host.run_headless(&uuid);
    let pid = host.vbox.process(&uuid).unwrap();
    assert!(host.vbox.kill_vboxsvc(KILL));
    let killed = Instant::now();
    assert!(host.manage(&["showvminfo", &uuid, "--machinereadable"]).out.contains("\nVMState=\"poweroff\"\n"));
    assert_eq!(host.manage(&["list", "runningvms"]).out, "");
    assert_eq!(host.vbox.process(&uuid), Some(pid), "it lives on");
    assert!(!host.vbox.ran_twice(&uuid));

    let second = host.run_headless(&uuid);
    assert!(host.vbox.ran_twice(&uuid));
    assert!(host.vbox.events().iter().any(|event| event.what == What::SecondCopy { other: pid }));
    let ended = finish(first);
    assert!(killed.elapsed() >= Duration::from_millis(2400), "lived for {:?}", killed.elapsed());
    assert_eq!(ended.exit, 133);
    assert!(ended.err.contains("!!Assertion Failed!!"), "{}", ended.err);
    assert_eq!(host.vbox.state(&uuid), "running", "the second one is not disturbed");
    host.vbox.guest_power_off(&uuid);
    finish(second);
}

#[test]
fn when_vboxsvc_is_terminated_calls_fail_for_a_while_and_the_vm_exits_0_later() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let vm = host.run_headless(&uuid);
    assert!(host.vbox.kill_vboxsvc(TERM));
    wait_until("calls fail", || {
        let list = host.manage(&["list", "runningvms"]);
        list.exit == 1 && list.err == recorded!("iem-s10-svcTERM-showvminfo.err")
    });
    wait_until("another VBoxSVC answers", || host.manage(&["list", "runningvms"]).exit == 0);
    assert_eq!(host.vbox.state(&uuid), "poweroff");
    let ended = finish(vm);
    assert_eq!((ended.exit, ended.out.as_str()), (0, recorded!("iem-s11-TERM-calls.out")));
}

#[test]
fn a_hung_vm_hangs_those_who_ask_it_but_not_the_lists() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("fill");
    let _vm = host.run_headless(&uuid);
    host.vbox.kill_vm(&uuid, STOP);
    for args in [&["showvminfo", uuid.as_str()][..], &["controlvm", &uuid, "poweroff"]] {
        assert!(hangs(host.spawn("VBoxManage", args), Duration::from_millis(500)), "{args:?}");
    }
    assert!(host.manage(&["list", "runningvms"]).out.contains(&uuid));
    assert!(host.manage(&["list", "-l", "vms"]).out.contains("\nState:                       running (since"));
    host.vbox.kill_vm(&uuid, KILL);
    host.vbox.wait_for_state(&uuid, "aborted");
}

#[test]
fn the_gui_needs_a_display_saves_on_close_and_may_hang_afterwards() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("desk");
    let mut blind = host.command("VirtualBoxVM", &["--startvm", &uuid]);
    assert_eq!(blind.output().unwrap().status.code(), Some(1));
    assert_eq!(host.vbox.state(&uuid), "poweroff");

    let gui = host.spawn("VirtualBoxVM", &["--startvm", &uuid, "--fullscreen"]);
    host.vbox.wait_for_state(&uuid, "running");
    assert!(host.manage(&["showvminfo", &uuid, "--machinereadable"]).out.contains("\nSessionName=\"GUI/Qt\"\n"));
    host.vbox.close_saving(&uuid);
    assert_eq!(finish(gui).exit, 0);
    assert_eq!(host.vbox.state(&uuid), "saved");

    host.vbox.fault(Fault::new(Effect::HangAfterEnd).on(&uuid).times(1));
    let gui = host.spawn("VirtualBoxVM", &["--startvm", &uuid]);
    host.vbox.wait_for_state(&uuid, "running");
    host.vbox.close_saving(&uuid);
    host.vbox.wait_for_state(&uuid, "saved");
    wait_until("the session is free", || host.manage(&["showvminfo", &uuid]).exit == 0);
    assert!(hangs(gui, Duration::from_millis(300)), "the window is still there");
}

#[test]
fn a_closed_terminal_aborts_the_gui() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("desk");
    let gui = host.spawn("VirtualBoxVM", &["--startvm", &uuid]);
    host.vbox.wait_for_state(&uuid, "running");
    host.vbox.kill_vm(&uuid, 1);
    assert_eq!(finish(gui).exit, 129);
    host.vbox.wait_for_state(&uuid, "aborted");
}

#[test]
fn startvm_gui_passes_the_callers_display_on() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("desk");
    // The first call, without a display, starts VBoxSVC.
    assert_eq!(host.manage(&["startvm", &uuid, "--type", "gui"]).exit, 1);
    let mut with_display = host.command("VBoxManage", &["startvm", &uuid, "--type", "gui"]);
    assert!(with_display.env("DISPLAY", ":0").status().unwrap().success());
    std::fs::remove_file(host.program("VirtualBoxVM")).unwrap();
    let other = host.vbox.create_vm("basic");
    let failed = host.manage(&["startvm", &other]);
    assert_eq!((failed.exit, failed.err.as_str()), (1, recorded!("nodriver-startvm-gui.err")));
}

#[test]
fn a_serial_port_answers_while_the_machine_runs() {
    let host = Host::new();
    let socket = host.vbox.root().join("web.sock");
    let uuid =
        host.vbox.create_vm_with(Spec { uarts: vec![format!("server,{}", socket.display())], ..Spec::named("web") });
    let vm = host.run_headless(&uuid);
    let mut client = UnixStream::connect(&socket).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    client.write_all(b"root").unwrap();
    let mut said = String::new();
    while !said.ends_with("root") {
        let mut buffer = [0; 100];
        let length = client.read(&mut buffer).unwrap();
        assert!(length > 0, "ended after {said:?}");
        said.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    assert_eq!(said, "\r\nweb console login: root");
    host.vbox.guest_power_off(&uuid);
    finish(vm);
    assert!(!socket.exists());

    let lost =
        host.vbox.create_vm_with(Spec { uarts: vec!["server,/nonexistent/dir/x.sock".into()], ..Spec::named("lost") });
    let failed = finish(host.spawn("VBoxHeadless", &["--startvm", &lost]));
    assert_eq!((failed.exit, failed.out.as_str()), (0, recorded!("iem-uart-baddir-headless.out")));
}

/// Only root can be two users; elsewhere there is nothing to see.
#[test]
fn users_see_their_own_machines_alone_and_have_a_vboxsvc_each() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let other = 4242;
    let host = Host::new();
    host.open_to_all_users();
    let mine = host.vbox.create_vm("mine");
    let theirs = host.vbox.create_vm_with(Spec { owner: Some(other), ..Spec::named("theirs") });
    let as_other = |args: &[&str]| {
        let output = host.command("VBoxManage", args).uid(other).gid(other).output().unwrap();
        assert!(output.stderr.is_empty() || !output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    host.vbox.fault(Fault::new(Effect::Noise).verb("--version").times(1));
    assert!(as_other(&["--version"]).starts_with("WARNING"), "faults reach every user");
    assert_eq!(host.manage(&["list", "vms"]).out, format!("\"mine\" {{{mine}}}\n"));
    assert_eq!(as_other(&["list", "vms"]), format!("\"theirs\" {{{theirs}}}\n"));
    assert!(as_other(&["startvm", "mine"]).contains("Could not find a registered machine named 'mine'"));
    assert!(as_other(&["startvm", "theirs", "--type", "headless"]).contains("has been successfully started"));
    let their_vbox = host.vbox.of(other);
    assert_eq!(their_vbox.state(&theirs), "running");
    assert_ne!(their_vbox.vboxsvc(), host.vbox.vboxsvc());
    their_vbox.guest_power_off(&theirs);
    their_vbox.wait_for_state(&theirs, "poweroff");
    assert!(host.vbox.events().iter().any(|event| event.uid == other && matches!(event.what, What::Started { .. })));
    their_vbox.shut_down();
}

#[test]
fn a_home_of_somebody_else_stops_a_vboxsvc_from_starting_but_not_one_that_is_up() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let other = 4242;
    let host = Host::new();
    host.open_to_all_users();
    let home = host.vbox.root().join("home");
    std::fs::create_dir(&home).unwrap();
    let list = |home: Option<&std::path::Path>| {
        let mut command = host.command("VBoxManage", &["list", "vms"]);
        command.envs(home.map(|home| ("HOME", home))).uid(other).gid(other).output().unwrap()
    };
    let denied = list(Some(&home));
    assert_eq!(denied.status.code(), Some(1));
    let text = String::from_utf8(denied.stderr).unwrap();
    assert_eq!(text, recorded!("iem-nr-user-with-root-home.err").replace("/root/", &format!("{}/", home.display())));
    assert!(list(None).status.success());
    assert!(list(Some(&home)).status.success(), "one is up now");
    host.vbox.of(other).shut_down();
}
