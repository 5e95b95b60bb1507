//! What the stop method does next, asked again after every look at the VM until it is done.

use std::fmt;
use std::time::Duration;

use super::{Decision, Sight};
use crate::settings::StopMethod;
use crate::virtualbox::{Group, State, Verb};

/// The least and the most time a graceful stop leaves for the power-off after it.
const ROUGH_LEAST: Duration = Duration::from_secs(2);
const ROUGH_MOST: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub sight: Sight,
    /// A process of the VM lives.
    pub process: bool,
    pub method: StopMethod,
    /// The orders VirtualBox has accepted so far, in this stop.
    pub accepted: Vec<Verb>,
    /// The last order that VirtualBox refused for good, and its words.
    pub refused: Option<(Verb, String)>,
    /// The VM was live, paused or stuck when this stop first saw it.
    pub was_up: bool,
    /// Time left and time given in all; `None` = for ever.
    pub left: Option<Duration>,
    pub given: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    Give(Verb),
    Wait,
    /// The wanted state is reached and the process gone.
    Done,
    /// The VM came to rest in another state than the wanted one, or an order was refused for good (126).
    Failed,
    /// The time ran out (125); the VM is left as it is.
    TimedOut,
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Give(verb) => write!(f, "gives the order {}", verb.word()),
            Stop::Wait => f.write_str("waits"),
            Stop::Done => f.write_str("succeeds"),
            Stop::Failed => f.write_str("fails"),
            Stop::TimedOut => f.write_str("runs out of time"),
        }
    }
}

pub fn stop(facts: &Facts) -> Decision<Stop> {
    let decided = next(facts);
    let out_of_time = facts.left.is_some_and(|left| left.is_zero());
    match decided.action {
        Stop::Wait | Stop::Give(_) if out_of_time => {
            Decision::new(Stop::TimedOut, format!("the time for the stop ran out: {}; the VM is left", decided.reason))
        }
        _ => decided,
    }
}

fn next(facts: &Facts) -> Decision<Stop> {
    let state = match &facts.sight {
        Sight::State(state) => state,
        Sight::NotKnown(why) | Sight::Wedged(why) => {
            return Decision::new(Stop::Wait, format!("the VM's state is not known: {why}"));
        }
    };
    match state.group() {
        Group::Stuck => give(facts, Verb::PowerOff, format!("the VM is {state}: only a power-off helps")),
        Group::Live if *state == State::Running => by_method(facts, state),
        Group::Paused => by_method(facts, state),
        Group::Live | Group::Saving | Group::Passing => {
            Decision::new(Stop::Wait, format!("the VM is {state}: waiting for that to end"))
        }
        Group::Unknown if facts.process => by_method(facts, state),
        Group::Empty if facts.process => {
            Decision::new(Stop::Wait, "VirtualBox gives no state of a VM whose process lives")
        }
        Group::Empty | Group::Unknown => Decision::new(Stop::Done, format!("the VM is {state} and has no process")),
        Group::Saved | Group::Halted | Group::Aborted if facts.process => Decision::new(
            Stop::Wait,
            format!("VirtualBox says {state} while a process of the VM lives: waiting for its end"),
        ),
        Group::Saved | Group::Halted | Group::Aborted => at_rest(facts, state),
    }
}

/// Judges the resting state a VM without a process is in.
fn at_rest(facts: &Facts, state: &State) -> Decision<Stop> {
    if !facts.was_up {
        return Decision::new(Stop::Done, format!("the VM is {state}: nothing to stop"));
    }
    let powered_off = facts.accepted.contains(&Verb::PowerOff);
    let wanted = match facts.method {
        StopMethod::SaveState if !powered_off => Group::Saved,
        _ => Group::Halted,
    };
    if state.group() == wanted {
        Decision::new(Stop::Done, format!("the VM is {state}, as wanted"))
    } else {
        Decision::new(Stop::Failed, format!("the VM ended {state}, which is not what {} wanted", facts.method.word()))
    }
}

fn by_method(facts: &Facts, state: &State) -> Decision<Stop> {
    let reason = format!("the VM is {state} and the stop method is {}", facts.method.word());
    if facts.method == StopMethod::PowerOffGraceful && time_for_rough(facts) {
        return give(facts, Verb::PowerOff, "the guest did not power off in time: powering it off".to_string());
    }
    let order = match facts.method {
        StopMethod::SaveState => Verb::SaveState,
        StopMethod::PowerOff => Verb::PowerOff,
        StopMethod::Reset if facts.accepted.contains(&Verb::Reset) => {
            return Decision::new(Stop::Done, "the VM was reset and goes on running, as its stop method says");
        }
        // VirtualBox refuses buttons and a reset to a paused VM.
        _ if state.group() == Group::Paused => {
            return give(facts, Verb::Resume, format!("{reason}: resuming it first"));
        }
        StopMethod::Reset => Verb::Reset,
        StopMethod::AcpiSleepButton => Verb::AcpiSleepButton,
        StopMethod::AcpiPowerButton | StopMethod::PowerOffGraceful => Verb::AcpiPowerButton,
    };
    give(facts, order, reason)
}

/// Gives an order once, then waits for its effect; a refusal for good ends the stop.
fn give(facts: &Facts, order: Verb, reason: String) -> Decision<Stop> {
    match &facts.refused {
        Some((refused, why)) if *refused == order => {
            Decision::new(Stop::Failed, format!("{reason}, but VirtualBox refuses: {why}"))
        }
        _ if facts.accepted.contains(&order) => Decision::new(Stop::Wait, format!("{reason}: waiting for it")),
        _ => Decision::new(Stop::Give(order), reason),
    }
}

/// Whether a graceful stop has used up its part of the time, or its gentle orders were refused.
fn time_for_rough(facts: &Facts) -> bool {
    facts.accepted.contains(&Verb::PowerOff)
        || facts.refused.is_some()
        || matches!((facts.left, facts.given), (Some(left), Some(given)) if left <= rough_share(given))
}

/// What a graceful stop keeps for the rough one: a fifth of the time, between two and thirty seconds.
pub fn rough_share(given: Duration) -> Duration {
    (given / 5).clamp(ROUGH_LEAST, ROUGH_MOST)
}

/// The deadline of a stop: the sooner of `vm/stop_timeout` (or `-t`) and, under SMF, its own time-out less five seconds.
pub fn time_given(asked: Option<Duration>, smf: Option<Duration>) -> Option<Duration> {
    const MARGIN: Duration = Duration::from_secs(5);
    let smf = smf.map(|all| if all > MARGIN * 2 { all - MARGIN } else { all / 2 });
    match (asked, smf) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
