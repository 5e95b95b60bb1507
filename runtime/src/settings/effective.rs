//! What is in force for one instance: its own settings, the service's and the built-in ones, combined and typed.
//!
//! Two readings go in: the composed one (`svcprop INSTANCE`: the running snapshot, instance over service) and the
//! instance's own (`svcprop -C INSTANCE`: live, not composed). SMF composes by itself, so only the second can tell that
//! a value is the instance's and not inherited; [`needs_own`] says whether that matters. A value that is wrong never
//! stops anything: it is told once, and the built-in one is used.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::table::{self, BuiltIn, Domain, Level, Row};
use super::value::{self, Value};
use super::{
    HookCodes, HookSettings, Kind, PerState, RateLimit, RestartOnce, RestartOverride, Settings, StartWait, StopMethod,
    UnknownLimit, ZfsSettings,
};
use crate::environment::VIRTUALBOX;
use crate::smf::svcprop::{Properties, Property};

/// All that is in force for an instance, and how it came about.
#[derive(Debug)]
pub struct Effective {
    pub settings: Settings,
    /// Values that could not be used.
    pub warnings: Vec<Warning>,
    /// One entry for each row of the table, in its order.
    pub origins: Vec<InForce>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The full name, as `vm/stop_method`.
    pub property: String,
    pub message: String,
}

/// One row of the table with the value in force.
#[derive(Debug)]
pub struct InForce {
    pub row: &'static Row,
    /// `None` = unset: the row's built-in says what that means.
    pub value: Option<Value>,
    /// Who decided. An explicitly empty value decides for the automatic one, so then it is its level, not `BuiltIn`.
    pub origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Instance,
    /// The service, or an instance whose own properties were not read.
    Service,
    BuiltIn,
}

/// Whether the instance's own properties can change what is in force: where they cannot, reading them is a process for
/// nothing, and an empty list does as well.
pub fn needs_own(composed: &Properties) -> bool {
    table::rows().filter(|row| row.level == Level::Instance).any(|row| match composed.get(&row.property()) {
        None => false,
        Some(property) => value::of_property(&row.domain, property) != Ok(Some(Value::Flag(false))),
    })
}

/// Combines what SMF says of the instance called `instance_name`.
pub fn effective(instance_name: &str, composed: &Properties, own: &Properties) -> Effective {
    let kind = kind(own);
    let mut warnings = Vec::new();
    let mut values = Values::default();
    let mut origins = Vec::new();
    for row in table::rows() {
        let built_in = || values.built_in(row, kind, instance_name);
        let (value, origin) = match look_up(row, kind, composed, own) {
            None => (built_in(), Origin::BuiltIn),
            Some((property, origin)) => match value::of_property(&row.domain, property) {
                Ok(Some(value)) => (Some(value), origin),
                Ok(None) => (built_in(), origin),
                Err(error) => {
                    let instead = unknown_word(row).or_else(built_in);
                    let message = match &instead {
                        Some(value) => format!("{error}; using {:?} instead", value.to_string()),
                        None => format!("{error}; it counts as unset"),
                    };
                    warnings.push(Warning { property: row.property(), message });
                    (instead, Origin::BuiltIn)
                }
            },
        };
        if let Some(value) = &value {
            values.0.insert(row.name, value.clone());
        }
        origins.push(InForce { row, value, origin });
    }
    let user = user(composed, &mut warnings);
    let smf_start_timeout = smf_timeout(composed, START, &mut warnings);
    let smf_stop_timeout = smf_timeout(composed, STOP, &mut warnings);
    let environment = environment(composed);
    let settings =
        Settings { user, environment, kind, smf_start_timeout, smf_stop_timeout, ..values.settings(instance_name) };
    Effective { settings, warnings, origins }
}

/// The property groups in which settings are looked for; of an instance's own, only the first.
pub const GROUPS: [&str; 4] = [table::GROUP, START, STOP, METHOD_CONTEXT];
const START: &str = "start";
const STOP: &str = "stop";
const METHOD_CONTEXT: &str = "method_context";

fn kind(own: &Properties) -> Kind {
    let says_yes = |name| {
        let property = own.get(&format!("{}/{name}", table::GROUP));
        property.is_some_and(|property| value::of_property(&Domain::YesNo, property) == Ok(Some(Value::Flag(true))))
    };
    if says_yes("is_dualboot") {
        Kind::DualBoot
    } else if says_yes("is_interactive") {
        Kind::Interactive
    } else {
        Kind::Headless
    }
}

