//! Stand-ins of VirtualBox 7.2's programs for a simulated host. Not VirtualBox: no guest runs here.
//!
//! They imitate what callers see of the real ones: words, error texts and exit codes, locks and their races, lifetimes
//! and signals of the processes, and the ways in which all of this goes wrong. State lives in `ROOT/vbox`, one registry
//! per user; nothing in the environment can lead elsewhere. Tests steer them through [`Control`].

mod control;
mod events;
mod faults;
mod locale;
mod machine;
mod manage;
mod orders;
mod process;
mod server;
mod settings;
mod spec;
mod store;
mod texts;
mod vm;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub use control::Control;
pub use events::{Event, Reader as EventReader, What};
pub use faults::{Effect, Fault, PowerUp};
pub use settings::Settings;
pub use spec::{Guest, Medium, Snapshot, Spec, Times};

/// The programs there are stand-ins of.
pub const NAMES: &[&str] = &["VBoxManage", "VBoxHeadless", "VirtualBoxVM", "VBoxSVC"];

/// Where an enclosed host has them, as a package of VirtualBox puts them.
pub const FOLDER: &str = "opt/VirtualBox";

/// The program of the host, which may be missing.
fn program(root: &Path, name: &str) -> PathBuf {
    let here = root.join("bin").join(name);
    if here.exists() { here } else { root.join(FOLDER).join(name) }
}

/// Runs the program `name` of the host at `root`.
pub fn main(name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let ran = match name {
        "VBoxManage" => manage::main(root, args),
        "VBoxHeadless" => vm::headless(root, args),
        "VirtualBoxVM" => vm::gui(root, args),
        "VBoxSVC" => server::main(root, args),
        _ => Err(anyhow::anyhow!("there is no stand-in of this program; there are {}", NAMES.join(", "))),
    };
    ran.unwrap_or_else(|error| {
        eprintln!("simulated {name}: {error:#}");
        // Like no exit code of VirtualBox's, so that nobody takes a defect of the stand-in for an answer.
        ExitCode::from(70)
    })
}
