//! The stub as the programs it is called as: machines made, run, saved, killed and removed.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::symlink;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A user with the stub's programs.
struct User {
    folder: tempfile::TempDir,
}

impl User {
    fn new() -> User {
        let folder = tempfile::tempdir().unwrap();
        for name in ["VBoxManage", "VBoxHeadless"] {
            symlink(env!("CARGO_BIN_EXE_vbox-stub"), folder.path().join(name)).unwrap();
        }
        User { folder }
    }

    fn command(&self, name: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.folder.path().join(name));
        command.args(words).env("VBOX_USER_HOME", self.folder.path()).stdin(Stdio::null());
        command
    }

    fn ask(&self, words: &[&str]) -> Output {
        self.command("VBoxManage", words).output().unwrap()
    }

    #[track_caller]
    fn said(&self, words: &[&str]) -> String {
        let output = self.ask(words);
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn state(&self) -> String {
        let info = self.said(&["showvminfo", "web", "--machinereadable"]);
        info.lines().find_map(|line| line.strip_prefix("VMState=")).unwrap().trim_matches('"').to_owned()
    }

    /// VBoxHeadless in the foreground, up.
    fn headless(&self) -> Child {
        let child = self.command("VBoxHeadless", &["--startvm", "web"]).stdout(Stdio::null()).spawn().unwrap();
        self.wait_for("running");
        child
    }

    /// Starts the machine, also where its former process is about to let go of it.
    fn start(&self) {
        for _ in 0..500 {
            let tried = self.ask(&["startvm", "web", "--type", "headless"]);
            if tried.status.success() {
                assert!(String::from_utf8_lossy(&tried.stdout).contains("successfully started"), "{tried:?}");
                return;
            }
            assert!(String::from_utf8_lossy(&tried.stderr).contains("(or being unlocked)"), "{tried:?}");
            sleep(Duration::from_millis(10));
        }
        panic!("the machine stays locked");
    }

    #[track_caller]
    fn wait_for(&self, state: &str) {
        for _ in 0..1000 {
            if self.state() == state {
                return;
            }
            sleep(Duration::from_millis(10));
        }
        panic!("{} and not {state}", self.state());
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

fn with_machine() -> User {
    let user = User::new();
    assert!(user.said(&["createvm", "--name", "web", "--register"]).contains("is created and registered"));
    user
}

#[test]
fn it_says_that_it_is_a_stub() {
    let user = User::new();
    assert!(user.said(&["--version"]).contains("stub"));
    assert!(String::from_utf8_lossy(&user.ask(&[]).stdout).contains("not Oracle VirtualBox"));
}

#[test]
fn a_signal_saves_and_the_next_start_goes_on_from_there() {
    let user = with_machine();
    for wish in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGUSR1] {
        let mut child = user.headless();
        assert!(user.said(&["list", "runningvms"]).starts_with("\"web\" {"));
        signal(&child, wish);
        assert!(child.wait().unwrap().success(), "{wish}");
        assert_eq!(user.state(), "saved", "{wish}");
    }
    assert!(user.said(&["showvminfo", "web", "--machinereadable"]).contains("VMStateFile=\"/"));
    assert_eq!(user.said(&["list", "runningvms"]), "");
}

#[test]
fn a_killed_process_leaves_an_aborted_machine() {
    let user = with_machine();
    let mut child = user.headless();
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    assert_eq!(user.state(), "aborted");
}

#[test]
fn a_machine_runs_once() {
    let user = with_machine();
    let mut child = user.headless();
    let second = user.command("VBoxHeadless", &["--startvm", "web"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("already locked for a session"));
    signal(&child, Signal::SIGTERM);
    child.wait().unwrap();
}

#[test]
fn orders_are_carried_out() {
    let user = with_machine();
    user.start();
    for (order, state) in [("pause", "paused"), ("resume", "running"), ("reset", "running"), ("savestate", "saved")] {
        user.said(&["controlvm", "web", order]);
        assert_eq!(user.state(), state, "{order}");
    }
    for order in ["acpipowerbutton", "poweroff"] {
        user.start();
        user.said(&["controlvm", "web", order]);
        user.wait_for("poweroff");
    }
    let refused = user.ask(&["controlvm", "web", "poweroff"]);
    assert_eq!(refused.status.code(), Some(1));
    assert_eq!(refused.stderr, b"VBoxManage: error: Machine 'web' is not currently running.\n");
}

#[test]
fn a_machine_is_found_by_name_and_uuid_and_gone_when_unregistered() {
    let user = User::new();
    let uuid = "6b8d4a3e-6c0f-4d0a-9a57-0d6b5b7d1f10";
    user.said(&["createvm", "--name", "a b", "--uuid", uuid, "--register"]);
    assert_eq!(user.said(&["list", "vms"]), format!("\"a b\" {{{uuid}}}\n"));
    assert!(user.said(&["list", "-l", "vms"]).contains("State:                       powered off (since "));
    user.said(&["unregistervm", uuid]);
    let gone = user.ask(&["showvminfo", uuid]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&gone.stderr).contains("Could not find a registered machine"));
}
