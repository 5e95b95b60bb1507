//! One QEMU: its arguments, its process, its two sockets. It ends with the value that stands for it.
//!
//! What the machine is made of comes from a profile; nothing here knows which system boots in it.

use std::fs::{self, File};
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use thiserror::Error;

use super::accel::Accel;
use super::qmp::{Qmp, QmpError};
use crate::bounded;
use crate::smoke::ending::{self, Left};

pub const PROGRAM: &str = "qemu-system-x86_64";

/// The number of the process, in the folder that QEMU runs in, for as long as it runs.
const PID_FILE: &str = "qemu.pid";
/// How long QEMU may take until its sockets are there.
const START: Duration = Duration::from_secs(30);
/// How long it may take to end once it was told to.
const END: Duration = Duration::from_secs(10);
const LONGEST_SAID: usize = 4096;
const GAP: Duration = Duration::from_millis(20);

#[derive(Debug, Error)]
pub enum MachineError {
    #[error("{PROGRAM} is not on PATH: install it (Debian: apt-get install qemu-system-x86)")]
    NoQemu,
    #[error("cannot start {PROGRAM}: {0}")]
    Start(#[source] io::Error),
    #[error("{PROGRAM} ended at once ({status}): {said}")]
    Ended { status: String, said: String },
    #[error("{PROGRAM} did not open its sockets within {} s", START.as_secs())]
    NoSockets,
    #[error("the folder of the run: {0}")]
    Folder(#[from] io::Error),
    #[error(transparent)]
    Qmp(#[from] QmpError),
}

/// Where QEMU is.
pub fn program() -> Result<PathBuf, MachineError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|file| file.is_file());
    found.ok_or(MachineError::NoQemu)
}

/// What QEMU says that it is.
pub fn version(qemu: &Path) -> Result<String, MachineError> {
    let output = Command::new(qemu).arg("--version").output().map_err(MachineError::Start)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a machine is made of, beside its sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    pub accel: Accel,
    pub memory_mib: u32,
    pub processors: u32,
    /// Everything else, as QEMU's own arguments.
    pub arguments: Vec<String>,
}

impl Hardware {
    /// The whole of QEMU's arguments. Relative names of sockets are in the folder that QEMU runs in: a socket's name must
    /// be short.
    fn arguments(&self) -> Vec<String> {
        let mut all: Vec<String> = ["-nodefaults", "-no-user-config", "-display", "none"].map(String::from).into();
        // A kernel that has panicked says why, and stays to be looked at.
        all.extend(["-action", "panic=none", "-pidfile", PID_FILE].map(String::from));
        all.extend(["-accel", self.accel.word()].map(String::from));
        all.extend(["-m".to_string(), self.memory_mib.to_string(), "-smp".to_string(), self.processors.to_string()]);
        for (name, device) in [("console", "-serial"), ("qmp", "-qmp")] {
            all.extend([device.to_string(), format!("unix:{name}.sock,server=on,wait=off")]);
        }
        all.extend(self.arguments.iter().cloned());
        all
    }
}

pub struct Machine {
    process: Child,
    pub qmp: Qmp,
    /// What ends it with this program; nothing where it outlives both.
    left: Option<Left>,
}

impl Machine {
    /// Starts QEMU in a folder, which holds its sockets and what it says, and connects to it.
    pub fn start(qemu: &Path, hardware: &Hardware, folder: &Path) -> Result<(Machine, UnixStream), MachineError> {
        let said = folder.join("qemu.log");
        let mut command = Command::new(qemu);
        command.args(hardware.arguments()).current_dir(folder).stdin(Stdio::null());
        // One run can start it more than once.
        let log = File::options().create(true).append(true).open(&said)?;
        command.stdout(log.try_clone()?).stderr(log);
        // What somebody types at this program's terminal is not for QEMU, which may be there for longer.
        let mut process = command.process_group(0).spawn().map_err(MachineError::Start)?;
        let left = ending_of(&process);
        let sockets = connect(&mut process, folder, &said);
        match sockets.and_then(|(console, qmp)| Ok((console, Qmp::new(qmp)?))) {
            Ok((console, qmp)) => Ok((Machine { process, qmp, left: Some(left) }, console)),
            // It can open its sockets and then find that it cannot have a device: what it said tells more than its end.
            Err(MachineError::Qmp(QmpError::Closed)) => {
                drop(left);
                let status = bounded::wait(&mut process, END)?;
                let status = status.map_or("it was killed".to_string(), |status| status.to_string());
                Err(MachineError::Ended { status, said: tail(&said) })
            }
            Err(error) => {
                drop(left);
                end(&mut process);
                Err(error)
            }
        }
    }

    /// Whether QEMU is still there.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Leaves it running from now on, whatever becomes of this value and of this program.
    pub fn keep(&mut self) {
        self.left = None;
    }

