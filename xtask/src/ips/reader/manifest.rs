//! Manifests as pkg parses them: lines to actions, with every line that pkg would call malformed a finding.

use crate::finding::Findings;

const KNOWN: [&str; 13] = [
    "depend",
    "dir",
    "driver",
    "file",
    "group",
    "hardlink",
    "legacy",
    "license",
    "link",
    "set",
    "signature",
    "unknown",
    "user",
];
/// The kinds of actions that name a payload before their attributes.
const WITH_PAYLOAD: [&str; 3] = ["file", "license", "signature"];

/// More values than any action has; keeps comparisons of two actions in bounds.
const MOST_ATTRIBUTES: usize = 10_000;

/// An action as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadAction {
    /// Line of the manifest it begins on, from 1.
    pub line: usize,
    pub kind: String,
    /// The positional hash: the payload's name in the archive.
    pub hash: Option<String>,
    /// In the manifest's order; a list has its attribute once for each value.
    pub attributes: Vec<(String, String)>,
}

impl ReadAction {
    pub fn values<'a>(&'a self, attribute: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes.iter().filter(move |(key, _)| key == attribute).map(|(_, value)| value.as_str())
    }

    pub fn value(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == attribute).map(|(_, value)| value.as_str())
    }

    pub(super) fn has_payload(&self) -> bool {
        WITH_PAYLOAD.contains(&self.kind.as_str())
    }
}

/// Reads a whole manifest. Lines that are not actions become findings and are left out.
pub(super) fn parse(text: &str, place: &str, findings: &mut Findings) -> Vec<ReadAction> {
    let mut actions = Vec::new();
    let mut joined = String::new();
    let mut first_line = 1;
    for (i, line) in text.split('\n').enumerate() {
        if joined.is_empty() {
            first_line = i + 1;
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        let continued = line.strip_suffix('\\');
        joined.push_str(continued.unwrap_or(line));
        if continued.is_some() {
            continue;
        }
        let whole = std::mem::take(&mut joined);
        let whole = whole.trim_start_matches([' ', '\t']);
        if whole.is_empty() || whole.starts_with('#') {
            continue;
        }
        match action(whole, first_line) {
            Ok(action) => actions.push(action),
            Err((id, message)) => findings.error(id, format!("{place} line {first_line}"), message),
        }
    }
    if !joined.is_empty() {
        findings.error("action-malformed", place, "the last line is to be continued and is not");
    }
    actions
}

type Refusal = (&'static str, String);

fn malformed<T>(message: impl Into<String>) -> Result<T, Refusal> {
    Err(("action-malformed", message.into()))
}

fn action(text: &str, line: usize) -> Result<ReadAction, Refusal> {
    // Python's splitlines breaks a manifest at these too.
    let breaks = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if let Some(c) = text.chars().find(|c| breaks(*c)) {
        return malformed(format!("control character U+{:04X}", u32::from(c)));
    }
    let Some(end) = text.find([' ', '\t']) else { return malformed("an action without attributes") };
    let (kind, mut rest) = text.split_at(end);
    if !KNOWN.contains(&kind) {
        return Err(("action-unknown", format!("unknown action {kind:?}")));
    }
    let payload_allowed = WITH_PAYLOAD.contains(&kind);
    let mut action = ReadAction { line, kind: kind.to_owned(), hash: None, attributes: Vec::new() };
    let mut after_quoted = false;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        let Some(next) = rest.chars().next() else { break };
        if action.attributes.len() == MOST_ATTRIBUTES {
            return malformed(format!("more than {MOST_ATTRIBUTES} values"));
        }
        if after_quoted && (next == '"' || next == '\'') {
            // Quoted values that follow each other are one.
            let (more, after) = quoted(rest, next)?;
            if let Some((_, value)) = action.attributes.last_mut() {
                value.push_str(&more);
            }
            rest = after;
            continue;
        }
        let Some(stop) = rest.find(['=', ' ', '\t', '"', '\'']) else {
            return malformed(format!("{rest:?} has no value"));
        };
        let (key, after) = rest.split_at(stop);
        match after.chars().next() {
            Some('=') if key.is_empty() => return malformed("a value without an attribute"),
            Some('=') => {}
            Some('"' | '\'') => return malformed("a quote in an attribute's name"),
            _ if action.hash.is_none() && action.attributes.is_empty() => {
                if !payload_allowed {
                    return malformed(format!("{kind} actions have no payload, but {key:?} stands for one"));
                }
                action.hash = Some(key.to_owned());
                rest = after;
                continue;
            }
            _ => return malformed(format!("{key:?} has no value")),
        }
        let (value, after, was_quoted) = value(after.strip_prefix('=').unwrap_or(after), key)?;
        after_quoted = was_quoted;
        rest = after;
        match key {
            "data" => return malformed("no attribute may be called data"),
            "hash" if !payload_allowed => return malformed(format!("{kind} actions have no payload, but a hash")),
            "hash" if action.hash.as_ref().is_some_and(|hash| *hash != value) => {
                return malformed("attribute hash differs from the positional hash");
            }
            "hash" => action.hash = Some(value),
            _ => action.attributes.push((key.to_owned(), value)),
        }
    }
    // Blanks behind the hash make it no other action than none does.
    if action.attributes.is_empty() {
        return malformed("an action without attributes");
    }
    name_a_bare_set(&mut action);
    Ok(action)
}

fn value<'a>(text: &'a str, key: &str) -> Result<(String, &'a str, bool), Refusal> {
    match text.chars().next() {
        None | Some(' ' | '\t') => malformed(format!("{key:?} has no value")),
        Some(quote @ ('"' | '\'')) => quoted(text, quote).map(|(value, rest)| (value, rest, true)),
        Some(_) => {
            let (value, rest) = text.split_at(text.find([' ', '\t']).unwrap_or(text.len()));
            Ok((value.to_owned(), rest, false))
        }
    }
}

