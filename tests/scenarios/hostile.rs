//! A hostile local user against VMs that are not his: planted things, races, paths and environments. Root's side is
//! tried as root; run by anybody else, those tests say that they tested nothing. SMF and VirtualBox are stand-ins here.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use simhost::Ran;
use simhost::vbox::Spec;
use support::eventually;
use support::vm::{Scene, WEB, at_once, is_alive, kill};

/// Somebody who is neither root nor known here.
const STRANGER: u32 = 12345;

/// Puts something at a path where a file is expected.
type Plant = fn(&Path);

fn root_or_say_so() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        eprintln!("NOT TESTED: it takes root to have something to defend");
    }
    is_root
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// `vboxsvc --vm web WORDS` with more variables, and a last touch.
fn run_with(scene: &Scene, words: &str, more: &[(&str, &str)], touch: impl Fn(&mut Command)) -> Ran {
    let mut command = Command::new(scene.host.root().join("usr/bin/vboxsvc"));
    command.args(["--vm", "web"]).args(words.split(' ')).current_dir("/");
    command.env_clear().envs(scene.host.env_for_person()).envs(more.iter().copied()).stdin(Stdio::null());
    touch(&mut command);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

// --- planted things and races ----------------------------------------------------------------------------------------

#[test]
fn no_kind_of_thing_planted_for_a_run_file_is_used_or_waited_for() {
    let plants: [(&str, Plant); 3] = [
        ("socket", |path| drop(UnixListener::bind(path).unwrap())),
        ("folder", |path| fs::create_dir(path).unwrap()),
        ("link to nowhere", |path| symlink("/nowhere/at/all", path).unwrap()),
    ];
    at_once(plants, |(what, plant)| {
        for kind in ["pid", "start", "output"] {
            let scene = Scene::new(&[]);
            plant(&scene.run_file(kind));
            scene.enable_to("maintenance");
            scene.expect_log(&format!("web.{kind} "));
            assert_eq!((scene.state().as_str(), scene.starts()), ("poweroff", 0), "{what} for {kind}");
        }
    });
}

#[test]
fn a_file_swapped_for_a_link_while_we_work_leads_nowhere() {
    let scene = Scene::new(&[]);
    let victim = scene.host.root().join("victim");
    fs::write(&victim, "precious").unwrap();
    scene.enable();
    scene.wait_live(1);
    let swapped: Vec<_> = ["nokick", "notes", "output", "start"].map(|kind| scene.run_file(kind)).into();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for path in &swapped {
                    // Whichever of these fails has met a file that is there, or none.
                    let _ = fs::remove_file(path);
                    let _ = symlink(&victim, path);
                    thread::yield_now();
                    let _ = fs::remove_file(path);
                }
            }
        });
        for _ in 0..15 {
            for words in ["status", "save", "start", "refresh"] {
                let _ = scene.run(words);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    // A monitor whose hold was swapped away may have taken the service offline by now; the VM is under command all the
    // same.
    eventually("the VM is saved", || scene.run("save").code == 0 && scene.state() == "saved");
    assert_eq!(scene.pid(), None);
}

#[test]
fn a_pid_file_that_names_an_innocent_process_gets_nobody_killed() {
    let scene = Scene::new(&[]);
    let mut innocent = Command::new("/bin/sleep").arg("600").spawn().unwrap();
    let pid = innocent.id() as i32;
    for text in [format!("{pid} 1 0\n{pid} 1 0\n"), format!("{pid}\n"), "-1 1 0\n0 1 0\n".to_string()] {
        fs::write(scene.run_file("pid"), text).unwrap();
        scene.enable();
        scene.wait_live(1);
        scene.run("poweroff -k").expect_success();
        scene.disable_to("disabled");
        assert!(is_alive(pid));
    }
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

#[test]
fn a_pid_file_of_the_administrators_choice_that_holds_something_else_is_left_alone() {
    let scene = Scene::new(&[]);
    let precious = scene.host.root().join("precious");
    fs::write(&precious, "root:x:0:0::/root:/bin/sh\n").unwrap();
    scene.set(&[("kicker_pidfile_name", precious.to_str().unwrap())]);
    scene.enable_to("maintenance");
    scene.expect_log("holds something else");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "root:x:0:0::/root:/bin/sh\n");
    assert_eq!(scene.starts(), 0);
}

// --- a hook that root would run ----------------------------------------------------------------------------------------

#[test]
fn root_runs_no_hook_below_a_folder_or_behind_a_link_that_others_can_change() {
    if !root_or_say_so() {
        return;
    }
    let scene = Scene::new(&[]);
    scene.hook("echo >>$R/ran");
    let base = scene.host.root().join("hooks");
    fs::create_dir_all(base.join("above/below")).unwrap();
    let hook = base.join("above/below/check");
    fs::copy(scene.host.root().join("lib/svc/method/check"), &hook).unwrap();
    fs::create_dir(base.join("links")).unwrap();
    symlink(&hook, base.join("links/check")).unwrap();
    let ran = || scene.host.root().join("ran").exists();
    let refused = |path: &Path, place: &Path| {
        scene.set(&[("kicker_vmsvccheck_method", path.to_str().unwrap())]);
        let told = scene.run("vmsvccheck");
        assert!(told.code > 3 && told.stderr.contains("is not run as root"), "{told:?}");
        assert!(told.stderr.contains(&format!("could change {}:", place.display())), "{told:?}");
        assert!(!ran(), "{told:?}");
    };
    for (place, mode) in [("above", 0o777), ("above", 0o775), ("above/below", 0o757), ("above/below/check", 0o775)] {
        chmod(&base.join(place), mode);
        refused(&hook, &base.join(place));
        chmod(&base.join(place), 0o755);
    }
    chmod(&base.join("links"), 0o777);
    refused(&base.join("links/check"), &base.join("links"));
    chmod(&base.join("links"), 0o755);
    chown(base.join("above"), Some(STRANGER), None).unwrap();
    refused(&hook, &base.join("above"));
    chown(base.join("above"), Some(0), None).unwrap();
    scene.set(&[("kicker_vmsvccheck_method", base.join("links/check").to_str().unwrap())]);
    assert_eq!(scene.run("vmsvccheck").code, 0);
    assert!(ran());
}

// --- environments and limits -------------------------------------------------------------------------------------------

#[test]
fn no_variable_of_the_caller_reaches_another_program() {
    let scene = Scene::new(&[]);
    scene.hook("env >$R/seen");
    scene.set(&[("kicker_vmsvccheck_method", scene.host.root().join("lib/svc/method/check").to_str().unwrap())]);
    let evil = [
        ("LD_LIBRARY_PATH", "/nowhere"),
        ("LD_AUDIT_64", "/nowhere/x.so"),
        ("IFS", "/"),
        ("ENV", "/nowhere/env"),
        ("BASH_ENV", "/nowhere/env"),
        ("HOME", "/nowhere"),
        ("TMPDIR", "/nowhere"),
        ("PATH", "/nowhere"),
        ("PERL5OPT", "-Mevil"),
        ("LC_ALL", "C"),
    ];
    let ran = run_with(&scene, "vmsvccheck", &evil, |_| ());
    assert_eq!(ran.code, 0, "{ran:?}");
    let seen = fs::read_to_string(scene.host.root().join("seen")).unwrap();
    assert!(!seen.contains("nowhere") && !seen.contains("evil") && !seen.contains("\nIFS=/\n"), "{seen}");
    assert!(seen.contains("LC_ALL=C.UTF-8"), "{seen}");

    // And none stays with what a start leaves behind.
    let ran = run_with(&scene, "start", &evil, |_| ());
    assert_eq!(ran.code, 0, "{ran:?}");
    for pid in [scene.monitor(), scene.live_pid()] {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment).replace('\0', "\n");
        assert!(!environment.contains("nowhere") && !environment.contains("evil"), "{environment}");
    }
}

