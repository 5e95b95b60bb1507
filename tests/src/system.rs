//! The few programs beside SMF's that packages and tests ask of an illumos: init and its kin, and isainfo.

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::smf::startd::daemon::{HALT, REBOOT, RESET, SHUTDOWN};
use crate::smf::tool::{Tool, wake};

pub const NAMES: &[&str] = &["init", "reboot", "halt", "poweroff", "isainfo"];

pub fn main(name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let mut tool = Tool::new(name, root);
    let status = match name {
        "isainfo" => isainfo(&mut tool, &args),
        "init" => match args.first().map(String::as_str) {
            Some("0" | "5") => order(&tool, SHUTDOWN),
            Some("6") => order(&tool, REBOOT),
            _ => tool.usage("usage: init 0|5|6 (simulated: other levels are not)"),
        },
        // These ask no service to stop.
        "reboot" => order(&tool, RESET),
        _ => order(&tool, HALT),
    };
    tool.flush();
    ExitCode::from(status)
}

fn isainfo(tool: &mut Tool, args: &[String]) -> u8 {
    match args.first().map(String::as_str) {
        Some("-b") => tool.print("64"),
        Some("-n" | "-k") => tool.print("amd64"),
        None => tool.print("amd64 i386"),
        Some(_) => return tool.usage("usage: isainfo [-b | -n | -k]"),
    }
    0
}

fn order(tool: &Tool, what: &str) -> u8 {
    if wake(tool.root, what) {
        return 0;
    }
    tool.complain("svc.startd does not run here");
    1
}
