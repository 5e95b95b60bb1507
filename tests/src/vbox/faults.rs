//! What a test makes go wrong: faults of VBoxManage calls and of VM sessions, kept in `ROOT/vbox/faults.json`.
//!
//! A fault may be bound to a machine, to a verb, to a number of uses and to a length of time; one that is bound to
//! nothing holds everywhere until it is cleared.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::events::now_ms;
use super::store::{lock_file, write_atomically};

/// One fault and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    effect: Effect,
    vm: Option<String>,
    verb: Option<String>,
    times: Option<u32>,
    until_ms: Option<u64>,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// A call takes this much longer.
    Slow(Duration),
    /// A call never ends.
    Hang,
    /// A call dies of this signal.
    Crash(i32),
    /// A call's standard output ends after so many lines, as that of `showvminfo` does when the session goes away; the
    /// call exits 1 with `The object is not ready`.
    CutOff {
        lines: usize,
    },
    /// A call does nothing, prints this to standard error and exits so.
    Fail {
        exit: u8,
        stderr: String,
    },
    /// A call cannot reach VBoxSVC.
    NoServer,
    /// A call's output begins with the warning that some packages' wrapper script prints to standard output.
    Noise,
    /// Somebody else has the session lock.
    Locked,
    /// The VM does not come up.
    PowerUp(PowerUp),
    /// The start, or restore, takes this long instead.
    StartTakes(Duration),
    SaveRefused,
    /// Saving takes this long instead.
    SaveTakes(Duration),
    /// The guest does not react to the power button.
    AcpiIgnored,
    /// The VM is `stopping` for ever; so is the call.
    PowerOffHangs,
    /// The VM process does not end when its session has.
    HangAfterEnd,
}

/// How a start fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerUp {
    MissingDisk,
    /// Path of the UART's socket, in a directory that does not exist.
    UartPath(String),
    /// A UART is the client of a socket where nobody listens.
    UartClient(String),
    TcpPortBusy,
    DiskInUse,
    /// The saved state is of another memory size. Leaves the machine `aborted-saved`.
    MemoryMismatch,
    SavedStateMissing,
    SavedStateBad,
    /// The kernel driver is not loaded: VBoxHeadless ends before it does anything.
    NoDriver,
    /// The process ends without a word.
    ExitsAtOnce(u8),
}

impl Fault {
    pub fn new(effect: Effect) -> Self {
        Self { effect, vm: None, verb: None, times: None, until_ms: None }
    }

    /// Only for this machine (its UUID).
    pub fn on(mut self, uuid: &str) -> Self {
        self.vm = Some(uuid.to_owned());
        self
    }

    /// Only for VBoxManage calls that begin so: `list`, `list runningvms`, `showvminfo`, `controlvm poweroff`, …
    pub fn verb(mut self, verb: &str) -> Self {
        self.verb = Some(verb.to_owned());
        self
    }

    /// Only so many times.
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Only for this long, from now.
    pub fn lasting(mut self, time: Duration) -> Self {
        self.until_ms = Some(now_ms() + time.as_millis() as u64);
        self
    }

    fn is_over(&self) -> bool {
        self.times == Some(0) || self.until_ms.is_some_and(|until| now_ms() >= until)
    }

    fn applies(&self, vm: Option<&str>, verb: Option<&str>) -> bool {
        let vm_fits = self.vm.is_none() || self.vm.as_deref() == vm;
        let verb_fits = self.verb.as_deref().is_none_or(|wanted| {
            verb.is_some_and(|verb| {
                verb.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
            })
        });
        vm_fits && verb_fits && !self.is_over()
    }
}

impl Effect {
    /// Whether it is a call, as opposed to a machine's session, that suffers.
    fn is_of_a_call(&self) -> bool {
        matches!(
            self,
            Self::Slow(_)
                | Self::Hang
                | Self::Crash(_)
                | Self::CutOff { .. }
                | Self::Fail { .. }
                | Self::NoServer
                | Self::Noise
        )
    }
}

