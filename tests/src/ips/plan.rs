//! From the packages an image has and those it is to have, to what is done with each thing they deliver. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::base;
use super::package::{Action, Package};
use super::refused::Refused;
use super::solve::Set;
use super::variants::Variants;

/// One thing that comes, changes or goes.
#[derive(Debug, Clone)]
pub struct Step {
    /// The package it belongs to.
    pub package: String,
    pub old: Option<Action>,
    pub new: Option<Action>,
    /// The package was not installed before.
    pub is_initial: bool,
    /// The package goes as a whole.
    pub is_last: bool,
    pub is_downgrade: bool,
    /// It is to be as the package has it, whatever else would be done: `pkg fix`.
    pub is_repair: bool,
}

#[derive(Debug, Default)]
pub struct Plan {
    /// In the order in which they are taken: what goes, what changes, what comes.
    pub removals: Vec<Step>,
    pub updates: Vec<Step>,
    pub installs: Vec<Step>,
    /// By name: the installed version and the wanted one.
    pub changes: BTreeMap<String, (Option<Package>, Option<Package>)>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.updates.is_empty()
    }

    /// Everything that has content, which has to be there before the work begins.
    pub fn contents(&self) -> impl Iterator<Item = (&Step, &Action)> {
        let coming = self.updates.iter().chain(&self.installs);
        let with_content = |a: &&Action| matches!(a.kind.as_str(), "file" | "license");
        coming.filter_map(move |step| Some((step, step.new.as_ref().filter(with_content)?)))
    }
}

/// The plan from one set of packages to another.
pub fn plan(installed: &Set, wanted: &Set, variants: &Variants) -> Result<Plan, Refused> {
    let mut plan = Plan::default();
    for name in installed.keys().chain(wanted.keys()) {
        let (old, new) = (installed.get(name), wanted.get(name));
        if old != new {
            plan.changes.insert(name.clone(), (old.cloned(), new.cloned()));
        }
    }
    for (old, new) in plan.changes.values() {
        new.iter().try_for_each(|package| refuse_unknown(package, variants))?;
        let steps = steps(old.as_ref(), new.as_ref(), variants);
        for step in steps {
            match (&step.old, &step.new) {
                (Some(_), Some(_)) => plan.updates.push(step),
                (None, _) => plan.installs.push(step),
                (Some(_), None) => plan.removals.push(step),
            }
        }
    }
    let kept = kept_paths(wanted, variants);
    let implied: Vec<Step> =
        plan.changes.values().flat_map(|(old, new)| implied_removals(old, new, variants)).collect();
    plan.removals.extend(implied);
    plan.removals.retain(|step| step.old.as_ref().is_none_or(|old| !stays(old, &kept)));
    let place = |step: &Step| {
        let action = step.new.as_ref().or(step.old.as_ref());
        action.map(|a| (rank(a), a.key())).unwrap_or_default()
    };
    // What lies in a directory goes before it, and comes after it.
    plan.removals.sort_by_key(|step| std::cmp::Reverse(place(step)));
    plan.removals.dedup_by(|a, b| a.old == b.old && a.old.as_ref().is_some_and(Action::is_dir));
    plan.updates.sort_by_key(place);
    plan.installs.sort_by_key(place);
    conflicts(&plan, wanted, variants)?;
    Ok(plan)
}

fn rank(action: &Action) -> usize {
    ["dir", "file", "hardlink", "link", "license", "legacy"].iter().position(|kind| action.kind == *kind).unwrap_or(9)
}

fn refuse_unknown(package: &Package, variants: &Variants) -> Result<(), Refused> {
    let unknown = |action: &&Action| matches!(action.kind.as_str(), "user" | "group" | "driver" | "signature");
    match package.actions_for(variants).find(unknown) {
        Some(action) => Err(Refused::not_simulated(&format!("{}: a {} action", package.fmri(), action.kind))),
        None => Ok(()),
    }
}

/// What a package has that does something to the image, each thing once.
fn effects<'a>(package: Option<&'a Package>, variants: &'a Variants) -> BTreeMap<(usize, String), &'a Action> {
    let actions = package.into_iter().flat_map(|p| p.actions_for(variants));
    let does = |a: &&Action| a.has_place() || matches!(a.kind.as_str(), "license" | "legacy");
    actions.filter(does).map(|a| ((rank(a), a.key()), a)).collect()
}

