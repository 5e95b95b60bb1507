//! Which packages an image will have: what was asked for, and what those depend on. Pure.
//!
//! It is no solver of the general problem, as pkg's is: it takes the newest version that fits, adds what is missing, and
//! goes back only over the versions of what was asked for.

use std::collections::BTreeMap;

use xtask::ips::fmri::{Fmri, Version};

use super::package::{Action, Package};
use super::variants::Variants;

/// More rounds than any set of packages takes to come to rest.
const MOST_ROUNDS: usize = 100;
/// Combinations of versions that are tried.
const MOST_TRIES: usize = 1000;

/// Packages by name.
pub type Set = BTreeMap<String, Package>;

/// What there is to choose from.
pub struct Choice<'a> {
    pub installed: &'a Set,
    /// From all origins, in any order.
    pub available: &'a [Package],
    pub variants: &'a Variants,
    /// Whether `/` is an image, which some dependencies ask for.
    pub has_live_image: bool,
}

/// Why nothing can be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// A package that was asked for, and the reason why no version of it fits.
    Unfit {
        package: String,
        reason: String,
    },
    NoLiveImage,
}

/// The whole image as it will be. `asked` holds the candidates for each package, the best first.
pub fn solve(choice: &Choice<'_>, asked: &[Vec<Package>]) -> Result<Set, Conflict> {
    let mut picks = vec![0; asked.len()];
    let mut first = None;
    for _ in 0..MOST_TRIES {
        let chosen = asked.iter().zip(&picks).filter_map(|(candidates, pick)| candidates.get(*pick));
        match settle(choice, chosen.cloned().collect()) {
            Ok(set) => return Ok(set),
            // The trouble with the best versions is what people want to know.
            Err(conflict) => first = first.or(Some(conflict)),
        }
        if !advance(&mut picks, asked) {
            break;
        }
    }
    Err(first.unwrap_or(Conflict::NoLiveImage))
}

/// The next combination, the last package's versions first; false after the last one.
fn advance(picks: &mut [usize], asked: &[Vec<Package>]) -> bool {
    for (pick, candidates) in picks.iter_mut().zip(asked).rev() {
        *pick += 1;
        if *pick < candidates.len() {
            return true;
        }
        *pick = 0;
    }
    false
}

/// Adds and replaces until every dependency of every package is met.
fn settle(choice: &Choice<'_>, chosen: Vec<Package>) -> Result<Set, Conflict> {
    let asked = chosen.first().map(Package::shown).unwrap_or_default();
    let mut set = choice.installed.clone();
    for package in chosen {
        set.insert(package.name.clone(), package);
    }
    for _ in 0..MOST_ROUNDS {
        let mut wanted = None;
        for package in set.values() {
            for action in package.actions_for(choice.variants).filter(|a| a.kind == "depend") {
                match depend(choice, &set, package, action)? {
                    Need::Met => {}
                    Need::Add(package) => wanted = Some(*package),
                    Need::Unmet(reason) => {
                        // The reason is told of the package that has it, if it is a new one.
                        let known = choice.installed.get(&package.name) == Some(package);
                        let package = if known { asked } else { package.shown() };
                        return Err(Conflict::Unfit { package, reason });
                    }
                }
            }
        }
        match wanted {
            Some(package) => drop(set.insert(package.name.clone(), package)),
            None => return Ok(set),
        }
    }
    Err(Conflict::Unfit { package: asked, reason: "the dependencies do not come to rest".into() })
}

enum Need {
    Met,
    Add(Box<Package>),
    Unmet(String),
}

