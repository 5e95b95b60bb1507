//! What can go wrong when VirtualBox is asked, as kinds that callers decide by.
//!
//! VirtualBox's programs say most with a result code (`VBOX_E_INVALID_OBJECT_STATE (0x80bb0007)`) behind a sentence.
//! The code decides where there is one; words only where VirtualBox prints no code or one code for two things.

use std::fmt;
use std::time::Duration;

use super::Uuid;
use super::parse::ParseError;
use crate::exec::{Ended, ExecError, Output};
use crate::log::printable;

/// A session that VirtualBox has lost track of mends itself when nobody calls VirtualBox for about 5 s, and stays
/// broken for as long as somebody does. Ask again no sooner than this.
pub const WEDGED_QUIET: Duration = Duration::from_secs(8);

/// Of what VirtualBox said, keep no more than a log line.
const TEXT_LIMIT: usize = 300;

/// Why VirtualBox gave no answer, or a refusal. `call` is the command as a person would type it.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("{0}")]
    CannotRun(#[from] ExecError),
    #[error("{}: no answer within {:.1} s", Shown(call), after.as_secs_f64())]
    TimedOut { call: String, after: Duration },
    #[error("{}: killed by signal {signal}", Shown(call))]
    Killed { call: String, signal: i32 },
    #[error("{}: interrupted", Shown(call))]
    Interrupted { call: String },
    #[error("{}: {}", Shown(call), Shown(why))]
    Unusable { call: String, why: String },
    #[error("VM name \"{}\" is empty or has control characters: rename the VM", Shown(name))]
    BadName { name: String },
    #[error("VM \"{}\" is not registered with this user's VirtualBox", Shown(name))]
    NotRegistered { name: String },
    #[error("several VMs match \"{}\": name one by its UUID: {}", Shown(name), Listed(uuids))]
    Ambiguous { name: String, uuids: Vec<Uuid> },
    #[error("VM {uuid} is inaccessible: VirtualBox cannot read its settings file")]
    Inaccessible { uuid: Uuid },
    #[error("{}: the VM is locked by another session: {}", Shown(call), Shown(text))]
    Locked { call: String, text: String },
    #[error("{}: VirtualBox lost track of the VM's session: {}", Shown(call), Shown(text))]
    Wedged { call: String, text: String },
    #[error("{}: the VM is not running", Shown(call))]
    NotRunning { call: String },
    #[error("{}: not possible in the VM's present state: {}", Shown(call), Shown(text))]
    InvalidState { call: String, text: String },
    #[error("{}: the VirtualBox server (VBoxSVC) does not answer", Shown(call))]
    NoServer { call: String },
    #[error("{}: the VirtualBox kernel driver is not loaded: {}", Shown(call), Shown(text))]
    NoDriver { call: String, text: String },
    #[error("{}: permission denied: {}", Shown(call), Shown(text))]
    Permission { call: String, text: String },
    #[error("{}: needs a UTF-8 locale (VERR_NO_TRANSLATION): set LC_ALL to one that this host has", Shown(call))]
    Locale { call: String },
    #[error("{}: exit status {status}: {}", Shown(call), Shown(text))]
    Other { call: String, status: i32, text: String },
}

impl AskError {
    /// Whether the same call may well succeed later, with nothing else done in between. A wedged session needs
    /// [`WEDGED_QUIET`] without any call first.
    pub fn is_transient(&self) -> bool {
        use std::io::ErrorKind;
        match self {
            AskError::TimedOut { .. }
            | AskError::Killed { .. }
            | AskError::Interrupted { .. }
            | AskError::Unusable { .. }
            | AskError::Locked { .. }
            | AskError::Wedged { .. }
            | AskError::NoServer { .. } => true,
            AskError::CannotRun(ExecError::Spawn { source, .. }) => {
                matches!(source.kind(), ErrorKind::WouldBlock | ErrorKind::OutOfMemory | ErrorKind::ExecutableFileBusy)
            }
            AskError::CannotRun(ExecError::Pipe { .. }) => true,
            AskError::BadName { .. }
            | AskError::NotRegistered { .. }
            | AskError::Ambiguous { .. }
            | AskError::Inaccessible { .. }
            | AskError::NotRunning { .. }
            | AskError::InvalidState { .. }
            | AskError::NoDriver { .. }
            | AskError::Permission { .. }
            | AskError::Locale { .. }
            | AskError::Other { .. } => false,
        }
    }

    pub(super) fn unusable(call: String, why: &ParseError) -> Self {
        AskError::Unusable { call, why: why.to_string() }
    }
}

