//! The run files of one instance, by meaning.

use std::time::SystemTime;

use super::{Lock, RunDir, RunDirError, RunFile};
use crate::decide::start::BlockFile;
use crate::decide::watch::NoKick;
use crate::monitor::step::Notes;
use crate::settings::{RestartOnce, Settings};
use crate::virtualbox::process::{self, Process, StartTime};

#[derive(Debug, Clone)]
pub struct RunFiles {
    /// Locked by the monitor for as long as it lives; tells its pid and the VM's process.
    pub pid: RunFile,
    pub nokick: RunFile,
    pub block: RunFile,
    /// `None`: disabled.
    pub restart_once: Option<RunFile>,
    /// What the VM's process prints.
    pub output: RunFile,
    /// What the monitor tells `status`.
    pub notes: RunFile,
    /// Locked by a start under way, so that two of them go one after the other.
    pub start: RunFile,
    /// Where the monitor logs when it was started by hand.
    pub log: RunFile,
    /// Locked by the process that shows the serial console; tells its pid.
    pub sercon: RunFile,
}

/// What the pid file says: one line for the monitor, one for the VM's process, each with its start time, because a
/// pid alone may by now be an innocent process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PidRecord {
    pub monitor: Process,
    /// The VM's process, if a monitor of this instance started it.
    pub vm: Option<Process>,
}

impl PidRecord {
    pub fn text(&self) -> String {
        process_text(&self.monitor) + &self.vm.as_ref().map(process_text).unwrap_or_default()
    }

    pub fn parse(text: &str) -> Option<PidRecord> {
        let mut lines = text.lines().map(process_from);
        Some(PidRecord { monitor: lines.next()??, vm: lines.next().flatten() })
    }
}

/// One line for a process: its pid, its start time and its user.
fn process_text(process: &Process) -> String {
    format!("{} {} {}\n", process.pid, process.started, process.uid)
}

fn process_from(line: &str) -> Option<Process> {
    let mut words = line.split_ascii_whitespace();
    let (pid, started, uid) = (words.next()?, words.next()?, words.next()?);
    // Signals to 0 and below go to groups, not to a process.
    let pid = pid.parse().ok().filter(|pid| *pid > 0)?;
    Some(Process { pid, started: started.parse().ok()?, uid: uid.parse().ok()? })
}

impl RunFiles {
    pub fn of(dir: &RunDir, instance: &str, settings: &Settings) -> Result<RunFiles, RunDirError> {
        let name = |kind: &str| format!("{instance}.{kind}");
        let restart_once = match &settings.restart_once {
            RestartOnce::Disabled => None,
            RestartOnce::Automatic => Some(dir.file(&name("restart_saved_once"), None)?),
            RestartOnce::At(path) => Some(dir.file(&name("restart_saved_once"), Some(path))?),
        };
        Ok(RunFiles {
            pid: dir.file(&name("pid"), settings.pidfile.as_deref())?,
            nokick: dir.file(&name("nokick"), settings.nokick_file.as_deref())?,
            block: dir.file(&name("block"), settings.blockfile.as_deref())?,
            restart_once,
            output: dir.file(&name("output"), None)?,
            notes: dir.file(&name("notes"), None)?,
            start: dir.file(&name("start"), None)?,
            log: dir.file(&name("log"), None)?,
            sercon: dir.file(&name("sercon"), None)?,
        })
    }

    /// Takes the monitor's lock; `None` when another process holds it. A file of the administrator's choice that holds
    /// something else than pids is left as it is: naming it may be a mistake.
    pub fn lock_monitor(&self) -> Result<Option<Lock>, RunDirError> {
        let there = self.pid.read()?.map(|found| found.text).unwrap_or_default();
        // Of a pid file of the older tool, which may be there still, the pid is all there is.
        match there.split_ascii_whitespace().next() {
            Some(word) if word.parse::<i32>().is_err() => {
                Err(RunDirError::Foreign { path: self.pid.path().to_path_buf() })
            }
            _ => self.pid.lock(),
        }
    }

    /// What the last monitor recorded, whether it lives or not.
    pub fn recorded(&self) -> Result<Option<PidRecord>, RunDirError> {
        Ok(self.pid.read()?.and_then(|found| PidRecord::parse(&found.text)))
    }

    /// The living monitor: a pid whose file nobody locks is stale and harmless.
    pub fn monitor(&self) -> Result<Option<Process>, RunDirError> {
        if !self.pid.is_locked()? {
            return Ok(None);
        }
        let monitor = self.recorded()?.map(|record| record.monitor);
        Ok(monitor.filter(|m| process::alive(m.pid, m.started)))
    }

