//! `VBoxManage startvm`: has VBoxSVC start the VM process and waits until the VM is up or has failed.

use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::{Call, Exit, accessible};
use crate::vbox::faults;
use crate::vbox::machine::{Frontend, Hold, Holder, Launch, Outcome};
use crate::vbox::process::Process;
use crate::vbox::texts;

const TICK: Duration = Duration::from_millis(10);

pub fn run(call: &mut Call, words: &[&str]) -> Exit {
    if words.is_empty() {
        call.out.push_str(texts::USAGE_STARTVM);
        return Ok(1);
    }
    let (frontend, machines) = match parse(words) {
        Ok(parsed) => parsed,
        Err(message) => return Ok(call.syntax_error(&message, texts::USAGE_STARTVM, 2)),
    };
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let mut exit = 0;
    for asked in machines {
        if let Err(text) = start(call, asked, frontend)? {
            call.err.push_str(&text);
            exit = 1;
        }
    }
    Ok(exit)
}

fn start(call: &mut Call, asked: &str, frontend: &str) -> Result<Result<(), String>> {
    let frontend = match frontend {
        "headless" => Some(Frontend::Headless),
        "gui" => Some(Frontend::Gui),
        _ => None,
    }
    .ok_or_else(|| {
        let message = format!("Invalid frontend name: '{frontend}'");
        texts::com_error("VBoxManage", &message, texts::INVALID_ARG, "MachineWrap", "IMachine", texts::LAUNCH)
    });
    let by_fault = match call.store.read()?.find(asked) {
        Some(machine) => faults::is_locked(call.store.root(), &machine.uuid)?,
        None => false,
    };
    let root = call.store.root().to_owned();
    let launched = call.store.update(|registry| {
        let machine = accessible(registry, asked, texts::FIND_STARTVM, texts::LAUNCH)?;
        let frontend = frontend?;
        let name = machine.spec.name.clone();
        if let Some(Hold { by: Holder::Wedged { .. }, .. }) = registry.hold(machine) {
            return Err(texts::bare_failure("VBoxManage", texts::LAUNCH));
        }
        if by_fault || registry.is_locked(machine) {
            return Err(texts::locked_for_launch(&name));
        }
        if !crate::vbox::program(&root, frontend.program()).exists() {
            return Err(texts::could_not_launch(&name));
        }
        let uuid = machine.uuid.clone();
        let variable = |name| std::env::var(name).ok();
        registry.change(&uuid, |machine| {
            machine.launch = Some(Launch {
                frontend,
                by: Process::me(),
                display: variable("DISPLAY"),
                xauthority: variable("XAUTHORITY"),
                child: None,
                outcome: None,
            });
        });
        Ok((uuid, name))
    })?;
    let (uuid, name) = match launched {
        Ok(launched) => launched,
        Err(text) => return Ok(Err(text)),
    };
    call.out.push_str(&format!("Waiting for VM \"{name}\" to power on...\n"));
    let outcome = loop {
        let registry = call.store.read()?;
        match registry.machine(&uuid).and_then(|machine| machine.launch.as_ref()) {
            Some(Launch { outcome: None, .. }) if registry.live_server().is_some() => sleep(TICK),
            Some(Launch { outcome: Some(outcome), .. }) => break outcome.clone(),
            // VBoxSVC died, or a new one is in charge.
            _ => break Outcome::Failed(texts::no_server("VBoxManage")),
        }
    };
    call.store.update(|registry| {
        registry.change(&uuid, |machine| {
            machine.launch.take_if(|launch| launch.by == Process::me());
        });
    })?;
    Ok(match outcome {
        Outcome::Up => {
            call.out.push_str(&format!("VM \"{name}\" has been successfully started.\n"));
            Ok(())
        }
        Outcome::Failed(text) => Err(text),
    })
}

/// The frontend and the machines. Without `--type` it is the GUI.
fn parse<'a>(words: &[&'a str]) -> Result<(&'a str, Vec<&'a str>), String> {
    let (mut frontend, mut machines, mut options_end) = ("gui", Vec::new(), false);
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "--" if !options_end => options_end = true,
            "--type" | "-type" if !options_end => {
                frontend = words.next().ok_or("Missing argument to option --type")?;
            }
            "--putenv" | "-E" | "--password" | "--password-id" if !options_end => drop(words.next()),
            _ if word.starts_with('-') && !options_end => match word.strip_prefix("--type=") {
                Some(value) => frontend = value,
                None => return Err(format!("unknown option: {word}")),
            },
            _ => machines.push(word),
        }
    }
    Ok((frontend, machines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_may_stand_before_or_after_the_machine() {
        assert_eq!(parse(&["web", "--type", "headless"]), Ok(("headless", vec!["web"])));
        assert_eq!(parse(&["--type=headless", "--", "-dash"]), Ok(("headless", vec!["-dash"])));
        assert_eq!(parse(&["web"]), Ok(("gui", vec!["web"])));
        assert_eq!(parse(&["-dash2", "--type", "headless"]), Err("unknown option: -dash2".to_owned()));
    }
}
