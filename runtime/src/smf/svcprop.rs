//! What `svcprop` prints, read back into properties.
//!
//! svcprop quotes for a shell and not for a shell: a backslash stands before `; & ( ) | ^ < > newline blank tab \ " ' ``
//! and before nothing else (`$ * ? [ ] # ~ !` come out raw), the empty string is `""`, and a newline in a value is a
//! backslash and a real newline. So the text is never given to a shell and never split at lines; it is unescaped here.
//! This module is given bytes and runs nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use thiserror::Error;

/// One property: its SMF type as a word, and its values (none, one or many).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Property {
    pub kind: String,
    pub values: Vec<String>,
}

/// Properties of one service or instance by `pg/property`, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, Property>);

impl Properties {
    pub fn get(&self, key: &str) -> Option<&Property> {
        self.0.get(key)
    }

    /// The value of a property that has exactly one.
    pub fn single(&self, key: &str) -> Option<&str> {
        match self.get(key)?.values.as_slice() {
            [value] => Some(value),
            _ => None,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Property)> {
        self.0.iter().map(|(key, property)| (key.as_str(), property))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn insert(&mut self, key: impl Into<String>, property: Property) -> Option<Property> {
        self.0.insert(key.into(), property)
    }
}

impl<K: Into<String>> FromIterator<(K, Property)> for Properties {
    fn from_iter<I: IntoIterator<Item = (K, Property)>>(properties: I) -> Self {
        Properties(properties.into_iter().map(|(key, property)| (key.into(), property)).collect())
    }
}

/// Why a record was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("svcprop output, line {line}: {fault}; the record is skipped")]
pub struct Malformed {
    /// Where the record begins, counted from 1.
    pub line: usize,
    pub fault: Fault,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Fault {
    #[error("the record has no newline at its end: the output was cut off")]
    CutOff,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("{0:?} is not of the form pg/property")]
    Name(String),
    #[error("{0} has no type")]
    NoType(String),
    #[error("{name} has the type {kind:?}, which SMF does not know")]
    UnknownType { name: String, kind: String },
    #[error("{0} has an empty place between two blanks, where \"\" would stand for an empty value")]
    EmptyPlace(String),
    #[error("{0} occurs twice")]
    Twice(String),
}

/// What one output held, good records and bad.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed<T> {
    pub found: T,
    pub malformed: Vec<Malformed>,
}

/// Reads the output of `svcprop` about one service or instance: `pg/prop type values` or
/// `FMRI/:properties/pg/prop type values`. A bad record is skipped and told; the others count.
pub fn parse(output: &[u8]) -> Parsed<Properties> {
    let mut found = Properties::default();
    let malformed = each_record(output, |record| add(&mut found, record));
    Parsed { found, malformed }
}

/// Reads the output of `svcprop` about several entities at once, by FMRI. Records that name no FMRI are under `""`.
pub fn parse_many(output: &[u8]) -> Parsed<BTreeMap<String, Properties>> {
    let mut found: BTreeMap<String, Properties> = BTreeMap::new();
    let malformed = each_record(output, |record| match found.get_mut(record.fmri) {
        Some(properties) => add(properties, record),
        None => add(found.entry(record.fmri.to_string()).or_default(), record),
    });
    Parsed { found, malformed }
}

struct Record<'a> {
    fmri: &'a str,
    key: &'a str,
    property: Property,
}

fn add(properties: &mut Properties, record: Record) -> Result<(), Fault> {
    match properties.0.entry(record.key.to_string()) {
        Entry::Occupied(_) => return Err(Fault::Twice(record.key.to_string())),
        Entry::Vacant(place) => place.insert(record.property),
    };
    Ok(())
}

/// Hands every record to `take`, and gives back what was wrong with those that could not be read or taken.
fn each_record<'a>(output: &'a [u8], mut take: impl FnMut(Record<'a>) -> Result<(), Fault>) -> Vec<Malformed> {
    let mut malformed = Vec::new();
    let mut line = 1;
    let mut rest = output;
    while !rest.is_empty() {
        let (raw, ended, after) = split_record(rest);
        if !raw.is_empty() || !ended {
            let record = if ended { read_record(raw) } else { Err(Fault::CutOff) };
            if let Err(fault) = record.and_then(&mut take) {
                malformed.push(Malformed { line, fault });
            }
        }
        line += raw.iter().filter(|&&byte| byte == b'\n').count() + 1;
        rest = after;
    }
    malformed
}

/// The bytes up to the first newline that no backslash stands before, whether there was one, and what follows.
fn split_record(bytes: &[u8]) -> (&[u8], bool, &[u8]) {
    let mut escaped = false;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte == b'\n' && !escaped {
            let (record, after) = bytes.split_at(at);
            return (record, true, after.get(1..).unwrap_or_default());
        }
        escaped = byte == b'\\' && !escaped;
    }
    (bytes, false, &[])
}

