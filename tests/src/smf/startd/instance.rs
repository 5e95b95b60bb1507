//! One instance as the restarter sees it: a thread that handles its events in order and moves it between states.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::contract::{Contract, Report};
use super::daemon::{Notice, Shared};
use super::log;
use super::method::{DEGRADED, Failed, Kind, NODAEMON, Style};
use super::states::{self, State};
use crate::smf::fmri::InstanceName;

/// Consecutive failures of a method that are tried again.
const FAULT_THRESHOLD: u32 = 3;
/// Exit status of a wait-style service that is misconfigured.
const CONFIGURATION_ERROR: i32 = 96;
/// Pause before a wait-style service that fails too often is started again.
const THROTTLE: Duration = Duration::from_secs(1);

#[derive(Debug, Clone)]
pub enum Event {
    Enable {
        reason: &'static str,
    },
    /// With `admin` it takes the instance out of maintenance.
    Disable {
        admin: bool,
    },
    Start {
        reason: &'static str,
    },
    /// A dependency, or the host's shutdown, wants it down.
    Stop {
        reset: bool,
    },
    Restart,
    Refresh,
    Maintain {
        immediate: bool,
        reason: &'static str,
    },
    Clear,
    Restore,
    Degrade,
    Report(i32, Report),
    Removed,
}

/// Why a state was left, for those that depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    None,
    Fault,
    Restart,
    Refresh,
}

pub struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) name: InstanceName,
    pub(super) events: Receiver<Event>,
    pub(super) reports: Sender<Event>,
    /// Events that came while a method ran.
    pub(super) waiting: VecDeque<Event>,
    pub(super) style: Style,
    /// The primary contract.
    pub(super) contract: Option<Contract>,
    /// Starts since the last reset, for the check of their rate.
    pub(super) starts: Vec<Instant>,
    state: State,
    enabled: bool,
    faults: u32,
}

impl Worker {
    /// Starts the thread of an instance that is in `state`.
    pub fn spawn(shared: Arc<Shared>, name: InstanceName, state: State) -> Sender<Event> {
        let (sender, events) = channel();
        let reports = sender.clone();
        let worker = Worker {
            shared,
            name,
            events,
            reports,
            waiting: VecDeque::new(),
            style: Style::Contract,
            contract: None,
            starts: Vec::new(),
            state,
            enabled: false,
            faults: 0,
        };
        let run = thread::Builder::new().stack_size(1 << 20).spawn(move || worker.run());
        if let Err(error) = run {
            eprintln!("svc.startd: cannot start a thread: {error}");
        }
        sender
    }

    fn run(mut self) {
        loop {
            let event = match self.waiting.pop_front() {
                Some(event) => event,
                None => match self.events.recv() {
                    Ok(event) => event,
                    Err(_) => return,
                },
            };
            if matches!(event, Event::Removed) {
                return;
            }
            self.handle(event);
        }
    }

