//! `start` and `start-force`, as SMF and people run them, on a VM in every state it may be found in.

mod support;

use std::fs::File;
use std::time::{Duration, Instant, SystemTime};

use simhost::vbox::{Effect, Fault, PowerUp};
use support::vm::{Scene, at_once, is_alive};

/// The start method left the VM as it was.
#[track_caller]
fn untouched(scene: &Scene, word: &str, pid: Option<i32>, orders: usize) {
    assert_eq!((scene.state().as_str(), scene.pid()), (word, pid), "{}", scene.log());
    assert_eq!(scene.orders().len(), orders, "{:?}", scene.orders());
}

/// Covers: start, vm/start_aborted_vm, vm/start_halted_vm, vm/start_saved_vm
#[test]
fn a_resting_vm_is_started_where_its_setting_says_so() {
    at_once(
        [
            ("poweroff", "start_halted_vm"),
            ("saved", "start_saved_vm"),
            ("aborted", "start_aborted_vm"),
            ("aborted-saved", "start_aborted_vm"),
        ],
        |(word, property)| {
            let scene = Scene::new(&[(property, "true")]);
            scene.bring_outside(word);
            scene.enable();
            assert_eq!(scene.state(), "running", "from {word}");
            assert_eq!(scene.starts(), 1, "from {word}");
            assert!(scene.orders().is_empty());
        },
    );
}

#[test]
fn a_resting_vm_is_left_alone_where_its_setting_says_no() {
    at_once(
        [
            ("poweroff", "start_halted_vm", "online"),
            ("saved", "start_saved_vm", "online"),
            ("teleported", "start_saved_vm", "online"),
            ("aborted", "start_aborted_vm", "maintenance"),
            ("aborted-saved", "start_aborted_vm", "maintenance"),
        ],
        |(word, property, service)| {
            let scene = Scene::new(&[(property, "false")]);
            scene.bring_outside(word);
            scene.enable_to(service);
            assert_eq!((scene.state().as_str(), scene.starts()), (word, 0));
            scene.expect_log(&format!("vm/{property} is false"));
            let code = if service == "online" { 0 } else { 95 };
            scene.expect_log(&format!("Method \"start\" exited with status {code}."));
        },
    );
}

/// Covers: vm/start_stuck_vm
#[test]
fn a_stuck_vm_is_powered_off_and_started_only_where_its_setting_says_so() {
    let scene = Scene::new(&[("start_stuck_vm", "false")]);
    let pid = scene.bring_outside("gurumeditation");
    scene.enable();
    untouched(&scene, "gurumeditation", pid, 0);

    let scene = Scene::new(&[("start_stuck_vm", "true")]);
    let pid = scene.bring_outside("gurumeditation");
    scene.enable();
    assert_eq!(scene.state(), "running");
    assert_ne!(scene.pid(), pid);
    assert_eq!(scene.orders(), ["poweroff"]);
}

/// Covers: vm/start_paused_vm
#[test]
fn a_paused_vm_of_somebody_else_is_refused_or_taken_over() {
    let scene = Scene::new(&[("start_paused_vm", "false")]);
    let pid = scene.bring_outside("paused");
    scene.enable_to("maintenance");
    untouched(&scene, "paused", pid, 1);
    scene.expect_log("vm/start_paused_vm is false");
    scene.set(&[("start_paused_vm", "true")]);
    scene.svcadm(&format!("clear {}", support::vm::WEB));
    scene.wait_service("online");
    assert_eq!(scene.state(), "running");
    assert_eq!(scene.orders(), ["pause", "savestate"]);
}

#[test]
fn a_paused_vm_of_this_instance_is_refused_or_resumed_in_its_own_process() {
    let scene = Scene::new(&[("start_paused_vm", "false")]);
    scene.enable();
    let pid = scene.pid();
    scene.vbox.guest_pause(&scene.uuid);
    scene.start_again_to("maintenance");
    untouched(&scene, "paused", pid, 0);
    scene.set(&[("start_paused_vm", "true")]);
    scene.svcadm(&format!("clear {}", support::vm::WEB));
    scene.wait_service("online");
    untouched(&scene, "running", pid, 1);
    assert_eq!(scene.orders(), ["resume"]);
}

