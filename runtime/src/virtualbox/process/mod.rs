//! Which processes of this host run a given machine, found in /proc without starting any program.
//!
//! A process is a machine's own only by the exact base name of its program, the exact value of its `--startvm` option
//! and its owner: an editor with the machine's name in its arguments is not, nor is the front end of machine `web2`
//! that of `web`. When /proc does not show enough to tell, that is an error, never a guess: one caller wants to kill,
//! the other not to start a second copy on the same disks.

mod cmdline;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(any(not(target_os = "linux"), test))]
mod sunos;

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::num::ParseIntError;
use std::path::Path;
use std::str::FromStr;

#[cfg(target_os = "linux")]
use linux as host;
#[cfg(not(target_os = "linux"))]
use sunos as host;

pub use cmdline::{Arguments, NamedBy, Verdict};

use super::Machine;

const PROC: &str = "/proc";

/// When a process started, in the host's own measure. With the pid it tells one process from a later one that was
/// given the same pid. It is written to files and read back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StartTime(u64);

impl fmt::Display for StartTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for StartTime {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(StartTime)
    }
}

/// A live process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub started: StartTime,
    /// The real user: VirtualBox's front ends are set-uid.
    pub uid: u32,
}

/// A live process that runs a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrontEnd {
    pub process: Process,
    /// Several machines of a user may have one name; VirtualBox then takes the first. By UUID there is no doubt.
    pub named_by: NamedBy,
}

/// The live processes of this user that run this machine.
pub fn of_machine(machine: &Machine, uid: u32) -> io::Result<Vec<FrontEnd>> {
    of_machine_in(Path::new(PROC), machine, uid, &HOST)
}

/// VirtualBox's server of this user, which knows his machines' states for as long as it lives. Where he has several, as
/// with two installations or in two zones of which this one sees both, the one near this front end goes first.
pub fn server(uid: u32, front_end: &Path) -> io::Result<Option<Process>> {
    let servers = matching(Path::new(PROC), uid, &HOST, |arguments| arguments.server().map(Path::to_owned))?;
    let is_near = |program: &Path| front_end.parent().is_some_and(|folder| program.starts_with(folder));
    let server = servers.iter().find(|(_, program)| is_near(program)).or(servers.first());
    Ok(server.map(|(process, _)| *process))
}

/// The process of this pid; None when there is none or only a zombie is left of it.
pub fn look(pid: i32) -> io::Result<Option<Process>> {
    host::seen(Path::new(PROC), pid)
}

/// Whether this very process lives. When /proc cannot be read for another reason than that it is gone, it counts as
/// alive, because nothing may be done on the strength of a death that was not seen.
pub fn alive(pid: i32, started: StartTime) -> bool {
    look(pid).map_or(true, |seen| seen.is_some_and(|process| process.started == started))
}

/// How a host's /proc is read.
struct Host {
    /// A quick look that rules out most processes, and none that the others would take for a front end or a server.
    may_be_virtualbox: fn(&Path, i32) -> bool,
    seen: fn(&Path, i32) -> io::Result<Option<Process>>,
    arguments: fn(&Path, i32) -> io::Result<Option<Arguments>>,
}

const HOST: Host = Host { may_be_virtualbox: host::may_be_virtualbox, seen: host::seen, arguments: host::arguments };

fn of_machine_in(proc: &Path, machine: &Machine, uid: u32, host: &Host) -> io::Result<Vec<FrontEnd>> {
    let verdict = |arguments: &Arguments| match arguments.run(machine) {
        Verdict::No => None,
        verdict => Some(verdict),
    };
    let mut found = Vec::new();
    for (process, verdict) in matching(proc, uid, host, verdict)? {
        let Verdict::Yes(named_by) = verdict else { return Err(unclear(process.pid, machine)) };
        found.push(FrontEnd { process, named_by });
    }
    found.sort_by_key(|f| f.process.pid);
    Ok(found)
}

/// The live processes of this user whose arguments match, with what they matched as.
fn matching<T>(
    proc: &Path,
    uid: u32,
    host: &Host,
    matches: impl Fn(&Arguments) -> Option<T>,
) -> io::Result<Vec<(Process, T)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(proc)? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // What is cheap goes first, for a host can have thousands of processes, and a thousand front ends among them.
        let surely_not = || match (host.arguments)(proc, pid) {
            Ok(arguments) => arguments.and_then(|arguments| matches(&arguments)).is_none(),
            Err(_) => false,
        };
        if !(host.may_be_virtualbox)(proc, pid) || surely_not() {
            continue;
        }
        let process = match (host.seen)(proc, pid) {
            // One's own processes can always be seen.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => continue,
            seen => seen?.filter(|p| p.uid == uid),
        };
        let Some(process) = process else { continue };
        let Some(matched) = (host.arguments)(proc, pid)?.and_then(|arguments| matches(&arguments)) else { continue };
        // Between the two looks the pid may have been given to another process.
        if (host.seen)(proc, pid)? == Some(process) {
            found.push((process, matched));
        }
    }
    Ok(found)
}

fn unclear(pid: i32, machine: &Machine) -> io::Error {
    io::Error::other(format!(
        "process {pid} is a VirtualBox front end of which /proc shows only the first arguments: \
         it cannot be told whether it runs VM {}",
        machine.uuid
    ))
}

/// Far more than the arguments of any front end.
const AT_ONCE: usize = 8 << 10;

/// A file of /proc in one read, however the library would portion it: when a process ends between two reads, the second
/// gives nothing, and its arguments look as if they were cut.
fn read_at_once(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; AT_ONCE];
    let length = file.read(&mut bytes)?;
    bytes.truncate(length);
    if length == AT_ONCE {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Gone between being listed and being looked at.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(nix::libc::ESRCH)
}

#[cfg(test)]
mod tests;
