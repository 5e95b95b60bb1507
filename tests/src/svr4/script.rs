//! Runs the scripts of a package, and says what their exit statuses mean.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::unistd::{Group, User};

use super::parameters::Parameters;
use super::{ADMINISTRATION, FATAL, INTERACTION, Quit, USER_QUIT, error};
use crate::enclosure::enter::has_other_users;

const SHELL: &str = "/sbin/sh";
/// Users that scripts which may not change anything run as; the first that there is.
const ORDINARY: [&str; 3] = ["install", "nobody", "noaccess"];

/// What went on while a package was dealt with.
#[derive(Debug, Default)]
pub struct Marks {
    pub warned: bool,
    /// 10: after all packages, 20: at once.
    pub reboot: u8,
}

impl Marks {
    /// The exit status of an operation that came to its end.
    pub fn status(&self) -> u8 {
        self.reboot + if self.warned { 2 } else { 0 }
    }
}

/// Runs a script for root, or for an ordinary user. Its exit status; 99 when a signal ended it.
pub fn run(script: &Path, args: &[&str], environment: &Parameters, input: &str, privileged: bool) -> i32 {
    let mut command = Command::new(SHELL);
    command.arg(script).args(args).env_clear().envs(environment.iter()).current_dir("/").stdin(Stdio::piped());
    if has_other_users() {
        let user = ORDINARY.iter().find_map(|name| User::from_name(name).ok().flatten());
        match user.filter(|_| !privileged) {
            Some(user) => drop(command.uid(user.uid.as_raw()).gid(user.gid.as_raw())),
            None => {
                let other = Group::from_name("other").ok().flatten();
                other.map(|group| command.gid(group.gid.as_raw()));
            }
        }
    }
    let run = command.spawn().and_then(|mut child| {
        let mut pipe = child.stdin.take();
        // A script that does not read its input is no error.
        let _ = pipe.as_mut().map(|pipe| pipe.write_all(input.as_bytes()));
        drop(pipe);
        child.wait()
    });
    match run {
        Ok(status) => status.code().unwrap_or(99),
        Err(failed) => {
            error(format!("cannot run {}: {failed}", script.display()));
            99
        }
    }
}

/// What pkgadd makes of a script's exit status.
pub fn judge(what: &str, status: i32, marks: &mut Marks) -> Result<(), Quit> {
    match status {
        10 | 20 => marks.reboot = marks.reboot.max(if status == 10 { 10 } else { 20 }),
        _ => {}
    }
    let failed = |quit| {
        error(format!("{what} did not complete successfully"));
        Err(quit)
    };
    match status {
        0 | 10 | 20 => Ok(()),
        2 | 12 | 22 => {
            eprintln!("WARNING: {what} ended with a warning");
            marks.warned = true;
            Ok(())
        }
        3 => failed(USER_QUIT),
        4 => failed(ADMINISTRATION),
        5 => failed(INTERACTION),
        _ => failed(FATAL),
    }
}
