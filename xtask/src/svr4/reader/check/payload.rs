//! Compares the map's lines with the files of the package's archives.

use std::collections::BTreeSet;

use super::map::Line;
use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::{Entry, Facts, Item, Object};
use crate::svr4::reader::finding::Findings;
use crate::svr4::reader::stream::fold;
use crate::svr4::reader::{ReadPackage, Stored};

/// Files that pkgadd and pkgrm look for in `install/`. Others are legal and only used by scripts.
const KNOWN: [&str; 12] = [
    "pkginfo",
    "copyright",
    "compver",
    "depend",
    "space",
    "checkinstall",
    "preinstall",
    "postinstall",
    "preremove",
    "postremove",
    "request",
    "pkgmap",
];

/// How the three ways to differ are called.
struct Ids {
    missing: &'static str,
    size: &'static str,
    cksum: &'static str,
}

const FILE: Ids = Ids { missing: "file-missing", size: "file-size", cksum: "file-cksum" };
const INFO: Ids = Ids { missing: "info-missing", size: "info-size", cksum: "info-cksum" };

pub fn check(package: &ReadPackage, lines: &[Line], findings: &mut Findings) {
    let mut described: BTreeSet<String> = BTreeSet::new();
    for line in lines {
        let place = format!("{} pkgmap line {}", package.name, line.number);
        match &line.row.item {
            Item::Info { name, facts } => {
                let member = format!("install/{name}");
                check_info(package, name, *facts, &member, &place, findings);
                described.insert(member);
            }
            Item::Object(Entry { class, path, object: Object::File { contents, .. } }) => {
                if in_class_archive(package, class) {
                    let message = format!("{path} comes from the archive of class {class}, which is not looked into");
                    findings.warning("file-unchecked", &place, message);
                    continue;
                }
                let member = member_of(package, line.row.volume, path);
                compare(&member, *contents, package.files.get(&member).copied(), &FILE, &place, findings);
                described.insert(member);
            }
            Item::Object(_) => {}
        }
    }
    if package.pkgmap.is_some() {
        undescribed(package, &described, findings);
    }
}

fn check_info(
    package: &ReadPackage,
    name: &str,
    facts: Option<Facts>,
    member: &str,
    place: &str,
    findings: &mut Findings,
) {
    let Some(facts) = facts else {
        findings.warning("info-unchecked", place, format!("without size and cksum pkgadd does not check {name}"));
        return;
    };
    let stored = match name {
        "pkginfo" => package.pkginfo.as_deref().map(measure),
        _ => package.files.get(member).copied(),
    };
    compare(name, facts, stored, &INFO, place, findings);
}

fn compare(name: &str, facts: Facts, stored: Option<Stored>, ids: &Ids, place: &str, findings: &mut Findings) {
    match stored {
        None => findings.error(ids.missing, place, format!("{name} is not in the archive")),
        Some(stored) if stored.size != facts.size => {
            let message = format!("{name} has {} bytes, the map says {}", stored.size, facts.size);
            findings.error(ids.size, place, message);
        }
        Some(stored) if stored.cksum != facts.cksum => {
            let message = format!("{name} has cksum {}, the map says {}", stored.cksum, facts.cksum);
            findings.error(ids.cksum, place, message);
        }
        Some(_) => {}
    }
}

/// Files without a line: payload is not installed, the package's own files are used but not checked.
fn undescribed(package: &ReadPackage, described: &BTreeSet<String>, findings: &mut Findings) {
    if package.pkginfo.is_some() && !described.contains("install/pkginfo") {
        findings.warning("info-unchecked", &package.name, "no line of the map describes pkginfo");
    }
    let classes = package.info.as_ref().and_then(PkgInfo::classes);
    for member in package.files.keys() {
        let is_described = described.contains(member);
        if let Some(name) = member.strip_prefix("install/") {
            if !is_described {
                findings.warning("info-unchecked", &package.name, format!("no line of the map describes {member}"));
            }
            check_name(package, name, classes.as_deref(), findings);
        } else if !is_described && !member.starts_with("archive/") {
            findings.warning("file-extra", &package.name, format!("no line of the map describes {member}"));
        }
    }
}

fn check_name(package: &ReadPackage, name: &str, classes: Option<&[&str]>, findings: &mut Findings) {
    match name.strip_prefix("i.").or_else(|| name.strip_prefix("r.")) {
        Some(class) if classes.is_some_and(|classes| !classes.contains(&class)) => {
            let message = format!("install/{name} is the script of a class that is not in CLASSES and never runs");
            findings.warning("script-unused", &package.name, message);
        }
        None if !KNOWN.contains(&name) => {
            let message = format!("install/{name} has no name the tools look for: only scripts can use it");
            findings.warning("info-unknown", &package.name, message);
        }
        _ => {}
    }
}

/// Compressed packages keep a class' files in `archive/CLASS` with an ending for the method.
fn in_class_archive(package: &ReadPackage, class: &str) -> bool {
    let name = format!("archive/{class}");
    let members = package.files.range(name.clone()..).map(|(member, _)| member);
    let mut rests = members.map_while(|member| member.strip_prefix(name.as_str()));
    rests.any(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Trees are numbered in packages of several parts only.
fn member_of(package: &ReadPackage, volume: u32, path: &str) -> String {
    let (tree, path) = match path.strip_prefix('/') {
        Some(path) => ("root", path),
        None => ("reloc", path),
    };
    if package.parts > 1 { format!("{tree}.{volume}/{path}") } else { format!("{tree}/{path}") }
}

/// pkginfo is kept whole, so it is measured here: plain sum, halves added twice.
fn measure(text: &[u8]) -> Stored {
    let sum: u64 = text.iter().map(|byte| u64::from(*byte)).sum();
    Stored { size: text.len() as u64, cksum: fold(sum), mode: 0, mtime: 0 }
}
