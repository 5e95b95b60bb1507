//! The description of the contents, turned into an SVR4 package.

use anyhow::Result;

use super::material::Material;
use crate::content::Content;
use crate::contents::Contents;
use crate::svr4::datastream::{InstallFile, Package};
use crate::svr4::depend::{Depend, DependKind, Dependency};
use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::{Attributes, Entry, FileKind, LinkKind, Object};
use crate::time;

/// The class whose script merges lines into the system's databases.
pub const RBAC: &str = "rbac";

pub fn package(contents: &Contents, material: &Material, version: &str, epoch: u64) -> Result<Package> {
    let mut entries = Vec::new();
    for file in &contents.files {
        entries.push(Entry {
            class: file.class.clone(),
            path: file.path.clone(),
            object: Object::File {
                kind: FileKind::Plain,
                attributes: Attributes::new(file.mode()?, &file.owner, &file.group),
                contents: Content::Bytes(material.of(&file.path)?.to_vec()),
            },
        });
    }
    for database in &contents.rbac.databases {
        entries.push(Entry {
            class: RBAC.to_string(),
            path: contents.rbac.database(database),
            object: Object::File {
                kind: FileKind::Editable,
                attributes: Attributes::new(0o644, "root", "sys"),
                contents: Content::Bytes(material.lines(&database.name)?.to_vec()),
            },
        });
    }
    for directory in &contents.directories {
        entries.push(Entry {
            class: "none".to_string(),
            path: directory.path.clone(),
            object: Object::Directory {
                exclusive: false,
                attributes: Attributes::new(directory.mode()?, &directory.owner, &directory.group),
            },
        });
    }
    for link in &contents.links {
        entries.push(Entry {
            class: "none".to_string(),
            path: link.path.clone(),
            object: Object::Link { kind: LinkKind::Symbolic, target: link.target.clone() },
        });
    }
    let file =
        |name: &str, bytes: &[u8]| InstallFile { name: name.to_string(), content: Content::Bytes(bytes.to_vec()) };
    let mut install = vec![file("copyright", &material.license), file("depend", depend(contents)?.as_bytes())];
    install.extend(material.scripts.iter().map(|(name, text)| file(name, text)));
    Ok(Package { info: info(contents, version, epoch)?, install, entries, mtime: epoch })
}

fn info(contents: &Contents, version: &str, epoch: u64) -> Result<PkgInfo> {
    let about = &contents.package;
    let pstamp = format!("{}{}", about.svr4, time::compact(epoch)?);
    let general = [
        ("PKG", about.svr4.as_str()),
        ("NAME", &about.name),
        ("ARCH", &about.arch),
        ("VERSION", version),
        ("CATEGORY", "application"),
        ("VENDOR", &about.vendor),
        ("DESC", &about.summary),
        ("HOTLINE", &about.url),
        ("BASEDIR", "/"),
        ("CLASSES", "none manifest rbac"),
        ("PSTAMP", &pstamp),
    ];
    let zones = contents.zones.svr4.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(PkgInfo::from_pairs(general.into_iter().chain(zones))?)
}

fn depend(contents: &Contents) -> Result<String> {
    let virtualbox = &contents.virtualbox;
    let prerequisite = Dependency {
        kind: DependKind::Prerequisite,
        package: virtualbox.svr4.clone(),
        description: virtualbox.svr4_name.clone(),
        versions: Vec::new(),
    };
    Ok(Depend(vec![prerequisite]).render()?)
}
