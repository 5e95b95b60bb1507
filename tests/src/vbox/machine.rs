//! A machine as VirtualBox sees it: what its settings file says, who holds its session, what is asked of its process.
//!
//! Two layers, as in the real thing. `Rest` is the settings file: it outlives VBoxSVC and never says `running`. `Hold`
//! is VBoxSVC's memory: it counts only while the VBoxSVC that it names lives, so a new VBoxSVC falls back on `Rest`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::events::{What, now_ms};
use super::process::Process;
use super::spec::Spec;

/// All machines of one user, and the VBoxSVC that serves them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Registry {
    pub machines: Vec<Machine>,
    pub server: Option<Server>,
    pub orders: Vec<Order>,
    pub next_order: u64,
    /// Events to log with the change.
    #[serde(skip)]
    notes: Vec<(Option<String>, What)>,
}

/// The VBoxSVC in charge. Its process is also its incarnation's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub process: Process,
    /// It got SIGTERM: it lingers, and fails every call.
    pub terminating: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Machine {
    pub uuid: String,
    pub spec: Spec,
    pub folder: PathBuf,
    pub rest: Rest,
    pub hold: Option<Hold>,
    pub launch: Option<Launch>,
    /// Processes that run this machine's guest, whether VirtualBox knows of them or not.
    pub copies: Vec<Process>,
    /// A state word that VirtualBox is made to say instead of its own.
    pub forced: Option<String>,
    /// The settings file is missing or broken.
    pub inaccessible: bool,
}

/// What the settings file says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Rest {
    pub word: String,
    pub since_ms: u64,
    pub state_file: Option<PathBuf>,
}

/// The session lock of a machine.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hold {
    pub owner: Process,
    pub server: Process,
    pub by: Holder,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Holder {
    /// A process that runs the VM. `closing`: the state word is at rest again, the process is not yet gone.
    Vm { frontend: Frontend, word: String, since_ms: u64, closing: bool },
    /// A VBoxManage that reads or changes the settings.
    Client,
    /// Nobody any more: the process left without closing its session, and VBoxSVC cannot get over it.
    Wedged { since_ms: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frontend {
    Headless,
    Gui,
}

impl Frontend {
    /// The session name that VirtualBox shows.
    pub fn session_name(self) -> &'static str {
        match self {
            Self::Headless => "headless",
            Self::Gui => "GUI/Qt",
        }
    }

    pub fn program(self) -> &'static str {
        match self {
            Self::Headless => "VBoxHeadless",
            Self::Gui => "VirtualBoxVM",
        }
    }
}

/// A wish of `VBoxManage startvm`: VBoxSVC starts the process, which reports how it went.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Launch {
    pub frontend: Frontend,
    pub by: Process,
    pub display: Option<String>,
    pub xauthority: Option<String>,
    pub child: Option<Process>,
    pub outcome: Option<Outcome>,
}

impl Launch {
    /// Whether it holds the machine's lock: somebody still waits for it, or the process is on its way.
    pub fn is_under_way(&self) -> bool {
        self.outcome.is_none() && self.child.map_or_else(|| self.by.is_alive(), Process::is_alive)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    Up,
    /// The error lines that VBoxManage prints.
    Failed(String),
}

/// Something a VM process is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Order {
    pub id: u64,
    pub from: Process,
    pub to: Process,
    pub verb: Verb,
    pub answer: Option<Answer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    /// `showvminfo` asks the process for the details of its session.
    Ask,
    PowerButton,
    SleepButton,
    PowerOff,
    Save,
    Reset,
    Pause,
    Resume,
    /// The guest shuts down by itself.
    GuestOff,
    /// The VM pauses by itself, as it does when the host's disk is full.
    GuestPause,
    /// The VM gets stuck.
    Guru,
    /// The user closes the window and chooses to save the state.
    Close,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    Done,
    /// Refused with a COM error of this message.
    Refused(String),
    /// Refused with a bare message.
    RefusedPlainly(String),
}

