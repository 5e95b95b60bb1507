//! The process that shows a VM in a window: started, waited for, watched to its end, ended where it hangs.

use std::env;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::bring_down::processes;
use super::subject::Subject;
use crate::exec::{Call, Ended, InterruptibleRunner};
use crate::exit::{Exit, failure};
use crate::virtualbox::process::{self, Process};
use crate::virtualbox::{AskError, Group, State, launch};

const FIRST_GAP: Duration = Duration::from_millis(50);
const WIDEST_GAP: Duration = Duration::from_secs(1);
/// How often the process is looked at, which costs one small file, and VirtualBox is asked, which costs a process.
const GLANCE: Duration = Duration::from_millis(250);
const ASK: Duration = Duration::from_secs(3);
/// How long the process may outlive a VM that was saved, and one that went down in another way: VirtualBox may have
/// lost that one, and then its process ends by itself within 25 s.
const OUTLIVE_SAVED: Duration = Duration::from_secs(10);
const OUTLIVE: Duration = Duration::from_secs(30);
const TERM_GRACE: Duration = Duration::from_secs(5);
const KILL_GRACE: Duration = Duration::from_secs(5);
/// How many of the last lines a window printed are told.
const LAST_WORDS: usize = 5;

/// Starts the window's program and waits until VirtualBox says that the VM is live. A signal ends the wait; a window
/// that is there by then is the result where the caller stays with it.
pub fn open(subject: &Subject, call: &Call, deadline: Instant, stays: bool) -> anyhow::Result<Process> {
    let mut gap = FIRST_GAP;
    loop {
        let mut child = spawn(subject, call)?;
        subject.log.info(format!("started {} as process {}", call.program.display(), child.id()));
        subject.set_priority(child.id() as i32);
        let ended = match wait_until_live(subject, &mut child, deadline, stays)? {
            Wait::Live(process) => return Ok(process),
            Wait::Ended(ended) => ended,
        };
        let error = last_words(subject, call, ended);
        if !error.is_transient() || Instant::now() + gap >= deadline {
            return Err(failure(Exit::Fatal, format!("the window ended before the VM was live: {error}")));
        }
        subject.log.debug(format!("opening the window again: {error}"));
        sleep(gap);
        gap = (gap * 2).min(WIDEST_GAP);
    }
}

/// The program runs in a session of its own, so that no terminal's signals reach it, and not even its end.
fn spawn(subject: &Subject, call: &Call) -> anyhow::Result<Child> {
    let output = subject.files.output.open_output()?;
    let second = output.try_clone().context("cannot open the window's output twice")?;
    let own = env::current_exe().context("cannot find this program's own file")?;
    Command::new(own)
        .args(["own-session", "--"])
        .arg(&call.program)
        .args(&call.args)
        .env_clear()
        .envs(call.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(second)
        .spawn()
        .with_context(|| format!("cannot run {}", call.program.display()))
}

/// `own-session`: becomes the program, in a session of its own. Returns only if that fails.
pub fn own_session(command: &[std::ffi::OsString]) -> anyhow::Result<Exit> {
    let (program, args) = command.split_first().context("no program to run")?;
    // It fails only where this is a session's first process already, which is as good.
    let _ = nix::unistd::setsid();
    let _ = env::set_current_dir(env::var_os("HOME").as_deref().map_or(Path::new("/"), Path::new));
    let error = Command::new(program).args(args).exec();
    Err(error).with_context(|| format!("cannot run {}", program.to_string_lossy()))
}

enum Wait {
    Live(Process),
    Ended(Ended),
}

fn wait_until_live(subject: &Subject, child: &mut Child, deadline: Instant, stays: bool) -> anyhow::Result<Wait> {
    let interrupted = || subject.world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    let mut gap = FIRST_GAP;
    loop {
        // While a start is under way only the list that takes no lock may be asked.
        let listed = match subject.virtualbox(&runner).running() {
            Ok(running) => running.contains(&subject.machine.uuid),
            Err(error) => {
                subject.log.debug(format!("asking VirtualBox again: {error}"));
                false
            }
        };
        let window = processes(subject)?.first().copied();
        match (window, child.try_wait()?) {
            (Some(window), _) if listed || (stays && subject.world.is_ended()) => return Ok(Wait::Live(window)),
            // What was started may be a script that leaves the window to another process.
            (None, Some(status)) => return Ok(Wait::Ended(status.into())),
            _ if subject.world.is_ended() => {
                return Err(failure(Exit::Fatal, "interrupted by a signal; the window is left to come up or not"));
            }
            _ if Instant::now() >= deadline => {
                return Err(failure(
                    Exit::TimedOut,
                    "VirtualBox did not say that the VM is live in the time for a start; the window is left as it is",
                ));
            }
            _ => {}
        }
        sleep(gap);
        gap = (gap * 2).min(WIDEST_GAP);
    }
}

/// Why the program ended, by its own words.
fn last_words(subject: &Subject, call: &Call, ended: Ended) -> AskError {
    let said = subject.files.output.read().ok().flatten().map(|found| found.text).unwrap_or_default();
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    for line in lines.iter().skip(lines.len().saturating_sub(LAST_WORDS)) {
        subject.log.warn(format!("the window said: {line}"));
    }
    let program = call.program.file_name().unwrap_or(call.program.as_os_str()).to_string_lossy();
    launch::failure(&program, ended, &said)
}

/// Why a window is watched no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It is gone.
    Gone,
    /// Its VM is at rest, its process hangs.
    Hangs,
    /// A signal asks this command to end.
    Signal,
}

