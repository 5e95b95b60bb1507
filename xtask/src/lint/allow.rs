//! What is allowed to break a rule, and why: read from `pkg/lint-allow.toml`.
//!
//! ```toml
//! [[allow]]
//! id = "owner-not-root"
//! package = "ABCweb"          # any, if not given
//! path = "var/web/**"         # not given: for what is about the package as a whole
//! reason = "the server rotates its logs itself"
//! ```
//!
//! In a pattern `*` stands for anything but `/`, and `**` for anything.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Breach;

/// Where the list is, below the workspace. It may be missing.
pub const FILE: &str = "pkg/lint-allow.toml";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowList {
    #[serde(default)]
    allow: Vec<Allowed>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    pub id: String,
    #[serde(default = "anything")]
    pub package: String,
    pub path: Option<String>,
    pub reason: String,
}

fn anything() -> String {
    "**".to_owned()
}

impl AllowList {
    pub fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).with_context(|| format!("{} is not right", path.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    pub fn parse(text: &str) -> Result<Self> {
        let list: Self = toml::from_str(text)?;
        if let Some(allowed) = list.allow.iter().find(|allowed| allowed.reason.trim().is_empty()) {
            bail!("{}: the reason is empty; say why the rule may be broken", allowed.id);
        }
        Ok(list)
    }

    /// The place in the list of what allows this.
    pub fn allows(&self, breach: &Breach) -> Option<usize> {
        self.allow.iter().position(|allowed| {
            allowed.id == breach.id
                && matches(&allowed.package, &breach.package)
                && match (&allowed.path, &breach.path) {
                    (Some(pattern), Some(path)) => matches(pattern, path),
                    (None, None) => true,
                    _ => false,
                }
        })
    }

    pub fn entries(&self) -> &[Allowed] {
        &self.allow
    }
}

/// Whether a pattern fits the whole of a text.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<Token> = tokens(pattern);
    // The places of the pattern that the text read so far can have come to: no backtracking, however many stars.
    let mut reached = vec![false; pattern.len() + 1];
    reached[0] = true;
    skip_stars(&pattern, &mut reached);
    for c in text.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (at, token) in pattern.iter().enumerate().filter(|(at, _)| reached[*at]) {
            match token {
                Token::Char(expected) => next[at + 1] |= *expected == c,
                Token::Star => next[at] |= c != '/',
                Token::Stars => next[at] = true,
            }
        }
        skip_stars(&pattern, &mut next);
        reached = next;
    }
    reached[pattern.len()]
}

/// A star may stand for nothing.
fn skip_stars(pattern: &[Token], reached: &mut [bool]) {
    for (at, token) in pattern.iter().enumerate() {
        if reached[at] && !matches!(token, Token::Char(_)) {
            reached[at + 1] = true;
        }
    }
}

enum Token {
    Char(char),
    Star,
    Stars,
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut chars = pattern.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(c) = chars.next() {
        tokens.push(match c {
            '*' if chars.next_if_eq(&'*').is_some() => Token::Stars,
            '*' => Token::Star,
            c => Token::Char(c),
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    fn breach(path: Option<&str>) -> Breach {
        let path = path.map(str::to_owned);
        Breach { id: "owner-not-root", level: Level::Warning, package: "ABCweb".into(), path, message: String::new() }
    }

    #[test]
    fn a_star_stops_at_a_slash_and_two_do_not() {
        for (pattern, text, fits) in [
            ("var/*", "var/web", true),
            ("var/*", "var/web/log", false),
            ("var/**", "var/web/log", true),
            ("**/log", "var/web/log", true),
            ("var/*/log", "var//log", true),
            ("**", "", true),
            ("a*c", "abd", false),
            ("", "a", false),
            ("a", "", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern:?} {text:?}");
        }
    }

    #[test]
    fn very_many_stars_are_matched_in_bearable_time() {
        assert!(!matches(&"**a".repeat(200), &"a".repeat(199)));
    }

    #[test]
    fn only_the_rule_the_package_and_the_path_together_are_allowed() {
        let list = |more: &str| AllowList::parse(&format!("[[allow]]\nreason = \"so it is\"\n{more}")).unwrap();
        assert!(list("id = \"owner-not-root\"\npath = \"var/**\"").allows(&breach(Some("var/web"))).is_some());
        for other in [
            "id = \"setuid-file\"\npath = \"var/**\"",
            "id = \"owner-not-root\"\npath = \"etc/**\"",
            "id = \"owner-not-root\"\npath = \"var/**\"\npackage = \"ABCother\"",
            "id = \"owner-not-root\"",
        ] {
            assert!(list(other).allows(&breach(Some("var/web"))).is_none(), "{other}");
        }
        assert!(list("id = \"owner-not-root\"").allows(&breach(None)).is_some());
        assert!(list("id = \"owner-not-root\"\npath = \"**\"").allows(&breach(None)).is_none());
    }

    #[test]
    fn without_a_reason_nothing_is_allowed() {
        assert!(AllowList::parse("[[allow]]\nid = \"x\"\n").is_err());
        let error = AllowList::parse("[[allow]]\nid = \"x\"\nreason = \" \"\n").unwrap_err().to_string();
        assert!(error.contains("say why"), "{error}");
        assert!(AllowList::parse("[[allow]]\nid = \"x\"\nreason = \"y\"\npaths = \"z\"\n").is_err(), "an unknown key");
    }

    #[test]
    fn a_list_that_is_not_there_allows_nothing() {
        let list = AllowList::read(Path::new("/nonexistent/lint-allow.toml")).unwrap();
        assert_eq!(list.allows(&breach(None)), None);
    }
}
