//! Asking and commanding SMF through its own programs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use super::SmfError;
use super::fmri::{Fmri, SERVICE};
use super::svcprop::{self, Properties};
use crate::exec::{Call, Ended, Output, Runner};
use crate::log::printable;
use crate::tools::Tools;

/// How long SMF's programs may take to answer: they do in milliseconds, unless the host is on its knees.
const ANSWER: Duration = Duration::from_secs(10);
/// The same where they tell of every instance there is.
const ANSWER_FOR_ALL: Duration = Duration::from_secs(60);

pub struct Smf<'a> {
    runner: &'a dyn Runner,
    tools: &'a Tools,
}

impl<'a> Smf<'a> {
    pub fn new(runner: &'a dyn Runner, tools: &'a Tools) -> Self {
        Smf { runner, tools }
    }

    /// What the running snapshot says, instance over service, and the restarter's own properties; of these groups alone,
    /// for a service has hundreds of properties in its templates.
    pub fn properties(&self, fmri: &Fmri, groups: &[&str]) -> Result<Properties, SmfError> {
        self.svcprop(&[], groups, fmri)
    }

    /// The instance's own properties alone, live.
    pub fn own_properties(&self, fmri: &Fmri, groups: &[&str]) -> Result<Properties, SmfError> {
        self.svcprop(&["-C"], groups, fmri)
    }

    fn svcprop(&self, view: &[&str], groups: &[&str], fmri: &Fmri) -> Result<Properties, SmfError> {
        let fmri = fmri.to_string();
        let output = self.run("svcprop", &asking(view, groups, &fmri))?;
        if matches_nothing(&output) {
            return Err(SmfError::NoInstance(fmri));
        }
        Ok(svcprop::parse(&answered(output)?.stdout).found)
    }

    /// The instances that match a pattern; none is an empty list.
    pub fn instances(&self, pattern: &str) -> Result<Vec<Fmri>, SmfError> {
        let output = self.run("svcs", &["-H", "-o", "fmri", pattern])?;
        if output.ended == Ended::Exited(1) && says(&output, "doesn't match any instances") {
            return Ok(Vec::new());
        }
        let output = succeeded("svcs", output)?;
        Ok(listed(&output.stdout))
    }

    /// The properties of every instance of the VirtualBox service, as the running snapshot has them or, `own`, the
    /// instances' own alone, live.
    pub fn all_properties(&self, own: bool, groups: &[&str]) -> Result<BTreeMap<Fmri, Properties>, SmfError> {
        let view: &[&str] = if own { &["-C", "-f"] } else { &["-f"] };
        let output = self.run_within(ANSWER_FOR_ALL, "svcprop", &asking(view, groups, &format!("svc:/{SERVICE}:*")))?;
        if matches_nothing(&output) {
            return Ok(BTreeMap::new());
        }
        let listed = svcprop::parse_many(&answered(output)?.stdout).found;
        Ok(listed.into_iter().filter_map(|(entity, properties)| Some((entity.parse().ok()?, properties))).collect())
    }

    /// Every instance of the VirtualBox service with a `vm/name` of its own, and that name.
    pub fn named_machines(&self) -> Result<Vec<(Fmri, String)>, SmfError> {
        let pattern = format!("svc:/{SERVICE}:*");
        let output = self.run_within(ANSWER_FOR_ALL, "svcprop", &["-C", "-f", "-p", "vm/name", &pattern])?;
        // Instances without the property make it exit 1; the others are printed all the same.
        if !matches!(output.ended, Ended::Exited(0 | 1)) {
            succeeded("svcprop", output)?;
            return Ok(Vec::new());
        }
        let listed = svcprop::parse_many(&output.stdout).found;
        let named = |(entity, properties): (String, Properties)| {
            Some((entity.parse().ok()?, properties.single("vm/name")?.to_string()))
        };
        Ok(listed.into_iter().filter_map(named).collect())
    }

    /// `svcadm disable -t`: offline until the next boot or enable.
    pub fn disable_temporarily(&self, fmri: &Fmri) -> Result<(), SmfError> {
        self.svcadm(&["disable", "-t", &fmri.to_string()])
    }

