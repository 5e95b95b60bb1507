//! Reads a pkginfo as the package tools do, quotes and continuations included.
//!
//! The rule is older than its documentation and changed once, in 2010. Where the two readings of a file differ, the
//! package means something else on Solaris than on illumos, so both are here and a checker can compare them:
//!
//! * A key ends at the first `:` or `=`; a line without either is skipped, and so is what begins with `#`. Blanks
//!   before the value and white space after it are dropped.
//! * A quote of either kind at the beginning of a value (or of a continued line) opens quoting and is dropped. A quote
//!   that stays open ends the whole list, silently.
//! * A backslash keeps the next quote from counting and stays in the value. Before a newline it continues the value.

use super::{PkgInfo, PkgInfoError};

/// Which quote closes a quoted value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quotes {
    /// Solaris: the next quote of either kind; later ones are kept. A continued value keeps its newline.
    FirstCloses,
    /// illumos: a quote followed by nothing but blanks; others are kept. A continued value loses its newline.
    LastCloses,
}

/// Reads every parameter. Repeated keys are kept; [`PkgInfo::get`] gives the first, as the tools do.
pub fn parse(text: &[u8], quotes: Quotes) -> Result<PkgInfo, PkgInfoError> {
    let mut info = PkgInfo::new();
    let mut lines = Lines { rest: text, number: 0 };
    while let Some(line) = lines.next() {
        let Some(end) = line.iter().position(|byte| matches!(byte, b':' | b'=')) else { continue };
        let (key, value) = line.split_at(end);
        let key = String::from_utf8_lossy(key).into_owned();
        let first = lines.number;
        let value = read_value(value.get(1..).unwrap_or_default(), &mut lines, quotes);
        let Some(value) = value else { return Err(PkgInfoError::QuoteNotClosed { line: first, key }) };
        if !key.starts_with('#') {
            info.parameters.push((key, String::from_utf8_lossy(&value).into_owned()));
        }
    }
    Ok(info)
}

/// The lines of a file without their newline, counted from 1.
struct Lines<'a> {
    rest: &'a [u8],
    number: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let mut parts = self.rest.splitn(2, |byte| *byte == b'\n');
        let line = parts.next()?;
        self.rest = parts.next().unwrap_or_default();
        Some(line)
    }
}

/// The value that begins with `line` and takes as many more lines as it continues on; `None` if a quote stays open.
fn read_value<'a>(mut line: &'a [u8], lines: &mut Lines<'a>, quotes: Quotes) -> Option<Vec<u8>> {
    let mut value = Vec::new();
    let mut quoted = false;
    loop {
        let piece = read_line(line, quoted, quotes);
        value.extend_from_slice(&piece.text);
        quoted = piece.quoted;
        if !piece.continues {
            break;
        }
        if quotes == Quotes::FirstCloses {
            value.push(b'\n');
        }
        match lines.next() {
            Some(next) => line = next,
            None => break,
        }
    }
    let end = value.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
    value.truncate(end);
    (!quoted).then_some(value)
}

struct Piece {
    text: Vec<u8>,
    /// Whether a quote is open after this line.
    quoted: bool,
    continues: bool,
}

