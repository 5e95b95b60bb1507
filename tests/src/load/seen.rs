//! What is seen of the VMs from outside: SMF's word, VirtualBox's word, processes, run files. It judges nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::Host;
use crate::smf::startd::contract::pids;
use crate::vbox::{EventReader, What};

/// The kinds of run files that may stay where they are: what they say is only believed of living processes.
const STAYING: [&str; 5] = ["pid", "notes", "output", "start", "log"];

/// One VM at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// SMF's state and the one it is on its way to.
    pub service: (String, String),
    pub enabled: bool,
    pub word: String,
    pub processes: Vec<i32>,
    pub monitors: Vec<i32>,
    /// Every other process of `vboxsvc` that is about this VM.
    pub commands: Vec<i32>,
    pub starts: u32,
    /// The monitor and the VM's process, as the pid file has them.
    pub recorded: (Option<i32>, Option<i32>),
    pub restarts: u32,
    /// Files in the run folder that should be gone.
    pub leftovers: Vec<String>,
}

/// What a VM is known by.
#[derive(Debug, Clone)]
pub struct Machine {
    pub name: String,
    pub fmri: String,
    pub uuid: String,
}

/// The processes of one host that matter, by the VM they are about.
#[derive(Debug, Default)]
pub struct Processes {
    by_uuid: BTreeMap<String, Vec<i32>>,
    monitors: BTreeMap<String, Vec<i32>>,
    commands: BTreeMap<String, Vec<i32>>,
    /// All of them.
    pub count: usize,
}

impl Processes {
    /// Those of the host at `root`.
    pub fn now(root: &Path) -> Processes {
        let mut found = Processes::default();
        for pid in pids() {
            let words = nul_ended(&format!("/proc/{pid}/cmdline"));
            let Some(program) = words.first().map(|w| base_name(w)) else { continue };
            let after = |option: &str| words.iter().position(|w| w == option).and_then(|at| words.get(at + 1)).cloned();
            match (program, words.get(1).map(String::as_str)) {
                ("VBoxHeadless", _) => {
                    found.by_uuid.entry(after("--startvm").unwrap_or_default()).or_default().push(pid)
                }
                ("vboxsvc", Some("monitor")) => {
                    found.monitors.entry(after("--uuid").unwrap_or_default()).or_default().push(pid);
                }
                ("vboxsvc", _) => {
                    let environment = nul_ended(&format!("/proc/{pid}/environ"));
                    if !environment.iter().any(|e| e.contains(&*root.to_string_lossy())) {
                        continue;
                    }
                    let method = environment.iter().find_map(|e| e.strip_prefix("SMF_FMRI=").map(str::to_string));
                    let about = method.or_else(|| after("--svc")).unwrap_or_default();
                    found.commands.entry(about).or_default().push(pid);
                }
                _ => continue,
            }
            found.count += 1;
        }
        found
    }

    pub fn monitors_of(&self, machine: &Machine) -> Vec<i32> {
        self.monitors.get(&machine.uuid).cloned().unwrap_or_default()
    }
}

fn nul_ended(file: &str) -> Vec<String> {
    let bytes = fs::read(file).unwrap_or_default();
    bytes.split(|b| *b == 0).map(|w| String::from_utf8_lossy(w).into_owned()).filter(|w| !w.is_empty()).collect()
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Follows the log of what happened to the VMs.
pub struct Chronicle {
    reader: EventReader,
    starts: BTreeMap<String, u32>,
    /// Machines that ran twice at a time.
    pub second_copies: Vec<String>,
}

impl Chronicle {
    pub fn new(root: &Path) -> Chronicle {
        Chronicle { reader: EventReader::new(root), starts: BTreeMap::new(), second_copies: Vec::new() }
    }

    pub fn read_on(&mut self) {
        for event in self.reader.new_entries() {
            let Some(uuid) = event.vm else { continue };
            match event.what {
                What::Started { .. } => *self.starts.entry(uuid).or_default() += 1,
                What::SecondCopy { .. } => self.second_copies.push(uuid),
                _ => {}
            }
        }
    }

    pub fn starts_of(&self, machine: &Machine) -> u32 {
        self.starts.get(&machine.uuid).copied().unwrap_or_default()
    }

    pub fn all_starts(&self) -> u32 {
        self.starts.values().sum()
    }
}

/// The part of the monitor's notes that counts.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Notes {
    restarts: u32,
}

/// Everything about one VM.
pub fn look(
    host: &Host,
    machine: &Machine,
    processes: &Processes,
    chronicle: &Chronicle,
    words: &BTreeMap<String, String>,
) -> Seen {
    let run = host.run_dir();
    let file = |kind: &str| fs::read_to_string(run.join(format!("{}.{kind}", machine.name))).unwrap_or_default();
    let pid_file = file("pid");
    let mut recorded = pid_file.lines().map(|line| line.split(' ').next().and_then(|pid| pid.parse().ok()));
    let notes: Notes = serde_json::from_str(&file("notes")).unwrap_or_default();
    Seen {
        service: host.status(&machine.fmri).unwrap_or_default(),
        enabled: host.property(&machine.fmri, "general", "enabled").as_deref() == Some("true"),
        word: words.get(&machine.uuid).cloned().unwrap_or_default(),
        processes: processes.by_uuid.get(&machine.uuid).cloned().unwrap_or_default(),
        monitors: processes.monitors_of(machine),
        commands: processes.commands.get(&machine.fmri).cloned().unwrap_or_default(),
        starts: chronicle.starts_of(machine),
        recorded: (recorded.next().flatten(), recorded.next().flatten()),
        restarts: notes.restarts,
        leftovers: leftovers(&run, &machine.name),
    }
}

fn leftovers(run: &Path, name: &str) -> Vec<String> {
    let entries = fs::read_dir(run).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|n| n.split_once('.').is_some_and(|(whose, kind)| whose == name && !STAYING.contains(&kind))).collect()
}
