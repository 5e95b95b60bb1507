//! VBoxManage: looks at the machines, and tells their processes what to do.

use std::env;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::kill;
use nix::unistd::Pid;

use crate::headless;
use crate::machine::{Machine, Registry, State};
use crate::texts;

const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How many looks a VM process gets to do what it was told: ten seconds of them.
const LOOKS: u32 = 1000;

/// What was called, of a program that prints and exits.
pub fn run(words: &[&str]) -> Result<u8> {
    let words: Vec<&str> = words.iter().copied().skip_while(|word| matches!(*word, "-q" | "--nologo")).collect();
    match words.as_slice() {
        [] => {
            print!("{}", texts::USAGE);
            Ok(1)
        }
        ["--version" | "-v" | "-V", ..] => {
            print!("{}", texts::VERSION);
            Ok(0)
        }
        ["list", rest @ ..] => list(rest),
        ["showvminfo", rest @ ..] => {
            let for_programs = rest.contains(&"--machinereadable");
            on_machine(rest, |machine| {
                print!("{}", if for_programs { texts::for_programs(&machine) } else { texts::for_people(&machine) });
                Ok(0)
            })
        }
        ["createvm", rest @ ..] => create(rest),
        ["unregistervm", rest @ ..] => on_machine(rest, |machine| {
            if machine.is_held()? {
                return refuse(&texts::locked("VBoxManage", &machine.name));
            }
            machine.remove()?;
            Ok(0)
        }),
        ["startvm", rest @ ..] => on_machine(rest, start),
        ["controlvm", vm, verb] => on_machine(&[*vm], |machine| control(&machine, verb)),
        _ => {
            eprint!("{}", texts::USAGE);
            Ok(2)
        }
    }
}

fn refuse(text: &str) -> Result<u8> {
    eprint!("{text}");
    Ok(1)
}

/// Runs a command on the machine that is the first word which is no option.
fn on_machine(words: &[&str], run: impl FnOnce(Machine) -> Result<u8>) -> Result<u8> {
    let Some(asked) = words.iter().find(|word| !word.starts_with('-')) else {
        return refuse("VBoxManage: error: VM name required\n");
    };
    match Registry::mine()?.find(asked)? {
        Some(machine) => run(machine),
        None => refuse(&texts::not_found(asked)),
    }
}

fn list(words: &[&str]) -> Result<u8> {
    let long = words.iter().any(|word| matches!(*word, "-l" | "--long"));
    let running = match words.iter().find(|word| !word.starts_with('-')) {
        Some(&"vms") => false,
        Some(&"runningvms") => true,
        // A stub's machine has no disks.
        Some(&"hdds") => return Ok(0),
        _ => {
            eprint!("{}", texts::USAGE);
            return Ok(2);
        }
    };
    for machine in Registry::mine()?.machines()?.iter().filter(|machine| !running || machine.state.is_live()) {
        if long {
            print!("{}", texts::for_people(machine));
        } else {
            println!("\"{}\" {{{}}}", machine.name, machine.uuid);
        }
    }
    Ok(0)
}

fn create(words: &[&str]) -> Result<u8> {
    let value = |option: &str| words.iter().position(|word| *word == option).and_then(|at| words.get(at + 1)).copied();
    let (Some(name), true) = (value("--name"), words.contains(&"--register")) else {
        eprint!("{}", texts::USAGE);
        return Ok(2);
    };
    let registry = Registry::mine()?;
    if registry.find(name)?.is_some() {
        return refuse(&format!("VBoxManage: error: Machine '{name}' is there already\n"));
    }
    let machine = registry.create(name, value("--uuid"))?;
    println!("Virtual machine '{name}' is created and registered.");
    println!("UUID: {}\nSettings file: '{}'", machine.uuid, machine.settings_file().display());
    Ok(0)
}

