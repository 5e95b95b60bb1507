//! A guest that has booted, as a target: steps run on its console or over ssh, its zone is made, it can be rebooted.
//!
//! What differs from one system to the next is in its profile.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use thiserror::Error;

use super::accel::Accel;
use super::clean::Cleaner;
use super::console::{Console, ConsoleError};
use super::disk::Files;
use super::login::log_in;
use super::machine::{Hardware, Machine, MachineError};
use super::migration::{self, MigrationError, Sum};
use super::profile::{Preparation, Profile};
use super::session::{FOLDER, Session, SessionError};
use super::snapshot::Found;
use super::ssh::{Connection, Ssh};
use super::unpack;
use super::watch::Watch;
use crate::smoke::clock::SystemClock;
use crate::smoke::engine::Clock;
use crate::smoke::target::{
    Command, Evidence, Feature, Nature, Place, Ran, Target, TargetError, by_zlogin, quoted_line,
};
use crate::smoke::zone::{self, MARK as MARK_OF_BOOT};

/// Between a prompt and the next one of a log-in.
const ANSWER: Duration = Duration::from_secs(60);
const GAP: Duration = Duration::from_secs(1);
/// What a machine is told that waits for the state of another one.
const WAITING: [&str; 3] = ["-S", "-incoming", "defer"];
/// A guest that goes on needs no boot to let somebody in.
const RESUMED: Duration = Duration::from_secs(120);
/// Setting its clock.
const SET: Duration = Duration::from_secs(20);
/// Unpacking the packages, and giving the zone its own copies.
const UNPACK: Duration = Duration::from_secs(120);
/// So many times, one after the other, ssh must let somebody in: the first time a host's key may be about to change.
const TIMES: u32 = 3;
/// How much of the console's log goes with a failure.
const LOG_SHOWN: usize = 64 * 1024;
/// The file, in a run's folder, that holds all that came from the console.
pub const CONSOLE_LOG: &str = "console.log";

#[derive(Debug, Error)]
pub enum BootError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error(transparent)]
    Migration(#[from] MigrationError),
    #[error("{stage}: {source}")]
    Console { stage: &'static str, source: Box<SessionError>, screen: String },
    #[error("no way in by ssh: {0}")]
    Ssh(String),
    #[error("{command}: {reason}")]
    Preparation { command: String, reason: String, screen: String },
}

impl BootError {
    /// What the console showed at last.
    pub fn screen(&self) -> &str {
        match self {
            BootError::Machine(_) | BootError::Migration(_) | BootError::Ssh(_) => "",
            BootError::Console { screen, .. } | BootError::Preparation { screen, .. } => screen,
        }
    }
}

/// Everything that a guest is started with.
pub struct Start<'a> {
    pub qemu: &'a Path,
    pub profile: &'a Profile,
    pub hardware: &'a Hardware,
    /// The way in, where it is not the console.
    pub ssh: Option<Ssh>,
    /// The run's own: sockets, logs, disks.
    pub folder: &'a Path,
    /// It outlives this program.
    pub keep: bool,
    /// Told what is going on.
    pub tell: &'a mut dyn FnMut(&str),
}

/// How one gets in.
enum Way {
    Console,
    /// What is up of it now goes with the session, and nobody works on the console.
    Ssh {
        ssh: Box<Ssh>,
        watch: Watch,
        connection: Option<Connection>,
    },
}

pub struct Guest {
    profile: Profile,
    machine: Machine,
    folder: PathBuf,
    /// Away only while the guest reboots, and for good when that failed.
    session: Option<Session>,
    way: Way,
    patience: u32,
    log: PathBuf,
    clock: SystemClock,
}

