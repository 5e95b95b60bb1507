//! What the reader has to say about an archive.

use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// pkg takes it; pkglint, or an administrator, would rather not.
    Warning,
    /// pkg refuses it, or what it installs is not what the manifest says.
    Error,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable name of the rule.
    pub id: &'static str,
    pub level: Level,
    /// Where: an archive member, with the line for a manifest. Printable whatever the archive holds.
    pub place: String,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "warning",
            Level::Error => "error",
        };
        write!(f, "{level}: {}: {} [{}]", self.place, self.message, self.id)
    }
}

/// Past this many the archive is hopeless and more would only cost memory.
const MOST: usize = 1000;

#[derive(Debug, Default)]
pub(super) struct Findings {
    all: Vec<Finding>,
}

impl Findings {
    pub fn error(&mut self, id: &'static str, place: &str, message: impl Into<String>) {
        self.add(id, Level::Error, place, message.into());
    }

    pub fn warning(&mut self, id: &'static str, place: &str, message: impl Into<String>) {
        self.add(id, Level::Warning, place, message.into());
    }

    pub fn into_vec(self) -> Vec<Finding> {
        self.all
    }

    fn add(&mut self, id: &'static str, level: Level, place: &str, message: String) {
        if self.all.len() < MOST {
            self.all.push(Finding { id, level, place: printable(place), message: printable(&message) });
        } else if self.all.len() == MOST {
            let message = format!("more than {MOST} findings, the rest is left out");
            self.all.push(Finding { id: "too-many", level: Level::Error, place: "archive".to_owned(), message });
        }
    }
}

/// Keeps control characters of a foreign text from a terminal, and the text to a bearable length.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == 300 {
            shown.push_str("...");
            break;
        }
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_printable_and_bounded() {
        let mut findings = Findings::default();
        findings.error("a", "x\u{1b}[2J", "\u{7}".repeat(1000));
        for _ in 0..2000 {
            findings.warning("b", "p", "m");
        }
        let all = findings.into_vec();
        assert_eq!(all.len(), MOST + 1);
        assert_eq!(all[0].place, "x\\u{1b}[2J");
        assert!(!all[0].message.contains('\u{7}') && all[0].message.ends_with("..."));
        assert_eq!(all[MOST].id, "too-many");
    }
}
