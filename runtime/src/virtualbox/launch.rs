//! What a front end that ended has to say for itself.
//!
//! VBoxHeadless exits 0 even when powering up failed, so its words are read for the log and for whether to try again.

use std::time::Duration;

use super::AskError;
use super::error::complaint;
use crate::exec::{Ended, Output};

/// Why the launch came to nothing. `output` is both streams together.
pub fn failure(program: &str, ended: Ended, output: &str) -> AskError {
    let call = program;
    let said = Output { ended, stdout: Vec::new(), stderr: output.as_bytes().to_vec() };
    complaint(call, None, Duration::ZERO, &said).unwrap_or_else(|| AskError::Other {
        call: call.to_string(),
        status: 0,
        text: failed_power_up(output).unwrap_or("it ended at once, without a word of explanation").to_string(),
    })
}

/// Whether it ended because VirtualBox's server did, with which the VM's state is lost. It exits 0 then.
pub fn lost_its_server(output: &str) -> bool {
    output.lines().any(|line| line.starts_with("VBoxSVC became unavailable"))
}

/// The line with which VBoxHeadless tells that it could not power up the VM, exiting 0 all the same.
fn failed_power_up(output: &str) -> Option<&str> {
    let error = |line: &&str| line.starts_with("Error:") || line.contains(" error: ");
    output.lines().map(str::trim).find(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANNER: &str = "Oracle VirtualBox Headless Interface 7.2\nCopyright (C) 2008-2026 Oracle\n\n";

    fn told(ended: Ended, words: &str) -> AskError {
        failure("VBoxHeadless", ended, &format!("{BANNER}{words}"))
    }

    #[test]
    fn a_locked_session_is_told_by_its_error_code() {
        let words = "VBoxHeadless: error: The machine 'v1' is already locked for a session (or being unlocked)\n\
                     VBoxHeadless: error: Details: code VBOX_E_INVALID_OBJECT_STATE (0x80bb0007), component MachineWrap, \
                     interface IMachine, callee nsISupports\n";
        assert!(matches!(told(Ended::Exited(1), words), AskError::Locked { .. }));
    }

    #[test]
    fn a_wedged_session_is_not_taken_for_a_failed_power_up() {
        let wedged = "VBoxHeadless: error: Code NS_ERROR_FAILURE (0x80004005) - Operation failed (extended info not \
                      available)\nVBoxHeadless: error: Context: \"LockMachine(session, LockType_VM)\" at line 1286\n";
        assert!(matches!(told(Ended::Exited(1), wedged), AskError::Wedged { .. }));
    }

    #[test]
    fn a_failed_power_up_is_told_in_virtualboxs_words_though_it_exits_0() {
        let words =
            "Error: failed to start machine. Error message: File not found.\nOperation failed: NS_ERROR_FAILURE\n";
        let error = told(Ended::Exited(0), words);
        assert!(error.to_string().contains("File not found"), "{error}");
    }

    #[test]
    fn banner_and_progress_explain_nothing() {
        let error = told(Ended::Exited(0), "Starting virtual machine: 10%...100%\n");
        assert!(error.to_string().contains("without a word"), "{error}");
    }
}
