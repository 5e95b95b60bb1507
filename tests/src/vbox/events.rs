//! The log of what happened on the simulated host, for tests to count and time.
//!
//! One JSON object a line in `ROOT/vbox/events.jsonl`, written by every stand-in with one append each.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use nix::unistd::{Pid, geteuid};
use serde::{Deserialize, Serialize};

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Milliseconds since the epoch.
    pub at_ms: u64,
    /// The process that wrote it, and its effective user.
    pub pid: i32,
    pub uid: u32,
    /// UUID of the machine it is about.
    pub vm: Option<String>,
    pub what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// VBoxManage was called. One that was killed has no `CallEnded`.
    CallStarted {
        argv: Vec<String>,
    },
    CallEnded {
        argv: Vec<String>,
        exit: u8,
        millis: u64,
    },
    /// A VM process took its machine's session.
    Started {
        program: String,
        argv: Vec<String>,
    },
    /// A VM process was started while another one runs the same machine: its disks are being ruined.
    SecondCopy {
        other: i32,
    },
    /// VirtualBox's word for the machine changed.
    State {
        from: String,
        to: String,
    },
    /// A VM process or VBoxSVC got a signal that it handles.
    Signal {
        signal: i32,
    },
    Reset,
    /// The guest saw the power button (`heeded` or not).
    PowerButton {
        heeded: bool,
    },
    SleepButton,
    /// A VM process is about to end (one killed by SIGKILL has no such line).
    Ended {
        exit: u8,
    },
    ServerStarted,
    ServerEnded,
}

/// Milliseconds since the epoch.
pub fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_millis() as u64)
}

fn file(root: &Path) -> PathBuf {
    root.join("vbox/events.jsonl")
}

/// Appends one entry.
pub fn append(root: &Path, vm: Option<&str>, what: What) -> Result<()> {
    let event =
        Event { at_ms: now_ms(), pid: Pid::this().as_raw(), uid: geteuid().as_raw(), vm: vm.map(str::to_owned), what };
    let mut line = serde_json::to_vec(&event)?;
    line.push(b'\n');
    let path = file(root);
    let mut log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o666)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    // The umask took bits away from the mode asked for; another user's stand-in must be able to append as well.
    // Only the owner may change it, and only the first need.
    let _ = log.set_permissions(fs::Permissions::from_mode(0o666));
    log.write_all(&line).with_context(|| format!("appending to {}", path.display()))
}

/// All entries so far. A line that is still being written is left out.
pub fn read(root: &Path) -> Vec<Event> {
    let text = fs::read_to_string(file(root)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Reads the entries as they come, for whoever looks again and again at a log that grows long.
#[derive(Debug)]
pub struct Reader {
    file: PathBuf,
    read: u64,
}

impl Reader {
    pub fn new(root: &Path) -> Reader {
        Reader { file: file(root), read: 0 }
    }

    /// The entries that were written since the last call.
    pub fn new_entries(&mut self) -> Vec<Event> {
        let mut bytes = Vec::new();
        let Ok(mut file) = fs::File::open(&self.file) else { return Vec::new() };
        if file.seek(SeekFrom::Start(self.read)).and_then(|_| file.read_to_end(&mut bytes)).is_err() {
            return Vec::new();
        }
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        self.read += whole as u64;
        bytes[..whole].split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back_in_order_and_a_half_written_one_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("vbox")).unwrap();
        append(root.path(), None, What::ServerStarted).unwrap();
        append(root.path(), Some("u"), What::SecondCopy { other: 7 }).unwrap();
        OpenOptions::new().append(true).open(file(root.path())).unwrap().write_all(b"{\"at_ms\":1,").unwrap();
        let events = read(root.path());
        assert_eq!(events.len(), 2);
        let mut reader = Reader::new(root.path());
        assert_eq!(reader.new_entries(), events);
        assert_eq!(reader.new_entries(), []);
        assert_eq!(events[0].what, What::ServerStarted);
        assert_eq!((events[1].vm.as_deref(), &events[1].what), (Some("u"), &What::SecondCopy { other: 7 }));
    }
}
