//! The loop around `step`: waits in one poll(2), feeds events in, and carries actions out.
//!
//! It takes no decision of its own. While it waits there is no process and no wake-up of ours beside the VM's.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::ready;
use super::signals::Signals;
use super::step::{
    Action, Again, Event, LaunchFailure, Level, Look, Mode, Moment, Monitor, Notes, Request, Scope, Traces,
};
use super::vm_output::VmOutput;
use crate::commands::bring_down;
use crate::commands::subject::{Subject, World};
use crate::decide::Sight;
use crate::decide::watch::{NoKick, SmfState};
use crate::exec::{Ended, InterruptibleRunner};
use crate::exit::told;
use crate::hook;
use crate::rundir::Lock;
use crate::rundir::files::{Held, PidRecord};
use crate::virtualbox::launch;
use crate::virtualbox::process::{self, Process};
use crate::virtualbox::{AskError, Group, Verb};

/// How often a VM process that is not our child is looked at.
const GLANCE: Duration = Duration::from_secs(1);
/// How long one order to VirtualBox may take.
const ORDER_TIME: Duration = Duration::from_secs(60);

/// The hook, running.
struct Hook {
    child: Child,
    deadline: Instant,
}

pub struct Driver<'w> {
    world: &'w World,
    subject: Subject<'w>,
    monitor: Monitor,
    began: Instant,
    signals: Signals,
    me: Process,
    lock: Lock,
    child: RefCell<Option<Child>>,
    attached: Option<Process>,
    hook: Option<Hook>,
    output: VmOutput,
    /// VirtualBox's server that last said that the VM is up: it stays for as long as the VM runs.
    server: Option<Process>,
    /// It was sought since the VM came up.
    server_sought: bool,
    /// When the VM's process, if it is no child, was last seen alive, and whether its server was gone then.
    seen: (Instant, bool),
    notes: Notes,
    /// The moment that `notes.up_since` tells in the calendar's time.
    up_from: Option<Moment>,
    ready_sent: bool,
    /// It was told already that waiting fails.
    wait_failed: bool,
}

