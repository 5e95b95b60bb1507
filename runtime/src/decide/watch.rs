//! What the monitor does in one cycle: first SMF's own state, then the VM's.

use std::fmt;

use super::{Decision, Sight};
use crate::settings::{RestartOverride, Settings, UnknownLimit};
use crate::virtualbox::{Group, State};

/// SMF's state of the instance, as far as the monitor minds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmfState {
    /// `online` or `degraded`, and staying so.
    Up,
    /// On its way to another state.
    InTransition,
    /// Any state in which the service does not run; its word.
    Down(String),
    /// SMF could not be asked.
    NotKnown(String),
}

impl SmfState {
    /// From `restarter/state` and `restarter/next_state`.
    pub fn from_words(state: &str, next: &str) -> SmfState {
        match (state, next) {
            ("", _) => SmfState::NotKnown("SMF gave no state".to_string()),
            (_, next) if !matches!(next, "" | "none" | "-") => SmfState::InTransition,
            ("online" | "degraded", _) => SmfState::Up,
            (other, _) => SmfState::Down(other.to_string()),
        }
    }
}

/// Who keeps the monitor's hands off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoKick {
    None,
    /// A living command of this program holds it.
    Command(i32),
    /// An administrator made it: it counts until he removes it.
    Administrator,
}

/// What the monitor itself knows about how the VM's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    None,
    /// By a signal, with a failure, or at a time when VirtualBox had lost the VM: an abort whatever VirtualBox says.
    Crashed,
    /// By itself, in order: VirtualBox's word tells how.
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub smf: SmfState,
    pub nokick: NoKick,
    pub sight: Sight,
    pub process: bool,
    pub evidence: Evidence,
    pub restart_once: bool,
    pub hook_due: bool,
    /// Aborts within the time frame, this one included where the VM is aborted.
    pub aborts: u32,
    /// Sightings of unknown words in a row, this one included.
    pub unknown_in_a_row: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// All is well, or will pass.
    Nothing,
    /// Leave the VM as it is; say so once, until something changes.
    LeaveAlone,
    /// Someone else is at work: this cycle does not count.
    Skip,
    /// The service is not up: the monitor's work is over.
    End,
    RunHook,
    Launch,
    /// As launch, and the restart-once file goes.
    LaunchOnce,
    Resume,
    PowerOffThenLaunch,
    AskOffline,
    AskMaintenance,
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Watch::Nothing => "does nothing",
            Watch::LeaveAlone => "leaves it",
            Watch::Skip => "skips this cycle",
            Watch::End => "ends",
            Watch::RunHook => "runs the hook",
            Watch::Launch => "starts it",
            Watch::LaunchOnce => "starts it, this once",
            Watch::Resume => "resumes it",
            Watch::PowerOffThenLaunch => "powers it off, then starts it",
            Watch::AskOffline => "asks SMF to take the service offline",
            Watch::AskMaintenance => "asks SMF for maintenance",
        })
    }
}

pub fn watch(facts: &Facts, settings: &Settings) -> Decision<Watch> {
    match &facts.smf {
        SmfState::Up => {}
        SmfState::InTransition => return Decision::new(Watch::Skip, "the service is changing its state"),
        SmfState::Down(state) => return Decision::new(Watch::End, format!("the service is {state}")),
        SmfState::NotKnown(why) => return Decision::new(Watch::Skip, format!("SMF's state is not known: {why}")),
    }
    match facts.nokick {
        NoKick::None => {}
        NoKick::Command(pid) => return Decision::new(Watch::Skip, format!("process {pid} is at work on the VM")),
        NoKick::Administrator => return Decision::new(Watch::Skip, "an administrator's nokick file holds the monitor"),
    }
    let state = match (&facts.sight, facts.evidence) {
        (_, Evidence::Crashed) if !facts.process => &State::Aborted,
        (Sight::State(state), _) => state,
        (Sight::NotKnown(why) | Sight::Wedged(why), _) => {
            return Decision::new(Watch::Nothing, format!("the VM's state is not known: {why}"));
        }
    };
    by_state(state, facts, settings)
}

