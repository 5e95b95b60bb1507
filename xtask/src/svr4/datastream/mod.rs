//! Writes a datastream: packages with their payload, as one file that pkgadd installs from.
//!
//! Everything is checked and measured before the first byte is written (module `plan`), then the payload is copied in a second
//! pass and compared with the measure, so a file that changes in between is an error and not a broken package. Equal input
//! gives equal bytes: every time is [`Package::mtime`], members are sorted, owners and inodes are fixed.

mod header;
mod plan;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;

use thiserror::Error;

use super::content::{Content, Measuring};
use super::cpio::{Archive, CpioError};
use super::pkginfo::{PkgInfo, PkgInfoError};
use super::pkgmap::{Entry, PkgMap, RuleError};

use plan::{Member, Plan, Source, content_error};

/// A file of the package itself, kept in `install/`: depend, copyright, postinstall, i.CLASS and the like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallFile {
    pub name: String,
    pub content: Content,
}

/// A package to be written.
#[derive(Debug, Clone)]
pub struct Package {
    /// CLASSES is added if absent; nothing else is invented.
    pub info: PkgInfo,
    pub install: Vec<InstallFile>,
    pub entries: Vec<Entry<Content>>,
    /// Seconds since 1970, the time of every file and folder.
    pub mtime: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub packages: Vec<WrittenPackage>,
    /// Length of the stream.
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPackage {
    pub name: String,
    /// The text of pkginfo, with CLASSES.
    pub pkginfo: String,
    pub map: PkgMap,
    /// The text of `map`.
    pub pkgmap: String,
    /// Files of the payload, without the package's own.
    pub files: usize,
    /// Their bytes.
    pub payload: u64,
    /// Folders of entries that no entry owns: worth a warning, see [`PkgMap::missing_parents`].
    pub missing_parents: Vec<String>,
}

#[derive(Debug, Error)]
pub enum Svr4Error {
    #[error("a datastream needs at least one package")]
    NoPackages,
    #[error("package {0} is given twice")]
    PackageTwice(String),
    #[error("{package}: pkginfo: {source}")]
    PkgInfo { package: String, source: PkgInfoError },
    #[error("{package}: pkgmap: {source}")]
    PkgMap { package: String, source: RuleError },
    #[error("{package}: install/{name}: {problem}")]
    Install { package: String, name: String, problem: &'static str },
    #[error("{package}: BASEDIR is missing, and pkgadd needs it for the relative path {path}")]
    NoBasedir { package: String, path: String },
    #[error("{package}: cannot read {content}, the content of {member}: {source}")]
    Content { package: String, member: String, content: String, source: io::Error },
    #[error("{package}: {content}, the content of {member}, changed while the package was written")]
    Changed { package: String, member: String, content: String },
    #[error("{package}: {source}")]
    Archive { package: String, source: CpioError },
    #[error("cannot write the stream: {0}")]
    Write(#[source] io::Error),
}

/// Writes `packages` in their order to `out`, in many small pieces and some of 64 KiB. After an error that is not about
/// the packages themselves a part of the stream may be written.
pub fn write(packages: &[Package], out: &mut impl io::Write) -> Result<Written, Svr4Error> {
    if packages.is_empty() {
        return Err(Svr4Error::NoPackages);
    }
    let mut names = BTreeSet::new();
    let mut plans = Vec::with_capacity(packages.len());
    for package in packages {
        let plan = Plan::of(package)?;
        if !names.insert(plan.name.clone()) {
            return Err(Svr4Error::PackageTwice(plan.name));
        }
        plans.push(plan);
    }

    let head = header::render(plans.iter().map(|plan| (plan.name.as_str(), plan.map.parts, plan.map.maxsize)));
    out.write_all(&head).map_err(Svr4Error::Write)?;
    let mut bytes = head.len() as u64;
    bytes += write_table(&plans, out)?;
    for plan in &plans {
        bytes += write_package(plan, out)?;
    }
    out.flush().map_err(Svr4Error::Write)?;
    Ok(Written { packages: plans.into_iter().map(Plan::into_written).collect(), bytes })
}

/// Archive 0: what pkginfo and pkgadd look at before they choose a package.
fn write_table(plans: &[Plan], out: &mut impl io::Write) -> Result<u64, Svr4Error> {
    let mut archive = Archive::new(out);
    for plan in plans {
        for (name, text) in [("pkginfo", &plan.pkginfo), ("pkgmap", &plan.pkgmap)] {
            let name = format!("{}/{name}", plan.name);
            archive
                .file(&name, 0o644, plan.mtime, text.len() as u64, &mut text.as_bytes())
                .map_err(|source| plan.archive_error(source))?;
        }
    }
    archive.finish().map_err(|source| Svr4Error::Archive { package: "the table of packages".into(), source })
}

fn write_package(plan: &Plan, out: &mut impl io::Write) -> Result<u64, Svr4Error> {
    let mut archive = Archive::new(out);
    for member in &plan.members {
        write_member(plan, member, &mut archive)?;
    }
    archive.finish().map_err(|source| plan.archive_error(source))
}

fn write_member(plan: &Plan, member: &Member, archive: &mut Archive<impl io::Write>) -> Result<(), Svr4Error> {
    let Member { name, permissions, source } = member;
    let (content, measured) = match source {
        Source::Directory => {
            let made = archive.directory(name, *permissions, plan.mtime);
            return made.map_err(|source| plan.archive_error(source));
        }
        Source::Text(text) => {
            let made = archive.file(name, *permissions, plan.mtime, text.len() as u64, &mut text.as_bytes());
            return made.map_err(|source| plan.archive_error(source));
        }
        Source::Content { content, measured } => (content, measured),
    };
    let failed = |source| content_error(&plan.name, name, content, source);
    let mut bytes = Measuring::new(content.open().map_err(failed)?);
    match archive.file(name, *permissions, plan.mtime, measured.size, &mut bytes) {
        Ok(()) if bytes.measure() == *measured => Ok(()),
        Ok(()) | Err(CpioError::TooShort { .. } | CpioError::TooLong { .. }) => {
            let (package, member, content) = (plan.name.clone(), name.clone(), content.describe());
            Err(Svr4Error::Changed { package, member, content })
        }
        Err(CpioError::Read { source, .. }) => Err(failed(source)),
        Err(source) => Err(plan.archive_error(source)),
    }
}
