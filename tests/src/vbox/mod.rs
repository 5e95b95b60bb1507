//! To be written.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

pub const NAMES: &[&str] = &[];

pub fn main(_name: &str, _root: &Path, _args: &[OsString]) -> ExitCode {
    ExitCode::FAILURE
}
