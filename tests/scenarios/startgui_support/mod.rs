//! A VM that SMF keeps, and commands about it that run beside the test.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use simhost::vbox::Control;
use simhost::{Host, vboxsvc_exe};

pub const SOON: Duration = Duration::from_secs(60);
pub const WEB: &str = "svc:/site/xvm/vbox:web";

/// A host whose VM `web` is kept by SMF and runs headless.
pub struct Web {
    pub host: Host,
    pub vbox: Control,
    pub uuid: String,
}

impl Web {
    pub fn online() -> Web {
        let web = Web::disabled();
        web.host.run("svcadm", ["enable", WEB]).expect_success();
        web.host.wait_state(WEB, "online", SOON).unwrap();
        web
    }

    pub fn disabled() -> Web {
        let host = Host::new();
        host.install_method(&vboxsvc_exe());
        let variables = xtask::smf::render::Variables::default();
        let workspace = xtask::flags::workspace();
        for manifest in &xtask::smf::render::render_all(&workspace, env!("CARGO_PKG_VERSION"), &variables).unwrap() {
            host.import(&manifest.text);
        }
        let vbox = Control::new(host.root());
        let uuid = vbox.create_vm("web");
        host.add_instance("web");
        Web { host, vbox, uuid }
    }

    /// The program, called by this name, with a display.
    pub fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(self.host.env_for_person()).env("DISPLAY", ":7");
        command.current_dir(self.host.root().join("home")).stdin(Stdio::null());
        command
    }

    pub fn vboxsvc(&self, args: &[&str]) -> Command {
        self.command(&self.host.root().join("usr/bin/vboxsvc"), args)
    }

    /// `startgui` of the VM, to its end.
    pub fn startgui(&self, args: &[&str]) -> Ended {
        Running::start(self.vboxsvc(&[&["--vm", "web", "startgui"], args].concat())).end()
    }

    /// `startgui -fg`, which stays.
    pub fn foreground(&self, args: &[&str]) -> Running {
        let running = Running::start(self.vboxsvc(&[&["--vm", "web", "startgui", "-fg"], args].concat()));
        self.eventually("the VM is in its window", || {
            let said = running.said();
            said.contains("live in its window") || said.contains("in a window already")
        });
        self.eventually("the nokick file is gone", || !self.nokick());
        running
    }

    pub fn wait_for_window(&self) {
        self.eventually("the VM runs in a window", || {
            self.vbox.state(&self.uuid) == "running" && self.program().as_deref() == Some("VirtualBoxVM")
        });
    }

    /// Waits until the monitor has the VM again and knows it.
    pub fn wait_for_headless(&self) {
        let notes = self.host.run_dir().join("web.notes");
        self.eventually("the VM runs headless", || {
            let is_up = self.vbox.state(&self.uuid) == "running" && self.program().as_deref() == Some("VBoxHeadless");
            is_up && fs::read_to_string(&notes).is_ok_and(|notes| notes.contains("\"launching\":false"))
        });
    }

    /// The program that runs the VM.
    pub fn program(&self) -> Option<String> {
        let cmdline = fs::read(format!("/proc/{}/cmdline", self.vbox.process(&self.uuid)?)).ok()?;
        let program = String::from_utf8(cmdline.split(|b| *b == 0).next()?.to_vec()).ok()?;
        Some(program.rsplit('/').next()?.to_string())
    }

    pub fn nokick(&self) -> bool {
        self.host.run_dir().join("web.nokick").exists()
    }

    pub fn restart_once(&self) -> bool {
        self.host.run_dir().join("web.restart_saved_once").exists()
    }

    #[track_caller]
    pub fn eventually(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < SOON, "never: {what}\n{}", self.host.log(WEB));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    pub fn check_one_copy(&self) {
        assert!(!self.vbox.ran_twice(&self.uuid), "two copies of the VM ran\n{}", self.host.log(WEB));
    }
}

/// A command that runs; killed where a test is done with it.
pub struct Running {
    child: Child,
    said: File,
}

#[derive(Debug)]
pub struct Ended {
    /// The exit code; 128 and the signal where one killed it.
    pub code: i32,
    pub said: String,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let said = tempfile::tempfile().unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said.try_clone().unwrap());
        Running { child: command.spawn().unwrap(), said }
    }

    /// What it has said so far, on both streams.
    pub fn said(&self) -> String {
        let mut bytes = vec![0; self.said.metadata().unwrap().len() as usize];
        self.said.read_exact_at(&mut bytes, 0).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    #[track_caller]
    pub fn end(mut self) -> Ended {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
                return Ended { code, said: self.said() };
            }
            assert!(began.elapsed() < SOON, "the command does not end:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
