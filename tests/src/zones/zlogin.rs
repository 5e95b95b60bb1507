//! zlogin(1): a command, or a shell, in a running zone.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::{GLOBAL, find, name_of};
use crate::enclosure::{commands, enter};
use crate::smf::tool::Tool;

const USAGE: &str = "usage: zlogin [-nQES] [-e c] [-l username] zonename [command [args ...]]";

pub fn run(tool: &Tool, args: &[String]) -> u8 {
    let mut words = args.iter().map(String::as_str).peekable();
    let (mut user, mut no_input) = (None, false);
    while let Some(word) = words.next_if(|word| word.starts_with('-')) {
        match word {
            "-l" => user = words.next(),
            "-e" => drop(words.next()),
            "-n" => no_input = true,
            "-Q" | "-E" | "-S" => {}
            // -C and -d need a console, which no zone has here.
            _ => return tool.usage(USAGE),
        }
    }
    let Some(name) = words.next() else { return tool.usage(USAGE) };
    if name_of(tool.root) != GLOBAL {
        tool.complain("'zlogin' may only be used from the global zone");
        return 1;
    }
    let Some(zone) = find(tool.root, name) else {
        tool.complain(format!("zone '{name}' unknown"));
        return 1;
    };
    if !zone.is_running(tool.root) {
        tool.complain(format!("zone '{name}' is not running"));
        return 1;
    }
    // Joined by blanks, and taken apart again by the shell there.
    let joined = words.collect::<Vec<_>>().join(" ");
    if let Err(error) = enter(&zone.root(tool.root)) {
        tool.complain(error);
        return 1;
    }
    let mut command = Command::new("/bin/sh");
    if !joined.is_empty() {
        command.args(["-c", &joined]);
    }
    command.env_clear().envs(commands::environment());
    if no_input {
        command.stdin(Stdio::null());
    }
    if let Some(user) = user
        && let Err(error) = commands::become_user(&mut command, user)
    {
        tool.complain(error);
        return 1;
    }
    tool.complain(command.exec());
    1
}
