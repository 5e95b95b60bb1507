//! What pkgadd looks at before it changes anything: corrupt package files, space, conflicts, set-id bits, root's scripts.

use std::fs;
use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::admin::{Admin, Wish};
use super::contents::Contents;
use super::files;
use super::install::Placed;
use super::map::Object;
use super::{FATAL, Quit, error};

/// A package's own files must be as its map says, if the map says anything.
pub fn package_files(package: &Path, objects: &[Object]) -> Result<(), Quit> {
    for object in objects.iter().filter(|object| object.letter == 'i') {
        let path = match object.path.as_str() {
            "pkginfo" => package.join("pkginfo"),
            name => package.join("install").join(name),
        };
        let Some(wanted) = object.facts else { continue };
        let same = files::facts_of(&path).is_ok_and(|found| found.size == wanted.size && found.cksum == wanted.cksum);
        if !same {
            error(format!("packaging file <{}> is corrupt", object.path));
            return Err(FATAL);
        }
    }
    Ok(())
}

pub fn space(admin: &Admin, placed: &[Placed], root: &Path) -> Result<(), Quit> {
    if admin.get("space") == "nocheck" {
        return Ok(());
    }
    let needed: u64 = placed.iter().filter_map(|placed| placed.object.facts).map(|facts| facts.size).sum();
    let free = statvfs(root).map_or(u64::MAX, |found| found.blocks_available() * found.fragment_size());
    if needed <= free {
        return Ok(());
    }
    let found = format!("The filesystem does not have enough space: {needed} bytes are needed, {free} are free.");
    admin.decide("space", &found).map(drop)
}

/// Files of this path that are on the system already, and not this package's alone. With `conflict=nochange` the paths
/// that are not to be touched.
pub fn conflicts(admin: &Admin, placed: &[Placed], contents: &Contents, package: &str) -> Result<Vec<String>, Quit> {
    if admin.get("conflict") == "nocheck" {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for Placed { object, path, .. } in placed {
        if path.symlink_metadata().is_err() {
            continue;
        }
        let row = contents.get(&object.path);
        if row.is_some_and(|row| row.owners.iter().all(|owner| owner == package)) {
            continue;
        }
        let what = files::faults(object, path, object.is_file());
        if !what.is_empty() {
            let only = if object.is_directory() { " <attribute change only>" } else { "" };
            found.push((
                object.path.clone(),
                format!("{}{}{only}", if only.is_empty() { "" } else { "* " }, object.path),
            ));
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let lines: Vec<&str> = found.iter().map(|(_, line)| line.as_str()).collect();
    let text = format!(
        "The following files are already installed on the system and are being used by another package:\n  {}",
        lines.join("\n  ")
    );
    match admin.decide("conflict", &text)? {
        Wish::GoOn => Ok(Vec::new()),
        Wish::NoChange => Ok(found.into_iter().map(|(path, _)| path).collect()),
    }
}

/// Whether set-id bits are to be cleared.
pub fn set_id(admin: &Admin, placed: &[Placed]) -> Result<bool, Quit> {
    let has = |object: &&Object| object.attributes.as_ref().and_then(|a| a.mode).is_some_and(|mode| mode & 0o6000 != 0);
    let paths: Vec<&str> = placed
        .iter()
        .map(|placed| &placed.object)
        .filter(has)
        .filter(|o| !o.is_directory())
        .map(|o| o.path.as_str())
        .collect();
    if paths.is_empty() {
        return Ok(false);
    }
    let found = format!(
        "The following files are being installed with setuid and/or setgid permissions:\n  {}",
        paths.join("\n  ")
    );
    Ok(admin.decide("setuid", &found)? == Wish::NoChange)
}

/// Scripts that run as root.
pub fn privileged_scripts(admin: &Admin, install: &Path, words: &[&str], class: char) -> Result<(), Quit> {
    let prefix = format!("{class}.");
    let any = fs::read_dir(install).into_iter().flatten().flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        words.contains(&name.as_str()) || name.starts_with(&prefix)
    });
    if !any {
        return Ok(());
    }
    admin.decide("action", "This package contains scripts which will be executed with super-user permission.").map(drop)
}