impl Registry {
    pub fn machine(&self, uuid: &str) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.uuid == uuid)
    }

    pub fn machine_mut(&mut self, uuid: &str) -> Option<&mut Machine> {
        self.machines.iter_mut().find(|machine| machine.uuid == uuid)
    }

    /// The machine that VirtualBox finds by this name: by UUID where it looks like one (braces allowed), else the first
    /// accessible one so called.
    pub fn find(&self, name: &str) -> Option<&Machine> {
        match as_uuid(name) {
            Some(uuid) => self.machine(&uuid),
            None => self.machines.iter().find(|machine| machine.spec.name == name && !machine.inaccessible),
        }
    }

    /// The VBoxSVC in charge, if it lives.
    pub fn live_server(&self) -> Option<Server> {
        self.server.filter(|server| server.process.is_alive())
    }

    /// The session lock as the living VBoxSVC knows it. A client's lock goes with the client; a VM process's stays until
    /// VBoxSVC notices its death.
    pub fn hold<'a>(&self, machine: &'a Machine) -> Option<&'a Hold> {
        let server = self.live_server()?.process;
        machine
            .hold
            .as_ref()
            .filter(|hold| hold.server == server && (!matches!(hold.by, Holder::Client) || hold.owner.is_alive()))
    }

    /// Whether a session lock, or a start under way, keeps others from locking the machine.
    pub fn is_locked(&self, machine: &Machine) -> bool {
        self.hold(machine).is_some() || machine.launch.as_ref().is_some_and(Launch::is_under_way)
    }

    /// VirtualBox's state word for the machine, and since when.
    pub fn word<'a>(&self, machine: &'a Machine) -> (&'a str, u64) {
        let (word, since) = match self.hold(machine).map(|hold| &hold.by) {
            Some(Holder::Vm { closing: false, word, since_ms, .. }) => (word.as_str(), *since_ms),
            Some(Holder::Wedged { since_ms }) => ("stopping", *since_ms),
            _ => (machine.rest.word.as_str(), machine.rest.since_ms),
        };
        (machine.forced.as_deref().unwrap_or(word), since)
    }

    /// Gives an order to a process; its answer comes by the number returned.
    pub fn order(&mut self, to: Process, verb: Verb) -> u64 {
        self.next_order += 1;
        let id = self.next_order;
        // Some askers were killed before they read the answer.
        self.orders.retain(|order| order.from.is_alive());
        self.orders.push(Order { id, from: Process::me(), to, verb, answer: None });
        id
    }

    /// Logs an event with the change.
    pub fn note(&mut self, vm: Option<&str>, what: What) {
        self.notes.push((vm.map(str::to_owned), what));
    }

    pub(super) fn take_notes(&mut self) -> Vec<(Option<String>, What)> {
        std::mem::take(&mut self.notes)
    }

    /// Changes the machine and logs the change of its state word, if it is one.
    pub fn change(&mut self, uuid: &str, change: impl FnOnce(&mut Machine)) {
        let word = |registry: &Self| registry.machine(uuid).map(|machine| registry.word(machine).0.to_owned());
        let from = word(self);
        if let Some(machine) = self.machine_mut(uuid) {
            change(machine);
        }
        let to = word(self);
        if let (Some(from), Some(to)) = (from, to)
            && from != to
        {
            self.note(Some(uuid), What::State { from, to });
        }
    }
}

impl Machine {
    pub fn new(uuid: String, spec: Spec, folder: PathBuf) -> Self {
        Self {
            uuid,
            spec,
            folder,
            rest: Rest::now("poweroff", None),
            hold: None,
            launch: None,
            copies: Vec::new(),
            forced: None,
            inaccessible: false,
        }
    }

    /// The file name that VirtualBox makes of the machine's name: what could hurt becomes an underscore.
    pub fn file_stem(&self) -> String {
        file_stem(&self.spec.name)
    }
}

impl Rest {
    pub fn now(word: &str, state_file: Option<PathBuf>) -> Self {
        Self { word: word.to_owned(), since_ms: now_ms(), state_file }
    }

    /// Whether a start resumes from a saved state.
    pub fn is_saved(&self) -> bool {
        matches!(self.word.as_str(), "saved" | "aborted-saved")
    }
}

/// The canonical form of a UUID, with or without braces.
pub fn as_uuid(text: &str) -> Option<String> {
    let bare = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    let shaped = bare.len() == 36
        && bare.char_indices().all(|(at, c)| match at {
            8 | 13 | 18 | 23 => c == '-',
            _ => c.is_ascii_hexdigit(),
        });
    shaped.then(|| bare.to_ascii_lowercase())
}

/// See [`Machine::file_stem`]. Recorded: `a/b` is `a_b`, `-dash2` is `_dash2`, a blank stays except at either end, an
/// emoji (4 bytes) becomes 4 underscores while other letters stay.
pub fn file_stem(name: &str) -> String {
    let last = name.chars().count().saturating_sub(1);
    let mut stem = String::new();
    for (at, c) in name.chars().enumerate() {
        let edge = at == 0 || at == last;
        match c {
            ' ' if !edge => stem.push(c),
            '-' if at != 0 => stem.push(c),
            _ if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ',' | '(' | ')' | '[' | ']' | '@' | '+') => {
                stem.push(c);
            }
            _ if !c.is_ascii() && c.len_utf8() < 4 => stem.push(c),
            _ => stem.extend(std::iter::repeat_n('_', c.len_utf8())),
        }
    }
    stem
}

