//! A stand-in of `zfs`, for the subcommands that vboxsvc runs: `list`, `snapshot`, `destroy` of one snapshot, `set`.
//!
//! It is not ZFS: datasets are entries of `ROOT/zfs/state.json`, and nothing is stored. What it prints and how it
//! refuses follow zfs(8) and the messages of libzfs. [`Pools`] is for tests: it makes datasets, gives and takes rights,
//! and makes the next call fail.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{Uid, User};
use serde::{Deserialize, Serialize};

pub const NAMES: &[&str] = &["zfs"];

const USAGE: &str = "usage:\n\tlist|snapshot|destroy|set ...\n";

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    datasets: BTreeMap<String, Dataset>,
    /// Who may do what on which dataset and below it.
    grants: Vec<Grant>,
    /// Who is taken to call; else it is who does.
    caller: Option<String>,
    failures: VecDeque<Failure>,
    calls: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Dataset {
    kind: String,
    mountpoint: String,
    mounted: bool,
    properties: BTreeMap<String, String>,
    /// The oldest first.
    snapshots: Vec<Snapshot>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Snapshot {
    name: String,
    creation: u64,
    held: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Grant {
    user: String,
    permission: String,
    dataset: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Failure {
    subcommand: String,
    stderr: String,
}

/// How a call ends.
struct Ended {
    stdout: String,
    stderr: String,
    code: u8,
}

impl Ended {
    fn ok(stdout: String) -> Ended {
        Ended { stdout, stderr: String::new(), code: 0 }
    }

    fn failed(stderr: impl Into<String>) -> Ended {
        Ended { stdout: String::new(), stderr: stderr.into() + "\n", code: 1 }
    }

    fn usage(why: &str) -> Ended {
        Ended { stdout: String::new(), stderr: format!("{why}\n{USAGE}"), code: 2 }
    }
}

/// Runs as `zfs` on the host at `root`.
pub fn main(_name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    match with_state(root, |state| call(state, &args)) {
        Ok(ended) => {
            print!("{}", ended.stdout);
            eprint!("{}", ended.stderr);
            ExitCode::from(ended.code)
        }
        Err(error) => {
            eprintln!("internal error: failed to initialize ZFS library: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the state, changes it and writes it back, one process at a time.
fn with_state<T>(root: &Path, change: impl FnOnce(&mut State) -> T) -> io::Result<T> {
    let folder = root.join("zfs");
    let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    let _lock = Flock::lock(lock, FlockArg::LockExclusive).map_err(|(_, errno)| io::Error::from(errno))?;
    let file = folder.join("state.json");
    let mut state = match fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
        Err(error) => return Err(error),
    };
    let result = change(&mut state);
    let next = folder.join("state.next");
    fs::write(&next, serde_json::to_vec_pretty(&state)?)?;
    fs::rename(next, file)?;
    Ok(result)
}

fn call(state: &mut State, args: &[String]) -> Ended {
    let Some((subcommand, rest)) = args.split_first() else { return Ended::usage("missing command") };
    state.calls.push(args.join(" "));
    if let Some(at) = state.failures.iter().position(|f| f.subcommand == *subcommand) {
        let failure = state.failures.remove(at);
        return Ended::failed(failure.map(|f| f.stderr).unwrap_or_default());
    }
    match subcommand.as_str() {
        "list" => list(state, rest),
        "snapshot" => snapshot(state, rest),
        "destroy" => destroy(state, rest),
        "set" => set(state, rest),
        other => Ended::usage(&format!("unrecognized command '{other}'")),
    }
}

fn list(state: &State, args: &[String]) -> Ended {
    let (mut types, mut columns) = (vec!["filesystem", "volume"], vec!["name"]);
    let (mut depth, mut names) = (None, Vec::new());
    let mut words = args.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-H" | "-p" | "-Hp" => {}
            "-t" => types = words.next().map(|w| w.split(',').collect()).unwrap_or_default(),
            "-o" => columns = words.next().map(|w| w.split(',').collect()).unwrap_or_default(),
            "-d" => depth = words.next().and_then(|w| w.parse::<usize>().ok()),
            option if option.starts_with('-') => return Ended::usage(&format!("invalid option '{option}'")),
            name => names.push(name),
        }
    }
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let mut row = |dataset: &str, snapshot: Option<&Snapshot>| {
        let cells: Vec<String> = columns.iter().map(|column| state.cell(dataset, snapshot, column)).collect();
        stdout += &(cells.join("\t") + "\n");
    };
    for name in names.iter().filter(|name| !state.datasets.contains_key(**name)) {
        stderr += &format!("cannot open '{name}': dataset does not exist\n");
    }
    for (name, dataset) in &state.datasets {
        // A snapshot is one level below its dataset.
        let below = |root: &str| match name.strip_prefix(root) {
            Some("") => Some(0),
            Some(rest) if rest.starts_with('/') => Some(rest.matches('/').count()),
            _ => None,
        };
        let level = if names.is_empty() { Some(0) } else { names.iter().filter_map(|root| below(root)).min() };
        let Some(level) = level else { continue };
        let deep = if names.is_empty() { usize::MAX } else { depth.unwrap_or(0) };
        if types.contains(&dataset.kind.as_str()) && level <= deep {
            row(name, None);
        }
        if types.contains(&"snapshot") && level < deep {
            dataset.snapshots.iter().for_each(|snapshot| row(name, Some(snapshot)));
        }
    }
    Ended { stdout, code: u8::from(!stderr.is_empty()), stderr }
}

fn snapshot(state: &mut State, names: &[String]) -> Ended {
    let none = |why: String| Ended::failed(why + "\nno snapshots were created");
    let mut parts = Vec::new();
    for name in names {
        let Some((dataset, tail)) = name.split_once('@') else {
            return Ended::usage(&format!("cannot create snapshot '{name}': missing '@' delimiter in snapshot name"));
        };
        if !state.datasets.contains_key(dataset) {
            return Ended::usage(&format!("cannot open '{dataset}': dataset does not exist"));
        }
        if let Some(c) = tail.chars().find(|c| !c.is_ascii_alphanumeric() && !"_.:- ".contains(*c)) {
            return none(format!("cannot create snapshot '{name}': invalid character '{c}' in name"));
        }
        if name.len() > 255 {
            return none(format!("cannot create snapshot '{name}': name is too long"));
        }
        parts.push((dataset, tail));
    }
    if parts.is_empty() {
        return Ended::usage("missing snapshot argument");
    }
    let pool = |dataset: &str| dataset.split('/').next().unwrap_or_default().to_string();
    if parts.iter().any(|(dataset, _)| pool(dataset) != pool(parts[0].0)) {
        return none("cannot create snapshots : multiple snapshots of same fs not allowed".to_string());
    }
    if parts.iter().any(|(dataset, _)| !state.may("snapshot", dataset) || !state.may("mount", dataset)) {
        return none("cannot create snapshots : permission denied".to_string());
    }
    for (dataset, tail) in &parts {
        if state.datasets[*dataset].snapshots.iter().any(|s| s.name == *tail) {
            return none(format!("cannot create snapshot '{dataset}@{tail}': dataset already exists"));
        }
    }
    for (dataset, tail) in parts {
        state.add_snapshot(dataset, tail);
    }
    Ended::ok(String::new())
}

fn destroy(state: &mut State, args: &[String]) -> Ended {
    let [name] = args else { return Ended::usage("this stand-in destroys one snapshot at a time") };
    let Some((dataset, tail)) = name.split_once('@').filter(|(_, tail)| !tail.contains(['%', ','])) else {
        return Ended::usage("this stand-in destroys nothing but single snapshots");
    };
    let allowed = state.may("destroy", dataset) && state.may("mount", dataset);
    let Some(snapshots) = state.datasets.get_mut(dataset).map(|d| &mut d.snapshots) else {
        return Ended::failed(format!("cannot open '{dataset}': dataset does not exist"));
    };
    match snapshots.iter().position(|s| s.name == tail) {
        None => Ended::failed("could not find any snapshots to destroy; check snapshot names."),
        Some(_) if !allowed => Ended::failed("cannot destroy snapshots: permission denied"),
        Some(at) if snapshots[at].held => Ended::failed(format!("cannot destroy snapshot {name}: dataset is busy")),
        Some(at) => {
            snapshots.remove(at);
            Ended::ok(String::new())
        }
    }
}

fn set(state: &mut State, args: &[String]) -> Ended {
    let [assignment, name] = args else { return Ended::usage("missing property=value argument") };
    let Some((property, value)) = assignment.split_once('=') else {
        return Ended::usage(&format!("missing '=' for property=value argument '{assignment}'"));
    };
    let allowed = state.may("userprop", name);
    let Some(dataset) = state.datasets.get_mut(name) else {
        return Ended::failed(format!("cannot open '{name}': dataset does not exist"));
    };
    if !property.contains(':') {
        return Ended::failed(format!("cannot set property for '{name}': invalid property '{property}'"));
    }
    if !allowed {
        return Ended::failed(format!("cannot set property for '{name}': permission denied"));
    }
    dataset.properties.insert(property.to_string(), value.to_string());
    Ended::ok(String::new())
}

impl State {
    fn cell(&self, name: &str, snapshot: Option<&Snapshot>, column: &str) -> String {
        let Some(dataset) = self.datasets.get(name) else { return "-".to_string() };
        match (column, snapshot) {
            ("name", None) => name.to_string(),
            ("name", Some(snapshot)) => format!("{name}@{}", snapshot.name),
            ("type", None) => dataset.kind.clone(),
            ("type", Some(_)) => "snapshot".to_string(),
            ("creation", Some(snapshot)) => snapshot.creation.to_string(),
            ("mountpoint", None) => dataset.mountpoint.clone(),
            ("mounted", None) if dataset.kind == "filesystem" => if dataset.mounted { "yes" } else { "no" }.to_string(),
            ("zoned", None) if dataset.kind == "filesystem" => match self.inherited(name, column).as_str() {
                "on" => "on".to_string(),
                _ => "off".to_string(),
            },
            (user, _) if user.contains(':') => self.inherited(name, user),
            _ => "-".to_string(),
        }
    }

    /// The value of a property: the dataset's own, else the nearest one's above.
    fn inherited(&self, name: &str, property: &str) -> String {
        let mut at = Some(name);
        while let Some(name) = at {
            if let Some(value) = self.datasets.get(name).and_then(|d| d.properties.get(property)) {
                return value.clone();
            }
            at = name.rsplit_once('/').map(|(parent, _)| parent);
        }
        "-".to_string()
    }

    fn may(&self, permission: &str, dataset: &str) -> bool {
        let user = self.caller.clone().unwrap_or_else(|| match User::from_uid(Uid::effective()) {
            Ok(Some(user)) => user.name,
            _ => Uid::effective().to_string(),
        });
        let covers = |grant: &Grant| {
            dataset.strip_prefix(&grant.dataset).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        user == "root" || self.grants.iter().any(|g| g.user == user && g.permission == permission && covers(g))
    }

    fn add_snapshot(&mut self, dataset: &str, name: &str) {
        let creation = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let snapshot = Snapshot { name: name.to_string(), creation, held: false };
        if let Some(dataset) = self.datasets.get_mut(dataset) {
            dataset.snapshots.push(snapshot);
        }
    }
}

/// The simulated pools of a host, in the hands of a test. Every method panics where the host cannot be reached: a test
/// has nothing better to do.
pub struct Pools {
    root: PathBuf,
}

impl Pools {
    pub fn of(root: &Path) -> Pools {
        fs::create_dir_all(root.join("zfs")).expect("a folder for the state of ZFS");
        Pools { root: root.to_path_buf() }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        with_state(&self.root, change).expect("the state of ZFS")
    }

    /// Makes a file system, mounted where a path says, or with the mount point `none` or `legacy`.
    pub fn filesystem(&self, name: &str, mountpoint: &str) {
        self.add(name, "filesystem", mountpoint, mountpoint.starts_with('/'));
    }

    pub fn volume(&self, name: &str) {
        self.add(name, "volume", "-", false);
    }

    fn add(&self, name: &str, kind: &str, mountpoint: &str, mounted: bool) {
        let (kind, mountpoint) = (kind.to_string(), mountpoint.to_string());
        let dataset = Dataset { kind, mountpoint, mounted, properties: BTreeMap::new(), snapshots: Vec::new() };
        self.change(|state| state.datasets.insert(name.to_string(), dataset));
    }

    pub fn unmount(&self, name: &str) {
        self.change(|state| state.datasets.get_mut(name).expect("the dataset").mounted = false);
    }

    /// Makes a snapshot, `DATASET@NAME`.
    pub fn snapshot(&self, name: &str) {
        let (dataset, tail) = name.split_once('@').expect("a snapshot");
        self.change(|state| state.add_snapshot(dataset, tail));
    }

    /// Keeps a snapshot from being destroyed.
    pub fn hold(&self, name: &str) {
        let (dataset, tail) = name.split_once('@').expect("a snapshot");
        self.change(|state| {
            let snapshots = &mut state.datasets.get_mut(dataset).expect("the dataset").snapshots;
            snapshots.iter_mut().find(|s| s.name == tail).expect("the snapshot").held = true;
        });
    }

    /// The names of a dataset's snapshots, without the dataset, the oldest first.
    pub fn snapshots(&self, dataset: &str) -> Vec<String> {
        self.change(|state| state.datasets[dataset].snapshots.iter().map(|s| s.name.clone()).collect())
    }

    pub fn property(&self, dataset: &str, name: &str) -> Option<String> {
        self.change(|state| state.datasets[dataset].properties.get(name).cloned())
    }

    pub fn set_property(&self, dataset: &str, name: &str, value: &str) {
        let properties = |state: &mut State| {
            let dataset = state.datasets.get_mut(dataset).expect("the dataset");
            dataset.properties.insert(name.to_string(), value.to_string());
        };
        self.change(properties);
    }

    /// The next call of this subcommand fails with this on standard error.
    pub fn fail_next(&self, subcommand: &str, stderr: &str) {
        let failure = Failure { subcommand: subcommand.to_string(), stderr: stderr.to_string() };
        self.change(|state| state.failures.push_back(failure));
    }

    /// Whoever calls is taken for this user; root may do everything, others what they were given.
    pub fn call_as(&self, user: &str) {
        self.change(|state| state.caller = Some(user.to_string()));
    }

    /// `zfs allow -u USER PERMISSIONS DATASET`
    pub fn allow(&self, user: &str, permissions: &[&str], dataset: &str) {
        let grant = |permission: &&str| Grant {
            user: user.to_string(),
            permission: permission.to_string(),
            dataset: dataset.to_string(),
        };
        self.change(|state| state.grants.extend(permissions.iter().map(grant)));
    }

    /// The arguments of every call so far, joined by blanks.
    pub fn calls(&self) -> Vec<String> {
        self.change(|state| state.calls.clone())
    }
}

#[cfg(test)]
mod tests;
