//! The tests' side: creating machines, being their guests and their users, making things fail, reading what happened.
//!
//! Panics where the simulated host cannot be written or read: a test has no better answer to that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::{Uid, geteuid};

use super::events::{self, Event, What};
use super::faults::{self, Fault};
use super::machine::{Answer, Holder, Machine, Registry, Rest, Verb, file_stem};
use super::manage::{new_uuid, write_settings_file};
use super::orders;
use super::process::Process;
use super::server;
use super::settings::Settings;
use super::spec::{Snapshot, Spec};
use super::store::Store;

/// How long a VM process may take to do what its guest is made to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// VirtualBox on the simulated host at `root`, as the machines' owner sees it.
///
/// Machines are found by UUID among those of the user that the control acts for: the calling one, unless [`Self::of`]
/// says otherwise.
#[derive(Debug, Clone)]
pub struct Control {
    store: Store,
}

impl Control {
    pub fn new(root: &Path) -> Self {
        Self { store: Store::mine(root).expect("the simulated host is writable") }
    }

    /// The same host, as another user's VirtualBox. Only root can do that.
    pub fn of(&self, uid: u32) -> Self {
        Self { store: Store::of(self.store.root(), Uid::from_raw(uid)).expect("the simulated host is writable") }
    }

    /// Registers a powered-off machine with an obedient guest. Gives its UUID.
    pub fn create_vm(&self, name: &str) -> String {
        self.create_vm_with(Spec::named(name))
    }

    /// Registers a powered-off machine, with its `owner` if it has one. Gives its UUID.
    pub fn create_vm_with(&self, spec: Spec) -> String {
        if let Some(owner) = spec.owner
            && owner != geteuid().as_raw()
        {
            return self.of(owner).create_vm_with(Spec { owner: None, ..spec });
        }
        let uuid = spec.uuid.clone().unwrap_or_else(|| new_uuid().expect("the system makes UUIDs"));
        let folder = spec.folder.clone().unwrap_or_else(|| self.store.machine_folder().join(file_stem(&spec.name)));
        let machine = Machine::new(uuid.clone(), spec, folder);
        write_settings_file(&self.store, &machine).expect("the machine's folder is writable");
        self.update(|registry| registry.machines.push(machine));
        uuid
    }

    /// VirtualBox's word for the machine's state now. Asks no program and leaves VBoxSVC alone.
    pub fn state(&self, uuid: &str) -> String {
        let registry = self.read();
        let machine = registry.machine(uuid).unwrap_or_else(|| panic!("no machine {uuid} is registered"));
        registry.word(machine).0.to_owned()
    }

    /// VirtualBox's words for the states of all machines, by UUID.
    pub fn words(&self) -> BTreeMap<String, String> {
        let registry = self.read();
        registry.machines.iter().map(|m| (m.uuid.clone(), registry.word(m).0.to_owned())).collect()
    }

    /// Waits until the state word is this. Panics after a minute.
    pub fn wait_for_state(&self, uuid: &str, word: &str) {
        self.wait(&format!("machine {uuid} to be {word}"), || self.state(uuid) == word);
    }

    /// The pid of the process that runs the machine, whether VirtualBox knows it or not.
    pub fn process(&self, uuid: &str) -> Option<i32> {
        self.vm_process(uuid).map(|process| process.pid)
    }

    /// Sends a signal to the machine's process. Says whether there was one.
    pub fn kill_vm(&self, uuid: &str, signal: i32) -> bool {
        let signal = Signal::try_from(signal).expect("a signal of this system");
        self.vm_process(uuid).is_some_and(|process| process.signal(signal))
    }

    /// The guest shuts down by itself.
    pub fn guest_power_off(&self, uuid: &str) {
        self.order(uuid, Verb::GuestOff);
    }

    /// The VM pauses by itself, as when the host's disk is full.
    pub fn guest_pause(&self, uuid: &str) {
        self.order(uuid, Verb::GuestPause);
    }

    /// The guest gets stuck: guru meditation.
    pub fn guru(&self, uuid: &str) {
        self.order(uuid, Verb::Guru);
    }

    /// The user closes the GUI's window and chooses "save the machine state".
    pub fn close_saving(&self, uuid: &str) {
        self.order(uuid, Verb::Close);
    }

    /// Has VirtualBox say this word for the machine, whatever its state; `None` ends it.
    pub fn set_state_word(&self, uuid: &str, word: Option<&str>) {
        self.change(uuid, |machine| machine.forced = word.map(str::to_owned));
    }

    /// Changes a resting machine's state to `poweroff`, `saved`, `aborted`, `aborted-saved` or `teleported`.
    pub fn set_rest(&self, uuid: &str, word: &str) {
        self.change(uuid, |machine| {
            let saved = matches!(word, "saved" | "aborted-saved");
            let file = saved.then(|| machine.folder.join("Snapshots/2026-11-22T13-27-41-589765000Z.sav"));
            machine.rest = Rest::now(word, file);
        });
    }

    pub fn set_snapshots(&self, uuid: &str, snapshots: Vec<Snapshot>) {
        self.change(uuid, |machine| machine.spec.snapshots = snapshots);
    }

