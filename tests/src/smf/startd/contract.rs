//! Process contracts, made of what Linux has: a small process that holds all descendants of one method.
//!
//! The holder is a child subreaper, so that whatever a method forks stays below it, daemons included. It reports on its
//! standard output when the method itself has ended, and ends when nobody is left: that is the contract's EMPTY event.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use jiff::{Timestamp, tz::TimeZone};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Gid, Pid, Uid, initgroups, setgid, setgroups, setsid, setuid};
use serde::{Deserialize, Serialize};

use super::context::Credentials;
use crate::enclosure::enter::has_other_users;

/// The name under which the executable is this holder.
pub const HOLDER: &str = "smf-contract";
/// What a method that could not get its context exits with.
const CONFIGURATION_ERROR: i32 = 96;

/// A method to run.
#[derive(Debug, Serialize, Deserialize)]
pub struct Spec {
    pub command: String,
    pub environment: Vec<(String, String)>,
    pub directory: PathBuf,
    pub credentials: Option<Credentials>,
    pub log: PathBuf,
}

/// What a holder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// The method's own process is there.
    Started(i32),
    Exited(i32),
    Signaled(i32),
    /// Nothing of the contract is left.
    Empty,
}

/// A contract, seen from svc.startd. Dropping it abandons it: its processes live on.
#[derive(Debug)]
pub struct Contract {
    pub id: i32,
    empty: Arc<AtomicBool>,
}

impl Contract {
    /// Starts a method; `hear` is called with each report, from another thread.
    pub fn start(
        root: &Path,
        what: &str,
        spec: &Spec,
        hear: impl Fn(i32, Report) + Send + 'static,
    ) -> io::Result<Contract> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([HOLDER.as_ref(), root.as_os_str(), what.as_ref()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        input.write_all(&serde_json::to_vec(spec)?)?;
        drop(input);
        let id = child.id() as i32;
        let empty = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&empty);
        thread::Builder::new().stack_size(256 << 10).spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(report) = parse_report(&line) {
                    hear(id, report);
                }
            }
            // The holder has gone; its exit status says nothing.
            let _ = child.wait();
            flag.store(true, Ordering::SeqCst);
            hear(id, Report::Empty);
        })?;
        Ok(Contract { id, empty })
    }

    pub fn is_empty(&self) -> bool {
        self.empty.load(Ordering::SeqCst)
    }

    /// One signal to every member.
    pub fn signal(&self, signal: Signal) {
        for process in members(self.id) {
            let _ = kill(Pid::from_raw(process.pid), signal);
        }
    }

    /// Kills until nobody is left: a member may fork meanwhile.
    pub fn kill(&self) {
        while !self.is_empty() {
            self.signal(Signal::SIGKILL);
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn parse_report(line: &str) -> Option<Report> {
    let (word, number) = line.split_once(' ')?;
    let number = number.parse().ok()?;
    match word {
        "pid" => Some(Report::Started(number)),
        "exit" => Some(Report::Exited(number)),
        "signal" => Some(Report::Signaled(number)),
        _ => None,
    }
}

/// A member of a contract.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: i32,
    pub command: String,
}

impl Process {
    pub fn started(&self) -> String {
        let at = fs::metadata(format!("/proc/{}", self.pid)).and_then(|m| m.modified()).unwrap_or(SystemTime::now());
        let at = Timestamp::try_from(at).unwrap_or_default();
        at.to_zoned(TimeZone::UTC).strftime("%k:%M:%S").to_string()
    }
}

/// All descendants of a process that are still alive.
pub fn members(ancestor: i32) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for pid in pids() {
        if let Some((parent, process)) = stat(pid) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([ancestor]);
    let mut todo = vec![ancestor];
    while let Some(parent) = todo.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            if seen.insert(process.pid) {
                todo.push(process.pid);
                found.push(process);
            }
        }
    }
    found
}

pub fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_str()?.parse().ok())
}

/// A living process and its parent.
fn stat(pid: i32) -> Option<(i32, Process)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command is in parentheses and may hold blanks and parentheses of its own.
    let (before, after) = text.rsplit_once(')')?;
    let command = before.split_once('(')?.1.to_string();
    let mut fields = after.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some((parent, Process { pid, command }))
}

/// The holder itself.
pub fn hold() -> ExitCode {
    let say = |word: &str, number: i32| {
        // Nobody may be left to hear it.
        let _ = writeln!(io::stdout(), "{word} {number}");
    };
    let Ok(spec) = serde_json::from_reader::<_, Spec>(io::stdin()) else { return ExitCode::FAILURE };
    match begin(&spec) {
        Ok(pid) => {
            say("pid", pid);
            watch(pid, say);
        }
        Err(error) => {
            if let Ok(mut log) = open_log(&spec) {
                let _ = writeln!(log, "svc.startd could not set context for method: {error}");
            }
            say("exit", CONFIGURATION_ERROR);
        }
    }
    ExitCode::SUCCESS
}

fn open_log(spec: &Spec) -> io::Result<fs::File> {
    OpenOptions::new().create(true).append(true).open(&spec.log)
}

fn begin(spec: &Spec) -> io::Result<i32> {
    prctl::set_child_subreaper(true)?;
    setsid()?;
    // The log is opened with svc.startd's own rights, before they are given up.
    let log = open_log(spec)?;
    if let Some(credentials) = &spec.credentials {
        become_user(credentials)?;
    }
    let child = Command::new("/bin/sh")
        .args(["-c", &format!("exec {}", spec.command)])
        .env_clear()
        .envs(spec.environment.iter().map(|(k, v)| (k, v)))
        .current_dir(&spec.directory)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0)
        .spawn()?;
    Ok(child.id() as i32)
}

fn become_user(credentials: &Credentials) -> io::Result<()> {
    let uid = Uid::from_raw(credentials.uid);
    if !has_other_users() {
        // Without root's rights a host can only play the one user it belongs to.
        return Ok(());
    }
    let gid = Gid::from_raw(credentials.gid);
    match &credentials.groups {
        Some(groups) => setgroups(&groups.iter().map(|g| Gid::from_raw(*g)).collect::<Vec<_>>())?,
        None => {
            let user = std::ffi::CString::new(credentials.user.as_str())?;
            initgroups(&user, gid)?;
        }
    }
    setgid(gid)?;
    setuid(uid)?;
    Ok(())
}

fn watch(method: i32, say: impl Fn(&str, i32)) {
    loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid.as_raw() == method => say("exit", code),
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid.as_raw() == method => say("signal", signal as i32),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}
