//! What a written map may hold, its order, and its estimate of space.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use super::{Attributes, Entry, Facts, Item, Object, PkgMap, Row};
use crate::svr4::BLOCK;

/// Longest path known to install; the tools have `PATH_MAX` buffers of 1024 and put folders before it.
pub const MAX_PATH: usize = 1000;

/// A class name of 64 does not fit pkgmk's buffer.
pub const MAX_CLASS: usize = 63;

const MAX_OWNER: usize = 64;

/// An entry that cannot be written, and why.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("entry {path:?}: {violation}")]
pub struct RuleError {
    pub path: String,
    pub violation: Violation,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("the path {0}")]
    Path(&'static str),
    #[error("the class name {class:?} {problem}")]
    Class { class: String, problem: &'static str },
    #[error("class {class} is not in CLASSES, so pkgadd would not install this and not say so")]
    ClassNotInstalled { class: String },
    #[error("the link target {target:?} {problem}")]
    Target { target: String, problem: &'static str },
    #[error("mode {0:o} has more than the 12 bits of permissions")]
    Mode(u32),
    #[error("owner or group {0:?} must be 1 to 64 characters without blanks, and not ?")]
    Owner(String),
    #[error("a file needs its mode, owner and group; only directories may leave them as found")]
    AttributesMissing,
    #[error("the path is given twice")]
    Duplicate,
    #[error("the package's own file of that name makes this a duplicate for pkgmk; an absolute path avoids it")]
    SameAsInfo,
    #[error("{0} is not a directory in this package, so nothing can be below it")]
    ParentNotDirectory(String),
}

/// Says what is wrong with a path to be written.
pub fn path_problem(path: &str) -> Option<&'static str> {
    let relative = path.strip_prefix('/').unwrap_or(path);
    if relative.is_empty() {
        Some("is empty")
    } else if path.len() > MAX_PATH {
        Some("is longer than 1000 bytes")
    } else if path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("holds a blank or a control character, which the format has no way to write")
    } else if path.contains('=') {
        Some("holds =, which the format takes for the end of the path")
    } else if relative.split('/').any(|component| matches!(component, "" | "." | "..")) {
        Some("has an empty, . or .. component")
    } else {
        None
    }
}

/// Says what is wrong with a class name.
pub fn class_problem(class: &str) -> Option<&'static str> {
    if class.is_empty() {
        Some("holds an empty class name")
    } else if class.len() > MAX_CLASS {
        Some("holds a class name longer than 63 characters")
    } else if class.contains(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-' | '+')) {
        Some("holds a class name with other characters than letters, digits, _, - and +")
    } else {
        None
    }
}

/// Says what is wrong with the name of a file of the package itself.
pub fn info_name_problem(name: &str) -> Option<&'static str> {
    if name.contains('/') { Some("is not a plain file name") } else { path_problem(name) }
}

/// Checks an entry by itself.
pub fn check_entry<F>(entry: &Entry<F>) -> Result<(), RuleError> {
    let refuse = |violation| Err(RuleError { path: entry.path.clone(), violation });
    if let Some(problem) = path_problem(&entry.path) {
        return refuse(Violation::Path(problem));
    }
    if let Some(problem) = class_problem(&entry.class) {
        return refuse(Violation::Class { class: entry.class.clone(), problem });
    }
    if let Object::Link { target, .. } = &entry.object
        && let Some(problem) = target_problem(target)
    {
        return refuse(Violation::Target { target: target.clone(), problem });
    }
    if let Some(attributes) = entry.object.attributes() {
        let may_leave = matches!(entry.object, Object::Directory { .. });
        if let Some(violation) = attributes_violation(attributes, may_leave) {
            return refuse(violation);
        }
    }
    Ok(())
}

/// A target may go up with `..`; it only has to be writable as one word.
fn target_problem(target: &str) -> Option<&'static str> {
    if target.is_empty() {
        Some("is empty")
    } else if target.len() > MAX_PATH {
        Some("is longer than 1000 bytes")
    } else if target.contains(|c: char| c.is_whitespace() || c.is_control() || c == '=') {
        Some("holds a blank, = or a control character")
    } else {
        None
    }
}

fn attributes_violation(attributes: &Attributes, may_leave: bool) -> Option<Violation> {
    let Attributes { mode, owner, group } = attributes;
    if !may_leave && (mode.is_none() || owner.is_none() || group.is_none()) {
        return Some(Violation::AttributesMissing);
    }
    if let Some(mode) = mode.filter(|mode| mode & !0o7777 != 0) {
        return Some(Violation::Mode(mode));
    }
    let unusable = |name: &&String| {
        name.is_empty()
            || name.len() > MAX_OWNER
            || name.starts_with('?')
            || name.contains(|c: char| !c.is_ascii_graphic())
    };
    [owner, group].into_iter().flatten().find(unusable).map(|name| Violation::Owner(name.clone()))
}

