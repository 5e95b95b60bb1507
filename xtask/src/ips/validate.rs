//! What may not be published: actions that pkg would refuse, misread or install differently from what was meant.
//!
//! Stricter than pkg where pkg lets a mistake through at publishing and fails on the user's machine.

use std::collections::HashMap;

use thiserror::Error;

use super::action::{Action, Kind, Package};
use super::error::IpsError;
use super::fmri::{Fmri, FmriError};
use super::format::{CHASH, CONTENT_HASH, CSIZE, DEPEND_ANY_TYPES, DEPEND_TYPES, SIZE};
use super::manifest::needs_quotes;

/// What is wrong with a single action.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ActionError {
    #[error("attribute {0} is missing")]
    Missing(&'static str),
    #[error("attribute {0} has several values, give one")]
    Repeated(String),
    #[error("attribute name {0:?}: use visible characters without quotes and '=', and neither data nor hash")]
    Key(String),
    #[error("attribute {0} is computed when the package is written, leave it out")]
    Computed(String),
    #[error(
        "{attribute}={value:?} holds a control character or a space other than U+0020, which manifests cannot carry"
    )]
    Control { attribute: String, value: String },
    #[error("{attribute}={value:?} has a backslash where it would be read as an escape or a continued line")]
    Backslash { attribute: String, value: String },
    #[error("path {0:?}: use a relative path without empty, '.' and '..' parts")]
    Path(String),
    #[error("mode {0:?}: use four octal digits, such as 0755")]
    Mode(String),
    #[error("{attribute} {value:?}: use a name, pkg refuses numeric ids")]
    Account { attribute: &'static str, value: String },
    #[error("has no content")]
    NoContent,
    #[error("carries content, which only file and license actions do")]
    StrayContent,
    #[error("a licence has no path, it is kept in pkg's own directory")]
    LicensePath,
    #[error("a mediated link needs mediator-version or mediator-implementation")]
    Mediator,
    #[error("the package's name is set from the package itself, leave pkg.fmri out")]
    FmriGiven,
    #[error("dependency type {0:?}: use one of {list}", list = DEPEND_TYPES.join(", "))]
    DependType(String),
    #[error("a dependency of type {0} names a single package, only group-any and require-any name several")]
    DependSeveral(String),
    #[error("an incorporate dependency without a version constrains nothing")]
    Unversioned,
    #[error("{attribute} {value:?}: {source}")]
    Fmri { attribute: &'static str, value: String, source: FmriError },
}

/// Two actions of one package that exclude each other.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConflictError {
    #[error("{0} is set twice; give one action several values instead")]
    SetTwice(String),
    #[error("{first} and {second} deliver the same path with different attributes")]
    Path { first: String, second: String },
    #[error("{child} lies below {parent}, which is no directory")]
    Parent { child: String, parent: String },
    #[error("licence {0} is given twice")]
    LicenseTwice(String),
}

/// Checks each action of a package and all of them against each other.
pub fn check(package: &Package) -> Result<(), IpsError> {
    let name = || package.fmri.to_string();
    for action in &package.actions {
        check_action(action).map_err(|source| IpsError::Action {
            package: name(),
            action: action.to_string(),
            source: Box::new(source),
        })?;
    }
    check_conflicts(&package.actions).map_err(|source| IpsError::Conflict { package: name(), source: Box::new(source) })
}

fn check_action(action: &Action) -> Result<(), ActionError> {
    for (key, values) in action.attributes() {
        check_key(key)?;
        if values.len() > 1 && (key.starts_with("facet.") || key == "reboot-needed") {
            return Err(ActionError::Repeated(key.to_owned()));
        }
        for value in values {
            check_value(key, value)?;
        }
    }
    match (action.kind.has_payload(), &action.content) {
        (true, None) => return Err(ActionError::NoContent),
        (false, Some(_)) => return Err(ActionError::StrayContent),
        _ => {}
    }
    match action.kind {
        Kind::Set => check_set(action),
        Kind::Dir | Kind::File => {
            check_path(action)?;
            check_account(action, "owner")?;
            check_account(action, "group")?;
            let mode = single(action, "mode")?;
            let octal = mode.len() == 4 && mode.bytes().all(|b| (b'0'..=b'7').contains(&b));
            if octal { Ok(()) } else { Err(ActionError::Mode(mode.to_owned())) }
        }
        Kind::Link | Kind::Hardlink => {
            check_path(action)?;
            single(action, "target")?;
            let given = |attribute| action.value(attribute).is_some();
            if given("mediator") && !given("mediator-version") && !given("mediator-implementation") {
                return Err(ActionError::Mediator);
            }
            Ok(())
        }
        Kind::License if action.value("path").is_some() => Err(ActionError::LicensePath),
        Kind::License => single(action, "license").map(drop),
        Kind::Legacy => single(action, "pkg").map(drop),
        Kind::Depend => check_depend(action),
    }
}

fn check_key(key: &str) -> Result<(), ActionError> {
    if [CHASH, CONTENT_HASH, CSIZE, SIZE].contains(&key) {
        return Err(ActionError::Computed(key.to_owned()));
    }
    let visible = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic() && !"'\"=\\".contains(c));
    if !visible || key == "data" || key == "hash" { Err(ActionError::Key(key.to_owned())) } else { Ok(()) }
}

