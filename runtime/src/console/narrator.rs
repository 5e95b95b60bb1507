//! What is said beside the console itself, on standard error: lines of the log, or, on a terminal in raw mode, short
//! lines that begin and end where lines do.

use std::fs::File;
use std::io::Write;

use crate::log::{Log, printable};

pub enum Narrator {
    Log(Log),
    /// A terminal in raw mode, and whose console it shows.
    Screen {
        screen: File,
        subject: String,
    },
}

impl Narrator {
    /// Says one thing. `mid_line`: the console's output has left the cursor behind something.
    pub fn say(&mut self, text: &str, mid_line: bool) {
        match self {
            Narrator::Log(log) => log.info(text),
            Narrator::Screen { screen, subject } => {
                let fresh = if mid_line { "\r\n" } else { "" };
                let line = format!("{fresh}[{}: {}]\r\n", printable(subject), printable(text));
                // A terminal that hangs must not keep us, and a remark that nobody can see is not missed.
                let _ = screen.write_all(line.as_bytes());
            }
        }
    }
}
