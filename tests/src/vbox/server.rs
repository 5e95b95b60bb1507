//! The stand-in for VBoxSVC: a daemon that any client starts on demand, that notices dead VM processes, starts VMs for
//! `VBoxManage startvm`, and leaves some seconds after its last client.
//!
//! Clients talk to it through the registry alone. It knows that a client is there by the shared lock that each holds.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access, dup2_stdout, setsid};
use signal_hook::consts::SIGTERM;

use super::events::{What, now_ms};
use super::machine::{Frontend, Hold, Holder, Launch, Outcome, Registry, Rest, Server};
use super::process::Process;
use super::settings::Settings;
use super::store::{Store, Watch, lock_file, open_shared};
use super::texts;

const TICK: Duration = Duration::from_millis(20);

/// Why a client has no VBoxSVC.
pub enum NoServer {
    /// It is there, but on its way out.
    Terminating,
    /// None is up and HOME, where it would keep its settings, belongs to somebody else.
    HomeNotAccessible(String),
}

/// Being connected. VBoxSVC stays while one of these lives.
pub struct Connection {
    pub server: Process,
    // Held for its lock.
    _client: File,
}

/// Connects to the user's VBoxSVC, starting it if need be.
pub fn connect(store: &Store) -> Result<Result<Connection, NoServer>> {
    let client = open_shared(&store.clients_file())?;
    client.lock_shared()?;
    // The time stamp tells of calls that are over before VBoxSVC looks.
    client.set_len(0)?;
    let _startup = match in_charge(store)? {
        Some(found) => return Ok(found.map(|server| Connection { server, _client: client })),
        None => lock_file(&store.startup_file())?,
    };
    if let Some(found) = in_charge(store)? {
        return Ok(found.map(|server| Connection { server, _client: client }));
    }
    if let Some(home) = home_of_somebody_else() {
        return Ok(Err(NoServer::HomeNotAccessible(home)));
    }
    start(store)?;
    match in_charge(store)? {
        Some(found) => Ok(found.map(|server| Connection { server, _client: client })),
        None => bail!("VBoxSVC ended at once"),
    }
}

fn in_charge(store: &Store) -> Result<Option<Result<Process, NoServer>>> {
    Ok(store.read()?.live_server().map(|server| match server.terminating {
        true => Err(NoServer::Terminating),
        false => Ok(server.process),
    }))
}

/// HOME matters only to a VBoxSVC that starts. One that does not exist is let pass: a simulated user may have none.
fn home_of_somebody_else() -> Option<String> {
    let home = std::env::var("HOME").ok()?;
    (access(home.as_str(), AccessFlags::W_OK | AccessFlags::X_OK) == Err(Errno::EACCES)).then_some(home)
}

/// Starts the daemon and waits until it is in charge.
fn start(store: &Store) -> Result<()> {
    let (mut ready, started) = std::io::pipe()?;
    let program = super::program(store.root(), "VBoxSVC");
    let mut first = Command::new(&program)
        .arg("--detach")
        .stdin(Stdio::null())
        .stdout(started)
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {}", program.display()))?;
    first.wait()?;
    // One byte when the daemon is in charge, or the end of the pipe when it died.
    ready.read_exact(&mut [0]).context("VBoxSVC did not come up")
}

