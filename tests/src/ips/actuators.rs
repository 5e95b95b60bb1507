//! What pkg does to SMF for its packages: attributes of actions that name services to be stopped before the work, and
//! restarted or refreshed after it. Only where the image is the system that runs.
//!
//! As the real pkg, it waits without end for a service that is to be disabled, and it falls over a property whose value
//! holds a newline.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use super::package::Action;
use super::plan::{Plan, Step};
use super::refused::Refused;

/// Services, as the packages name them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Actuators {
    pub suspend: BTreeSet<String>,
    pub disable: BTreeSet<String>,
    pub refresh: BTreeSet<String>,
    pub restart: BTreeSet<String>,
}

/// Gathers them: what comes may restart and refresh, what changes may suspend too, and what goes may disable.
pub fn of(plan: &Plan) -> Actuators {
    let mut found = Actuators::default();
    let mut take = |action: Option<&Action>, on_update: bool, on_removal: bool| {
        let Some(action) = action else { return };
        let of = |attribute| action.values(attribute).map(str::to_string).collect::<Vec<_>>();
        found.restart.extend(of("restart_fmri"));
        found.refresh.extend(of("refresh_fmri"));
        if on_update {
            found.suspend.extend(of("suspend_fmri"));
        }
        if on_removal {
            found.disable.extend(of("disable_fmri"));
        }
    };
    let each = |steps: &[Step], take: &mut dyn FnMut(Option<&Action>, Option<&Action>)| {
        steps.iter().for_each(|step| take(step.old.as_ref(), step.new.as_ref()));
    };
    each(&plan.installs, &mut |_, new| take(new, false, false));
    each(&plan.updates, &mut |old, new| {
        take(old, true, false);
        take(new, true, false);
    });
    each(&plan.removals, &mut |old, _| take(old, false, true));
    found
}

impl Actuators {
    /// As a plan shows them.
    pub fn listed(&self) -> Vec<(&'static str, &str)> {
        let rows = [
            ("disable_fmri", &self.disable),
            ("refresh_fmri", &self.refresh),
            ("restart_fmri", &self.restart),
            ("suspend_fmri", &self.suspend),
        ];
        rows.into_iter().flat_map(|(word, fmris)| fmris.iter().map(move |fmri| (word, fmri.as_str()))).collect()
    }
}

/// How a service stands, in pkg's own order: what is below `TemporarilyEnabled` counts as disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Unknown,
    Disabled,
    Maintenance,
    TemporarilyDisabled,
    TemporarilyEnabled,
    Enabled,
}

/// SMF's programs on one host.
pub struct Smf<'a> {
    pub host: &'a Path,
}

/// What was stopped for the time of the work.
#[derive(Debug, Default)]
pub struct Suspended {
    enabled: Vec<String>,
    temporarily: Vec<String>,
}

