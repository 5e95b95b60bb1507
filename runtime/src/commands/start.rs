//! `start` and `start-force`: decide, bring the VM into a state it can be started from, and leave a monitor behind.

use std::env;
use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;

use super::bring_down::{self, Outcome, bring_down};
use super::subject::{Instance, Selector, Subject, World, under_smf};
use crate::decide::start::{self, Block, Facts, Start, VmProcess};
use crate::decide::stop::time_given;
use crate::decide::watch::NoKick;
use crate::exec::SystemRunner;
use crate::exit::{Exit, failure};
use crate::monitor::ready;
use crate::monitor::step::Mode;
use crate::rundir::Lock;
use crate::rundir::files::Held;
use crate::settings::StopMethod;

const FIRST_GAP: Duration = Duration::from_millis(50);
const WIDEST_GAP: Duration = Duration::from_secs(1);
/// How much longer than the monitor itself its word is waited for.
const GRACE: Duration = Duration::from_secs(2);

pub fn run(world: &World, selector: &Selector, force: bool) -> anyhow::Result<Exit> {
    world.end_in_order()?;
    let instance = Instance::open(world, selector)?;
    let deadline = time_given(None, instance.settings.smf_start_timeout).map(|given| Instant::now() + given);
    // Another start goes first; this one then finds its VM running.
    let _turn = take_turn(&instance, deadline)?;
    look_at_block_file(&instance, force)?;
    bring_down::stand_down(&instance.files, &instance.log)?;
    let subject = instance.with_machine(deadline)?;
    let Some(mode) = prepare(&subject, force, deadline)? else { return Ok(Exit::Fatal) };
    if let Held::By(NoKick::Command(pid)) = subject.files.held()? {
        return Err(failure(Exit::Fatal, format!("process {pid}, a stop or a restart of the VM, overtook this start")));
    }
    leave_monitor(&subject, mode, deadline)?;
    Ok(Exit::Ok)
}

/// Waits until no other start of this instance is under way.
fn take_turn(instance: &Instance, deadline: Option<Instant>) -> anyhow::Result<Lock> {
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

fn vm_process(subject: &Subject) -> anyhow::Result<VmProcess> {
    let living = bring_down::processes(subject)?;
    let recorded = subject.files.own_vm_process()?;
    Ok(match (living.as_slice(), recorded) {
        ([], _) => VmProcess::None,
        ([only], Some(ours)) if only.pid == ours.pid && only.started == ours.started => VmProcess::Ours,
        _ => VmProcess::Foreign,
    })
}

/// Starts the monitor and waits for its word that the VM is live, or why not.
fn leave_monitor(subject: &Subject, mode: Mode, deadline: Option<Instant>) -> anyhow::Result<()> {
    let mut monitor = spawn_monitor(subject, mode).context("cannot start the monitor")?;
    let mut pipe = monitor.stdout.take().context("the monitor has no standard output")?;
    let word = loop {
        let soon = Instant::now() + Duration::from_millis(200);
        let until = deadline.map_or(soon, |d| soon.min(d + GRACE));
        match ready::wait(&mut pipe, Some(until))? {
            Some(word) => break Some(word),
            None if subject.world.is_ended() => break None,
            None if deadline.is_some_and(|d| Instant::now() >= d + GRACE) => break None,
            None => {}
        }
    };
    match word {
        Some(Ok(())) => Ok(()),
        Some(Err(reason)) => {
            let _ = monitor.wait();
            Err(failure(Exit::Fatal, reason))
        }
        None => {
            bring_down::stand_down(&subject.files, &subject.log)?;
            Err(failure(Exit::Fatal, "the monitor did not report in the time for a start; the VM is left as it is"))
        }
    }
}

fn spawn_monitor(subject: &Subject, mode: Mode) -> anyhow::Result<Child> {
    let mode = match mode {
        Mode::Launch => "launch",
        Mode::Attach { resume: false } => "attach",
        Mode::Attach { resume: true } => "resume",
        Mode::Watch => "watch",
    };
    let stderr = match monitor_log(subject) {
        Some(file) => Stdio::from(file),
        None => Stdio::inherit(),
    };
    Ok(Command::new(env::current_exe().context("cannot find this program's own file")?)
        .arg("monitor")
        .args(["--svc", &subject.fmri.to_string()])
        .args(["--uuid", &subject.machine.uuid.to_string()])
        .args(["--name", &subject.machine.name])
        .args(["--mode", mode])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()?)
}

/// By hand the monitor must not hold on to a terminal: it logs where SMF would, or into the run folder.
fn monitor_log(subject: &Subject) -> Option<std::fs::File> {
    if under_smf() {
        return None;
    }
    let append = |path: &std::path::PathBuf| OpenOptions::new().append(true).open(path).ok();
    subject.logfile.as_ref().and_then(append).or_else(|| subject.files.log.open_output().ok())
}
