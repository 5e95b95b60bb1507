//! What a reader of packages has to say about one: findings, each with a stable id, a level and a place.

use std::fmt;

use serde::Serialize;

use crate::shown::is_hostile;

/// A hostile package can have a defect in every line; more than this many tell nothing new.
const MOST: usize = 1000;
/// The longest text shown of what a package holds.
const LONGEST: usize = 300;

/// How much a finding matters; each format's reader says what exactly its errors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It installs; a careful administrator would rather not.
    Warning,
    /// It is refused, or what is installed is not what the package says.
    Error,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable name for the kind of defect.
    pub id: &'static str,
    pub level: Level,
    /// Where: `header line 2`, `archive 1`, an archive member. Printable whatever the package holds.
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

/// Collects findings, up to a limit.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    pub fn error(&mut self, id: &'static str, place: impl fmt::Display, message: impl Into<String>) {
        self.add(id, Level::Error, place, message);
    }

    pub fn warning(&mut self, id: &'static str, place: impl fmt::Display, message: impl Into<String>) {
        self.add(id, Level::Warning, place, message);
    }

    pub fn add(&mut self, id: &'static str, level: Level, place: impl fmt::Display, message: impl Into<String>) {
        let place = printable(&place.to_string());
        let finding = match self.0.len() {
            MOST.. => return,
            // The last place says that there is more, as an error: what was left out may be one.
            length if length + 1 == MOST => Finding {
                id: "too-many-findings",
                level: Level::Error,
                place,
                message: "there are more findings than these".into(),
            },
            _ => Finding { id, level, place, message: printable(&message.into()) },
        };
        self.0.push(finding);
    }

    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }
}

/// Keeps hostile characters of a foreign text from a terminal, and the text to a bearable length.
fn printable(text: &str) -> String {
    let mut shown = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == LONGEST {
            shown.push_str("...");
            break;
        }
        if is_hostile(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_limited_and_the_last_one_says_so() {
        let mut findings = Findings::default();
        for _ in 0..2000 {
            findings.warning("file-extra", "somewhere", "again");
        }
        let findings = findings.into_vec();
        assert_eq!(findings.len(), MOST);
        assert_eq!((findings[MOST - 1].id, findings[MOST - 1].level), ("too-many-findings", Level::Error));
    }

    #[test]
    fn a_finding_reads_as_one_printable_line() {
        let mut findings = Findings::default();
        findings.error("header-cut", "x\u{1b}[2J", "\u{7}".repeat(1000));
        let shown = findings.into_vec()[0].to_string();
        assert!(shown.starts_with("error: x\\u{1b}[2J: ") && shown.ends_with("... [header-cut]"), "{shown}");
        assert!(!shown.contains(char::is_control));
    }
}
