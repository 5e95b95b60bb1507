//! The description of the contents, turned into an SVR4 package.

use anyhow::Result;

use super::material::Material;
use crate::contents::Contents;
use crate::svr4::content::Content;
use crate::svr4::datastream::{InstallFile, Package};
use crate::svr4::depend::{Depend, DependKind, Dependency};
use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::{Attributes, Entry, FileKind, LinkKind, Object};
use crate::time;

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
    let depend = InstallFile { name: "depend".to_string(), content: Content::Bytes(depend(contents)?.into_bytes()) };
    Ok(Package { info: info(contents, version, epoch)?, install: vec![depend], entries, mtime: epoch })
}

fn info(contents: &Contents, version: &str, epoch: u64) -> Result<PkgInfo> {
    let about = &contents.package;
    Ok(PkgInfo::from_pairs([
        ("PKG", about.svr4.as_str()),
        ("NAME", &about.name),
        ("ARCH", &about.arch),
        ("VERSION", version),
        ("CATEGORY", "application"),
        ("VENDOR", &about.vendor),
        ("DESC", &about.summary),
        ("HOTLINE", &about.url),
        ("BASEDIR", "/"),
        ("CLASSES", "none manifest"),
        ("PSTAMP", &format!("{}{}", about.svr4, time::compact(epoch)?)),
        // Into this zone alone, with pkgadd -G in the global zone or without in a local one: a host has few zones that
        // run VirtualBox.
        ("SUNW_PKG_ALLZONES", "false"),
        ("SUNW_PKG_HOLLOW", "false"),
        ("SUNW_PKG_THISZONE", "true"),
    ])?)
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
