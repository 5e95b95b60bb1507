//! Reads a map, strictly: what pkgadd would misread, or read otherwise than it looks, is an error with its line.
//!
//! [`row`] reads one line and is what a checker calls to go on after a bad one; [`PkgMap::parse`] stops at the first.

use std::collections::BTreeSet;
use std::str::FromStr;

use thiserror::Error;

use super::{Attributes, DeviceKind, Entry, Facts, FileKind, Item, LinkKind, Object, PkgMap, Row};

/// A line that is not right.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("pkgmap line {line}: {problem}")]
pub struct MapError {
    pub line: usize,
    pub problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("the first line must be ': PARTS MAXSIZE'")]
    NoFirstLine,
    #[error("holds a carriage return, which pkgadd takes for part of the group's name")]
    CarriageReturn,
    #[error("fields must be separated by exactly one blank")]
    Spacing,
    #[error("does not begin with the number of the part: pkgadd would install nothing")]
    VolumeMissing,
    #[error("part {volume} is not among the {parts} of the first line")]
    VolumeOutOfRange { volume: u32, parts: u32 },
    #[error("unknown type {0:?}")]
    UnknownType(String),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{field} {value:?} is not a decimal number")]
    NotANumber { field: &'static str, value: String },
    #[error("mode {0:?} is not octal with at most 12 bits")]
    Mode(String),
    #[error("extra field {0:?} at the end")]
    Extra(String),
    #[error("a link needs path=target")]
    NoTarget,
    #[error("the path holds =, which only a link may")]
    UnexpectedTarget,
    #[error("path {path:?} {problem}")]
    UnsafePath { path: String, problem: &'static str },
    #[error("path {0:?} is there twice")]
    Duplicate(String),
    #[error("path {0:?} sorts before the line above it")]
    Unsorted(String),
    #[error("the last line has no newline")]
    NoFinalNewline,
}

impl PkgMap {
    /// Reads a whole map and wants it just as pkgmk writes one.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        let at = |line, problem| MapError { line, problem };
        let mut lines = text.split_inclusive('\n').zip(1..);
        let (line, _) = lines.next().ok_or(at(1, Problem::NoFirstLine))?;
        let (parts, maxsize, compressed) = first_line(body(line)).map_err(|problem| at(1, problem))?;
        let mut map = Self { parts, maxsize, compressed, rows: Vec::new() };
        let mut seen = BTreeSet::new();
        for (line, number) in lines {
            if !line.ends_with('\n') {
                return Err(at(number, Problem::NoFinalNewline));
            }
            let row = row(body(line)).map_err(|problem| at(number, problem))?;
            if row.volume == 0 || row.volume > parts {
                return Err(at(number, Problem::VolumeOutOfRange { volume: row.volume, parts }));
            }
            let path = row.item.path().to_owned();
            if let Some(problem) = unsafe_path(&path) {
                return Err(at(number, Problem::UnsafePath { path, problem }));
            }
            if seen.last().is_some_and(|last| *last > path) {
                return Err(at(number, Problem::Unsorted(path)));
            }
            if !seen.insert(path.clone()) {
                return Err(at(number, Problem::Duplicate(path)));
            }
            map.rows.push(row);
        }
        Ok(map)
    }
}

/// Says why a path must not be used to make a file: it would leave its folder, or name none.
pub fn unsafe_path(path: &str) -> Option<&'static str> {
    let relative = path.strip_prefix('/').unwrap_or(path);
    if relative.is_empty() {
        return Some("is empty");
    }
    if relative.contains('\0') {
        return Some("holds a NUL");
    }
    relative.split('/').find_map(|component| match component {
        "" => Some("has an empty component"),
        "." => Some("has a . component"),
        ".." => Some("has a .. component"),
        _ => None,
    })
}

fn body(line: &str) -> &str {
    line.strip_suffix('\n').unwrap_or(line)
}

/// Reads `: PARTS MAXSIZE[ COMPRESSED]`.
pub fn first_line(line: &str) -> Result<(u32, u64, Option<u64>), Problem> {
    let mut fields = Fields::new(line.strip_prefix(": ").ok_or(Problem::NoFirstLine)?)?;
    let parts = fields.number("number of parts")?;
    let maxsize = fields.number("maxsize")?;
    let compressed = fields.next().map(|value| parse_number("compressed size", value)).transpose()?;
    fields.end()?;
    Ok((parts, maxsize, compressed))
}

/// Reads any line but the first.
pub fn row(line: &str) -> Result<Row, Problem> {
    if line.contains('\r') {
        return Err(Problem::CarriageReturn);
    }
    if !line.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Problem::VolumeMissing);
    }
    let mut fields = Fields::new(line)?;
    let volume = fields.number("part number")?;
    let letter = fields.word("type")?;
    let item = if letter == "i" { info(&mut fields)? } else { Item::Object(entry(letter, &mut fields)?) };
    fields.end()?;
    Ok(Row { volume, item })
}

