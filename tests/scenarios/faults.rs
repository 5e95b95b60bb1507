//! What cannot be had: file descriptors, processes, a run folder that can be written, and, by strace, any single system
//! call. SMF and VirtualBox are stand-ins here; `cargo xtask faults` strikes at every call, this at some of them.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::process::{Command, Output, Stdio};

use simhost::{simhost_exe, vboxsvc_exe};
use support::vm::{Scene, WEB, at_once, manifests};

/// The exit codes of a start, by hand or by SMF.
const DOCUMENTED: [i32; 5] = [0, 95, 96, 99, 100];

/// Runs `vboxsvc --vm web WORDS` with less of something than it wants; `prlimit` sets that.
fn limited(scene: &Scene, limit: &str, words: &[&str]) -> Output {
    let mut command = Command::new("prlimit");
    command.arg(limit).arg("--").arg(vboxsvc_exe()).args(["--svc", WEB]).args(words);
    command.env_clear().envs(scene.host.env_for_person()).current_dir("/").stdin(Stdio::null());
    command.output().unwrap()
}

fn is_told(ran: &Output) -> bool {
    let said = String::from_utf8_lossy(&ran.stderr);
    ran.status.code() == Some(0) || said.contains(" error ")
}

#[test]
fn with_too_few_file_descriptors_a_start_says_so_and_the_next_one_works() {
    at_once(3..=12, |descriptors| {
        let scene = Scene::new(&[]);
        scene.enable();
        scene.manage(&["controlvm", &scene.uuid, "pause"]).expect_success();
        let pid = scene.live_pid();
        let ran = limited(&scene, &format!("--nofile={descriptors}"), &["start"]);
        // With three there is none left to load the program's libraries with.
        let by_loader = ran.status.code() == Some(127) && descriptors == 3;
        let documented = ran.status.code().is_some_and(|code| DOCUMENTED.contains(&code));
        assert!(by_loader || (documented && is_told(&ran)), "{descriptors}: {ran:?}");
        assert_eq!(scene.pid(), Some(pid), "{descriptors}: the VM was disturbed: {ran:?}");
        scene.run("start").expect_success();
        assert_eq!((scene.state().as_str(), scene.pid()), ("running", Some(pid)), "{descriptors}");
        scene.disable();
        assert_eq!(scene.state(), "saved");
    });
}

#[test]
fn a_run_folder_that_cannot_be_written_fails_a_start_by_name_and_no_stop() {
    let scene = Scene::new(&[]);
    let run = scene.host.run_dir();
    let mount = |arguments: &[&str]| {
        let mounted = Command::new("mount").args(arguments).arg(&run).stderr(Stdio::null()).status();
        mounted.is_ok_and(|status| status.success())
    };
    let read_only = || mount(&["--bind", &run.display().to_string()]) && mount(&["-o", "remount,bind,ro"]);
    let writable = || Command::new("umount").arg("--lazy").arg(&run).status().is_ok_and(|status| status.success());
    if !read_only() {
        eprintln!("NOT TESTED: a file system of our own cannot be mounted here");
        return;
    }
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        scene.enable_to("maintenance");
        scene.expect_log("Read-only file system");
        scene.expect_log("web.start");
        assert_eq!((scene.state().as_str(), scene.starts()), ("poweroff", 0));
    }));
    assert!(writable());
    outcome.unwrap();
    scene.svcadm(&format!("clear {WEB}"));
    scene.wait_service("online");
    assert!(read_only());
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let status = scene.run("status");
        assert_eq!(status.code, 0, "{}", status.stderr);
        scene.disable();
        assert_eq!((scene.state().as_str(), scene.pid()), ("saved", None));
    }));
    assert!(writable());
    outcome.unwrap();
}

/// The limit of processes counts all of one user's, and root has none: this takes another user.
#[test]
fn where_no_process_can_be_started_a_start_says_so_and_the_next_one_works() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("NOT TESTED: it takes root to be a user who may have no process");
        return;
    }
    let scene = Scene::new(&[]);
    scene.host.svccfg(&format!(
        "select {WEB}\naddpg method_context framework\nsetprop method_context/use_profile = boolean: false\n\
         setprop method_context/user = astring: nobody\nrefresh\n"
    ));
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap().uid.as_raw();
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={nobody}"), "--clear-groups".into(), "prlimit".into(), "--nproc=0".into()]);
    command.arg("--").arg(scene.host.root().join("usr/bin/vboxsvc")).args(["--svc", WEB, "start"]);
    command.env_clear().envs(scene.host.env_for_person()).current_dir("/").stdin(Stdio::null());
    let ran = command.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code().is_some_and(|code| DOCUMENTED.contains(&code) && code != 0), "{ran:?}");
    assert!(said.contains("Resource temporarily unavailable") && said.contains("svcprop"), "{said}");
    assert_eq!(scene.starts(), 0);
}

/// Some of the calls of these targets; `cargo xtask faults` takes all of them.
fn strike(options: &[&str], sample: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Command::new(simhost_exe());
    faults.args(["faults", "--sample", &sample.to_string()]).args(options);
    faults.env("VBOXSVC_EXE", vboxsvc_exe()).env("SIMHOST_EXE", simhost_exe());
    for (number, text) in manifests().iter().enumerate() {
        let path = folder.path().join(format!("{number}.xml"));
        fs::write(&path, text).unwrap();
        faults.arg(path);
    }
    let ran = faults.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    if ran.status.code() == Some(2) {
        eprintln!("NOT TESTED: {said}");
        return;
    }
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    println!("{said}");
}

#[test]
fn whatever_system_call_fails_the_outcome_is_a_documented_one() {
    strike(&[], 6);
}

#[test]
fn only_whole_packages_have_a_name() {
    let writer = simhost::host::binaries::xtask_exe();
    strike(&["--target", "packages", "--writer", &writer.display().to_string()], 30);
}
