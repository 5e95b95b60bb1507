//! VBoxHeadless: one VM as a process, in the foreground.
//!
//! It sleeps until a signal comes. Those that end an ordinary program save the VM; one tells it that VBoxManage has left
//! an order.

use std::fs;

use anyhow::{Context, Result};
use nix::unistd::{getpid, setsid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::machine::{Machine, Registry, State};
use crate::texts;

/// What VBoxManage wakes a VM process with.
pub const WAKE: nix::sys::signal::Signal = nix::sys::signal::Signal::SIGUSR2;

pub fn run(words: &[&str]) -> Result<u8> {
    if words.contains(&"--version") {
        print!("{}", texts::VERSION);
        return Ok(0);
    }
    print!("{}", texts::HEADLESS_BANNER);
    let Some(asked) = value(words, "--startvm").or_else(|| value(words, "-s")) else {
        print!("{}", texts::USAGE);
        return Ok(2);
    };
    // Only VBoxManage gives the comment: nothing of its caller's is to end this process.
    if value(words, "--comment").is_some() {
        setsid().context("cannot leave the caller's session")?;
    }
    // Before anything can be asked for by a signal.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2])?;
    let Some(machine) = Registry::mine()?.find(asked)? else {
        println!("Invalid machine name or UUID!");
        return Ok(1);
    };
    let Some(_lock) = machine.hold()? else {
        eprint!("{}", texts::locked("VBoxHeadless", &machine.name));
        return Ok(1);
    };
    // What is true now that the lock is ours.
    let mut machine = machine.again().unwrap_or(machine);
    machine.take_order();
    let verb = if machine.state == State::Saved { "Restoring" } else { "Starting" };
    machine.note(State::Running, Some(getpid().as_raw()))?;
    eprint!("{verb} virtual machine: {}", texts::PROGRESS);
    live(&mut machine, &mut signals)?;
    Ok(0)
}

/// Until the VM is saved or off.
fn live(machine: &mut Machine, signals: &mut Signals) -> Result<()> {
    for signal in signals.forever() {
        let order = if signal == SIGUSR2 { machine.take_order() } else { None };
        let next = match order.as_deref() {
            // VirtualBox neither saves nor powers off a paused VM that is told to end.
            None if signal != SIGUSR2 && machine.state == State::Paused => State::PoweredOff,
            None if signal != SIGUSR2 => {
                eprintln!("VBoxHeadless: signal {signal}\nSaving the execution state ...");
                State::Saved
            }
            Some("savestate") => State::Saved,
            // The guest of a stub obeys at once.
            Some("poweroff" | "acpipowerbutton") => State::PoweredOff,
            Some("pause") => State::Paused,
            Some("resume" | "reset") => State::Running,
            _ => continue,
        };
        if next == State::Saved {
            let file = machine.state_file();
            fs::create_dir_all(file.parent().unwrap_or(machine.folder()))?;
            fs::write(file, "nothing: the stub has no guest\n")?;
        }
        machine.note(next, next.is_live().then(|| getpid().as_raw()))?;
        if !next.is_live() {
            break;
        }
    }
    Ok(())
}

/// The word behind an option, or joined to it.
fn value<'a>(words: &[&'a str], option: &str) -> Option<&'a str> {
    let joined = |word: &'a str| word.strip_prefix(option).and_then(|rest| rest.strip_prefix('='));
    let behind = words.iter().position(|word| *word == option).and_then(|at| words.get(at + 1)).copied();
    behind.or_else(|| words.iter().find_map(|word| joined(word)))
}
