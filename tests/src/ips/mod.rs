//! A stand-in of `pkg`(1), for package archives: install, update, uninstall, verify, fix, list, info, contents, and the
//! publishers. It is not pkg.
//!
//! What it accepts, refuses and says was written after trials of three builds of the real one; what has to do with SMF
//! follows pkg's published source. `README.md` tells what is not simulated. The
//! parts: `archive` and `judge` (what is in an archive and what is wrong with it), `solve` and `plan` (which packages, and
//! what that means for each file), `preserve` (edited files), `actuators` (SMF), `execute` (the work), `image` (what is
//! known of a root).

mod actuators;
mod archive;
mod base;
mod command;
mod digest;
mod execute;
mod image;
mod judge;
mod listing;
mod operation;
mod package;
mod pattern;
mod plan;
mod preserve;
mod refused;
mod solve;
mod variants;
mod verify;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

pub use digest::Algorithm;

pub const NAMES: &[&str] = &["pkg"];

/// Runs as `pkg` on the host at `root`.
pub fn main(_name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let (said, failure) = command::run(root, args);
    // Nobody is left to hear about a closed output.
    let _ = io::stdout().write_all(said.as_bytes());
    let Some(failure) = failure else { return ExitCode::SUCCESS };
    if failure.is_nothing_to_do() {
        let _ = writeln!(io::stdout(), "{failure}");
    } else {
        let subcommand = command::subcommand(args).map(|word| format!(" {word}")).unwrap_or_default();
        let _ = writeln!(io::stderr(), "pkg{subcommand}: {failure}");
    }
    ExitCode::from(failure.code)
}
