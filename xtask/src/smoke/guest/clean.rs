//! Plain text out of what a serial console sends: without colours and cursor movements, and with `\n` as the one end of
//! a line. Pure, and fed in pieces that may end anywhere.

/// Where in a control sequence the last piece ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// After ESC and an intermediate byte: one more follows.
    Intermediate,
    /// After ESC `[`.
    Control,
    /// In a string (a window's title): it ends with BEL or ESC `\`.
    String,
    StringEscape,
}

/// Strings of a terminal that never end would swallow everything.
const LONGEST_STRING: usize = 1024;

#[derive(Debug, Default)]
pub struct Cleaner {
    state: State,
    string: usize,
    /// The beginning of a character whose rest has not come yet.
    partial: Vec<u8>,
}

impl Cleaner {
    /// The text of the next piece.
    pub fn feed(&mut self, bytes: &[u8]) -> String {
        let mut text = std::mem::take(&mut self.partial);
        for &byte in bytes {
            if let Some(byte) = self.step(byte) {
                text.push(byte);
            }
        }
        let whole = whole_characters(&text);
        self.partial = text.split_off(whole);
        String::from_utf8_lossy(&text).into_owned()
    }

    fn step(&mut self, byte: u8) -> Option<u8> {
        let (state, kept) = match (self.state, byte) {
            (State::Text, 0x1b) => (State::Escape, None),
            (State::Text, b'\n' | b'\t' | 0x20..=0x7e | 0x80..) => (State::Text, Some(byte)),
            // Carriage returns, bells, NULs and the like.
            (State::Text, _) => (State::Text, None),
            (State::Escape, b'[') => (State::Control, None),
            (State::Escape, b']' | b'P' | b'X' | b'^' | b'_') => (State::String, None),
            (State::Escape, 0x20..=0x2f) => (State::Intermediate, None),
            (State::Escape | State::Intermediate, _) => (State::Text, None),
            (State::Control, 0x20..=0x3f) => (State::Control, None),
            (State::Control, 0x1b) => (State::Escape, None),
            (State::Control, _) => (State::Text, None),
            (State::String, 0x07) => (State::Text, None),
            (State::String, 0x1b) => (State::StringEscape, None),
            (State::String, _) if self.string >= LONGEST_STRING => (State::Text, None),
            (State::String, _) => (State::String, None),
            (State::StringEscape, b'[') => (State::Control, None),
            (State::StringEscape, _) => (State::Text, None),
        };
        self.string = if state == State::String { self.string + 1 } else { 0 };
        self.state = state;
        kept
    }
}

/// How much of it ends with a whole character; bytes that are none count as whole.
fn whole_characters(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let at = bytes.len() - back;
        let length = match bytes.get(at) {
            Some(0xc0..=0xdf) => 2,
            Some(0xe0..=0xef) => 3,
            Some(0xf0..=0xf7) => 4,
            Some(0x80..=0xbf) => continue,
            _ => return bytes.len(),
        };
        return if back < length { at } else { bytes.len() };
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cleaned(bytes: &[u8]) -> String {
        Cleaner::default().feed(bytes)
    }

    #[test]
    fn colours_titles_bells_and_carriage_returns_go() {
        for (sent, text) in [
            ("login: ", "login: "),
            ("a\r\nb\r\n", "a\nb\n"),
            ("\u{1b}[1;32mok\u{1b}[0m\n", "ok\n"),
            ("\u{1b}]0;root@host\u{7}# ", "# "),
            ("\u{1b}]0;title\u{1b}\\x", "x"),
            ("\u{1b}(B\u{1b}7a\u{1b}8", "a"),
            ("\u{1b}[2J\u{1b}[H\u{1b}[6nabc", "abc"),
            ("\0\u{7}x\u{8}y", "xy"),
            ("gr\u{fc}n", "gr\u{fc}n"),
        ] {
            assert_eq!(cleaned(sent.as_bytes()), text, "{sent:?}");
        }
    }

    #[test]
    fn a_string_without_an_end_does_not_swallow_the_rest() {
        let sent = format!("\u{1b}]0;{}\nlogin: ", "x".repeat(5000));
        assert!(cleaned(sent.as_bytes()).ends_with("\nlogin: "));
    }

    #[test]
    fn bytes_that_are_no_characters_become_marks() {
        assert_eq!(cleaned(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(cleaned(b"a\x80\x80\x80\x80b"), format!("a{}b", "\u{fffd}".repeat(4)));
    }

    proptest! {
        #[test]
        fn it_does_not_matter_where_the_pieces_end(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0usize..200) {
            let cut = cut.min(bytes.len());
            let mut cleaner = Cleaner::default();
            let pieces = cleaner.feed(&bytes[..cut]) + &cleaner.feed(&bytes[cut..]);
            // Only what a broken character at a cut becomes may differ.
            prop_assert_eq!(pieces.replace('\u{fffd}', ""), cleaned(&bytes).replace('\u{fffd}', ""));
        }

        #[test]
        fn no_control_is_left(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bad = |c: char| c.is_ascii_control() && c != '\n' && c != '\t';
            prop_assert!(!cleaned(&bytes).contains(bad));
        }
    }
}