#[test]
fn a_running_vm_of_somebody_else_is_taken_over_whatever_start_saved_vm_says() {
    let scene = Scene::new(&[("start_saved_vm", "false")]);
    let foreign = scene.start_outside();
    scene.enable();
    assert_eq!(scene.state(), "running");
    assert_ne!(scene.live_pid(), foreign);
    assert!(!is_alive(foreign));
    assert_eq!(scene.orders(), ["savestate"]);
    scene.vbox.kill_vm(&scene.uuid, 9);
    scene.wait_log("the VM is live\n");
    scene.wait_vm("running");
}

#[test]
fn a_running_vm_of_this_instance_is_not_disturbed() {
    let scene = Scene::new(&[]);
    scene.enable();
    let pid = scene.live_pid();
    scene.start_again_to("online");
    untouched(&scene, "running", Some(pid), 0);
    // The new monitor is no parent of it, and notices its end all the same.
    scene.vbox.kill_vm(&scene.uuid, 9);
    scene.wait_new_process(pid);
    scene.wait_vm("running");
    assert_eq!(scene.service(), "online");
}

#[test]
fn a_state_this_program_does_not_know_is_refused_by_name() {
    let scene = Scene::new(&[]);
    scene.vbox.set_state_word(&scene.uuid, Some("hibernating"));
    scene.enable_to("maintenance");
    scene.expect_log("hibernating");
    assert_eq!(scene.starts(), 0);
}

#[test]
fn a_state_that_passes_is_waited_for() {
    at_once(["stopping", "deletingsnapshot", "restoringsnapshot", "snapshotting", "settingup"], |word| {
        let scene = Scene::new(&[]);
        scene.vbox.set_state_word(&scene.uuid, Some(word));
        scene.svcadm(&format!("enable {}", support::vm::WEB));
        scene.wait_log(&format!("the VM is {word}"));
        assert_eq!(scene.starts(), 0);
        scene.vbox.set_state_word(&scene.uuid, None);
        scene.wait_service("online");
        assert_eq!(scene.state(), "running");
    });
}

#[test]
fn a_state_that_does_not_pass_is_waited_for_only_as_long_as_a_start_may_take() {
    let scene = Scene::new(&[]);
    scene.set_method_timeout("start", 4);
    scene.vbox.set_state_word(&scene.uuid, Some("stopping"));
    scene.enable_to("maintenance");
    scene.expect_log("Method \"start\" exited with status 95.");
    assert_eq!(scene.starts(), 0);
}

#[test]
fn a_vm_that_is_being_saved_is_started_when_it_is_saved() {
    let scene = Scene::new(&[]);
    scene.start_outside();
    scene.vbox.fault(Fault::new(Effect::SaveTakes(Duration::from_secs(2))).on(&scene.uuid).times(1));
    let _save = scene.spawn_manage(&["controlvm", &scene.uuid, "savestate"]);
    scene.wait_vm("saving");
    scene.enable();
    assert_eq!(scene.state(), "running");
    assert_eq!((scene.starts(), scene.orders().len()), (2, 1));
}

#[test]
fn a_vm_that_somebody_else_is_starting_or_restoring_is_taken_over_when_it_is_up() {
    at_once([("poweroff", "starting"), ("saved", "restoring")], |(rest, word)| {
        let scene = Scene::new(&[]);
        scene.vbox.set_rest(&scene.uuid, rest);
        scene.vbox.fault(Fault::new(Effect::StartTakes(Duration::from_secs(2))).on(&scene.uuid).times(1));
        let _start = scene.spawn_manage(&["startvm", &scene.uuid, "--type", "headless"]);
        scene.wait_vm(word);
        scene.enable();
        assert_eq!(scene.state(), "running");
        assert_eq!((scene.starts(), scene.orders()), (2, vec!["savestate".to_string()]), "{word}");
    });
}

#[test]
fn a_vm_that_virtualbox_has_lost_is_not_started_before_its_process_is_gone() {
    at_once([(false, 9), (true, 9), (true, 15)], |(ours, signal)| {
        let scene = Scene::new(&[]);
        if ours {
            scene.enable();
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(scene.monitor()), nix::sys::signal::SIGKILL).unwrap();
        } else {
            scene.start_outside();
        }
        let old = scene.live_pid();
        scene.vbox.kill_vboxsvc(signal);
        if ours {
            scene.start_again_to("online");
        } else {
            scene.enable();
        }
        assert!(!is_alive(old));
        assert_eq!((scene.state().as_str(), scene.starts(), scene.orders().len()), ("running", 2, 0));
    });
}

