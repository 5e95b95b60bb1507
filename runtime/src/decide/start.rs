//! What the start method does with a VM in whatever state it finds it.

use std::fmt;
use std::time::Duration;

use super::{Decision, Sight};
use crate::settings::Settings;
use crate::virtualbox::{Group, State};

/// A live process of this VM, as far as this program knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VmProcess {
    None,
    /// Started by a former monitor of this instance: recorded pid and start time agree.
    Ours,
    /// Somebody else's: a person's, a GUI's, another service's.
    Foreign,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub sight: Sight,
    pub process: VmProcess,
    /// `start-force`: start whatever the settings say.
    pub force: bool,
    /// This program has itself saved the VM a moment ago in order to take it over.
    pub took_over: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Launch the VM under a new monitor.
    Launch,
    /// Power the stuck VM off, then launch it.
    PowerOffThenLaunch,
    /// Save the state of a VM that somebody else runs, then launch it under this service.
    TakeOver,
    /// Put a new monitor beside the process a former one started; resume it where it is paused.
    Attach { resume: bool },
    /// Succeed and leave the VM as it is; the monitor watches it.
    Leave,
    /// The state will pass: look again, for as long as the start may take.
    Wait,
    /// Fail the method (95), the VM untouched.
    Refuse,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Start::Launch => "starts it",
            Start::PowerOffThenLaunch => "powers it off, then starts it",
            Start::TakeOver => "saves its state, then starts it under the service",
            Start::Attach { resume: false } => "puts a new monitor beside it",
            Start::Attach { resume: true } => "puts a new monitor beside it and resumes it",
            Start::Leave => "succeeds and leaves it",
            Start::Wait => "waits",
            Start::Refuse => "fails and leaves it",
        })
    }
}

pub fn start(facts: &Facts, settings: &Settings) -> Decision<Start> {
    let state = match &facts.sight {
        Sight::State(state) => state,
        Sight::NotKnown(why) | Sight::Wedged(why) => {
            return Decision::new(Start::Wait, format!("the VM's state is not known: {why}"));
        }
    };
    let interactive = settings.kind.is_interactive() && !facts.force;
    match state.group() {
        Group::Live | Group::Paused if facts.process == VmProcess::Ours => attach(state, facts, settings),
        Group::Live if interactive => {
            Decision::new(Start::Leave, format!("the VM is {state} and interactive: it is its user's"))
        }
        Group::Live if *state == State::Running => Decision::new(
            Start::TakeOver,
            "the VM is running outside this service: its state is saved, then it starts under the service",
        ),
        Group::Live | Group::Saving | Group::Passing => {
            Decision::new(Start::Wait, format!("the VM is {state}: waiting for that to end"))
        }
        Group::Paused => allowed(state, facts, settings, Start::TakeOver),
        Group::Saved | Group::Halted | Group::Aborted if facts.process != VmProcess::None => Decision::new(
            Start::Wait,
            format!(
                "VirtualBox says {state} while a process of the VM lives: never a second copy, waiting for its end"
            ),
        ),
        Group::Saved if facts.took_over => {
            Decision::new(Start::Launch, "its state was saved in order to take it over: starting it again")
        }
        Group::Saved | Group::Halted | Group::Aborted => allowed(state, facts, settings, Start::Launch),
        Group::Stuck => allowed(state, facts, settings, Start::PowerOffThenLaunch),
        Group::Empty => Decision::new(Start::Leave, "VirtualBox gives no state: the monitor will look again"),
        Group::Unknown if facts.force && facts.process == VmProcess::None => Decision::new(
            Start::Launch,
            format!("the state {state} is not known to this program, but the start is forced"),
        ),
        Group::Unknown => Decision::new(
            Start::Refuse,
            format!("the state {state} is not known to this program: bring the VM to a known one by VBoxManage"),
        ),
    }
}

fn attach(state: &State, facts: &Facts, settings: &Settings) -> Decision<Start> {
    if state.group() != Group::Paused {
        return Decision::new(
            Start::Attach { resume: false },
            format!(
                "the VM is {state}, started by a former monitor of this instance: a new one takes over, undisturbed"
            ),
        );
    }
    allowed(state, facts, settings, Start::Attach { resume: true })
}

/// As the `start_*_vm` setting of this state says. Where one says no, an aborted or paused VM fails the method.
fn allowed(state: &State, facts: &Facts, settings: &Settings, action: Start) -> Decision<Start> {
    let (property, value, refusal_fails) = match state.group() {
        Group::Aborted => ("start_aborted_vm", settings.start.aborted, true),
        Group::Paused => ("start_paused_vm", settings.start.paused, true),
        Group::Saved => ("start_saved_vm", settings.start.saved, false),
        Group::Stuck => ("start_stuck_vm", settings.start.stuck, false),
        _ => ("start_halted_vm", settings.start.halted, false),
    };
    if facts.force {
        Decision::new(action, format!("the VM is {state} and the start is forced"))
    } else if value {
        Decision::new(action, format!("the VM is {state} and vm/{property} is true"))
    } else if refusal_fails && !settings.kind.is_interactive() {
        Decision::new(
            Start::Refuse,
            format!("the VM is {state} and vm/{property} is false: set it to true, or bring the VM up or down by hand"),
        )
    } else {
        Decision::new(Start::Leave, format!("the VM is {state} and vm/{property} is false: leaving it alone"))
    }
}

/// The block file a monitor without rights leaves behind to keep SMF from restarting in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockFile {
    pub ours: bool,
    /// `None` where its time lies in the future: a clock that was set back; it counts as fresh.
    pub age: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// None there, or not looked at.
    Pass,
    /// Touch it and fail 95, so that SMF's own retries end in maintenance.
    Hold,
    /// Remove it and go on.
    Remove,
    /// Another user's: remove it where possible, warn, go on.
    RemoveForeign,
}

pub fn block(file: Option<BlockFile>, force: bool, settings: &Settings) -> Decision<Block> {
    let Some(file) = file else { return Decision::new(Block::Pass, "no block file") };
    if force {
        return Decision::new(Block::Remove, "the start is forced: removing the block file");
    }
    if !settings.blockfile_enabled {
        return Decision::new(Block::Pass, "vm/kicker_blockfile_enabled is false: the block file is not looked at");
    }
    let fresh = file.age.is_none_or(|age| age < settings.blockfile_maxage);
    match (file.ours, fresh) {
        (false, _) => Decision::new(Block::RemoveForeign, "the block file belongs to another user"),
        (true, true) => Decision::new(
            Block::Hold,
            "the monitor asked for maintenance a moment ago and was not allowed to: this start is refused in its place",
        ),
        (true, false) => Decision::new(Block::Remove, "the block file is older than vm/kicker_blockfile_maxage"),
    }
}

#[cfg(test)]
mod tests;