/// The property that decides about a row, and whose it is.
fn look_up<'a>(row: &Row, kind: Kind, composed: &'a Properties, own: &'a Properties) -> Option<(&'a Property, Origin)> {
    let property = row.property();
    let of_instance = own.get(&property);
    let own_only = match row.level {
        Level::Normal => false,
        Level::Own => kind.is_interactive(),
        Level::Instance => true,
    };
    if own_only {
        return of_instance.map(|found| (found, Origin::Instance));
    }
    let origin = if of_instance.is_some() { Origin::Instance } else { Origin::Service };
    composed.get(&property).map(|found| (found, origin))
}

/// What the table says a word it does not know means, where that is not the built-in.
fn unknown_word(row: &Row) -> Option<Value> {
    match row.domain {
        Domain::Words { unknown, .. } => value::of_text(&row.domain, unknown?).ok(),
        _ => None,
    }
}

/// The user SMF runs the methods as, where it is told one. The start method's own context overrides the instance's, and
/// each counts only where the boolean `use_profile` is beside it: without that SMF ignores the user and stays root.
fn user(composed: &Properties, warnings: &mut Vec<Warning>) -> Option<String> {
    for group in [START, METHOD_CONTEXT] {
        let user = composed.single(&format!("{group}/user")).filter(|user| !user.is_empty());
        let use_profile = composed.get(&format!("{group}/use_profile")).filter(|property| property.kind == "boolean");
        match (use_profile, user) {
            // With `true` the user is the profile's affair.
            (Some(flag), user) => return user.filter(|_| flag.values == ["false"]).map(String::from),
            (None, Some(user)) => warnings.push(Warning {
                property: format!("{group}/user"),
                message: format!(
                    "{user:?} is ignored by SMF, which runs the methods as root: set {group}/use_profile = boolean: false"
                ),
            }),
            (None, None) => (),
        }
    }
    None
}

/// The variables for VirtualBox in the environment that SMF gives the start method: its own context's, or the
/// instance's.
fn environment(composed: &Properties) -> Vec<(String, String)> {
    let of = |group: &str| composed.get(&format!("{group}/environment")).map(|p| p.values.as_slice());
    let said = of(START).filter(|values| !values.is_empty()).or_else(|| of(METHOD_CONTEXT)).unwrap_or_default();
    let pairs = said.iter().filter_map(|line| line.split_once('='));
    pairs.filter(|(name, _)| name.starts_with(VIRTUALBOX)).map(|(n, v)| (n.to_string(), v.to_string())).collect()
}

/// A limit of SMF's: none where it is absent, 0 or -1 (which SMF, storing a count, prints as its largest number).
fn smf_timeout(composed: &Properties, method: &str, warnings: &mut Vec<Warning>) -> Option<Duration> {
    let key = format!("{method}/timeout_seconds");
    let property = composed.get(&key)?;
    let text = property.values.first().map_or("", String::as_str);
    if text == u64::MAX.to_string() {
        return None;
    }
    match value::integer(text) {
        Ok(0 | -1) => None,
        Ok(seconds) if (1..=i64::from(u32::MAX)).contains(&seconds) => {
            Some(Duration::from_secs(seconds.unsigned_abs()))
        }
        _ => {
            let message = format!("{text:?} is not a number of seconds; it counts as no limit");
            warnings.push(Warning { property: key, message });
            None
        }
    }
}

