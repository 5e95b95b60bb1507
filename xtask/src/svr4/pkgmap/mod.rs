//! The pkgmap: what a package holds, one line per object.
//!
//! The types here serve three sides: what a caller wants packaged ([`Entry`] over a source of bytes), what a map says
//! ([`Entry`] over [`Facts`]), and what a reader found. [`rules`] checks and sorts what is to be written, [`parse`] reads.

pub mod parse;
pub mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

pub use parse::{MapError, Problem};
pub use rules::{RuleError, Violation};

/// Size, checksum and time of a file, as a map states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    pub size: u64,
    /// The System V `sum`, see [`super::cksum`].
    pub cksum: u32,
    pub mtime: u64,
}

/// Who owns an object and what may be done with it. `None` is written `?`: leave as found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    pub mode: Option<u32>,
    pub owner: Option<String>,
    pub group: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// `f`: pkgchk expects it unchanged.
    Plain,
    /// `e`: meant to be edited. Without a class script an upgrade overwrites the edits.
    Editable,
    /// `v`: its contents come and go.
    Volatile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    Symbolic,
    Hard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeviceKind {
    Character,
    Block,
}

/// One kind of object; `F` is what is known of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object<F> {
    /// `d`, or `x` if only this package may put anything in it.
    Directory {
        exclusive: bool,
        attributes: Attributes,
    },
    File {
        kind: FileKind,
        attributes: Attributes,
        contents: F,
    },
    Link {
        kind: LinkKind,
        target: String,
    },
    Fifo {
        attributes: Attributes,
    },
    Device {
        kind: DeviceKind,
        major: u32,
        minor: u32,
        attributes: Attributes,
    },
}

/// An object at its path, installed through a class. A path without a leading `/` is below BASEDIR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<F> {
    pub class: String,
    pub path: String,
    pub object: Object<F>,
}

/// What one line of a map describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// `i`: a file of the package itself. Without facts pkgadd does not check it.
    Info {
        name: String,
        facts: Option<Facts>,
    },
    Object(Entry<Facts>),
}

/// One line of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The part (volume) that holds the file.
    pub volume: u32,
    pub item: Item,
}

/// A whole map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkgMap {
    pub parts: u32,
    /// Blocks of 512 bytes that the largest part needs when spooled.
    pub maxsize: u64,
    /// Third number of the first line, of packages with compressed class archives.
    pub compressed: Option<u64>,
    pub rows: Vec<Row>,
}

impl Attributes {
    pub fn new(mode: u32, owner: &str, group: &str) -> Self {
        Self { mode: Some(mode), owner: Some(owner.to_owned()), group: Some(group.to_owned()) }
    }
}

impl<F> Object<F> {
    /// The letter of the kind.
    pub fn letter(&self) -> char {
        match self {
            Self::Directory { exclusive: false, .. } => 'd',
            Self::Directory { exclusive: true, .. } => 'x',
            Self::File { kind: FileKind::Plain, .. } => 'f',
            Self::File { kind: FileKind::Editable, .. } => 'e',
            Self::File { kind: FileKind::Volatile, .. } => 'v',
            Self::Link { kind: LinkKind::Symbolic, .. } => 's',
            Self::Link { kind: LinkKind::Hard, .. } => 'l',
            Self::Fifo { .. } => 'p',
            Self::Device { kind: DeviceKind::Character, .. } => 'c',
            Self::Device { kind: DeviceKind::Block, .. } => 'b',
        }
    }

    pub fn attributes(&self) -> Option<&Attributes> {
        match self {
            Self::Link { .. } => None,
            Self::Directory { attributes, .. }
            | Self::File { attributes, .. }
            | Self::Fifo { attributes }
            | Self::Device { attributes, .. } => Some(attributes),
        }
    }
}

impl<F> Entry<F> {
    pub fn directory(path: &str, class: &str, attributes: Attributes) -> Self {
        Self { class: class.into(), path: path.into(), object: Object::Directory { exclusive: false, attributes } }
    }

    pub fn file(path: &str, class: &str, attributes: Attributes, contents: F) -> Self {
        let object = Object::File { kind: FileKind::Plain, attributes, contents };
        Self { class: class.into(), path: path.into(), object }
    }

    pub fn symlink(path: &str, class: &str, target: &str) -> Self {
        let object = Object::Link { kind: LinkKind::Symbolic, target: target.into() };
        Self { class: class.into(), path: path.into(), object }
    }

    /// The same entry with something else known of its bytes.
    pub fn try_map<'a, G, E>(&'a self, measure: impl FnOnce(&'a F) -> Result<G, E>) -> Result<Entry<G>, E> {
        let object = match &self.object {
            Object::Directory { exclusive, attributes } => {
                Object::Directory { exclusive: *exclusive, attributes: attributes.clone() }
            }
            Object::File { kind, attributes, contents } => {
                Object::File { kind: *kind, attributes: attributes.clone(), contents: measure(contents)? }
            }
            Object::Link { kind, target } => Object::Link { kind: *kind, target: target.clone() },
            Object::Fifo { attributes } => Object::Fifo { attributes: attributes.clone() },
            Object::Device { kind, major, minor, attributes } => {
                Object::Device { kind: *kind, major: *major, minor: *minor, attributes: attributes.clone() }
            }
        };
        Ok(Entry { class: self.class.clone(), path: self.path.clone(), object })
    }
}

impl Item {
    /// The path or the name of the `i` file: what a map is sorted by and what must be unique in it.
    pub fn path(&self) -> &str {
        match self {
            Self::Info { name, .. } => name,
            Self::Object(entry) => &entry.path,
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {} {}", self.size, self.cksum, self.mtime)
    }
}

impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self.mode {
            Some(mode) => write!(f, "{mode:04o}")?,
            None => f.write_str("?")?,
        }
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".into());
        write!(f, " {} {}", name(&self.owner), name(&self.group))
    }
}

impl fmt::Display for Entry<Facts> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} {} {}", self.object.letter(), self.class, self.path)?;
        match &self.object {
            Object::Directory { attributes, .. } | Object::Fifo { attributes } => write!(f, " {attributes}"),
            Object::File { attributes, contents, .. } => write!(f, " {attributes} {contents}"),
            Object::Link { target, .. } => write!(f, "={target}"),
            Object::Device { major, minor, attributes, .. } => write!(f, " {major} {minor} {attributes}"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} ", self.volume)?;
        match &self.item {
            Item::Info { name, facts: Some(facts) } => write!(f, "i {name} {facts}"),
            Item::Info { name, facts: None } => write!(f, "i {name}"),
            Item::Object(entry) => entry.fmt(f),
        }
    }
}

/// The text of the file.
impl fmt::Display for PkgMap {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, ": {} {}", self.parts, self.maxsize)?;
        if let Some(compressed) = self.compressed {
            write!(f, " {compressed}")?;
        }
        writeln!(f)?;
        self.rows.iter().try_for_each(|row| writeln!(f, "{row}"))
    }
}
