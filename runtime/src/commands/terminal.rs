//! A terminal for a command that a desktop started without one, so that its messages are seen.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::log::printable;
use crate::tools::Tools;

/// Whether somebody may be reading along.
pub fn is_there() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal()
}

/// Becomes an xterm that runs this program with these arguments. Returns where that cannot be, and the command then
/// does without.
pub fn become_xterm(tools: &Tools, title: &str, args: &[OsString]) {
    if env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        return;
    }
    let (Ok(xterm), Ok(own)) = (tools.find("xterm"), env::current_exe()) else { return };
    let title = printable(title);
    let words = [OsStr::new("-T"), OsStr::new(&title), OsStr::new("-e"), own.as_os_str()];
    let error = Command::new(&xterm).args(words).args(args).exec();
    // Nobody reads this where no terminal is, but a desktop may keep it in its log.
    let _ = writeln!(io::stderr(), "cannot run {}: {error}", xterm.display());
}

/// Keeps the terminal open until its reader has seen why the command failed.
pub fn hold_open() {
    let _ = writeln!(io::stderr(), "Press Enter to close this window.");
    let _ = io::stdin().read_line(&mut String::new());
}