/// Somebody may be root by pfexec alone, and brings his own variables along.
#[test]
fn root_takes_neither_programs_nor_virtualboxs_variables_from_its_caller() {
    if !root_or_say_so() {
        return;
    }
    let scene = Scene::new(&[]);
    scene.hook("env >$R/seen");
    scene.set(&[("kicker_vmsvccheck_method", scene.host.root().join("lib/svc/method/check").to_str().unwrap())]);
    let ran = run_with(&scene, "vmsvccheck", &[("VBOX_APP_HOME", "/nowhere")], |_| ());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(!fs::read_to_string(scene.host.root().join("seen")).unwrap().contains("VBOX_APP_HOME"));

    scene.host.svccfg(&format!(
        "select {WEB}\naddpg method_context framework\nsetprop method_context/environment = astring: \"VBOX_X=1\"\nrefresh\n"
    ));
    run_with(&scene, "vmsvccheck", &[], |_| ());
    assert!(fs::read_to_string(scene.host.root().join("seen")).unwrap().contains("VBOX_X=1"), "what SMF says is said");

    let theirs = scene.host.root().join("tmp/theirs");
    fs::create_dir(&theirs).unwrap();
    for tool in ["svcprop", "VBoxManage", "VBoxHeadless"] {
        fs::write(theirs.join(tool), format!("#!/bin/sh\necho >{}\n", theirs.join("owned").display())).unwrap();
        chmod(&theirs.join(tool), 0o755);
    }
    chown(&theirs, Some(STRANGER), None).unwrap();
    let ran = run_with(&scene, "status", &[("VBOXSVC_TOOL_PATH", theirs.to_str().unwrap())], |_| ());
    assert!(ran.code != 0 && ran.stderr.contains("is not for root"), "{ran:?}");
    let ran = run_with(&scene, "status", &[("VBOXSVC_RUN_DIR", theirs.to_str().unwrap())], |_| ());
    assert!(ran.code != 0 && ran.stderr.contains("could change"), "{ran:?}");
    assert!(!theirs.join("owned").exists() && !theirs.join("0").exists());
}

