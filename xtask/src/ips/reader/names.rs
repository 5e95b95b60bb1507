//! Names of packages as an archive spells them: the reader's own check of the rules, apart from the writer's types.

/// What a version consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    pub build: bool,
    pub timestamp: bool,
}

/// Checks `release[,build][-branch][:timestamp]`; the error says which part is bad.
pub fn version(text: &str) -> Result<Parts, String> {
    let mut rest = text;
    let mut parts = Parts { build: false, timestamp: false };
    if let Some(at) = rest.find(':') {
        let stamp = rest.get(at + 1..).unwrap_or_default();
        if !timestamp(stamp) {
            return Err(format!("{stamp:?} is no moment of the form YYYYMMDDTHHMMSSZ"));
        }
        parts.timestamp = true;
        rest = rest.get(..at).unwrap_or_default();
    }
    let mut numbers = Vec::new();
    if let Some((before, branch)) = rest.split_once('-') {
        numbers.push(branch);
        rest = before;
    }
    if let Some((before, build)) = rest.split_once(',') {
        numbers.push(build);
        parts.build = true;
        rest = before;
    }
    numbers.push(rest);
    match numbers.into_iter().find(|n| !dotted(n)) {
        Some(bad) => Err(format!("bad version {bad:?}: decimal numbers without leading zeros, separated by dots")),
        None => Ok(parts),
    }
}

fn dotted(text: &str) -> bool {
    text.split('.').all(|n| n == "0" || (n.bytes().all(|b| b.is_ascii_digit()) && !n.is_empty() && !n.starts_with('0')))
}

fn timestamp(text: &str) -> bool {
    let pattern = "ddddddddTddddddZ";
    let shaped = text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(c, p)| if p == b'd' { c.is_ascii_digit() } else { c == p });
    let field = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<u32>().ok()).unwrap_or(u32::MAX);
    if !shaped {
        return false;
    }
    let (year, month, day) = (field(0, 4), field(4, 6), field(6, 8));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => 0,
    };
    year >= 1 && (1..=days).contains(&day) && field(9, 11) < 24 && field(11, 13) < 60 && field(13, 15) < 60
}

/// Whether a text is a package's name without publisher and version.
pub fn package(text: &str) -> bool {
    text.split('/').all(|part| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
            && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'+'))
    })
}

/// Whether a text can be a publisher: host names' characters, which include those of addresses.
pub fn publisher(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'[' | b']'))
}

/// The parts of a package's full name, or of a pattern that leaves out some.
#[derive(Debug, PartialEq, Eq)]
pub struct Split<'a> {
    pub publisher: Option<&'a str>,
    pub name: &'a str,
    pub version: Option<&'a str>,
}

/// Takes a name apart and checks each part.
pub fn fmri(text: &str) -> Result<Split<'_>, String> {
    let (stem, version_text) = match text.rfind('@') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    let after_scheme = stem.strip_prefix("pkg:/").map(|rest| (rest, true));
    let (rest, schemed) = after_scheme.unwrap_or((stem, false));
    let authority = if schemed { rest.strip_prefix('/') } else { rest.strip_prefix("//") };
    let (publisher_text, name) = match authority {
        Some(rest) => match rest.split_once('/') {
            // "pkg:///name" leaves the publisher open.
            Some(("", name)) => (None, name),
            Some((who, name)) => (Some(who), name),
            None => return Err(format!("{text:?} has no '/' after its publisher")),
        },
        None if schemed => (None, rest),
        None => (None, rest.strip_prefix('/').unwrap_or(rest)),
    };
    if let Some(who) = publisher_text.filter(|who| !publisher(who)) {
        return Err(format!("{who:?} is no publisher"));
    }
    if !package(name) {
        return Err(format!("{name:?} is no package name"));
    }
    if let Some(text) = version_text {
        version(text)?;
    }
    Ok(Split { publisher: publisher_text, name, version: version_text })
}

/// Undoes percent quoting. `None` unless the text is quoted exactly as pkg quotes it, for pkg looks the member up by
/// its own spelling.
pub fn unquote(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                let byte = u8::from_str_radix(digits, 16).ok()?;
                if plain(byte) || format!("{byte:02X}") != digits {
                    return None;
                }
                bytes.push(byte);
                rest = rest.get(2..)?;
            }
            byte if plain(*byte) => bytes.push(*byte),
            _ => return None,
        }
    }
    String::from_utf8(bytes).ok()
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'~')
}

#[cfg(test)]
mod tests {
    use super::super::super::fmri::{Fmri, Version, quote};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_a_version_are_told_apart() {
        assert_eq!(version("0.19,5.11:20261122T135605Z"), Ok(Parts { build: true, timestamp: true }));
        assert_eq!(version("0.19-1"), Ok(Parts { build: false, timestamp: false }));
        for bad in ["0.09", "0.19a", "", "1,", "1:20230229T000000Z", "1:20260101T240000Z", "1:2026", "1-"] {
            assert!(version(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn only_pkgs_own_quoting_is_undone() {
        assert_eq!(unquote("service%2Fweb").as_deref(), Some("service/web"));
        for other in ["service%2fweb", "%61", "a,b", "%", "%2", "%zz", "%FF"] {
            assert_eq!(unquote(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_name_is_taken_apart() {
        let split = fmri("pkg://ex.org/service/web@1.0").unwrap();
        assert_eq!(split, Split { publisher: Some("ex.org"), name: "service/web", version: Some("1.0") });
        assert_eq!(fmri("pkg:///web").unwrap().publisher, None);
        assert!(fmri("pkg://ex").is_err() && fmri("pkg:web").is_err() && fmri("").is_err());
    }

    proptest! {
        /// Two implementations of the same rules, each other's test.
        #[test]
        fn the_writers_types_and_this_check_agree(
            text in "(pkg:/|pkg://ex/|//ex/|/)?[a-z./-]{0,4}(@[0-9.,:-]{0,6}(:2024(0229|0230|1301)T2[0-9]5959Z)?)?"
        ) {
            // Without a publisher after two slashes: others write that, we never do.
            prop_assume!(!text.starts_with("pkg:///") && !text.starts_with("///"));
            prop_assert_eq!(fmri(&text).is_ok(), text.parse::<Fmri>().is_ok(), "{}", text);
        }

        #[test]
        fn versions_agree_too(text in "[0-9a.]{1,4}(,[0-9.]{1,3})?(-[0-9.]{1,3})?(:20240229T000000Z)?") {
            prop_assert_eq!(version(&text).is_ok(), text.parse::<Version>().is_ok(), "{}", text);
        }

        #[test]
        fn quoting_is_undone(text in "\\PC{0,20}") {
            prop_assert_eq!(unquote(&quote(&text)), Some(text));
        }
    }
}
