//! Text as troff takes it: nothing in it is a request, an escape or a hyphen that copies as another character.

/// Words between backticks become bold; all else comes out as it is.
pub fn text(plain: &str) -> String {
    let mut out = String::with_capacity(plain.len());
    let mut line_begins = true;
    let mut bold = false;
    for c in plain.chars() {
        if line_begins && matches!(c, '.' | '\'') {
            out.push_str("\\&");
        }
        line_begins = c == '\n';
        match c {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '~' => out.push_str("\\(ti"),
            '^' => out.push_str("\\(ha"),
            '`' => {
                bold = !bold;
                out.push_str(if bold { "\\fB" } else { "\\fR" });
            }
            c => out.push(c),
        }
    }
    if bold {
        out.push_str("\\fR");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_for_a_request_or_an_escape() {
        assert_eq!(text(".TH x"), "\\&.TH x");
        assert_eq!(text("a\n'b"), "a\n\\&'b");
        assert_eq!(text("C:\\x"), "C:\\ex");
        assert_eq!(text("--svc ~."), "\\-\\-svc \\(ti.");
    }

    #[test]
    fn words_between_backticks_are_bold_and_bold_ends_with_the_text() {
        assert_eq!(text("run `vboxsvc stop` now"), "run \\fBvboxsvc stop\\fR now");
        assert_eq!(text("run `x"), "run \\fBx\\fR");
    }
}
