//! The lexer of svccfg(8): words, strings, and the few tokens between them.

/// svccfg joins its arguments in a buffer of this size, its NUL included, and says nothing when they do not fit.
const COMMAND_LINE: usize = 2048;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// Still with its first and last quote, without the backslashes.
    Text(String),
    Redirect,
    Equals,
    Open,
    Close,
    Newline,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized character {0}")]
pub struct Unrecognized(pub char);

/// What becomes of command-line arguments: joined with blanks, and cut off.
pub fn join(args: &[String]) -> Vec<u8> {
    let mut line = args.join(" ").into_bytes();
    line.truncate(COMMAND_LINE - 1);
    line
}

/// Splits a whole input into tokens, each with its line; the end counts as a newline.
pub fn lex(input: &str) -> (Vec<(Token, usize)>, Option<Unrecognized>) {
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut rest = input;
    while let Some(first) = rest.chars().next() {
        let used = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            ' ' | '\t' => 1,
            '\n' => {
                tokens.push((Token::Newline, line));
                line += 1;
                1
            }
            '>' | '=' | '(' | ')' => {
                let token = match first {
                    '>' => Token::Redirect,
                    '=' => Token::Equals,
                    '(' => Token::Open,
                    _ => Token::Close,
                };
                tokens.push((token, line));
                1
            }
            '"' => {
                let Some(length) = string_length(rest) else {
                    return (tokens, Some(Unrecognized('"')));
                };
                let raw = &rest[..length];
                tokens.push((Token::Text(without_backslashes(raw)), line));
                line += raw.matches('\n').count();
                length
            }
            _ => {
                let length = rest.find([' ', '\t', '\n', '"', '>', '=', '(', ')']).unwrap_or(rest.len());
                tokens.push((Token::Word(rest[..length].into()), line));
                length
            }
        };
        rest = &rest[used..];
    }
    tokens.push((Token::Newline, line));
    (tokens, None)
}

/// The length of the string that begins here, up to and with its closing quote.
fn string_length(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn without_backslashes(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(input: &str) -> Vec<Token> {
        lex(input).0.into_iter().map(|(t, _)| t).collect()
    }

    #[test]
    fn only_backslash_and_quote_matter_in_strings() {
        let word = |w: &str| Token::Word(w.into());
        assert_eq!(
            words(r#"setprop vm/name = astring: "a \"b\" \\ $c""#),
            [
                word("setprop"),
                word("vm/name"),
                Token::Equals,
                word("astring:"),
                Token::Text(r#""a "b" \ $c""#.into()),
                Token::Newline
            ]
        );
        assert_eq!(
            words("a=(b\\c)"),
            [word("a"), Token::Equals, Token::Open, word("b\\c"), Token::Close, Token::Newline]
        );
    }

    #[test]
    fn comments_start_only_at_a_token() {
        assert_eq!(words("# all\na#b"), [Token::Newline, Token::Word("a#b".into()), Token::Newline]);
    }

    #[test]
    fn lines_are_counted_through_strings() {
        let (tokens, _) = lex("a \"x\ny\"\nb");
        assert_eq!(tokens.last(), Some(&(Token::Newline, 3)));
    }

    #[test]
    fn an_open_string_is_an_unrecognized_character() {
        assert_eq!(lex("a \"b").1, Some(Unrecognized('"')));
    }

    #[test]
    fn a_long_command_line_is_cut_off_silently() {
        assert_eq!(join(&["a".repeat(2046), "bc".into()]).len(), 2047);
    }

    proptest! {
        #[test]
        fn any_value_survives_quoting(value in "[^\u{0}]{0,80}") {
            let quoted = format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
            prop_assert_eq!(words(&quoted), vec![Token::Text(format!("\"{value}\"")), Token::Newline]);
        }

        #[test]
        fn no_input_is_lexed_badly_enough_to_panic(input in ".*") {
            lex(&input);
        }
    }
}
