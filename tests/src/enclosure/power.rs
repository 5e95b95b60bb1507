//! Switches enclosed hosts, and their zones, on and off.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::layout;
use crate::host::{leftovers, status};
use crate::invocation::{ENTER, UNTIL_STDIN_CLOSES};
use crate::smf::builtin::{MANIFEST_IMPORT_FMRI, ZONES_FMRI};
use crate::smf::startd::daemon::{HALT, REBOOT, SHUTDOWN, boots, power_path};
use crate::smf::tool::{startd_is_there, wake};
use crate::zones;

/// How long a host may take to come up or to go down: far more than any machine needs.
const PATIENCE: Duration = Duration::from_secs(120);
/// The restarter, as a host has it.
pub const STARTD: &str = "/lib/svc/bin/svc.startd";

#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error("cannot start svc.startd: {0}")]
    Start(#[from] io::Error),
    #[error("svc.startd ended at once: {0}")]
    Ended(String),
    #[error("the host is running already")]
    Running,
    #[error("the host is not running")]
    NotRunning,
    #[error("not {0} after {PATIENCE:?}")]
    Late(&'static str),
}

/// Switches a host on; it lives on without the caller.
pub fn boot(root: &Path) -> Result<(), Failed> {
    start(root, Stdio::null(), &[])
}

/// Switches a zone on; it goes down with svc.startd of the global zone, at `global`.
pub fn boot_zone(global: &Path, zone_root: &Path) -> Result<(), Failed> {
    if !startd_is_there(global) {
        return Err(Failed::NotRunning);
    }
    start(zone_root, File::open(power_path(global))?.into(), &[UNTIL_STDIN_CLOSES])
}

fn start(root: &Path, stdin: Stdio, options: &[&str]) -> Result<(), Failed> {
    if startd_is_there(root) {
        return Err(Failed::Running);
    }
    // What the last power cut left.
    layout::lose_volatile(root)?;
    let before = boots(root);
    let mut startd = Command::new(std::env::current_exe()?);
    startd.arg(ENTER).arg(root).arg(STARTD).args(options).env_clear();
    // It outlives the caller, and must not keep the caller's pipes open.
    let log = root.join("var/svc/log/svc.startd.log");
    let mut startd = startd.stdin(stdin).stdout(Stdio::null()).stderr(File::create(&log)?).spawn()?;
    until_up(root, before, || match startd.try_wait() {
        Ok(Some(_)) => Some(fs::read_to_string(&log).unwrap_or_default().trim().to_string()),
        _ => None,
    })
}

fn until_up(root: &Path, before: u64, mut ended: impl FnMut() -> Option<String>) -> Result<(), Failed> {
    eventually("up", || boots(root) != before && is_up(root), &mut ended)
}

/// Every milestone that a host waits for, and its zones where it has any.
pub fn is_up(root: &Path) -> bool {
    let online = |fmri| status(root, fmri).is_some_and(|(state, next)| state == "online" && next == "none");
    online(MANIFEST_IMPORT_FMRI) && (zones::all(root).is_empty() || online(ZONES_FMRI))
}

/// Orderly: every service is stopped.
pub fn halt(root: &Path) -> Result<(), Failed> {
    if !wake(root, SHUTDOWN) {
        return Err(Failed::NotRunning);
    }
    eventually("down", || !startd_is_there(root), &mut || None)?;
    pull_the_plug(root)
}

/// Orderly, and up again.
pub fn reboot(root: &Path) -> Result<(), Failed> {
    let before = boots(root);
    if !wake(root, REBOOT) {
        return Err(Failed::NotRunning);
    }
    until_up(root, before, || None)
}

/// Nothing is stopped in an orderly way.
pub fn pull_the_plug(root: &Path) -> Result<(), Failed> {
    // svc.startd ends what it started. In a user namespace nobody from another one can see those processes.
    if wake(root, HALT) {
        let _ = eventually("off", || !startd_is_there(root), &mut || None);
    }
    leftovers::kill_all(root);
    // The door of svc.configd goes with its process.
    let _ = fs::remove_file(root.join("etc/svc/volatile/repository_door"));
    Ok(())
}

fn eventually(
    what: &'static str,
    mut holds: impl FnMut() -> bool,
    ended: &mut impl FnMut() -> Option<String>,
) -> Result<(), Failed> {
    let started = Instant::now();
    while !holds() {
        if let Some(why) = ended() {
            return Err(Failed::Ended(why));
        }
        if started.elapsed() > PATIENCE {
            return Err(Failed::Late(what));
        }
        thread::sleep(Duration::from_millis(3));
    }
    Ok(())
}
