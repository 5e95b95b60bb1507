//! How text from a foreign package is shown: what a terminal would obey, or an eye would be deceived by, is spelled out.
//!
//! It must not know where a text comes from. What is hostile the runtime says, whose log has the same enemies.

pub use vboxsvc::log::{is_hostile, json};

/// A name as one unmistakable line: hostile characters as `\u{..}`, and the backslash doubled, so that two names never
/// look the same.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => shown.push_str("\\\\"),
            c if is_hostile(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_of_any_language_stay_as_they_are() {
        for name in ["lib/svc/method/web", "usr/share/d\u{e9}j\u{e0} vu", "\u{65e5}\u{672c}"] {
            assert_eq!(escaped(name), name);
        }
    }

    #[test]
    fn what_a_terminal_obeys_and_what_reorders_is_spelled_out() {
        assert_eq!(escaped("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(escaped("x\u{202e}gpj"), "x\\u{202e}gpj");
        assert_eq!(escaped("\u{9b}\u{feff}\u{200b}"), "\\u{9b}\\u{feff}\\u{200b}");
    }

    #[test]
    fn a_name_that_spells_an_escape_is_told_from_one_that_holds_it() {
        assert_ne!(escaped("\\n"), escaped("\n"));
    }
}
