//! Runs the stand-in that the program was called as: `ROOT/bin/NAME` is a link to it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let called = PathBuf::from(args.next().unwrap_or_default());
    let args: Vec<OsString> = args.collect();
    let name = called.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let root = called.parent().and_then(Path::parent).unwrap_or(Path::new("/"));
    simhost::vbox::main(&name, root, &args)
}
