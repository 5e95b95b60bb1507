//! A process named by its pid and start time, so that a reused pid is never taken for it.
//!
//! Reads Linux's `/proc`: the simulated host runs on the machine that builds the project.

use std::fs;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// One process, for good: the pair never comes again on a running system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    pub pid: i32,
    /// Clock ticks since boot.
    pub started: u64,
}

impl Process {
    /// The calling process.
    pub fn me() -> Self {
        let pid = Pid::this().as_raw();
        Self::of(pid).unwrap_or(Self { pid, started: 0 })
    }

    /// The process that has this pid now, be it a zombie.
    pub fn of(pid: i32) -> Option<Self> {
        look(pid).map(|(_, started)| Self { pid, started })
    }

    /// Whether it still runs. A zombie does not: its sockets and locks are closed already.
    pub fn is_alive(self) -> bool {
        look(self.pid).is_some_and(|(alive, started)| alive && started == self.started)
    }

    /// Sends a signal, unless the process is gone. Says whether it was sent.
    pub fn signal(self, signal: Signal) -> bool {
        self.is_alive() && kill(Pid::from_raw(self.pid), signal).is_ok()
    }
}

/// Whether the process runs, and when it was started.
fn look(pid: i32) -> Option<(bool, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may hold blanks and parentheses itself.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace();
    let alive = !matches!(fields.next()?, "Z" | "X" | "x");
    // The start time is field 22 of the line; the state, just taken, is field 3.
    Some((alive, fields.nth(18)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn this_process_is_alive_and_another_start_time_is_another_process() {
        let me = Process::me();
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
    }

    #[test]
    fn a_zombie_counts_as_dead_but_keeps_its_identity() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = Process::of(child.id() as i32).unwrap();
        assert!(process.is_alive());
        child.kill().unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
        while process.is_alive() && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(!process.is_alive(), "killed but not yet reaped");
        assert_eq!(Process::of(process.pid), Some(process), "still has its identity");
        child.wait().unwrap();
    }
}
