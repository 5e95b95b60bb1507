//! `save`, `poweroff`, `reboot` and `reset`: what a person does to a VM by hand.
//!
//! The monitor's hands are kept off by the nokick file, which is gone on every way out.

use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bring_down::{self, Outcome, bring_down, processes};
use super::leave_monitor::leave_monitor;
use super::refresh::poke;
use super::subject::{Instance, Selector, Subject, World};
use super::zfssnap::{self, stage};
use crate::decide::stop::time_given;
use crate::exec::InterruptibleRunner;
use crate::exit::Exit;
use crate::monitor::step::Mode;
use crate::rundir::files::Hold;
use crate::settings::StopMethod;
use crate::virtualbox::{Group, State, Verb};

/// How long one plain order may take.
const ORDER_TIME: Duration = Duration::from_secs(60);
/// How long a process may take to obey TERM, and VirtualBox to power off, before KILL.
const KILL_GRACE: Duration = Duration::from_secs(20);

/// How hard and for how long to power off.
#[derive(Debug, Clone, Copy, Default)]
pub struct Force {
    /// Kill the VM's process in the end.
    pub kill: bool,
    /// Instead of `vm/stop_timeout`.
    pub timeout: Option<Duration>,
}

/// Opens the VM for an acting command: ends in order on a signal, and keeps the monitor off.
fn take<'w>(world: &'w World, selector: &Selector) -> anyhow::Result<(Subject<'w>, Hold)> {
    world.end_in_order()?;
    let instance = Instance::open(world, selector)?;
    let hold = instance.hold()?;
    let patience = instance.settings.smf_start_timeout.map(|t| Instant::now() + t);
    Ok((instance.with_machine(patience)?, hold))
}

/// Lets the monitor's hands go, and has it look at what was done.
fn release(subject: &Subject, hold: Hold) -> anyhow::Result<()> {
    drop(hold);
    poke(&subject.files)?;
    Ok(())
}

/// Saves the state whatever the stop method is; a VM that is not live is left as it is.
pub fn save(world: &World, selector: &Selector) -> anyhow::Result<Exit> {
    let (subject, hold) = take(world, selector)?;
    let outcome = bring_down(&subject, StopMethod::SaveState, subject.settings.stop_timeout)?;
    zfssnap::around(&subject, stage::MANUAL_SAVE);
    release(&subject, hold)?;
    Ok(if outcome == Outcome::Reached { Exit::Ok } else { Exit::Fatal })
}

/// The ACPI power button, then the power, then, if asked to, the process.
pub fn poweroff(world: &World, selector: &Selector, force: Force) -> anyhow::Result<Exit> {
    let (subject, hold) = take(world, selector)?;
    let outcome = down(&subject, force)?;
    snapshot(&subject, "poweroff", outcome);
    release(&subject, hold)?;
    Ok(outcome.exit())
}

/// The snapshot after a command has brought the VM down, where the settings want one.
fn snapshot(subject: &Subject, command: &str, outcome: Outcome) {
    let stage = stage::poststop(StopMethod::PowerOffGraceful.word(), outcome.exit() as u8);
    zfssnap::around(subject, &format!("{command}-{stage}"));
}

fn down(subject: &Subject, force: Force) -> anyhow::Result<Outcome> {
    let given = force.timeout.or(subject.settings.stop_timeout);
    let outcome = bring_down(subject, StopMethod::PowerOffGraceful, given)?;
    if outcome == Outcome::Reached || !force.kill || processes(subject)?.is_empty() {
        return Ok(outcome);
    }
    kill_process(subject)
}

/// Ends the processes that are provably this VM's. TERM makes a running VM save itself; a paused or stuck one would be
/// wedged by it, so that one is powered off. KILL comes last.
fn kill_process(subject: &Subject) -> anyhow::Result<Outcome> {
    let interrupted = || subject.world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    if subject.sight(&runner, false).state() == Some(&State::Running) {
        subject.log.warn("the VM did not stop in time: ending its process by TERM, on which it saves its state");
        signal(subject, Signal::SIGTERM)?;
    } else {
        subject.log.warn("the VM did not stop in time: powering it off once more");
        if let Err(error) = subject.virtualbox(&runner).control(&subject.machine.uuid, Verb::PowerOff, KILL_GRACE) {
            subject.log.warn(error);
        }
    }
    if !gone_within(subject, KILL_GRACE)? {
        subject.log.warn("the VM's process is still there: killing it");
        signal(subject, Signal::SIGKILL)?;
        if !gone_within(subject, KILL_GRACE)? {
            return Ok(Outcome::TimedOut);
        }
    }
    // It is down, but not by a power-off.
    Ok(Outcome::Failed)
}

fn signal(subject: &Subject, signal: Signal) -> anyhow::Result<()> {
    for process in processes(subject)? {
        subject.log.info(format!("sending {signal} to process {}", process.pid));
        // It may be gone already, which is what is wanted.
        let _ = kill(Pid::from_raw(process.pid), signal);
    }
    Ok(())
}

fn gone_within(subject: &Subject, time: Duration) -> anyhow::Result<bool> {
    let until = Instant::now() + time;
    while Instant::now() < until && !subject.world.is_ended() {
        if processes(subject)?.is_empty() {
            return Ok(true);
        }
        sleep(Duration::from_millis(50));
    }
    Ok(processes(subject)?.is_empty())
}

/// Powers the VM off, gently first, and starts it again. Where even the power-off fails, a reset has to do.
pub fn reboot(world: &World, selector: &Selector, force: Force, only_if_live: bool) -> anyhow::Result<Exit> {
    let (subject, _hold) = take(world, selector)?;
    let interrupted = || world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    let was_live = !processes(&subject)?.is_empty();
    if only_if_live && !was_live {
        subject.log.info("the VM is not live: nothing to reboot");
        return Ok(Exit::Ok);
    }
    let outcome = down(&subject, force)?;
    snapshot(&subject, "reboot", outcome);
    if !processes(&subject)?.is_empty() {
        return reset_instead(&subject, &runner, outcome);
    }
    bring_down::stand_down(&subject.files, &subject.log)?;
    let given = time_given(None, subject.settings.smf_start_timeout);
    leave_monitor(&subject, Mode::Launch, given.map(|g| Instant::now() + g))?;
    Ok(Exit::Ok)
}

fn reset_instead(subject: &Subject, runner: &InterruptibleRunner, outcome: Outcome) -> anyhow::Result<Exit> {
    if subject.sight(runner, false).state().is_some_and(|s| s.group() == Group::Live) {
        subject.log.warn("the VM could not be powered off: resetting it instead");
        match subject.virtualbox(runner).control(&subject.machine.uuid, Verb::Reset, ORDER_TIME) {
            Ok(()) => return Ok(Exit::Ok),
            Err(error) => subject.log.warn(error),
        }
    }
    Ok(if outcome == Outcome::Reached { Exit::Other } else { outcome.exit() })
}

/// VirtualBox's own reset, at once.
pub fn reset(world: &World, selector: &Selector) -> anyhow::Result<Exit> {
    let (subject, _hold) = take(world, selector)?;
    let interrupted = || world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    subject.virtualbox(&runner).control(&subject.machine.uuid, Verb::Reset, ORDER_TIME)?;
    subject.log.info("the VM was reset");
    Ok(Exit::Ok)
}
