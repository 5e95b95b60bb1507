//! The process svc.startd of one host: hears requests, keeps the graph of instances, and sends them events.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, getpid, mkfifo, setsid};

use super::contract::members;
use super::graph::{Dependency, Standing, dependencies, enabled, is_meant};
use super::instance::{Cause, Event, Worker};
use super::log;
use super::states::{self, State};
use crate::enclosure::layout;
use crate::host::leftovers;
use crate::invocation::UNTIL_STDIN_CLOSES;
use crate::smf::fmri::InstanceName;
use crate::smf::model::value;
use crate::smf::repository::Store;
use crate::smf::tool::wake_path;

/// What a line on the wake pipe says instead of an FMRI when the host goes down.
pub const SHUTDOWN: &str = "!shutdown";
/// The same, and up again.
pub const REBOOT: &str = "!reboot";
/// Off, and off and on again, without stopping any service.
pub const HALT: &str = "!halt";
pub const RESET: &str = "!reset";

/// Names in `restarter_actions` that are read, in the order in which they are acted on. Others stay where they are.
const ACTIONS: [&str; 8] =
    ["maint_off", "restore", "refresh", "restart", "degraded", "degrade_immediate", "maint_on", "maint_on_immediate"];

/// What all threads of the daemon know.
pub struct Shared {
    pub root: PathBuf,
    pub notices: Sender<Notice>,
}

/// What the main loop hears.
pub enum Notice {
    /// Something about an instance was written into the repository.
    Look(String),
    State {
        name: InstanceName,
        state: State,
        reason: &'static str,
        cause: Cause,
    },
    /// Whoever started the daemon has gone.
    Orphaned,
}

struct Vertex {
    state: State,
    enabled: bool,
    /// Sent an event that will change its state.
    busy: bool,
    dependencies: Vec<Dependency>,
    worker: Option<Sender<Event>>,
}

/// What is to come when the daemon has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Off,
    On,
}

struct Daemon {
    shared: Arc<Shared>,
    vertices: BTreeMap<InstanceName, Vertex>,
    shutting_down: Option<Then>,
    /// Held open for as long as the host is on, for those that go down with it.
    _power: File,
}

/// Runs until a shutdown, or, when asked to, until standard input is closed.
pub fn run(root: &Path, until_stdin_closes: bool) -> ExitCode {
    match start(root, until_stdin_closes) {
        Ok((mut daemon, notices)) => {
            let then = daemon.run(&notices);
            // The host goes off: what methods left behind goes with it.
            kill_descendants();
            let _ = fs::remove_file(door_path(root));
            match then {
                Then::Off => ExitCode::SUCCESS,
                Then::On => begin_again(root, until_stdin_closes),
            }
        }
        Err(error) => {
            eprintln!("svc.startd: cannot run the host at {}: {error}", root.display());
            ExitCode::FAILURE
        }
    }
}

fn start(root: &Path, until_stdin_closes: bool) -> io::Result<(Daemon, Receiver<Notice>)> {
    // What outlives its contract's holder must not get lost: the host takes everything down with it.
    prctl::set_child_subreaper(true)?;
    // Nothing to leave where it leads a session already.
    let _ = setsid();
    let (notices, receiver) = channel();
    let pipe = wake_path(root);
    let reader = BufReader::new(make_pipe(&pipe, 0o666)?);
    let power = make_pipe(&power_path(root), 0o600)?;
    fs::write(boots_path(root), (boots(root) + 1).to_string())?;
    let door = door_path(root);
    door.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(door, "")?;
    let sender = notices.clone();
    thread::spawn(move || {
        for line in reader.lines().map_while(Result::ok) {
            if sender.send(Notice::Look(line)).is_err() {
                return;
            }
        }
    });
    if until_stdin_closes {
        let sender = notices.clone();
        thread::spawn(move || {
            let mut rest = Vec::new();
            // However the reading ends, nobody is there any more.
            let _ = io::stdin().read_to_end(&mut rest);
            let _ = sender.send(Notice::Orphaned);
        });
    }
    let shared = Arc::new(Shared { root: root.to_path_buf(), notices });
    let mut daemon = Daemon { shared, vertices: BTreeMap::new(), shutting_down: None, _power: power };
    // The lock must be gone before the loop, which takes it again.
    let present = Store::read(root)?.all_instances();
    for name in present {
        daemon.look(&name);
    }
    Ok((daemon, receiver))
}

/// A pipe with a name, open for both ends, so that it never ends when another writer closes it.
fn make_pipe(path: &Path, mode: u32) -> io::Result<File> {
    let _ = fs::remove_file(path);
    mkfifo(path, Mode::from_bits_truncate(mode))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    OpenOptions::new().read(true).write(true).open(path)
}

