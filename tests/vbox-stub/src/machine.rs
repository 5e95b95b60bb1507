//! The machines of one user: a folder each, named by its UUID.
//!
//! A VM process holds the lock of its machine for as long as it lives, whoever started it. So a machine that is noted as
//! live and whose lock is free has lost its process: it is `aborted`.

use std::env;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use nix::unistd::{User, getuid};

const PATIENCE: Duration = Duration::from_millis(10);
/// Questions hold the lock for a moment, and a process that ends a little longer.
const TRIES: u32 = 50;

/// What a machine is noted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    PoweredOff,
    Saved,
    Aborted,
    Running,
    Paused,
}

impl State {
    pub const ALL: [State; 5] = [State::PoweredOff, State::Saved, State::Aborted, State::Running, State::Paused];

    /// As `showvminfo --machinereadable` has it.
    pub fn word(self) -> &'static str {
        match self {
            State::PoweredOff => "poweroff",
            State::Saved => "saved",
            State::Aborted => "aborted",
            State::Running => "running",
            State::Paused => "paused",
        }
    }

    /// As `list -l` has it.
    pub fn for_people(self) -> &'static str {
        match self {
            State::PoweredOff => "powered off",
            other => other.word(),
        }
    }

    /// A process is behind it.
    pub fn is_live(self) -> bool {
        matches!(self, State::Running | State::Paused)
    }

    fn parse(word: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// The folder with all machines.
pub struct Registry {
    folder: PathBuf,
}

/// A machine as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    folder: PathBuf,
    pub uuid: String,
    pub name: String,
    pub state: State,
    /// When that state was reached: UTC without a zone, to the nanosecond.
    pub since: String,
    /// The VM process, while there is one.
    pub pid: Option<i32>,
}

impl Registry {
    pub fn mine() -> Result<Registry> {
        let home = match env::var_os("VBOX_USER_HOME") {
            Some(home) => PathBuf::from(home),
            None => home()?.join(".config/VirtualBox"),
        };
        let folder = home.join("stub-machines");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Registry { folder })
    }

    /// All machines, in the order of their names.
    pub fn machines(&self) -> Result<Vec<Machine>> {
        let mut machines = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            // One that is being made or removed is not there yet, or any more.
            if let Some(machine) = Machine::read(&entry?.path())? {
                machines.push(machine);
            }
        }
        machines.sort_by(|a, b| (&a.name, &a.uuid).cmp(&(&b.name, &b.uuid)));
        Ok(machines)
    }

    /// The machine of this UUID, else of this name.
    pub fn find(&self, asked: &str) -> Result<Option<Machine>> {
        let bare = asked.trim_start_matches('{').trim_end_matches('}').to_ascii_lowercase();
        // Without a look at all others: there may be a thousand.
        if is_uuid(&bare)
            && let Some(machine) = Machine::read(&self.folder.join(bare))?
        {
            return Ok(Some(machine));
        }
        Ok(self.machines()?.into_iter().find(|machine| machine.name == asked))
    }

    pub fn create(&self, name: &str, uuid: Option<&str>) -> Result<Machine> {
        ensure!(!name.is_empty() && !name.contains(char::is_control), "a machine needs a name of one line");
        let uuid = match uuid {
            Some(given) => given.to_ascii_lowercase(),
            None => random_uuid()?,
        };
        ensure!(is_uuid(&uuid), "{uuid} is no UUID");
        let folder = self.folder.join(&uuid);
        fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        File::create(folder.join("lock"))?;
        let state = State::PoweredOff;
        let mut machine = Machine { folder, uuid, name: name.to_owned(), state, since: String::new(), pid: None };
        fs::write(machine.settings_file(), "A stub's machine: its settings are in the file beside this one.\n")?;
        machine.note(state, None)?;
        Ok(machine)
    }
}

