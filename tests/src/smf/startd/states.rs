//! States of instances, and how they are written into the property group `restarter`.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::log;
use crate::smf::fmri::InstanceName;
use crate::smf::model::{Group, Groups, Property, Type};
use crate::smf::repository::Store;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Uninitialized,
    Disabled,
    Offline,
    Online,
    Degraded,
    Maintenance,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::Uninitialized => "uninitialized",
            State::Disabled => "disabled",
            State::Offline => "offline",
            State::Online => "online",
            State::Degraded => "degraded",
            State::Maintenance => "maintenance",
        }
    }

    pub fn from_word(word: &str) -> Option<State> {
        use State::{Degraded, Disabled, Maintenance, Offline, Online, Uninitialized};
        [Uninitialized, Disabled, Offline, Online, Degraded, Maintenance].into_iter().find(|s| s.word() == word)
    }

    pub fn is_running(self) -> bool {
        matches!(self, State::Online | State::Degraded)
    }
}

/// Seconds and nanoseconds, as values of type time are written.
pub fn now() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}.{:09}", now.as_secs(), now.subsec_nanos())
}

/// The group `restarter` of an instance, made when it is missing.
pub fn restarter(groups: &mut Groups) -> &mut Group {
    groups.entry("restarter".into()).or_insert_with(|| Group::nonpersistent("framework"))
}

/// Writes a state, the state that is being gone to, and why.
pub fn commit(root: &Path, name: &InstanceName, state: State, next: Option<State>, reason: &str) -> io::Result<()> {
    let logfile = log::path(root, name).display().to_string();
    Store::write(root)?.edit(name, |groups| {
        let restarter = restarter(groups);
        restarter.set("state", Type::Astring, state.word());
        restarter.set("next_state", Type::Astring, next.map_or("none", State::word));
        restarter.set("state_timestamp", Type::Time, now());
        restarter.set("auxiliary_state", Type::Astring, reason);
        restarter.set("logfile", Type::Astring, logfile);
        let none = || Property { ty: Type::Count, values: Vec::new() };
        restarter.properties.entry("contract".into()).or_insert_with(none);
    })
}
