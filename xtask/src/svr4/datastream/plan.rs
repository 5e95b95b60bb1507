//! Everything known of a package before it is written: its texts, and its archive's members in order.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::{Package, Svr4Error, WrittenPackage};
use crate::content::Content;
use crate::svr4::cksum::cksum;
use crate::svr4::cpio::{self, CpioError};
use crate::svr4::measure::Measure;
use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::rules::{check_entry, info_name_problem};
use crate::svr4::pkgmap::{Entry, Facts, Object, PkgMap, RuleError, Violation};

pub struct Plan<'a> {
    pub name: String,
    pub mtime: u64,
    pub pkginfo: String,
    pub map: PkgMap,
    pub pkgmap: String,
    /// The members of the package's archive, folders before what is in them.
    pub members: Vec<Member<'a>>,
}

pub struct Member<'a> {
    pub name: String,
    pub permissions: u32,
    pub source: Source<'a>,
}

pub enum Source<'a> {
    Directory,
    Text(String),
    Content { content: &'a Content, measured: Measure },
}

impl<'a> Plan<'a> {
    /// Checks a package, reads its payload once, makes its texts and lines the members of its archive up.
    pub fn of(package: &'a Package) -> Result<Self, Svr4Error> {
        let name = package.info.get("PKG").unwrap_or("package without PKG").to_owned();
        let info = with_classes(&name, package)?;
        check_package(&name, package, &info)?;
        let pkginfo = info.render();
        let (map, mut tree) = measure(&name, package, &pkginfo)?;
        let pkgmap = map.to_string();
        add_folders(&mut tree);
        let mut members = vec![text_member("pkginfo", &pkginfo), text_member("pkgmap", &pkgmap)];
        let stored = tree.into_iter().map(|(name, (permissions, source))| Member { name, permissions, source });
        members.extend(stored);
        check_members(&name, package.mtime, &members)?;
        Ok(Self { name, mtime: package.mtime, pkginfo, map, pkgmap, members })
    }

    pub fn archive_error(&self, source: CpioError) -> Svr4Error {
        Svr4Error::Archive { package: self.name.clone(), source }
    }

    pub fn into_written(self) -> WrittenPackage {
        let sizes = || {
            self.map.objects().filter_map(|entry| match &entry.object {
                Object::File { contents, .. } => Some(contents.size),
                _ => None,
            })
        };
        WrittenPackage {
            files: sizes().count(),
            payload: sizes().sum(),
            missing_parents: self.map.missing_parents(),
            name: self.name,
            pkginfo: self.pkginfo,
            map: self.map,
            pkgmap: self.pkgmap,
        }
    }
}

/// The members that hold files, by name, with their permissions.
type Tree<'a> = BTreeMap<String, (u32, Source<'a>)>;

/// Reads every file once; gives the map of what was measured and the members to copy.
fn measure<'a>(name: &str, package: &'a Package, pkginfo: &str) -> Result<(PkgMap, Tree<'a>), Svr4Error> {
    let read = |member: &str, content: &Content| {
        // Gigabytes that do not fit need not be read to know it.
        let fits = content.size_at_first_sight().map_or(Ok(()), |size| cpio::check(member, package.mtime, size));
        fits.map_err(|source| Svr4Error::Archive { package: name.to_owned(), source })?;
        content.measure().map_err(|source| content_error(name, member, content, source))
    };
    let facts = |measured: Measure| Facts { size: measured.size, cksum: measured.cksum, mtime: package.mtime };
    let own = Measure { size: pkginfo.len() as u64, cksum: cksum(pkginfo.as_bytes()) };
    let mut info = vec![("pkginfo".to_owned(), facts(own))];
    let mut tree = Tree::new();
    for file in &package.install {
        let member = format!("install/{}", file.name);
        let measured = read(&member, &file.content)?;
        info.push((file.name.clone(), facts(measured)));
        tree.insert(member, (0o644, Source::Content { content: &file.content, measured }));
    }
    let mut entries = Vec::with_capacity(package.entries.len());
    for entry in &package.entries {
        let member = member_name(&entry.path);
        let mut stored = None;
        entries.push(entry.try_map(|content| {
            let measured = read(&member, content)?;
            stored = Some(Source::Content { content, measured });
            Ok(facts(measured))
        })?);
        if let Some(source) = stored {
            tree.insert(member, (stored_permissions(entry), source));
        }
    }
    let built = PkgMap::build(info, entries);
    let map = built.map_err(|source| Svr4Error::PkgMap { package: name.to_owned(), source })?;
    Ok((map, tree))
}