/// Whether a value comes out of a manifest as it went in. Quoting escapes only double quotes, so a backslash that
/// stands before a quote or another backslash inside quotes is lost, and one at the end swallows the closing quote or,
/// unquoted at the end of a line, joins it to the next.
fn check_value(key: &str, value: &str) -> Result<(), ActionError> {
    let strange = |c: char| c.is_control() || (c.is_whitespace() && c != ' ');
    if value.contains(strange) {
        return Err(ActionError::Control { attribute: key.to_owned(), value: value.to_owned() });
    }
    let escape = needs_quotes(value) && ["\\\\", "\\\"", "\\'"].iter().any(|pair| value.contains(pair));
    if escape || value.ends_with('\\') {
        return Err(ActionError::Backslash { attribute: key.to_owned(), value: value.to_owned() });
    }
    Ok(())
}

fn check_set(action: &Action) -> Result<(), ActionError> {
    let name = single(action, "name")?;
    if name == "pkg.fmri" {
        return Err(ActionError::FmriGiven);
    }
    match action.values("value") {
        [] => Err(ActionError::Missing("value")),
        [_, _, ..] if name == "pkg.summary" || name == "pkg.description" => Err(ActionError::Repeated(name.to_owned())),
        _ => Ok(()),
    }
}

fn check_path(action: &Action) -> Result<(), ActionError> {
    let path = single(action, "path")?;
    if path.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err(ActionError::Path(path.to_owned()));
    }
    Ok(())
}

fn check_account(action: &Action, attribute: &'static str) -> Result<(), ActionError> {
    let value = single(action, attribute)?;
    let name = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if name { Ok(()) } else { Err(ActionError::Account { attribute, value: value.to_owned() }) }
}

fn check_depend(action: &Action) -> Result<(), ActionError> {
    let dependency = single(action, "type")?;
    if !DEPEND_TYPES.contains(&dependency) {
        return Err(ActionError::DependType(dependency.to_owned()));
    }
    let on = fmris(action, "fmri")?;
    let predicates = fmris(action, "predicate")?;
    if on.is_empty() {
        return Err(ActionError::Missing("fmri"));
    }
    if on.len() > 1 && !DEPEND_ANY_TYPES.contains(&dependency) {
        return Err(ActionError::DependSeveral(dependency.to_owned()));
    }
    match dependency {
        "incorporate" if on.iter().any(|p| p.version.is_none()) => Err(ActionError::Unversioned),
        "conditional" if predicates.is_empty() => Err(ActionError::Missing("predicate")),
        _ => Ok(()),
    }
}

fn fmris(action: &Action, attribute: &'static str) -> Result<Vec<Fmri>, ActionError> {
    let parse =
        |value: &String| value.parse().map_err(|source| ActionError::Fmri { attribute, value: value.clone(), source });
    action.values(attribute).iter().map(parse).collect()
}

fn single<'a>(action: &'a Action, attribute: &'static str) -> Result<&'a str, ActionError> {
    match action.values(attribute) {
        [] => Err(ActionError::Missing(attribute)),
        [value] if value.trim().is_empty() => Err(ActionError::Missing(attribute)),
        [value] => Ok(value),
        _ => Err(ActionError::Repeated(attribute.to_owned())),
    }
}

fn check_conflicts(actions: &[Action]) -> Result<(), ConflictError> {
    let mut seen: HashMap<(Space, &str), Vec<&Action>> = HashMap::new();
    for action in actions {
        let Some(identity) = identity(action) else { continue };
        let others = seen.entry(identity).or_default();
        for other in others.iter().filter(|other| !apart(other, action)) {
            check_pair(other, action, identity)?;
        }
        others.push(action);
    }
    for child in actions {
        let path = child.value("path").unwrap_or_default();
        for (end, _) in path.match_indices('/') {
            let above = path.get(..end).and_then(|above| seen.get(&(Space::Path, above)));
            let parent = above.into_iter().flatten().find(|p| p.kind != Kind::Dir && !apart(p, child));
            if let Some(parent) = parent {
                return Err(ConflictError::Parent { child: child.to_string(), parent: parent.to_string() });
            }
        }
    }
    Ok(())
}

/// Where actions can get into each other's way: names are distinct within each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Space {
    Attribute,
    Path,
    License,
}

fn identity(action: &Action) -> Option<(Space, &str)> {
    let space = match action.kind {
        Kind::Set => Space::Attribute,
        Kind::Dir | Kind::File | Kind::Link | Kind::Hardlink => Space::Path,
        Kind::License => Space::License,
        Kind::Legacy | Kind::Depend => return None,
    };
    action.value(action.kind.key_attribute()).map(|key| (space, key))
}

/// Whether no image ever gets both actions, because they are for different values of a variant.
fn apart(first: &Action, second: &Action) -> bool {
    first.attributes().filter(|(key, _)| key.starts_with("variant.")).any(|(key, values)| {
        let others = second.values(key);
        !others.is_empty() && !values.iter().any(|value| others.contains(value))
    })
}

fn check_pair(first: &Action, second: &Action, (space, name): (Space, &str)) -> Result<(), ConflictError> {
    match space {
        Space::Attribute => Err(ConflictError::SetTwice(name.to_owned())),
        Space::License => Err(ConflictError::LicenseTwice(name.to_owned())),
        Space::Path => {
            // pkg counts references to a directory or link that several actions deliver alike.
            let shared = first.kind == second.kind && first.kind != Kind::File;
            if shared && first.attributes().eq(second.attributes()) {
                Ok(())
            } else {
                Err(ConflictError::Path { first: first.to_string(), second: second.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