fn steps(old: Option<&Package>, new: Option<&Package>, variants: &Variants) -> Vec<Step> {
    let (before, after) = (effects(old, variants), effects(new, variants));
    let is_downgrade = old.zip(new).is_some_and(|(old, new)| new.order() < old.order());
    let package = new.or(old).map(|p| p.name.clone()).unwrap_or_default();
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let step = |key| {
        let (had, gets) = (before.get(key).copied(), after.get(key).copied());
        let same = had.zip(gets).is_some_and(|(old, new)| old.same_as(new));
        (!same).then(|| Step {
            package: package.clone(),
            old: had.cloned(),
            new: gets.cloned(),
            is_initial: old.is_none(),
            is_last: new.is_none(),
            is_downgrade,
            is_repair: false,
        })
    };
    keys.into_iter().filter_map(step).collect()
}

/// All directories that lie above what the packages deliver, and those they deliver.
fn directories<'a>(actions: impl Iterator<Item = &'a Action>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for action in actions.filter(|a| a.has_place()) {
        let path = action.path();
        found.extend(path.match_indices('/').map(|(at, _)| path[..at].to_string()));
        if action.is_dir() {
            found.insert(path);
        }
    }
    found
}

fn kept_paths(wanted: &Set, variants: &Variants) -> BTreeMap<String, String> {
    let actions = || wanted.values().flat_map(|p| p.actions_for(variants));
    let mut kept: BTreeMap<String, String> =
        actions().filter(|a| a.has_place()).map(|a| (a.path(), a.kind.clone())).collect();
    kept.extend(directories(actions()).into_iter().map(|path| (path, "dir".to_string())));
    kept
}

/// Whether something that a package no longer delivers is still there for another one.
fn stays(old: &Action, kept: &BTreeMap<String, String>) -> bool {
    old.has_place() && (kept.get(&old.path()) == Some(&old.kind) || (old.is_dir() && base::has_directory(&old.path())))
}

/// Parents that nobody named, which go with what was in them.
fn implied_removals(old: &Option<Package>, new: &Option<Package>, variants: &Variants) -> Vec<Step> {
    let of = |package: &Option<Package>| directories(package.iter().flat_map(|p| p.actions_for(variants)));
    let package = new.as_ref().or(old.as_ref()).map(|p| p.name.clone()).unwrap_or_default();
    let gone = of(old).difference(&of(new)).cloned().collect::<Vec<_>>();
    let step = |path: String| Step {
        package: package.clone(),
        old: Some(Action { kind: "dir".into(), hash: None, attributes: vec![("path".into(), path)] }),
        new: None,
        is_initial: false,
        is_last: new.is_none(),
        is_downgrade: false,
        is_repair: false,
    };
    gone.into_iter().map(step).collect()
}

/// Two packages, or one with itself, or one with the system, that want different things in one place.
fn conflicts(plan: &Plan, wanted: &Set, variants: &Variants) -> Result<(), Refused> {
    let mut by_path: BTreeMap<String, Vec<(&Package, &Action)>> = BTreeMap::new();
    for package in wanted.values() {
        for action in package.actions_for(variants).filter(|a| a.has_place()) {
            by_path.entry(action.path()).or_default().push((package, action));
        }
    }
    for (path, deliveries) in by_path {
        if deliveries.iter().all(|(package, _)| !plan.changes.contains_key(&package.name)) {
            continue;
        }
        let own = deliveries.iter().find(|(_, a)| a.is_dir()).zip(base::attributes(&path));
        if let Some(((package, action), (owner, group, mode))) = own {
            let same = action.value("owner") == Some(owner) && action.value("group") == Some(group);
            if !same || action.mode() != mode {
                return Err(conflicting(&path, "dir", &[package.shown(), "the system's own package".into()]));
            }
        }
        let Some((first, rest)) = deliveries.split_first() else { continue };
        for other in rest {
            let names = [first.0.shown(), other.0.shown()];
            let (a, b) = (first.1, other.1);
            let differ = |attribute| a.value(attribute) != b.value(attribute);
            if a.kind != b.kind {
                let list = names.join("\n  ");
                return Err(Refused::oops(format!(
                    "The following packages deliver conflicting action types to {path}:\n\n  {list}\n"
                )));
            }
            match a.kind.as_str() {
                "dir" if differ("owner") || differ("group") || a.mode() != b.mode() => {
                    return Err(conflicting(&path, "dir", &names));
                }
                "link" if differ("target") && a.value("mediator").is_some() => {
                    return Err(Refused::not_simulated("a choice between mediated links"));
                }
                "link" if differ("target") => return Err(conflicting(&path, "link", &names)),
                "file" | "hardlink" => {
                    return Err(Refused::oops(format!(
                        "The following packages all deliver {} actions to {path}:\n\n  {}\n\nThese packages cannot be \
                         installed together.",
                        a.kind,
                        names.join("\n  ")
                    )));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn conflicting(path: &str, kind: &str, packages: &[String]) -> Refused {
    Refused::oops(format!(
        "The requested change to the system attempts to install multiple actions for {kind} '{path}' with conflicting \
         attributes:\n\n  {}",
        packages.join("\n  ")
    ))
}
