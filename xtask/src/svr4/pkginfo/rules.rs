//! What a written pkginfo may hold. pkgmk checks part of this, pkgadd another part, and some of it nobody checks: such
//! a value is installed differently from what was meant.

use super::{PkgInfo, PkgInfoError};
use crate::svr4::{MAX_PACKAGE_NAME, REQUIRED_PARAMETERS, RESERVED_PACKAGE_NAMES, pkgmap};

const MAX_KEY: usize = 64;
const MAX_TEXT: usize = 256;
const MAX_TOKEN: usize = 16;

/// Checks one parameter: its name, that its value reads back as it is, and the rules of the well-known ones.
pub fn check_parameter(key: &str, value: &str) -> Result<(), PkgInfoError> {
    if let Some(problem) = key_problem(key) {
        return Err(PkgInfoError::Key { key: key.to_owned(), problem });
    }
    match value_problem(value).or_else(|| known_problem(key, value)) {
        Some(problem) => Err(PkgInfoError::Value { key: key.to_owned(), value: value.to_owned(), problem }),
        None => Ok(()),
    }
}

/// Checks a whole file: every parameter, the required ones, and combinations that pkgadd refuses.
pub fn check(info: &PkgInfo) -> Result<(), PkgInfoError> {
    for (key, value) in info.iter() {
        check_parameter(key, value)?;
    }
    for required in REQUIRED_PARAMETERS {
        if info.get(required).is_none_or(str::is_empty) {
            return Err(PkgInfoError::Missing(required));
        }
    }
    check_zones(info)
}

/// Says what is wrong with a package name.
pub fn package_name_problem(name: &str) -> Option<&'static str> {
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        Some("must begin with a letter")
    } else if name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '-') {
        Some("may hold only letters, digits, + and -")
    } else if name.len() > MAX_PACKAGE_NAME {
        Some("is longer than the 31 characters every pkgadd can find in a stream")
    } else if RESERVED_PACKAGE_NAMES.contains(&name) {
        Some("is a word that pkgadd takes for something else")
    } else {
        None
    }
}

fn key_problem(key: &str) -> Option<&'static str> {
    if !key.starts_with(|c: char| c.is_ascii_uppercase()) {
        Some("must begin with an upper-case letter, others are not kept")
    } else if key.contains(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        Some("may hold only letters, digits and _")
    } else if key.len() > MAX_KEY {
        Some("is longer than 64 characters")
    } else {
        None
    }
}

/// A value is written bare, so it must not begin like a quoted one, end in a continuation, or have outer blanks, which
/// are dropped. Quotes inside are safe: they count only after an opening one.
fn value_problem(value: &str) -> Option<&'static str> {
    if value.contains(|c: char| c.is_control()) {
        Some("holds a newline or another control character")
    } else if value.starts_with(['"', '\'']) {
        Some("begins with a quote, which readers would drop")
    } else if value.ends_with('\\') {
        Some("ends in a backslash, which would join the next line to it")
    } else if value.trim() != value {
        Some("has blanks at its ends, which readers drop")
    } else {
        None
    }
}

fn known_problem(key: &str, value: &str) -> Option<&'static str> {
    match key {
        "PKG" => package_name_problem(value),
        "NAME" | "VERSION" if !value.is_ascii() => Some("is not ASCII"),
        "NAME" | "VERSION" if value.len() > MAX_TEXT => Some("is longer than 256 characters"),
        "VERSION" if value.starts_with('(') => Some("begins with a parenthesis, which means an architecture"),
        "ARCH" | "CATEGORY" => tokens_problem(key, value),
        "CLASSES" => value.split(' ').find_map(pkgmap::rules::class_problem),
        "BASEDIR" if !value.starts_with('/') => Some("is not an absolute path"),
        _ => None,
    }
}

fn tokens_problem(key: &str, value: &str) -> Option<&'static str> {
    let tokens: Vec<&str> = value.split([',', ' ']).filter(|token| !token.is_empty()).collect();
    if tokens.is_empty() {
        Some("is empty")
    } else if tokens.iter().any(|token| token.len() > MAX_TOKEN) {
        Some("has a word longer than 16 characters")
    } else if key == "CATEGORY" && tokens.iter().any(|token| token.contains(|c: char| !c.is_ascii_alphanumeric())) {
        Some("may hold only letters and digits, comma separated")
    } else if !value.is_ascii() {
        Some("is not ASCII")
    } else {
        None
    }
}