/// Takes (and counts) what befalls one VBoxManage call.
pub fn of_call(root: &Path, vm: Option<&str>, verb: &str) -> Result<Vec<Effect>> {
    take(root, |fault| fault.effect.is_of_a_call() && fault.applies(vm, Some(verb)))
}

/// Takes (and counts) the first fault of a machine's session that `wanted` picks.
pub fn of_session<T>(root: &Path, vm: &str, wanted: impl Fn(&Effect) -> Option<T>) -> Result<Option<T>> {
    let mut found = false;
    let taken = take(root, |fault| {
        let picked = !found && wanted(&fault.effect).is_some() && fault.applies(Some(vm), None);
        found |= picked;
        picked
    })?;
    Ok(taken.first().and_then(wanted))
}

/// Whether somebody else has the session lock, by fault.
pub fn is_locked(root: &Path, vm: &str) -> Result<bool> {
    Ok(of_session(root, vm, |effect| (*effect == Effect::Locked).then_some(()))?.is_some())
}

pub(super) fn add(root: &Path, fault: Fault) -> Result<()> {
    change(root, |faults| faults.push(fault))
}

pub(super) fn clear(root: &Path) -> Result<()> {
    change(root, Vec::clear)
}

fn take(root: &Path, mut picks: impl FnMut(&Fault) -> bool) -> Result<Vec<Effect>> {
    // The common case, no faults at all, costs one failed open.
    if !root.join("vbox/faults.json").exists() {
        return Ok(Vec::new());
    }
    let mut effects = Vec::new();
    change(root, |faults| {
        for fault in faults.iter_mut() {
            if picks(fault) {
                effects.push(fault.effect.clone());
                fault.times = fault.times.map(|times| times.saturating_sub(1));
            }
        }
        faults.retain(|fault| !fault.is_over());
    })?;
    Ok(effects)
}

fn change(root: &Path, change: impl FnOnce(&mut Vec<Fault>)) -> Result<()> {
    let _lock = lock_file(&root.join("vbox/faults.lock"))?;
    let path = root.join("vbox/faults.json");
    let before: Vec<Fault> = match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)?,
        Err(_) => Vec::new(),
    };
    let mut after = before.clone();
    change(&mut after);
    if after != before {
        write_atomically(&path, &serde_json::to_vec_pretty(&after)?, 0o666)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("vbox")).unwrap();
        root
    }

    #[test]
    fn a_fault_holds_only_where_it_is_bound_to() {
        let root = root();
        add(root.path(), Fault::new(Effect::Hang).on("u1").verb("controlvm poweroff")).unwrap();
        let of = |vm, verb| of_call(root.path(), vm, verb).unwrap();
        assert_eq!(of(Some("u1"), "controlvm poweroff"), [Effect::Hang]);
        assert_eq!(of(Some("u2"), "controlvm poweroff"), []);
        assert_eq!(of(None, "controlvm poweroff"), []);
        assert_eq!(of(Some("u1"), "controlvm poweroffx"), []);
        assert_eq!(of(Some("u1"), "controlvm"), []);
    }

    #[test]
    fn a_counted_fault_is_used_up_and_a_timed_one_runs_out() {
        let root = root();
        add(root.path(), Fault::new(Effect::Noise).verb("list").times(2)).unwrap();
        add(root.path(), Fault::new(Effect::Hang).lasting(Duration::ZERO)).unwrap();
        let seen: Vec<_> = (0..3).map(|_| of_call(root.path(), None, "list vms").unwrap().len()).collect();
        assert_eq!(seen, [1, 1, 0]);
    }

    #[test]
    fn session_faults_do_not_befall_calls() {
        let root = root();
        add(root.path(), Fault::new(Effect::SaveRefused).times(1)).unwrap();
        assert!(of_call(root.path(), Some("u"), "controlvm savestate").unwrap().is_empty());
        let refused = |effect: &Effect| (*effect == Effect::SaveRefused).then_some(());
        assert!(of_session(root.path(), "u", refused).unwrap().is_some());
        assert!(of_session(root.path(), "u", refused).unwrap().is_none());
    }
}
