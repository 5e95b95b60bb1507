//! Names of packages: `pkg://<publisher>/<name>@<release>[,<build>][-<branch>][:<timestamp>]`.
//!
//! Parses, orders and prints them by pkg's own rules, and quotes them for use as file names in an archive. Knows
//! nothing of manifests.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::format::DEFAULT_BUILD;

/// Why a text is not a package's name. Each variant names the part and what it should look like.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FmriError {
    #[error("publisher {0:?}: use letters, digits, '-' and '.', beginning with a letter or digit")]
    Publisher(String),
    #[error(
        "package name {0:?}: each part between slashes begins with a letter or digit and holds letters, digits and _-.+"
    )]
    Name(String),
    #[error("{part} {text:?}: use decimal numbers without leading zeros, separated by dots")]
    Numbers { part: &'static str, text: String },
    #[error("timestamp {0:?}: use YYYYMMDDTHHMMSSZ, a moment that exists, in UTC")]
    Timestamp(String),
    #[error("{0:?} has no '/' after its publisher")]
    NoName(String),
}

/// Dot-separated numbers: a release, a build release or a branch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Numbers(Vec<u64>);

impl Numbers {
    fn parse(part: &'static str, text: &str) -> Result<Self, FmriError> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            let padded = digits.len() > 1 && digits.starts_with('0');
            if plain && !padded { digits.parse().ok() } else { None }
        };
        text.split('.')
            .map(number)
            .collect::<Option<Vec<u64>>>()
            .map(Self)
            .ok_or_else(|| FmriError::Numbers { part, text: text.to_owned() })
    }
}

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, number) in self.0.iter().enumerate() {
            let dot = if i == 0 { "" } else { "." };
            write!(f, "{dot}{number}")?;
        }
        Ok(())
    }
}

/// When a version was published, to the second. As text it sorts as time does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(String);

impl Timestamp {
    /// The timestamp of so many seconds after 1970 began in UTC, or `None` past the year 9999.
    pub fn from_unix(seconds: u64) -> Option<Self> {
        let moment = jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?;
        Some(Self(moment.strftime("%Y%m%dT%H%M%SZ").to_string()))
    }
}

impl FromStr for Timestamp {
    type Err = FmriError;

    fn from_str(text: &str) -> Result<Self, FmriError> {
        let bad = || FmriError::Timestamp(text.to_owned());
        let bytes = text.as_bytes();
        let shaped = bytes.len() == 16
            && bytes.iter().enumerate().all(|(i, b)| match i {
                8 => *b == b'T',
                15 => *b == b'Z',
                _ => b.is_ascii_digit(),
            });
        if !shaped {
            return Err(bad());
        }
        let field = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<i16>().ok()).ok_or_else(bad);
        let small = |from: usize| field(from, from + 2).and_then(|n| i8::try_from(n).map_err(|_| bad()));
        jiff::civil::DateTime::new(field(0, 4)?, small(4)?, small(6)?, small(9)?, small(11)?, small(13)?, 0)
            .map_err(|_| bad())?;
        // Year 0 exists for jiff and not for pkg, which counts from 1.
        if text.starts_with("0000") { Err(bad()) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A package's version. Ordered by release, then build release, then branch, then timestamp: the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    pub release: Numbers,
    pub build: Numbers,
    pub branch: Option<Numbers>,
    pub timestamp: Option<Timestamp>,
}

impl FromStr for Version {
    type Err = FmriError;

    fn from_str(text: &str) -> Result<Self, FmriError> {
        let (rest, timestamp) = cut(text, ':');
        let (rest, branch) = cut(rest, '-');
        let (release, build) = cut(rest, ',');
        Ok(Self {
            release: Numbers::parse("release", release)?,
            build: Numbers::parse("build release", build.unwrap_or(DEFAULT_BUILD))?,
            branch: branch.map(|b| Numbers::parse("branch", b)).transpose()?,
            timestamp: timestamp.map(Timestamp::from_str).transpose()?,
        })
    }
}

impl fmt::Display for Version {
    /// The full form, with the build release even where it is the default one: archives name packages so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.release, self.build)?;
        if let Some(branch) = &self.branch {
            write!(f, "-{branch}")?;
        }
        if let Some(timestamp) = &self.timestamp {
            write!(f, ":{timestamp}")?;
        }
        Ok(())
    }
}

/// A package's name without publisher and version, such as `service/web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

impl Name {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = FmriError;

