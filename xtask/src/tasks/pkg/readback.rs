//! Reads the packages back from disk, by other code than wrote them, and compares them with what was meant.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::material::Material;
use super::to_svr4::RBAC;
use crate::contents::Contents;
use crate::hash::{hex, sha256, sha256_of_file, sha256_read};
use crate::ips::reader as ips_reader;
use crate::svr4::pkgmap::{Attributes, FileKind, Item, Object};
use crate::svr4::reader as svr4_reader;

/// One object of a package in words that both formats share.
type Objects = BTreeMap<String, String>;

fn file_words(mode: u32, owner: &str, group: &str, sha256: &str) -> String {
    format!("file {mode:04o} {owner} {group} {sha256}")
}

fn directory_words(mode: u32, owner: &str, group: &str) -> String {
    format!("dir {mode:04o} {owner} {group}")
}

/// What the description and the material say both packages hold.
fn meant(contents: &Contents, material: &Material) -> Result<Objects> {
    let mut objects = Objects::new();
    for file in &contents.files {
        let sha256 = sha256(material.of(&file.path)?);
        objects.insert(file.path.clone(), file_words(file.mode()?, &file.owner, &file.group, &sha256));
    }
    for directory in &contents.directories {
        objects.insert(directory.path.clone(), directory_words(directory.mode()?, &directory.owner, &directory.group));
    }
    for link in &contents.links {
        objects.insert(link.path.clone(), format!("link {}", link.target));
    }
    Ok(objects)
}

/// What the SVR4 package holds, with the class of each file.
fn meant_svr4<'a>(contents: &'a Contents, material: &Material) -> Result<(Objects, BTreeMap<String, &'a str>)> {
    let mut objects = meant(contents, material)?;
    let mut classes: BTreeMap<String, &str> =
        contents.files.iter().map(|file| (file.path.clone(), file.class.as_str())).collect();
    for database in &contents.rbac.databases {
        let path = contents.rbac.database(database);
        let sha256 = sha256(material.lines(&database.name)?);
        objects.insert(path.clone(), format!("editable {}", file_words(0o644, "root", "sys", &sha256)));
        classes.insert(path, RBAC);
    }
    Ok((objects, classes))
}

/// What the IPS package holds.
fn meant_ips(contents: &Contents, material: &Material) -> Result<Objects> {
    let mut objects = meant(contents, material)?;
    for database in &contents.rbac.databases {
        let sha256 = sha256(material.lines(&database.name)?);
        objects.insert(contents.rbac.fragment(database), file_words(0o444, "root", "sys", &sha256));
    }
    Ok(objects)
}

fn agree(path: &Path, found: &Objects, meant: &Objects) -> Result<()> {
    let mut faults = Vec::new();
    for (name, words) in meant {
        match found.get(name) {
            None => faults.push(format!("{name} is missing")),
            Some(other) if other != words => faults.push(format!("{name} is \"{other}\" and should be \"{words}\"")),
            Some(_) => {}
        }
    }
    faults.extend(
        found.keys().filter(|name| !meant.contains_key(*name)).map(|name| format!("{name} should not be there")),
    );
    refuse(path, faults)
}

fn refuse(path: &Path, faults: Vec<String>) -> Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    bail!("{} reads back wrong:\n  {}", path.display(), faults.join("\n  "));
}

/// The hashes of the files of a datastream, as they pass by.
#[derive(Default)]
struct Hashes {
    current: Option<(String, Sha256)>,
    done: BTreeMap<String, String>,
}

impl svr4_reader::Visitor for Hashes {
    fn begin(&mut self, _package: &str, member: &str, _size: u64) {
        self.current = Some((member.to_string(), Sha256::new()));
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some((_, hasher)) = &mut self.current {
            hasher.update(bytes);
        }
    }

    fn end(&mut self, complete: bool) {
        if let (Some((member, hasher)), true) = (self.current.take(), complete) {
            self.done.insert(member, hex(&hasher.finalize()));
        }
    }
}

pub fn svr4(path: &Path, contents: &Contents, material: &Material) -> Result<()> {
    let mut hashes = Hashes::default();
    let report =
        svr4_reader::read_path(path, &mut hashes).with_context(|| format!("cannot read {}", path.display()))?;
    // The description itself makes sure that the folders nobody owns here are the system's.
    let findings = report.findings.iter().filter(|finding| finding.id != "parent-missing");
    refuse(path, findings.map(ToString::to_string).collect())?;
    let [package] = report.packages.as_slice() else { bail!("{} holds not one package", path.display()) };
    if package.name != contents.package.svr4 {
        bail!("{} holds the package {}", path.display(), package.name);
    }
    let mut found = Objects::new();
    let mut classes = BTreeMap::new();
    for row in &package.rows {
        let Item::Object(entry) = &row.item else { continue };
        let words = match &entry.object {
            Object::File { kind, attributes, .. } => {
                let sha256 = hashes.done.get(&format!("reloc/{}", entry.path)).cloned().unwrap_or_default();
                let words = attributed(attributes, |mode, owner, group| file_words(mode, owner, group, &sha256));
                if *kind == FileKind::Editable { format!("editable {words}") } else { words }
            }
            Object::Directory { attributes, .. } => attributed(attributes, directory_words),
            Object::Link { target, .. } => format!("link {target}"),
            other => format!("{other:?}"),
        };
        found.insert(entry.path.clone(), words);
        classes.insert(entry.path.as_str(), entry.class.as_str());
    }
    let (meant, meant_classes) = meant_svr4(contents, material)?;
    agree(path, &found, &meant)?;
    let wrong_class = meant_classes.iter().filter(|(path, class)| classes.get(path.as_str()) != Some(class));
    let mut faults: Vec<String> =
        wrong_class.map(|(path, class)| format!("{path} is not in the class {class}")).collect();
    if !hashes.done.contains_key("install/depend") {
        faults.push("the dependency on VirtualBox is missing".to_string());
    }
    for (name, text) in &material.scripts {
        if hashes.done.get(&format!("install/{name}")) != Some(&sha256(text)) {
            faults.push(format!("the script {name} is missing, or another"));
        }
    }
    let stated = package.info.as_ref();
    for (name, value) in &contents.zones.svr4 {
        if stated.and_then(|info| info.get(name)) != Some(value) {
            faults.push(format!("pkginfo does not say {name}={value}"));
        }
    }
    refuse(path, faults)
}

