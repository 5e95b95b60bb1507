//! The client proper: one method for each question and command, each a VBoxManage call with a deadline.
//!
//! It is synchronous, has no clock and never sleeps. Whether and when to ask again is for its callers to say, with one
//! exception: a list that stalled is asked again once, at once, because the next ask always answers.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::error::complaint;
use super::parse::{self, HardDisk, Info, ParseError, ShortEntry};
use super::{AskError, State, Uuid};
use crate::exec::{Call, Output, Runner};

/// The short lists take no lock and do not hang on a hung VM, but on a busy host about one in a hundred stalls 10 s.
pub const LIST_DEADLINE: Duration = Duration::from_millis(1500);
/// For one machine in detail; on a hung VM there is never an answer.
pub const DETAIL_DEADLINE: Duration = Duration::from_secs(10);
/// What the long list may take for each machine, beside what one takes: it needs about 30 ms.
const OVERVIEW_EACH: Duration = Duration::from_millis(100);

/// What an overview of about so many machines may take.
pub fn overview_deadline(machines: usize) -> Duration {
    DETAIL_DEADLINE.saturating_add(OVERVIEW_EACH.saturating_mul(u32::try_from(machines).unwrap_or(u32::MAX)))
}

/// How VirtualBox lists a machine whose settings it cannot read. A healthy one may be called so too.
const INACCESSIBLE: &str = "<inaccessible>";

/// VirtualBox's programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    pub manage: PathBuf,
    pub headless: PathBuf,
    pub gui: Option<PathBuf>,
}

/// A registered machine. The name is the listed one: `<inaccessible>` if VirtualBox cannot read the settings.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    pub name: String,
    pub uuid: Uuid,
}

/// The machines that this UUID or exact name means: more than one where there is no telling which. A UUID goes before a
/// name that looks like one, as in VirtualBox.
pub fn meant<'m, T>(all: &'m [T], machine: impl Fn(&T) -> &Machine, name_or_uuid: &str) -> Vec<&'m T> {
    let by_uuid = name_or_uuid.parse().ok().filter(|uuid| all.iter().any(|m| machine(m).uuid == *uuid));
    let named = |m: &T| machine(m).name == name_or_uuid;
    let Some(uuid) = by_uuid.or_else(|| all.iter().find(|m| named(m)).map(|m| machine(m).uuid)) else {
        return Vec::new();
    };
    // A UUID stands twice in the list when a name with line breaks imitates an entry.
    all.iter().filter(|m| machine(m).uuid == uuid || (by_uuid.is_none() && named(m))).collect()
}

/// A machine as the overview shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    pub machine: Machine,
    /// None: not known.
    pub state: Option<State>,
    pub inaccessible: bool,
}

/// What a look at a machine showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    State(State),
    /// VirtualBox does not list the machine as running, and more must not be asked while its start is under way:
    /// the question would take the lock which the start needs.
    NotListed,
}

/// What a running machine can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    AcpiPowerButton,
    AcpiSleepButton,
    PowerOff,
    SaveState,
    Reset,
    Pause,
    Resume,
}

impl Verb {
    /// VBoxManage's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verb::AcpiPowerButton => "acpipowerbutton",
            Verb::AcpiSleepButton => "acpisleepbutton",
            Verb::PowerOff => "poweroff",
            Verb::SaveState => "savestate",
            Verb::Reset => "reset",
            Verb::Pause => "pause",
            Verb::Resume => "resume",
        }
    }
}

/// One user's VirtualBox.
pub struct VirtualBox<'a> {
    runner: &'a dyn Runner,
    programs: Programs,
    env: Vec<(OsString, OsString)>,
}

impl<'a> VirtualBox<'a> {
    /// `env` is the whole environment of every call. It must name a UTF-8 locale, or answers are cut off.
    pub fn new(runner: &'a dyn Runner, programs: Programs, env: Vec<(OsString, OsString)>) -> Self {
        VirtualBox { runner, programs, env }
    }

    /// The environment of every call, for the front ends which callers start themselves.
    pub fn env(&self) -> &[(OsString, OsString)] {
        &self.env
    }

    /// All registered machines, the inaccessible ones among them. Takes no lock.
    pub fn machines(&self) -> Result<Vec<Machine>, AskError> {
        let entries = self.short_list("vms")?;
        Ok(entries.into_iter().map(|e| Machine { name: e.name, uuid: e.uuid }).collect())
    }

    /// The machines that VirtualBox lists as running. Takes no lock. Machines that are saving, restoring, stuck or
    /// being snapshot are live and not listed.
    pub fn running(&self) -> Result<Vec<Uuid>, AskError> {
        Ok(self.short_list("runningvms")?.into_iter().map(|e| e.uuid).collect())
    }

    /// The states of all machines in one call, without a lock. `about`: how many there may be, for it takes its time.
    pub fn overview(&self, about: usize) -> Result<Vec<Overview>, AskError> {
        let entries = self.read(&["list", "-l", "vms"], None, overview_deadline(about), parse::long_list)?;
        let overview = entries.into_iter().map(|e| Overview {
            machine: Machine { name: e.name, uuid: e.uuid },
            state: e.state,
            inaccessible: e.inaccessible,
        });
        Ok(overview.collect())
    }