impl<'w> Driver<'w> {
    /// Takes the instance's lock, waiting a moment for a former monitor that is just going.
    pub fn new(world: &'w World, subject: Subject<'w>, mode: Mode) -> anyhow::Result<Self> {
        let signals = Signals::catch().context("cannot catch signals")?;
        let files = &subject.files;
        let patience = Instant::now() + Duration::from_secs(5);
        let mut lock = loop {
            match files.lock_monitor()? {
                Some(lock) => break lock,
                None if Instant::now() >= patience => {
                    anyhow::bail!("another monitor holds {}: stop it first", files.pid.path().display())
                }
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        subject.remove_unfinished();
        let recorded = files.own_vm_process()?;
        let attached = if matches!(mode, Mode::Launch) { None } else { recorded };
        let me = process::look(std::process::id() as i32)?.context("cannot look at this process")?;
        files.record(&mut lock, &PidRecord { monitor: me, vm: attached })?;
        let monitor = Monitor::new(mode, subject.settings.clone());
        // Whoever says attach was told just now that the VM is up.
        let server = attached.filter(|_| matches!(mode, Mode::Attach { .. })).and_then(|_| server_of(&subject));

        Ok(Driver {
            world,
            subject,
            monitor,
            began: Instant::now(),
            signals,
            me,
            lock,
            child: RefCell::new(None),
            attached,
            hook: None,
            output: VmOutput::default(),
            server,
            server_sought: false,
            seen: (Instant::now(), false),
            notes: Notes::default(),
            up_from: None,
            ready_sent: false,
            wait_failed: false,
        })
    }

    pub fn run(&mut self) -> anyhow::Result<()> {
        let mut events = VecDeque::from([Event::Begin]);
        loop {
            while let Some(event) = events.pop_front() {
                let actions = self.monitor.step(self.began.elapsed(), event);
                for action in actions {
                    if action == Action::Exit {
                        self.publish();
                        return Ok(());
                    }
                    events.extend(self.perform(action));
                }
                self.publish();
            }
            self.wait();
            events.extend(self.happened());
        }
    }

    // --- waiting -------------------------------------------------------------------------------------------------

    fn wait(&mut self) {
        let mut wait = self.monitor.next_wake().saturating_sub(self.began.elapsed());
        if self.attached.is_some() {
            wait = wait.min(GLANCE);
        }
        if let Some(hook) = &self.hook {
            wait = wait.min(hook.deadline.saturating_duration_since(Instant::now()));
        }
        // Rounded up: waking a fraction early would only mean to wait again.
        let timeout = PollTimeout::try_from(wait + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(self.signals.woken.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            // What is short now, as memory, may be there in a moment: the VM is not left alone for it.
            Err(errno) => {
                if !std::mem::replace(&mut self.wait_failed, true) {
                    self.subject.log.warn(format!("cannot wait for events: {errno}; looking again all the time"));
                }
                std::thread::sleep(wait.min(GLANCE));
            }
        }
        self.signals.drain();
    }

    /// What has come up while waiting, most urgent first.
    fn happened(&mut self) -> Vec<Event> {
        if self.signals.term.swap(false, Ordering::Relaxed) {
            return vec![Event::StandDown];
        }
        let mut events = Vec::new();
        events.extend(self.vm_ended());
        events.extend(self.hook_ended());
        if self.signals.hup.swap(false, Ordering::Relaxed) {
            events.push(Event::Refresh);
        }
        if events.is_empty() && self.began.elapsed() >= self.monitor.next_wake() {
            events.push(Event::Wake);
        }
        events
    }

    fn vm_ended(&mut self) -> Option<Event> {
        let ended = match child_ended(&self.child) {
            Some(ended) => Some(ended),
            None => match self.attached {
                Some(vm) if !process::alive(vm.pid, vm.started) => None,
                Some(_) => {
                    self.seen = (Instant::now(), self.server_lives() == Some(false));
                    return None;
                }
                None => return None,
            },
        };
        self.child.replace(None);
        self.attached = None;
        let (seen, lost) = self.seen;
        let lost = if ended.is_some() { launch::lost_its_server(&self.output.text()) } else { lost };
        let traces = Traces { lost, server: self.server_lives(), unseen: seen.elapsed() };
        self.server = None;
        self.server_sought = false;
        self.record(None);
        let launch = self.launch_failure(ended.unwrap_or(Ended::Exited(0)));
        Some(Event::VmEnded { ended, traces, launch })
    }

    fn hook_ended(&mut self) -> Option<Event> {
        let hook = self.hook.as_mut()?;
        let code = match hook.child.try_wait() {
            Ok(None) if Instant::now() < hook.deadline => return None,
            Ok(Some(status)) => status.code(),
            Ok(None) | Err(_) => None,
        };
        self.kill_hook();
        Some(Event::HookEnded(code))
    }

    // --- carrying out --------------------------------------------------------------------------------------------

    fn perform(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Look { scope, reread } => {
                let look = self.look(scope, reread);
                // A VM that ended meanwhile is the news, and asks for a look of its own: launched on the strength of this
                // one, the new process would be taken for the one that ended.
                Some(self.vm_ended().unwrap_or(Event::Looked(look)))
            }
            Action::Launch => Some(Event::Launched(self.launch())),
            Action::Peek => Some(Event::Peeked(self.peek())),
            Action::Order(order) => Some(Event::Ordered(order, self.order(order))),
            Action::RunHook => self.run_hook(),
            Action::KillHook => {
                self.kill_hook();
                None
            }
            Action::RemoveRestartOnce => {
                if let Some(file) = &self.subject.files.restart_once
                    && let Err(error) = file.remove()
                {
                    self.subject.log.warn(error);
                }
                None
            }
            Action::Ask(request) => Some(Event::Asked(self.ask(request))),
            Action::Log(level, text) => {
                self.subject.log.line(level, text);
                None
            }
            Action::Ready(outcome) => {
                self.tell_ready(&outcome);
                None
            }
            Action::Exit => None,
        }
    }

    fn look(&mut self, scope: Scope, reread: bool) -> Look {
        let smf = match self.subject.reread(reread) {
            Ok(smf) => smf,
            Err(error) => SmfState::NotKnown(told(&error)),
        };
        let nokick = match self.subject.files.held() {
            Ok(Held::By(who)) => who,
            Ok(Held::Abandoned(pid)) => {
                let text =
                    format!("process {pid} died and left {}: removing it", self.subject.files.nokick.path().display());
                self.subject.log.warn(text);
                let _ = self.subject.files.nokick.remove();
                NoKick::None
            }
            Err(error) => {
                self.subject.log.warn(error);
                NoKick::None
            }
        };
        let process = self.child.borrow().is_some() || self.attached.is_some() || self.find_process();
        // The question may take the VM's lock, which whoever keeps our hands off may need.
        let asked = scope == Scope::All && smf == SmfState::Up && nokick == NoKick::None;
        let sight = asked.then(|| self.sight());
        if sight.as_ref().and_then(Sight::state).is_some_and(|state| state.group() == Group::Live) {
            self.recall_server();
        }
        let restart_once = self.subject.files.restart_once.as_ref().is_some_and(|f| matches!(f.read(), Ok(Some(_))));
        self.output.trim();
        Look { settings: Box::new(self.subject.settings.clone()), smf, nokick, sight, process, restart_once }
    }

    /// Looks through the host's processes for one of the VM that this monitor does not know. It is not done while there is
    /// one that it knows: with a thousand monitors on a host it would be most of what they do.
    fn find_process(&mut self) -> bool {
        match bring_down::processes(&self.subject) {
            Ok(living) => {
                // It is watched but not recorded: the record tells the next start which process is this service's own.
                self.attached = living.first().copied();
                self.seen = (Instant::now(), false);
                self.attached.is_some()
            }
            Err(error) => {
                self.subject.log.warn(told(&error));
                // Where it cannot be told, it may well live: nothing is done that only a dead one allows.
                true
            }
        }
    }

    fn sight(&self) -> Sight {
        let interrupted = || self.interrupted();
        let runner = InterruptibleRunner { interrupted: &interrupted };
        self.subject.sight(&runner, false)
    }

    /// Something that must not wait for VirtualBox: a stop, or the end of the VM.
    fn interrupted(&self) -> bool {
        self.signals.term.load(Ordering::Relaxed) || child_ended(&self.child).is_some()
    }

    fn peek(&mut self) -> Option<bool> {
        let running = {
            let interrupted = || self.interrupted();
            let runner = InterruptibleRunner { interrupted: &interrupted };
            self.subject.virtualbox(&runner).running().ok()?
        };
        let listed = running.contains(&self.subject.machine.uuid);
        if listed {
            self.seek_server();
        }
        Some(listed)
    }

    /// VirtualBox says that the VM is up: a server that lives has it. One that was sought in vain while the VM was up is
    /// not to be seen by this process, and is not sought at every look.
    fn recall_server(&mut self) {
        let known = self.server_lives();
        if known == Some(false) || (known.is_none() && !self.server_sought) {
            self.seek_server();
        }
    }

    fn seek_server(&mut self) {
        self.server = server_of(&self.subject);
        self.server_sought = true;
    }

    fn server_lives(&self) -> Option<bool> {
        self.server.map(|server| process::alive(server.pid, server.started))
    }

    fn launch(&mut self) -> Result<(), LaunchFailure> {
        let refused = |reason: String| LaunchFailure { reason, again: Again::Soon };
        if let [vm, ..] = bring_down::processes(&self.subject).map_err(|error| refused(told(&error)))?.as_slice() {
            return Err(refused(format!("process {} of the VM lives already: never a second copy", vm.pid)));
        }
        let never = |reason: String| LaunchFailure { reason, again: Again::Never };
        let runner = crate::exec::SystemRunner;
        let (program, args) = self.subject.virtualbox(&runner).headless(&self.subject.machine.uuid);
        let output = self.output.for_launch(&self.subject.files.output).map_err(|e| never(told(&e)))?;
        let second = output.try_clone().map_err(|e| never(e.to_string()))?;
        // It stays in the monitor's process group. One of its own would be orphaned by the monitor's end, and where a
        // process in it is stopped just then, the system sends it HUP, on which the VM saves itself and ends.
        let mut command = Command::new(&program);
        command
            .args(args)
            .env_clear()
            .envs(self.subject.environment())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(second);
        let child = command.spawn().map_err(|e| never(format!("cannot run {}: {e}", program.display())))?;
        let pid = child.id() as i32;
        self.child.replace(Some(child));
        self.subject.log.info(format!("started {} as process {pid}", program.display()));
        self.subject.set_priority(pid);
        self.record(process::look(pid).ok().flatten());
        Ok(())
    }

    fn launch_failure(&self, ended: Ended) -> LaunchFailure {
        let text = self.output.text();
        LaunchFailure::from(launch::failure("VBoxHeadless", ended, &text))
    }

    fn order(&self, order: Verb) -> Result<(), LaunchFailure> {
        let interrupted = || self.signals.term.load(Ordering::Relaxed);
        let runner = InterruptibleRunner { interrupted: &interrupted };
        self.subject.virtualbox(&runner).control(&self.subject.machine.uuid, order, ORDER_TIME).map_err(Into::into)
    }

    fn run_hook(&mut self) -> Option<Event> {
        let hook = &self.subject.settings.hook;
        let started = hook::call(hook, self.subject.environment(), self.subject.user.is_root())
            .map_err(anyhow::Error::from)
            .and_then(|call| Ok((call.command().stdout(Stdio::null()).spawn()?, call.deadline)));
        match started {
            Ok((child, time)) => {
                self.hook = Some(Hook { child, deadline: Instant::now() + time });
                None
            }
            Err(error) => {
                self.subject.log.warn(format!("the hook was not run: {}", told(&error)));
                Some(Event::HookEnded(None))
            }
        }
    }

    fn kill_hook(&mut self) {
        let Some(mut hook) = self.hook.take() else { return };
        use nix::sys::signal::{Signal, killpg};
        // Its children too; both fail only when nothing of it is left.
        let _ = killpg(nix::unistd::Pid::from_raw(hook.child.id() as i32), Signal::SIGKILL);
        let _ = hook.child.wait();
    }

    fn ask(&mut self, request: Request) -> Result<(), String> {
        let smf = self.world.smf();
        let asked = match request {
            Request::Offline => smf.disable_temporarily(&self.subject.fmri),
            Request::Maintenance { stop_vm } => smf.mark_maintenance(&self.subject.fmri, stop_vm),
        };
        asked.map_err(|error| {
            if self.subject.settings.blockfile_enabled {
                let text = format!("{}\n", self.subject.user.uid);
                if let Err(error) = self.subject.files.block.write(&text, false) {
                    self.subject.log.warn(error);
                }
            }
            error.to_string()
        })
    }

    fn tell_ready(&mut self, outcome: &Result<(), String>) {
        if std::mem::replace(&mut self.ready_sent, true) {
            return;
        }
        // A start method that is gone no longer listens.
        let _ = io::stdout().write_all(ready::line(outcome).as_bytes());
        let _ = io::stdout().flush();
        // End of file for the listener: this process keeps nothing of the start method's.
        if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
            let _ = nix::unistd::dup2_stdout(null);
        }
    }

    // --- records -------------------------------------------------------------------------------------------------

    fn record(&mut self, vm: Option<Process>) {
        let record = PidRecord { monitor: self.me, vm };
        if let Err(error) = self.subject.files.record(&mut self.lock, &record) {
            self.subject.log.warn(error);
        }
    }

    /// Writes the notes for `status` where they changed.
    fn publish(&mut self) {
        let up_since = match self.monitor.live_since() {
            None => None,
            Some(since) if self.up_from == Some(since) => self.notes.up_since,
            Some(_) => SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|d| d.as_secs()),
        };
        self.up_from = self.monitor.live_since();
        let notes = Notes { up_since, ..self.monitor.notes().clone() };
        if self.notes == notes {
            return;
        }
        self.notes = notes;
        let text = serde_json::to_string(&self.notes).unwrap_or_default();
        if let Err(error) = self.subject.files.notes.write(&text, false) {
            self.subject.log.line(Level::Warning, error);
        }
    }
}

fn server_of(subject: &Subject) -> Option<Process> {
    process::server(subject.user.uid, &subject.programs.headless).ok().flatten()
}

fn child_ended(child: &RefCell<Option<Child>>) -> Option<Ended> {
    let mut child = child.borrow_mut();
    child.as_mut()?.try_wait().ok().flatten().map(Ended::from)
}

impl From<AskError> for LaunchFailure {
    fn from(error: AskError) -> Self {
        let again = match &error {
            AskError::Wedged { .. } => Again::AfterQuiet,
            // A process that dies by a signal is no passing obstacle, and neither is a start that was refused.
            AskError::Killed { .. } => Again::Never,
            error if error.is_transient() => Again::Soon,
            _ => Again::Never,
        };
        LaunchFailure { reason: error.to_string(), again }
    }
}
