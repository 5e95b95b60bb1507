//! The pkginfo file: ordered `KEY=VALUE` parameters, never quoted when written here.
//!
//! [`rules`] refuses what pkgmk, pkgadd or their reader of parameters would refuse or change; [`mod@parse`] reads a file as
//! that reader does.

pub mod parse;
pub mod rules;

use std::fmt::Write as _;

use thiserror::Error;

pub use parse::{Quotes, parse};

/// The parameters of a package, in the order they are written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PkgInfo {
    parameters: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PkgInfoError {
    #[error("parameter name {key:?}: {problem}")]
    Key { key: String, problem: &'static str },
    #[error("value of {key} {problem}: {value:?}")]
    Value { key: String, value: String, problem: &'static str },
    #[error("required parameter {0} is missing or empty")]
    Missing(&'static str),
    #[error("parameter {0} is given twice; readers take the first")]
    Duplicate(String),
    #[error("SUNW_PKG_{0} cannot be combined like this: {1}")]
    Zones(&'static str, &'static str),
    #[error("line {line}: the quote that opens the value of {key} is not closed, so the rest of the file is not read")]
    QuoteNotClosed { line: usize, key: String },
}

impl PkgInfo {
    pub fn new() -> Self {
        Self::default()
    }

    /// Parameters in order; a key given twice is an error.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, PkgInfoError> {
        let mut info = Self::new();
        for (key, value) in pairs {
            let key = key.into();
            if info.get(&key).is_some() {
                return Err(PkgInfoError::Duplicate(key));
            }
            info.set(key, value)?;
        }
        Ok(info)
    }

    /// Adds a parameter at the end, or replaces the value of one that is there.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) -> Result<(), PkgInfoError> {
        let (key, value) = (key.into(), value.into());
        rules::check_parameter(&key, &value)?;
        match self.parameters.iter_mut().find(|(present, _)| *present == key) {
            Some((_, present)) => *present = value,
            None => self.parameters.push((key, value)),
        }
        Ok(())
    }

    /// The value of `key`; the first one counts.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find(|(present, _)| *present == key).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The classes that are installed, in order; `None` without CLASSES, and then pkgadd installs no file at all.
    pub fn classes(&self) -> Option<Vec<&str>> {
        self.get("CLASSES").map(|classes| classes.split_whitespace().collect())
    }

    /// Checks everything that can be said about the parameters by themselves.
    pub fn validate(&self) -> Result<(), PkgInfoError> {
        rules::check(self)
    }

    /// The text of the file. It is what a reader reads back only if [`PkgInfo::validate`] agrees.
    pub fn render(&self) -> String {
        self.iter().fold(String::new(), |mut text, (key, value)| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{key}={value}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> PkgInfo {
        PkgInfo::from_pairs([
            ("PKG", "ABCexample"),
            ("NAME", "An example"),
            ("ARCH", "i386"),
            ("VERSION", "1.0,REV=2026.11.25"),
            ("CATEGORY", "application"),
        ])
        .unwrap()
    }

    #[test]
    fn parameters_are_written_in_their_order_without_quotes() {
        assert_eq!(
            example().render(),
            "PKG=ABCexample\nNAME=An example\nARCH=i386\nVERSION=1.0,REV=2026.11.25\nCATEGORY=application\n"
        );
        example().validate().unwrap();
    }

    #[test]
    fn setting_again_replaces_in_place() {
        let mut info = example();
        info.set("NAME", "Other").unwrap();
        info.set("CLASSES", "none manifest").unwrap();
        let keys: Vec<&str> = info.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, ["PKG", "NAME", "ARCH", "VERSION", "CATEGORY", "CLASSES"]);
        assert_eq!(info.get("NAME"), Some("Other"));
        assert_eq!(info.classes(), Some(vec!["none", "manifest"]));
    }

    #[test]
    fn a_key_given_twice_is_refused() {
        let twice = PkgInfo::from_pairs([("PKG", "A"), ("PKG", "B")]);
        assert_eq!(twice, Err(PkgInfoError::Duplicate("PKG".into())));
    }
}
