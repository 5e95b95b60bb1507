//! Where the console is: from the VM's serial ports, or a path of the caller's, to the one socket to connect to.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::log::printable;
use crate::virtualbox::{Uart, UartMode};

/// What to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    Unix(PathBuf),
    /// The socket that VirtualBox makes for a serial port: only one of root or of this process's user is it.
    OfMachine(PathBuf),
    /// A port of 127.0.0.1.
    Tcp(u16),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Unix(path) | Endpoint::OfMachine(path) => f.write_str(&shown(path)),
            Endpoint::Tcp(port) => write!(f, "127.0.0.1:{port}"),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("VM {vm} has no serial port: switch it off and give it one by {cure}")]
    NoUart { vm: String, cure: String },
    #[error("VM {vm} has no serial port that listens ({found}): switch it off and make one listen by {cure}")]
    NoServer { vm: String, found: String, cure: String },
    #[error("VM {vm} has several serial ports that listen ({found}): say which one by -u N")]
    Several { vm: String, found: String },
    #[error("VM {vm} has no serial port {slot} (it has {found}): switch it off and give it one by {cure}")]
    NoSuchSlot { vm: String, slot: u8, found: String, cure: String },
    #[error("serial port {found} of VM {vm} does not listen: switch the VM off and make it listen by {cure}")]
    NotAServer { vm: String, found: String, cure: String },
}

/// The endpoint of the serial port in `slot`, or of the only one that listens.
pub fn of_machine(vm: &str, uarts: &[Uart], slot: Option<u8>) -> Result<Endpoint, EndpointError> {
    let name = || printable(vm);
    if let Some(slot) = slot {
        let cure = cure(vm, slot);
        return match uarts.iter().find(|u| u.slot == slot) {
            Some(uart) => server(uart).ok_or_else(|| EndpointError::NotAServer { vm: name(), found: one(uart), cure }),
            None if uarts.is_empty() => Err(EndpointError::NoUart { vm: name(), cure }),
            None => Err(EndpointError::NoSuchSlot { vm: name(), slot, found: list(uarts), cure }),
        };
    }
    let servers: Vec<&Uart> = uarts.iter().filter(|u| server(u).is_some()).collect();
    match (servers.as_slice(), uarts.first()) {
        ([only], _) => server(only).ok_or_else(|| no_server(vm, uarts, only.slot)),
        ([], None) => Err(EndpointError::NoUart { vm: name(), cure: cure(vm, 1) }),
        ([], Some(first)) => Err(no_server(vm, uarts, first.slot)),
        _ => Err(EndpointError::Several { vm: name(), found: list(servers) }),
    }
}

fn no_server(vm: &str, uarts: &[Uart], slot: u8) -> EndpointError {
    EndpointError::NoServer { vm: printable(vm), found: list(uarts), cure: cure(vm, slot) }
}

fn server(uart: &Uart) -> Option<Endpoint> {
    match &uart.mode {
        UartMode::Server(path) => Some(Endpoint::OfMachine(path.clone())),
        UartMode::TcpServer(port) => Some(Endpoint::Tcp(*port)),
        _ => None,
    }
}

fn list<'a>(uarts: impl IntoIterator<Item = &'a Uart>) -> String {
    uarts.into_iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A port as VirtualBox writes it, with its number.
fn one(uart: &Uart) -> String {
    let mode = match &uart.mode {
        UartMode::Server(path) => format!("server {}", shown(path)),
        UartMode::Client(path) => format!("client {}", shown(path)),
        UartMode::File(path) => format!("file {}", shown(path)),
        UartMode::TcpServer(port) => format!("tcpserver {port}"),
        UartMode::TcpClient(to) => format!("tcpclient {}", printable(to)),
        UartMode::Disconnected => "disconnected".to_string(),
        UartMode::Other(word) => printable(word),
    };
    format!("{}: {mode}", uart.slot)
}

/// The command that makes a serial port listen, with the address and interrupt that a PC has it at.
fn cure(vm: &str, slot: u8) -> String {
    let address = match slot {
        2 => "0x2F8 3",
        3 => "0x3E8 4",
        4 => "0x2E8 3",
        _ => "0x3F8 4",
    };
    let vm = printable(vm).replace('\'', "'\\''");
    format!("VBoxManage modifyvm '{vm}' --uart{slot} {address} --uart-mode{slot} server PATH")
}

fn shown(path: &Path) -> String {
    printable(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uart(slot: u8, mode: UartMode) -> Uart {
        Uart { slot, mode }
    }

    fn chosen(uarts: &[Uart], slot: Option<u8>) -> Result<Endpoint, String> {
        of_machine("web", uarts, slot).map_err(|e| e.to_string())
    }

    #[test]
    fn the_only_one_that_listens_is_found_among_others() {
        let uarts = [
            uart(1, UartMode::File("/log".into())),
            uart(2, UartMode::Server("/run/web".into())),
            uart(3, UartMode::Disconnected),
        ];
        assert_eq!(chosen(&uarts, None), Ok(Endpoint::OfMachine("/run/web".into())));
        assert_eq!(chosen(&[uart(1, UartMode::TcpServer(5555))], None), Ok(Endpoint::Tcp(5555)));
    }

    #[test]
    fn a_slot_tells_which_of_several() {
        let uarts = [uart(1, UartMode::Server("/a".into())), uart(2, UartMode::TcpServer(7))];
        assert_eq!(chosen(&uarts, Some(2)), Ok(Endpoint::Tcp(7)));
        let error = chosen(&uarts, None).unwrap_err();
        assert!(error.contains("1: server /a; 2: tcpserver 7") && error.contains("-u N"), "{error}");
    }

    #[test]
    fn a_vm_without_a_serial_port_is_an_error_that_gives_it_one() {
        let error = chosen(&[], None).unwrap_err();
        let cure = "VBoxManage modifyvm 'web' --uart1 0x3F8 4 --uart-mode1 server PATH";
        assert!(error.contains("no serial port") && error.contains(cure), "{error}");
        assert!(chosen(&[], Some(2)).unwrap_err().contains("--uart2 0x2F8 3 --uart-mode2"));
    }

    #[test]
    fn ports_that_do_not_listen_are_named_as_they_are() {
        let uarts = [uart(2, UartMode::Client("/c".into())), uart(4, UartMode::Other("/dev/term/a".into()))];
        let error = chosen(&uarts, None).unwrap_err();
        assert!(error.contains("2: client /c; 4: /dev/term/a") && error.contains("--uart-mode2 server"), "{error}");
        let error = chosen(&uarts, Some(4)).unwrap_err();
        assert!(error.contains("4: /dev/term/a") && error.contains("--uart4 0x2E8 3"), "{error}");
        let error = chosen(&uarts, Some(3)).unwrap_err();
        assert!(error.contains("no serial port 3") && error.contains("2: client /c"), "{error}");
    }

    #[test]
    fn hostile_names_and_paths_move_no_cursor() {
        let uarts = [uart(1, UartMode::Client("/c\u{1b}[2J\n".into()))];
        let error = of_machine("it's\r", &uarts, None).unwrap_err().to_string();
        assert!(!error.contains(|c: char| c.is_control()), "{error:?}");
        assert!(error.contains("'it'\\''s\\r'"), "{error}");
        assert!(!Endpoint::Unix("/a\nb".into()).to_string().contains('\n'));
    }
}
