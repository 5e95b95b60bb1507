//! Reading one value of a property, as its row of the table says.
//!
//! The text counts, not the type SMF has stored it under: an older manifest that kept a number as a string goes on
//! working. So numbers and booleans are read in every form in which SMF itself would have taken them. Nothing here
//! knows levels, defaults or other settings.

use std::path::PathBuf;

use thiserror::Error;

use super::table::{Domain, Word};
use crate::smf::svcprop::Property;

/// A value that is right for its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Flag(bool),
    Number(i64),
    Word(&'static Word),
    Text(String),
    Path(PathBuf),
    Words(Vec<String>),
    Codes(Vec<i32>),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ValueError {
    #[error("{0:?} is neither true nor false")]
    Boolean(String),
    #[error("{0:?} is not a whole number")]
    Number(String),
    #[error("{value} is not a number from {min} to {max}")]
    Range { value: i64, min: i64, max: i64 },
    #[error("{value:?} is none of {allowed}")]
    Word { value: String, allowed: String },
    #[error("{0:?} is not the absolute path of a file")]
    Path(String),
    #[error("{0:?} has a quote without its end")]
    OpenQuote(String),
    #[error("{0:?} ends in a backslash that quotes nothing")]
    LoneBackslash(String),
    #[error("{0:?} is not an exit code from 0 to 255")]
    Code(String),
    #[error("{0:?} is not the name of a signal that can be caught, such as SIGTERM")]
    Signal(String),
    #[error("{0:?} is neither the name of a ZFS dataset nor an absolute mount point")]
    Dataset(String),
    #[error("{0:?} is not up to {SNAPSHOT_PREFIX_MAX} letters, digits and _ . : -")]
    SnapshotPrefix(String),
    #[error("{0:?} has control characters in it")]
    Control(String),
    #[error("it has {0} values where one is meant")]
    Many(usize),
}

/// Leaves room for the VM's name, stage, state and time in the 255 bytes of a ZFS name.
const SNAPSHOT_PREFIX_MAX: usize = 64;

/// The value of a property; `None` where it is explicitly empty, which means "the automatic one".
pub fn of_property(domain: &Domain, property: &Property) -> Result<Option<Value>, ValueError> {
    let joined;
    let text = match property.values.as_slice() {
        [] => return Ok(None),
        [value] => value,
        values if domain.is_list() => {
            joined = values.join(" ");
            &joined
        }
        values => return Err(ValueError::Many(values.len())),
    };
    if text.trim().is_empty() { Ok(None) } else { of_text(domain, text).map(Some) }
}

/// The value that a text stands for.
pub fn of_text(domain: &Domain, text: &str) -> Result<Value, ValueError> {
    match domain {
        Domain::YesNo => boolean(text).map(Value::Flag),
        Domain::Integer { min, max } => within(integer(text)?, *min, *max).map(Value::Number),
        Domain::Words { words, any_case, .. } => word(words, *any_case, text).map(Value::Word),
        Domain::Path => path(text).map(Value::Path),
        Domain::WordsOrPath(words) => {
            word(words, false, text).map(Value::Word).or_else(|_| path(text).map(Value::Path))
        }
        Domain::ShellWords => shell_words(text).map(Value::Words),
        Domain::ExitCodes => text.split_whitespace().map(exit_code).collect::<Result<_, _>>().map(Value::Codes),
        Domain::Signals => text.split_whitespace().map(signal).collect::<Result<_, _>>().map(Value::Words),
        Domain::Datasets(words) => word(words, false, text.trim()).map(Value::Word).or_else(|_| datasets(text)),
        Domain::SnapshotPrefix => snapshot_prefix(text).map(Value::Text),
        Domain::Text => printable(text).map(|text| Value::Text(text.to_string())),
    }
}

/// A boolean in the spellings SMF takes.
pub fn boolean(text: &str) -> Result<bool, ValueError> {
    match text {
        "true" | "t" | "1" => Ok(true),
        "false" | "f" | "0" => Ok(false),
        _ => Err(ValueError::Boolean(text.to_string())),
    }
}

/// An integer as SMF takes it, by strtoll(3C) with base 0: blanks before it, a sign, 0x for hexadecimal, 0 for octal.
pub fn integer(text: &str) -> Result<i64, ValueError> {
    let wrong = || ValueError::Number(text.to_string());
    let unspaced = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (negative, unsigned) = match unspaced.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, unspaced.strip_prefix('+').unwrap_or(unspaced)),
    };
    let (digits, radix) = match unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if unsigned.starts_with('0') => (unsigned, 8),
        None => (unsigned, 10),
    };
    // from_str_radix would take one more sign.
    if !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(wrong());
    }
    let magnitude = i128::from_str_radix(digits, radix).map_err(|_| wrong())?;
    i64::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| wrong())
}

fn within(value: i64, min: i64, max: i64) -> Result<i64, ValueError> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(ValueError::Range { value, min, max }) }
}