/// The program. `--detach` is the stand-in's own: leave the caller's session, go on as a process of init's, end.
pub fn main(root: &Path, args: &[OsString]) -> Result<ExitCode> {
    if args.first().is_some_and(|arg| arg == "--detach") {
        setsid().context("leaving the caller's session")?;
        Command::new(super::program(root, "VBoxSVC"))
            .args(["--auto-shutdown", "--inherit-startup-pipe", "1"])
            .current_dir("/")
            .spawn()
            .context("going on in the background")?;
        return Ok(ExitCode::SUCCESS);
    }
    let terminated = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&terminated))?;
    let store = Store::mine(root)?;
    let me = Process::me();
    store.update(|registry| take_charge(registry, me))?;
    let mut stdout = std::io::stdout();
    // Nobody is listening where VBoxSVC was started by hand.
    let _ = stdout.write_all(b"1").and_then(|()| stdout.flush());
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdout(&null)?;

    let mut service = Service {
        settings: Settings::read(root),
        clients: open_shared(&store.clients_file())?,
        last_call: None,
        watch: Watch::new(&store),
        seen: Registry::default(),
        store,
        me,
        busy: Instant::now(),
        children: HashMap::new(),
        dead_since: HashMap::new(),
        terminating: None,
    };
    while !service.store.is_gone() {
        if terminated.load(Ordering::Relaxed) && service.terminating.is_none() {
            service.terminate()?;
        }
        if service.tick()? {
            break;
        }
        sleep(TICK);
    }
    Ok(ExitCode::SUCCESS)
}

/// What the new VBoxSVC finds in the settings files is all it knows: sessions of a former one are lost.
fn take_charge(registry: &mut Registry, me: Process) {
    let uuids: Vec<String> = registry.machines.iter().map(|machine| machine.uuid.clone()).collect();
    registry.server = Some(Server { process: me, terminating: false });
    for uuid in uuids {
        registry.change(&uuid, |machine| {
            machine.hold = None;
            machine.launch = None;
        });
    }
    registry.note(None, What::ServerStarted);
}

struct Service {
    store: Store,
    watch: Watch,
    /// The registry as it was when last looked at.
    seen: Registry,
    settings: Settings,
    me: Process,
    clients: File,
    last_call: Option<SystemTime>,
    /// When a client or a VM was last seen.
    busy: Instant,
    /// VM processes started for `startvm`.
    children: HashMap<i32, Child>,
    /// VM processes found dead: their machines are told so a little later.
    dead_since: HashMap<Process, Instant>,
    terminating: Option<Instant>,
}

impl Service {
    fn terminate(&mut self) -> Result<()> {
        self.terminating = Some(Instant::now());
        let me = self.me;
        self.store.update(|registry| {
            registry.server = Some(Server { process: me, terminating: true });
            registry.note(None, What::Signal { signal: SIGTERM });
        })
    }

    /// Looks after everything once. Says whether it is time to end.
    fn tick(&mut self) -> Result<bool> {
        if let Some(since) = self.terminating {
            return Ok(since.elapsed() >= self.settings.server_term_linger && self.leave(false)?);
        }
        if self.watch.changed() {
            self.seen = self.store.read()?;
        }
        let registry = std::mem::take(&mut self.seen);
        let is_over = self.look_after(&registry);
        self.seen = registry;
        is_over
    }

    fn look_after(&mut self, registry: &Registry) -> Result<bool> {
        if registry.server.is_none_or(|server| server.process != self.me) {
            return Ok(true);
        }
        self.reap_children()?;
        let mut vm_runs = false;
        for machine in &registry.machines {
            if let Some(hold) = &machine.hold
                && matches!(hold.by, Holder::Vm { .. })
                && hold.server == self.me
            {
                match hold.owner.is_alive() {
                    true => vm_runs = true,
                    false => self.notice_death(&machine.uuid, hold.owner)?,
                }
            }
            match &machine.launch {
                Some(launch) if launch.is_under_way() && launch.child.is_none() => self.launch(&machine.uuid)?,
                _ => {}
            }
        }
        if vm_runs || !self.children.is_empty() || self.has_clients()? {
            self.busy = Instant::now();
        }
        self.settings = Settings::read(self.store.root());
        Ok(self.busy.elapsed() >= self.settings.server_linger && self.leave(true)?)
    }

