//! Runs one method of an instance and says how it ended, by the rules of svc.startd(8).

use std::path::Path;
use std::str::FromStr;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::context;
use super::contract::{Contract, Report, Spec};
use super::instance::{Event, Worker};
use super::states::{self, restarter};
use super::{log, tokens};
use crate::smf::model::{Groups, Property, Type, value};
use crate::smf::repository::Store;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Start,
    Stop,
    Refresh,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::Start => "start",
            Kind::Stop => "stop",
            Kind::Refresh => "refresh",
        }
    }
}

/// How long a contract is, and what its end means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Contract,
    Transient,
    /// The start method is the service.
    Wait,
}

impl Style {
    pub fn of(groups: &Groups) -> Style {
        match value(groups, "startd", "duration") {
            Some("transient") => Style::Transient,
            Some("child" | "wait") => Style::Wait,
            _ => Style::Contract,
        }
    }
}

/// A method that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Tried again, up to the threshold.
    Retryable,
    Fatal,
    TooQuick,
    /// The instance was deleted meanwhile.
    Gone,
}

/// Exit statuses with a meaning of their own; the successful ones are handed on.
pub const NODAEMON: i32 = 94;
pub const DEGRADED: i32 = 97;
const FATAL: [i32; 4] = [95, 96, 99, 100];

/// Starts that are remembered, and how far apart they have to be on average.
const START_TIMES: usize = 5;
const FAILURE_PERIOD: Duration = Duration::from_secs(600);
/// Given instead of a time when a method may take for ever.
const UNLIMITED: Duration = Duration::MAX;

impl Worker {
    /// Runs a method. Success carries its exit status: 0, or one of those that also mean success.
    pub(super) fn run_method(&mut self, kind: Kind) -> Result<i32, Failed> {
        let (groups, command) = {
            let store = Store::read(&self.shared.root).map_err(|_| Failed::Fatal)?;
            let groups = store.running_composed(&self.name).ok_or(Failed::Gone)?;
            let Some(method) = groups.get(kind.word()) else {
                self.log(match kind {
                    Kind::Refresh => "No 'refresh' method defined.  Treating as :true.".into(),
                    _ => format!("Method property group '{}' is not present.", kind.word()),
                });
                return Ok(0);
            };
            let Some(exec) = method.value("exec") else {
                self.log(format!("Method property '{}/exec is not present.", kind.word()));
                return Ok(0);
            };
            let command = tokens::expand(exec, kind.word(), &self.name, &groups, &store);
            (groups, command)
        };
        let command = command.map_err(|error| {
            self.log(format!("Could not expand method tokens: {error}"));
            Failed::Fatal
        })?;
        self.style = Style::of(&groups);
        let timeout = timeout(&groups, kind);
        if kind == Kind::Stop && self.style != Style::Transient && self.contract.is_none() {
            return Ok(0);
        }
        if command == ":true" {
            self.log(format!("Executing {} method (null).", kind.word()));
            return Ok(0);
        }
        if let Some(rest) = command.strip_prefix(":kill") {
            return self.kill_method(kind, rest, timeout);
        }
        let context = context::of(&self.shared.root, &self.name, kind.word(), &groups).map_err(|error| {
            self.log(error.to_string());
            Failed::Fatal
        })?;
        if kind == Kind::Start {
            self.starts.push(Instant::now());
            if self.style != Style::Wait && too_quick(&self.starts, &groups) {
                self.log("Restarting too quickly, changing state to maintenance.".into());
                return Err(Failed::TooQuick);
            }
        }
        for variable in &context.refused {
            self.log(format!("Invalid environment variable \"{variable}\"."));
        }
        self.log(format!("Executing {} method (\"{command}\").", kind.word()));
        let spec = Spec {
            command: on_host(&self.shared.root, &command),
            environment: context.environment,
            directory: context.directory,
            credentials: context.credentials,
            log: log::path(&self.shared.root, &self.name),
        };
        self.run_command(kind, &spec, timeout, timeout_is_final(&groups))
    }