/// Tells what an ended VirtualBox program (VBoxManage, VBoxHeadless or a front end) complained of; None when it
/// ended well. Progress and warnings on standard error are no complaint.
///
/// A VBoxHeadless that could not power up the VM exits 0 as well: there the state decides, not this.
pub fn complaint(call: &str, vm: Option<Uuid>, deadline: Duration, output: &Output) -> Option<AskError> {
    let call = call.to_string();
    let status = match output.ended {
        Ended::Exited(0) => return None,
        Ended::Exited(status) => status,
        Ended::Signaled(signal) => return Some(AskError::Killed { call, signal }),
        Ended::TimedOut => return Some(AskError::TimedOut { call, after: deadline }),
        Ended::Interrupted => return Some(AskError::Interrupted { call }),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let text = telling_line(&said).or_else(|| telling_line(&String::from_utf8_lossy(&output.stdout)));
    let text = text.unwrap_or_else(|| "it said nothing".to_string());
    let begins = |words: &str| text.starts_with(words);
    // VirtualBox quotes the VM's name in its messages, so words are looked for only at places no name can reach.
    Some(match (code(&said), vm) {
        (Some("VBOX_E_OBJECT_NOT_FOUND"), Some(vm)) => AskError::NotRegistered { name: vm.to_string() },
        // The same code is given for a disk that another machine uses.
        (Some("VBOX_E_INVALID_OBJECT_STATE"), _) if !begins("Locking of attached media") => {
            AskError::Locked { call, text }
        }
        (Some("VBOX_E_INVALID_VM_STATE"), _) => AskError::InvalidState { call, text },
        (Some("E_ACCESSDENIED"), Some(uuid)) if begins("The object functionality is limited") => {
            AskError::Inaccessible { uuid }
        }
        // The VM's front end is just ending, or hangs on its way up.
        (Some("E_ACCESSDENIED"), _) if begins("The object is not ready") => AskError::Unusable { call, why: text },
        (Some("NS_ERROR_UNEXPECTED" | "NS_ERROR_ABORT"), _) => AskError::Unusable { call, why: text },
        (Some("NS_ERROR_FAILURE"), _) if begins("Failed to create the VirtualBox object") => {
            AskError::NoServer { call }
        }
        // A failure that has a cause says it first. This one knows no more than its code.
        (Some("NS_ERROR_FAILURE"), _) if begins("Code NS_ERROR_FAILURE") => AskError::Wedged { call, text },
        (Some("NS_ERROR_FAILURE"), _) if text.ends_with("(VERR_VM_DRIVER_NOT_INSTALLED)") => {
            AskError::NoDriver { call, text }
        }
        (None, _) if begins("RTR3Init: VERR_NO_TRANSLATION") => AskError::Locale { call },
        (None, _) if begins("Failed to create the VirtualBox object") => AskError::NoServer { call },
        (None, _) if begins("Failed to initialize COM") => AskError::Permission { call, text },
        (None, _) if begins("Machine '") && text.ends_with("' is not currently running.") => {
            AskError::NotRunning { call }
        }
        (None, _) if begins("Machine in invalid state ") => AskError::InvalidState { call, text },
        (None, Some(vm)) if begins("Invalid machine name or UUID") => AskError::NotRegistered { name: vm.to_string() },
        (None, _) if text.contains("Error -1908 in ") => AskError::NoDriver { call, text },
        (None, _) if said.contains("SUPR3HardenedMain!") || text.contains("supR3HardenedVerify") => {
            let cause = said.lines().find(|line| line.contains("Effective UID is not root"));
            AskError::Permission { call, text: cause.map_or(text, |line| line.trim().to_string()) }
        }
        _ => AskError::Other { call, status, text },
    })
}

/// The result code in `Details: code NAME (0x...)` or `Code NAME (0x...)`, wherever it stands first.
fn code(said: &str) -> Option<&str> {
    said.lines().find_map(|line| {
        let (_, rest) = line.split_once("error: ")?;
        let rest = rest.strip_prefix("Details: code ").or_else(|| rest.strip_prefix("Code "))?;
        let (name, number) = rest.split_once(' ')?;
        number.starts_with("(0x").then_some(name)
    })
}

/// The first line that says what is the matter, without the program's name before it.
fn telling_line(said: &str) -> Option<String> {
    let banner = |line: &str| line.starts_with("Oracle ") || line.starts_with("Copyright ");
    let mut lines = said.lines().map(str::trim).filter(|l| !l.is_empty() && !is_progress(l) && !banner(l));
    let error = lines.clone().find(|line| line.contains(": error: ") || line.contains(": fatal error: "));
    let line = error.or_else(|| lines.next())?;
    let text = line.split_once("error: ").map_or(line, |(_, text)| text);
    Some(text.chars().take(TEXT_LIMIT).collect())
}

/// `0%...10%...20%` and `Starting virtual machine: 10%...`
fn is_progress(line: &str) -> bool {
    let tail = line.rsplit(':').next().unwrap_or(line).trim();
    tail.contains('%') && tail.chars().all(|c| c.is_ascii_digit() || matches!(c, '%' | '.'))
}

/// Foreign text made fit for one line of a log or terminal.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(self.0))
    }
}

struct Listed<'a>(&'a [Uuid]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uuids: Vec<String> = self.0.iter().map(Uuid::to_string).collect();
        f.write_str(&uuids.join(", "))
    }
}

#[cfg(test)]
mod tests;