/// Starts VBoxHeadless and waits until the VM is up.
fn start(machine: Machine) -> Result<u8> {
    if machine.is_held()? {
        return refuse(&texts::locked("VBoxManage", &machine.name));
    }
    println!("Waiting for VM \"{}\" to power on...", machine.name);
    // It is this executable too.
    let own = env::current_exe().context("cannot tell where this program is")?;
    let mut child = Command::new(&own)
        .arg0(own.with_file_name("VBoxHeadless"))
        .args(["--comment", &machine.name, "--startvm", &machine.uuid, "--vrde", "config"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start VBoxHeadless")?;
    let up = until(|| Ok(machine.again()?.state == State::Running || child.try_wait()?.is_some()))?;
    if !up || child.try_wait()?.is_some() {
        let name = &machine.name;
        return refuse(&format!(
            "VBoxManage: error: The virtual machine '{name}' has terminated unexpectedly during startup\n"
        ));
    }
    println!("VM \"{}\" has been successfully started.", machine.name);
    Ok(0)
}

/// What VirtualBox refuses to do in a state, or what the order leads to.
fn expected(state: State, verb: &str) -> Result<State, String> {
    match (verb, state) {
        ("acpipowerbutton" | "acpisleepbutton" | "reset", State::Paused) => Err("Invalid machine state: Paused".into()),
        ("pause", State::Paused) => Err("Already paused".into()),
        ("resume", State::Running) => {
            Err("Cannot resume the machine as it is not paused (machine state: Running)".into())
        }
        ("savestate", _) => Ok(State::Saved),
        ("poweroff" | "acpipowerbutton", _) => Ok(State::PoweredOff),
        ("pause", _) => Ok(State::Paused),
        _ => Ok(State::Running),
    }
}

fn control(machine: &Machine, verb: &str) -> Result<u8> {
    let (true, Some(pid)) = (machine.state.is_live(), machine.pid) else {
        return refuse(&texts::not_running(&machine.name));
    };
    let known = ["pause", "resume", "reset", "poweroff", "savestate", "acpipowerbutton", "acpisleepbutton"];
    if !known.contains(&verb) {
        eprint!("{}", texts::USAGE);
        return Ok(2);
    }
    let expected = match expected(machine.state, verb) {
        Ok(expected) => expected,
        Err(refusal) => return refuse(&texts::invalid_state(&refusal)),
    };
    machine.order(verb)?;
    kill(Pid::from_raw(pid), headless::WAKE).context("the VM process cannot be woken")?;
    // A button is pressed, and that is all; of the others the call returns when they are done.
    let done = match verb {
        "acpipowerbutton" | "acpisleepbutton" => true,
        _ => until(|| Ok(!machine.has_order() && machine.again()?.state == expected))?,
    };
    if matches!(verb, "savestate" | "poweroff") {
        eprint!("{}", texts::PROGRESS);
    }
    if !done {
        return refuse(&format!("VBoxManage: error: the VM process of '{}' does not answer\n", machine.name));
    }
    Ok(0)
}

fn until(mut done: impl FnMut() -> Result<bool>) -> Result<bool> {
    for _ in 0..LOOKS {
        if done()? {
            return Ok(true);
        }
        sleep(LOOK_AGAIN);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_virtualbox_refuses_in_a_state_is_refused_in_its_words() {
        assert_eq!(expected(State::Paused, "acpipowerbutton"), Err("Invalid machine state: Paused".to_owned()));
        assert_eq!(expected(State::Paused, "pause"), Err("Already paused".to_owned()));
        assert!(expected(State::Running, "resume").unwrap_err().contains("not paused"));
    }

    #[test]
    fn every_order_leads_somewhere() {
        assert_eq!(expected(State::Paused, "savestate"), Ok(State::Saved));
        assert_eq!(expected(State::Running, "acpipowerbutton"), Ok(State::PoweredOff));
        assert_eq!(expected(State::Running, "pause"), Ok(State::Paused));
        assert_eq!(expected(State::Paused, "resume"), Ok(State::Running));
        assert_eq!(expected(State::Running, "acpisleepbutton"), Ok(State::Running));
    }
}