/// What the archive's format has no room for is refused before a part of the stream is written.
fn check_members(name: &str, mtime: u64, members: &[Member]) -> Result<(), Svr4Error> {
    for member in members {
        let size = match &member.source {
            Source::Directory => 0,
            Source::Text(text) => text.len() as u64,
            Source::Content { measured, .. } => measured.size,
        };
        let fits = cpio::check(&member.name, mtime, size);
        fits.map_err(|source| Svr4Error::Archive { package: name.to_owned(), source })?;
    }
    Ok(())
}

pub fn content_error(package: &str, member: &str, content: &Content, source: io::Error) -> Svr4Error {
    let (package, member, content) = (package.to_owned(), member.to_owned(), content.describe());
    Svr4Error::Content { package, member, content, source }
}

/// The parameters with CLASSES: those given, or the entries' classes in the order of the sorted map.
fn with_classes(name: &str, package: &Package) -> Result<PkgInfo, Svr4Error> {
    let wrong = |source| Svr4Error::PkgInfo { package: name.to_owned(), source };
    let mut info = package.info.clone();
    if info.classes().is_none() {
        let mut sorted: Vec<(&str, &str)> =
            package.entries.iter().map(|entry| (entry.path.as_str(), entry.class.as_str())).collect();
        sorted.sort_unstable();
        let mut classes: Vec<&str> = Vec::new();
        for (_, class) in sorted {
            if !classes.contains(&class) {
                classes.push(class);
            }
        }
        let classes = if classes.is_empty() { "none".to_owned() } else { classes.join(" ") };
        info.set("CLASSES", classes).map_err(wrong)?;
    }
    info.validate().map_err(wrong)?;
    Ok(info)
}

/// What ties parameters, scripts and entries together.
fn check_package(name: &str, package: &Package, info: &PkgInfo) -> Result<(), Svr4Error> {
    let classes: BTreeSet<&str> = info.classes().unwrap_or_default().into_iter().collect();
    let wrong = |source| Svr4Error::PkgMap { package: name.to_owned(), source };
    for entry in &package.entries {
        check_entry(entry).map_err(wrong)?;
        if !classes.contains(entry.class.as_str()) {
            let violation = Violation::ClassNotInstalled { class: entry.class.clone() };
            return Err(wrong(RuleError { path: entry.path.clone(), violation }));
        }
        if !entry.path.starts_with('/') && info.get("BASEDIR").is_none() {
            return Err(Svr4Error::NoBasedir { package: name.to_owned(), path: entry.path.clone() });
        }
    }
    let mut names = BTreeSet::new();
    for file in &package.install {
        let class = file.name.strip_prefix("i.").or_else(|| file.name.strip_prefix("r."));
        let problem = if let Some(problem) = info_name_problem(&file.name) {
            problem
        } else if file.name == "pkginfo" || file.name == "pkgmap" {
            "is made from the package itself"
        } else if !names.insert(&file.name) {
            "is given twice"
        } else if class.is_some_and(|class| !classes.contains(class)) {
            "is the script of a class that is not in CLASSES and would never run"
        } else {
            continue;
        };
        return Err(Svr4Error::Install { package: name.to_owned(), name: file.name.clone(), problem });
    }
    Ok(())
}

fn text_member(name: &str, text: &str) -> Member<'static> {
    Member { name: name.to_owned(), permissions: 0o644, source: Source::Text(text.to_owned()) }
}

/// Paths below BASEDIR are stored in `reloc`, absolute ones in `root`.
fn member_name(path: &str) -> String {
    match path.strip_prefix('/') {
        Some(path) => format!("root/{path}"),
        None => format!("reloc/{path}"),
    }
}

/// A spooled file is readable whatever the map says of the installed one.
fn stored_permissions<F>(entry: &Entry<F>) -> u32 {
    let mode = entry.object.attributes().and_then(|attributes| attributes.mode).unwrap_or(0);
    (mode & 0o777) | 0o644
}

/// Adds the folders of the files. A folder's name sorts before every name it begins.
fn add_folders(tree: &mut Tree) {
    let mut folders = BTreeSet::new();
    for name in tree.keys() {
        let mut rest = name.as_str();
        while let Some((folder, _)) = rest.rsplit_once('/') {
            folders.insert(folder.to_owned());
            rest = folder;
        }
    }
    tree.extend(folders.into_iter().map(|folder| (folder, (0o755, Source::Directory))));
}
