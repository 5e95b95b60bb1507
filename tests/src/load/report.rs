//! What a load run tells: its summary, or what was wrong and all that led to it; and what `vboxsvc list` must tell.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::model::{Service, State, Vm};
use super::seen::Machine;
use crate::Host;

/// How many lines of a log are shown.
const LOG_LINES: usize = 80;
/// How many of the longest ways are told.
const LONGEST: usize = 5;

/// A run in which everything held.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// How often each event happened.
    pub events: BTreeMap<String, u32>,
    pub starts: u32,
    /// How often a VM was found as it must be after an event, or in between.
    pub checks: u32,
    pub lists: u32,
    /// The longest ways of VMs to where they must be, the longest first.
    pub longest: Vec<(Duration, String)>,
    pub most_processes: usize,
    pub seconds: u64,
}

impl Summary {
    /// A VM is found to be as it must be, this long after this happened to it.
    pub fn took(&mut self, time: Duration, what: &str, name: &str) {
        self.checks += 1;
        self.longest.push((time, format!("{what} of {name}")));
        self.longest.sort_by(|a, b| b.cmp(a));
        self.longest.truncate(LONGEST);
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let events: u32 = self.events.values().sum();
        writeln!(f, "{events} events in {} s:", self.seconds)?;
        for (event, count) in &self.events {
            writeln!(f, "  {count:6}  {event}")?;
        }
        writeln!(
            f,
            "{} starts of VMs; {} times a VM was found as the model says, {} times the whole list was; at most {} \
             processes of VMs and of vboxsvc",
            self.starts, self.checks, self.lists, self.most_processes
        )?;
        let longest = self.longest.iter().map(|(time, what)| format!("{what} {:.1} s", time.as_secs_f32()));
        writeln!(f, "the longest ways: {}", longest.collect::<Vec<_>>().join(", "))?;
        write!(f, "no VM lost, none started twice, no monitor leaked, all counters right")
    }
}

/// Something is not as it must be.
#[derive(Debug, Clone)]
pub struct Violation {
    pub seed: u64,
    pub machine: Machine,
    pub during: String,
    pub rules: String,
    pub wrong: Vec<String>,
    pub history: Vec<String>,
    pub log: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { name, uuid, .. } = &self.machine;
        writeln!(f, "seed {}: {name} ({uuid}) is not as it must be, after: {}", self.seed, self.during)?;
        for wrong in &self.wrong {
            writeln!(f, "  {wrong}")?;
        }
        writeln!(f, "its settings: {}\nwhat happened to it:", self.rules)?;
        for line in &self.history {
            writeln!(f, "  {line}")?;
        }
        let lines: Vec<&str> = self.log.lines().collect();
        writeln!(f, "the end of its log:")?;
        lines.iter().skip(lines.len().saturating_sub(LOG_LINES)).try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// A row of `vboxsvc list --json`, as far as the model knows better.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    instance: String,
    smf_state: String,
    vm_state: Option<String>,
    restarts: u32,
    monitor: Option<i32>,
    remark: Option<String>,
}

/// What `vboxsvc list --json` tells, by FMRI.
pub fn listed(host: &Host) -> BTreeMap<String, Row> {
    let ran = host.vboxsvc(["list", "--json"]);
    let rows: Vec<Row> = serde_json::from_str(&ran.stdout).unwrap_or_default();
    rows.into_iter().map(|row| (row.instance.clone(), row)).collect()
}

/// Where the row tells otherwise than the model.
pub fn differences(must: &Vm, row: Option<&Row>) -> Vec<String> {
    let Some(row) = row else { return vec!["vboxsvc list does not list it".to_string()] };
    let service = match must.service {
        Service::Online => "online",
        Service::Disabled => "disabled",
        Service::Maintenance => "maintenance",
    };
    let restarts = if must.watched { must.restarts } else { 0 };
    let word = row.vm_state.as_deref().unwrap_or_default();
    let is_right = row.smf_state == service
        && (must.state == State::Lost || must.state.words().contains(&word))
        && row.restarts == restarts
        && row.monitor.is_some() == must.watched
        && row.remark.is_none();
    if is_right { Vec::new() } else { vec![format!("vboxsvc list tells {row:?}; right would be: {must:?}")] }
}
