//! Users of an enclosed host and what they may: useradd, usermod, userdel, passwd and su, as far as tests need them.
//!
//! Strict: an option that is not simulated is refused. Passwords, ageing, roles, projects and login classes are not.

mod accounts;
mod database;
mod su;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use crate::smf::tool::Tool;

pub const NAMES: &[&str] = &["useradd", "usermod", "userdel", "passwd", "su"];

pub fn main(name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let mut tool = Tool::new(name, root);
    let status = match name {
        "useradd" => accounts::add(&tool, &args),
        "usermod" => accounts::modify(&tool, &args),
        "userdel" => accounts::delete(&tool, &args),
        "passwd" => accounts::password(&mut tool, &args),
        _ => su::run(&tool, &args),
    };
    tool.flush();
    ExitCode::from(status)
}
