//! `startgui`: a VM that SMF keeps goes on in a window, and comes back when its user has saved it there.

// clippy does not take an integration test's helpers for tests.
#![allow(clippy::unwrap_used)]

mod startgui_support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use simhost::vbox::{Effect, Event, Fault, PowerUp, What};
use simhost::vboxsvc_exe;
use startgui_support::{Running, SOON, WEB, Web};

/// Covers: startgui
#[test]
fn a_saved_window_gives_the_vm_back_to_the_monitor() {
    let web = Web::online();
    let ended = web.startgui(&["--vbox-option", "--fullscreen"]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert_eq!(web.program().as_deref(), Some("VirtualBoxVM"), "it returned before the VM was live in the window");
    assert_eq!(web.vbox.state(&web.uuid), "running");
    assert!(!web.nokick());
    assert!(web.vbox.states(&web.uuid).contains(&"saved".to_string()), "the state was not saved");
    let cmdline = fs::read(format!("/proc/{}/cmdline", web.vbox.process(&web.uuid).unwrap())).unwrap();
    assert!(cmdline.ends_with(b"\0--fullscreen\0"), "the option did not arrive");

    web.vbox.close_saving(&web.uuid);
    let began = Instant::now();
    web.wait_for_headless();
    assert!(began.elapsed() < Duration::from_secs(10), "taken back after {:?}", began.elapsed());
    assert!(!web.restart_once(), "the restart-once file is used up");
    assert_eq!(web.host.state(WEB).as_deref(), Some("online"));
    web.check_one_copy();
}

#[test]
fn the_window_lives_in_a_session_of_its_own_and_with_the_callers_display_only() {
    let web = Web::online();
    let mut command = web.vboxsvc(&["--vm", "web", "startgui"]);
    command.env("XAUTHORITY", "/x/authority").env("SECRET", "1");
    assert_eq!(Running::start(command).end().code, 0);
    let pid = web.vbox.process(&web.uuid).unwrap();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let session = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(3).unwrap();
    assert_eq!(session, pid.to_string(), "the window shares its caller's session");
    let environ = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let has = |wanted: &[u8]| environ.split(|b| *b == 0).any(|entry| entry.starts_with(wanted));
    assert!(has(b"DISPLAY=:7") && has(b"XAUTHORITY=/x/authority") && has(b"LC_ALL="));
    assert!(!has(b"SECRET="), "the caller's environment leaked in");
}

#[test]
fn without_a_display_nothing_is_touched() {
    let web = Web::online();
    let old = web.vbox.process(&web.uuid);
    let mut command = web.vboxsvc(&["--vm", "web", "startgui"]);
    command.env_remove("DISPLAY");
    let ended = Running::start(command).end();
    assert_eq!(ended.code, 2, "{}", ended.said);
    assert!(ended.said.contains("DISPLAY"), "{}", ended.said);
    assert_eq!(web.vbox.process(&web.uuid), old);
    assert_eq!(web.vbox.calls("controlvm"), 0);
}

#[test]
fn fault_10_a_window_that_does_not_open_leaves_the_vm_to_the_monitor() {
    let web = Web::online();
    web.vbox.fault(Fault::new(Effect::PowerUp(PowerUp::SavedStateBad)).on(&web.uuid).times(1));
    let ended = web.startgui(&[]);
    assert_eq!(ended.code, 95, "{}", ended.said);
    assert!(!web.nokick());
    web.wait_for_headless();
    assert_eq!(web.host.state(WEB).as_deref(), Some("online"));
    web.check_one_copy();
}

#[test]
fn a_vm_that_was_down_stays_as_it_was_when_its_window_does_not_open() {
    let web = Web::disabled();
    web.vbox.set_rest(&web.uuid, "saved");
    web.vbox.fault(Fault::new(Effect::PowerUp(PowerUp::SavedStateBad)).on(&web.uuid).times(1));
    assert_eq!(web.startgui(&[]).code, 95);
    assert_eq!(web.vbox.state(&web.uuid), "saved");
    assert!(!web.nokick() && !web.restart_once());
}

#[test]
fn a_locked_session_is_tried_again() {
    let web = Web::disabled();
    web.vbox.fault(Fault::new(Effect::Locked).on(&web.uuid).lasting(Duration::from_millis(700)));
    let ended = web.startgui(&[]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    web.check_one_copy();
}

#[test]
fn without_the_service_the_vm_is_just_shown() {
    let web = Web::disabled();
    let ended = web.startgui(&[]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    web.wait_for_window();
    assert!(!web.restart_once(), "there is no monitor to take the VM back");
    web.vbox.close_saving(&web.uuid);
    web.eventually("saved", || web.vbox.process(&web.uuid).is_none());
    assert_eq!(web.vbox.state(&web.uuid), "saved");
}

#[test]
fn a_second_startgui_leaves_the_window_as_it_is() {
    let web = Web::online();
    assert_eq!(web.startgui(&[]).code, 0);
    let window = web.vbox.process(&web.uuid);
    let ended = web.startgui(&[]);
    assert_eq!(ended.code, 0);
    assert!(ended.said.contains("in a window already"), "{}", ended.said);
    assert_eq!(web.vbox.process(&web.uuid), window);

    let foreground = web.foreground(&[]);
    assert_eq!(web.vbox.process(&web.uuid), window);
    web.vbox.close_saving(&web.uuid);
    assert_eq!(foreground.end().code, 0);
    web.wait_for_headless();
}

#[test]
fn several_at_once_open_one_window() {
    let web = Web::online();
    let all: Vec<Running> = (0..3).map(|_| Running::start(web.vboxsvc(&["--vm", "web", "startgui"]))).collect();
    for running in all {
        let ended = running.end();
        assert_eq!(ended.code, 0, "{}", ended.said);
    }
    let started = |event: &Event| matches!(&event.what, What::Started { program, .. } if program == "VirtualBoxVM");
    assert_eq!(web.vbox.events().iter().filter(|event| started(event)).count(), 1);
    web.check_one_copy();
}

#[test]
fn a_paused_vm_goes_on_in_the_window_and_a_stuck_one_is_refused() {
    let web = Web::online();
    web.vbox.guest_pause(&web.uuid);
    assert_eq!(web.startgui(&[]).code, 0);
    web.wait_for_window();

    web.vbox.close_saving(&web.uuid);
    web.wait_for_headless();
    web.vbox.guru(&web.uuid);
    let old = web.vbox.process(&web.uuid);
    let ended = web.startgui(&[]);
    assert_eq!(ended.code, 95, "{}", ended.said);
    assert!(ended.said.contains("power it off first"), "{}", ended.said);
    assert_eq!(web.vbox.process(&web.uuid), old);
}

#[test]
fn in_the_foreground_it_stays_until_the_window_is_closed() {
    let web = Web::online();
    let mut foreground = web.foreground(&[]);
    std::thread::sleep(Duration::from_millis(800));
    assert!(foreground.is_running());
    web.vbox.close_saving(&web.uuid);
    assert_eq!(foreground.end().code, 0);
    web.wait_for_headless();
    web.check_one_copy();
}

#[test]
fn a_trapped_signal_stops_the_vm_properly() {
    let web = Web::online();
    let foreground = web.foreground(&[]);
    foreground.signal(Signal::SIGHUP);
    let ended = foreground.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert!(!web.nokick());
    let states = web.vbox.states(&web.uuid);
    assert_eq!(states.iter().filter(|state| *state == "saved").count(), 2, "{states:?}");
    assert!(!states.contains(&"aborted".to_string()), "{states:?}");
    // The service is still wanted.
    web.wait_for_headless();
    web.check_one_copy();
}

#[test]
fn a_trapped_signal_stops_the_vm_by_the_method_and_in_the_time_of_the_command_line() {
    let web = Web::disabled();
    let foreground = web.foreground(&["-stop_method=acpipowerbutton", "-t", "30"]);
    foreground.signal(Signal::SIGTERM);
    let ended = foreground.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert_eq!(web.vbox.state(&web.uuid), "poweroff");

    web.vbox.fault(Fault::new(Effect::AcpiIgnored).on(&web.uuid));
    let foreground = web.foreground(&["-stop_method", "acpipowerbutton", "-t", "1"]);
    foreground.signal(Signal::SIGTERM);
    let ended = foreground.end();
    assert_eq!(ended.code, 125, "{}", ended.said);
    assert_eq!(web.vbox.state(&web.uuid), "running");
    assert!(!web.nokick());
}

/// Covers: vm/startgui_fg_trap_signals
#[test]
fn only_the_signals_of_the_settings_stop_the_vm() {
    let web = Web::disabled();
    web.host.setprop(WEB, "vm/startgui_fg_trap_signals", "astring", "SIGINT SIGUSR1");
    let foreground = web.foreground(&[]);
    foreground.signal(Signal::SIGTERM);
    let ended = foreground.end();
    assert_eq!(ended.code, 95, "{}", ended.said);
    assert_eq!(web.vbox.state(&web.uuid), "running");

    let foreground = web.foreground(&[]);
    foreground.signal(Signal::SIGUSR1);
    let ended = foreground.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert_eq!(web.vbox.state(&web.uuid), "saved");
}

#[test]
fn a_window_that_hangs_after_its_vm_was_saved_is_ended() {
    let web = Web::online();
    let foreground = web.foreground(&[]);
    let window = web.vbox.process(&web.uuid).unwrap();
    web.vbox.fault(Fault::new(Effect::HangAfterEnd).on(&web.uuid).times(1));
    web.vbox.close_saving(&web.uuid);
    let ended = foreground.end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert!(ended.said.contains(&format!("process {window} hangs")), "{}", ended.said);
    web.wait_for_headless();
    web.check_one_copy();
}

#[test]
fn a_startgui_that_is_killed_does_not_silence_the_monitor() {
    let web = Web::online();
    web.vbox.fault(Fault::new(Effect::SaveTakes(Duration::from_secs(2))).on(&web.uuid).times(1));
    let startgui = Running::start(web.vboxsvc(&["--vm", "web", "startgui"]));
    web.eventually("the VM is being saved", || web.vbox.state(&web.uuid) == "saving");
    assert!(web.nokick());
    startgui.signal(Signal::SIGKILL);
    assert_eq!(startgui.end().code, 137);
    web.eventually("saved", || web.vbox.states(&web.uuid).contains(&"saved".to_string()));
    web.wait_for_headless();
    web.eventually("the dead nokick file is gone", || !web.nokick());
    web.check_one_copy();
}

#[test]
fn fault_16_an_interrupted_startgui_leaves_no_nokick_file_and_the_vm_comes_back() {
    let web = Web::online();
    web.vbox.fault(Fault::new(Effect::SaveTakes(Duration::from_secs(2))).on(&web.uuid).times(1));
    let startgui = Running::start(web.vboxsvc(&["--vm", "web", "startgui"]));
    web.eventually("the VM is being saved", || web.vbox.state(&web.uuid) == "saving");
    startgui.signal(Signal::SIGINT);
    assert_eq!(startgui.end().code, 95);
    assert!(!web.nokick());
    web.eventually("saved", || web.vbox.states(&web.uuid).contains(&"saved".to_string()));
    web.wait_for_headless();
    web.check_one_copy();
}

#[test]
fn while_a_command_holds_the_monitor_off_it_does_not_ask_virtualbox() {
    let web = Web::online();
    let me = std::process::id();
    fs::write(web.host.run_dir().join("web.nokick"), format!("{me}\n")).unwrap();
    let before = web.vbox.calls("showvminfo") + web.vbox.calls("list");
    for _ in 0..5 {
        web.host.vboxsvc(["--vm", "web", "refresh"]).expect_success();
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(web.vbox.calls("showvminfo") + web.vbox.calls("list"), before, "its question takes the VM's lock");
}

/// Covers: vm/kicker_restart_saved_vm_once_file_name
#[test]
fn the_settings_say_whether_the_monitor_takes_the_vm_back() {
    let web = Web::disabled();
    web.host.setprop(WEB, "vm/kicker_restart_saved_vm_once_file_name", "astring", "false");
    web.host.setprop(WEB, "vm/start_saved_vm", "boolean", "false");
    web.host.run("svcadm", ["enable", WEB]).expect_success();
    web.host.wait_state(WEB, "online", SOON).unwrap();
    assert_eq!(web.startgui(&[]).code, 0);
    web.vbox.close_saving(&web.uuid);
    web.eventually("the window is gone", || web.vbox.process(&web.uuid).is_none());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(web.vbox.state(&web.uuid), "saved", "{}", web.host.log(WEB));

    let file = web.host.root().join("home/once");
    web.host.setprop(WEB, "vm/kicker_restart_saved_vm_once_file_name", "astring", file.to_str().unwrap());
    assert_eq!(web.startgui(&[]).code, 0);
    assert!(file.exists() && !web.restart_once());
    web.vbox.close_saving(&web.uuid);
    web.wait_for_headless();
    assert!(!file.exists());
}

#[test]
fn an_interactive_vm_stays_its_users() {
    let web = Web::disabled();
    web.host.setprop(WEB, "vm/is_interactive", "boolean", "true");
    web.host.run("svcadm", ["enable", WEB]).expect_success();
    web.host.wait_state(WEB, "online", SOON).unwrap();
    assert_eq!(web.startgui(&[]).code, 0);
    web.wait_for_window();
    assert!(!web.restart_once());
    web.vbox.close_saving(&web.uuid);
    web.eventually("the window is gone", || web.vbox.process(&web.uuid).is_none());
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(web.vbox.state(&web.uuid), "saved");
    assert_eq!(web.host.state(WEB).as_deref(), Some("online"), "{}", web.host.log(WEB));
}

#[test]
fn a_window_closed_by_a_shutdown_leaves_no_wish_behind() {
    let web = Web::online();
    let foreground = web.foreground(&[]);
    assert!(web.restart_once());
    web.vbox.guest_power_off(&web.uuid);
    assert_eq!(foreground.end().code, 0);
    assert!(!web.restart_once());
}

#[test]
fn a_wish_left_from_another_time_is_not_heeded() {
    let web = Web::disabled();
    web.host.setprop(WEB, "vm/start_saved_vm", "boolean", "false");
    fs::write(web.host.run_dir().join("web.restart_saved_once"), "").unwrap();
    web.host.run("svcadm", ["enable", WEB]).expect_success();
    web.host.wait_state(WEB, "online", SOON).unwrap();
    web.host.vboxsvc(["--vm", "web", "save"]).expect_success();
    web.host.vboxsvc(["--vm", "web", "refresh"]).expect_success();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(web.vbox.state(&web.uuid), "saved", "{}", web.host.log(WEB));
}

#[test]
fn a_launcher_link_shows_its_vm() {
    let web = Web::online();
    let link = web.host.root().join("home/vbox-startgui:web");
    symlink(vboxsvc_exe(), &link).unwrap();
    let ended = Running::start(web.command(&link, &[])).end();
    assert_eq!(ended.code, 0, "{}", ended.said);
    web.wait_for_window();
}

#[test]
fn a_launcher_link_finds_a_vm_whose_name_looks_like_an_option_or_has_blanks() {
    for name in ["-vm", "My \"old\" PC"] {
        let mut web = Web::disabled();
        web.uuid = web.vbox.create_vm(name);
        web.host.setprop(WEB, "vm/name", "astring", name);
        web.host.run("svcadm", ["enable", WEB]).expect_success();
        web.host.wait_state(WEB, "online", SOON).unwrap();
        let link = web.host.root().join("home").join(format!("vbox-startgui:{name}"));
        symlink(vboxsvc_exe(), &link).unwrap();
        let ended = Running::start(web.command(&link, &[])).end();
        assert_eq!(ended.code, 0, "{}", ended.said);
        web.wait_for_window();
    }
}

#[test]
fn a_launcher_link_that_says_nonsense_is_a_usage_error() {
    let web = Web::disabled();
    for (name, word) in [
        ("vbox-startgui:", "names no VM"),
        ("vbox-startgui:web:hibernate", "hibernate"),
        ("vbox-startgui:web:poweroff:soon", "soon"),
        ("vbox-startgui:web:poweroff:60:x", "more than three parts"),
    ] {
        let link = web.host.root().join("home").join(name);
        symlink(vboxsvc_exe(), &link).unwrap();
        let ended = Running::start(web.command(&link, &[])).end();
        assert_eq!(ended.code, 2, "{name}: {}", ended.said);
        assert!(ended.said.contains(word), "{name}: {}", ended.said);
    }
    assert_eq!(web.vbox.state(&web.uuid), "poweroff");
}

#[test]
fn a_launcher_without_a_terminal_opens_one_around_the_foreground_form() {
    let web = Web::disabled();
    let xterm = web.host.root().join("bin/xterm");
    let seen = web.host.root().join("home/xterm.args");
    // What an xterm does, without a window: notes its words and runs what follows -e.
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >{}\nshift 3\nexec \"$@\"\n", seen.display());
    fs::write(&xterm, script).unwrap();
    fs::set_permissions(&xterm, Permissions::from_mode(0o755)).unwrap();
    let link = web.host.root().join("home/vbox-startgui-fg:web:poweroff:20");
    symlink(vboxsvc_exe(), &link).unwrap();
    let foreground = Running::start(web.command(&link, &[]));
    web.wait_for_window();
    let words = fs::read_to_string(&seen).unwrap();
    let words: Vec<&str> = words.lines().collect();
    assert_eq!(words[..3], ["-T", "web", "-e"]);
    let wanted = ["--vm=web", "startgui", "--fg", "--opened-by=xterm", "--stop-method=poweroff", "--timeout=20"];
    assert_eq!(words[4..], wanted);
    web.eventually("it is done", || !web.nokick());
    foreground.signal(Signal::SIGHUP);
    assert_eq!(foreground.end().code, 0);
    assert_eq!(web.vbox.state(&web.uuid), "poweroff");
}

#[test]
fn another_vm_cannot_be_named_by_an_option() {
    let web = Web::online();
    let ended = web.startgui(&["--vbox-option", "--startvm", "--vbox-option", "other"]);
    assert_eq!(ended.code, 2, "{}", ended.said);
}

#[test]
fn a_dry_run_says_what_would_happen_and_does_nothing() {
    let web = Web::online();
    let ended = web.startgui(&["--dry-run"]);
    assert_eq!(ended.code, 0, "{}", ended.said);
    assert!(ended.said.contains("saves the VM's state, then opens its window"), "{}", ended.said);
    assert_eq!(web.program().as_deref(), Some("VBoxHeadless"));
    assert_eq!(web.vbox.calls("controlvm"), 0);
}