/// Only "true" in any case means true.
fn check_zones(info: &PkgInfo) -> Result<(), PkgInfoError> {
    let is_true = |key: &str| info.get(key).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let all = is_true("SUNW_PKG_ALLZONES");
    if all && is_true("SUNW_PKG_THISZONE") {
        return Err(PkgInfoError::Zones("THISZONE", "ALLZONES is true as well"));
    }
    if is_true("SUNW_PKG_HOLLOW") && !all {
        return Err(PkgInfoError::Zones("HOLLOW", "ALLZONES is not true"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(key: &str, value: &str) -> bool {
        check_parameter(key, value).is_err()
    }

    #[test]
    fn package_names_follow_the_reader_with_the_smallest_table() {
        assert!(!refused("PKG", &"A".repeat(31)));
        assert!(refused("PKG", &"A".repeat(32)));
        for name in ["", "1abc", "-abc", "a_b", "a.b", "a b", "all", "install", "new", "caf\u{e9}"] {
            assert!(refused("PKG", name), "{name}");
        }
        for name in ["A", "a+b-2", "newer", "All"] {
            assert!(!refused("PKG", name), "{name}");
        }
    }

    #[test]
    fn keys_that_pkgadd_would_drop_or_cut_are_refused() {
        for key in ["", "lower", "_X", "1X", "A B", "A=B", "A:B", "A\n"] {
            assert!(refused(key, "v"), "{key:?}");
        }
        assert!(!refused(&"K".repeat(64), "v"));
        assert!(refused(&"K".repeat(65), "v"));
    }

    #[test]
    fn values_that_do_not_read_back_are_refused() {
        for value in ["a\nb", "a\r", "a\0", "'a'", "\"a", "a\\", " a", "a ", "a\t"] {
            assert!(refused("VENDOR", value), "{value:?}");
        }
        for value in ["", "the author's \"own\" words", "a\\b", "a=b:c", "# not a comment", "M\u{fc}ller"] {
            assert!(!refused("VENDOR", value), "{value:?}");
        }
    }

    #[test]
    fn name_and_version_are_limited_as_pkgmk_limits_them() {
        assert!(!refused("NAME", &"n".repeat(256)));
        assert!(refused("NAME", &"n".repeat(257)));
        assert!(refused("NAME", "M\u{fc}ller"));
        assert!(refused("VERSION", &"1".repeat(257)));
        assert!(refused("VERSION", "(i386)1.0"));
    }

    #[test]
    fn arch_and_category_are_lists_of_short_words() {
        assert!(!refused("ARCH", "i386,sparc all"));
        assert!(refused("ARCH", "an-architecture-too-long"));
        assert!(!refused("CATEGORY", "system,application"));
        assert!(refused("CATEGORY", "system-tools"));
        assert!(refused("CATEGORY", ", ,"));
    }

    #[test]
    fn classes_are_names_with_single_blanks() {
        assert!(!refused("CLASSES", "none manifest rbac"));
        assert!(refused("CLASSES", "none  manifest"));
        assert!(refused("CLASSES", &"c".repeat(64)));
    }

    #[test]
    fn each_required_parameter_is_missed() {
        let full = [("PKG", "A"), ("NAME", "n"), ("ARCH", "i386"), ("VERSION", "1"), ("CATEGORY", "system")];
        for (left_out, _) in full {
            let info = PkgInfo::from_pairs(full.into_iter().filter(|(key, _)| *key != left_out)).unwrap();
            assert!(matches!(check(&info), Err(PkgInfoError::Missing(key)) if key == left_out));
        }
        let mut empty = PkgInfo::from_pairs(full).unwrap();
        empty.set("NAME", "").unwrap();
        assert_eq!(check(&empty), Err(PkgInfoError::Missing("NAME")));
    }

    #[test]
    fn zone_attributes_combine_as_pkgadd_allows() {
        let base = [("PKG", "A"), ("NAME", "n"), ("ARCH", "i386"), ("VERSION", "1"), ("CATEGORY", "system")];
        let legal = |all: &str, hollow: &str, this: &str| {
            let mut info = PkgInfo::from_pairs(base).unwrap();
            info.set("SUNW_PKG_ALLZONES", all).unwrap();
            info.set("SUNW_PKG_HOLLOW", hollow).unwrap();
            info.set("SUNW_PKG_THISZONE", this).unwrap();
            check(&info).is_ok()
        };
        assert!(legal("false", "false", "false") && legal("true", "false", "false"));
        assert!(legal("TRUE", "true", "false") && legal("false", "false", "true"));
        assert!(legal("true", "false", "yes"), "only \"true\" is true");
        assert!(!legal("true", "false", "True") && !legal("false", "true", "false") && !legal("no", "true", "true"));
    }
}