/// One line's share of a value.
fn read_line(line: &[u8], mut quoted: bool, quotes: Quotes) -> Piece {
    let start = line.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let mut text = Vec::new();
    let mut escaped = false;
    // Where the text ends if the quote seen there turns out to be the last thing on the line.
    let mut closing = None;
    for (at, byte) in line.iter().copied().enumerate().skip(start) {
        if !matches!(byte, b' ' | b'\t' | b'\\') {
            closing = None;
        }
        if matches!(byte, b'"' | b'\'') && !escaped {
            if at == start {
                quoted = true;
                continue;
            }
            match quotes {
                Quotes::FirstCloses if quoted => {
                    quoted = false;
                    continue;
                }
                Quotes::LastCloses if quoted => closing = Some(text.len()),
                _ => {}
            }
        }
        escaped = byte == b'\\';
        text.push(byte);
    }
    if let Some(end) = closing {
        text.truncate(end);
        // A continued value stays open: its next line may bring the quote that closes it.
        quoted = escaped;
    } else if escaped {
        text.pop();
    }
    Piece { text, quoted, continues: escaped }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: [Quotes; 2] = [Quotes::FirstCloses, Quotes::LastCloses];

    fn value(text: &str, quotes: Quotes) -> Option<String> {
        parse(text.as_bytes(), quotes).ok()?.get("X").map(str::to_owned)
    }

    fn alike(text: &str, expected: &str) {
        for quotes in BOTH {
            assert_eq!(value(text, quotes).as_deref(), Some(expected), "{text:?} {quotes:?}");
        }
    }

    #[test]
    fn bare_and_quoted_values_read_alike() {
        alike("X=a b\n", "a b");
        alike("X: \t a\n", "a");
        alike("X=a b \t\r\n", "a b");
        alike("X='a b'\n", "a b");
        alike("X=\"a b\"  \n", "a b");
        alike("X=a\\\"b\n", "a\\\"b");
        alike("X=\n", "");
        alike("X=a", "a");
    }

    #[test]
    fn comments_and_lines_without_a_separator_are_skipped() {
        alike("# X=no\nnothing\n\nX=yes\n", "yes");
    }

    #[test]
    fn the_first_of_two_values_counts() {
        alike("X=1\nX=2\n", "1");
    }

    #[test]
    fn an_apostrophe_in_a_bare_value_is_kept() {
        alike("X=the author's script\n", "the author's script");
    }

    /// A value as it stands in packages that were shipped.
    #[test]
    fn an_apostrophe_in_a_quoted_value_divides_the_two_readings() {
        let text = "X=\"the author's script\"\n";
        assert_eq!(value(text, Quotes::FirstCloses).unwrap(), "the authors script\"");
        assert_eq!(value(text, Quotes::LastCloses).unwrap(), "the author's script");
    }

    #[test]
    fn text_after_the_closing_quote_divides_the_two_readings() {
        assert_eq!(value("X='a' b\n", Quotes::FirstCloses).unwrap(), "a b");
        assert_eq!(value("X='a' b\n", Quotes::LastCloses), None);
    }

    #[test]
    fn a_quote_that_stays_open_ends_the_list() {
        for quotes in BOTH {
            let error = parse(b"A=1\nX=\"a\nB=2\n", quotes).unwrap_err();
            assert_eq!(error, PkgInfoError::QuoteNotClosed { line: 2, key: "X".into() });
        }
    }

    #[test]
    fn a_backslash_continues_and_only_solaris_keeps_the_newline() {
        assert_eq!(value("X=a\\\n b\nY=c\n", Quotes::FirstCloses).unwrap(), "a\nb");
        assert_eq!(value("X=a\\\n b\nY=c\n", Quotes::LastCloses).unwrap(), "ab");
        assert_eq!(value("X=\"a\"\\\n\"b\"\n", Quotes::LastCloses).unwrap(), "ab");
        assert_eq!(value("X=\"a\"\\\nb\n", Quotes::LastCloses), None, "the first line's quote did not close");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            for quotes in BOTH {
                let _ = parse(&text, quotes);
            }
        }

        #[test]
        fn what_the_rules_allow_reads_back_in_both_ways(values in proptest::collection::vec("[ -~\u{e4}\t\r\n]{0,12}", 1..6)) {
            let mut info = PkgInfo::new();
            for (number, value) in values.iter().enumerate() {
                // Refused values are simply not set; what is set must survive.
                let _ = info.set(format!("K{number}"), value.as_str());
            }
            for quotes in BOTH {
                prop_assert_eq!(&parse(info.render().as_bytes(), quotes).unwrap(), &info);
            }
        }
    }
}
