//! What each member of an archive is for, by its name; and whether its name may be there at all.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Read, Seek};

use super::super::format::{FILE_DIR, PKG_DIR, PUBLISHER_DIR, REPOSITORY_NAME};
use super::tar::{Member, MemberKind, read_at};
use super::{index, names};
use crate::finding::Findings;

/// The repository's configuration is a few lines.
const LARGEST_REPOSITORY: u64 = 64 << 10;

/// A manifest and the package its name stands for.
pub(super) struct Place<'m> {
    pub member: &'m Member,
    pub publisher: &'m str,
    pub name: String,
    pub version: String,
}

pub(super) struct Layout<'m> {
    by_name: HashMap<&'m str, &'m Member>,
    publishers: BTreeSet<&'m str>,
    pub manifests: Vec<Place<'m>>,
    /// Names of the payload members.
    pub payloads: Vec<&'m str>,
}

impl<'m> Layout<'m> {
    pub fn new(members: &'m [Member], findings: &mut Findings) -> Self {
        let mut layout =
            Self { by_name: HashMap::new(), publishers: BTreeSet::new(), manifests: Vec::new(), payloads: Vec::new() };
        for member in members {
            if !is_safe(member, findings) {
                continue;
            }
            if layout.by_name.insert(&member.name, member).is_some() {
                findings.warning("member-twice", &member.name, "the member is there twice, the last one counts");
            }
        }
        // In the archive's order, and only the last of each name.
        for member in
            members.iter().filter(|m| layout.by_name.get(m.name.as_str()).is_some_and(|l| std::ptr::eq(*l, *m)))
        {
            match member.kind {
                MemberKind::Directory => {
                    let publisher = member.name.strip_prefix(PUBLISHER_DIR).and_then(|rest| rest.strip_prefix('/'));
                    layout.publishers.extend(publisher.filter(|publisher| !publisher.contains('/')));
                }
                _ => file(member, &mut layout.manifests, &mut layout.payloads, findings),
            }
        }
        layout.check_publishers(findings);
        layout
    }

    /// A payload, by the hash that names it.
    pub fn payload(&self, publisher: &str, hash: &str) -> Option<&'m Member> {
        let name = format!("{PUBLISHER_DIR}/{publisher}/{FILE_DIR}/{}/{hash}", hash.get(..2)?);
        self.by_name.get(name.as_str()).copied().filter(|member| member.kind == MemberKind::File)
    }

    /// pkg learns of a publisher from the directory just below the top one, and of nothing else.
    fn check_publishers(&self, findings: &mut Findings) {
        if self.publishers.is_empty() {
            let message = format!("no directory member {PUBLISHER_DIR}/<publisher>, by which pkg finds a publisher");
            findings.error("publisher-missing", "archive", message);
        }
        let used: BTreeSet<&str> = self.manifests.iter().map(|place| place.publisher).collect();
        for publisher in used.iter().filter(|p| !self.publishers.is_empty() && !self.publishers.contains(*p)) {
            let name = format!("{PUBLISHER_DIR}/{publisher}");
            findings.error("publisher-missing", &name, "no directory member, without which pkg finds no publisher");
        }
        for publisher in used.iter().chain(&self.publishers).filter(|publisher| !names::publisher(publisher)) {
            findings.error("publisher-name", publisher, "a publisher is named by letters, digits, '-' and '.'");
        }
        if self.manifests.is_empty() {
            findings.error("package-missing", "archive", "the archive holds no package");
        }
    }

    /// The configuration may be missing; if it is there it should name a publisher of the archive.
    pub fn check_repository(&self, source: &mut (impl Read + Seek), findings: &mut Findings) -> io::Result<()> {
        let Some(member) = self.by_name.get(REPOSITORY_NAME) else {
            findings.warning("repository-missing", REPOSITORY_NAME, "not there, though pkg does without");
            return Ok(());
        };
        let bytes = read_at(source, member.data_at, member.size.min(LARGEST_REPOSITORY))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut section = "";
        for line in text.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
                continue;
            }
            let Some((key, value)) = line.split_once('=') else { continue };
            let (key, value) = (key.trim(), value.trim());
            if section == "[publisher]" && key == "prefix" && !self.publishers.contains(value) {
                let message = format!("names publisher {value:?}, whom the archive does not have");
                findings.warning("repository-publisher", REPOSITORY_NAME, message);
            }
            if section == "[repository]" && key == "version" && value != "4" {
                findings.warning("repository-version", REPOSITORY_NAME, format!("version {value:?} instead of 4"));
            }
        }
        Ok(())
    }
}

/// pkg extracts only plain files and directories to places inside.
fn is_safe(member: &Member, findings: &mut Findings) -> bool {
    let name = member.name.as_str();
    if name.starts_with('/') {
        findings.error("member-absolute", name, "a name that begins with '/'");
    } else if name.split('/').any(|part| part == "..") {
        findings.error("member-escape", name, "a name with a '..' part");
    } else if name.contains('\0') {
        findings.error("member-name", name, "a name with a zero byte");
    } else if let MemberKind::Other(flag) = member.kind {
        let message = format!("neither a file nor a directory but of tar type {:?}", char::from(flag));
        findings.error("member-type", name, message);
    } else if name == "." || name.starts_with("./") {
        // Refused for want of what it hides: pkg does not take the "./" off.
        findings.warning("member-dot", name, "a name that begins with './', under which pkg does not look");
        return false;
    } else {
        return true;
    }
    false
}

fn file<'m>(member: &'m Member, manifests: &mut Vec<Place<'m>>, payloads: &mut Vec<&'m str>, findings: &mut Findings) {
    let parts: Vec<&str> = member.name.split('/').collect();
    match parts.as_slice() {
        [PUBLISHER_DIR, publisher, PKG_DIR, stem, version] => {
            manifests.push(place(member, publisher, stem, version, findings));
        }
        [PUBLISHER_DIR, _, FILE_DIR, fan, hash] if hash.get(..2) == Some(*fan) => payloads.push(&member.name),
        [PUBLISHER_DIR, _, "catalog", _] => {
            findings.warning("catalog", &member.name, "pkg will go by this catalog and not by the manifests");
        }
        [PUBLISHER_DIR, _, "pub.p5i"] | [REPOSITORY_NAME] => {}
        [name] if index::is_index(name) => {}
        _ => findings.warning("member-unknown", &member.name, "a file that pkg has no use for"),
    }
}

fn place<'m>(member: &'m Member, publisher: &'m str, stem: &str, version: &str, findings: &mut Findings) -> Place<'m> {
    let (name, version) = match (names::unquote(stem), names::unquote(version)) {
        (Some(name), Some(version)) => (name, version),
        _ => {
            findings.error("member-quoting", &member.name, "not quoted as pkg would, who will look for another name");
            return Place { member, publisher, name: stem.to_owned(), version: version.to_owned() };
        }
    };
    if !names::package(&name) {
        findings.error("package-name", &member.name, format!("{name:?} is no package name"));
    }
    match names::version(&version) {
        Err(why) => findings.error("version", &member.name, why),
        Ok(parts) => {
            if !parts.build {
                findings.error("version-build", &member.name, "the version lacks its build release, such as ,5.11");
            }
            if !parts.timestamp {
                findings.warning(
                    "version-timestamp",
                    &member.name,
                    "the version lacks a timestamp, which orders updates",
                );
            }
        }
    }
    Place { member, publisher, name, version }
}
