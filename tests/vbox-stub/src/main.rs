//! A stub of VirtualBox's programs for the trial packages: a host without VirtualBox can then try vboxsvc. Not
//! VirtualBox: no guest runs here.
//!
//! One executable, called `VBoxManage` or `VBoxHeadless`. It answers what vboxsvc asks, in VirtualBox 7.2's words, and
//! runs a VM as a process that dies, saves and powers off as the real one does. Unlike the simulated VirtualBox of the
//! tests it has no faults, no races and no VBoxSVC, keeps its machines in the user's home, and runs on illumos as well.

mod headless;
mod machine;
mod manage;
mod texts;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

fn main() -> ExitCode {
    let mut words = std::env::args();
    let called = words.next().unwrap_or_default();
    let name = Path::new(&called).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let words: Vec<String> = words.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran: Result<u8> = match name {
        "VBoxManage" => manage::run(&words),
        "VBoxHeadless" => headless::run(&words),
        _ => Err(anyhow::anyhow!("this is a stub of VBoxManage and VBoxHeadless: call it by one of these names")),
    };
    ran.map_or_else(
        |error| {
            eprintln!("{name} stub: {error:#}");
            // Like no exit code of VirtualBox's, so that nobody takes a defect of the stub for an answer.
            ExitCode::from(70)
        },
        ExitCode::from,
    )
}
