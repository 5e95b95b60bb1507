//! The rules that actions must keep for pkg to publish and install them, each alone and all of a package together.
//!
//! What pkgsend refuses, or what fails on the user's machine. Matters of taste are `lint`'s.

use std::collections::HashMap;

use super::super::format::{DEPEND_ANY_TYPES, DEPEND_TYPES};
use super::manifest::ReadAction;
use super::names;
use crate::finding::Findings;

/// The longest path illumos takes, and long enough to compare with all its parents.
const LONGEST_PATH: usize = 1024;

pub(super) fn check(actions: &[ReadAction], place: &str, findings: &mut Findings) {
    for action in actions {
        let place = format!("{place} line {}", action.line);
        required(action, &place, findings);
        match action.kind.as_str() {
            "depend" => depend(action, &place, findings),
            "link" | "hardlink" => mediation(action, &place, findings),
            _ => {}
        }
        if has_path(action) {
            path(action, &place, findings);
        }
        mode(action, &place, findings);
        accounts(action, &place, findings);
    }
    conflicts(actions, place, findings);
    retired(actions, place, findings);
}

fn has_path(action: &ReadAction) -> bool {
    matches!(action.kind.as_str(), "dir" | "file" | "link" | "hardlink")
}

fn required(action: &ReadAction, place: &str, findings: &mut Findings) {
    let (needed, once): (&[&str], &[&str]) = match action.kind.as_str() {
        "dir" | "file" => (&["path", "owner", "group", "mode"], &["path", "owner", "group", "mode"]),
        "link" | "hardlink" => (&["path", "target"], &["path", "target"]),
        "license" => (&["license"], &["license"]),
        "depend" => (&["type", "fmri"], &["type"]),
        "legacy" => (&["pkg"], &["pkg"]),
        "set" => (&["name", "value"], &["name"]),
        "user" => (&["username", "group"], &["username"]),
        "group" => (&["groupname"], &["groupname"]),
        "driver" => (&["name"], &["name"]),
        _ => return,
    };
    // Only a setting may be empty.
    let lacking = |attribute: &str| match action.value(attribute) {
        Some(value) => action.kind != "set" && value.trim().is_empty(),
        None => true,
    };
    for attribute in needed.iter().filter(|attribute| lacking(attribute)) {
        findings.error("attribute-missing", place, format!("{} without {attribute}", action.kind));
    }
    for attribute in once.iter().filter(|a| action.values(a).count() > 1) {
        findings.error("attribute-repeated", place, format!("{} with several values of {attribute}", action.kind));
    }
}

fn depend(action: &ReadAction, place: &str, findings: &mut Findings) {
    let kind = action.value("type").unwrap_or_default();
    if action.value("type").is_some() && !DEPEND_TYPES.contains(&kind) {
        findings.error("depend-type", place, format!("unknown dependency type {kind:?}"));
    }
    for value in action.values("fmri").chain(action.values("predicate")) {
        if let Err(why) = names::fmri(value) {
            findings.error("depend-fmri", place, format!("{value:?}: {why}"));
        }
    }
    if action.values("fmri").count() > 1 && DEPEND_TYPES.contains(&kind) && !DEPEND_ANY_TYPES.contains(&kind) {
        // Installed all the same, with one of the packages left out of account.
        findings.warning("depend-several", place, format!("pkgsend refuses a {kind} dependency on several packages"));
    }
    if kind == "conditional" && action.value("predicate").is_none() {
        findings.error("attribute-missing", place, "conditional dependency without predicate");
    }
}

fn mediation(action: &ReadAction, place: &str, findings: &mut Findings) {
    let has = |attribute| action.value(attribute).is_some();
    if has("mediator") && !has("mediator-version") && !has("mediator-implementation") {
        findings.error(
            "mediator-version",
            place,
            "a mediated link without mediator-version or mediator-implementation",
        );
    }
}

fn path(action: &ReadAction, place: &str, findings: &mut Findings) {
    let Some(path) = action.value("path") else { return };
    if path.starts_with('/') {
        findings.warning("path-absolute", place, format!("path {path:?} begins with '/', which pkg drops"));
    }
    if path.len() > LONGEST_PATH {
        findings.error("path-long", place, format!("a path of {} bytes, no system takes it", path.len()));
    }
    let relative = path.trim_start_matches('/');
    if relative.is_empty() {
        findings.error("path-empty", place, "an empty path");
    } else if relative.split('/').any(|part| matches!(part, "" | "." | "..")) {
        findings.warning("path-untidy", place, format!("path {path:?} has parts that pkg resolves away"));
    }
}

