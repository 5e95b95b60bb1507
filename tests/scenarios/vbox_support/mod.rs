//! A host with VirtualBox's stand-ins alone, for the tests of the stand-ins themselves.

// Each test program compiles its own copy and uses a part of it; clippy does not take it for a test.
#![allow(dead_code, clippy::unwrap_used)]

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use simhost::vbox::{Control, NAMES, Settings};
use tempfile::TempDir;

pub const TERM: i32 = 15;
pub const KILL: i32 = 9;
pub const STOP: i32 = 19;

pub struct Host {
    dir: TempDir,
    pub vbox: Control,
}

impl Host {
    /// A host whose VBoxSVC leaves soon, so that tests can wait for it.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("bin")).unwrap();
        for name in NAMES {
            symlink(env!("CARGO_BIN_EXE_simhost"), dir.path().join("bin").join(name)).unwrap();
        }
        let vbox = Control::new(dir.path());
        vbox.set_settings(&Settings {
            server_linger: Duration::from_millis(700),
            server_term_linger: Duration::from_millis(400),
            orphan_life: Duration::from_millis(2500),
            ..Settings::default()
        });
        Self { dir, vbox }
    }

    /// Lets other users run the host's programs, wherever the project was built.
    pub fn open_to_all_users(&self) {
        std::fs::set_permissions(self.dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        for name in NAMES {
            std::fs::remove_file(self.program(name)).unwrap();
            std::fs::copy(env!("CARGO_BIN_EXE_simhost"), self.program(name)).unwrap();
        }
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.path().join("bin").join(name)
    }

    pub fn command(&self, name: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.program(name));
        command.args(args).env_clear().env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
        command
    }

    /// Runs VBoxManage to its end.
    pub fn manage(&self, args: &[&str]) -> Answer {
        finish(self.spawn("VBoxManage", args))
    }

    /// Starts a program and lets it run.
    pub fn spawn(&self, name: &str, args: &[&str]) -> Running {
        let mut command = self.command(name, args);
        if name != "VBoxManage" {
            command.env("DISPLAY", ":0");
        }
        Running(Some(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()))
    }

    /// Starts the machine with VBoxHeadless and waits until it runs.
    pub fn run_headless(&self, uuid: &str) -> Running {
        let child = self.spawn("VBoxHeadless", &["--startvm", uuid]);
        self.vbox.wait_for_state(uuid, "running");
        child
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.vbox.shut_down();
    }
}

/// A program in the foreground: killed and collected if the test is done with it.
pub struct Running(Option<Child>);

impl Running {
    pub fn pid(&self) -> Option<i32> {
        self.0.as_ref().map(|child| child.id() as i32)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// What a program said. A death by signal counts as 128 and the signal, as shells have it.
#[derive(Debug)]
pub struct Answer {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

/// Waits, not for ever, for a program's end.
pub fn finish(mut running: Running) -> Answer {
    let child = running.0.take().unwrap();
    let pid = child.id();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(child.wait_with_output()));
    let output = receive.recv_timeout(Duration::from_secs(20));
    answer(&output.unwrap_or_else(|_| panic!("process {pid} did not end")).unwrap())
}

/// Whether the program still runs after this time; it is killed then.
pub fn hangs(mut running: Running, time: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if running.0.as_mut().unwrap().try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Waits, not for ever, until something holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn answer(output: &Output) -> Answer {
    let status = output.status;
    Answer {
        exit: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A recorded output of the real program.
#[macro_export]
macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!("../fixtures/virtualbox/", $name))
    };
}
