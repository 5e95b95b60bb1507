//! `refresh`: has the monitor read everything again, now.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::subject::{Instance, Selector, World};
use crate::exit::Exit;

/// Never fails over a monitor that is not there: SMF would take the third failure for a broken service.
pub fn run(world: &World, selector: &Selector) -> anyhow::Result<Exit> {
    let instance = Instance::open(world, selector)?;
    match instance.files.monitor()? {
        Some(monitor) => {
            let _ = kill(Pid::from_raw(monitor.pid), Signal::SIGHUP);
            instance.log.info("asked the monitor to read its settings again");
        }
        None => instance.log.info("no monitor runs; the next start reads the settings"),
    }
    Ok(Exit::Ok)
}
