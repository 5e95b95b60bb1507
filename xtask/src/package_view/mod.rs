//! A package as an administrator sees it, whatever its format: what `inspect`, `diff`, `lint` and `extract` work on.
//!
//! Both formats convert into a [`View`]; what only one of them has (classes here, actuators there) stays beside what
//! they share. It judges nothing: the readers' findings come along as they are. It must not know our own package.

pub mod container;
pub mod diff;
mod digest;
mod from_ips;
mod from_svr4;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use serde::{Serialize, Serializer};

use crate::finding::{Finding, Findings, Level};
use container::{Container, Report};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Svr4,
    Ips,
}

/// A file with packages, read to its end.
#[derive(Debug, Clone, Serialize)]
pub struct PackageFile {
    /// `None` if the bytes are of neither format.
    pub container: Option<Container>,
    pub packages: Vec<View>,
    pub findings: Vec<Finding>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    pub format: Format,
    /// What tells packages of one file apart: the name, and for IPS publisher and version too.
    pub id: String,
    pub name: String,
    pub version: String,
    /// Parameters of pkginfo, or `set` actions; only the latter have several values.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Sorted by path.
    pub entries: Vec<Entry>,
    /// What SVR4 keeps in `install/` but the dependencies and the licence: mostly scripts, by name.
    pub install_files: BTreeMap<String, OwnFile>,
    pub licences: BTreeMap<String, OwnFile>,
    pub dependencies: Vec<Dependency>,
    /// IPS actions that have no counterpart here, such as `driver` and `user`, as they read in a manifest.
    pub other_actions: Vec<String>,
}

/// An object that the package puts into the file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Below the root of the system, BASEDIR included; as foreign as the package is.
    pub path: String,
    pub kind: Kind,
    #[serde(serialize_with = "octal")]
    pub mode: Option<u32>,
    pub owner: Option<String>,
    pub group: Option<String>,
    /// SVR4 alone.
    pub class: Option<String>,
    pub size: Option<u64>,
    /// Of the bytes that are there; none where they are missing or damaged.
    pub sha256: Option<String>,
    /// SVR4 alone.
    pub mtime: Option<u64>,
    /// Where a link leads, or a device's numbers.
    pub target: Option<String>,
    /// Attributes that only an IPS action has: actuators, `preserve`, variants, facets.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// How [`container::read`] calls the bytes of this entry.
    #[serde(skip)]
    pub source: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    Directory,
    /// No other package may put anything in it.
    ExclusiveDirectory,
    File,
    EditableFile,
    VolatileFile,
    Symlink,
    Hardlink,
    Fifo,
    CharacterDevice,
    BlockDevice,
}

/// A file that belongs to the package and is not installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwnFile {
    pub size: u64,
    pub sha256: String,
    /// How [`container::read`] calls its bytes.
    #[serde(skip)]
    pub source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Dependency {
    /// `prerequisite` and the like, or the type of the IPS action.
    pub kind: String,
    /// Several where any of them, or all as a group, will do.
    pub packages: Vec<String>,
    /// Versions that will do, the condition, the variants: what else the format says.
    pub detail: Vec<String>,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Svr4 => "SVR4",
            Self::Ips => "IPS",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "dir",
            Self::ExclusiveDirectory => "dir (exclusive)",
            Self::File => "file",
            Self::EditableFile => "file (editable)",
            Self::VolatileFile => "file (volatile)",
            Self::Symlink => "symlink",
            Self::Hardlink => "hardlink",
            Self::Fifo => "fifo",
            Self::CharacterDevice => "character device",
            Self::BlockDevice => "block device",
        })
    }
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.packages.join(" | "))?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", self.detail.join(", ")) }
    }
}

impl Kind {
    pub fn is_file(self) -> bool {
        matches!(self, Self::File | Self::EditableFile | Self::VolatileFile)
    }

    pub fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::ExclusiveDirectory)
    }

    /// The kind without what only SVR4 tells of it.
    pub fn plain(self) -> Self {
        match self {
            Self::EditableFile | Self::VolatileFile => Self::File,
            Self::ExclusiveDirectory => Self::Directory,
            other => other,
        }
    }
}

impl View {
    /// A parameter's first value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.get(name)?.first().map(String::as_str)
    }

    /// One line on what the package is.
    pub fn summary(&self) -> Option<&str> {
        self.parameter(match self.format {
            Format::Svr4 => "NAME",
            Format::Ips => "pkg.summary",
        })
    }

    pub fn description(&self) -> Option<&str> {
        self.parameter(match self.format {
            Format::Svr4 => "DESC",
            Format::Ips => "pkg.description",
        })
    }

    /// The version without what a format adds to it.
    pub fn release(&self) -> &str {
        let end = match self.format {
            Format::Svr4 => None,
            Format::Ips => self.version.find([',', '-', ':']),
        };
        end.and_then(|end| self.version.get(..end)).unwrap_or(&self.version)
    }
}

impl PackageFile {
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// Reads a file of packages. Only a failure to read is an `Err`; what is wrong with the file is among the findings.
pub fn read(path: &Path) -> io::Result<PackageFile> {
    let mut digests = digest::Digests::default();
    Ok(match container::read(path, &mut digests)? {
        Report::Unknown => {
            let mut findings = Findings::default();
            let message = "is neither an SVR4 datastream (plain or gzipped) nor an IPS package archive";
            findings.error("format-unknown", "file", message);
            PackageFile { container: None, packages: Vec::new(), findings: findings.into_vec() }
        }
        Report::Svr4 { container, report } => PackageFile {
            container: Some(container),
            packages: report.packages.iter().map(|package| from_svr4::view(package, &digests)).collect(),
            findings: report.findings,
        },
        Report::Ips { container, report } => PackageFile {
            container: Some(container),
            packages: report.packages.iter().map(|package| from_ips::view(package, &digests)).collect(),
            findings: report.findings,
        },
    })
}

fn octal<S: Serializer>(mode: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
    mode.map(|mode| format!("{mode:04o}")).serialize(serializer)
}