impl Smf<'_> {
    /// Before the work: suspends and disables.
    pub fn before(&self, actuators: &Actuators) -> Result<Suspended, Refused> {
        let mut suspended = Suspended::default();
        for fmri in self.instances("suspend_fmri", &actuators.suspend) {
            match self.standing(&fmri)? {
                Standing::Enabled => suspended.enabled.push(fmri),
                Standing::TemporarilyEnabled => suspended.temporarily.push(fmri),
                _ => {}
            }
        }
        let all: Vec<String> = suspended.enabled.iter().chain(&suspended.temporarily).cloned().collect();
        self.svcadm(&["disable", "-s", "-t"], &all)?;
        self.svcadm(&["disable", "-s"], &self.enabled("disable_fmri", &actuators.disable)?)?;
        Ok(suspended)
    }

    /// The work failed: what was suspended for it is not to come up again by itself.
    pub fn failed(&self, suspended: &Suspended) -> Result<(), Refused> {
        let all: Vec<String> = suspended.enabled.iter().chain(&suspended.temporarily).cloned().collect();
        self.svcadm(&["mark", "maintenance"], &all)
    }

    /// After the work: refreshes, restarts, and takes up what was suspended.
    pub fn after(&self, actuators: &Actuators, suspended: &Suspended) -> Result<(), Refused> {
        self.svcadm(&["refresh"], &self.enabled("refresh_fmri", &actuators.refresh)?)?;
        self.svcadm(&["restart"], &self.enabled("restart_fmri", &actuators.restart)?)?;
        self.svcadm(&["enable"], &suspended.enabled)?;
        self.svcadm(&["enable", "-t"], &suspended.temporarily)
    }

    /// Those of the services that are enabled.
    fn enabled(&self, attribute: &str, fmris: &BTreeSet<String>) -> Result<Vec<String>, Refused> {
        let mut enabled = Vec::new();
        for fmri in self.instances(attribute, fmris) {
            if self.standing(&fmri)? >= Standing::TemporarilyEnabled {
                enabled.push(fmri);
            }
        }
        Ok(enabled)
    }

    /// The instances that the names mean. One that names neither an instance nor a pattern is dropped with a message.
    fn instances(&self, attribute: &str, fmris: &BTreeSet<String>) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for fmri in fmris {
            if fmri.contains(['*', '?', '[', '!', '^']) {
                // A pattern that nothing matches is no error.
                let lines = self.call("svcs", &["-H", "-o", "fmri", fmri]).unwrap_or_default();
                found.extend(lines.lines().map(|line| line.trim_end().to_string()));
            } else if fmri.strip_prefix("svc:").unwrap_or(fmri).contains(':') {
                found.insert(fmri.clone());
            } else {
                eprintln!("FMRI pattern might implicitly match more than one service instance.");
                eprintln!("Actuators for {attribute} will not be run for {fmri}.");
            }
        }
        found
    }

    fn standing(&self, fmri: &str) -> Result<Standing, Refused> {
        // What svcprop does not know is not installed.
        let Ok(text) = self.call("svcprop", &["-c", fmri]) else { return Ok(Standing::Unknown) };
        let pairs = properties(&text)?;
        let value = |name: &str| pairs.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value);
        let says = |name: &str, word: &str| value(name).is_some_and(|value| value.contains(word));
        Ok(match value("general_ovr/enabled") {
            _ if says("restarter/state", "maintenance") => Standing::Maintenance,
            Some(_) if says("general_ovr/enabled", "true") => Standing::TemporarilyEnabled,
            Some(_) => Standing::TemporarilyDisabled,
            None if says("general/enabled", "true") => Standing::Enabled,
            None => Standing::Disabled,
        })
    }

    fn svcadm(&self, words: &[&str], fmris: &[String]) -> Result<(), Refused> {
        if fmris.is_empty() {
            return Ok(());
        }
        let words: Vec<&str> = words.iter().copied().chain(fmris.iter().map(String::as_str)).collect();
        self.call("svcadm", &words).map(drop).map_err(|(status, output)| {
            Refused::traceback(format!(
                "NonzeroExitException: Cmd svcadm {} exited with status {status}, and output '{}'",
                words.join(" "),
                output.trim_end()
            ))
        })
    }

    /// What a program says, or its exit status and what it said.
    fn call(&self, tool: &str, words: &[&str]) -> Result<String, (i32, String)> {
        let failed = |error: std::io::Error| (-1, error.to_string());
        let exe = env::current_exe().map_err(failed)?;
        let mut command = Command::new(exe);
        command.arg(tool).arg(self.host).args(words).stdin(Stdio::null());
        let output = command.output().map_err(failed)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        if output.status.success() { Ok(said) } else { Err((output.status.code().unwrap_or(-1), said)) }
    }
}

/// Takes svcprop's lines apart as pkg does, who knows of no value with a newline in it.
fn properties(text: &str) -> Result<Vec<(&str, &str)>, Refused> {
    let mut pairs = Vec::new();
    for (at, line) in text.lines().map(str::trim).enumerate() {
        // A value goes on after its newline: pkg takes the first word of that for a name.
        let Some((name, rest)) = line.split_once(char::is_whitespace) else {
            let length = usize::from(!line.is_empty());
            return Err(Refused::traceback(format!(
                "ValueError: dictionary update sequence element #{at} has length {length}; 2 is required"
            )));
        };
        pairs.push((name, rest.trim_start()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_a_newline_is_more_than_pkg_can_read() {
        assert_eq!(properties("a/b astring c d\n").unwrap(), [("a/b", "astring c d")]);
        let error = properties("a/b astring c\\\nd\n").unwrap_err();
        assert_eq!(error.code, 99);
        assert!(error.message.starts_with("ValueError: dictionary update sequence element #1"), "{error}");
        // Two words pass for a property.
        assert_eq!(properties("a/b astring c\\\nd e\n").unwrap().len(), 2);
    }

    #[test]
    fn the_states_are_in_the_order_that_pkg_ranks_them() {
        assert!(Standing::Maintenance < Standing::TemporarilyEnabled);
        assert!(Standing::TemporarilyDisabled < Standing::TemporarilyEnabled);
    }
}