fn by_state(state: &State, facts: &Facts, settings: &Settings) -> Decision<Watch> {
    let resting = matches!(state.group(), Group::Halted | Group::Saved | Group::Aborted);
    if resting && facts.process {
        return Decision::new(
            Watch::Nothing,
            format!("VirtualBox says {state} while the VM's process lives: waiting for its end"),
        );
    }
    if settings.restart_override == RestartOverride::None
        && matches!(state.group(), Group::Halted | Group::Saved | Group::Aborted | Group::Paused | Group::Stuck)
        && !(state.group() == Group::Saved && facts.restart_once)
    {
        return Decision::new(
            Watch::LeaveAlone,
            format!("the VM is {state} and vm/kicker_restart forbids to bring it back"),
        );
    }
    let all = settings.restart_override == RestartOverride::All;
    match state.group() {
        Group::Live if *state == State::Running && facts.hook_due => {
            Decision::new(Watch::RunHook, "the check inside the VM is due")
        }
        Group::Live => Decision::new(Watch::Nothing, format!("the VM is {state}")),
        Group::Saving | Group::Passing | Group::Empty => {
            Decision::new(Watch::Nothing, format!("the VM is {state}: looking again later"))
        }
        Group::Aborted => aborted(state, facts, settings, all),
        Group::Paused if settings.ignore_paused && !all => {
            Decision::new(Watch::LeaveAlone, "the VM is paused and vm/ignore_paused_vm is true")
        }
        Group::Paused if all || settings.restart.paused => Decision::new(
            Watch::Resume,
            format!("the VM is paused and {} is true", if all { "vm/kicker_restart" } else { "vm/restart_paused_vm" }),
        ),
        Group::Paused => Decision::new(Watch::AskOffline, "the VM is paused and vm/restart_paused_vm is false"),
        Group::Halted => resting_state(
            state,
            Rule { property: "halted", restart: settings.restart.halted || all, start: settings.start.halted },
            Watch::Launch,
        ),
        Group::Saved if facts.restart_once => {
            Decision::new(Watch::LaunchOnce, "the VM is saved and the restart-once file asks to start it again")
        }
        Group::Saved => resting_state(
            state,
            Rule { property: "saved", restart: settings.restart.saved || all, start: settings.start.saved },
            Watch::Launch,
        ),
        Group::Stuck => resting_state(
            state,
            Rule { property: "stuck", restart: settings.restart.stuck || all, start: settings.start.stuck },
            Watch::PowerOffThenLaunch,
        ),
        Group::Unknown => unknown(state, facts, settings),
    }
}

struct Rule {
    property: &'static str,
    restart: bool,
    start: bool,
}

fn resting_state(state: &State, rule: Rule, action: Watch) -> Decision<Watch> {
    let Rule { property, restart, start } = rule;
    if restart {
        Decision::new(
            action,
            format!("the VM is {state} and vm/restart_{property}_vm or vm/kicker_restart brings it back"),
        )
    } else if start {
        Decision::new(Watch::AskOffline, format!("the VM is {state} and vm/restart_{property}_vm is false"))
    } else {
        Decision::new(
            Watch::LeaveAlone,
            format!("the VM is {state}, and neither vm/restart_{property}_vm nor vm/start_{property}_vm is true"),
        )
    }
}

fn aborted(state: &State, facts: &Facts, settings: &Settings, all: bool) -> Decision<Watch> {
    if !(settings.restart.aborted || all) {
        return Decision::new(Watch::AskMaintenance, format!("the VM is {state} and vm/restart_aborted_vm is false"));
    }
    match settings.aborts.maxcount {
        Some(most) if facts.aborts > most => Decision::new(
            Watch::AskMaintenance,
            format!(
                "the VM aborted {} times{}, more than vm/restart_aborted_vm_failures_maxcount ({most}) allows",
                facts.aborts,
                settings.aborts.timeframe.map_or(String::new(), |t| format!(" within {} s", t.as_secs())),
            ),
        ),
        _ => Decision::new(Watch::Launch, format!("the VM is {state}: bringing it back")),
    }
}

fn unknown(state: &State, facts: &Facts, settings: &Settings) -> Decision<Watch> {
    match settings.unknown_limit {
        UnknownLimit::Never => Decision::new(
            Watch::LeaveAlone,
            format!("the state {state} is not known to this program: leaving the VM alone"),
        ),
        UnknownLimit::After(most) if facts.unknown_in_a_row > most => Decision::new(
            Watch::AskOffline,
            format!("the state {state}, not known to this program, was seen {} times in a row", facts.unknown_in_a_row),
        ),
        UnknownLimit::After(_) => {
            Decision::new(Watch::Nothing, format!("the state {state} is not known to this program: looking again"))
        }
    }
}

/// What a run of the hook asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Okay,
    /// One failure: counted.
    Failed,
    Reboot,
    Maintenance,
}

impl Verdict {
    /// The code `vmsvccheck` exits with.
    pub fn code(self) -> u8 {
        match self {
            Verdict::Okay => 0,
            Verdict::Failed => 1,
            Verdict::Reboot => 2,
            Verdict::Maintenance => 3,
        }
    }
}

/// How the settings read an exit code of the hook; `None` = killed by a signal or at its time-out, one failure.
pub fn verdict(code: Option<i32>, settings: &Settings) -> Verdict {
    let Some(code) = code else { return Verdict::Failed };
    let codes = &settings.hook.codes;
    if codes.maintenance.contains(&code) {
        Verdict::Maintenance
    } else if codes.doreboot.contains(&code) {
        Verdict::Reboot
    } else if codes.failonce.contains(&code) {
        Verdict::Failed
    } else if codes.okay.contains(&code) || code == 0 {
        Verdict::Okay
    } else {
        Verdict::Failed
    }
}

/// Whether this many failures of the hook within its time frame are one too many: then the VM is rebooted.
pub fn hook_failures_exceeded(failures: u32, settings: &Settings) -> bool {
    settings.hook.failures.maxcount.is_some_and(|most| failures > most)
}

#[cfg(test)]
mod tests;