    /// All media that VirtualBox knows, for the way from a snapshot's difference image back to its base.
    pub fn hard_disks(&self) -> Result<Vec<HardDisk>, AskError> {
        self.read(&["list", "hdds"], None, DETAIL_DEADLINE, parse::hard_disks)
    }

    /// The one machine that this UUID or exact name means.
    pub fn find(&self, name_or_uuid: &str) -> Result<Machine, AskError> {
        let name = || name_or_uuid.to_string();
        if !is_fit(name_or_uuid) {
            return Err(AskError::BadName { name: name() });
        }
        let machines = self.machines()?;
        let machine = match meant(&machines, |m| m, name_or_uuid).as_slice() {
            [] => return Err(AskError::NotRegistered { name: name() }),
            [machine] => *machine,
            several => {
                return Err(AskError::Ambiguous { name: name(), uuids: several.iter().map(|m| m.uuid).collect() });
            }
        };
        if !is_fit(&machine.name) {
            return Err(AskError::BadName { name: machine.name.clone() });
        }
        if machine.name == INACCESSIBLE
            && self.overview(machines.len())?.iter().any(|o| o.machine.uuid == machine.uuid && o.inaccessible)
        {
            return Err(AskError::Inaccessible { uuid: machine.uuid });
        }
        Ok(machine.clone())
    }

    /// All about one machine. Takes the machine's lock unless it is listed as running: a start or a settings change
    /// at the same time fails, and so may this. Prefer [`probe`](Self::probe) for the state.
    pub fn info(&self, vm: &Uuid) -> Result<Info, AskError> {
        self.ask_info(vm, false)
    }

    /// `runs`: it is listed as running, so that a process of its own holds its lock. Else the question itself does, and
    /// where it is killed VirtualBox takes the VM for crashed: `aborted`, or `aborted-saved`, for ever after.
    fn ask_info(&self, vm: &Uuid, runs: bool) -> Result<Info, AskError> {
        let call = self.call(&["showvminfo", &vm.to_string(), "--machinereadable"], DETAIL_DEADLINE);
        let call = if runs { call } else { call.to_its_end() };
        let info = self.read_call(&call, Some(*vm), parse::info)?;
        if info.uuid != *vm {
            let why = format!("the answer is about another VM, {}", info.uuid);
            return Err(AskError::Unusable { call: call.shown(), why });
        }
        Ok(info)
    }

    /// The machine's state, asked in the way that disturbs nobody: first the list that takes no lock, the machine
    /// itself only when it is listed there or no start of it is under way.
    pub fn probe(&self, vm: &Uuid, start_under_way: bool) -> Result<Sighting, AskError> {
        let runs = self.running()?.contains(vm);
        if !runs && start_under_way {
            return Ok(Sighting::NotListed);
        }
        Ok(Sighting::State(self.ask_info(vm, runs)?.state))
    }

    /// Tells a running machine something. Success means that VirtualBox took the order; a guest may ignore a button.
    pub fn control(&self, vm: &Uuid, verb: Verb, deadline: Duration) -> Result<(), AskError> {
        let args = ["controlvm", &vm.to_string(), verb.word()];
        self.ask(&self.call(&args, deadline), Some(*vm)).map(|_| ())
    }

    /// The command line that runs the machine without a window, in the foreground.
    pub fn headless(&self, vm: &Uuid) -> (PathBuf, Vec<OsString>) {
        (self.programs.headless.clone(), vec!["--startvm".into(), vm.to_string().into()])
    }

    /// The command line that runs the machine in a window; None where VirtualBox has no GUI program.
    pub fn gui(&self, vm: &Uuid, options: &[OsString]) -> Option<(PathBuf, Vec<OsString>)> {
        let mut args = vec!["--startvm".into(), vm.to_string().into()];
        args.extend_from_slice(options);
        Some((self.programs.gui.clone()?, args))
    }

    fn short_list(&self, which: &str) -> Result<Vec<ShortEntry>, AskError> {
        let args = ["list", which];
        match self.read(&args, None, LIST_DEADLINE, parse::short_list) {
            Err(AskError::TimedOut { .. }) => self.read(&args, None, LIST_DEADLINE, parse::short_list),
            answer => answer,
        }
    }

    fn read<T>(
        &self,
        args: &[&str],
        vm: Option<Uuid>,
        deadline: Duration,
        parse: fn(&[u8]) -> Result<T, ParseError>,
    ) -> Result<T, AskError> {
        self.read_call(&self.call(args, deadline), vm, parse)
    }

    fn read_call<T>(
        &self,
        call: &Call,
        vm: Option<Uuid>,
        parse: fn(&[u8]) -> Result<T, ParseError>,
    ) -> Result<T, AskError> {
        let output = self.ask(call, vm)?;
        parse(&output.stdout).map_err(|why| AskError::unusable(call.shown(), &why))
    }

    fn ask(&self, call: &Call, vm: Option<Uuid>) -> Result<Output, AskError> {
        let output = self.runner.run(call)?;
        match complaint(&call.shown(), vm, call.deadline, &output) {
            Some(error) => Err(error),
            None => Ok(output),
        }
    }

    fn call(&self, args: &[&str], deadline: Duration) -> Call {
        Call::new(&self.programs.manage, deadline).args(args).env(&self.env)
    }
}

/// A name that can be shown, passed on and compared without surprises.
fn is_fit(name: &str) -> bool {
    !name.is_empty() && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests;
