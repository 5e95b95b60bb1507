//! Settings: what an administrator may say about a VM, and what is in force.
//!
//! [`table`] is the one truth about every setting (name, type, default, bounds, level, prose); [`value`] reads single
//! values; [`effective`] combines instance, service and built-in into the typed [`Settings`] the rest of the program
//! works with. Nothing here runs a program: it is given property lists and gives back plain data.

pub mod effective;
pub mod table;
pub mod value;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// How a VM is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMethod {
    SaveState,
    AcpiPowerButton,
    AcpiSleepButton,
    PowerOff,
    Reset,
    /// The ACPI power button, and a power-off when the time for it runs out.
    PowerOffGraceful,
}

impl StopMethod {
    /// The word the setting has for it.
    pub fn word(self) -> &'static str {
        STOP_METHODS.iter().find(|(_, method)| *method == self).map_or("", |(word, _)| word)
    }
}

/// The methods by the words the setting has for them.
const STOP_METHODS: [(&str, StopMethod); 6] = [
    ("savestate", StopMethod::SaveState),
    ("acpipowerbutton", StopMethod::AcpiPowerButton),
    ("acpisleepbutton", StopMethod::AcpiSleepButton),
    ("poweroff", StopMethod::PowerOff),
    ("reset", StopMethod::Reset),
    ("poweroff-graceful", StopMethod::PowerOffGraceful),
];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is no stop method: it is one of {}", STOP_METHODS.map(|(word, _)| word).join(", "))]
pub struct NoStopMethod {
    word: String,
}

impl FromStr for StopMethod {
    type Err = NoStopMethod;

    fn from_str(text: &str) -> Result<Self, NoStopMethod> {
        let found = STOP_METHODS.iter().find(|(word, _)| *word == text);
        found.map(|(_, method)| *method).ok_or_else(|| NoStopMethod { word: text.to_string() })
    }
}

/// Who starts the VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SMF does.
    Headless,
    /// The user does, in a GUI; SMF only stops it.
    Interactive,
    /// As interactive, and the disk may run on the bare machine as well.
    DualBoot,
}

impl Kind {
    /// Interactive in the wide sense: the user starts the VM, SMF never takes it over.
    pub fn is_interactive(self) -> bool {
        self != Kind::Headless
    }
}

/// One yes or no for each resting state: `start_*_vm` or `restart_*_vm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerState {
    pub aborted: bool,
    pub paused: bool,
    pub halted: bool,
    pub saved: bool,
    pub stuck: bool,
}

/// `kicker_restart`: a word that overrides every `restart_*_vm` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartOverride {
    AsSet,
    None,
    All,
}

/// When `start` returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartWait {
    Off,
    Delay,
    Hook,
    HookStrict,
}

/// More than `maxcount` events within `timeframe`. An unset count is no limit; an unset time frame counts for ever. A
/// setting of 0, for either, has always switched the limit off, so it arrives here as no `maxcount`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    pub maxcount: Option<u32>,
    pub timeframe: Option<Duration>,
}

/// How often a state this program does not know may be seen in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownLimit {
    Never,
    After(u32),
}

/// The check inside the VM (`kicker_vmsvccheck_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookSettings {
    pub enabled: bool,
    pub method: Option<PathBuf>,
    pub params: Vec<String>,
    pub startdelay: Duration,
    pub timeout: Duration,
    pub failures: RateLimit,
    pub codes: HookCodes,
}

/// The exit codes of the hook by meaning. 0 is okay unless another list names it; codes in no list are one failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCodes {
    pub okay: Vec<i32>,
    pub failonce: Vec<i32>,
    pub doreboot: Vec<i32>,
    pub maintenance: Vec<i32>,
}

/// Where the restart-once file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestartOnce {
    Disabled,
    Automatic,
    At(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZfsSettings {
    pub snapshot: bool,
    /// `zfssnap_dslist`: `None` = found from the VM; an empty list = none.
    pub datasets: Option<Vec<String>>,
    pub append: Vec<String>,
    pub prefix: String,
    /// The number of newest snapshots to keep per dataset; 0 = all.
    pub keep: u32,
}

/// Everything in force for one instance, typed. Read anew for every method and every cycle of the monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// VirtualBox name or UUID of the VM.
    pub vm: String,
    /// `start/user`, else `method_context/user`: the user the VM belongs to, where SMF names one and heeds it. May be a
    /// number, as SMF takes that too.
    pub user: Option<String>,
    /// What `start/environment`, else `method_context/environment`, says to VirtualBox: `VBOX_*` and their values.
    pub environment: Vec<(String, String)>,
    pub kind: Kind,
    pub stop_method: StopMethod,
    /// `None` = for ever.
    pub stop_timeout: Option<Duration>,
    /// SMF's own `start/timeout_seconds`; `None` = none.
    pub smf_start_timeout: Option<Duration>,
    /// SMF's own `stop/timeout_seconds`; `None` = none.
    pub smf_stop_timeout: Option<Duration>,
    pub start: PerState,
    /// As set; `restart_override` is not worked in.
    pub restart: PerState,
    pub restart_override: RestartOverride,
    pub ignore_paused: bool,
    pub offline_is_maint: bool,
    pub maintenance_stops_vm: bool,
    pub unknown_limit: UnknownLimit,
    pub start_wait: StartWait,
    pub nice: i32,
    pub timezone: Option<String>,
    pub poll: Duration,
    /// `kicker_debug` or `debug_smf`.
    pub debug: bool,
    pub aborts: RateLimit,
    pub hook: HookSettings,
    pub pidfile: Option<PathBuf>,
    pub nokick_file: Option<PathBuf>,
    pub blockfile: Option<PathBuf>,
    pub blockfile_enabled: bool,
    pub blockfile_maxage: Duration,
    pub restart_once: RestartOnce,
    pub zfs: ZfsSettings,
    /// Names of signals, as `SIGTERM`.
    pub fg_signals: Vec<String>,
}
