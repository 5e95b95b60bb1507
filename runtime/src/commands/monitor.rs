//! `monitor`: what `start` runs and leaves behind. Not for people.

use anyhow::Context;

use super::subject::{Instance, Selector, Subject, World};
use crate::exit::{Exit, told};
use crate::monitor::driver::Driver;
use crate::monitor::ready;
use crate::monitor::step::Mode;
use crate::virtualbox::{Machine, Uuid};

pub fn run(world: &World, selector: &Selector, uuid: &str, name: String, mode: Mode) -> anyhow::Result<Exit> {
    // A session of its own: no terminal's signals reach it or the VM. It fails only where it is one already.
    let _ = nix::unistd::setsid();
    let _ = std::env::set_current_dir("/");
    let world = world.after_start();
    match prepare(&world, selector, uuid, name, mode) {
        Ok(mut driver) => driver.run().map(|()| Exit::Ok),
        Err(error) => {
            // The start method hears it through the pipe, and logs it.
            print!("{}", ready::line(&Err(told(&error))));
            Ok(Exit::Fatal)
        }
    }
}

fn prepare<'w>(
    world: &'w World,
    selector: &Selector,
    uuid: &str,
    name: String,
    mode: Mode,
) -> anyhow::Result<Driver<'w>> {
    let uuid: Uuid = uuid.parse().context("--uuid")?;
    let instance = Instance::open(world, selector)?;
    let subject = Subject::known(instance, Machine { name, uuid })?;
    Driver::new(world, subject, mode)
}
