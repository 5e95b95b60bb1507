//! What the programs say of a VM that does not come up.

use super::session::Session;
use super::{err, out};
use crate::vbox::faults::PowerUp;
use crate::vbox::texts;

/// Prints what VBoxHeadless prints of a failed start; gives what `startvm` prints.
pub fn tell(session: &Session, how: &PowerUp, doing: &str) -> String {
    let component = ("ConsoleWrap", "IConsole");
    let state_file = session.state_file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    let (message, code, (component, interface)) = match how {
        PowerUp::MissingDisk => ("File not found. (VERR_FILE_NOT_FOUND)".to_owned(), texts::NS_FAILURE, component),
        PowerUp::UartPath(path) => (
            format!("NamedPipe#0 failed to bind to local socket {path} (VERR_FILE_NOT_FOUND)"),
            texts::NS_FAILURE,
            component,
        ),
        PowerUp::UartClient(path) => (
            format!("NamedPipe#0 failed to connect to local socket {path} (VERR_FILE_NOT_FOUND)"),
            texts::NS_FAILURE,
            component,
        ),
        PowerUp::TcpPortBusy => (
            "DrvTCP#0 failed to create server socket (VERR_NET_ADDRESS_IN_USE)".to_owned(),
            texts::NS_FAILURE,
            component,
        ),
        PowerUp::DiskInUse => (
            "Locking of attached media failed. A possible reason is that one of the media is attached to a \
             running VM"
                .to_owned(),
            texts::INVALID_OBJECT_STATE,
            ("SessionMachine", "IMachine"),
        ),
        PowerUp::MemoryMismatch => {
            ("Failed to load unit 'mm' (VERR_SSM_LOAD_MEMORY_SIZE_MISMATCH)".to_owned(), texts::NS_FAILURE, component)
        }
        PowerUp::SavedStateMissing | PowerUp::SavedStateBad => {
            let message = match how {
                PowerUp::SavedStateMissing => {
                    format!("VM failed to start because the saved state file '{state_file}' does not exist.")
                }
                _ => format!(
                    "VM failed to start because the saved state file '{state_file}' is invalid (VERR_EOF). Delete \
                     the saved state prior to starting the VM."
                ),
            };
            err(&texts::com_error(
                session.frontend.program(),
                &message,
                texts::FILE_ERROR,
                component.0,
                component.1,
                texts::POWER_UP_HEADLESS,
            ));
            return texts::task_error(
                "The VM session was closed before any attempt to power it on",
                texts::NS_FAILURE,
                "SessionMachine",
                "ISession",
            );
        }
        // These strike before the process gets here.
        PowerUp::NoDriver | PowerUp::ExitsAtOnce(_) => return String::new(),
    };
    let progress = match how {
        PowerUp::MemoryMismatch => texts::PROGRESS_FROM_10.strip_suffix("100%\n").unwrap_or_default(),
        _ => "",
    };
    let short_code = code.split(' ').next().unwrap_or(code);
    err(&format!("{doing} virtual machine: {progress}\nOperation failed: {short_code}\n"));
    out(&format!("Error: failed to start machine. Error message: {message}\n"));
    texts::task_error(&message, code, component, interface)
}