impl PkgMap {
    /// A map of one part, sorted as the tools sort (bytes of the path), after checking entries one by one and together.
    /// `info` are the package's own files, pkginfo among them.
    pub fn build(info: Vec<(String, Facts)>, entries: Vec<Entry<Facts>>) -> Result<Self, RuleError> {
        for (name, _) in &info {
            if let Some(problem) = info_name_problem(name) {
                return Err(RuleError { path: name.clone(), violation: Violation::Path(problem) });
            }
        }
        entries.iter().try_for_each(check_entry)?;
        check_together(&info, &entries)?;
        let maxsize = spooled_blocks(&info, &entries);
        let info = info.into_iter().map(|(name, facts)| Item::Info { name, facts: Some(facts) });
        let mut items: Vec<Item> = info.chain(entries.into_iter().map(Item::Object)).collect();
        items.sort_by(|a, b| a.path().cmp(b.path()));
        let rows = items.into_iter().map(|item| Row { volume: 1, item }).collect();
        Ok(Self { parts: 1, maxsize, compressed: None, rows })
    }

    /// Folders of entries that are not entries themselves, each once. pkgadd makes them for files but does not own them;
    /// for a link it does not even make them.
    pub fn missing_parents(&self) -> Vec<String> {
        let present: BTreeSet<&str> = self.objects().map(|entry| entry.path.as_str()).collect();
        let parents: BTreeSet<&str> = self.objects().filter_map(|entry| parent(&entry.path)).collect();
        parents.difference(&present).map(|path| (*path).to_owned()).collect()
    }

    /// The entries that are installed, without the package's own files.
    pub fn objects(&self) -> impl Iterator<Item = &Entry<Facts>> {
        self.rows.iter().filter_map(|row| match &row.item {
            Item::Object(entry) => Some(entry),
            Item::Info { .. } => None,
        })
    }
}

fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty())
}

fn check_together(info: &[(String, Facts)], entries: &[Entry<Facts>]) -> Result<(), RuleError> {
    let mut names = BTreeSet::new();
    for (name, _) in info {
        if !names.insert(name.as_str()) {
            return Err(RuleError { path: name.clone(), violation: Violation::Duplicate });
        }
    }
    let mut objects = BTreeMap::new();
    for entry in entries {
        let violation = if names.contains(entry.path.as_str()) {
            Violation::SameAsInfo
        } else if objects.insert(entry.path.as_str(), &entry.object).is_some() {
            Violation::Duplicate
        } else {
            continue;
        };
        return Err(RuleError { path: entry.path.clone(), violation });
    }
    for entry in entries {
        let mut ancestor = parent(&entry.path);
        while let Some(path) = ancestor {
            if objects.get(path).is_some_and(|object| !matches!(object, Object::Directory { .. })) {
                let violation = Violation::ParentNotDirectory(path.to_owned());
                return Err(RuleError { path: entry.path.clone(), violation });
            }
            ancestor = parent(path);
        }
    }
    Ok(())
}

/// What the spooled package takes, in blocks of 512: its files, a block for each folder, and the map at 128 bytes a line
/// (pkgmk's own guess). pkgmk's number depends on the file system it runs on; only pkgtrans and pkgadd read it, to see
/// whether there is room.
fn spooled_blocks(info: &[(String, Facts)], entries: &[Entry<Facts>]) -> u64 {
    let blocks = |size: u64| size.div_ceil(BLOCK as u64).max(1);
    let map = blocks(128 * (info.len() + entries.len()) as u64);
    let stored = entries.iter().filter_map(|entry| match &entry.object {
        Object::File { contents, .. } => Some((entry.path.as_str(), contents)),
        _ => None,
    });
    let mut folders: BTreeSet<&str> = BTreeSet::from(["", "install", "reloc", "root"]);
    let mut files: u64 = info.iter().map(|(_, facts)| blocks(facts.size)).sum();
    for (path, facts) in stored {
        files = files.saturating_add(blocks(facts.size));
        let mut folder = parent(path);
        while let Some(path) = folder {
            folders.insert(path);
            folder = parent(path);
        }
    }
    files.saturating_add(map).saturating_add(folders.len() as u64)
}