    /// Breaks the machine's settings file, or mends it.
    pub fn set_inaccessible(&self, uuid: &str, inaccessible: bool) {
        self.change(uuid, |machine| machine.inaccessible = inaccessible);
    }

    /// Leaves the machine's session wedged, as a process does that gets SIGTERM while its VM is paused. Needs a living
    /// VBoxSVC; the machine's process, if any, is killed.
    pub fn wedge(&self, uuid: &str) {
        let process = self.vm_process(uuid);
        self.update(|registry| {
            let server = registry.live_server().expect("a VBoxSVC is up").process;
            server::wedge(registry, uuid, server, process.unwrap_or_else(Process::me));
        });
        process.map(|process| process.signal(Signal::SIGKILL));
    }

    pub fn fault(&self, fault: Fault) {
        faults::add(self.store.root(), fault).expect("the simulated host is writable");
    }

    pub fn clear_faults(&self) {
        faults::clear(self.store.root()).expect("the simulated host is writable");
    }

    /// VBoxSVC's pid, if one is up.
    pub fn vboxsvc(&self) -> Option<i32> {
        self.read().live_server().map(|server| server.process.pid)
    }

    /// Sends a signal to VBoxSVC. Says whether there was one.
    pub fn kill_vboxsvc(&self, signal: i32) -> bool {
        let signal = Signal::try_from(signal).expect("a signal of this system");
        self.read().live_server().is_some_and(|server| server.process.signal(signal))
    }

    /// Everything that happened so far, whoever's VirtualBox it happened to.
    pub fn events(&self) -> Vec<Event> {
        events::read(self.store.root())
    }

    /// Whether a machine ever ran twice at a time.
    pub fn ran_twice(&self, uuid: &str) -> bool {
        self.events()
            .iter()
            .any(|event| event.vm.as_deref() == Some(uuid) && matches!(event.what, What::SecondCopy { .. }))
    }

    /// How often VBoxManage was called with a command line that begins so (`list runningvms`, `showvminfo`).
    pub fn calls(&self, beginning: &str) -> usize {
        let begins = |argv: &[String]| argv.join(" ").starts_with(beginning);
        self.events().iter().filter(|event| matches!(&event.what, What::CallStarted { argv } if begins(argv))).count()
    }

    /// The state words that the machine went through, in order.
    pub fn states(&self, uuid: &str) -> Vec<String> {
        let of_machine = self.events().into_iter().filter(|event| event.vm.as_deref() == Some(uuid));
        of_machine
            .filter_map(|event| match event.what {
                What::State { to, .. } => Some(to),
                _ => None,
            })
            .collect()
    }

    /// The host's settings. Set what a test needs quicker before VBoxSVC is up.
    pub fn settings(&self) -> Settings {
        Settings::read(self.store.root())
    }

    pub fn set_settings(&self, settings: &Settings) {
        settings.write(self.store.root()).expect("the simulated host is writable");
    }

    /// Kills every process of this user's VirtualBox, at the end of a test. Removing ROOT ends them as well, within a
    /// moment.
    pub fn shut_down(&self) {
        let registry = self.read();
        let holders = registry.machines.iter().filter_map(|machine| machine.hold.as_ref());
        let sessions = holders.filter(|hold| matches!(hold.by, Holder::Vm { .. })).map(|hold| hold.owner);
        let copies = registry.machines.iter().flat_map(|machine| machine.copies.iter().copied());
        for process in registry.live_server().map(|server| server.process).into_iter().chain(sessions).chain(copies) {
            process.signal(Signal::SIGKILL);
        }
    }

    /// The directory of the simulated host.
    pub fn root(&self) -> PathBuf {
        self.store.root().to_owned()
    }

    fn vm_process(&self, uuid: &str) -> Option<Process> {
        let registry = self.read();
        let machine = registry.machine(uuid)?;
        let session = registry.hold(machine).filter(|hold| matches!(hold.by, Holder::Vm { .. })).map(|hold| hold.owner);
        session.into_iter().chain(machine.copies.iter().rev().copied()).find(|process| process.is_alive())
    }

    fn order(&self, uuid: &str, verb: Verb) {
        let process = self.vm_process(uuid).unwrap_or_else(|| panic!("machine {uuid} has no process"));
        let answer = orders::give(&self.store, process, verb, Some(PATIENCE)).expect("the simulated host is writable");
        match answer {
            Some(Answer::Done) => {}
            other => panic!("machine {uuid} did not obey {verb:?}: {other:?}"),
        }
    }

    fn change(&self, uuid: &str, change: impl FnOnce(&mut Machine)) {
        self.update(|registry| registry.change(uuid, change));
    }

    fn read(&self) -> Registry {
        self.store.read().expect("the registry is readable")
    }

    fn update<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> T {
        self.store.update(change).expect("the registry is writable")
    }

    fn wait(&self, what: &str, mut until: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !until() {
            assert!(begun.elapsed() < PATIENCE, "waited too long for {what}");
            sleep(Duration::from_millis(5));
        }
    }
}