/// A pipe that ends when this host's svc.startd does.
pub fn power_path(root: &Path) -> PathBuf {
    root.join("smf/power")
}

fn boots_path(root: &Path) -> PathBuf {
    root.join("smf/boots")
}

/// How often the host was switched on.
pub fn boots(root: &Path) -> u64 {
    fs::read_to_string(boots_path(root)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// What scripts look at to know whether SMF lives here.
fn door_path(root: &Path) -> PathBuf {
    root.join("etc/svc/volatile/repository_door")
}

fn begin_again(root: &Path, until_stdin_closes: bool) -> ExitCode {
    leftovers::kill_all(root);
    let failed = |error| {
        eprintln!("svc.startd: cannot boot the host at {} again: {error}", root.display());
        ExitCode::FAILURE
    };
    if let Err(error) = layout::lose_volatile(root) {
        return failed(error);
    }
    let Ok(simhost) = std::env::current_exe() else { return failed(io::ErrorKind::NotFound.into()) };
    let mut again = Command::new(simhost);
    again.arg("svc.startd").arg(root).args(until_stdin_closes.then_some(UNTIL_STDIN_CLOSES));
    failed(again.exec())
}

fn kill_descendants() {
    loop {
        let left = members(getpid().as_raw());
        if left.is_empty() {
            return;
        }
        for process in left {
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(2));
    }
}

impl Daemon {
    fn run(&mut self, notices: &Receiver<Notice>) -> Then {
        while let Ok(notice) = notices.recv() {
            match notice {
                Notice::Orphaned => return Then::Off,
                Notice::Look(line) => match line.as_str() {
                    HALT => return Then::Off,
                    RESET => return Then::On,
                    SHUTDOWN | REBOOT => {
                        self.shutting_down = Some(if line == REBOOT { Then::On } else { Then::Off });
                        self.go_down();
                    }
                    fmri => {
                        if let Some(name) = InstanceName::parse(fmri) {
                            self.look(&name);
                        }
                    }
                },
                Notice::State { name, state, reason, cause } => self.changed(&name, state, reason, cause),
            }
            if let Some(then) = self.shutting_down
                && !self.vertices.values().any(|v| v.state.is_running() || v.busy)
            {
                return then;
            }
        }
        Then::Off
    }

    fn send(&mut self, name: &InstanceName, event: Event) {
        let Some(vertex) = self.vertices.get_mut(name) else { return };
        vertex.busy |= matches!(event, Event::Start { .. } | Event::Stop { .. });
        let spawn = || Worker::spawn(Arc::clone(&self.shared), name.clone(), vertex.state);
        // A worker ends only with its vertex.
        let _ = vertex.worker.get_or_insert_with(spawn).send(event);
    }

    /// Reads what the repository asks of an instance, and acts on it.
    fn look(&mut self, name: &InstanceName) {
        let Ok(store) = Store::write(&self.shared.root) else { return };
        let Some(groups) = store.live_composed(name) else {
            drop(store);
            self.remove(name);
            return;
        };
        let wanted = enabled(&groups);
        let new = !self.vertices.contains_key(name);
        if new && wanted.is_none() {
            return;
        }
        let pending = groups.get("restarter_actions");
        let actions: Vec<&str> =
            ACTIONS.into_iter().filter(|a| pending.is_some_and(|g| g.properties.contains_key(*a))).collect();
        // A request that did not come from a terminal counts as a service's.
        let from_service = value(&groups, "restarter_actions", "auxiliary_tty") == Some("false");
        let requested = if from_service { "service_request" } else { "administrative_request" };
        if !actions.is_empty() {
            let _ = store.edit(name, |groups| {
                if let Some(pending) = groups.get_mut("restarter_actions") {
                    pending.properties.retain(|p, _| !actions.contains(&p.as_str()));
                }
            });
        }
        let dependencies = (new || actions.contains(&"refresh"))
            .then(|| dependencies(&store.running_composed(name).unwrap_or_default()));
        drop(store);
        let wanted = wanted.unwrap_or(false);
        if new {
            self.insert(name, wanted, dependencies.unwrap_or_default());
        } else if let Some(vertex) = self.vertices.get_mut(name) {
            vertex.dependencies = dependencies.unwrap_or_else(|| std::mem::take(&mut vertex.dependencies));
            let before = std::mem::replace(&mut vertex.enabled, wanted);
            // A disable is also the way out of maintenance for an instance that is disabled already.
            if wanted != before || (!wanted && vertex.state == State::Maintenance && actions.is_empty()) {
                let reason = "enable_request";
                self.send(name, if wanted { Event::Enable { reason } } else { Event::Disable { admin: true } });
                // Those that only wait for what cannot come need not wait any longer.
                self.try_dependents(name);
            }
        }
        for action in actions {
            self.send(
                name,
                match action {
                    "maint_off" => Event::Clear,
                    "restore" => Event::Restore,
                    "refresh" => Event::Refresh,
                    "restart" => Event::Restart,
                    "degraded" | "degrade_immediate" => Event::Degrade,
                    immediate => Event::Maintain { immediate: immediate == "maint_on_immediate", reason: requested },
                },
            );
        }
        if self.vertices.get(name).is_some_and(|v| v.state == State::Offline) {
            self.try_start(name, "none");
        }
    }

    fn insert(&mut self, name: &InstanceName, wanted: bool, dependencies: Vec<Dependency>) {
        let state = if wanted { State::Uninitialized } else { State::Disabled };
        let vertex = Vertex { state, enabled: wanted, busy: false, dependencies, worker: None };
        self.vertices.insert(name.clone(), vertex);
        if wanted {
            self.send(name, Event::Enable { reason: "per_configuration" });
        } else {
            log::write(&self.shared.root, name, "Disabled.");
            let _ = states::commit(&self.shared.root, name, State::Disabled, None, "per_configuration");
        }
    }

    fn remove(&mut self, name: &InstanceName) {
        if let Some(Vertex { worker: Some(worker), .. }) = self.vertices.remove(name) {
            let _ = worker.send(Event::Removed);
        }
        self.try_dependents(name);
    }

    fn changed(&mut self, name: &InstanceName, state: State, reason: &'static str, cause: Cause) {
        let Some(vertex) = self.vertices.get_mut(name) else { return };
        let before = std::mem::replace(&mut vertex.state, state);
        vertex.busy = false;
        match state {
            State::Uninitialized if vertex.enabled => self.send(name, Event::Enable { reason }),
            State::Uninitialized => self.send(name, Event::Disable { admin: false }),
            State::Offline => self.try_start(name, reason),
            _ => {}
        }
        let stopped = before.is_running() && !state.is_running();
        if stopped || cause == Cause::Refresh {
            self.stop_dependents(name, cause);
        }
        self.try_dependents(name);
        if self.shutting_down.is_some() {
            self.go_down();
        }
    }

    fn standings(&self, entity: &str) -> Vec<Standing> {
        let meant = self.vertices.iter().filter(|(name, _)| is_meant(entity, name));
        meant.map(|(_, v)| Standing { state: v.state, enabled: v.enabled }).collect()
    }

    fn try_start(&mut self, name: &InstanceName, reason: &'static str) {
        let Some(vertex) = self.vertices.get(name) else { return };
        let waits = vertex.state == State::Offline && vertex.enabled && !vertex.busy && self.shutting_down.is_none();
        if waits && vertex.dependencies.iter().all(|d| d.is_satisfied(|entity| self.standings(entity))) {
            self.send(name, Event::Start { reason });
        }
    }

    fn dependents(&self, name: &InstanceName) -> Vec<InstanceName> {
        let on_it = |v: &Vertex| v.dependencies.iter().any(|d| d.names(name));
        self.vertices.iter().filter(|(_, v)| on_it(v)).map(|(n, _)| n.clone()).collect()
    }

    fn try_dependents(&mut self, name: &InstanceName) {
        for dependent in self.dependents(name) {
            self.try_start(&dependent, "none");
        }
    }

    fn stop_dependents(&mut self, name: &InstanceName, cause: Cause) {
        for dependent in self.dependents(name) {
            let Some(vertex) = self.vertices.get(&dependent) else { continue };
            let reacts = vertex.dependencies.iter().any(|d| d.names(name) && d.reacts_to(cause));
            if vertex.state.is_running() && reacts {
                self.send(&dependent, Event::Stop { reset: true });
            }
        }
    }

    /// Stops everything that nothing running depends on; each stop brings the next ones.
    fn go_down(&mut self) {
        let running: Vec<InstanceName> =
            self.vertices.iter().filter(|(_, v)| v.state.is_running() && !v.busy).map(|(n, _)| n.clone()).collect();
        for name in running {
            let held = |other: &InstanceName| self.vertices.get(other).is_some_and(|v| v.state.is_running() || v.busy);
            if !self.dependents(&name).iter().any(held) {
                self.send(&name, Event::Stop { reset: false });
            }
        }
    }
}