#[test]
fn a_set_uid_copy_of_the_program_refuses_to_work() {
    if !root_or_say_so() {
        return;
    }
    let scene = Scene::new(&[]);
    let copy = scene.host.root().join("usr/bin/set-uid");
    fs::copy(simhost::vboxsvc_exe(), &copy).unwrap();
    chmod(&copy, 0o4755);
    let run = |program: &Path| {
        let mut command = Command::new(program);
        command.args(["--vm", "web", "status"]).env_clear().envs(scene.host.env_for_person()).current_dir("/");
        command.uid(STRANGER).gid(STRANGER).stdin(Stdio::null()).output().unwrap()
    };
    let output = run(&copy);
    let told = String::from_utf8_lossy(&output.stderr);
    if !told.contains("set-uid") && String::from_utf8_lossy(&run(&copy).stderr).contains("no user with id") {
        eprintln!("NOT TESTED: set-uid programs are not heeded on this file system");
        return;
    }
    assert_eq!(output.status.code(), Some(100), "{told}");
    assert!(told.contains("must not be set-uid"), "{told}");
}

#[test]
fn a_callers_umask_neither_opens_our_files_nor_closes_them_to_us() {
    for umask in ["0000", "0777"] {
        let scene = Scene::new(&[]);
        fs::remove_dir_all(scene.host.run_dir()).unwrap();
        let program = scene.host.root().join("usr/bin/vboxsvc");
        let script = format!("umask {umask}; exec {} --vm web start", program.display());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).env_clear().envs(scene.host.env_for_person()).current_dir("/");
        let output = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).output().unwrap();
        assert!(output.status.success(), "{umask}: {output:?}");
        assert_eq!(scene.run("status").code, 0, "{umask}");
        for entry in fs::read_dir(scene.host.run_dir()).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode();
            assert_eq!((mode & 0o022, mode & 0o400), (0, 0o400), "{umask}: {entry:?} has {mode:o}");
        }
        assert_eq!(fs::metadata(scene.host.run_dir()).unwrap().permissions().mode() & 0o7777, 0o700);
        scene.run("save").expect_success();
    }
}

#[test]
fn closed_standard_files_lead_no_output_into_ours() {
    let scene = Scene::new(&[]);
    let program = scene.host.root().join("usr/bin/vboxsvc");
    for (closed, words) in [("<&- >&- 2>&-", "start"), ("<&- >&- 2>&-", "status"), ("<&- 2>&-", "save")] {
        let script = format!("exec {} --vm web {words} {closed}", program.display());
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &script]).env_clear().envs(scene.host.env_for_person()).current_dir("/");
        let status = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        // Where nobody can be told, telling fails and acting does not.
        assert!(status.code().is_some_and(|code| code == 0 || words == "status"), "{words}: {status:?}");
    }
    assert_eq!((scene.state().as_str(), scene.starts()), ("saved", 1));
    let pids = fs::read_to_string(scene.run_file("pid")).unwrap();
    assert!(pids.bytes().all(|b| b.is_ascii_digit() || b == b' ' || b == b'\n'), "{pids:?}");
}