    /// `svcadm mark [-I] maintenance`. Never with -t, which the restarter ignores.
    pub fn mark_maintenance(&self, fmri: &Fmri, stop_first: bool) -> Result<(), SmfError> {
        let fmri = fmri.to_string();
        if stop_first {
            self.svcadm(&["mark", "maintenance", &fmri])
        } else {
            self.svcadm(&["mark", "-I", "maintenance", &fmri])
        }
    }

    fn svcadm(&self, args: &[&str]) -> Result<(), SmfError> {
        let output = self.run("svcadm", args)?;
        // Without the right to mark, svcadm says so and exits 0.
        if says(&output, "Permission denied") {
            return Err(SmfError::Denied(first_line(&output)));
        }
        succeeded("svcadm", output).map(drop)
    }

    fn run(&self, program: &'static str, args: &[&str]) -> Result<Output, SmfError> {
        self.run_within(ANSWER, program, args)
    }

    fn run_within(&self, time: Duration, program: &'static str, args: &[&str]) -> Result<Output, SmfError> {
        let path = self.tools.find(program).map_err(|e| SmfError::NoSmf(e.to_string()))?;
        // Messages are read, and translated ones could not be.
        let env: [(OsString, OsString); 2] = [("LC_ALL".into(), "C".into()), ("PATH".into(), self.tools.path())];
        Ok(self.runner.run(&Call::new(path, time).args(args).env(&env))?)
    }
}

/// The instances that `svcs -H -o fmri` lists. A line that names none, as of a service from rc scripts, is left out.
pub fn listed(output: &[u8]) -> Vec<Fmri> {
    String::from_utf8_lossy(output).lines().filter_map(|line| line.trim().parse().ok()).collect()
}

fn asking<'a>(view: &[&'a str], groups: &[&'a str], of: &'a str) -> Vec<&'a str> {
    let groups = groups.iter().flat_map(|group| ["-p", group]);
    view.iter().copied().chain(groups).chain([of]).collect()
}

fn matches_nothing(output: &Output) -> bool {
    output.ended == Ended::Exited(1) && says(output, "doesn't match any entities")
}

/// An answer of svcprop. Groups that are not there, or not to be seen, make it exit 1; the others are printed all the same.
fn answered(output: Output) -> Result<Output, SmfError> {
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    let is_a_miss =
        |line: &str| ["Couldn't find property group", "Permission denied."].iter().any(|m| line.contains(m));
    let only_misses = !complaints.is_empty() && complaints.lines().all(is_a_miss);
    if output.ended == Ended::Exited(1) && only_misses { Ok(output) } else { succeeded("svcprop", output) }
}

fn says(output: &Output, words: &str) -> bool {
    String::from_utf8_lossy(&output.stderr).contains(words)
}

fn first_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    printable(text.lines().find(|l| !l.trim().is_empty()).unwrap_or("no message"))
}

fn succeeded(program: &'static str, output: Output) -> Result<Output, SmfError> {
    if output.success() {
        return Ok(output);
    }
    let said = first_line(&output);
    if said.contains("Could not connect to configuration repository") {
        return Err(SmfError::NoSmf(said));
    }
    let how = match output.ended {
        Ended::Exited(code) => format!("exit code {code}"),
        Ended::Signaled(signal) => format!("killed by signal {signal}"),
        Ended::TimedOut => format!("no answer within {} s", ANSWER.as_secs()),
        Ended::Interrupted => "interrupted".to_string(),
    };
    Err(SmfError::Failed { program, how, said })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_are_missing_are_no_failure_and_anything_else_is() {
        let missing = "svcprop: Couldn't find property group `start' for instance `svc:/site/xvm/vbox:a'.\n";
        let hidden = "svcprop: Permission denied.\n";
        let down = "svcprop: Could not connect to configuration repository: repository server unavailable.\n";
        for (code, stderr, good) in [
            (0, String::new(), true),
            (1, missing.to_string(), true),
            (1, format!("{missing}{hidden}"), true),
            (1, down.to_string(), false),
            (1, format!("{missing}{down}"), false),
            (1, String::new(), false),
            (2, missing.to_string(), false),
        ] {
            let output = Output { ended: Ended::Exited(code), stdout: Vec::new(), stderr: stderr.clone().into() };
            assert_eq!(answered(output).is_ok(), good, "{code} {stderr}");
        }
    }
}
