//! `start` and `start-force`: decide, bring the VM into a state it can be started from, and leave a monitor behind.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::bring_down::{self, Outcome, bring_down};
use super::leave_monitor::leave_monitor;
use super::start_wait;
use super::subject::{Instance, Selector, Subject, World};
use super::zfssnap::{self, stage};
use crate::decide::Sight;
use crate::decide::start::{self, Block, Facts, Start, VmProcess};
use crate::decide::stop::time_given;
use crate::decide::watch::NoKick;
use crate::exec::SystemRunner;
use crate::exit::{Exit, failure};
use crate::monitor::step::Mode;
use crate::rundir::Lock;
use crate::rundir::files::Held;
use crate::settings::StopMethod;
use crate::virtualbox::error::WEDGED_QUIET;

const FIRST_GAP: Duration = Duration::from_millis(50);
const WIDEST_GAP: Duration = Duration::from_secs(1);

pub fn run(world: &World, selector: &Selector, force: bool) -> anyhow::Result<Exit> {
    let began = Instant::now();
    world.end_in_order()?;
    let instance = Instance::open(world, selector)?;
    let deadline = time_given(None, instance.settings.smf_start_timeout).map(|given| began + given);
    // Another start goes first; this one then finds its VM running.
    let _turn = take_turn(&instance, deadline)?;
    look_at_block_file(&instance, force)?;
    bring_down::stand_down(&instance.files, &instance.log)?;
    let subject = instance.with_machine(deadline)?;
    let Some(mode) = prepare(&subject, force, deadline)? else { return Ok(Exit::Fatal) };
    if let Held::By(NoKick::Command(pid)) = subject.files.held()? {
        return Err(failure(Exit::Fatal, format!("process {pid}, a stop or a restart of the VM, overtook this start")));
    }
    if mode == Mode::Launch {
        if let Some(wish) = &subject.files.restart_once {
            // Left by a window of another time; it would be heeded at the next save, whoever saves the VM.
            wish.remove()?;
        }
        zfssnap::around(&subject, stage::PRESTART);
    }
    leave_monitor(&subject, mode, deadline)?;
    if mode != Mode::Watch {
        start_wait::wait(&subject, began)?;
    }
    Ok(Exit::Ok)
}

/// Waits until no other start of this instance is under way.
pub fn take_turn(instance: &Instance, deadline: Option<Instant>) -> anyhow::Result<Lock> {
    loop {
        if let Some(lock) = instance.files.start.lock()? {
            return Ok(lock);
        }
        if deadline.is_some_and(|d| Instant::now() >= d) || instance.world.is_ended() {
            return Err(failure(Exit::Fatal, "another start of this instance is still under way"));
        }
        sleep(FIRST_GAP);
    }
}

fn look_at_block_file(instance: &Instance, force: bool) -> anyhow::Result<()> {
    let (files, log) = (&instance.files, &instance.log);
    let decision = start::block(files.block(instance.user.uid)?, force, &instance.settings);
    match decision.action {
        Block::Pass => log.debug(decision.reason),
        Block::Hold => {
            files.block.touch()?;
            let path = files.block.path().display();
            return Err(failure(Exit::Fatal, format!("{} ({path})", decision.reason)));
        }
        Block::Remove => {
            log.info(decision.reason);
            files.block.remove()?;
        }
        Block::RemoveForeign => {
            log.warn(decision.reason);
            if let Err(error) = files.block.remove() {
                log.warn(error);
            }
        }
    }
    Ok(())
}

/// Decides, and acts, until the VM is in a state a monitor can start from; `None`: the start is refused.
fn prepare(subject: &Subject, force: bool, deadline: Option<Instant>) -> anyhow::Result<Option<Mode>> {
    let log = &subject.log;
    let mut took_over = false;
    let mut gap = FIRST_GAP;
    let mut told = String::new();
    loop {
        let facts =
            Facts { sight: subject.sight(&SystemRunner, false), process: vm_process(subject)?, force, took_over };
        let decision = start::start(&facts, &subject.settings);
        if decision.reason != told {
            log.info(&decision.reason);
            told = decision.reason.clone();
        }
        match decision.action {
            Start::Launch => return Ok(Some(Mode::Launch)),
            Start::Attach { resume } => return Ok(Some(Mode::Attach { resume })),
            Start::Leave => return Ok(Some(Mode::Watch)),
            Start::Refuse => return Ok(None),
            Start::TakeOver => {
                down(subject, StopMethod::SaveState, deadline)?;
                took_over = true;
            }
            Start::PowerOffThenLaunch => {
                down(subject, StopMethod::PowerOff, deadline)?;
                return Ok(Some(Mode::Launch));
            }
            Start::Wait if deadline.is_some_and(|d| Instant::now() + gap >= d) => {
                return Err(failure(Exit::Fatal, format!("the time for the start ran out: {}", decision.reason)));
            }
            Start::Wait if subject.world.is_ended() => {
                return Err(failure(Exit::Fatal, "interrupted by a signal; the VM is left as it is"));
            }
            Start::Wait if matches!(facts.sight, Sight::Wedged(_)) => sleep(WEDGED_QUIET),
            Start::Wait => {
                sleep(gap);
                gap = (gap * 2).min(WIDEST_GAP);
            }
        }
    }
}

fn down(subject: &Subject, method: StopMethod, deadline: Option<Instant>) -> anyhow::Result<()> {
    let given = deadline.map(|d| d.saturating_duration_since(Instant::now()));
    match bring_down(subject, method, given)? {
        Outcome::Reached => Ok(()),
        Outcome::Failed | Outcome::TimedOut => {
            Err(failure(Exit::Fatal, "the VM could not be brought into a state to start it from; it is left as it is"))
        }
    }
}

pub fn vm_process(subject: &Subject) -> anyhow::Result<VmProcess> {
    let living = bring_down::processes(subject)?;
    let recorded = subject.files.own_vm_process()?;
    Ok(match (living.as_slice(), recorded) {
        ([], _) => VmProcess::None,
        ([only], Some(ours)) if only.pid == ours.pid && only.started == ours.started => VmProcess::Ours,
        _ => VmProcess::Foreign,
    })
}
