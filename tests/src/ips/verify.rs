//! Whether what a package delivered is still there as it was delivered.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::digest;
use super::image::Image;
use super::package::{Action, Package};

/// An action that is not kept, and in what.
pub struct Broken<'a> {
    pub action: &'a Action,
    pub errors: Vec<String>,
}

pub fn verify<'a>(image: &'a Image, package: &'a Package) -> Vec<Broken<'a>> {
    let actions = package.actions_for(&image.variants).filter(|a| a.has_place());
    let judged = actions.map(|action| Broken { action, errors: errors(image, action) });
    judged.filter(|broken| !broken.errors.is_empty()).collect()
}

fn errors(image: &Image, action: &Action) -> Vec<String> {
    if action.value("preserve") == Some("abandon") {
        return Vec::new();
    }
    let place = image.root.join(action.path());
    let Ok(meta) = place.symlink_metadata() else { return vec![format!("Missing: {} does not exist", what(action))] };
    let found = if meta.is_dir() {
        "directory"
    } else if meta.is_symlink() {
        "link"
    } else {
        "regular file"
    };
    if found != what(action) {
        return vec![format!("File Type: '{found}' should be '{}'", what(action))];
    }
    let mut errors = Vec::new();
    if action.is_file() || action.is_dir() {
        let mode = meta.permissions().mode() & 0o7777;
        if mode != action.mode() {
            errors.push(format!("Mode: {mode:04o} should be {:04o}", action.mode()));
        }
    }
    if action.kind == "link" {
        let target = fs::read_link(&place).unwrap_or_default();
        let wanted = action.value("target").unwrap_or_default();
        if target.as_os_str() != wanted {
            errors.push(format!("Target: '{}' should be '{wanted}'", target.display()));
        }
    }
    // What people may edit is held against nothing.
    let pristine = action.is_file() && action.value("preserve").is_none();
    if let Some(expected) = digest::of_content(action).filter(|_| pristine) {
        let sum = expected.algorithm.sum_of(&place).unwrap_or_else(|error| error.to_string());
        if sum != expected.hex {
            errors.push(format!("Hash: {sum} should be {}", expected.hex));
        }
    }
    errors
}

fn what(action: &Action) -> &'static str {
    match action.kind.as_str() {
        "dir" => "directory",
        "link" => "link",
        _ => "regular file",
    }
}
