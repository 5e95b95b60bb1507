//! su(8), by root and without passwords: a shell of another user, or `-c` and a line for it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::geteuid;

use super::database;
use crate::enclosure::commands;
use crate::smf::tool::Tool;

const USAGE: &str = "usage: su [-] user [-c command] (simulated: root only, no other arguments)";

pub fn run(tool: &Tool, args: &[String]) -> u8 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let (login, words) = match words.as_slice() {
        ["-", rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let (user, line) = match words {
        [user] => (user, None),
        [user, "-c", line] => (user, Some(line)),
        _ => return tool.usage(USAGE),
    };
    let passwd = fs::read_to_string(tool.root.join("etc/passwd")).unwrap_or_default();
    let Some(account) = database::find(&passwd, user) else {
        tool.complain(format!("Unknown id: {user}"));
        return 1;
    };
    if !geteuid().is_root() {
        tool.complain("Sorry");
        return 1;
    }
    let shell = if account.shell.is_empty() { "/bin/sh" } else { &account.shell };
    let mut command = Command::new(shell);
    // Both ways the rest of the environment is as for zlogin: nobody logs in on a simulated host.
    command.env_clear().envs(commands::environment());
    if login {
        command.arg0(format!("-{}", shell.rsplit('/').next().unwrap_or(shell))).current_dir(&account.home);
    }
    if let Some(line) = line {
        command.args(["-c", line]);
    }
    if let Err(error) = commands::become_user(&mut command, user) {
        tool.complain(format!("{error:#}"));
        return 1;
    }
    let error = command.exec();
    tool.complain(format!("cannot run {shell}: {error}"));
    1
}
