//! What a reader has to say about a stream.

use std::fmt;

/// A hostile stream can have a defect per line; more than this many tell nothing new.
const MAX_FINDINGS: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Warning,
    Error,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A stable name for the kind of defect.
    pub id: &'static str,
    pub level: Level,
    /// Where: `header line 2`, `ABCexample pkgmap line 7`, `archive 1`.
    pub place: String,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
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
        let finding = match self.0.len() {
            MAX_FINDINGS.. => return,
            // The last place says that there is more, as an error: what was left out may be one.
            length if length + 1 == MAX_FINDINGS => Finding {
                id: "too-many-findings",
                level: Level::Error,
                place: place.to_string(),
                message: "there are more findings than these".into(),
            },
            _ => Finding { id, level, place: place.to_string(), message: message.into() },
        };
        self.0.push(finding);
    }

    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }
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
        assert_eq!(findings.len(), 1000);
        assert_eq!((findings[999].id, findings[999].level), ("too-many-findings", Level::Error));
    }

    #[test]
    fn a_finding_reads_as_one_line() {
        let mut findings = Findings::default();
        findings.error("header-cut", "header", "ends early");
        assert_eq!(findings.into_vec()[0].to_string(), "error: header: ends early [header-cut]");
    }
}