    pub(super) fn log(&self, text: String) {
        log::write(&self.shared.root, &self.name, &text);
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Enable { reason } => self.enable(reason),
            Event::Disable { admin } => self.disable(admin),
            Event::Start { reason } => self.start(reason),
            Event::Stop { reset } => {
                if reset {
                    self.starts.clear();
                }
                self.stop("dependency activity requires stop", "dependency_activity", Cause::Restart);
            }
            Event::Restart => {
                if self.state.is_running() {
                    self.stop("service restarting", "restart_request", Cause::Restart);
                    self.starts.clear();
                }
            }
            // Leaving degraded is done by stopping and starting again.
            Event::Restore if self.state == State::Degraded => {
                self.stop("service restarting", "clear_request", Cause::Restart);
                self.starts.clear();
            }
            Event::Restore => {}
            Event::Degrade if self.state == State::Online => {
                self.commit(State::Degraded, None, "administrative_request", Cause::None);
            }
            Event::Degrade => {}
            Event::Refresh => self.refresh(),
            Event::Maintain { immediate, reason } => self.maintain(immediate, reason),
            Event::Clear => {
                self.leave_maintenance("clear requested", "clear_request");
                self.starts.clear();
            }
            Event::Report(id, report) => self.hear(id, report),
            Event::Removed => {}
        }
    }

    fn commit(&mut self, state: State, next: Option<State>, reason: &str, cause: Cause) {
        self.state = state;
        // A deleted instance has nowhere to write to.
        let _ = states::commit(&self.shared.root, &self.name, state, next, reason);
        if next.is_none() {
            let notice = Notice::State { name: self.name.clone(), state, reason: static_reason(reason), cause };
            let _ = self.shared.notices.send(notice);
        }
    }

    fn enable(&mut self, reason: &'static str) {
        self.enabled = true;
        if matches!(self.state, State::Uninitialized | State::Disabled) {
            let reason = match (reason, self.state) {
                ("clear_request", _) => reason,
                (_, State::Disabled) => "enable_request",
                _ => "per_configuration",
            };
            self.log("Enabled.".into());
            self.commit(State::Offline, None, reason, Cause::None);
        }
    }

    fn disable(&mut self, admin: bool) {
        self.enabled = false;
        match self.state {
            State::Online | State::Degraded => self.stop("service disabled", "disable_request", Cause::Restart),
            State::Offline | State::Uninitialized => {
                self.abandon();
                self.log("Disabled.".into());
                self.commit(State::Disabled, None, "disable_request", Cause::Restart);
            }
            State::Maintenance if admin => self.leave_maintenance("disable requested", "disable_request"),
            State::Maintenance | State::Disabled => {}
        }
        if admin {
            self.starts.clear();
        }
    }

    fn start(&mut self, reason: &'static str) {
        if self.state != State::Offline || !self.enabled {
            return;
        }
        let reason = match reason {
            "restart_request" | "clear_request" => reason,
            _ => "dependencies_satisfied",
        };
        self.commit(self.state, Some(State::Online), reason, Cause::None);
        self.transition(Kind::Start, State::Online, reason, Cause::None);
    }

    fn stop(&mut self, because: &str, reason: &'static str, cause: Cause) {
        if !self.state.is_running() {
            return;
        }
        self.log(format!("Stopping because {because}."));
        let goal = if self.enabled { State::Offline } else { State::Disabled };
        self.commit(self.state, Some(goal), reason, Cause::None);
        self.transition(Kind::Stop, goal, reason, cause);
    }

    fn refresh(&mut self) {
        self.log("Rereading configuration.".into());
        if self.state.is_running() {
            let state = self.state;
            let _ = states::commit(&self.shared.root, &self.name, state, Some(state), "refresh");
            self.transition(Kind::Refresh, state, "none", Cause::Refresh);
        }
    }

    fn maintain(&mut self, immediate: bool, reason: &'static str) {
        self.log(format!("Stopping for maintenance due to {reason}."));
        if self.state == State::Maintenance {
            return;
        }
        if immediate || !self.state.is_running() {
            self.abandon();
            self.commit(State::Maintenance, None, reason, Cause::Restart);
            return;
        }
        self.commit(self.state, Some(State::Maintenance), reason, Cause::None);
        self.transition(Kind::Stop, State::Maintenance, reason, Cause::Restart);
    }

    fn leave_maintenance(&mut self, because: &str, reason: &'static str) {
        if self.state == State::Maintenance {
            self.log(format!("Leaving maintenance because {because}."));
            self.abandon();
            // The graph answers with an enable or a disable.
            self.commit(State::Uninitialized, None, reason, Cause::Restart);
        }
    }

    /// Lets go of the primary contract; its processes live on.
    fn abandon(&mut self) {
        if self.contract.take().is_some() {
            self.note_contract();
        }
    }

    /// Runs a method, again and again if it has to be, until the goal is reached or it is maintenance.
    fn transition(&mut self, kind: Kind, goal: State, reason: &'static str, cause: Cause) {
        loop {
            let failed = match self.run_method(kind) {
                Ok(code) => {
                    let goal = if kind == Kind::Start && code == DEGRADED { State::Degraded } else { goal };
                    let keeps = kind == Kind::Stop && goal == State::Offline && code != NODAEMON;
                    if kind == Kind::Stop && !keeps {
                        self.abandon();
                    }
                    self.commit(goal, None, reason, cause);
                    self.faults = 0;
                    return;
                }
                Err(failed) => failed,
            };
            if failed == Failed::Retryable {
                self.faults += 1;
                if self.faults < FAULT_THRESHOLD {
                    continue;
                }
            }
            let reason = match failed {
                Failed::Gone => return,
                Failed::TooQuick => "restarting_too_quickly",
                Failed::Retryable => "fault_threshold_reached",
                Failed::Fatal => "method_failed",
            };
            self.commit(State::Maintenance, None, reason, Cause::Fault);
            self.abandon();
            return;
        }
    }

    /// Something happened in the primary contract outside of any method.
    fn hear(&mut self, id: i32, report: Report) {
        if self.contract.as_ref().is_none_or(|c| c.id != id) || !self.state.is_running() {
            return;
        }
        match (self.style, report) {
            (Style::Wait, Report::Exited(0)) => self.child_ended("all processes in service exited", Cause::Restart),
            (Style::Wait, Report::Exited(CONFIGURATION_ERROR)) => {
                self.log("Stopping because service exited with a configuration error.".into());
                self.abandon();
                self.commit(State::Maintenance, None, "method_failed", Cause::Fault);
            }
            (Style::Wait, Report::Exited(_) | Report::Signaled(_)) => {
                if self.starts.len() >= 5 && self.starts.iter().rev().nth(4).is_some_and(|t| t.elapsed() < THROTTLE * 4)
                {
                    self.log("Failing too quickly, throttling.".into());
                    thread::sleep(THROTTLE);
                }
                self.child_ended("service exited with an error", Cause::Restart);
            }
            (Style::Contract, Report::Empty) => {
                self.stop("all processes in service exited", "ct_ev_exit", Cause::Restart);
            }
            _ => {}
        }
    }

    /// A wait-style service is stopped by its own end: no stop method, and what is left is abandoned.
    fn child_ended(&mut self, because: &str, cause: Cause) {
        self.log(format!("Stopping because {because}."));
        self.abandon();
        self.commit(State::Offline, None, "ct_ev_exit", cause);
    }
}

/// The reasons that a start keeps.
fn static_reason(reason: &str) -> &'static str {
    match reason {
        "restart_request" => "restart_request",
        "clear_request" => "clear_request",
        "disable_request" => "disable_request",
        _ => "none",
    }
}