/// The values in force by the names of their rows. A row without a value is absent.
#[derive(Default)]
struct Values(BTreeMap<&'static str, Value>);

impl Values {
    fn built_in(&self, row: &Row, kind: Kind, instance_name: &str) -> Option<Value> {
        match row.built_in {
            BuiltIn::SameAs(name) => self.0.get(name).cloned(),
            BuiltIn::InstanceName => Some(Value::Text(instance_name.to_string())),
            built_in => value::of_text(&row.domain, built_in.text(kind)?).ok(),
        }
    }

    fn flag(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Flag(true))
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.0.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }

    /// A number whose row allows none below 0.
    fn count(&self, name: &str) -> u32 {
        self.number(name).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(u64::from(self.count(name)))
    }

    fn word(&self, name: &str) -> Option<&'static str> {
        match self.0.get(name) {
            Some(Value::Word(word)) => Some(word.canonical),
            _ => None,
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        match self.0.get(name) {
            Some(Value::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    fn words(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Words(words)) => words.clone(),
            _ => Vec::new(),
        }
    }

    fn codes(&self, name: &str) -> Vec<i32> {
        match self.0.get(name) {
            Some(Value::Codes(codes)) => codes.clone(),
            _ => Vec::new(),
        }
    }

    fn per_state(&self, prefix: &str) -> PerState {
        let flag = |state: &str| self.flag(&format!("{prefix}_{state}_vm"));
        PerState {
            aborted: flag("aborted"),
            paused: flag("paused"),
            halted: flag("halted"),
            saved: flag("saved"),
            stuck: flag("stuck"),
        }
    }

    /// A limit from `PREFIX_maxcount` and `PREFIX_timeframe`. It has always taken two numbers above 0 to switch one on.
    fn rate_limit(&self, prefix: &str) -> RateLimit {
        let timeframe = self.number(&format!("{prefix}_timeframe"));
        let maxcount = self.count(&format!("{prefix}_maxcount"));
        RateLimit {
            maxcount: (maxcount > 0 && timeframe != Some(0)).then_some(maxcount),
            timeframe: timeframe
                .filter(|&seconds| seconds > 0)
                .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        }
    }

    fn hook(&self) -> HookSettings {
        HookSettings {
            enabled: self.flag("kicker_vmsvccheck_enabled"),
            method: self.path("kicker_vmsvccheck_method"),
            params: self.words("kicker_vmsvccheck_method_params"),
            startdelay: self.seconds("kicker_vmsvccheck_startdelay"),
            timeout: self.seconds("kicker_vmsvccheck_timeout"),
            failures: self.rate_limit("kicker_vmsvccheck_failures"),
            codes: HookCodes {
                okay: self.codes("kicker_vmsvccheck_exitcode_okay"),
                failonce: self.codes("kicker_vmsvccheck_exitcode_failonce"),
                doreboot: self.codes("kicker_vmsvccheck_exitcode_doreboot"),
                maintenance: self.codes("kicker_vmsvccheck_exitcode_maintenance"),
            },
        }
    }

    fn restart_once(&self) -> RestartOnce {
        let name = "kicker_restart_saved_vm_once_file_name";
        match (self.path(name), self.word(name)) {
            (Some(path), _) => RestartOnce::At(path),
            (None, Some("false")) => RestartOnce::Disabled,
            (None, _) => RestartOnce::Automatic,
        }
    }

    fn zfs(&self) -> ZfsSettings {
        ZfsSettings {
            snapshot: self.flag("zfssnap_flag"),
            datasets: (self.word("zfssnap_dslist") != Some("auto")).then(|| self.words("zfssnap_dslist")),
            append: self.words("zfssnap_dslist_append"),
            prefix: self.text("zfssnap_prefix").unwrap_or_default(),
            keep: self.count("zfssnap_keep"),
        }
    }

    /// All settings that come from the table alone. What SMF defines (user, kind, its timeouts) is for the caller.
    fn settings(&self, instance_name: &str) -> Settings {
        Settings {
            vm: self.text("name").unwrap_or_else(|| instance_name.to_string()),
            user: None,
            environment: Vec::new(),
            kind: Kind::Headless,
            smf_start_timeout: None,
            smf_stop_timeout: None,
            stop_method: self.word("stop_method").and_then(|word| word.parse().ok()).unwrap_or(StopMethod::SaveState),
            stop_timeout: Some(self.seconds("stop_timeout")).filter(|timeout| !timeout.is_zero()),
            start: self.per_state("start"),
            restart: self.per_state("restart"),
            restart_override: match self.word("kicker_restart") {
                Some("none") => RestartOverride::None,
                Some("all") => RestartOverride::All,
                _ => RestartOverride::AsSet,
            },
            ignore_paused: self.flag("ignore_paused_vm"),
            offline_is_maint: self.flag("offline_is_maint"),
            maintenance_stops_vm: self.flag("maintenance_stops_vm"),
            unknown_limit: match self.number("offline_unknown_state_maxcount") {
                Some(..0) => UnknownLimit::Never,
                _ => UnknownLimit::After(self.count("offline_unknown_state_maxcount")),
            },
            start_wait: match self.word("start_wait_policy") {
                Some("delay") => StartWait::Delay,
                Some("hook") => StartWait::Hook,
                Some("hook_strict") => StartWait::HookStrict,
                _ => StartWait::Off,
            },
            nice: self.number("nice").and_then(|nice| i32::try_from(nice).ok()).unwrap_or(0),
            timezone: self.text("timezone"),
            poll: self.seconds("kicker_freq"),
            debug: self.flag("kicker_debug") || self.flag("debug_smf"),
            aborts: self.rate_limit("restart_aborted_vm_failures"),
            hook: self.hook(),
            pidfile: self.path("kicker_pidfile_name"),
            nokick_file: self.path("kicker_nokick_file_name"),
            blockfile: self.path("kicker_blockfile_name"),
            blockfile_enabled: self.flag("kicker_blockfile_enabled"),
            blockfile_maxage: self.seconds("kicker_blockfile_maxage"),
            restart_once: self.restart_once(),
            zfs: self.zfs(),
            fg_signals: self.words("startgui_fg_trap_signals"),
        }
    }
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