/// The words of `State:` in human output.
pub fn human_word(word: &str) -> &str {
    match word {
        "poweroff" => "powered off",
        "gurumeditation" => "guru meditation",
        "livesnapshotting" => "live snapshotting",
        "teleportingpausedvm" => "teleporting paused vm",
        "teleportingin" => "teleporting (incoming)",
        "deletingsnapshotlive" => "deleting snapshot live",
        "deletingsnapshotlivepaused" => "deleting snapshot live paused",
        "onlinesnapshotting" => "online snapshotting",
        "restoringsnapshot" => "restoring snapshot",
        "deletingsnapshot" => "deleting snapshot",
        "settingup" => "setting up",
        "snapshotting" => "offline snapshotting",
        other => other,
    }
}

/// The words of error messages (`Invalid machine state: Paused`).
pub fn api_word(word: &str) -> String {
    match word {
        "poweroff" => "PoweredOff".to_owned(),
        "gurumeditation" => "GuruMeditation".to_owned(),
        "aborted-saved" => "AbortedSaved".to_owned(),
        other => {
            let mut chars = other.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        }
    }
}

/// Whether `list runningvms` lists a machine in this state: not every state with a living process is among them.
pub fn is_listed_as_running(word: &str) -> bool {
    matches!(word, "running" | "paused" | "livesnapshotting")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry(word: &str) -> Registry {
        let me = Process::me();
        let mut machine = Machine::new("u".into(), Spec::named("v"), "/v".into());
        let by = Holder::Vm { frontend: Frontend::Headless, word: word.into(), since_ms: 1, closing: false };
        machine.hold = Some(Hold { owner: me, server: me, by });
        Registry {
            machines: vec![machine],
            server: Some(Server { process: me, terminating: false }),
            ..Registry::default()
        }
    }

    #[test]
    fn a_session_counts_only_for_the_server_that_knows_it() {
        let mut registry = registry("running");
        assert_eq!(registry.word(&registry.machines[0]).0, "running");
        registry.machines[0].hold.as_mut().unwrap().server.started += 1;
        assert_eq!(registry.word(&registry.machines[0]).0, "poweroff");
        assert!(!registry.is_locked(&registry.machines[0]));
    }

    #[test]
    fn a_closing_session_has_the_word_of_rest_and_still_locks() {
        let mut registry = registry("running");
        if let Some(Hold { by: Holder::Vm { closing, .. }, .. }) = &mut registry.machines[0].hold {
            *closing = true;
        }
        assert_eq!(registry.word(&registry.machines[0]).0, "poweroff");
        assert!(registry.is_locked(&registry.machines[0]));
    }

    #[test]
    fn a_name_that_looks_like_a_uuid_means_the_machine_with_that_uuid() {
        let mut registry = registry("running");
        registry.machines[0].uuid = "b5fb516d-16e5-4c70-863f-540c98e423cd".into();
        let mut decoy = registry.machines[0].clone();
        decoy.uuid = "c5b31f30-9cc5-4f9d-98fc-a5ae324565aa".into();
        decoy.spec.name = "{b5fb516d-16e5-4c70-863f-540c98e423cd}".into();
        registry.machines.push(decoy);
        assert_eq!(registry.find("{b5fb516d-16e5-4c70-863f-540c98e423cd}").unwrap().spec.name, "v");
        assert_eq!(registry.find("B5FB516D-16E5-4C70-863F-540C98E423CD").unwrap().spec.name, "v");
        assert!(registry.find("b5fb516d").is_none());
    }

    #[test]
    fn file_names_are_those_that_virtualbox_was_seen_to_make() {
        for (name, stem) in [
            ("a/b", "a_b"),
            ("-dash2", "_dash2"),
            ("--machinereadable", "_-machinereadable"),
            (" leading and trailing ", "_leading and trailing_"),
            ("dollar$HOME`id`;*?", "dollar_HOME_id____"),
            ("new\nline=\"x\"\nVMState=\"running", "new_line__x__VMState__running"),
            ("ünïcode-日本語-😀", "ünïcode-日本語-____"),
            ("eq=ual=1", "eq_ual_1"),
        ] {
            assert_eq!(file_stem(name), stem);
        }
    }
}