fn read_record(raw: &[u8]) -> Result<Record<'_>, Fault> {
    let text = std::str::from_utf8(raw).map_err(|_| Fault::NotUtf8)?;
    let mut places = split_places(text).into_iter();
    let designator = places.next().unwrap_or_default();
    let (fmri, name) = match designator.split_once("/:properties/") {
        Some((fmri, name)) => (fmri, name),
        None => ("", designator),
    };
    match name.split_once('/') {
        Some((pg, property)) if !pg.is_empty() && !property.is_empty() && !property.contains('/') => (),
        _ => return Err(Fault::Name(designator.to_string())),
    }
    let kind = places.next().ok_or_else(|| Fault::NoType(name.to_string()))?;
    if !TYPES.contains(&kind) {
        return Err(Fault::UnknownType { name: name.to_string(), kind: kind.to_string() });
    }
    let raw_values: Vec<&str> = places.collect();
    let values = match raw_values.as_slice() {
        // A property without values ends in the blank after its type.
        [] | [""] => Vec::new(),
        values if values.contains(&"") => return Err(Fault::EmptyPlace(name.to_string())),
        values => values.iter().map(|value| unescape(value)).collect(),
    };
    Ok(Record { fmri, key: name, property: Property { kind: kind.to_string(), values } })
}

/// Every type word that libscf prints.
const TYPES: [&str; 14] = [
    "count",
    "integer",
    "opaque",
    "host",
    "hostname",
    "net_address",
    "net_address_v4",
    "net_address_v6",
    "time",
    "astring",
    "ustring",
    "boolean",
    "fmri",
    "uri",
];

/// Splits at blanks that no backslash stands before.
fn split_places(text: &str) -> Vec<&str> {
    // As bytes, for there is much of it: blank and backslash are bytes that no other character has in it.
    let (mut places, mut begin, mut escaped) = (Vec::new(), 0, false);
    for (at, byte) in text.bytes().enumerate() {
        if byte == b' ' && !escaped {
            places.extend(text.get(begin..at));
            begin = at + 1;
        }
        escaped = byte == b'\\' && !escaped;
    }
    places.extend(text.get(begin..));
    places
}