/// Covers: vm/is_interactive, vm/is_dualboot
#[test]
fn an_interactive_vm_is_its_users_in_every_state() {
    at_once(["is_interactive", "is_dualboot"], |kind| {
        for word in ["poweroff", "saved", "aborted", "running", "paused", "gurumeditation"] {
            // The service says yes to most of these; for such a VM only the instance's own word counts.
            let scene = Scene::new(&[(kind, "true")]);
            let pid = scene.bring_outside(word);
            let orders = scene.orders().len();
            scene.enable();
            untouched(&scene, word, pid, orders);
        }
    });
}

#[test]
fn an_interactive_vm_is_started_where_the_instance_itself_says_so() {
    let scene = Scene::new(&[("is_interactive", "true"), ("start_halted_vm", "true")]);
    scene.enable();
    assert_eq!(scene.state(), "running");
}

#[test]
fn a_vm_that_the_monitor_only_found_running_is_still_somebody_elses() {
    let scene = Scene::new(&[("start_halted_vm", "false")]);
    scene.enable();
    let foreign = scene.start_outside();
    // The monitor takes notice of it: it looks again after a refresh.
    scene.set(&[("kicker_debug", "true")]);
    scene.wait_log("debug web: the VM is running");
    scene.start_again_to("online");
    assert_eq!(scene.orders(), ["savestate"]);
    assert_ne!(scene.live_pid(), foreign);
}

/// Covers: start-force
#[test]
fn start_force_starts_from_every_state_whatever_the_settings_say() {
    let no = [
        ("start_aborted_vm", "false"),
        ("start_paused_vm", "false"),
        ("start_halted_vm", "false"),
        ("start_saved_vm", "false"),
        ("start_stuck_vm", "false"),
    ];
    at_once(
        [
            ("poweroff", &[][..]),
            ("saved", &[]),
            ("aborted", &[]),
            ("running", &["savestate"]),
            ("paused", &["pause", "savestate"]),
            ("gurumeditation", &["poweroff"]),
        ],
        |(word, orders)| {
            for kind in [None, Some(("is_interactive", "true"))] {
                let scene = Scene::new(&no);
                kind.iter().for_each(|kind| scene.set(&[*kind]));
                // With the VM off the service comes online without it.
                scene.enable();
                let old = scene.bring_outside(word);
                std::fs::write(scene.run_file("block"), "").unwrap();
                let ran = scene.run("start-force");
                assert_eq!(ran.code, 0, "from {word}: {ran:?}");
                assert_eq!(scene.state(), "running", "from {word}");
                assert_ne!(scene.pid(), old, "from {word}");
                assert_eq!(scene.orders(), orders, "from {word}");
                assert!(!scene.run_file("block").exists());
            }
        },
    );
}

#[test]
fn a_fresh_block_file_holds_the_start_and_is_touched() {
    let scene = Scene::new(&[]);
    let file = File::create(scene.run_file("block")).unwrap();
    let before = SystemTime::now() - Duration::from_secs(30);
    file.set_modified(before).unwrap();
    scene.enable_to("maintenance");
    scene.expect_log("Method \"start\" exited with status 95.");
    assert_eq!((scene.starts(), scene.vbox.calls("")), (0, 0));
    assert!(file.metadata().unwrap().modified().unwrap() > before, "it was not touched");
}

/// Covers: vm/kicker_blockfile_enabled
#[test]
fn an_old_block_file_is_removed_and_one_that_is_not_looked_at_stays() {
    for (enabled, stays) in [("true", false), ("false", true)] {
        let scene = Scene::new(&[("kicker_blockfile_enabled", enabled)]);
        let file = File::create(scene.run_file("block")).unwrap();
        if !stays {
            file.set_modified(SystemTime::now() - Duration::from_secs(61)).unwrap();
        }
        scene.enable();
        assert_eq!(scene.state(), "running");
        assert_eq!(scene.run_file("block").exists(), stays);
    }
}