#[test]
fn a_callers_tiny_limits_fail_a_start_in_words_and_lose_no_vm() {
    at_once(["--nofile=4", "--fsize=0", "--fsize=10", "--core=0"], |limit| {
        let scene = Scene::new(&[]);
        scene.set_method_timeout("start", 12);
        let limited = |words: &str| {
            let mut command = Command::new("prlimit");
            command.arg(limit).arg(scene.host.root().join("usr/bin/vboxsvc")).args(["--vm", "web"]);
            command.args(words.split(' ')).env_clear().envs(scene.host.env_for_person()).current_dir("/");
            let output = command.stdin(Stdio::null()).output().unwrap();
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        let (code, told) = limited("start");
        assert!(code.is_some(), "{limit}: killed\n{told}");
        assert!(!told.contains("panicked"), "{told}");
        if code != Some(0) {
            assert!(told.contains(" error web: "), "{limit}: {told}");
        }
        // Without the limits all is as it should be.
        scene.enable();
        assert_eq!(scene.state(), "running");
        let pid = scene.live_pid();
        let (code, told) = limited("status");
        assert!(code.is_some() && !told.contains("panicked"), "{limit}: {code:?} {told}");
        assert!(is_alive(pid));
        scene.disable();
        assert_eq!(scene.state(), "saved");
    });
}

// --- names -------------------------------------------------------------------------------------------------------------

#[test]
fn whatever_a_vm_is_called_nothing_shown_of_it_moves_a_cursor() {
    let (long, very_long) = ("x".repeat(200), "y".repeat(4000));
    let names = [
        "\u{1b}[2J\u{1b}]0;owned\u{7}",
        "a\nb",
        "{0a1b2c3d-0000-4000-8000-00000000000f}",
        "\u{202e}gpj\u{200b}",
        "\u{9b}2J",
        &long,
        "-k",
        "$(reboot)`id`",
    ];
    let scene = Scene::new(&[]);
    for name in names {
        scene.vbox.create_vm_with(Spec::named(name));
        for words in ["status", "status --json", "list", "list --json", "dirlist", "explain", "explain --json"] {
            let ran = scene.run(words);
            for shown in [&ran.stdout, &ran.stderr] {
                let hostile = |c: char| c != '\n' && xtask::shown::is_hostile(c);
                assert!(!shown.contains(hostile), "{words} of {name:?}: {shown:?}");
            }
        }
    }
    for name in names.into_iter().chain([very_long.as_str()]) {
        let ran = scene.host.vboxsvc(["--vm", name, "status"]);
        assert!(!ran.stderr.contains(|c: char| c != '\n' && xtask::shown::is_hostile(c)), "{name:?}: {:?}", ran.stderr);
        assert!(ran.code != 0, "{name:?} is no instance: {ran:?}");
    }
}

// --- the VM's owner ----------------------------------------------------------------------------------------------------

#[test]
fn a_monitor_that_its_owner_stops_holds_up_no_stop_of_the_service() {
    let scene = Scene::new(&[]);
    scene.enable();
    scene.wait_live(1);
    let monitor = scene.monitor();
    kill(monitor, Signal::SIGSTOP);
    scene.disable();
    assert_eq!((scene.state().as_str(), scene.pid()), ("saved", None));
    eventually("the stopped monitor is gone", || !is_alive(monitor));
}

#[test]
fn no_signal_that_a_monitor_gets_takes_the_vm_down() {
    let signals = [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGPIPE, Signal::SIGXFSZ, Signal::SIGALRM, Signal::SIGKILL];
    at_once(signals, |signal| {
        let scene = Scene::new(&[]);
        scene.enable();
        scene.wait_live(1);
        let pid = scene.live_pid();
        kill(scene.monitor(), signal);
        let looks = scene.vbox.calls("list runningvms");
        eventually("status is asked", || {
            scene.run("status");
            scene.vbox.calls("list runningvms") > looks
        });
        assert_eq!(scene.pid(), Some(pid), "{signal}");
        scene.disable();
        assert_eq!((scene.state().as_str(), scene.starts()), ("saved", 1), "{signal}");
    });
}

#[test]
fn a_console_that_somebody_else_put_in_the_place_is_not_shown() {
    if !root_or_say_so() {
        return;
    }
    let scene = Scene::new(&[]);
    let socket = scene.host.root().join("tmp/console");
    let modify = ["modifyvm", &scene.uuid, "--uart1", "0x3F8", "4", "--uartmode1", "server", socket.to_str().unwrap()];
    scene.manage(&modify).expect_success();
    let listener = UnixListener::bind(&socket).unwrap();
    chown(&socket, Some(STRANGER), None).unwrap();
    let ran = scene.run("sercon-once");
    assert_eq!(ran.code, 100, "{ran:?}");
    assert!(ran.stderr.contains(&format!("user id {STRANGER} has made this socket")), "{ran:?}");
    drop(listener);
}
