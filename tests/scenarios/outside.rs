//! What goes wrong outside: VirtualBox that is slow, hangs, crashes or lies; a run directory with things planted in it;
//! programs that are missing; SMF that does not answer.

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use simhost::vbox::{Effect, Fault};
use support::eventually;
use support::vm::{Scene, WEB, at_once, is_alive, kill};

#[test]
fn passing_faults_of_virtualbox_neither_fail_a_start_nor_a_stop() {
    let text = || "VBoxManage: error: Failed to create the VirtualBox object!\n".to_string();
    at_once(
        [
            ("slow", Fault::new(Effect::Slow(Duration::from_millis(700)))),
            ("noisy", Fault::new(Effect::Noise)),
            ("crashing", Fault::new(Effect::Crash(11)).times(2)),
            ("cut off", Fault::new(Effect::CutOff { lines: 4 }).verb("showvminfo").times(2)),
            ("cut off before the first line", Fault::new(Effect::CutOff { lines: 0 }).times(2)),
            ("without a server", Fault::new(Effect::NoServer).times(3)),
            ("without a server, in other words", Fault::new(Effect::Fail { exit: 1, stderr: text() }).times(2)),
            ("a list that stalls", Fault::new(Effect::Slow(Duration::from_secs(10))).verb("list").times(1)),
            ("a list that hangs", Fault::new(Effect::Hang).verb("list").times(2)),
        ],
        |(what, fault)| {
            let scene = Scene::new(&[]);
            scene.vbox.fault(fault.clone());
            scene.enable();
            assert_eq!(scene.state(), "running", "{what}");
            scene.vbox.clear_faults();
            scene.vbox.fault(fault);
            scene.disable();
            assert_eq!((scene.state().as_str(), scene.pid(), scene.starts()), ("saved", None, 1), "{what}");
        },
    );
}

#[test]
fn a_virtualbox_that_hangs_for_ever_fails_start_and_stop_in_time() {
    let scene = Scene::new(&[("stop_timeout", "3")]);
    scene.set_method_timeout("start", 6);
    scene.vbox.fault(Fault::new(Effect::Hang));
    scene.enable_to("maintenance");
    scene.expect_log("Method \"start\" exited with status 95.");
    scene.vbox.clear_faults();
    scene.svcadm(&format!("clear {WEB}"));
    scene.wait_service("online");
    let pid = scene.live_pid();
    scene.vbox.fault(Fault::new(Effect::Hang));
    scene.disable_to("maintenance");
    scene.expect_log("Method \"stop\" exited with status 95.");
    assert!(is_alive(pid));
}

#[test]
fn a_healthy_vm_is_left_alone_while_virtualbox_fails() {
    at_once(
        [
            Effect::Fail { exit: 1, stderr: "VBoxManage: error: something new\n".into() },
            Effect::NoServer,
            Effect::Crash(11),
            Effect::CutOff { lines: 0 },
        ],
        |fault| {
            let scene = Scene::new(&[("kicker_freq", "1"), ("offline_unknown_state_maxcount", "1")]);
            scene.enable();
            scene.wait_live(1);
            let pid = scene.pid();
            scene.vbox.fault(Fault::new(fault.clone()));
            let looks = scene.vbox.calls("list runningvms");
            eventually("it was asked often", || scene.vbox.calls("list runningvms") > looks + 4);
            let status = scene.run("status");
            assert_eq!(status.code, 126, "{status:?}");
            assert!(status.stdout.contains("remark"), "{status:?}");
            assert_eq!((scene.service().as_str(), scene.pid(), scene.orders().len()), ("online", pid, 0), "{fault:?}");
            scene.vbox.clear_faults();
            scene.disable();
            assert_eq!(scene.state(), "saved");
        },
    );
}

#[test]
fn a_vm_that_hangs_is_neither_restarted_nor_taken_offline() {
    let scene = Scene::new(&[("kicker_freq", "1")]);
    scene.enable();
    scene.wait_live(1);
    let pid = scene.live_pid();
    kill(pid, Signal::SIGSTOP);
    let looks = scene.vbox.calls("showvminfo");
    eventually("it was looked at", || scene.vbox.calls("showvminfo") > looks);
    assert_eq!(scene.run("status").code, 126);
    assert_eq!((scene.service().as_str(), scene.orders().len()), ("online", 0));
    kill(pid, Signal::SIGCONT);
    eventually("it is known again", || scene.run("status").code == 0);
    assert_eq!((scene.pid(), scene.starts()), (Some(pid), 1));
}

#[test]
fn a_wedged_session_is_left_in_peace_until_it_heals() {
    let scene = Scene::new(&[]);
    scene.start_outside();
    scene.vbox.wedge(&scene.uuid);
    scene.enable();
    assert_eq!(scene.state(), "running");
}

#[test]
fn a_lock_that_stays_fails_the_start_in_time_with_its_cause() {
    let scene = Scene::new(&[]);
    scene.set_method_timeout("start", 6);
    scene.vbox.fault(Fault::new(Effect::Locked).on(&scene.uuid));
    scene.enable_to("maintenance");
    scene.expect_log("locked");
    assert_eq!((scene.state().as_str(), scene.starts()), ("poweroff", 0));
}