    fn run_command(&mut self, kind: Kind, spec: &Spec, timeout: Duration, final_timeout: bool) -> Result<i32, Failed> {
        let reports = self.reports.clone();
        let hear = move |id, report| {
            // The instance may have been deleted.
            let _ = reports.send(Event::Report(id, report));
        };
        let what = format!("{} {}", self.name, kind.word());
        let contract = Contract::start(&self.shared.root, &what, spec, hear).map_err(|error| {
            self.log(format!("Couldn't fork to execute method: {error}"));
            Failed::Retryable
        })?;
        let started = Instant::now();
        let waits = self.style == Style::Wait && kind == Kind::Start;
        let timeout = if waits { UNLIMITED } else { timeout };
        let mut timed_out = false;
        let ended = loop {
            match self.report_of(&contract, started, if timed_out { UNLIMITED } else { timeout }) {
                None => {
                    self.log(format!("Method or service exit timed out.  Killing contract {}.", contract.id));
                    timed_out = true;
                    contract.kill();
                }
                Some(Report::Started(pid)) => {
                    if kind == Kind::Start {
                        self.note_start(pid, &contract);
                    }
                    if waits {
                        self.contract = Some(contract);
                        return Ok(0);
                    }
                }
                Some(ended) => break ended,
            }
        };
        if kind == Kind::Start {
            self.note_status(ended);
        }
        let code = match ended {
            Report::Exited(code) => {
                self.log(format!("Method \"{}\" exited with status {code}.", kind.word()));
                code
            }
            Report::Signaled(signal) => {
                let name = Signal::try_from(signal).map_or("?", Signal::as_str);
                let name = name.strip_prefix("SIG").unwrap_or(name);
                self.log(format!("Method \"{}\" failed due to signal {name}.", kind.word()));
                return Err(if timed_out && final_timeout { Failed::Fatal } else { Failed::Retryable });
            }
            Report::Started(_) | Report::Empty => return Err(Failed::Retryable),
        };
        match code {
            0 | NODAEMON | DEGRADED => {}
            code if FATAL.contains(&code) => return Err(Failed::Fatal),
            _ => return Err(Failed::Retryable),
        }
        match kind {
            Kind::Start if code != NODAEMON && self.style != Style::Transient => self.contract = Some(contract),
            Kind::Stop if code != NODAEMON && self.style != Style::Transient => {
                let left = if timeout == UNLIMITED { UNLIMITED } else { timeout.saturating_sub(started.elapsed()) };
                self.wait_for_empty(left)?;
            }
            _ => {}
        }
        self.note_contract();
        Ok(code)
    }

    /// `:kill [-SIG]`: one signal to the whole contract.
    fn kill_method(&mut self, kind: Kind, rest: &str, timeout: Duration) -> Result<i32, Failed> {
        let word = rest.trim().trim_start_matches('-');
        let signal = match word {
            "" => Some(Signal::SIGTERM),
            number if number.parse::<i32>().is_ok() => number.parse().ok().and_then(|n: i32| Signal::try_from(n).ok()),
            name => Signal::from_str(&format!("SIG{}", name.trim_start_matches("SIG"))).ok(),
        };
        let (Some(contract), Some(signal)) = (&self.contract, signal) else {
            self.log("Invalid use of \":kill\" as stop method for transient service.".into());
            return Err(Failed::Fatal);
        };
        self.log(format!("Executing {} method (:kill).", kind.word()));
        contract.signal(signal);
        self.wait_for_empty(timeout)?;
        Ok(0)
    }