impl Guest {
    /// Boots, logs in, and makes of it what steps take: it is up as a snapshot of it would be.
    pub fn boot(start: Start) -> Result<Guest, BootError> {
        let Start { qemu, profile, hardware, ssh, folder, keep, tell } = start;
        let patience = profile.machine.patience.with(hardware.accel);
        let (mut machine, stream) = Machine::start(qemu, hardware, folder)?;
        if keep {
            // One that never comes up is what somebody wants to look at.
            machine.keep();
        }
        tell(&format!("booting, by {}", hardware.accel.word()));
        let console = console(stream, folder, profile)?;
        let clock = SystemClock::start();
        let (session, way) = match ssh {
            None => (open(console, profile, patience)?, Way::Console),
            Some(ssh) => by_ssh(ssh, console, &clock, profile.console.boot * patience, patience)?,
        };
        let mut guest = Guest::of(profile, machine, folder, session, way, patience);
        tell("logged in");
        for preparation in profile.shell.prepare.clone() {
            guest.prepare(&preparation)?;
        }
        for preparation in profile.zone.iter().flat_map(|zone| zone.create.clone()) {
            guest.prepare(&preparation)?;
        }
        guest.prepare(&profile.shell.ready)?;
        tell("its services are up");
        Ok(guest)
    }

    /// Goes on with a guest where a snapshot was taken of it: nothing boots.
    pub fn resume(start: Start, snapshot: &Found) -> Result<Guest, BootError> {
        let Start { qemu, profile, hardware, ssh, folder, keep, tell: _ } = start;
        let patience = profile.machine.patience.with(hardware.accel);
        let mut waiting = hardware.clone();
        waiting.arguments.extend(WAITING.map(String::from));
        let (mut machine, stream) = Machine::start(qemu, &waiting, folder)?;
        let console = console(stream, folder, profile)?;
        migration::load(&mut machine.qmp, folder, &snapshot.state(), &snapshot.about.state)?;
        machine.qmp.execute("cont", json!({})).map_err(MachineError::from)?;
        let clock = SystemClock::start();
        let (session, way) = match ssh {
            None => (Session::again(console, FOLDER, patience).map_err(|error| at("the shell", error))?, Way::Console),
            Some(ssh) => by_ssh(ssh, console, &clock, RESUMED * patience, patience)?,
        };
        let mut guest = Guest::of(profile, machine, folder, session, way, patience);
        // Its own clock stood still.
        let now = jiff::Timestamp::now().strftime("%m%d%H%M%Y.%S").to_string();
        guest.prepare(&Preparation {
            run: ["date", "-u", now.as_str()].map(String::from).into(),
            bound: SET,
            poll: false,
        })?;
        for preparation in profile.shell.resumed.clone() {
            guest.prepare(&preparation)?;
        }
        guest.prepare(&profile.shell.ready)?;
        if keep {
            guest.machine.keep();
        }
        Ok(guest)
    }

    fn of(profile: &Profile, machine: Machine, folder: &Path, session: Session, way: Way, patience: u32) -> Guest {
        let (profile, folder, log) = (profile.clone(), folder.to_path_buf(), folder.join(CONSOLE_LOG));
        Guest { profile, machine, folder, session: Some(session), way, patience, log, clock: SystemClock::start() }
    }

    /// Fetches the packages from their disk.
    pub fn unpack(&mut self, files: &Files) -> Result<(), BootError> {
        self.prepare(&Preparation { run: unpack::command(&self.profile, files), bound: UNPACK, poll: false })
    }

    /// Halts the guest and writes its state, without the disk. It is of no more use then, unless this fails: see `thaw`.
    pub fn freeze(&mut self, state: &Path) -> Result<Sum, MigrationError> {
        if let Way::Ssh { connection, .. } = &mut self.way {
            // Somebody who is connected would still be in it when it goes on.
            (self.session, *connection) = (None, None);
        }
        migration::save(&mut self.machine.qmp, &self.folder, state)
    }

    /// Has a guest go on that could not be frozen.
    pub fn thaw(&mut self) -> Result<(), BootError> {
        self.machine.qmp.execute("cont", json!({})).map_err(MachineError::from)?;
        if let Way::Ssh { ssh, watch, connection } = &mut self.way {
            let (session, new) = let_in(ssh, watch, &self.clock, RESUMED * self.patience, self.patience)?;
            (self.session, *connection) = (Some(session), Some(new));
        }
        Ok(())
    }

