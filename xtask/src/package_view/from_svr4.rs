//! An SVR4 package as a view.

use std::collections::BTreeMap;

use super::digest::Digests;
use super::{Dependency, Entry, Format, Kind, OwnFile, View};
use crate::svr4::depend::{Depend, DependKind};
use crate::svr4::pkgmap::{self, DeviceKind, Facts, FileKind, Item, LinkKind, Object, Row};
use crate::svr4::reader::ReadPackage;

/// Where pkgadd looks for the text to show before it installs.
const COPYRIGHT: &str = "copyright";

pub fn view(package: &ReadPackage, digests: &Digests) -> View {
    let parameter = |name| package.info.as_ref().and_then(|info| info.get(name)).map(str::to_owned);
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, value) in package.info.iter().flat_map(|info| info.iter()) {
        // Of a parameter given twice the first counts.
        parameters.entry(key.to_owned()).or_insert_with(|| vec![value.to_owned()]);
    }
    let basedir = parameter("BASEDIR").unwrap_or_default();
    let mut entries: Vec<Entry> =
        package.rows.iter().filter_map(|row| entry(package, row, &basedir, digests)).collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let mut install_files = own_files(package, digests);
    let licences = install_files.remove_entry(COPYRIGHT).into_iter().collect();
    install_files.remove("depend");
    View {
        format: Format::Svr4,
        id: package.name.clone(),
        name: package.name.clone(),
        version: parameter("VERSION").unwrap_or_default(),
        parameters,
        entries,
        install_files,
        licences,
        dependencies: dependencies(package, digests),
        other_actions: Vec::new(),
    }
}

fn entry(package: &ReadPackage, row: &Row, basedir: &str, digests: &Digests) -> Option<Entry> {
    let Item::Object(pkgmap::Entry { class, path, object }) = &row.item else { return None };
    let member = member(package, row.volume, path);
    let digest = digests.get(&package.name, &member);
    let attributes = object.attributes().cloned().unwrap_or_default();
    let facts = if let Object::File { contents, .. } = object { Some(*contents) } else { None };
    Some(Entry {
        path: installed(basedir, path),
        kind: kind(object),
        mode: attributes.mode,
        owner: attributes.owner,
        group: attributes.group,
        class: Some(class.clone()),
        size: facts.map(|facts| digest.map_or(facts.size, |digest| digest.size)),
        sha256: facts.and(digest).map(|digest| digest.sha256.clone()),
        mtime: facts.map(|facts| facts.mtime),
        target: match object {
            Object::Link { target, .. } => Some(target.clone()),
            Object::Device { major, minor, .. } => Some(format!("{major},{minor}")),
            _ => None,
        },
        attributes: BTreeMap::new(),
        source: facts.map(|_| member),
    })
}

fn kind(object: &Object<Facts>) -> Kind {
    match object {
        Object::Directory { exclusive: false, .. } => Kind::Directory,
        Object::Directory { exclusive: true, .. } => Kind::ExclusiveDirectory,
        Object::File { kind: FileKind::Plain, .. } => Kind::File,
        Object::File { kind: FileKind::Editable, .. } => Kind::EditableFile,
        Object::File { kind: FileKind::Volatile, .. } => Kind::VolatileFile,
        Object::Link { kind: LinkKind::Symbolic, .. } => Kind::Symlink,
        Object::Link { kind: LinkKind::Hard, .. } => Kind::Hardlink,
        Object::Fifo { .. } => Kind::Fifo,
        Object::Device { kind: DeviceKind::Character, .. } => Kind::CharacterDevice,
        Object::Device { kind: DeviceKind::Block, .. } => Kind::BlockDevice,
    }
}

/// A map's path below the root of the system.
fn installed(basedir: &str, path: &str) -> String {
    let basedir = basedir.trim_matches('/');
    match path.strip_prefix('/') {
        Some(absolute) => absolute.to_owned(),
        None if basedir.is_empty() => path.to_owned(),
        None => format!("{basedir}/{path}"),
    }
}

/// The archive's member with an object's bytes; trees are numbered in packages of several parts only.
fn member(package: &ReadPackage, volume: u32, path: &str) -> String {
    let (tree, below) = path.strip_prefix('/').map_or(("reloc", path), |below| ("root", below));
    if package.parts > 1 { format!("{tree}.{volume}/{below}") } else { format!("{tree}/{below}") }
}

fn own_files(package: &ReadPackage, digests: &Digests) -> BTreeMap<String, OwnFile> {
    let own = |member: &String| {
        let name = member.strip_prefix("install/")?;
        let digest = digests.get(&package.name, member)?;
        Some((name.to_owned(), OwnFile { size: digest.size, sha256: digest.sha256.clone(), source: member.clone() }))
    };
    package.files.keys().filter_map(own).collect()
}

fn dependencies(package: &ReadPackage, digests: &Digests) -> Vec<Dependency> {
    let text = digests.get(&package.name, "install/depend").and_then(|digest| digest.text.as_deref());
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    // A file that cannot be read is the reader's finding.
    let Depend(dependencies) = Depend::parse(&text).unwrap_or_default();
    dependencies
        .into_iter()
        .map(|dependency| Dependency {
            kind: match dependency.kind {
                DependKind::Prerequisite => "prerequisite",
                DependKind::Incompatible => "incompatible",
                DependKind::Reverse => "reverse",
            }
            .to_owned(),
            packages: vec![dependency.package],
            detail: dependency.versions.iter().map(ToString::to_string).collect(),
        })
        .collect()
}
