//! Starts the monitor, which stays behind, and hears from it how the VM's start went.

use std::env;
use std::fs::OpenOptions;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::bring_down;
use super::subject::{Subject, under_smf};
use crate::environment;
use crate::exit::{Exit, failure};
use crate::monitor::ready;
use crate::monitor::step::Mode;

/// How much longer than the monitor itself its word is waited for.
const GRACE: Duration = Duration::from_secs(2);

/// Starts the monitor and waits for its word that the VM is live, or why not.
pub fn leave_monitor(subject: &Subject, mode: Mode, deadline: Option<Instant>) -> anyhow::Result<()> {
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
        // In one word: a name may look like an option.
        .arg(format!("--name={}", subject.machine.name))
        .args(["--mode", mode])
        .env_clear()
        .envs(environment::handed_on())
        .envs(subject.world.said_to_virtualbox(&subject.settings))
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