    /// After a stop method the service's contract has to become empty, in what is left of the time.
    fn wait_for_empty(&mut self, limit: Duration) -> Result<(), Failed> {
        let started = Instant::now();
        while let Some(contract) = &self.contract {
            if contract.is_empty() {
                break;
            }
            // Nothing left of the time means that there is no limit.
            if limit != UNLIMITED && !limit.is_zero() && started.elapsed() >= limit {
                self.log(format!("Method or service exit timed out.  Killing contract {}.", contract.id));
                contract.kill();
                return Err(Failed::Fatal);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// The next report of a contract; other events wait. Nothing when the time has run out.
    fn report_of(&mut self, contract: &Contract, started: Instant, timeout: Duration) -> Option<Report> {
        loop {
            let event = if timeout == UNLIMITED {
                self.events.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                self.events.recv_timeout(timeout.checked_sub(started.elapsed())?)
            };
            match event {
                Ok(Event::Report(id, report)) if id == contract.id => return Some(report),
                Ok(other) => self.waiting.push_back(other),
                Err(RecvTimeoutError::Timeout) => return None,
                // svc.startd is ending.
                Err(RecvTimeoutError::Disconnected) => return Some(Report::Empty),
            }
        }
    }

    fn edit(&self, change: impl FnOnce(&mut Groups)) {
        // A deleted instance has nowhere to write to.
        let _ = Store::write(&self.shared.root).and_then(|store| store.edit(&self.name, change));
    }

    fn note_start(&self, pid: i32, contract: &Contract) {
        let primary = self.style != Style::Transient;
        self.edit(|groups| {
            let restarter = restarter(groups);
            restarter.set("start_pid", Type::Count, pid.to_string());
            restarter.set("start_method_timestamp", Type::Time, states::now());
            if primary {
                restarter.set("contract", Type::Count, contract.id.to_string());
            }
        });
    }

    fn note_status(&self, ended: Report) {
        // The form of wait(3C): the code in the second byte, or the signal in the first.
        let status = match ended {
            Report::Exited(code) => code << 8,
            Report::Signaled(signal) => signal,
            Report::Started(_) | Report::Empty => 0,
        };
        self.edit(|groups| restarter(groups).set("start_method_waitstatus", Type::Integer, status.to_string()));
    }

    /// Writes which contract the service has now.
    pub(super) fn note_contract(&self) {
        let values = self.contract.iter().map(|c| c.id.to_string()).collect();
        self.edit(|groups| {
            restarter(groups).properties.insert("contract".into(), Property { ty: Type::Count, values });
        });
    }
}

fn timeout(groups: &Groups, kind: Kind) -> Duration {
    match value(groups, kind.word(), "timeout_seconds").and_then(|t| t.parse::<u64>().ok()) {
        None | Some(0 | u64::MAX) => UNLIMITED,
        Some(seconds) => Duration::from_secs(seconds),
    }
}

fn timeout_is_final(groups: &Groups) -> bool {
    value(groups, "startd", "timeout_retry") == Some("false")
}

fn too_quick(starts: &[Instant], groups: &Groups) -> bool {
    let number = |prop| value(groups, "startd", prop).and_then(|v| v.parse::<u64>().ok());
    // Both have to be there; only the period may be changed safely, so the count is always five here.
    let period = match (number("critical_failure_period"), number("critical_failure_count")) {
        (Some(period), Some(_)) => Duration::from_secs(period),
        _ => FAILURE_PERIOD,
    };
    let recent = starts.len().checked_sub(START_TIMES).and_then(|from| starts.get(from..));
    match recent {
        Some([first, .., last]) => last.duration_since(*first) / (START_TIMES as u32 - 1) < period,
        _ => false,
    }
}

/// A program that the simulated host has is run from there.
fn on_host(root: &Path, command: &str) -> String {
    let (program, rest) = command.split_at(command.find([' ', '\t']).unwrap_or(command.len()));
    match program.strip_prefix('/').map(|inside| root.join(inside)) {
        Some(path) if path.exists() => format!("'{}'{rest}", path.display()),
        _ => command.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::Group;

    #[test]
    fn five_starts_are_too_quick_by_their_average_distance() {
        let now = Instant::now();
        let starts = |gap: u64| (0..5).map(|i| now + Duration::from_secs(i * gap)).collect::<Vec<_>>();
        let none = Groups::new();
        assert!(too_quick(&starts(599), &none) && !too_quick(&starts(600), &none));
        assert!(!too_quick(&starts(1)[..4], &none));
        let mut startd = Group::new("framework");
        startd.set("critical_failure_period", Type::Integer, "60");
        let mut groups = Groups::from([("startd".into(), startd)]);
        assert!(too_quick(&starts(100), &groups), "the period alone is not read");
        groups.get_mut("startd").unwrap().set("critical_failure_count", Type::Integer, "5");
        assert!(!too_quick(&starts(100), &groups));
    }

    #[test]
    fn programs_of_the_host_are_run_from_the_host() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("method"), "").unwrap();
        let inside = root.path().join("method").display().to_string();
        assert_eq!(on_host(root.path(), "/method start %"), format!("'{inside}' start %"));
        assert_eq!(on_host(root.path(), "/bin/no-such start"), "/bin/no-such start");
    }
}