    fn from_str(text: &str) -> Result<Self, FmriError> {
        let part = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-.+".contains(c))
        };
        if text.split('/').all(part) { Ok(Self(text.to_owned())) } else { Err(FmriError::Name(text.to_owned())) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who publishes a package. It becomes a directory of the archive, so it is held to host names' characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Publisher(String);

impl Publisher {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Publisher {
    type Err = FmriError;

    fn from_str(text: &str) -> Result<Self, FmriError> {
        let good = text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.');
        if good { Ok(Self(text.to_owned())) } else { Err(FmriError::Publisher(text.to_owned())) }
    }
}

impl fmt::Display for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A package, or with fewer parts a pattern of packages as dependencies use it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Fmri {
    pub publisher: Option<Publisher>,
    pub name: Name,
    pub version: Option<Version>,
}

impl FromStr for Fmri {
    type Err = FmriError;

    fn from_str(text: &str) -> Result<Self, FmriError> {
        let (stem, version) = match text.rsplit_once('@') {
            Some((stem, version)) => (stem, Some(version)),
            None => (text, None),
        };
        let bare = stem.strip_prefix("pkg:").unwrap_or(stem);
        let (publisher, name) = match bare.strip_prefix("//") {
            Some(rest) => {
                let (publisher, name) = rest.split_once('/').ok_or_else(|| FmriError::NoName(text.to_owned()))?;
                (Some(publisher.parse()?), name)
            }
            // "pkg:name" is no form pkg knows: after the scheme there is a slash.
            None if bare.len() != stem.len() => {
                (None, bare.strip_prefix('/').ok_or_else(|| FmriError::Name(stem.to_owned()))?)
            }
            None => (None, bare.strip_prefix('/').unwrap_or(bare)),
        };
        Ok(Self { publisher, name: name.parse()?, version: version.map(Version::from_str).transpose()? })
    }
}

impl fmt::Display for Fmri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.publisher {
            Some(publisher) => write!(f, "pkg://{publisher}/{}", self.name)?,
            None => write!(f, "pkg:/{}", self.name)?,
        }
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

/// Quotes a name or version into a single path component, as Python's `quote(text, safe='')` does.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            quoted.push_str(&format!("%{byte:02X}"));
        }
    }
    quoted
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    match text.split_once(at) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn a_full_name_parses_and_prints_the_same() {
        let text = "pkg://example.org/service/web@0.19,5.11-2024.0.1:20261122T135605Z";
        assert_eq!(text.parse::<Fmri>().unwrap().to_string(), text);
    }

    #[test]
    fn a_short_version_gets_the_default_build_release() {
        assert_eq!("pkg:/web@1.0".parse::<Fmri>().unwrap().to_string(), "pkg:/web@1.0,5.11");
        assert_eq!(version("1-2").to_string(), "1,5.11-2");
        assert_eq!(version("1:20260101T000000Z").to_string(), "1,5.11:20260101T000000Z");
    }

    #[test]
    fn scheme_and_publisher_may_be_left_out() {
        for text in ["web/server", "/web/server", "pkg:/web/server"] {
            assert_eq!(text.parse::<Fmri>().unwrap().to_string(), "pkg:/web/server");
        }
        for text in ["//example/web", "pkg://example/web"] {
            assert_eq!(text.parse::<Fmri>().unwrap().to_string(), "pkg://example/web");
        }
    }

    #[test]
    fn malformed_names_are_refused() {
        for text in ["", "pkg:/", "pkg:web", "pkg://example", "-web", "web//server", "web/", "we b", "w\u{e9}b", "a@"] {
            assert!(text.parse::<Fmri>().is_err(), "{text:?}");
        }
        for text in ["", ".org", "ex_ample", "ex/ample", ".."] {
            assert!(text.parse::<Publisher>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn versions_hold_no_letters_no_leading_zeros_and_no_empty_parts() {
        for text in ["0.09", "0.19a", "", "1.", ".1", "1..2", "-1", "1,", "1-", "1:", "00", "1,5.011", "+1", "1 "] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
        assert_eq!(version("0").to_string(), "0,5.11");
        assert_eq!(version("0.0").to_string(), "0.0,5.11");
        assert!("99999999999999999999".parse::<Version>().is_err(), "too large a number");
    }

    #[test]
    fn timestamps_are_checked_against_the_calendar() {
        assert!("20240229T235959Z".parse::<Timestamp>().is_ok());
        for text in [
            "20230229T000000Z",
            "20261301T000000Z",
            "20260101T240000Z",
            "20260101T000060Z",
            "00000101T000000Z",
            "20260101T000000",
            "20260101 000000Z",
            "2026010\u{661}T000000Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_timestamp_comes_from_seconds_since_1970() {
        assert_eq!(Timestamp::from_unix(1_795_355_765).unwrap().to_string(), "20261122T135605Z");
        assert_eq!(Timestamp::from_unix(u64::MAX), None);
    }

    #[test]
    fn versions_are_ordered_by_release_build_branch_timestamp() {
        let ascending = [
            "0.9,5.11",
            "0.10,5.10-9:20270101T000000Z",
            "0.10,5.11",
            "0.10,5.11:20260101T000000Z",
            "0.10,5.11-1",
            "0.10,5.11-1.0",
            "0.10,5.11-2:20260101T000000Z",
            "0.10,5.11-2:20260101T000001Z",
            "0.10.0,5.11",
            "1,5.11",
        ];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn quoting_leaves_only_unreserved_characters() {
        assert_eq!(quote("service/web"), "service%2Fweb");
        assert_eq!(quote("0.19,5.11:20261122T135605Z"), "0.19%2C5.11%3A20261122T135605Z");
        assert_eq!(quote("a+b-c_d.e~f@\u{e9}"), "a%2Bb-c_d.e~f%40%C3%A9");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
            let _ = text.parse::<Fmri>();
        }

        #[test]
        fn what_parses_prints_to_something_that_parses_equal(
            text in "(pkg:/|pkg://ex/)?[a-z0-9][a-z0-9+._-]{0,5}(/[a-z]{1,3})?(@[0-9.]{1,5}(,[0-9]{1,2})?(-[0-9]{1,2})?)?"
        ) {
            if let Ok(fmri) = text.parse::<Fmri>() {
                prop_assert_eq!(fmri.to_string().parse::<Fmri>().unwrap(), fmri);
            }
        }
    }
}