    fn has_clients(&mut self) -> Result<bool> {
        match self.clients.try_lock() {
            Ok(()) => self.clients.unlock()?,
            Err(std::fs::TryLockError::WouldBlock) => return Ok(true),
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        let last_call = self.clients.metadata()?.modified()?;
        Ok(self.last_call.replace(last_call) != Some(last_call))
    }

    /// Gives up being in charge, unless (`if_idle`) a client came at the last moment.
    fn leave(&mut self, if_idle: bool) -> Result<bool> {
        let (me, clients) = (self.me, &self.clients);
        self.store.update(|registry| {
            if if_idle && clients.try_lock().is_err() {
                return false;
            }
            if registry.server.is_some_and(|server| server.process == me) {
                registry.server = None;
            }
            registry.note(None, What::ServerEnded);
            true
        })
    }

    /// A VM process that is gone without having closed its session has aborted; VBoxSVC sees it a moment later.
    fn notice_death(&mut self, uuid: &str, owner: Process) -> Result<()> {
        let since = *self.dead_since.entry(owner).or_insert_with(Instant::now);
        if since.elapsed() < self.settings.abort_notice {
            return Ok(());
        }
        self.dead_since.remove(&owner);
        self.store.update(|registry| {
            registry.change(uuid, |machine| {
                let Some(hold) = machine.hold.take_if(|hold| hold.owner == owner) else { return };
                machine.copies.retain(|copy| *copy != owner);
                if let Holder::Vm { closing: false, word, .. } = hold.by {
                    machine.rest = match word.as_str() {
                        "restoring" => Rest::now("aborted-saved", machine.rest.state_file.take()),
                        _ => Rest::now("aborted", None),
                    };
                }
            });
        })
    }

    /// Starts the process that `startvm` waits for. The registry is locked meanwhile, so that the process finds itself
    /// named there.
    fn launch(&mut self, uuid: &str) -> Result<()> {
        let root = self.store.root().to_owned();
        let child = self.store.update(|registry| {
            let machine = registry.machine_mut(uuid)?;
            let name = machine.spec.name.clone();
            let launch = machine.launch.as_mut().filter(|launch| launch.is_under_way() && launch.child.is_none())?;
            match vm_command(&root, uuid, &name, launch).spawn() {
                Ok(child) => {
                    launch.child = Process::of(child.id() as i32);
                    Some(child)
                }
                Err(_) => {
                    launch.outcome = Some(Outcome::Failed(texts::could_not_launch(&name)));
                    None
                }
            }
        })?;
        self.children.extend(child.map(|child| (child.id() as i32, child)));
        Ok(())
    }

    /// Collects ended VM processes; one that ended before its start was decided has failed.
    fn reap_children(&mut self) -> Result<()> {
        let mut ended = Vec::new();
        for (pid, child) in &mut self.children {
            if let Some(status) = child.try_wait()? {
                ended.push((*pid, status));
            }
        }
        for (pid, status) in ended {
            self.children.remove(&pid);
            self.store.update(|registry| {
                for machine in &mut registry.machines {
                    let name = &machine.spec.name;
                    if let Some(launch) = &mut machine.launch
                        && launch.child.is_some_and(|child| child.pid == pid)
                    {
                        launch.outcome.get_or_insert_with(|| {
                            Outcome::Failed(texts::terminated_during_startup(name, status.code(), status.signal()))
                        });
                    }
                }
            })?;
        }
        Ok(())
    }
}

fn vm_command(root: &Path, uuid: &str, name: &str, launch: &Launch) -> Command {
    let mut command = Command::new(super::program(root, launch.frontend.program()));
    command.args(["--comment", name, "--startvm", uuid]);
    match launch.frontend {
        Frontend::Headless => command.args(["--vrde", "config"]),
        Frontend::Gui => command.arg("--no-startvm-errormsgbox"),
    };
    for (variable, value) in [("DISPLAY", &launch.display), ("XAUTHORITY", &launch.xauthority)] {
        match value {
            Some(value) => command.env(variable, value),
            None => command.env_remove(variable),
        };
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Marks a machine's session as wedged, as a process does that leaves without closing it.
pub(super) fn wedge(registry: &mut Registry, uuid: &str, server: Process, owner: Process) {
    registry.change(uuid, |machine| {
        machine.copies.retain(|copy| *copy != owner);
        machine.hold = Some(Hold { owner, server, by: Holder::Wedged { since_ms: now_ms() } });
    });
}