fn attributed(attributes: &Attributes, words: impl Fn(u32, &str, &str) -> String) -> String {
    match (attributes.mode, &attributes.owner, &attributes.group) {
        (Some(mode), Some(owner), Some(group)) => words(mode, owner, group),
        _ => format!("{attributes:?}"),
    }
}

/// The gzipped file must give back the plain one.
pub fn gzip(zipped: &Path, plain: &Path) -> Result<()> {
    let mut unzipped = MultiGzDecoder::new(File::open(zipped)?);
    if sha256_read(&mut unzipped)? != sha256_of_file(plain)? {
        bail!("{} does not give back {}", zipped.display(), plain.display());
    }
    Ok(())
}

/// Reads an archive of one package; the hashes of its payloads are by path, or by licence.
fn read_ips(path: &Path) -> Result<(ips_reader::ReadPackage, BTreeMap<String, String>)> {
    let mut hashes = BTreeMap::new();
    let mut look = |delivery: &ips_reader::Delivery<'_>, content: &mut dyn Read| {
        let key = delivery.action.value("path").or(delivery.action.value("license")).unwrap_or_default();
        hashes.insert(key.to_string(), sha256_read(content)?.0);
        Ok(())
    };
    let mut report = ips_reader::read(&mut File::open(path)?, &mut look)
        .with_context(|| format!("cannot read {}", path.display()))?;
    refuse(path, report.findings.iter().map(ToString::to_string).collect())?;
    match (report.packages.pop(), report.packages.is_empty()) {
        (Some(package), true) => Ok((package, hashes)),
        _ => bail!("{} holds not one package", path.display()),
    }
}

pub fn ips(path: &Path, contents: &Contents, material: &Material) -> Result<()> {
    let (package, hashes) = read_ips(path)?;
    let mut found = Objects::new();
    let mut faults = Vec::new();
    for action in &package.actions {
        let value = |name: &str| action.value(name).unwrap_or_default().to_string();
        let mode = || u32::from_str_radix(&value("mode"), 8).unwrap_or(u32::MAX);
        let words = match action.kind.as_str() {
            "file" => {
                let sha256 = hashes.get(&value("path")).cloned().unwrap_or_default();
                file_words(mode(), &value("owner"), &value("group"), &sha256)
            }
            "dir" => directory_words(mode(), &value("owner"), &value("group")),
            "link" => format!("link {}", value("target")),
            "depend" => {
                let fmris: Vec<&str> = action.values("fmri").collect();
                if value("type") != "require-any" || fmris != contents.virtualbox.ips {
                    faults.push(format!("the dependency is {} {fmris:?}", value("type")));
                }
                continue;
            }
            _ => continue,
        };
        found.insert(value("path"), words);
    }
    if !package.actions.iter().any(|action| action.kind == "depend") {
        faults.push("the dependency on VirtualBox is missing".to_string());
    }
    if package.name != contents.package.ips {
        faults.push(format!("it holds the package {}", package.name));
    }
    let fragments = contents.rbac.databases.iter().map(|d| (contents.rbac.fragment(d), &contents.rbac.ips));
    for (path, attributes) in contents.files.iter().map(|f| (f.path.clone(), &f.ips)).chain(fragments) {
        let action = package.actions.iter().find(|a| a.value("path") == Some(&path));
        for (name, value) in attributes {
            if action.and_then(|a| a.value(name)) != Some(value) {
                faults.push(format!("{path} has not {name}={value}"));
            }
        }
    }
    refuse(path, faults)?;
    agree(path, &found, &meant_ips(contents, material)?)
}

/// The bridge holds its own description and nothing else.
pub fn bridge(path: &Path, contents: &Contents) -> Result<()> {
    let (package, _) = read_ips(path)?;
    let mut faults: Vec<String> = package
        .actions
        .iter()
        .filter(|action| action.kind != "set")
        .map(|action| format!("the bridge holds a {} action", action.kind))
        .collect();
    if package.name != contents.virtualbox.bridge {
        faults.push(format!("it holds the package {}", package.name));
    }
    refuse(path, faults)
}
