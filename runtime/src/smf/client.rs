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

    /// What the running snapshot says, instance over service, and the restarter's own properties.
    pub fn properties(&self, fmri: &Fmri) -> Result<Properties, SmfError> {
        self.svcprop(&[&fmri.to_string()], fmri)
    }

    /// The instance's own properties alone, live.
    pub fn own_properties(&self, fmri: &Fmri) -> Result<Properties, SmfError> {
        self.svcprop(&["-C", &fmri.to_string()], fmri)
    }

    fn svcprop(&self, args: &[&str], fmri: &Fmri) -> Result<Properties, SmfError> {
        let output = self.run("svcprop", args)?;
        if output.ended == Ended::Exited(1) && says(&output, "doesn't match any entities") {
            return Err(SmfError::NoInstance(fmri.to_string()));
        }
        let output = succeeded("svcprop", output)?;
        Ok(svcprop::parse(&output.stdout).found)
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
    pub fn all_properties(&self, own: bool) -> Result<BTreeMap<Fmri, Properties>, SmfError> {
        let pattern = format!("svc:/{SERVICE}:*");
        let args = if own { vec!["-C", "-f", &pattern] } else { vec!["-f", &pattern] };
        let output = self.run_within(ANSWER_FOR_ALL, "svcprop", &args)?;
        if output.ended == Ended::Exited(1) && says(&output, "doesn't match any entities") {
            return Ok(BTreeMap::new());
        }
        let listed = svcprop::parse_many(&succeeded("svcprop", output)?.stdout).found;
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