    /// The VM's process as a former monitor of this instance recorded it, if it still lives.
    pub fn own_vm_process(&self) -> Result<Option<Process>, RunDirError> {
        Ok(self.recorded()?.and_then(|r| r.vm).filter(|vm| process::alive(vm.pid, vm.started)))
    }

    /// What the last monitor told; nothing where there is no word of it, or none that makes sense.
    pub fn told(&self) -> Result<Notes, RunDirError> {
        let found = self.notes.read()?;
        Ok(found.and_then(|found| serde_json::from_str(&found.text).ok()).unwrap_or_default())
    }

    /// A living monitor is launching the VM.
    pub fn is_launching(&self) -> Result<bool, RunDirError> {
        Ok(self.told()?.launching && self.monitor()?.is_some())
    }

    /// A start or a launch is under way: asking VirtualBox for more than its lists would get in its way. A launch counts
    /// even when its monitor has died, for the launch itself may go on.
    pub fn start_under_way(&self) -> Result<bool, RunDirError> {
        Ok(self.start.is_locked()? || self.told()?.launching)
    }

    pub fn record(&self, lock: &mut Lock, record: &PidRecord) -> Result<(), RunDirError> {
        lock.write(&record.text()).map_err(|source| self.pid.io("write", source))
    }

    /// The living process that shows the serial console, as it recorded itself under its lock.
    pub fn console(&self) -> Result<Option<Process>, RunDirError> {
        if !self.sercon.is_locked()? {
            return Ok(None);
        }
        let recorded = self.sercon.read()?.and_then(|found| process_from(found.text.lines().next()?));
        Ok(recorded.filter(|p| process::alive(p.pid, p.started)))
    }

    pub fn record_console(&self, lock: &mut Lock, process: &Process) -> Result<(), RunDirError> {
        lock.write(&process_text(process)).map_err(|source| self.sercon.io("write", source))
    }

    /// Who keeps the monitor's hands off; a file whose holder is dead counts for nothing.
    pub fn held(&self) -> Result<Held, RunDirError> {
        let Some(found) = self.nokick.read()? else { return Ok(Held::By(NoKick::None)) };
        let mut words = found.text.split_ascii_whitespace();
        let Some(pid) = words.next().and_then(|w| w.parse::<i32>().ok()) else {
            return Ok(Held::By(NoKick::Administrator));
        };
        let started = words.next().and_then(|w| w.parse::<StartTime>().ok());
        let alive = match started {
            Some(started) => process::alive(pid, started),
            None => process::look(pid).is_ok_and(|found| found.is_some()),
        };
        Ok(if alive { Held::By(NoKick::Command(pid)) } else { Held::Abandoned(pid) })
    }

    /// Takes the nokick file for this process. An administrator's own stays, and holds as well.
    pub fn hold(&self) -> Result<Hold, RunDirError> {
        let me = std::process::id() as i32;
        let text = match process::look(me) {
            Ok(Some(process)) => format!("{me} {}\n", process.started),
            _ => format!("{me}\n"),
        };
        if self.nokick.write(&text, true)? {
            return Ok(Hold { file: Some(self.nokick.clone()), other: None });
        }
        match self.held()? {
            Held::By(NoKick::Administrator) => Ok(Hold { file: None, other: None }),
            Held::By(NoKick::Command(pid)) if pid != me => Ok(Hold { file: None, other: Some(pid) }),
            _ => {
                self.nokick.write(&text, false)?;
                Ok(Hold { file: Some(self.nokick.clone()), other: None })
            }
        }
    }

    /// The block file as the start decision wants to know it.
    pub fn block(&self, me: u32) -> Result<Option<BlockFile>, RunDirError> {
        let Some(owner) = self.block.owner()? else { return Ok(None) };
        if owner != me {
            return Ok(Some(BlockFile { ours: false, age: None }));
        }
        let Some(found) = self.block.read()? else { return Ok(None) };
        Ok(Some(BlockFile { ours: true, age: SystemTime::now().duration_since(found.modified).ok() }))
    }
}

/// The nokick file as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    By(NoKick),
    /// Its holder died without removing it.
    Abandoned(i32),
}

/// The nokick file held by this process; it goes on every way out.
#[derive(Debug)]
pub struct Hold {
    file: Option<RunFile>,
    /// Another living command that holds it.
    pub other: Option<i32>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // A file that cannot be removed names a dead process from here on, and then counts for nothing.
            let _ = file.remove();
        }
    }
}
