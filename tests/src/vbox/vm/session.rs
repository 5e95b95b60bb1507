//! A VM process's hold on its machine: taking the session lock, telling VBoxSVC the state, giving the lock back.
//!
//! Everything here is void once the VBoxSVC that gave the lock is gone: its successor does not know this process.

use std::path::PathBuf;

use anyhow::Result;

use crate::vbox::events::{What, now_ms};
use crate::vbox::faults::{self, Effect};
use crate::vbox::machine::{Answer, Frontend, Hold, Holder, Machine, Order, Outcome, Registry, Rest};
use crate::vbox::process::Process;
use crate::vbox::server::{self, NoServer};
use crate::vbox::spec::Spec;
use crate::vbox::store::Store;

pub struct Session {
    pub store: Store,
    pub me: Process,
    pub server: Process,
    pub uuid: String,
    pub spec: Spec,
    pub folder: PathBuf,
    pub frontend: Frontend,
    /// The saved state that this start resumes from.
    pub state_file: Option<PathBuf>,
    pub restoring: bool,
}

/// Why there is no session.
pub enum Denied {
    NotFound,
    Inaccessible,
    Locked(String),
    Wedged,
    NoServer(NoServer),
}

impl Session {
    /// Takes the machine's session lock for this process.
    pub fn take(store: Store, vm: &str, frontend: Frontend) -> Result<Result<Self, Denied>> {
        let connection = match server::connect(&store)? {
            Ok(connection) => connection,
            Err(none) => return Ok(Err(Denied::NoServer(none))),
        };
        let somebody_has_it = match store.read()?.find(vm) {
            Some(machine) => faults::is_locked(store.root(), &machine.uuid)?,
            None => false,
        };
        let (me, server) = (Process::me(), connection.server);
        let taken = store.update(|registry| {
            let Some(machine) = registry.find(vm) else { return Err(Denied::NotFound) };
            check(registry, machine, me, somebody_has_it)?;
            let machine = machine.clone();
            let restoring = machine.rest.is_saved();
            let word = if restoring { "restoring" } else { "starting" }.to_owned();
            registry.change(&machine.uuid, |machine| {
                let by = Holder::Vm { frontend, word, since_ms: now_ms(), closing: false };
                machine.hold = Some(Hold { owner: me, server, by });
                machine.copies.retain(|copy| copy.is_alive());
                machine.copies.push(me);
            });
            let argv = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
            registry.note(Some(&machine.uuid), What::Started { program: frontend.program().to_owned(), argv });
            for other in machine.copies.iter().filter(|copy| copy.is_alive()) {
                registry.note(Some(&machine.uuid), What::SecondCopy { other: other.pid });
            }
            Ok((machine, restoring))
        })?;
        Ok(taken.map(|(machine, restoring)| Self {
            store,
            me,
            server,
            uuid: machine.uuid,
            spec: machine.spec,
            folder: machine.folder,
            frontend,
            state_file: machine.rest.state_file,
            restoring,
        }))
    }

    /// Whether the VBoxSVC that gave the lock is still in charge.
    pub fn is_connected(&self, registry: &Registry) -> bool {
        registry.server.is_some_and(|server| server.process == self.server && !server.terminating)
            && self.server.is_alive()
    }

    /// Tells VBoxSVC the machine's new state.
    pub fn set_word(&self, new: &str) -> Result<()> {
        self.change(|machine| {
            if let Some(Hold { by: Holder::Vm { word, since_ms, .. }, .. }) = &mut machine.hold {
                *word = new.to_owned();
                *since_ms = now_ms();
            }
        })
    }

    /// A resumed machine's saved state is used up: neither its file nor a word of it in the settings file is left.
    pub fn forget_saved_state(&self) -> Result<()> {
        if let Some(file) = self.state_file.as_ref().filter(|file| file.starts_with(self.store.root())) {
            // An adopted or made-up state need not have a file.
            let _ = std::fs::remove_file(file);
        }
        self.change(|machine| {
            if machine.rest.is_saved() {
                machine.rest = Rest::now("poweroff", None);
            }
        })
    }