/// A quoted value and what follows it. A backslash escapes the quote in use and itself, and else stands for itself.
fn quoted(text: &str, quote: char) -> Result<(String, &str), Refusal> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next_if(|(_, next)| *next == quote || *next == '\\') {
                Some((_, escaped)) => value.push(escaped),
                None => value.push('\\'),
            },
            // pkg reads it, but writes it back without quotes and then cannot read it.
            '\t' => return malformed("a tab inside a value"),
            c if c == quote => return Ok((value, text.get(at + c.len_utf8()..).unwrap_or_default())),
            c => value.push(c),
        }
    }
    malformed("a quoted value without an end")
}

/// `set a=b` is short for `set name=a value=b`.
fn name_a_bare_set(action: &mut ReadAction) {
    if action.kind != "set" {
        return;
    }
    if let [(name, value)] = action.attributes.as_slice() {
        action.attributes = vec![("name".to_owned(), name.clone()), ("value".to_owned(), value.clone())];
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> ReadAction {
        let mut findings = Findings::default();
        let mut actions = parse(text, "m", &mut findings);
        assert_eq!((findings.into_vec(), actions.len()), (vec![], 1), "{text:?}");
        actions.remove(0)
    }

    fn refused(text: &str) -> &'static str {
        let mut findings = Findings::default();
        assert_eq!(parse(text, "m", &mut findings), [], "{text:?}");
        findings.into_vec().first().unwrap_or_else(|| panic!("{text:?} passes")).id
    }

    #[test]
    fn attributes_hash_and_lists_are_read() {
        let action = one("file abc path=a pkg.content-hash=x pkg.content-hash=y owner=root");
        assert_eq!(action.hash.as_deref(), Some("abc"));
        assert_eq!(action.value("path"), Some("a"));
        assert_eq!(action.values("pkg.content-hash").collect::<Vec<_>>(), ["x", "y"]);
    }

    #[test]
    fn quotes_and_escapes_are_undone() {
        let value = |text: &str| one(&format!("set name=n value={text}")).value("value").unwrap().to_owned();
        assert_eq!(value("\"a b\""), "a b");
        assert_eq!(value("'a \"b\"'"), "a \"b\"");
        assert_eq!(value("\"it's \\\"x\\\"\""), "it's \"x\"");
        assert_eq!(value("\"a\\\\b\\c\""), "a\\b\\c");
        assert_eq!(value("a\\\\b"), "a\\\\b");
        assert_eq!(value("\"\""), "");
        assert_eq!(value("=\u{e9}"), "=\u{e9}");
        assert_eq!(value("\"a\" 'b'"), "ab");
    }

    #[test]
    fn comments_blank_lines_continuations_tabs_and_carriage_returns_are_accepted() {
        let text = "# c\r\n\r\n  set name=a \\\r\n    value=b\r\ndir\tpath=p\towner=root group=sys mode=0755\n";
        let mut findings = Findings::default();
        let actions = parse(text, "m", &mut findings);
        assert_eq!(findings.into_vec(), []);
        assert_eq!(actions.iter().map(|a| (a.line, a.kind.as_str())).collect::<Vec<_>>(), [(3, "set"), (5, "dir")]);
        assert_eq!(actions[0].value("value"), Some("b"));
    }

    #[test]
    fn a_bare_set_names_its_attribute() {
        assert_eq!(one("set foo.bar=baz"), one("set name=foo.bar value=baz"));
    }

    #[test]
    fn malformed_lines_are_findings() {
        for text in [
            "set",
            "set name=a value",
            "set name=a value=",
            "set name=a value= b=c",
            "set =a",
            "set name=\"a",
            "set na\"me=a",
            "dir abc path=a",
            "dir hash=abc path=a",
            "file abc hash=def path=a",
            "file abc def path=a",
            "set name=a data=b",
            "set name=a value=\"b\tc\"",
            "set name=a value=b\u{1}",
            "set name=a value=b \\",
        ] {
            assert_eq!(refused(text), "action-malformed", "{text:?}");
        }
        assert_eq!(refused("frobnicate path=a"), "action-unknown");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(set|file|dir)? ?[ -~\\t\\n\\\\\"'=\u{e9}]{0,60}") {
            parse(&text, "m", &mut Findings::default());
        }
    }
}
