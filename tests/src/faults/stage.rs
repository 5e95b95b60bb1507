//! One VM on a simulated host, whose methods run under strace where that is asked for: made, looked at, brought back to
//! rest between two cases.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::host::VBOX;
use crate::load::seen::{Chronicle, Machine, Processes, Seen, look};
use crate::vbox::{Control, Settings, Spec};
use crate::{Host, vboxsvc_exe};

/// Far longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(15);

pub struct Stage {
    pub host: Host,
    pub vbox: Control,
    pub machine: Machine,
    chronicle: Mutex<Chronicle>,
}

impl Stage {
    /// # Panics
    /// When the host cannot be made.
    pub fn new(manifests: &[String]) -> Stage {
        let host = Host::new();
        host.install_method(&vboxsvc_exe());
        install_wrapper(&host);
        for manifest in manifests {
            host.import(manifest);
        }
        let vbox = Control::new(host.root());
        vbox.set_settings(&Settings { server_linger: Duration::from_millis(2500), ..Settings::default() });
        let uuid = vbox.create_vm_with(Spec::named("web"));
        let fmri = host.add_instance("web");
        assert_eq!(fmri, format!("{VBOX}:web"));
        let chronicle = Mutex::new(Chronicle::new(host.root()));
        Stage { machine: Machine { name: "web".into(), fmri, uuid }, host, vbox, chronicle }
    }

    // --- under strace ------------------------------------------------------------------------------------------------

    fn file(&self, kind: &str, method: &str) -> PathBuf {
        self.host.root().join(format!("{kind}.{method}"))
    }

    /// From now on this method runs under strace with these options.
    pub fn arm(&self, method: &str, options: &[String]) {
        let _ = fs::remove_file(self.file("codes", method));
        fs::write(self.file("armed", method), options.join("\n")).expect("a writable host");
    }

    /// From now on it does not; gives the exit codes that it had under strace.
    pub fn disarm(&self, method: &str) -> Vec<i32> {
        let _ = fs::remove_file(self.file("armed", method));
        let codes = fs::read_to_string(self.file("codes", method)).unwrap_or_default();
        codes.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// What strace wrote of the last run of a method, or of what was run by hand.
    pub fn trace(&self, method: &str) -> String {
        fs::read_to_string(self.file("trace", method)).unwrap_or_default()
    }

    /// The program by hand under strace, with what it says in files.
    pub fn traced(&self, what: &str, options: &[String], words: &[&str]) -> Traced {
        let [out, err] = ["out", "err"].map(|kind| self.file(kind, what));
        let mut command = Command::new("strace");
        command.arg("-qq").arg("-o").arg(self.file("trace", what)).args(options).arg("--").arg(vboxsvc_exe());
        command.args(words).env_clear().envs(self.host.env_for_person()).current_dir(self.host.root().join("home"));
        command.stdin(Stdio::null());
        command
            .stdout(File::create(&out).expect("a writable host"))
            .stderr(File::create(&err).expect("a writable host"));
        Traced { child: command.spawn().expect("strace"), out, err }
    }

    // --- looking -----------------------------------------------------------------------------------------------------

    pub fn seen(&self) -> Seen {
        let mut chronicle = self.chronicle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        chronicle.read_on();
        let words: BTreeMap<String, String> = self.vbox.words();
        look(&self.host, &self.machine, &Processes::now(self.host.root()), &chronicle, &words)
    }

    pub fn ran_twice(&self) -> bool {
        let mut chronicle = self.chronicle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        chronicle.read_on();
        !chronicle.second_copies.is_empty()
    }

    pub fn log(&self) -> String {
        self.host.log(&self.machine.fmri)
    }

    /// Looks until something holds; what was seen last, and whether it did.
    pub fn wait(&self, limit: Duration, holds: impl Fn(&Seen) -> bool) -> (Seen, bool) {
        let began = Instant::now();
        loop {
            let seen = self.seen();
            if holds(&seen) {
                return (seen, true);
            }
            if began.elapsed() > limit {
                return (seen, false);
            }
            sleep(TICK);
        }
    }

    // --- acting ------------------------------------------------------------------------------------------------------

    pub fn svcadm(&self, words: &[&str]) {
        self.host.run("svcadm", words.iter().chain(&[self.machine.fmri.as_str()])).expect_success();
    }

    /// Has the service up as it should be; what is wrong where it does not come up.
    pub fn bring_up(&self) -> Vec<String> {
        if self.seen().service.0 == "maintenance" {
            self.svcadm(&["clear"]);
            self.wait(PATIENCE, |seen| seen.service.0 != "maintenance" && seen.service.1 == "none");
        }
        self.svcadm(&["enable"]);
        let (seen, up) = self.wait(PATIENCE, is_up);
        if up { Vec::new() } else { vec![format!("the next start does not bring it up: {seen:?}")] }
    }

    /// Has it down with nothing left of it; what is wrong where something is.
    pub fn bring_down(&self) -> Vec<String> {
        self.svcadm(&["disable"]);
        let (seen, down) = self.wait(PATIENCE, is_down);
        if down { Vec::new() } else { vec![format!("the next stop leaves something: {seen:?}")] }
    }

    /// Has the monitor stand down, the VM going on.
    pub fn without_monitor(&self) {
        for pid in self.seen().monitors {
            // It may have gone by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        self.wait(PATIENCE, |seen| seen.monitors.is_empty());
    }
}

pub fn is_up(seen: &Seen) -> bool {
    settled_in(seen, "online") && seen.word == "running" && seen.processes.len() == 1 && seen.monitors.len() == 1
}

pub fn is_down(seen: &Seen) -> bool {
    settled_in(seen, "disabled")
        && ["saved", "poweroff", "aborted"].contains(&seen.word.as_str())
        && seen.processes.is_empty()
        && seen.monitors.is_empty()
        && seen.commands.is_empty()
        && seen.leftovers.is_empty()
}

pub fn settled_in(seen: &Seen, state: &str) -> bool {
    (seen.service.0.as_str(), seen.service.1.as_str()) == (state, "none")
}

/// A program under strace.
pub struct Traced {
    child: Child,
    out: PathBuf,
    err: PathBuf,
}

impl Traced {
    /// Its exit code, 128 and the signal where one killed it; nothing while it runs.
    pub fn code(&mut self) -> Option<i32> {
        use std::os::unix::process::ExitStatusExt;
        let status = self.child.try_wait().ok().flatten()?;
        status.code().or_else(|| status.signal().map(|signal| 128 + signal))
    }

    /// Its exit code, waited for.
    pub fn end(&mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(code) = self.code() {
                return Some(code);
            }
            sleep(TICK);
        }
        None
    }

    pub fn said(&self) -> (String, String) {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        (read(&self.out), read(&self.err))
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Both fail only where it is over.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In place of the method: the program itself, or under strace where a file asks for it.
fn install_wrapper(host: &Host) {
    let (root, real) = (host.root().display(), vboxsvc_exe());
    let text = format!(
        "#!/bin/sh\nset -f\narmed={root}/armed.$1\n[ -f \"$armed\" ] || exec {real} \"$@\"\n\
         /usr/bin/strace -qq -o {root}/trace.$1 $(cat \"$armed\") -- {real} \"$@\"\ncode=$?\n\
         echo $code >>{root}/codes.$1\nexit $code\n",
        real = real.display()
    );
    let method = host.root().join("lib/svc/method/vboxsvc");
    fs::remove_file(&method).and_then(|()| fs::write(&method, text)).expect("a writable host");
    fs::set_permissions(&method, Permissions::from_mode(0o755)).expect("a script that can be run");
}
