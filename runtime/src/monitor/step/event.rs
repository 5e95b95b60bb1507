//! What goes into a step and what comes out of it: plain data.

use std::time::Duration;

use crate::decide::Sight;
use crate::decide::watch::{NoKick, SmfState};
use crate::exec::Ended;
use crate::settings::Settings;
use crate::virtualbox::Verb;

/// A moment, as time since the monitor began.
pub type Moment = Duration;

/// What the monitor is started for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Launch the VM.
    Launch,
    /// Stand beside the process a former monitor started; resume it if it is paused.
    Attach { resume: bool },
    /// Only watch.
    Watch,
}

/// Everything one look at the world brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    pub settings: Box<Settings>,
    pub smf: SmfState,
    pub nokick: NoKick,
    /// `None`: VirtualBox was not asked this time.
    pub sight: Option<Sight>,
    /// A process of the VM lives, whoever started it.
    pub process: bool,
    pub restart_once: bool,
}

/// Why a launch did not lead to a process, or its process ended at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaunchFailure {
    pub reason: String,
    pub again: Again,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Something passing, as a lock: try again with growing gaps.
    Soon,
    /// A wedged session: only quiet heals it.
    AfterQuiet,
    Never,
}

/// What there is to see of VirtualBox's server once the VM's process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traces {
    /// The server was seen gone while the process lived, or the process itself said that it ends because of that.
    pub lost: bool,
    /// Whether the server that last said that the VM is up still lives; `None`: it is not known which one that is.
    pub server: Option<bool>,
    /// For how long nobody had looked whether the process lives.
    pub unseen: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Begin,
    /// The moment asked for by `Monitor::next_wake` has come.
    Wake,
    Looked(Look),
    /// VBoxHeadless was spawned, or could not be.
    Launched(Result<(), LaunchFailure>),
    /// Whether VirtualBox lists the VM as running, asked without taking a lock; `None` = no answer.
    Peeked(Option<bool>),
    /// The VM's process ended; `None`: it was not our child, so nobody knows how. `launch`: how to read it as a launch.
    VmEnded {
        ended: Option<Ended>,
        traces: Traces,
        launch: LaunchFailure,
    },
    Ordered(Verb, Result<(), LaunchFailure>),
    /// The hook ended with this code, or was killed.
    HookEnded(Option<i32>),
    Asked(Result<(), String>),
    Refresh,
    StandDown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// SMF and the settings; VirtualBox is left in peace.
    Service,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Offline,
    /// `stop_vm`: SMF is to run the stop method first.
    Maintenance {
        stop_vm: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Debug,
    Info,
    Warning,
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    Look {
        scope: Scope,
        reread: bool,
    },
    Launch,
    Peek,
    Order(Verb),
    RunHook,
    KillHook,
    RemoveRestartOnce,
    Ask(Request),
    Log(Level, String),
    /// Tell the start method how its start went.
    Ready(Result<(), String>),
    Exit,
}

/// What the monitor tells `status`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Notes {
    /// A launch is under way: asking for more than lists would get in its way.
    pub launching: bool,
    pub restarts: u32,
    /// When the VM came up, in seconds since 1970; nothing while it is down.
    pub up_since: Option<u64>,
    /// How the VM's process last ended.
    pub last_end: Option<String>,
    pub last_hook: Option<String>,
    /// What SMF refused, or what else keeps the monitor from its work.
    pub complaint: Option<String>,
}
