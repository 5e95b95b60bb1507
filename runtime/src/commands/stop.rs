//! `stop`: the monitor stands down, then the VM is stopped as its settings say.

use std::time::Instant;

use super::bring_down::{self, Outcome, bring_down};
use super::subject::{Instance, Selector, World, is_unregistered, under_smf};
use super::zfssnap::{self, stage};
use crate::decide::stop::time_given;
use crate::exit::Exit;

pub fn run(world: &World, selector: &Selector) -> anyhow::Result<Exit> {
    world.end_in_order()?;
    let began = Instant::now();
    let instance = Instance::open(world, selector)?;
    let settings = instance.settings.clone();
    let smf = if under_smf() { settings.smf_stop_timeout } else { None };
    let given = time_given(settings.stop_timeout, smf);
    // The monitor is gone in a moment; the file keeps off whoever might come up meanwhile. It is a help: a VM is not left
    // running because its run folder is full.
    let files = instance.files.clone();
    let _hold = files.hold().inspect_err(|error| instance.log.warn(error));
    bring_down::stand_down(&files, &instance.log)?;
    let log = instance.log.clone();
    let subject = match instance.with_machine(given.map(|g| began + g)) {
        Ok(subject) => subject,
        Err(error) if is_unregistered(&error) && files.own_vm_process()?.is_none() => {
            log.warn(format!("{error}; nothing to stop"));
            return Ok(Exit::Ok);
        }
        Err(error) => return Err(error),
    };
    let left = given.map(|g| g.saturating_sub(began.elapsed()));
    let outcome = bring_down(&subject, settings.stop_method, left)?;
    let stage = stage::poststop(settings.stop_method.word(), outcome.exit() as u8);
    zfssnap::around(&subject, &stage);
    match outcome {
        Outcome::Reached => Ok(Exit::Ok),
        // A method's exit code must be one that SMF knows; the log has told which it was.
        Outcome::Failed | Outcome::TimedOut => Ok(Exit::Fatal),
    }
}
