//! The program `vboxsvc`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    vboxsvc::cli::main(std::env::args_os())
}