fn info(fields: &mut Fields) -> Result<Item, Problem> {
    let name = fields.word("name")?.to_owned();
    if name.contains('=') {
        return Err(Problem::UnexpectedTarget);
    }
    let facts = if fields.is_empty() { None } else { Some(fields.facts()?) };
    Ok(Item::Info { name, facts })
}

fn entry(letter: &str, fields: &mut Fields) -> Result<Entry<Facts>, Problem> {
    if !matches!(letter, "d" | "x" | "f" | "e" | "v" | "s" | "l" | "p" | "c" | "b") {
        return Err(Problem::UnknownType(letter.to_owned()));
    }
    let class = fields.word("class")?.to_owned();
    let word = fields.word("path")?;
    let (path, target) = match word.split_once('=') {
        Some((path, target)) => (path, Some(target)),
        None => (word, None),
    };
    let object = match (letter, target) {
        ("s" | "l", None | Some("")) => return Err(Problem::NoTarget),
        ("s", Some(target)) => Object::Link { kind: LinkKind::Symbolic, target: target.to_owned() },
        ("l", Some(target)) => Object::Link { kind: LinkKind::Hard, target: target.to_owned() },
        (_, Some(_)) => return Err(Problem::UnexpectedTarget),
        ("c" | "b", None) => {
            let kind = if letter == "c" { DeviceKind::Character } else { DeviceKind::Block };
            let (major, minor) = (fields.number("major number")?, fields.number("minor number")?);
            Object::Device { kind, major, minor, attributes: fields.attributes()? }
        }
        ("p", None) => Object::Fifo { attributes: fields.attributes()? },
        ("d" | "x", None) => Object::Directory { exclusive: letter == "x", attributes: fields.attributes()? },
        (_, None) => {
            let kind = match letter {
                "e" => FileKind::Editable,
                "v" => FileKind::Volatile,
                _ => FileKind::Plain,
            };
            Object::File { kind, attributes: fields.attributes()?, contents: fields.facts()? }
        }
    };
    Ok(Entry { class, path: path.to_owned(), object })
}

/// The words of a line, taken one after another.
struct Fields<'a> {
    words: std::iter::Peekable<std::str::Split<'a, char>>,
}

impl<'a> Fields<'a> {
    fn new(line: &'a str) -> Result<Self, Problem> {
        if line.contains(['\t', '\r']) || line.split(' ').any(str::is_empty) {
            return Err(Problem::Spacing);
        }
        Ok(Self { words: line.split(' ').peekable() })
    }

    fn next(&mut self) -> Option<&'a str> {
        self.words.next()
    }

    fn is_empty(&mut self) -> bool {
        self.words.peek().is_none()
    }

    fn word(&mut self, field: &'static str) -> Result<&'a str, Problem> {
        self.next().ok_or(Problem::Missing(field))
    }

    fn number<T: FromStr>(&mut self, field: &'static str) -> Result<T, Problem> {
        parse_number(field, self.word(field)?)
    }

    fn facts(&mut self) -> Result<Facts, Problem> {
        Ok(Facts { size: self.number("size")?, cksum: self.number("cksum")?, mtime: self.number("mtime")? })
    }

    fn attributes(&mut self) -> Result<Attributes, Problem> {
        let mode = match self.word("mode")? {
            "?" => None,
            text => Some(parse_mode(text)?),
        };
        let mut name = |field| self.word(field).map(|name| (name != "?").then(|| name.to_owned()));
        Ok(Attributes { mode, owner: name("owner")?, group: name("group")? })
    }

    fn end(&mut self) -> Result<(), Problem> {
        match self.next() {
            None => Ok(()),
            Some(extra) => Err(Problem::Extra(extra.to_owned())),
        }
    }
}

/// Digits only: `parse` alone would also take a sign.
fn parse_number<T: FromStr>(field: &'static str, value: &str) -> Result<T, Problem> {
    let number = if value.bytes().all(|byte| byte.is_ascii_digit()) { value.parse().ok() } else { None };
    number.ok_or_else(|| Problem::NotANumber { field, value: value.to_owned() })
}

fn parse_mode(text: &str) -> Result<u32, Problem> {
    let octal = text.bytes().all(|byte| byte.is_ascii_digit());
    let mode = if octal { u32::from_str_radix(text, 8).ok() } else { None };
    mode.filter(|mode| *mode <= 0o7777).ok_or_else(|| Problem::Mode(text.to_owned()))
}