    /// Takes that back.
    pub fn keep_no_more(&mut self) {
        self.left = Some(ending_of(&self.process));
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Before it is waited for: then its number can be another's.
        if self.left.take().is_none() {
            return;
        }
        // Told, it closes its disks; otherwise it is killed.
        let told = self.qmp.execute_within("quit", json!({}), END).is_ok();
        if !told || !matches!(bounded::wait(&mut self.process, END), Ok(Some(_))) {
            end(&mut self.process);
        }
    }
}

/// Has it killed with this program.
fn ending_of(process: &Child) -> Left {
    let process = process.id();
    ending::leave(move || {
        if let Ok(process) = i32::try_from(process) {
            // It fails only when it is gone.
            let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        }
    })
}

/// The QEMU that runs in a folder, whoever started it.
pub fn running_in(folder: &Path) -> Option<u32> {
    let process = fs::read_to_string(folder.join(PID_FILE)).ok()?.trim().parse().ok()?;
    // The number may have become another's.
    let at = fs::read_link(format!("/proc/{process}/cwd")).ok()?;
    (at == folder.canonicalize().ok()?).then_some(process)
}

fn end(process: &mut Child) {
    // Both fail only when it is gone, which is what is wanted.
    let _ = process.kill();
    let _ = process.wait();
}

/// The last that QEMU said.
fn tail(log: &Path) -> String {
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(said.get(said.len().saturating_sub(LONGEST_SAID)..).unwrap_or_default());
    said.trim().to_string()
}

fn connect(process: &mut Child, folder: &Path, said: &Path) -> Result<(UnixStream, UnixStream), MachineError> {
    let until = Instant::now() + START;
    loop {
        let console = UnixStream::connect(folder.join("console.sock"));
        if let (Ok(console), Ok(qmp)) = (console, UnixStream::connect(folder.join("qmp.sock"))) {
            return Ok((console, qmp));
        }
        if let Some(status) = process.try_wait()? {
            return Err(MachineError::Ended { status: status.to_string(), said: tail(said) });
        }
        if Instant::now() >= until {
            return Err(MachineError::NoSockets);
        }
        sleep(GAP);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{disk, profile, ssh};
    use super::*;

    fn hardware(arguments: &[&str]) -> Hardware {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        Hardware { accel: Accel::Tcg, memory_mib: 32, processors: 1, arguments }
    }

    #[test]
    fn qemu_starts_answers_and_ends_with_its_value() {
        let Ok(qemu) = program() else {
            eprintln!("not run: no QEMU here");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let (mut machine, _console) = Machine::start(&qemu, &hardware(&["-machine", "none"]), folder.path()).unwrap();
        let status = machine.qmp.execute("query-status", json!({})).unwrap();
        assert_eq!(status.get("running"), Some(&json!(true)));
        assert!(machine.is_running());
        let process = machine.process.id();
        drop(machine);
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }

    #[test]
    fn what_qemu_complains_of_is_told() {
        let Ok(qemu) = program() else {
            eprintln!("not run: no QEMU here");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let Err(error) = Machine::start(&qemu, &hardware(&["-machine", "none", "-device", "abacus"]), folder.path())
        else {
            panic!()
        };
        assert!(error.to_string().contains("abacus"), "{error}");
    }

    /// No image is booted: the processors never run.
    #[test]
    fn qemu_takes_the_machine_of_every_image() {
        let Ok(qemu) = program() else {
            eprintln!("not run: no QEMU here");
            return;
        };
        for profile in profile::read_all(&crate::flags::workspace().join(profile::FOLDER)).unwrap() {
            if profile.image.is_none() {
                continue;
            }
            let folder = tempfile::tempdir().unwrap();
            let file = |name: &str| folder.path().join(name).display().to_string();
            for name in ["files", "metadata"] {
                fs::write(file(name), vec![0; 1 << 20]).unwrap();
            }
            disk::overlay(&qemu, Path::new(&file("disk")), disk::Base::Empty(1 << 20)).unwrap();
            let ssh = ssh::free_port().unwrap().to_string();
            let values = [("disk", file("disk")), ("files", file("files")), ("metadata", file("metadata"))];
            let ports = [("ssh-port", ssh), ("http-port", "1".to_string())];
            let mut arguments = profile.arguments(&values.into_iter().chain(ports).collect()).unwrap();
            arguments.push("-S".to_string());
            let hardware = Hardware { accel: Accel::Tcg, memory_mib: 64, processors: 2, arguments };
            let started = Machine::start(&qemu, &hardware, folder.path());
            let (mut machine, _console) = started.unwrap_or_else(|error| panic!("{}: {error}", profile.name));
            let status = machine.qmp.execute("query-status", json!({})).unwrap();
            assert_eq!(status.get("running"), Some(&json!(false)), "{}", profile.name);
        }
    }
}