    /// The guest has ended: the machine rests, in a new state if given, while this process is on its way out.
    pub fn close(&self, rest: Option<Rest>) -> Result<()> {
        let me = self.me;
        self.change(|machine| {
            machine.copies.retain(|copy| *copy != me);
            if let Some(rest) = rest {
                machine.rest = rest;
            }
            if let Some(Hold { by: Holder::Vm { closing, .. }, .. }) = &mut machine.hold {
                *closing = true;
            }
        })
    }

    /// Gives the lock back, unless it was abandoned.
    pub fn release(&self) -> Result<()> {
        self.change(|machine| {
            machine.hold.take_if(|hold| matches!(hold.by, Holder::Vm { .. }));
        })?;
        let me = self.me;
        self.store.update(|registry| {
            registry.change(&self.uuid, |machine| machine.copies.retain(|copy| *copy != me));
            // Answers stay for those who asked.
            registry.orders.retain(|order| order.to != me || order.answer.is_some());
        })
    }

    /// Leaves without giving the lock back.
    pub fn abandon(&self) -> Result<()> {
        self.store.update(|registry| {
            if registry.live_server().is_some_and(|server| server.process == self.server) {
                server::wedge(registry, &self.uuid, self.server, self.me);
            }
        })
    }

    /// Tells a `startvm` that waits for this process how the start went.
    pub fn report(&self, outcome: Outcome) -> Result<()> {
        let me = self.me;
        self.store.update(|registry| {
            let launch = registry.machine_mut(&self.uuid).and_then(|machine| machine.launch.as_mut());
            if let Some(launch) = launch.filter(|launch| launch.child == Some(me)) {
                launch.outcome = Some(outcome);
            }
        })
    }

    /// The orders to this process that are newer than the one it took last.
    pub fn orders(&self, registry: &Registry, last: u64) -> Vec<Order> {
        registry.orders.iter().filter(|order| order.to == self.me && order.id > last).cloned().collect()
    }

    pub fn answer(&self, id: u64, answer: Answer) -> Result<()> {
        self.store.update(|registry| {
            if let Some(order) = registry.orders.iter_mut().find(|order| order.id == id) {
                order.answer = Some(answer);
            }
        })
    }

    pub fn log(&self, what: What) -> Result<()> {
        self.store.log(Some(&self.uuid), what)
    }

    /// A fault of this machine's session.
    pub fn fault<T>(&self, wanted: impl Fn(&Effect) -> Option<T>) -> Result<Option<T>> {
        faults::of_session(self.store.root(), &self.uuid, wanted)
    }

    /// Changes the machine, as long as this process is the one that VirtualBox knows to run it.
    fn change(&self, change: impl FnOnce(&mut Machine)) -> Result<()> {
        self.store.update(|registry| {
            let known = registry.machine(&self.uuid).and_then(|machine| registry.hold(machine));
            if known.is_some_and(|hold| hold.owner == self.me && hold.server == self.server) {
                registry.change(&self.uuid, change);
            }
        })
    }
}

fn check(registry: &Registry, machine: &Machine, me: Process, somebody_has_it: bool) -> Result<(), Denied> {
    if machine.inaccessible {
        return Err(Denied::Inaccessible);
    }
    let launched_for_this = machine.launch.as_ref().is_some_and(|launch| launch.child == Some(me));
    match registry.hold(machine).map(|hold| &hold.by) {
        Some(Holder::Wedged { .. }) => Err(Denied::Wedged),
        Some(_) => Err(Denied::Locked(machine.spec.name.clone())),
        None if somebody_has_it || (registry.is_locked(machine) && !launched_for_this) => {
            Err(Denied::Locked(machine.spec.name.clone()))
        }
        None => Ok(()),
    }
}