#[test]
fn a_block_file_of_another_user_holds_nothing() {
    if !nix::unistd::geteuid().is_root() {
        return; // only root can make one
    }
    let scene = Scene::new(&[]);
    let path = scene.run_file("block");
    File::create(&path).unwrap();
    std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
    scene.enable();
    assert_eq!(scene.state(), "running");
    assert!(!path.exists());
    scene.expect_log("belongs to another user");
}

#[test]
fn a_vm_that_virtualbox_does_not_know_is_a_configuration_error() {
    let scene = Scene::new(&[("name", "nosuch")]);
    scene.enable_to("maintenance");
    scene.expect_log("Method \"start\" exited with status 96.");
    scene.expect_log("nosuch");
    assert_eq!(scene.run("start").code, 96);
}

#[test]
fn a_vm_is_found_by_its_uuid_and_by_a_name_that_smf_does_not_allow() {
    for by_uuid in [true, false] {
        let name = "my web's \\ \\\"größte\\\" VM";
        let scene = Scene::of(simhost::vbox::Spec::named(&name.replace('\\', "")), &[]);
        // The backslashes are svccfg's.
        let asked = if by_uuid { scene.uuid.clone() } else { name.replace("\\ ", " ") };
        scene.set(&[("name", &asked)]);
        scene.vbox.create_vm("my web");
        scene.enable();
        assert_eq!(scene.state(), "running", "{asked}");
    }
}

#[test]
fn a_vm_that_does_not_come_up_fails_the_start_with_virtualboxs_own_words() {
    at_once(
        [
            (PowerUp::MissingDisk, "VERR_FILE_NOT_FOUND"),
            (PowerUp::DiskInUse, "Locking of attached media"),
            (PowerUp::NoDriver, "driver"),
            (PowerUp::TcpPortBusy, "VERR_NET_ADDRESS_IN_USE"),
            (PowerUp::ExitsAtOnce(1), "exit status 1: it said nothing"),
            (PowerUp::ExitsAtOnce(0), "it ended at once, without a word"),
        ],
        |(how, words)| {
            let scene = Scene::new(&[]);
            scene.vbox.fault(Fault::new(Effect::PowerUp(how.clone())).on(&scene.uuid));
            scene.enable_to("maintenance");
            scene.expect_log("Method \"start\" exited with status 95.");
            assert!(scene.log().contains(words), "{how:?}:\n{}", scene.log());
            assert_eq!((scene.state().as_str(), scene.pid()), ("poweroff", None));
        },
    );
}

#[test]
fn a_lock_that_passes_is_waited_for() {
    let scene = Scene::new(&[]);
    scene.vbox.fault(Fault::new(Effect::Locked).on(&scene.uuid).lasting(Duration::from_secs(2)));
    scene.enable();
    assert_eq!(scene.state(), "running");
}

#[test]
fn a_start_that_hangs_fails_in_time_and_leaves_the_process() {
    let scene = Scene::new(&[]);
    scene.set_method_timeout("start", 6);
    scene.vbox.fault(Fault::new(Effect::StartTakes(Duration::from_secs(600))).on(&scene.uuid));
    let began = Instant::now();
    scene.enable_to("maintenance");
    assert!(began.elapsed() >= Duration::from_secs(3));
    scene.expect_log("Method \"start\" exited with status 95.");
    assert!(scene.pid().is_some(), "a process that may yet come up is not killed");
}

/// Covers: vm/nice, vm/timezone
#[test]
fn the_vms_process_has_the_priority_and_the_timezone_of_the_settings() {
    let scene = Scene::new(&[("nice", "7"), ("timezone", "Europe/Paris")]);
    // Every system has one; the host's own directory is all that is searched.
    std::os::unix::fs::symlink("/usr/bin/renice", scene.host.bin().join("renice")).unwrap();
    scene.enable();
    let pid = scene.live_pid();
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let variables: Vec<&[u8]> = environment.split(|&b| b == 0).collect();
    assert!(variables.contains(&b"TZ=Europe/Paris".as_slice()));
    assert!(!variables.iter().any(|v| v.starts_with(b"SMF_") || v.starts_with(b"VBOXSVC_")), "a clean one");
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    assert_eq!(rest.split_whitespace().nth(16), Some("7"), "{stat}");
}
