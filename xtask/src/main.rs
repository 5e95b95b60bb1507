//! `cargo xtask`: everything is in the library.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use xtask::flags::{Flags, workspace};
use xtask::payload::link;

fn main() -> ExitCode {
    // rustc calls this executable under another name to link for illumos.
    if std::env::args_os().next().is_some_and(|name| link::is_linker_name(Path::new(&name))) {
        return link::main(std::env::args_os());
    }
    match xtask::tasks::run(&Flags::parse().command, &workspace()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
