//! Reads datastreams of any producer and says what is wrong with them, from the bytes on disk alone.
//!
//! Memory is bounded whatever the stream says: payload goes through a checksum piece by piece, to a [`Visitor`] if the
//! caller wants the bytes. Nothing is extracted, so no name in a stream can lead anywhere.
//!
//! A [`Finding`] is an [`Level::Error`] where pkgadd would refuse the package, install it in part, or leave something out
//! without saying so; it is a [`Level::Warning`] where the package installs but is not what a careful producer writes.
//!
//! | place | finding ids |
//! |---|---|
//! | header | `header-cut` `header-magic` `header-no-end` `header-crlf` `header-line-length` `header-fields` `header-volumes` `header-name` `header-duplicate` `header-no-packages` `header-edge` `header-extra-block` `header-padding` |
//! | archives | `archive-cut` `archive-magic` `archive-damaged` `archive-missing` `cpio-crc` `member-type` `member-unsafe` `member-unknown` `member-duplicate` `too-many-members` `text-too-large` `last-block-short` `trailing-data` |
//! | archive 0 | `table-missing` `table-differs` |
//! | pkginfo | `pkginfo-missing` `pkginfo-quotes` `pkginfo-ambiguous` `pkginfo-layout` `pkginfo-required` `pkginfo-limits` `pkginfo-interactive` `pkginfo-zones` `pkg-differs` `classes-missing` `basedir-missing` |
//! | pkgmap | `pkgmap-missing` `map-first-line` `map-parts` `map-maxsize` `map-crlf` `map-layout` `map-volume` `map-type` `map-mode` `map-fields` `map-link` `map-path` `map-duplicate` `map-unsorted` `class-unknown` `owner-unknown` `group-unknown` `parent-missing` `parent-not-directory` |
//! | payload | `file-missing` `file-size` `file-cksum` `file-extra` `file-unchecked` |
//! | package files | `info-missing` `info-size` `info-cksum` `info-unchecked` `info-unknown` `script-unused` `depend-syntax` |
//! | anywhere | `too-many-findings` |

mod check;
mod cpio;
mod finding;
mod header;
mod input;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::Path;

use super::pkginfo::PkgInfo;
use super::pkgmap::Row;

pub use finding::{Finding, Level};

/// Receives the bytes of the files in the packages' archives, in the order of the stream. Every method may be left out.
pub trait Visitor {
    /// A regular file begins. `member` is its name in the archive, such as `reloc/lib/x` or `install/depend`. Files whose
    /// names are absolute or have `..` components are findings and never come here.
    fn begin(&mut self, package: &str, member: &str, size: u64) {
        let _ = (package, member, size);
    }

    /// The next bytes of that file.
    fn data(&mut self, bytes: &[u8]) {
        let _ = bytes;
    }

    /// The file's end; `complete` is false if the stream was cut before it.
    fn end(&mut self, complete: bool) {
        let _ = complete;
    }
}

/// Wants no bytes.
#[derive(Debug, Default)]
pub struct NoVisitor;

impl Visitor for NoVisitor {}

/// A file in a package's archive, as its bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    pub size: u64,
    pub cksum: u32,
    pub mode: u32,
    pub mtime: u64,
}

/// A package as it was read.
#[derive(Debug, Clone, Default)]
pub struct ReadPackage {
    /// Name, number of parts and maxsize from the stream's header.
    pub name: String,
    pub parts: u32,
    pub maxsize: u64,
    /// The parameters, unless pkginfo is missing or unreadable.
    pub info: Option<PkgInfo>,
    pub pkginfo: Option<Vec<u8>>,
    pub pkgmap: Option<Vec<u8>>,
    /// The readable lines of the map.
    pub rows: Vec<Row>,
    /// The files of the archive but pkginfo and pkgmap, by member name without a leading `./`.
    pub files: BTreeMap<String, Stored>,
}

/// All that was read.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub packages: Vec<ReadPackage>,
    pub findings: Vec<Finding>,
    /// Length of the stream.
    pub bytes: u64,
}

impl Report {
    /// Whether pkgadd would install everything as the maps say.
    pub fn is_installable(&self) -> bool {
        self.findings.iter().all(|finding| finding.level != Level::Error)
    }
}

/// Reads a whole stream. Only a failure to read is an `Err`; what is wrong with the stream is in the report.
pub fn read(input: impl io::Read, visitor: &mut dyn Visitor) -> io::Result<Report> {
    stream::read(input, visitor)
}

/// Reads the stream in a file.
pub fn read_path(path: &Path, visitor: &mut dyn Visitor) -> io::Result<Report> {
    read(File::open(path)?, visitor)
}
