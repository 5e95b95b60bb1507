//! `VBoxManage showvminfo`: not the mere question it looks like. It takes the session lock of a machine that is not
//! running, and asks the process of one that is.

use std::thread::sleep;

use super::{Call, Exit, accessible, render};
use crate::vbox::machine::{Hold, Holder, Launch, Verb};
use crate::vbox::orders;
use crate::vbox::process::Process;
use crate::vbox::texts;

/// What LockMachine finds.
enum Lock {
    Refused(String),
    /// The lock is ours, until we give it back.
    Ours,
    /// Somebody else's `showvminfo` has it and will take it away from under us.
    Shared,
    /// The VM process has it.
    Process(Process),
    /// The VM process is giving it back.
    Closing,
}

pub fn run(call: &mut Call, words: &[&str]) -> Exit {
    let (asked, machine_readable) = match parse(words) {
        Ok(parsed) => parsed,
        Err(Problem::Usage) => {
            call.out.push_str(texts::USAGE_SHOWVMINFO);
            return Ok(1);
        }
        // Here alone no blank line comes between the error and the usage.
        Err(Problem::Option(option)) => {
            call.err.push_str(&format!(
                "{}VBoxManage: error: Unknown option: {option}\n{}",
                texts::MANAGE_BANNER,
                texts::USAGE_SHOWVMINFO
            ));
            return Ok(2);
        }
        Err(Problem::Syntax(message)) => return Ok(call.syntax_error(&message, texts::USAGE_SHOWVMINFO, 2)),
    };
    let Some(connection) = call.connect()? else { return Ok(1) };
    let (me, server) = (Process::me(), connection.server);
    let lock = call.store.update(|registry| {
        let machine = match accessible(registry, asked, texts::FIND_SHOWVMINFO, texts::LOCK_SHOWVMINFO) {
            Ok(machine) => machine,
            Err(text) => return Lock::Refused(text),
        };
        match registry.hold(machine) {
            Some(Hold { by: Holder::Wedged { .. }, .. }) => {
                Lock::Refused(texts::bare_failure("VBoxManage", texts::LOCK_SHOWVMINFO))
            }
            Some(Hold { by: Holder::Client, .. }) => Lock::Shared,
            Some(Hold { by: Holder::Vm { closing: true, .. }, .. }) => Lock::Closing,
            Some(Hold { by: Holder::Vm { .. }, owner, .. }) => Lock::Process(*owner),
            None if machine.launch.as_ref().is_some_and(Launch::is_under_way) => {
                Lock::Refused(texts::locked("VBoxManage", &machine.spec.name, texts::LOCK_SHOWVMINFO))
            }
            None => {
                let uuid = machine.uuid.clone();
                let hold = Hold { owner: me, server, by: Holder::Client };
                registry.change(&uuid, |machine| machine.hold = Some(hold));
                Lock::Ours
            }
        }
    })?;
    let whole = match &lock {
        Lock::Refused(text) => return call.fail(text),
        Lock::Ours | Lock::Shared => {
            sleep(call.settings.showvminfo);
            matches!(lock, Lock::Ours)
        }
        Lock::Process(process) => orders::give(&call.store, *process, Verb::Ask, None)?.is_some(),
        Lock::Closing => false,
    };
    let text = call.store.update(|registry| {
        let machine = registry.find(asked)?;
        let text = match machine_readable {
            true => render::machine_readable(registry, machine),
            false => render::human(registry, machine, render::Console::Asked),
        };
        let uuid = machine.uuid.clone();
        registry.change(&uuid, |machine| {
            machine.hold.take_if(|hold| hold.owner == me);
        });
        Some(text)
    })?;
    call.out.push_str(&text.unwrap_or_default());
    if !whole {
        call.cut_off(texts::LINES_BEFORE_NOT_READY);
    }
    Ok(u8::from(!whole))
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Usage,
    Option(String),
    Syntax(String),
}

/// The machine asked for, and whether the output is for programs.
fn parse<'a>(words: &[&'a str]) -> Result<(&'a str, bool), Problem> {
    if words.is_empty() {
        return Err(Problem::Usage);
    }
    let (mut asked, mut machine_readable, mut options_end) = (None, false, false);
    for &word in words {
        match word {
            "--" if !options_end => options_end = true,
            "--machinereadable" if !options_end => machine_readable = true,
            "--details" | "-details" if !options_end => {}
            _ if word.starts_with('-') && !options_end => {
                return Err(Problem::Option(word.to_owned()));
            }
            _ if asked.is_some() => return Err(Problem::Syntax(format!("Invalid parameter '{word}'"))),
            _ => asked = Some(word),
        }
    }
    asked.map(|asked| (asked, machine_readable)).ok_or(Problem::Syntax("VM name or UUID required".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_stand_anywhere_before_two_dashes() {
        assert_eq!(parse(&["web", "--machinereadable"]), Ok(("web", true)));
        assert_eq!(parse(&["--details", "--machinereadable", "--", "-dash"]), Ok(("-dash", true)));
        let syntax = |text: &str| Err(Problem::Syntax(text.to_owned()));
        assert_eq!(parse(&["--", "-dash2", "--machinereadable"]), syntax("Invalid parameter '--machinereadable'"));
        assert_eq!(parse(&["-dashfirst", "--machinereadable"]), Err(Problem::Option("-dashfirst".to_owned())));
        assert_eq!(parse(&["--machinereadable", "--machinereadable"]), syntax("VM name or UUID required"));
        assert_eq!(parse(&[]), Err(Problem::Usage));
    }
}
