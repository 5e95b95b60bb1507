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
    match watch(&world.after_start(), selector, uuid, name, mode) {
        Ok(()) => Ok(Exit::Ok),
        Err(error) => {
            // Before the loop runs, the pipe is still the way to tell the start method.
            print!("{}", ready::line(&Err(told(&error))));
            Err(error)
        }
    }
}

fn watch(world: &World, selector: &Selector, uuid: &str, name: String, mode: Mode) -> anyhow::Result<()> {
    let uuid: Uuid = uuid.parse().context("--uuid")?;
    let instance = Instance::open(world, selector)?;
    let subject = Subject::known(instance, Machine { name, uuid })?;
    Driver::new(world, subject, mode)?.run()
}
