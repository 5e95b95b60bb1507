use std::path::Path;
use std::process::ExitCode;

use xtask::payload::link;

fn main() -> ExitCode {
    // rustc calls this executable under another name to link for illumos.
    if std::env::args_os().next().is_some_and(|name| link::is_linker_name(Path::new(&name))) {
        return link::main(std::env::args_os());
    }
    ExitCode::SUCCESS
}