impl Machine {
    fn read(folder: &Path) -> Result<Option<Machine>> {
        let Some(mut machine) = Machine::noted(folder)? else { return Ok(None) };
        if machine.state.is_live() && !machine.is_held()? {
            // What a process notes at its end, it notes before it lets go of the lock: only now it is sure to be read.
            let Some(at_last) = Machine::noted(folder)? else { return Ok(None) };
            let is_the_same = at_last == machine;
            machine = at_last;
            if is_the_same {
                machine.note(State::Aborted, None)?;
            }
        }
        Ok(Some(machine))
    }

    /// The machine as it was noted last.
    fn noted(folder: &Path) -> Result<Option<Machine>> {
        let text = match fs::read_to_string(folder.join("machine")) {
            Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => {
                return Ok(None);
            }
            text => text.with_context(|| format!("cannot read {}", folder.display()))?,
        };
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        let state = value("state").and_then(State::parse);
        let (Some(name), Some(state), Some(since)) = (value("name"), state, value("since")) else {
            bail!("{} is no machine of the stub", folder.display());
        };
        Ok(Some(Machine {
            folder: folder.to_owned(),
            uuid: folder.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned(),
            name: name.to_owned(),
            state,
            since: since.to_owned(),
            pid: value("pid").and_then(|pid| pid.parse().ok()),
        }))
    }

    /// Notes a state, whole or not at all.
    pub fn note(&mut self, state: State, pid: Option<i32>) -> Result<()> {
        (self.state, self.pid) = (state, pid);
        self.since = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%9f").to_string();
        let mut text = format!("name={}\nstate={}\nsince={}\n", self.name, state.word(), self.since);
        if let Some(pid) = pid {
            text.push_str(&format!("pid={pid}\n"));
        }
        self.write("machine", &text)
    }

    /// Takes the lock that a VM process holds, or tells that another has it.
    pub fn hold(&self) -> Result<Option<File>> {
        let lock = OpenOptions::new().read(true).write(true).open(self.folder.join("lock"))?;
        for _ in 0..TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(Some(lock)),
                Err(TryLockError::WouldBlock) => sleep(PATIENCE),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Whether a VM process has the lock.
    pub fn is_held(&self) -> Result<bool> {
        match File::open(self.folder.join("lock"))?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Leaves a word for the VM process, which is to be woken then.
    pub fn order(&self, verb: &str) -> Result<()> {
        self.write("order", verb)
    }

    /// The word that was left, once.
    pub fn take_order(&self) -> Option<String> {
        let path = self.folder.join("order");
        let verb = fs::read_to_string(&path).ok()?;
        fs::remove_file(&path).ok()?;
        Some(verb)
    }

    /// Whether an order still waits to be taken.
    pub fn has_order(&self) -> bool {
        self.folder.join("order").exists()
    }

    /// The machine as it is now.
    pub fn again(&self) -> Result<Machine> {
        Machine::read(&self.folder)?.with_context(|| format!("the machine {} is gone", self.name))
    }

    pub fn remove(self) -> Result<()> {
        Ok(fs::remove_dir_all(&self.folder)?)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn settings_file(&self) -> PathBuf {
        self.folder.join(format!("{}.vbox", self.stem()))
    }

    /// The name as files bear it.
    pub fn stem(&self) -> String {
        self.name.replace('/', "_")
    }

    /// What a saved machine would be restored from.
    pub fn state_file(&self) -> PathBuf {
        self.folder.join("Snapshots/saved.sav")
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let new = self.folder.join(format!(".{name}.{}", std::process::id()));
        let path = self.folder.join(name);
        let written = File::create(&new).and_then(|mut file| file.write_all(text.as_bytes()));
        written.and_then(|()| fs::rename(&new, &path)).with_context(|| format!("cannot write {}", path.display()))
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

fn home() -> Result<PathBuf> {
    match env::var_os("HOME") {
        Some(home) if !home.is_empty() => Ok(home.into()),
        _ => Ok(User::from_uid(getuid())?.context("this user has no home")?.dir),
    }
}

fn random_uuid() -> Result<String> {
    let mut bytes = [0u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    // Version 4, variant 1.
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}