    fn prepare(&mut self, preparation: &Preparation) -> Result<(), BootError> {
        let command = Command { words: preparation.run.clone(), stdin: String::new() };
        let limit = preparation.bound * self.patience;
        let until = self.clock.now() + limit;
        loop {
            let reason = match self.run(Place::Global, &command, limit) {
                Ok(ran) if ran.status == 0 => return Ok(()),
                Ok(ran) => format!("exit code {}: {}{}", ran.status, ran.stdout, ran.stderr).trim().to_string(),
                Err(error) => error.to_string(),
            };
            if !preparation.poll || self.session.is_none() || self.clock.now() >= until {
                let command = quoted_line(&preparation.run);
                return Err(BootError::Preparation { command, reason, screen: self.screen() });
            }
            self.clock.sleep(GAP);
        }
    }

    fn screen(&mut self) -> String {
        self.session.as_mut().map(|session| session.console().screen()).unwrap_or_default()
    }

    fn in_global(&mut self, command: &Command, limit: Duration) -> Result<Ran, TargetError> {
        let session = self.session.as_mut().ok_or_else(|| TargetError::Lost("nobody is logged in".to_string()))?;
        session.run(&command.words, command.stdin.as_bytes(), limit).map_err(target_error)
    }

    fn reboot_all(&mut self, limit: Duration) -> Result<(), TargetError> {
        if matches!(self.way, Way::Ssh { .. }) {
            // Until it goes down it lets people in: the mark, which is in memory, tells that boot from the next one.
            let marked = self.in_global(&Command::new(["touch", MARK_OF_BOOT]), limit)?;
            if marked.status != 0 {
                return Err(TargetError::Failed(format!("cannot write {MARK_OF_BOOT}: {}", marked.stderr.trim())));
            }
        }
        let mut session = self.session.take().ok_or_else(|| TargetError::Lost("nobody is logged in".to_string()))?;
        session.leave(&self.profile.shell.reboot).map_err(target_error)?;
        let lost = |error: BootError| TargetError::Lost(error.to_string());
        self.session = Some(match &mut self.way {
            Way::Console => {
                let mut profile = self.profile.clone();
                profile.console.boot = limit / self.patience;
                open(session.into_console(), &profile, self.patience).map_err(lost)?
            }
            Way::Ssh { ssh, watch, connection } => {
                let (session, new) = let_in(ssh, watch, &self.clock, limit, self.patience).map_err(lost)?;
                *connection = Some(new);
                session
            }
        });
        let ready = self.profile.shell.ready.clone();
        self.prepare(&ready).map_err(lost)
    }

    /// Ends it, even where it was to be kept.
    pub fn end(mut self) {
        self.machine.keep_no_more();
    }

    /// Makes of the shell on the console one that a person can use.
    pub fn leave_to_a_person(&mut self) {
        if let (Way::Console, Some(session)) = (&self.way, &mut self.session) {
            // A console that is closed is no loss to somebody who cannot use it.
            let _ = session.console().write("stty sane; PS1='# '; PS2='> '\n");
        }
    }
}

fn at(stage: &'static str, error: impl Into<SessionError>) -> BootError {
    BootError::Console { stage, source: Box::new(error.into()), screen: String::new() }
}

/// The console of a machine that has just been started, logged from its first byte on.
fn console(stream: UnixStream, folder: &Path, profile: &Profile) -> Result<Console, BootError> {
    let log = folder.join(CONSOLE_LOG);
    Console::new(stream, &log, profile.console.crash.clone()).map_err(|error| at("console", error))
}

/// The way in over ssh; nobody works on the console.
fn by_ssh(
    ssh: Ssh,
    console: Console,
    clock: &dyn Clock,
    limit: Duration,
    patience: u32,
) -> Result<(Session, Way), BootError> {
    let watch = Watch::start(console);
    let (session, connection) = let_in(&ssh, &watch, clock, limit, patience)?;
    Ok((session, Way::Ssh { ssh: Box::new(ssh), watch, connection: Some(connection) }))
}