fn mode(action: &ReadAction, place: &str, findings: &mut Findings) {
    let Some(mode) = action.value("mode").filter(|_| matches!(action.kind.as_str(), "dir" | "file")) else { return };
    let digits = mode.strip_prefix('0').unwrap_or(mode);
    if mode.is_empty() || digits.len() > 4 || !mode.bytes().all(|b| matches!(b, b'0'..=b'7')) {
        findings.error("mode", place, format!("mode {mode:?} is not up to four octal digits"));
    }
}

fn accounts(action: &ReadAction, place: &str, findings: &mut Findings) {
    if !matches!(action.kind.as_str(), "dir" | "file") {
        return;
    }
    for attribute in ["owner", "group"] {
        let Some(value) = action.value(attribute) else { continue };
        if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
            findings.error("account", place, format!("{attribute} {value:?} is no name, which pkg requires"));
        }
    }
}

/// Two actions for one path that one image would get both of.
fn conflicts(actions: &[ReadAction], place: &str, findings: &mut Findings) {
    let placed = || {
        let short = |action: &ReadAction| action.value("path").filter(|path| path.len() <= LONGEST_PATH).map(resolved);
        actions.iter().filter(|action| has_path(action)).filter_map(move |action| Some((action, short(action)?)))
    };
    let mut by_path: HashMap<String, Vec<&ReadAction>> = HashMap::new();
    for (action, path) in placed() {
        let earlier = by_path.entry(path.clone()).or_default();
        if let Some(other) = earlier.iter().find(|other| !exclusive(other, action) && contradict(other, action)) {
            let message = format!("path {path:?} is delivered otherwise by line {}", other.line);
            findings.error("path-conflict", format!("{place} line {}", action.line), message);
        }
        // A hostile manifest must not make this quadratic.
        if earlier.len() < 16 {
            earlier.push(action);
        }
    }
    for (action, path) in placed() {
        for (end, _) in path.match_indices('/') {
            let parents = path.get(..end).and_then(|above| by_path.get(above)).into_iter().flatten();
            for parent in parents.filter(|p| p.kind != "dir" && !exclusive(p, action)) {
                let message = format!("path {path:?} lies below line {}, which delivers no directory", parent.line);
                findings.error("path-parent", format!("{place} line {}", action.line), message);
            }
        }
    }
}

/// A path as pkg uses it: relative, with `.` and `..` resolved.
fn resolved(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether their variants keep two actions out of the same image.
fn exclusive(a: &ReadAction, b: &ReadAction) -> bool {
    a.attributes
        .iter()
        .filter(|(key, _)| key.starts_with("variant."))
        .any(|(key, _)| b.value(key).is_some() && !a.values(key).any(|value| b.values(key).any(|other| other == value)))
}

fn contradict(a: &ReadAction, b: &ReadAction) -> bool {
    let differ = |attribute| a.value(attribute) != b.value(attribute);
    a.kind != b.kind
        || match a.kind.as_str() {
            "dir" => differ("owner") || differ("group") || octal(a) != octal(b),
            // Links to several targets are what mediators are for.
            "link" | "hardlink" => differ("target") && (a.value("mediator").is_none() || differ("mediator")),
            _ => true,
        }
}

fn octal(action: &ReadAction) -> Option<u32> {
    action.value("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok())
}

/// Packages that only say they are gone or go by another name.
fn retired(actions: &[ReadAction], place: &str, findings: &mut Findings) {
    let is = |name: &str| {
        actions.iter().any(|a| a.kind == "set" && a.value("name") == Some(name) && a.value("value") == Some("true"))
    };
    let only = |kinds: &[&str]| actions.iter().all(|a| kinds.contains(&a.kind.as_str()));
    if is("pkg.obsolete") && !only(&["set", "signature"]) {
        findings.error("obsolete-content", place, "an obsolete package holds more than set actions");
    }
    if is("pkg.renamed") {
        if !only(&["set", "depend", "signature"]) {
            findings.error("renamed-content", place, "a renamed package holds more than set and depend actions");
        }
        if !actions.iter().any(|a| a.kind == "depend") {
            findings.error("renamed-depend", place, "a renamed package does not depend on what it is called now");
        }
    }
}
