//! The log: one line an event, UTC time in ISO 8601, level, instance, message.
//!
//! Under SMF standard error is the service's log file; by hand it is the terminal.

use std::fmt::Display;
use std::io::Write;
use std::time::SystemTime;

use crate::monitor::step::Level;

/// Writes lines for one instance.
#[derive(Debug, Clone)]
pub struct Log {
    subject: String,
    debug: bool,
}

impl Log {
    pub fn new(subject: impl Into<String>, debug: bool) -> Self {
        Log { subject: printable(&subject.into()), debug }
    }

    pub fn set_debug(&mut self, debug: bool) {
        self.debug = debug;
    }

    pub fn line(&self, level: Level, message: impl Display) {
        if level == Level::Debug && !self.debug {
            return;
        }
        let word = match level {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let line = format!("{time} {word} {}: {}\n", self.subject, printable(&message.to_string()));
        // One write a line, so that lines of several processes do not mix; a full disk must not stop a VM's supervisor.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }

    pub fn debug(&self, message: impl Display) {
        self.line(Level::Debug, message);
    }

    pub fn info(&self, message: impl Display) {
        self.line(Level::Info, message);
    }

    pub fn warn(&self, message: impl Display) {
        self.line(Level::Warning, message);
    }

    pub fn error(&self, message: impl Display) {
        self.line(Level::Error, message);
    }
}

/// Whether a character does something else than show itself: controls, and the invisible ones that join, reorder or
/// break lines (the classic way to make `gpj.exe` look like `exe.jpg`).
pub fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text made fit for one line of a log or terminal: names come from VirtualBox and may hold anything.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hostile(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// A value as JSON for people and programs. What a terminal would obey is escaped also where JSON itself lets it pass.
pub fn json(value: &impl serde::Serialize) -> serde_json::Result<String> {
    Ok(json_escaped(&serde_json::to_string_pretty(value)?))
}

/// JSON in which no character is hostile: those can only stand within strings, where JSON has an escape for each.
fn json_escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !is_hostile(c) {
            out.push(c);
            continue;
        }
        let mut units = [0; 2];
        out.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_says_the_same_and_moves_no_cursor() {
        let value = "a\u{9b}2J\u{202e}b\u{7f}\u{e0041}c\nü";
        let written = json(&[value]).unwrap();
        assert!(!written.replace('\n', "").contains(is_hostile), "{written}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&written).unwrap(), [value]);
    }

    #[test]
    fn a_line_stays_one_line_and_moves_no_cursor() {
        assert_eq!(printable("a\nb\u{1b}[2Jc ü"), "a\\nb\\u{1b}[2Jc ü");
        assert_eq!(printable("a\u{2028}b\u{202e}c"), "a\\u{2028}b\\u{202e}c");
        assert_eq!(printable("a\u{200b}\u{feff}\u{9b}"), "a\\u{200b}\\u{feff}\\u{9b}");
    }
}
