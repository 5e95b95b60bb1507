//! The three-way merge of a re-import: what the manifest said last time, what is there now, what it says today.

use std::collections::BTreeSet;

use super::manifest::EntitySpec;
use crate::smf::model::{Group, Groups, Property};

/// Never touched by an upgrade.
const NOT_UPGRADED: [(&str, &str); 2] = [("general", "enabled"), ("general", "restarter")];

/// Merges into `current`; returns the conflicts, in the words that follow `Conflict upgrading FMRI `.
pub fn upgrade(current: &mut Groups, last: &Groups, spec: &EntitySpec) -> Vec<String> {
    let mut conflicts = Vec::new();
    let names: BTreeSet<&String> = last.keys().chain(spec.groups.keys()).chain(&spec.deletes).collect();
    for pg in names {
        if spec.deletes.contains(pg) {
            current.remove(pg);
            continue;
        }
        match (last.get(pg), spec.groups.get(pg)) {
            (Some(before), None) => match current.get(pg) {
                Some(now) if now == before => {
                    current.remove(pg);
                }
                Some(_) => conflicts.push(format!("(property group \"{pg}\" has been customized)")),
                None => {}
            },
            (before, Some(wanted)) => {
                let deleted = before.is_some() && !current.contains_key(pg);
                if deleted && !spec.overrides.iter().any(|(g, _)| g == pg) {
                    if before != Some(wanted) {
                        conflicts.push(format!("(property group \"{pg}\" has been deleted)"));
                    }
                    continue;
                }
                let now = current.entry(pg.clone()).or_insert_with(|| Group::new(wanted.ty.clone()));
                upgrade_group(pg, now, before, wanted, spec, &mut conflicts);
            }
            (None, None) => {}
        }
    }
    conflicts
}

fn upgrade_group(
    pg: &str,
    now: &mut Group,
    before: Option<&Group>,
    wanted: &Group,
    spec: &EntitySpec,
    conflicts: &mut Vec<String>,
) {
    let empty = Group::new(wanted.ty.clone());
    let before = before.unwrap_or(&empty);
    let names: BTreeSet<&String> = before.properties.keys().chain(wanted.properties.keys()).collect();
    for prop in names {
        if NOT_UPGRADED.contains(&(pg, prop)) {
            continue;
        }
        let (was, is, will) = (before.properties.get(prop), now.properties.get(prop), wanted.properties.get(prop));
        let forced = spec.overrides.contains(&(pg.to_string(), prop.clone()));
        let conflict = |kind: &str| format!("({kind} \"{pg}/{prop}\" has different values)");
        let outcome = match (was, will) {
            (_, Some(_)) if forced => Outcome::Take(will),
            _ if was == will || is == will => Outcome::Keep,
            (Some(_), _) if is == was => Outcome::Take(will),
            (None, Some(_)) if is.is_none() => Outcome::Take(will),
            (None, _) => Outcome::Conflict(conflict("new property")),
            _ => Outcome::Conflict(conflict("property")),
        };
        match outcome {
            Outcome::Keep => {}
            Outcome::Take(Some(property)) => {
                now.properties.insert(prop.clone(), property.clone());
            }
            Outcome::Take(None) => {
                now.properties.remove(prop);
            }
            Outcome::Conflict(text) => conflicts.push(text),
        }
    }
}

enum Outcome<'a> {
    Keep,
    Take(Option<&'a Property>),
    Conflict(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::Type;

    fn groups(value: Option<&str>) -> Groups {
        let mut vm = Group::new("application");
        if let Some(value) = value {
            vm.set("p", Type::Astring, value);
        }
        Groups::from([("vm".into(), vm)])
    }

    fn merged(last: Option<&str>, now: Option<&str>, new: Option<&str>, forced: bool) -> (Option<String>, usize) {
        let mut current = groups(now);
        let mut spec = EntitySpec { groups: groups(new), ..EntitySpec::default() };
        if forced {
            spec.overrides.insert(("vm".into(), "p".into()));
        }
        let conflicts = upgrade(&mut current, &groups(last), &spec);
        (current["vm"].value("p").map(str::to_string), conflicts.len())
    }

    #[test]
    fn every_cell_of_the_upgrade_table_holds() {
        let cell = |last, now, new| merged(last, now, new, false);
        assert_eq!(
            cell(Some("1"), Some("9"), Some("1")),
            (Some("9".into()), 0),
            "unchanged manifest keeps the custom value"
        );
        assert_eq!(cell(Some("1"), None, Some("1")), (None, 0), "and the deletion");
        assert_eq!(cell(Some("1"), Some("1"), Some("2")), (Some("2".into()), 0), "upgraded");
        assert_eq!(cell(Some("1"), Some("9"), Some("2")), (Some("9".into()), 1), "conflict keeps");
        assert_eq!(cell(Some("1"), Some("2"), Some("2")), (Some("2".into()), 0), "already as wanted");
        assert_eq!(cell(Some("1"), Some("1"), None), (None, 0), "removed");
        assert_eq!(cell(Some("1"), Some("9"), None), (Some("9".into()), 1), "removal of a custom value is a conflict");
        assert_eq!(cell(None, None, Some("2")), (Some("2".into()), 0), "new");
        assert_eq!(cell(None, Some("9"), Some("2")), (Some("9".into()), 1), "new but there already");
        assert_eq!(merged(Some("1"), Some("9"), Some("1"), true), (Some("1".into()), 0), "override wins");
    }

    #[test]
    fn whole_groups_come_and_go_and_enabled_never_changes() {
        let mut current = groups(Some("1"));
        let spec = EntitySpec { deletes: BTreeSet::from(["vm".to_string()]), ..EntitySpec::default() };
        assert!(upgrade(&mut current, &groups(Some("1")), &spec).is_empty());
        assert!(current.is_empty());

        let enabled = |value: &str| {
            let mut general = Group::new("framework");
            general.set("enabled", Type::Boolean, value);
            Groups::from([("general".into(), general)])
        };
        let mut current = enabled("false");
        let spec = EntitySpec { groups: enabled("true"), ..EntitySpec::default() };
        upgrade(&mut current, &enabled("false"), &spec);
        assert_eq!(current["general"].value("enabled"), Some("false"));
    }
}