fn open(mut console: Console, profile: &Profile, patience: u32) -> Result<Session, BootError> {
    let data = &profile.console;
    if let Err(error) = log_in(&mut console, &data.login, data.boot * patience, ANSWER * patience) {
        let screen = console.screen();
        let stage = match error {
            ConsoleError::TimedOut { .. } => "the log-in did not get on",
            _ => "the log-in failed",
        };
        return Err(BootError::Console { stage, source: Box::new(error.into()), screen });
    }
    Session::open(console, FOLDER, patience).map_err(|error| at("the shell", error))
}

/// Waits until ssh lets somebody into this boot of the guest, and opens a session.
fn let_in(
    ssh: &Ssh,
    watch: &Watch,
    clock: &dyn Clock,
    limit: Duration,
    patience: u32,
) -> Result<(Session, Connection), BootError> {
    let (until, mut times) = (clock.now() + limit, 0);
    let line = format!("test ! -f {MARK_OF_BOOT}");
    while times < TIMES {
        if let Some(why) = watch.over() {
            return Err(BootError::Ssh(why.to_string()));
        }
        times = if ssh.succeeds(&line).map_err(ssh_failed)? { times + 1 } else { 0 };
        if clock.now() >= until {
            let said = ssh.folder.join("ssh-errors.log");
            let reason =
                format!("nobody was let in within {} s; what ssh says is in {}", limit.as_secs(), said.display());
            return Err(BootError::Ssh(reason));
        }
        clock.sleep(GAP);
    }
    let (connection, stream) = ssh.connect().map_err(ssh_failed)?;
    let console = Console::new(stream, &ssh.folder.join("ssh.log"), Vec::new()).map_err(|error| at("ssh", error))?;
    let session = Session::open(console, FOLDER, patience).map_err(|error| at("the shell", error))?;
    Ok((session, connection))
}

fn ssh_failed(error: std::io::Error) -> BootError {
    BootError::Ssh(format!("{error}; ssh(1) must be installed (Debian: apt-get install openssh-client)"))
}

fn target_error(error: SessionError) -> TargetError {
    match error {
        SessionError::TimedOut { limit, stdout, stderr } => TargetError::TimedOut { limit, stdout, stderr },
        other => TargetError::Lost(other.to_string()),
    }
}

impl Target for Guest {
    fn name(&self) -> &str {
        &self.profile.name
    }

    fn nature(&self) -> Nature {
        self.profile.nature
    }

    fn has(&self, feature: Feature) -> bool {
        self.profile.features.contains(&feature)
    }

    fn patience(&self) -> u32 {
        self.patience
    }

    fn run(&mut self, place: Place, command: &Command, limit: Duration) -> Result<Ran, TargetError> {
        match place {
            Place::Global => self.in_global(command, limit),
            Place::Local => self.in_global(&by_zlogin(command), limit),
        }
    }

    fn reboot(&mut self, place: Place, limit: Duration) -> Result<(), TargetError> {
        match place {
            Place::Global => self.reboot_all(limit),
            Place::Local => {
                let clock = SystemClock::start();
                zone::reboot(&mut |command, limit| self.in_global(command, limit), &clock, limit)
            }
        }
    }

    fn console(&mut self) -> Vec<Evidence> {
        shown(&self.log.clone(), &self.screen())
    }
}

/// The end of a console's log, and its last screen where there is one.
pub fn shown(log: &Path, screen: &str) -> Vec<Evidence> {
    let log = std::fs::read(log).unwrap_or_default();
    let log = Cleaner::default().feed(log.get(log.len().saturating_sub(LOG_SHOWN)..).unwrap_or_default());
    let evidence = |name: &str, text: &str| Evidence { name: name.to_string(), text: text.to_string() };
    let both = [evidence("console log", &log), evidence("last screen", screen)];
    both.into_iter().filter(|evidence| !evidence.text.is_empty()).collect()
}

/// How a guest is told of, for people.
pub fn described(profile: &Profile, accel: Accel) -> String {
    format!("{} ({}, by {})", profile.title, profile.nature.told(), accel.word())
}
