//! Reads a package archive of any producer and says what pkg would refuse in it.
//!
//! Works from the archive's bytes alone and shares no code with the writer, only the format's constants, so that it can
//! judge what the writer made. Nothing is extracted, so nothing can escape. Memory grows with the number of members and
//! with manifests, both bounded, and never with payloads.

mod actions;
mod index;
mod layout;
mod lint;
mod manifest;
mod names;
mod payload;
mod tar;

use std::collections::HashSet;
use std::io::{self, Read, Seek};

pub use crate::finding::{Finding, Level};
pub use manifest::ReadAction;

use crate::finding::Findings;
use layout::{Layout, Place};

use super::format::{CSIZE, SIZE};

/// A manifest beyond this is not read.
const LARGEST_MANIFEST: u64 = 32 << 20;

/// What an archive holds, and what is wrong with it.
#[derive(Debug)]
pub struct Report {
    /// In the archive's order.
    pub packages: Vec<ReadPackage>,
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether pkg would take everything in the archive.
    pub fn is_accepted(&self) -> bool {
        self.findings.iter().all(|finding| finding.level < Level::Error)
    }
}

/// A package, named as its place in the archive names it.
#[derive(Debug)]
pub struct ReadPackage {
    pub publisher: String,
    pub name: String,
    pub version: String,
    /// The manifest as it is stored.
    pub manifest: String,
    pub actions: Vec<ReadAction>,
}

impl ReadPackage {
    pub fn fmri(&self) -> String {
        format!("pkg://{}/{}@{}", self.publisher, self.name, self.version)
    }
}

/// A payload about to be looked at.
#[derive(Debug)]
pub struct Delivery<'a> {
    pub package: &'a ReadPackage,
    pub action: &'a ReadAction,
}

/// Reads an archive. `look` is called for each action with a payload, with the payload's content, decompressed; it need
/// not read all of it, and its errors end the reading. Damage in the content reaches it as an error of the reader it is
/// given, which it may pass on: that becomes a finding. The function fails only for `look` and for the source itself.
pub fn read<R: Read + Seek>(
    source: &mut R,
    look: &mut dyn FnMut(&Delivery<'_>, &mut dyn Read) -> io::Result<()>,
) -> io::Result<Report> {
    let mut findings = Findings::default();
    let mut packages = Vec::new();
    if tar::read_at(source, 0, 2)? == [0x1f, 0x8b] {
        findings.error("archive-gzip", "archive", "the archive as a whole is compressed, pkg wants a plain tar");
        return Ok(Report { packages, findings: findings.into_vec() });
    }
    let members = tar::members(source, &mut findings)?;
    index::check(source, &members, &mut findings)?;
    let layout = Layout::new(&members, &mut findings);
    layout.check_repository(source, &mut findings)?;
    let mut used = HashSet::new();
    for place in &layout.manifests {
        let Some(package) = package(source, place, &mut findings)? else { continue };
        for action in package.actions.iter().filter(|action| action.has_payload()) {
            let delivery = Delivery { package: &package, action };
            if let Some(name) = deliver(source, &layout, place, &delivery, look, &mut findings)? {
                used.insert(name);
            }
        }
        packages.push(package);
    }
    for name in layout.payloads.iter().filter(|name| !used.contains(**name)) {
        findings.warning("payload-unused", name, "no manifest names this payload");
    }
    Ok(Report { packages, findings: findings.into_vec() })
}

/// The actions of a manifest's text alone, and what is wrong with its lines.
pub fn actions(text: &str) -> (Vec<ReadAction>, Vec<Finding>) {
    let mut findings = Findings::default();
    let actions = manifest::parse(text, "manifest", &mut findings);
    (actions, findings.into_vec())
}

/// Reads one manifest and judges it. `None` if there is no reading it.
fn package<R: Read + Seek>(
    source: &mut R,
    place: &Place<'_>,
    findings: &mut Findings,
) -> io::Result<Option<ReadPackage>> {
    let member = place.member;
    if member.size > LARGEST_MANIFEST {
        findings.error("manifest-size", &member.name, format!("a manifest of {} bytes", member.size));
        return Ok(None);
    }
    let bytes = tar::read_at(source, member.data_at, member.size)?;
    let Ok(text) = String::from_utf8(bytes) else {
        findings.error("manifest-text", &member.name, "the manifest is not UTF-8 text");
        return Ok(None);
    };
    let actions = manifest::parse(&text, &member.name, findings);
    actions::check(&actions, &member.name, findings);
    lint::check(&actions, &member.name, findings);
    let package = ReadPackage {
        publisher: place.publisher.to_owned(),
        name: place.name.clone(),
        version: place.version.clone(),
        manifest: text,
        actions,
    };
    own_name(&package, &member.name, findings);
    Ok(Some(package))
}

/// Compares the name a manifest gives its package with its place, by which alone pkg goes.
fn own_name(package: &ReadPackage, place: &str, findings: &mut Findings) {
    let named = package.actions.iter().find(|a| a.kind == "set" && a.value("name") == Some("pkg.fmri"));
    let Some(fmri) = named.and_then(|a| a.value("value")) else {
        findings.warning("fmri-missing", place, "pkg.fmri is not set (lint.manifest003)");
        return;
    };
    match names::fmri(fmri) {
        Err(why) => findings.warning("fmri-mismatch", place, format!("pkg.fmri {fmri:?}: {why}")),
        Ok(split) => {
            let same_publisher = split.publisher.is_none_or(|publisher| publisher == package.publisher);
            let same = split.name == package.name && split.version == Some(package.version.as_str());
            if !same_publisher || !same {
                let message = format!("pkg.fmri is {fmri}, the archive has it as {}", package.fmri());
                findings.warning("fmri-mismatch", place, message);
            }
        }
    }
}

/// Finds an action's payload, shows it to the caller and judges it. Gives back the payload's member name.
fn deliver<'m, R: Read + Seek>(
    source: &mut R,
    layout: &Layout<'m>,
    place: &Place<'_>,
    delivery: &Delivery<'_>,
    look: &mut dyn FnMut(&Delivery<'_>, &mut dyn Read) -> io::Result<()>,
    findings: &mut Findings,
) -> io::Result<Option<&'m str>> {
    let action = delivery.action;
    let at = format!("{} line {}", place.member.name, action.line);
    let Some(hash) = action.hash.as_deref() else {
        findings.error("payload-unnamed", &at, format!("{} without the hash that names its payload", action.kind));
        return Ok(None);
    };
    if action.value(CSIZE).is_none() && action.value(SIZE).is_none() {
        findings.error("payload-size-unknown", &at, format!("neither {CSIZE} nor {SIZE}, pkg has nothing to transfer"));
    }
    let Some(member) = layout.payload(place.publisher, hash) else {
        findings.error("payload-missing", &at, format!("the archive has no payload {hash}"));
        return Ok(None);
    };
    payload::check(source, member, action, &at, &mut |content| look(delivery, content), findings)?;
    Ok(Some(&member.name))
}

#[cfg(test)]
mod tests;
