//! `refresh`: has the monitor read everything again, now.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::subject::{Instance, Selector, World};
use crate::exit::Exit;
use crate::rundir::RunDirError;
use crate::rundir::files::RunFiles;

/// Never fails over a monitor that is not there: SMF would take the third failure for a broken service.
pub fn run(world: &World, selector: &Selector) -> anyhow::Result<Exit> {
    let instance = Instance::open(world, selector)?;
    instance.log.info(match poke(&instance.files)? {
        true => "asked the monitor to read its settings again",
        false => "no monitor runs; the next start reads the settings",
    });
    Ok(Exit::Ok)
}

/// Has the monitor look at everything at once; false where none runs.
pub fn poke(files: &RunFiles) -> Result<bool, RunDirError> {
    let monitor = files.monitor()?;
    if let Some(monitor) = &monitor {
        // It may be gone by now, and then needs to look at nothing.
        let _ = kill(Pid::from_raw(monitor.pid), Signal::SIGHUP);
    }
    Ok(monitor.is_some())
}