fn depend(choice: &Choice<'_>, set: &Set, package: &Package, action: &Action) -> Result<Need, Conflict> {
    let kind = action.value("type").unwrap_or_default();
    let fmris: Vec<Fmri> = action.values("fmri").filter_map(|fmri| fmri.parse().ok()).collect();
    let Some(first) = fmris.first() else { return Ok(Need::Met) };
    let met = |fmri: &Fmri| set.get(fmri.name.as_str()).is_some_and(|p| is_at_least(p, fmri));
    let present = |fmri: &Fmri| set.contains_key(fmri.name.as_str());
    let none = || Need::Unmet(format!("No version for '{kind}' dependency on {} can be found", named(first)));
    let or_none = |found: Option<Package>| found.map_or_else(none, |package| Need::Add(Box::new(package)));
    Ok(match kind {
        "require" if met(first) => Need::Met,
        "require" => or_none(newest(choice, first, false)),
        "require-any" | "group-any" if fmris.iter().any(met) => Need::Met,
        "require-any" => or_none(any_of(choice, &fmris)),
        "group-any" => any_of(choice, &fmris).map_or(Need::Met, |package| Need::Add(Box::new(package))),
        "group" if present(first) => Need::Met,
        "group" => newest(choice, first, false).map_or(Need::Met, |package| Need::Add(Box::new(package))),
        "optional" if !present(first) || met(first) => Need::Met,
        "optional" => or_none(newest(choice, first, false)),
        "incorporate" if set.get(first.name.as_str()).is_none_or(|p| is_within(p, first)) => Need::Met,
        "incorporate" => or_none(newest(choice, first, true)),
        "conditional" => {
            let predicate = action.value("predicate").and_then(|fmri| fmri.parse::<Fmri>().ok());
            if predicate.is_none_or(|predicate| !met(&predicate)) || met(first) {
                Need::Met
            } else {
                or_none(newest(choice, first, false))
            }
        }
        "exclude" if met(first) && first.name.as_str() != package.name => {
            Need::Unmet(format!("Package contains 'exclude' dependency {} on installed package", named(first)))
        }
        // Asks what the image had before, and of the system's own image where it says so.
        "origin" if action.value("root-image") == Some("true") && !choice.has_live_image => {
            return Err(Conflict::NoLiveImage);
        }
        "origin" => match choice.installed.get(first.name.as_str()) {
            Some(old) if !is_at_least(old, first) => none(),
            _ => Need::Met,
        },
        // Concerns images that are linked to another one, which none is here; the rest is met.
        _ => Need::Met,
    })
}

fn named(fmri: &Fmri) -> String {
    let version = fmri.version.as_ref().map(|v| {
        let branch = v.branch.as_ref().map(|b| format!("-{b}")).unwrap_or_default();
        format!("@{}{branch}", v.release)
    });
    format!("{}{}", fmri.name, version.unwrap_or_default())
}

fn is_at_least(package: &Package, fmri: &Fmri) -> bool {
    match (&fmri.version, package.order()) {
        (None, _) => true,
        (Some(least), Some(has)) => has >= *least || is_version_within(&has, least),
        (Some(_), None) => false,
    }
}

/// Whether a package is of the version that an incorporation freezes it at, as far as that goes.
fn is_within(package: &Package, fmri: &Fmri) -> bool {
    match (&fmri.version, package.order()) {
        (None, _) => true,
        (Some(frozen), Some(has)) => is_version_within(&has, frozen),
        (Some(_), None) => false,
    }
}

fn is_version_within(has: &Version, frozen: &Version) -> bool {
    let (has_text, frozen_text) = (has.release.to_string(), frozen.release.to_string());
    let begins = has_text == frozen_text || has_text.starts_with(&format!("{frozen_text}."));
    begins && frozen.branch.as_ref().is_none_or(|b| has.branch.as_ref() == Some(b)) && frozen.timestamp.is_none()
}

/// The newest available package that a dependency takes. What is installed is never replaced by an older one, nor by
/// another publisher's.
fn newest(choice: &Choice<'_>, fmri: &Fmri, within: bool) -> Option<Package> {
    let fits = |package: &&Package| {
        let version = if within { is_within(package, fmri) } else { is_at_least(package, fmri) };
        let old = choice.installed.get(&package.name);
        let upward = old.is_none_or(|old| old.publisher == package.publisher && old.order() <= package.order());
        package.name == fmri.name.as_str() && version && upward && package.fits(choice.variants)
    };
    choice.available.iter().filter(fits).max_by_key(|p| p.order()).cloned()
}

/// One of several packages that would do: the first by name, which is what the real solver was seen to take.
fn any_of(choice: &Choice<'_>, fmris: &[Fmri]) -> Option<Package> {
    let mut found: Vec<Package> = fmris.iter().filter_map(|fmri| newest(choice, fmri, false)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.into_iter().next()
}