#[test]
fn nothing_planted_in_the_run_directory_is_followed_or_waited_for() {
    at_once(["pid", "nokick", "block", "start", "output", "notes"], |kind| {
        let scene = Scene::new(&[]);
        let victim = scene.host.root().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, scene.run_file(kind)).unwrap();
        let began = Instant::now();
        scene.svcadm(&format!("enable {WEB}"));
        eventually("the start is over", || scene.log().contains("Method \"start\" exited"));
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{kind}");
        // What a start needs is an error that names it; what it only tells is not worth failing for.
        if matches!(kind, "pid" | "block" | "start" | "output") {
            scene.wait_service("maintenance");
            scene.expect_log(&format!("web.{kind} is not a plain file"));
        }

        let scene = Scene::new(&[]);
        nix::unistd::mkfifo(&scene.run_file(kind), nix::sys::stat::Mode::S_IRWXU).unwrap();
        scene.svcadm(&format!("enable {WEB}"));
        eventually("the start is over", || scene.log().contains("Method \"start\" exited"));
        assert!(began.elapsed() < Duration::from_secs(60), "{kind}: it waited at the fifo");
    });
}

#[test]
fn a_file_of_another_user_is_not_trusted() {
    if !nix::unistd::geteuid().is_root() {
        return; // only root can make one
    }
    for kind in ["pid", "start"] {
        let scene = Scene::new(&[]);
        fs::write(scene.run_file(kind), "1 1 0\n").unwrap();
        std::os::unix::fs::chown(scene.run_file(kind), Some(12345), None).unwrap();
        scene.enable_to("maintenance");
        scene.expect_log("belongs to user id 12345");
    }
}

#[test]
fn a_run_directory_that_is_none_is_an_error_that_names_it() {
    let scene = Scene::new(&[]);
    let run = scene.host.run_dir();
    fs::remove_dir_all(&run).unwrap();
    fs::write(&run, "").unwrap();
    scene.enable_to("maintenance");
    scene.expect_log(&format!("{} is not a folder", run.display()));
    fs::remove_file(&run).unwrap();
    scene.svcadm(&format!("clear {WEB}"));
    scene.wait_service("online");
    assert_eq!(scene.state(), "running");
}

#[test]
fn a_run_directory_that_is_lost_while_the_monitor_runs_leaves_no_vm_down() {
    let scene = Scene::new(&[]);
    scene.enable();
    scene.wait_live(1);
    fs::remove_dir_all(scene.host.run_dir()).unwrap();
    scene.crash();
    scene.wait_live(2);
    assert_eq!(scene.service(), "online");
    scene.expect_log("cannot make");
}

#[test]
fn missing_programs_are_named() {
    let scene = Scene::new(&[]);
    fs::remove_file(scene.host.bin().join("VBoxManage")).unwrap();
    scene.enable_to("maintenance");
    scene.expect_log("Method \"start\" exited with status 96.");
    scene.expect_log("VBoxManage is in none of the trusted directories");
    fs::remove_file(scene.host.bin().join("svcprop")).unwrap();
    let ran = scene.run("--svc svc:/site/xvm/vbox:web status");
    assert_eq!(ran.code, 99, "{ran:?}");
    assert!(ran.stderr.contains("svcprop is in none of the trusted directories"), "{ran:?}");
}

#[test]
fn while_smf_does_not_answer_the_monitor_waits_and_then_goes_on() {
    let scene = Scene::new(&[("kicker_freq", "1")]);
    scene.enable();
    scene.wait_live(1);
    let svcprop = scene.host.bin().join("svcprop");
    let kept = svcprop.with_extension("kept");
    fs::rename(&svcprop, &kept).unwrap();
    let words = "svcprop: Could not connect to configuration repository: repository server unavailable.";
    let broken = scene.hook(&format!("echo '{words}' >&2; echo >>$R/asked; exit 1"));
    fs::rename(broken, &svcprop).unwrap();
    let (old, monitor) = (scene.crash(), scene.monitor());
    eventually("SMF was asked", || fs::read(scene.host.root().join("asked")).is_ok_and(|asked| asked.len() > 1));
    assert_eq!(scene.run("--svc svc:/site/xvm/vbox:web status").code, 99);
    fs::rename(&kept, &svcprop).unwrap();
    scene.wait_new_process(old);
    scene.wait_live(2);
    assert_eq!(scene.monitor(), monitor);
}

#[test]
fn a_full_run_directory_fails_a_start_by_name_and_no_stop() {
    let scene = Scene::new(&[]);
    let run = scene.host.run_dir();
    let options = ["-t", "tmpfs", "-o", "size=16k,mode=700", "none"];
    let mounted = std::process::Command::new("mount").args(options).arg(&run).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("NOT TESTED: a file system of our own cannot be mounted here");
        return;
    }
    let fill = || {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(run.join("fill")).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 512]).is_ok() {}
    };
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        fill();
        scene.enable_to("maintenance");
        scene.expect_log("No space left");
        assert_eq!(scene.state(), "poweroff");

        fs::remove_file(run.join("fill")).unwrap();
        scene.svcadm(&format!("clear {WEB}"));
        scene.wait_service("online");
        fill();
        scene.disable();
        assert_eq!(scene.state(), "saved");
    }));
    let unmounted = std::process::Command::new("umount").arg("--lazy").arg(&run).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}
