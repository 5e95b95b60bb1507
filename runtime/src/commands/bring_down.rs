//! Brings a VM to rest, step by step as `decide::stop` says, within its time.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::subject::Subject;
use crate::decide::Sight;
use crate::decide::stop::{self, Facts, Stop};
use crate::exec::InterruptibleRunner;
use crate::exit::{Exit, failure};
use crate::rundir::files::RunFiles;
use crate::settings::StopMethod;
use crate::virtualbox::error::WEDGED_QUIET;
use crate::virtualbox::process::{self, Process};
use crate::virtualbox::{AskError, Group, State, Verb};

/// Gaps between looks: they grow from the first to the widest.
const FIRST_GAP: Duration = Duration::from_millis(30);
const WIDEST_GAP: Duration = Duration::from_secs(1);
/// The least time an order gets, even at the end of the time given.
const LEAST_ORDER: Duration = Duration::from_secs(1);
/// How long a monitor may take to stand down before it is killed.
const STAND_DOWN: Duration = Duration::from_secs(5);

/// How a stop ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Reached,
    Failed,
    TimedOut,
}

impl Outcome {
    /// What a command exits with, and what a snapshot's stage tells.
    pub fn exit(self) -> Exit {
        match self {
            Outcome::Reached => Exit::Ok,
            Outcome::Failed => Exit::Other,
            Outcome::TimedOut => Exit::TimedOut,
        }
    }
}

/// Stops the VM by the method, within the time given; `None` = for ever.
pub fn bring_down(subject: &Subject, method: StopMethod, given: Option<Duration>) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let left = || given.map(|given| given.saturating_sub(began.elapsed()));
    let interrupted = || subject.world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    let mut facts = Facts {
        sight: subject.sight(&runner, false),
        process: !processes(subject)?.is_empty(),
        method,
        accepted: Vec::new(),
        refused: None,
        was_up: false,
        left: left(),
        given,
    };
    let mut gap = FIRST_GAP;
    let mut told = String::new();
    loop {
        if subject.world.is_ended() {
            return Err(failure(Exit::Fatal, "interrupted by a signal; the VM is left as it is"));
        }
        facts.was_up |= facts.sight.state().is_some_and(is_up);
        let decision = stop::stop(&facts);
        if decision.reason != told {
            let log = if decision.action == Stop::Wait { crate::log::Log::debug } else { crate::log::Log::info };
            log(&subject.log, &decision.reason);
            told = decision.reason;
        }
        let mut pause = gap;
        match decision.action {
            Stop::Done => return Ok(Outcome::Reached),
            Stop::Failed => return Ok(Outcome::Failed),
            Stop::TimedOut => return Ok(Outcome::TimedOut),
            Stop::Wait if matches!(facts.sight, Sight::Wedged(_)) => pause = WEDGED_QUIET,
            Stop::Wait => gap = (gap * 2).min(WIDEST_GAP),
            Stop::Give(order) => {
                gap = FIRST_GAP;
                if let Some(wedged) = give(subject, &runner, order, &mut facts, left()) {
                    pause = wedged;
                }
            }
        }
        sleep(left().map_or(pause, |left| pause.min(left)));
        facts.sight = subject.sight(&runner, false);
        facts.process = !processes(subject)?.is_empty();
        facts.left = left();
    }
}

/// Gives an order and notes how it was taken; the pause to keep where the session is wedged.
fn give(
    subject: &Subject,
    runner: &InterruptibleRunner,
    order: Verb,
    facts: &mut Facts,
    left: Option<Duration>,
) -> Option<Duration> {
    // An order may take all the time there is: a large state takes long to save.
    let time = left.map_or(Duration::MAX, |left| left.max(LEAST_ORDER));
    match subject.virtualbox(runner).control(&subject.machine.uuid, order, time) {
        Ok(()) => facts.accepted.push(order),
        Err(error) if matches!(error, AskError::Wedged { .. }) => {
            subject.log.warn(&error);
            return Some(WEDGED_QUIET);
        }
        Err(error) if error.is_transient() || matches!(error, AskError::NotRunning { .. }) => subject.log.debug(&error),
        Err(error) => {
            subject.log.warn(&error);
            facts.refused = Some((order, error.to_string()));
        }
    }
    None
}

fn is_up(state: &State) -> bool {
    !matches!(state.group(), Group::Saved | Group::Halted | Group::Aborted | Group::Empty)
}

/// The living processes of the VM. Where the system does not show enough to tell, the one that a monitor of this
/// instance started and recorded is known all the same; without such a record it is an error, never a guess.
pub fn processes(subject: &Subject) -> anyhow::Result<Vec<Process>> {
    match process::of_machine(&subject.machine, subject.user.uid) {
        Ok(found) => Ok(found.into_iter().map(|front_end| front_end.process).collect()),
        Err(error) => match subject.files.own_vm_process()? {
            Some(own) => Ok(vec![own]),
            None => Err(error).context("the VM's processes cannot be told"),
        },
    }
}

/// Has the instance's monitor end, and waits for it, so that the two never work against each other.
pub fn stand_down(files: &RunFiles, log: &crate::log::Log) -> anyhow::Result<()> {
    use nix::sys::signal::{Signal, kill};
    let Some(monitor) = files.monitor()? else { return Ok(()) };
    let pid = nix::unistd::Pid::from_raw(monitor.pid);
    log.debug(format!("having the monitor, process {pid}, stand down"));
    let _ = kill(pid, Signal::SIGTERM);
    let began = Instant::now();
    let mut killed = false;
    while files.pid.is_locked()? {
        if began.elapsed() > STAND_DOWN && !std::mem::replace(&mut killed, true) {
            log.warn(format!("the monitor, process {pid}, does not stand down: killing it; the VM is not touched"));
            let _ = kill(pid, Signal::SIGKILL);
        }
        if began.elapsed() > STAND_DOWN * 2 {
            anyhow::bail!("process {pid} holds {} and cannot be ended", files.pid.path().display());
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}