fn unescape(raw: &str) -> String {
    if raw == "\"\"" {
        return String::new();
    }
    if !raw.contains('\\') {
        return raw.to_string();
    }
    let mut value = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        // A record never ends in a lone backslash (its newline would be escaped), so there is always a character.
        value.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    value
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(output: &str) -> Properties {
        let parsed = parse(output.as_bytes());
        assert_eq!(parsed.malformed, []);
        parsed.found
    }

    fn values(output: &str, key: &str) -> Vec<String> {
        read(output).get(key).unwrap().values.clone()
    }

    fn faults(output: &[u8]) -> Vec<(usize, Fault)> {
        parse(output).malformed.into_iter().map(|bad| (bad.line, bad.fault)).collect()
    }

    #[test]
    fn one_property_a_line_with_type_and_value() {
        let properties = read("vm/stop_timeout integer 600\nvm/nice integer -5\ngeneral/enabled boolean true\n");
        assert_eq!(properties.single("vm/stop_timeout"), Some("600"));
        assert_eq!(properties.single("vm/nice"), Some("-5"));
        assert_eq!(properties.get("general/enabled").unwrap().kind, "boolean");
        assert_eq!(properties.iter().count(), 3);
    }

    #[test]
    fn an_fmri_before_the_name_is_left_out_of_the_key() {
        let properties = read("svc:/site/xvm/vbox:win/:properties/vm/nice integer 3\n");
        assert_eq!(properties.single("vm/nice"), Some("3"));
    }

    #[test]
    fn several_instances_are_kept_apart() {
        let parsed = parse_many(
            b"svc:/site/xvm/vbox:a/:properties/vm/nice integer 1\nsvc:/site/xvm/vbox:b/:properties/vm/nice integer 2\n",
        );
        assert_eq!(parsed.malformed, []);
        assert_eq!(parsed.found["svc:/site/xvm/vbox:a"].single("vm/nice"), Some("1"));
        assert_eq!(parsed.found["svc:/site/xvm/vbox:b"].single("vm/nice"), Some("2"));
    }

    #[test]
    fn two_quotes_alone_are_an_empty_value() {
        assert_eq!(values("vm/timezone astring \"\"\n", "vm/timezone"), [""]);
        assert_eq!(values("vm/x astring \\\"\\\"\n", "vm/x"), ["\"\""]);
    }

    #[test]
    fn a_trailing_blank_is_a_property_without_values() {
        assert_eq!(values("vm/x astring \n", "vm/x"), [""; 0]);
        assert_eq!(read("vm/x astring \n").single("vm/x"), None);
    }

    #[test]
    fn escaped_blanks_stay_in_a_value_and_bare_ones_split() {
        let output = "vm/startgui_fg_trap_signals astring SIGHUP\\ SIGINT\nvm/codes astring 0 10 \\\"a\\\"\n";
        assert_eq!(values(output, "vm/startgui_fg_trap_signals"), ["SIGHUP SIGINT"]);
        assert_eq!(values(output, "vm/codes"), ["0", "10", "\"a\""]);
    }

    #[test]
    fn an_escaped_backslash_before_a_blank_does_not_escape_the_blank() {
        assert_eq!(values("vm/x astring a\\\\ b\n", "vm/x"), ["a\\", "b"]);
    }

    #[test]
    fn a_newline_in_a_value_does_not_end_the_record() {
        let output = "vm/x astring one\\\ntwo\nvm/bad\nvm/y astring z\n";
        let parsed = parse(output.as_bytes());
        assert_eq!(parsed.found.single("vm/x"), Some("one\ntwo"));
        assert_eq!(parsed.found.single("vm/y"), Some("z"));
        assert_eq!(faults(output.as_bytes()), [(3, Fault::NoType("vm/bad".into()))], "lines count real newlines");
    }

    #[test]
    fn characters_that_svcprop_never_escapes_come_through() {
        assert_eq!(values("vm/x astring $HOME*?[]#~!{}=\n", "vm/x"), ["$HOME*?[]#~!{}="]);
        assert_eq!(values("vm/x ustring Пёс\\ 🐕\n", "vm/x"), ["Пёс 🐕"]);
    }

    #[test]
    fn bad_records_are_skipped_and_told_and_the_rest_counts() {
        let output = b"nonsense\nvm/a integer 1\nvm/b blob 2\nvm/c astring a  b\nvm/d astring \xff\nvm/a integer 3\n";
        let parsed = parse(output);
        assert_eq!(parsed.found.iter().map(|(key, _)| key).collect::<Vec<_>>(), ["vm/a"]);
        assert_eq!(parsed.found.single("vm/a"), Some("1"));
        let expected = [
            (1, Fault::Name("nonsense".into())),
            (3, Fault::UnknownType { name: "vm/b".into(), kind: "blob".into() }),
            (4, Fault::EmptyPlace("vm/c".into())),
            (5, Fault::NotUtf8),
            (6, Fault::Twice("vm/a".into())),
        ];
        assert_eq!(faults(output), expected);
    }

    #[test]
    fn output_that_was_cut_off_gives_no_half_value() {
        let parsed = parse(b"vm/nice integer 1\nvm/stop_timeout integer 6");
        assert_eq!(parsed.found.get("vm/stop_timeout"), None);
        assert_eq!(parsed.malformed, [Malformed { line: 2, fault: Fault::CutOff }]);
        assert_eq!(faults(b"vm/x astring a\\\n"), [(1, Fault::CutOff)]);
    }

    /// What libscf does to a value before svcprop prints it.
    fn quote(value: &str) -> String {
        if value.is_empty() {
            return "\"\"".to_string();
        }
        let escaped = |c: char| ";&()|^<>\n \t\\\"'`".contains(c);
        value.chars().flat_map(|c| escaped(c).then_some('\\').into_iter().chain([c])).collect()
    }

    proptest! {
        #[test]
        fn what_svcprop_quotes_is_read_back(
            properties in prop::collection::btree_map(
                "[a-z]{1,6}/[a-z_]{1,9}",
                prop::collection::vec("[ \\PC\\n\\t\\\\\"';&|$]{0,9}", 0..4),
                0..8,
            )
        ) {
            let output: String = properties
                .iter()
                .map(|(key, values)| {
                    let quoted: Vec<String> = values.iter().map(|value| quote(value)).collect();
                    format!("{key} astring {}\n", quoted.join(" "))
                })
                .collect();
            let expected: Properties = properties
                .into_iter()
                .map(|(key, values)| (key, Property { kind: "astring".into(), values }))
                .collect();
            prop_assert_eq!(parse(output.as_bytes()), Parsed { found: expected, malformed: vec![] });
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (parse(&bytes), parse_many(&bytes));
        }

        #[test]
        fn bytes_of_the_grammar_are_read_without_a_panic(text in "([a/ \\\\\"\n]|astring|svc:/:properties/){0,40}") {
            let _ = (parse(text.as_bytes()), parse_many(text.as_bytes()));
        }
    }
}