fn word(words: &'static [Word], any_case: bool, text: &str) -> Result<&'static Word, ValueError> {
    let same = |spelling: &str| if any_case { spelling.eq_ignore_ascii_case(text) } else { spelling == text };
    words.iter().find(|word| word.spellings().any(same)).ok_or_else(|| ValueError::Word {
        value: text.to_string(),
        allowed: words.iter().map(|word| word.canonical).collect::<Vec<_>>().join(", "),
    })
}

fn path(text: &str) -> Result<PathBuf, ValueError> {
    if text.starts_with('/') && !text.ends_with('/') && !text.contains(char::is_control) {
        Ok(PathBuf::from(text))
    } else {
        Err(ValueError::Path(text.to_string()))
    }
}

/// Splits text into words by a shell's rules of quoting, and does nothing else a shell would do.
pub fn shell_words(text: &str) -> Result<Vec<String>, ValueError> {
    let mut words = Vec::new();
    // `Some` from the first character or quote of a word on, so that '' is a word.
    let mut current: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            c if c.is_ascii_whitespace() => words.extend(current.take()),
            '\'' => quoted(&mut chars, current.get_or_insert_default(), text)?,
            '"' => double_quoted(&mut chars, current.get_or_insert_default(), text)?,
            '\\' => match chars.next() {
                // A backslash before a newline continues the line.
                Some('\n') => (),
                Some(c) => current.get_or_insert_default().push(c),
                None => return Err(ValueError::LoneBackslash(text.to_string())),
            },
            c => current.get_or_insert_default().push(c),
        }
    }
    words.extend(current);
    Ok(words)
}

fn quoted(chars: &mut std::str::Chars, word: &mut String, text: &str) -> Result<(), ValueError> {
    for c in chars {
        match c {
            '\'' => return Ok(()),
            c => word.push(c),
        }
    }
    Err(ValueError::OpenQuote(text.to_string()))
}

fn double_quoted(chars: &mut std::str::Chars, word: &mut String, text: &str) -> Result<(), ValueError> {
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => match chars.next() {
                Some('\n') => (),
                Some(c @ ('$' | '`' | '"' | '\\')) => word.push(c),
                Some(c) => word.extend(['\\', c]),
                None => break,
            },
            c => word.push(c),
        }
    }
    Err(ValueError::OpenQuote(text.to_string()))
}

fn exit_code(text: &str) -> Result<i32, ValueError> {
    let code = text.parse::<u8>().map_err(|_| ValueError::Code(text.to_string()))?;
    Ok(i32::from(code))
}

const SIGNALS: [&str; 9] =
    ["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGUSR1", "SIGUSR2"];

/// The signal's full name. A shell's `trap` takes `TERM` for `SIGTERM`, so existing lists may say that.
fn signal(text: &str) -> Result<String, ValueError> {
    let bare = text.strip_prefix("SIG").unwrap_or(text);
    let known = SIGNALS.iter().find(|name| name.strip_prefix("SIG") == Some(bare));
    known.map(|name| name.to_string()).ok_or_else(|| ValueError::Signal(text.to_string()))
}

fn datasets(text: &str) -> Result<Value, ValueError> {
    // A `-` among others adds nothing.
    let names = text.split_whitespace().filter(|&name| name != "-");
    names.map(dataset).collect::<Result<_, _>>().map(Value::Words)
}

fn dataset(text: &str) -> Result<String, ValueError> {
    let mount_point = text.starts_with('/') && !text.contains(char::is_control);
    let name = text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.:/%".contains(c));
    if mount_point || name { Ok(text.to_string()) } else { Err(ValueError::Dataset(text.to_string())) }
}

fn snapshot_prefix(text: &str) -> Result<String, ValueError> {
    let right = text.chars().all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c));
    if right && (1..=SNAPSHOT_PREFIX_MAX).contains(&text.len()) {
        Ok(text.to_string())
    } else {
        Err(ValueError::SnapshotPrefix(text.to_string()))
    }
}

fn printable(text: &str) -> Result<&str, ValueError> {
    if text.contains(char::is_control) { Err(ValueError::Control(text.to_string())) } else { Ok(text) }
}

impl std::fmt::Display for Value {
    /// The value as an administrator would set it. Words with blanks are quoted, so that [`shell_words`] reads them back.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Word(word) => f.write_str(word.canonical),
            Value::Text(text) => f.write_str(text),
            Value::Path(path) => write!(f, "{}", path.display()),
            Value::Words(words) => {
                f.write_str(&words.iter().map(|word| shell_quoted(word)).collect::<Vec<_>>().join(" "))
            }
            Value::Codes(codes) => f.write_str(&codes.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")),
        }
    }
}

fn shell_quoted(word: &str) -> String {
    let plain = |c: char| !c.is_ascii_whitespace() && !"'\"\\".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests;