/// Stays until the window is gone. It counts as gone once its VM is at rest, though its process may hang.
pub fn watch(subject: &Subject, window: Process) -> anyhow::Result<Left> {
    let mut resting: Option<Instant> = None;
    let mut ask = Instant::now() + ASK;
    loop {
        if !process::alive(window.pid, window.started) {
            return Ok(Left::Gone);
        }
        if subject.world.is_ended() {
            return Ok(Left::Signal);
        }
        if Instant::now() >= ask {
            let group = state(subject).map(|state| state.group());
            resting = match group {
                Some(Group::Saved | Group::Halted | Group::Aborted) => resting.or_else(|| Some(Instant::now())),
                _ => None,
            };
            match (group, resting.map(|since| since.elapsed())) {
                // As long as it lives, the monitor cannot start the VM again.
                (Some(Group::Saved), Some(time)) if time >= OUTLIVE_SAVED => return end(subject, window),
                // A VirtualBox that has lost a VM takes it for powered off while it runs on: nothing is killed for that.
                (_, Some(time)) if time >= OUTLIVE => {
                    let pid = window.pid;
                    let text = format!("the VM is down and the window's process {pid} hangs: \"poweroff -k\" ends it");
                    subject.log.warn(text);
                    return Ok(Left::Hangs);
                }
                _ => {}
            }
            ask = Instant::now() + if resting.is_some() { WIDEST_GAP } else { ASK };
        }
        sleep(GLANCE);
    }
}

/// The VM's state, asked in the ways that take no lock: the monitor may be starting the VM again.
pub fn state(subject: &Subject) -> Option<State> {
    let interrupted = || subject.world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    let virtualbox = subject.virtualbox(&runner);
    let uuid = subject.machine.uuid;
    match virtualbox.running() {
        // Running or paused: a window is wanted for both.
        Ok(running) if running.contains(&uuid) => Some(State::Running),
        Ok(running) => {
            virtualbox.overview(running.len()).ok()?.into_iter().find(|seen| seen.machine.uuid == uuid)?.state
        }
        Err(_) => None,
    }
}

/// Ends a process that outlived its saved VM. Only ever the very one: pid and start time are looked at before each signal.
fn end(subject: &Subject, window: Process) -> anyhow::Result<Left> {
    for (signal, grace) in [(Signal::SIGTERM, TERM_GRACE), (Signal::SIGKILL, KILL_GRACE)] {
        let pid = window.pid;
        subject.log.warn(format!("the VM is saved and the window's process {pid} hangs: sending it {signal}"));
        if processes(subject)?.contains(&window) {
            // It may be gone already, which is what is wanted.
            let _ = kill(Pid::from_raw(pid), signal);
        }
        let until = Instant::now() + grace;
        while Instant::now() < until {
            if !process::alive(window.pid, window.started) {
                return Ok(Left::Gone);
            }
            sleep(FIRST_GAP);
        }
    }
    subject.log.error(format!("process {} cannot be killed: the monitor cannot start the VM again", window.pid));
    Ok(Left::Hangs)
}
