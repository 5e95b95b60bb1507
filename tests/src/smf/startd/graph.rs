//! Dependencies: which must hold before an instance may start, and whom a change of state concerns.

use crate::smf::fmri::{Fmri, InstanceName};
use crate::smf::model::{Groups, value};
use crate::smf::repository::Store;

use super::instance::Cause;
use super::states::State;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub grouping: String,
    pub restart_on: String,
    pub entities: Vec<String>,
}

/// An instance another one depends on, as far as that matters.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    pub state: State,
    pub enabled: bool,
}

impl Standing {
    /// It will not run unless somebody does something about it.
    fn is_hopeless(self) -> bool {
        // The state of one just enabled still says disabled.
        !self.enabled || self.state == State::Maintenance
    }
}

/// The dependencies on services that an instance has; those on files count as satisfied.
pub fn dependencies(groups: &Groups) -> Vec<Dependency> {
    let wanted = groups.values().filter(|g| g.ty == "dependency" && g.value("type") == Some("service"));
    wanted
        .map(|g| Dependency {
            grouping: g.value("grouping").unwrap_or("require_all").into(),
            restart_on: g.value("restart_on").unwrap_or("none").into(),
            entities: g.values("entities").to_vec(),
        })
        .collect()
}

impl Dependency {
    /// True when it does not keep an instance from starting. `look` gives the instances an FMRI stands for.
    pub fn is_satisfied(&self, look: impl Fn(&str) -> Vec<Standing>) -> bool {
        let runs = |entity: &String| look(entity).iter().any(|s| s.state.is_running());
        let hopeless = |entity: &String| look(entity).iter().all(|s| s.is_hopeless());
        match self.grouping.as_str() {
            "require_any" => self.entities.is_empty() || self.entities.iter().any(runs),
            "optional_all" => self.entities.iter().all(|e| runs(e) || hopeless(e)),
            "exclude_all" => self.entities.iter().all(|e| hopeless(e) && !runs(e)),
            _ => self.entities.iter().all(runs),
        }
    }

    fn can_ever_be(&self, look: impl Fn(&str) -> Vec<Standing>) -> bool {
        let hopeful = |entity: &String| look(entity).iter().any(|s| !s.is_hopeless());
        match self.grouping.as_str() {
            "require_any" => self.entities.iter().any(hopeful),
            "require_all" => self.entities.iter().all(hopeful),
            _ => true,
        }
    }

    pub fn names(&self, other: &InstanceName) -> bool {
        self.entities.iter().any(|entity| is_meant(entity, other))
    }

    /// Whether an entity that stopped, or was refreshed, for this cause takes the instance down with it.
    pub fn reacts_to(&self, cause: Cause) -> bool {
        match self.restart_on.as_str() {
            "error" => cause == Cause::Fault,
            "restart" => matches!(cause, Cause::Fault | Cause::Restart),
            "refresh" => cause != Cause::None,
            _ => false,
        }
    }
}

/// True when the FMRI of a dependency stands for this instance: its own, or its service's.
pub fn is_meant(entity: &str, name: &InstanceName) -> bool {
    match Fmri::parse(entity) {
        Some(Fmri { service, instance, .. }) => {
            service == name.service && instance.is_none_or(|instance| instance == name.instance)
        }
        None => false,
    }
}

pub fn enabled(groups: &Groups) -> Option<bool> {
    let of = |pg| value(groups, pg, "enabled").map(|v| v == "true");
    of("general_ovr").or_else(|| of("general"))
}

/// For `svcadm enable -s`: false when a dependency of the instance is down for good.
pub fn can_ever_start(store: &Store, groups: &Groups) -> bool {
    let standing = |name: InstanceName| {
        let groups = store.live_composed(&name)?;
        let state = value(&groups, "restarter", "state").and_then(State::from_word)?;
        Some(Standing { state, enabled: enabled(&groups) == Some(true) })
    };
    let look = |entity: &str| match Fmri::parse(entity) {
        Some(Fmri { service, instance: Some(instance), .. }) => {
            standing(InstanceName { service, instance }).into_iter().collect()
        }
        Some(Fmri { service, instance: None, .. }) => {
            store.instances(&service).iter().filter_map(|n| standing(InstanceName::new(&service, n))).collect()
        }
        None => Vec::new(),
    };
    dependencies(groups).iter().all(|d| d.can_ever_be(look))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dependency(grouping: &str, restart_on: &str) -> Dependency {
        Dependency { grouping: grouping.into(), restart_on: restart_on.into(), entities: vec!["svc:/a:b".into()] }
    }

    fn holds(grouping: &str, standing: Option<(State, bool)>) -> bool {
        let standing = standing.map(|(state, enabled)| Standing { state, enabled });
        dependency(grouping, "none").is_satisfied(|_| standing.into_iter().collect())
    }

    #[test]
    fn groupings_ask_for_different_things() {
        let (on, off) = (Some((State::Online, true)), Some((State::Offline, true)));
        let (disabled, maintenance) = (Some((State::Disabled, false)), Some((State::Maintenance, true)));
        for (grouping, expected) in [
            ("require_all", [true, false, false, false, false]),
            ("require_any", [true, false, false, false, false]),
            ("optional_all", [true, false, true, true, true]),
            ("exclude_all", [false, false, true, true, true]),
        ] {
            let got = [on, off, disabled, maintenance, None].map(|s| holds(grouping, s));
            assert_eq!(got, expected, "{grouping}");
        }
    }

    #[test]
    fn restart_on_is_a_ladder() {
        for (restart_on, expected) in [
            ("none", [false, false, false]),
            ("error", [true, false, false]),
            ("restart", [true, true, false]),
            ("refresh", [true, true, true]),
        ] {
            let dependency = dependency("require_all", restart_on);
            let got = [Cause::Fault, Cause::Restart, Cause::Refresh].map(|c| dependency.reacts_to(c));
            assert_eq!(got, expected, "{restart_on}");
        }
    }

    #[test]
    fn a_service_fmri_stands_for_all_its_instances() {
        let name = InstanceName::new("site/xvm/vbox", "win");
        assert!(is_meant("svc:/site/xvm/vbox", &name) && is_meant("svc:/site/xvm/vbox:win", &name));
        assert!(!is_meant("svc:/site/xvm/vbox:win2", &name) && !is_meant("svc:/site/xvm", &name));
    }
}
