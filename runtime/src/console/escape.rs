//! What is typed, watched for the tilde escapes: `~.` at the start of a line leaves.
//!
//! A pure state machine: a byte in, what is to be done out. It knows no terminal and no socket.

/// What a typed byte means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A tilde that may begin an escape; the next byte decides.
    Held,
    Pass(u8),
    /// The tilde that was held was only a tilde: it goes first, then this byte.
    PassWithTilde(u8),
    Help,
    Leave,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    LineStart,
    BehindTilde,
    InLine,
}

#[derive(Debug)]
pub struct Escape {
    place: Place,
}

impl Escape {
    pub fn new() -> Self {
        Escape { place: Place::LineStart }
    }

    pub fn feed(&mut self, byte: u8) -> Step {
        let (place, step) = match (self.place, byte) {
            (Place::LineStart, b'~') => (Place::BehindTilde, Step::Held),
            (Place::BehindTilde, b'.') => (Place::LineStart, Step::Leave),
            (Place::BehindTilde, b'?') => (Place::LineStart, Step::Help),
            (Place::BehindTilde, b'~') => (Place::InLine, Step::Pass(b'~')),
            (Place::BehindTilde, _) => (after(byte), Step::PassWithTilde(byte)),
            (Place::LineStart | Place::InLine, _) => (after(byte), Step::Pass(byte)),
        };
        self.place = place;
        step
    }

    /// There is no half-typed line any more: the other side is a new one.
    pub fn new_line(&mut self) {
        if self.place == Place::InLine {
            self.place = Place::LineStart;
        }
    }
}

impl Default for Escape {
    fn default() -> Self {
        Escape::new()
    }
}

/// A terminal in raw mode sends a carriage return for the Enter key.
fn after(byte: u8) -> Place {
    if matches!(byte, b'\r' | b'\n') { Place::LineStart } else { Place::InLine }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What reaches the guest, with `<leave>` and `<help>` where those were asked for.
    fn typed(input: &str) -> String {
        let mut escape = Escape::new();
        let mut got = String::new();
        for byte in input.bytes() {
            match escape.feed(byte) {
                Step::Held => {}
                Step::Pass(b) => got.push(char::from(b)),
                Step::PassWithTilde(b) => got.extend(['~', char::from(b)]),
                Step::Help => got.push_str("<help>"),
                Step::Leave => got.push_str("<leave>"),
            }
        }
        got
    }

    #[test]
    fn tilde_escapes_count_at_the_start_of_a_line_only() {
        for (input, wanted) in [
            ("~.", "<leave>"),
            ("ls\r~.", "ls\r<leave>"),
            ("ls\n~.", "ls\n<leave>"),
            ("\r\n~.", "\r\n<leave>"),
            ("ls ~.", "ls ~."),
            ("x~.\r", "x~.\r"),
            ("~?", "<help>"),
            ("~?~.", "<help><leave>"),
            ("~~", "~"),
            ("~~.", "~."),
            ("~~~.", "~~."),
            ("~/bin\r", "~/bin\r"),
            ("~\r~.", "~\r<leave>"),
            ("~x~.", "~x~."),
            ("cd ~\r", "cd ~\r"),
            ("a\r~", "a\r"),
        ] {
            assert_eq!(typed(input), wanted, "{input:?}");
        }
    }

    #[test]
    fn a_new_other_side_begins_a_new_line_and_forgets_no_tilde() {
        let mut escape = Escape::new();
        escape.feed(b'x');
        escape.new_line();
        assert_eq!(escape.feed(b'~'), Step::Held);
        escape.new_line();
        assert_eq!(escape.feed(b'.'), Step::Leave);
    }

    proptest! {
        /// Every byte can be sent, and arrives unchanged, when tildes at line starts are doubled.
        #[test]
        fn doubled_tildes_carry_any_bytes_unchanged(bytes in prop::collection::vec(prop::sample::select(vec![b'~', b'.', b'?', b'\r', b'\n', b'a', 0, 0xff]), 0..64)) {
            let mut escape = Escape::new();
            let (mut got, mut line_start) = (Vec::new(), true);
            for &byte in &bytes {
                let doubled = line_start && byte == b'~';
                for _ in 0..=u8::from(doubled) {
                    match escape.feed(byte) {
                        Step::Held => {}
                        Step::Pass(b) => got.push(b),
                        other => prop_assert!(false, "{other:?}"),
                    }
                }
                line_start = matches!(byte, b'\r' | b'\n');
            }
            prop_assert_eq!(got, bytes);
        }

        /// What the steps say, written out again, is what was typed: nothing vanishes and nothing is made up.
        #[test]
        fn no_byte_is_lost_or_made_up(bytes in prop::collection::vec(prop::sample::select(b"~.?\r\nx".to_vec()), 0..64)) {
            let mut escape = Escape::new();
            let (mut again, mut held) = (Vec::new(), false);
            for &byte in &bytes {
                let step = escape.feed(byte);
                match step {
                    Step::Held => {}
                    Step::Pass(b) if held => again.extend([b'~', b]),
                    Step::Pass(b) => again.push(b),
                    Step::PassWithTilde(b) => again.extend([b'~', b]),
                    Step::Help => again.extend(b"~?"),
                    Step::Leave => again.extend(b"~."),
                }
                held = step == Step::Held;
            }
            if held {
                again.push(b'~');
            }
            prop_assert_eq!(again, bytes);
        }
    }
}
