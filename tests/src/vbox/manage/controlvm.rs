//! `VBoxManage controlvm`: passes a verb to the VM process and waits for its answer, for ever if the process hangs.

use super::{Call, Exit, accessible};
use crate::vbox::machine::{Answer, Hold, Holder, Verb};
use crate::vbox::orders;
use crate::vbox::texts;

pub fn run(call: &mut Call, words: &[&str]) -> Exit {
    let (asked, verb) = match words {
        [] => {
            call.out.push_str(texts::USAGE_CONTROLVM);
            return Ok(1);
        }
        [asked, verb, ..] => (*asked, *verb),
        [asked] => (*asked, ""),
    };
    let Some(_connection) = call.connect()? else { return Ok(1) };
    let registry = call.store.read()?;
    let machine = match accessible(&registry, asked, texts::FIND_CONTROLVM, texts::LOCK_CONTROLVM) {
        Ok(machine) => machine,
        Err(text) => return call.fail(&text),
    };
    let name = machine.spec.name.as_str();
    let process = match registry.hold(machine) {
        Some(Hold { by: Holder::Wedged { .. }, .. }) => {
            return call.fail(&texts::bare_failure("VBoxManage", texts::LOCK_CONTROLVM));
        }
        // Odd, but so it is: a VM that is being saved already does not run, for this verb alone.
        Some(Hold { by: Holder::Vm { closing: false, word, .. }, owner, .. })
            if (verb, word.as_str()) != ("savestate", "saving") =>
        {
            *owner
        }
        // The verb, even a wrong one, is not looked at.
        _ => return call.fail(&texts::not_running(name)),
    };
    let Some((order, context)) = order(verb) else {
        if matches!(verb, "shutdown" | "reboot") {
            return call.fail(&texts::com_error(
                "VBoxManage",
                "Could not create guest session: VERR_NOT_FOUND",
                texts::IPRT_ERROR,
                "GuestWrap",
                "IGuest",
                "\"Shutdown(ComSafeArrayAsInParam(aShutdownFlags))\" at line 694 of file VBoxManageControlVM.cpp",
            ));
        }
        return Ok(call.syntax_error(&format!("Invalid parameter '{verb}'."), texts::USAGE_CONTROLVM, 1));
    };
    match orders::give(&call.store, process, order, None)? {
        Some(Answer::Done) => {
            if matches!(order, Verb::PowerOff | Verb::Save) {
                call.err.push_str(texts::PROGRESS);
            }
            Ok(0)
        }
        Some(Answer::Refused(message)) => call.fail(&texts::com_error(
            "VBoxManage",
            &message,
            texts::INVALID_VM_STATE,
            "ConsoleWrap",
            "IConsole",
            context,
        )),
        Some(Answer::RefusedPlainly(message)) => call.fail(&format!("VBoxManage: error: {message}\n")),
        // Not recorded: the process died under the call.
        None => call.fail(&format!(
            "VBoxManage: error: Code NS_ERROR_CALL_FAILED (0x800706be) - Call to remote object failed\n\
             VBoxManage: error: Context: {context}\n"
        )),
    }
}

/// The order that a verb stands for, and the COM call it is. Those of savestate and acpisleepbutton are not recorded.
fn order(verb: &str) -> Option<(Verb, &'static str)> {
    Some(match verb {
        "pause" => (Verb::Pause, "\"Pause()\" at line 388 of file VBoxManageControlVM.cpp"),
        "resume" => (Verb::Resume, "\"Resume()\" at line 393 of file VBoxManageControlVM.cpp"),
        "reset" => (Verb::Reset, "\"Reset()\" at line 398 of file VBoxManageControlVM.cpp"),
        "poweroff" => {
            (Verb::PowerOff, "\"PowerDown(progress.asOutParam())\" at line 602 of file VBoxManageControlVM.cpp")
        }
        "savestate" => (Verb::Save, "\"SaveState(progress.asOutParam())\" at line 630 of file VBoxManageControlVM.cpp"),
        "acpipowerbutton" => (Verb::PowerButton, "\"PowerButton()\" at line 658 of file VBoxManageControlVM.cpp"),
        "acpisleepbutton" => (Verb::SleepButton, "\"SleepButton()\" at line 664 of file VBoxManageControlVM.cpp"),
        _ => return None,
    })
}
