//! What the settings about files and the log do. SMF and VirtualBox are stand-ins here.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::time::{Duration, SystemTime};

use simhost::vbox::Spec;
use support::eventually;
use support::vm::{Scene, WEB};

/// Covers: vm/kicker_pidfile_name, vm/kicker_nokick_file_name, vm/kicker_blockfile_name
#[test]
fn the_run_files_lie_where_the_instance_says() {
    let scene = Scene::new(&[]);
    let folder = scene.host.root().join("home");
    let path = |name: &str| folder.join(name).display().to_string();
    scene.set(&[
        ("kicker_pidfile_name", &path("my pid")),
        ("kicker_nokick_file_name", &path("hands-off")),
        ("kicker_blockfile_name", &path("blocked")),
    ]);
    scene.enable();
    let recorded = fs::read_to_string(folder.join("my pid")).unwrap();
    let monitor: i32 = recorded.split_whitespace().next().unwrap().parse().unwrap();
    assert!(support::vm::is_alive(monitor));
    assert!(!scene.run_file("pid").exists());

    // An administrator's file at that place keeps the monitor off.
    fs::write(folder.join("hands-off"), "").unwrap();
    let status = scene.run("status").stdout;
    assert!(status.contains("held by an administrator's file"), "{status}");
    fs::remove_file(folder.join("hands-off")).unwrap();

    scene.disable();
    fs::write(folder.join("blocked"), "").unwrap();
    scene.enable_to("maintenance");
    scene.expect_log("blocked");
}

/// Covers: vm/kicker_blockfile_maxage
#[test]
fn a_block_file_holds_for_as_long_as_its_setting_says() {
    for (maxage, state) in [("3600", "maintenance"), ("10", "online")] {
        let scene = Scene::new(&[("kicker_blockfile_maxage", maxage)]);
        let file = fs::File::create(scene.run_file("block")).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(120)).unwrap();
        scene.enable_to(state);
    }
}

/// Covers: vm/kicker_freq
#[test]
fn the_monitor_looks_as_often_as_its_setting_says() {
    let scene = Scene::new(&[("kicker_freq", "3600")]);
    scene.enable();
    scene.wait_live(1);
    let looks = || scene.vbox.calls("showvminfo");
    let before = looks();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(looks(), before, "once an hour is not within three seconds");
    scene.set(&[("kicker_freq", "1")]);
    eventually("the monitor looks again and again", || looks() >= before + 3);
}

/// Covers: vm/kicker_debug, vm/debug_smf
#[test]
fn the_debug_settings_tell_more_and_a_refresh_turns_them_on() {
    let scene = Scene::new(&[]);
    scene.enable();
    assert!(!scene.log().contains(" debug web: "), "{}", scene.log());
    for setting in ["kicker_debug", "debug_smf"] {
        let before = scene.log().matches(" debug web: ").count();
        scene.set(&[(setting, "true")]);
        eventually("the monitor tells more", || scene.log().matches(" debug web: ").count() > before);
        scene.set(&[(setting, "false")]);
    }
}

#[test]
fn a_value_that_cannot_be_used_is_told_once_with_its_full_name_and_the_default_counts() {
    let scene = Scene::new(&[("kicker_freq", "20")]);
    scene.host.setprop(WEB, "vm/stop_method", "astring", "explode");
    scene.enable();
    assert_eq!(scene.log().matches("vm/stop_method").count(), 1, "{}", scene.log());
    scene.disable();
    assert_eq!(scene.state(), "saved");
}

#[test]
fn two_instances_do_not_meddle_with_each_other() {
    let scene = Scene::new(&[]);
    let web2 = scene.vbox.create_vm_with(Spec::named("web2"));
    let other = scene.host.add_instance("web2");
    scene.enable();
    scene.svcadm(&format!("enable {other}"));
    scene.host.wait_state(&other, "online", support::SOON).unwrap();
    let untouched = scene.vbox.process(&web2).unwrap();
    scene.crash();
    scene.wait_live(2);
    scene.disable();
    assert_eq!(scene.vbox.process(&web2), Some(untouched));
    assert_eq!(scene.host.state(&other).as_deref(), Some("online"));
}
