//! Making snapshots, and removing those that are too many.
//!
//! All datasets of a pool are snapshot in one order, so at one moment. What is refused does not hold up the rest: it
//! is told, with what mends it, and it counts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::client::{Zfs, ZfsError};
use super::discover::Targets;
use super::paths::snapshot_folder;
use super::snapshot::{Label, NoRoom, expired, pool, seconds_from};

/// How many names, each a second later than the one before, are tried where a snapshot is there already.
const TRIES: u64 = 5;

/// What is to be done.
pub struct Order<'a> {
    pub targets: &'a Targets,
    pub label: &'a Label,
    /// How many snapshots of this VM and prefix stay on each dataset; 0 = all.
    pub keep: u32,
    pub now: SystemTime,
    /// Who asks ZFS.
    pub user: &'a str,
}

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub made: Vec<String>,
    pub removed: Vec<String>,
    /// What went wrong, and what mends it.
    pub problems: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Some of it.
    Partly,
    Failed,
}

impl Outcome {
    pub fn verdict(&self) -> Verdict {
        match (self.made.is_empty(), self.problems.is_empty()) {
            (false, true) => Verdict::Done,
            (false, false) => Verdict::Partly,
            (true, _) => Verdict::Failed,
        }
    }
}

/// The names that [`take`] would try first.
pub fn plan(order: &Order) -> Result<Vec<String>, NoRoom> {
    let mut names = Vec::new();
    for datasets in by_pool(order.targets).values() {
        names.extend(full_names(datasets, &order.label.tail(datasets, order.now)?));
    }
    let tail = order.label.tail(&[], order.now)?;
    let remote = order.targets.remote.iter().map(|point| snapshot_folder(point).join(&tail));
    names.extend(remote.map(|path| path.display().to_string()));
    Ok(names)
}

pub fn take(zfs: &Zfs, order: &Order) -> Outcome {
    let mut outcome = Outcome { problems: order.targets.wrong.clone(), ..Outcome::default() };
    for datasets in by_pool(order.targets).values() {
        match of_pool(zfs, order, datasets) {
            Ok(made) => {
                outcome.made.extend(made);
                retain(zfs, order, datasets, &mut outcome);
            }
            Err(problem) => outcome.problems.push(problem),
        }
    }
    for point in &order.targets.remote {
        match of_remote(order, point) {
            Ok(made) => {
                outcome.made.push(made);
                retain_remote(order, point, &mut outcome);
            }
            Err(problem) => outcome.problems.push(problem),
        }
    }
    outcome
}

fn by_pool(targets: &Targets) -> BTreeMap<&str, Vec<&str>> {
    let mut pools: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for dataset in &targets.datasets {
        pools.entry(pool(dataset)).or_default().push(dataset);
    }
    pools
}

fn full_names(datasets: &[&str], tail: &str) -> Vec<String> {
    datasets.iter().map(|dataset| format!("{dataset}@{tail}")).collect()
}

fn of_pool(zfs: &Zfs, order: &Order, datasets: &[&str]) -> Result<Vec<String>, String> {
    let mut last = None;
    for time in seconds_from(order.now, TRIES) {
        let tail = order.label.tail(datasets, time).map_err(|e| e.to_string())?;
        let names = full_names(datasets, &tail);
        match zfs.snapshot(&names) {
            Ok(()) => return Ok(names),
            Err(error @ ZfsError::Exists { .. }) => last = Some(error),
            Err(error) => return Err(told(&error, order, datasets)),
        }
    }
    let why = last.map(|e| e.to_string()).unwrap_or_default();
    Err(format!("no snapshot of {}, not by {TRIES} names: {why}", datasets.join(", ")))
}

/// The error, with the command that mends it where rights are missing.
fn told(error: &ZfsError, order: &Order, datasets: &[&str]) -> String {
    let all = datasets.join(", ");
    if !matches!(error, ZfsError::Denied { .. }) {
        return format!("no snapshot of {all}: {error}");
    }
    if order.user == "root" {
        return format!(
            "no snapshot of {all}: {error}: a zone must be given a dataset (zonecfg: add dataset) to snapshot it"
        );
    }
    let rights = if order.keep > 0 { "mount,snapshot,destroy" } else { "mount,snapshot" };
    let commands: Vec<String> =
        datasets.iter().map(|dataset| format!("zfs allow -u {} {rights} {}", order.user, quoted(dataset))).collect();
    format!("no snapshot of {all}: {error}: as root, {}", commands.join(" && "))
}

fn quoted(name: &str) -> String {
    if name.contains(' ') { format!("'{name}'") } else { name.to_string() }
}

/// Removes what is too many. The snapshots just made are never among them.
fn retain(zfs: &Zfs, order: &Order, datasets: &[&str], outcome: &mut Outcome) {
    if order.keep == 0 {
        return;
    }
    let listed = match zfs.snapshots(datasets) {
        Ok(listed) => listed,
        Err(error) => {
            outcome.problems.push(format!("old snapshots of {} stay: {error}", datasets.join(", ")));
            return;
        }
    };
    for dataset in datasets {
        let tails: Vec<&str> = listed.iter().filter_map(|name| name.strip_prefix(dataset)?.strip_prefix('@')).collect();
        for tail in expired(&tails, order.label, order.keep) {
            let name = format!("{dataset}@{tail}");
            if outcome.made.contains(&name) {
                continue;
            }
            match zfs.destroy_snapshot(&name) {
                Ok(()) => outcome.removed.push(name),
                Err(error @ ZfsError::Denied { .. }) => outcome.problems.push(format!(
                    "{name} stays: {error}: as root, zfs allow -u {} mount,destroy {}",
                    order.user,
                    quoted(dataset)
                )),
                Err(error) => outcome.problems.push(format!("{name} stays: {error}")),
            }
        }
    }
}

/// A snapshot on another host, which makes it when a folder is made.
fn of_remote(order: &Order, point: &Path) -> Result<String, String> {
    let folder = snapshot_folder(point);
    for time in seconds_from(order.now, TRIES) {
        let tail = order.label.tail(&[], time).map_err(|e| e.to_string())?;
        let path = folder.join(tail);
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path.display().to_string()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(format!(
                    "cannot make {}: {error}: on the server, zfs allow -u {} mount,snapshot its dataset",
                    path.display(),
                    order.user
                ));
            }
            Err(error) => return Err(format!("cannot make {}: {error}", path.display())),
        }
    }
    Err(format!("no snapshot of {}, not by {TRIES} names: all of them exist", point.display()))
}

fn retain_remote(order: &Order, point: &Path, outcome: &mut Outcome) {
    if order.keep == 0 {
        return;
    }
    let folder = snapshot_folder(point);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => {
            outcome.problems.push(format!("old snapshots in {} stay: {error}", folder.display()));
            return;
        }
    };
    let mut tails: Vec<String> = entries.filter_map(|e| e.ok()?.file_name().into_string().ok()).collect();
    // The order of making is not known here; the time in the name tells it.
    tails.sort_by_key(|tail| order.label.time_in(tail).map(str::to_string));
    let tails: Vec<&str> = tails.iter().map(String::as_str).collect();
    for tail in expired(&tails, order.label, order.keep) {
        let path = folder.join(tail);
        let shown = path.display().to_string();
        if outcome.made.contains(&shown) {
            continue;
        }
        match fs::remove_dir(&path) {
            Ok(()) => outcome.removed.push(shown),
            Err(error) => outcome.problems.push(format!("{shown} stays: {error}")),
        }
    }
}

#[cfg(test)]
mod tests;
