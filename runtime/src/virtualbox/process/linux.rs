//! /proc of Linux: text files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::cmdline::{Arguments, names_virtualbox};
use super::{Process, StartTime, is_gone, read_at_once};

/// By one read of its arguments' beginning: with a thousand processes on a host, what a look costs counts.
pub fn may_be_virtualbox(proc: &Path, pid: i32) -> bool {
    let mut beginning = [0; 512];
    let read = File::open(proc.join(pid.to_string()).join("cmdline")).and_then(|mut file| file.read(&mut beginning));
    match read {
        Ok(length) => length == beginning.len() || beginning.get(..length).is_some_and(names_virtualbox),
        Err(error) => !is_gone(&error),
    }
}

/// The process of this pid; None when there is none or only a zombie is left of it.
pub fn seen(proc: &Path, pid: i32) -> io::Result<Option<Process>> {
    let read = |file: &str| read_at_once(&proc.join(pid.to_string()).join(file));
    let (stat, status) = match read("stat").and_then(|stat| Ok((stat, read("status")?))) {
        Ok(files) => files,
        Err(error) if is_gone(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let unreadable = || io::Error::other(format!("/proc/{pid}/stat or status has an unknown form"));
    let stat = Stat::parse(&stat).ok_or_else(unreadable)?;
    if matches!(stat.state, b'Z' | b'X' | b'x') {
        return Ok(None);
    }
    let uid = real_uid(&status).ok_or_else(unreadable)?;
    Ok(Some(Process { pid, started: StartTime(stat.started), uid }))
}

/// Its arguments; None when it is gone.
pub fn arguments(proc: &Path, pid: i32) -> io::Result<Option<Arguments>> {
    match read_at_once(&proc.join(pid.to_string()).join("cmdline")) {
        Ok(bytes) => Ok(Some(Arguments::nul_ended(&bytes))),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

struct Stat {
    state: u8,
    /// In clock ticks since the host started.
    started: u64,
}

impl Stat {
    /// `PID (NAME) STATE ...`: the name may hold blanks and brackets, so what counts begins behind the last bracket.
    /// The start time is the 22nd field of all, the 20th from the state on.
    fn parse(stat: &[u8]) -> Option<Stat> {
        let after = stat.iter().rposition(|&b| b == b')')? + 1;
        let rest = std::str::from_utf8(stat.get(after..)?).ok()?;
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        Some(Stat { state, started: fields.nth(18)?.parse().ok()? })
    }
}

/// `Uid: REAL EFFECTIVE SAVED FILESYSTEM`
fn real_uid(status: &[u8]) -> Option<u32> {
    let line = status.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}
