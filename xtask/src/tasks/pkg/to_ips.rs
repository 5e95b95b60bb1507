//! The description of the contents, turned into IPS packages: ours, and the bridge to an SVR4 VirtualBox.

use anyhow::{Context, Result};

use super::material::Material;
use crate::contents::Contents;
use crate::ips::fmri::Timestamp;
use crate::ips::{Action, Content, Fmri, Package};

/// As the system's own fragments have it.
pub const FRAGMENT_MODE: &str = "0444";

pub fn package(contents: &Contents, material: &Material, version: &str, epoch: u64) -> Result<Package> {
    let about = &contents.package;
    let mut actions = described(contents, &about.summary, &about.description);
    let fmris = Action::new(crate::ips::Kind::Set).with("name", "org.opensolaris.smf.fmri");
    actions.push(about.fmris.iter().fold(fmris, |action, fmri| action.with("value", fmri)));
    actions.push(Action::set("variant.arch", &about.arch));
    for file in &contents.files {
        let content = Content::Bytes(material.of(&file.path)?.to_vec());
        let action = Action::file(&file.path, &file.owner, &file.group, &file.mode, content);
        actions.push(file.ips.iter().fold(action, |action, (name, value)| action.with(name, value)));
    }
    for database in &contents.rbac.databases {
        let content = Content::Bytes(material.lines(&database.name)?.to_vec());
        let action = Action::file(&contents.rbac.fragment(database), "root", "sys", FRAGMENT_MODE, content);
        actions.push(contents.rbac.ips.iter().fold(action, |action, (name, value)| action.with(name, value)));
    }
    for directory in &contents.directories {
        actions.push(Action::dir(&directory.path, &directory.owner, &directory.group, &directory.mode));
    }
    actions.extend(contents.links.iter().map(|link| Action::link(&link.path, &link.target)));
    actions.push(Action::license(&contents.license.name, Content::Bytes(material.license.clone())));
    let depend = Action::new(crate::ips::Kind::Depend).with("type", "require-any");
    actions.push(contents.virtualbox.ips.iter().fold(depend, |action, fmri| action.with("fmri", fmri)));
    Ok(Package { fmri: fmri(contents, &about.ips, version, epoch)?, actions })
}

pub fn bridge(contents: &Contents, version: &str, epoch: u64) -> Result<Package> {
    let virtualbox = &contents.virtualbox;
    let actions = described(contents, &virtualbox.bridge_summary, &virtualbox.bridge_description);
    Ok(Package { fmri: fmri(contents, &virtualbox.bridge, version, epoch)?, actions })
}

/// What both packages say of themselves.
fn described(contents: &Contents, summary: &str, description: &str) -> Vec<Action> {
    let about = &contents.package;
    let zones = Action::new(crate::ips::Kind::Set).with("name", "variant.opensolaris.zone");
    let zones = contents.zones.ips.iter().fold(zones, |action, zone| action.with("value", zone));
    vec![
        Action::set("pkg.summary", summary),
        Action::set("pkg.description", description),
        Action::set("info.classification", &about.classification),
        Action::set("info.upstream-url", &about.url),
        Action::set("org.opensolaris.consolidation", &about.publisher),
        zones,
    ]
}

fn fmri(contents: &Contents, name: &str, version: &str, epoch: u64) -> Result<Fmri> {
    let time = Timestamp::from_unix(epoch).with_context(|| format!("the time {epoch} is beyond what IPS can say"))?;
    let text = format!("pkg://{}/{name}@{version},5.11:{time}", contents.package.publisher);
    text.parse().with_context(|| format!("{text} is no package FMRI"))
}
