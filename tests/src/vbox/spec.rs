//! What a test asks of a simulated machine: its configuration, its guest and how long things take.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A machine to create. `Spec::named("web")` is a good one; change what matters to the test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    pub name: String,
    /// Made up when unset.
    pub uuid: Option<String>,
    /// User id that the machine belongs to; the calling user's when unset. Only root can give machines to others.
    pub owner: Option<u32>,
    pub guest: Guest,
    pub times: Times,
    /// In megabytes.
    pub memory: u32,
    /// Where VirtualBox says the machine's files are; a directory below ROOT when unset. Nothing is created in a
    /// directory given here.
    pub folder: Option<PathBuf>,
    pub media: Vec<Medium>,
    /// VirtualBox's words for the serial ports in order: `server,PATH`, `client,PATH`, `file,PATH`, `tcpserver,PORT`
    /// or `disconnected`. A server is really there while the machine runs.
    pub uarts: Vec<String>,
    pub description: String,
    pub snapshots: Vec<Snapshot>,
}

impl Spec {
    /// A machine with an obedient guest, no disks and no serial port.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            uuid: None,
            owner: None,
            guest: Guest::Obeys,
            times: Times::default(),
            memory: 1024,
            folder: None,
            media: Vec::new(),
            uarts: Vec::new(),
            description: String::new(),
            snapshots: Vec::new(),
        }
    }
}

/// How the guest takes the ACPI power button.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Guest {
    /// Shuts down after `Times::shutdown`.
    Obeys,
    /// Does nothing, as a guest without ACPI does.
    Deaf,
}

/// How long a machine takes for things. Far less than real ones, so that tests are quick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    pub start: Duration,
    pub restore: Duration,
    pub save: Duration,
    /// From the power button to the end of the guest.
    pub shutdown: Duration,
    pub power_off: Duration,
    /// From the last state word to the end of the process.
    pub exit: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            start: Duration::from_millis(60),
            restore: Duration::from_millis(60),
            save: Duration::from_millis(60),
            shutdown: Duration::from_millis(100),
            power_off: Duration::from_millis(20),
            exit: Duration::from_millis(40),
        }
    }
}

/// A medium attached to a storage controller; controllers exist because something is attached to them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Medium {
    /// The controller's name, from which its type is guessed: `SATA`, `IDE Controller`, `SCSI`, `NVMe`, `Floppy` …
    pub controller: String,
    pub port: u32,
    pub device: u32,
    /// No path: a drive without a disk in it.
    pub path: Option<PathBuf>,
}

impl Medium {
    pub fn new(controller: &str, port: u32, device: u32, path: impl Into<PathBuf>) -> Self {
        Self { controller: controller.to_owned(), port, device, path: Some(path.into()) }
    }

    pub fn empty_drive(controller: &str, port: u32, device: u32) -> Self {
        Self { controller: controller.to_owned(), port, device, path: None }
    }
}

/// A snapshot that VirtualBox lists; each is the child of the one before, the last is current.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub name: String,
    pub uuid: String,
    pub description: String,
}
