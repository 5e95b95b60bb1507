//! `sercon`, `sercon-once` and `sercon-break`: the serial console of the VM, and its end from outside.
//!
//! One sercon an instance, held by a lock: VirtualBox serves one client, and `sercon-break` has to know whom it ends.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::subject::{Instance, Selector, Subject, World};
use crate::console::endpoint::{self, Endpoint, EndpointError};
use crate::console::narrator::Narrator;
use crate::console::session::{self, Ends, Outcome, Plan, SessionError};
use crate::console::signals::Signals;
use crate::console::terminal::{self, RawMode};
use crate::exec::SystemRunner;
use crate::exit::{Exit, failure};
use crate::rundir::Lock;
use crate::rundir::files::RunFiles;
use crate::virtualbox::Info;
use crate::virtualbox::process::{self, Process};

/// How long a VirtualBox that does not answer, or that is just starting the VM, is asked again.
const PATIENCE: Duration = Duration::from_secs(15);
/// The gap between two questions.
const GAP: Duration = Duration::from_millis(200);
/// How long another process may take to write what it has locked.
const MOMENT: Duration = Duration::from_secs(1);
/// How long a sercon may take to give its terminal back.
const FAREWELL: Duration = Duration::from_secs(5);

/// Shows the console. `path` goes before what VirtualBox says; without `retry` there is one connection only.
pub fn run(
    world: &World,
    selector: &Selector,
    path: &Option<PathBuf>,
    uart: Option<u8>,
    retry: Option<Duration>,
) -> anyhow::Result<ExitCode> {
    // While this is still the caller's process: the terminal may be his and not the VM's user's.
    let (output, screen) = (terminal::output(io::stdout())?, terminal::output(io::stderr())?);
    let instance = Instance::open(world, selector)?;
    let _lock = take(&instance.files)?;
    let (log, subject) = (instance.log.clone(), instance.fmri.instance().to_string());
    let endpoint = match path {
        Some(path) => Endpoint::Unix(path.clone()),
        None => of_virtualbox(instance, uart)?,
    };
    // Caught before the terminal is touched, so that no signal can end us between the two.
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let raw_mode = RawMode::enter(io::stdin()).context("cannot set the terminal's mode")?;
    let mut narrator = if raw_mode.is_some() && terminal::is_terminal(io::stderr()) {
        Narrator::Screen { screen, subject }
    } else {
        Narrator::Log(log)
    };
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    match session::run(
        &Plan { endpoint, retry },
        Ends { input, output, terminal: raw_mode },
        &mut signals,
        &mut narrator,
    ) {
        Ok(Outcome::Signaled(signal)) => Ok(ExitCode::from(u8::try_from(signal).unwrap_or(0).saturating_add(128))),
        Ok(_) => Ok(Exit::Ok.into()),
        Err(error) => {
            let denied = matches!(&error, SessionError::Unreachable { source, .. }
                if source.kind() == io::ErrorKind::PermissionDenied);
            Err(failure(if denied { Exit::Permission } else { Exit::Fatal }, error.to_string()))
        }
    }
}

/// Ends the sercon of this instance, if there is one, and waits until its terminal is given back.
pub fn end(world: &World, selector: &Selector) -> anyhow::Result<Exit> {
    let instance = Instance::open(world, selector)?;
    let Some(console) = holder(&instance.files)? else {
        instance.log.info("there is no sercon to end");
        return Ok(Exit::NoneThere);
    };
    let pid = Pid::from_raw(console.pid);
    kill(pid, Signal::SIGTERM).with_context(|| format!("cannot end the sercon, process {pid}"))?;
    // A stopped one must run to end. One that is gone already needs nothing.
    let _ = kill(pid, Signal::SIGCONT);
    let deadline = Instant::now() + FAREWELL;
    while process::alive(console.pid, console.started) {
        if Instant::now() >= deadline {
            let text = format!("the sercon, process {pid}, did not end within {} s", FAREWELL.as_secs());
            return Err(failure(Exit::TimedOut, text));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    instance.log.info(format!("ended the sercon, process {pid}"));
    Ok(Exit::Ok)
}

/// Takes the console's lock and writes down who we are.
fn take(files: &RunFiles) -> anyhow::Result<Lock> {
    let deadline = Instant::now() + MOMENT;
    loop {
        if let Some(mut lock) = files.sercon.lock()? {
            let me = process::look(std::process::id() as i32)?.context("cannot look at this process")?;
            files.record_console(&mut lock, &me)?;
            return Ok(lock);
        }
        // Whoever only looks holds the lock for an instant.
        let holder = files.console()?;
        if holder.is_some() || Instant::now() >= deadline {
            let who = holder.map_or("another process".to_string(), |p| format!("process {}", p.pid));
            return Err(failure(Exit::Fatal, format!("the console is shown by {who} already: sercon-break ends it")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Who shows the console. One that has just begun may not have written down who it is.
fn holder(files: &RunFiles) -> anyhow::Result<Option<Process>> {
    let deadline = Instant::now() + MOMENT;
    loop {
        let found = files.console()?;
        if found.is_some() || !files.sercon.is_locked()? || Instant::now() >= deadline {
            return Ok(found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Where VirtualBox says the console is.
fn of_virtualbox(instance: Instance, uart: Option<u8>) -> anyhow::Result<Endpoint> {
    let deadline = Instant::now() + PATIENCE;
    let subject = instance.with_machine(Some(deadline))?;
    let info = info(&subject, deadline)?;
    endpoint::of_machine(&info.name, &info.uarts, uart).map_err(|error| {
        let exit = if matches!(error, EndpointError::Several { .. }) { Exit::Usage } else { Exit::Fatal };
        failure(exit, error.to_string())
    })
}

/// All about the VM. Of one that is just starting, the question would take the lock which the start needs: it is put
/// once the VM is listed as running.
fn info(subject: &Subject, deadline: Instant) -> anyhow::Result<Info> {
    let virtualbox = subject.virtualbox(&SystemRunner);
    let uuid = &subject.machine.uuid;
    loop {
        let disturbs = subject.files.start_under_way()? && !virtualbox.running().is_ok_and(|up| up.contains(uuid));
        let late = Instant::now() + GAP >= deadline;
        if disturbs {
            if late {
                return Err(failure(Exit::Fatal, "the VM is being started: try again when it is up, or give -f PATH"));
            }
        } else {
            match virtualbox.info(uuid) {
                Ok(info) => return Ok(info),
                Err(error) if error.is_transient() && !late => {
                    subject.log.debug(format!("asking VirtualBox again: {error}"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        std::thread::sleep(GAP);
    }
}
