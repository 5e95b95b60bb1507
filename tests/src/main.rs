//! The one executable behind every stand-in: what it is called as says which one it is.

use std::process::ExitCode;

fn main() -> ExitCode {
    simhost::invocation::main(std::env::args_os().collect())
}
