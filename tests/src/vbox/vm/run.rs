//! The life of a VM process, from power-up to its end: one loop that minds signals, orders and the clock.

use std::io::Write;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::Signal;

use super::failure;
use super::session::Session;
use super::signals::Signals;
use super::uart::Uarts;
use super::{err, out};
use crate::vbox::events::{What, now_ms};
use crate::vbox::faults::{Effect, PowerUp};
use crate::vbox::machine::{Answer, Frontend, Order, Outcome, Rest, Verb, api_word};
use crate::vbox::settings::Settings;
use crate::vbox::spec::Guest;
use crate::vbox::store::News;
use crate::vbox::texts;

const TICK: Duration = Duration::from_millis(10);
/// The same once nothing has happened for a while: hundreds of VMs may share a small machine.
const QUIET_TICK: Duration = Duration::from_millis(30);
const QUIET_AFTER: Duration = Duration::from_secs(1);
/// Lines that VBoxHeadless dumps when its guest is stuck.
const GURU_LINES: usize = 3000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Starting {
        up_at: Instant,
    },
    Running,
    Paused,
    Stuck,
    /// `order` waits for the end; none where a signal or the window asked for it.
    Saving {
        done_at: Instant,
        order: Option<u64>,
    },
    Stopping {
        done_at: Option<Instant>,
        order: Option<u64>,
    },
}

/// How the process ends.
enum End {
    Exit(u8),
    /// The IPC library's assertion, when VBoxSVC was killed.
    Trap,
}

pub struct Vm {
    session: Session,
    phase: Phase,
    signals: Signals,
    /// A signal that asks to save came before the VM was up.
    save_when_up: bool,
    guest_ends_at: Option<Instant>,
    /// Since when VBoxSVC is gone, and whether it was told to go.
    orphaned: Option<(Instant, bool)>,
    uarts: Option<Uarts>,
    /// The newest order taken; some are answered only later.
    last_order: u64,
}

impl Vm {
    pub fn new(session: Session, signals: Signals) -> Result<Self> {
        let mut time = if session.restoring { session.spec.times.restore } else { session.spec.times.start };
        if let Some(longer) = session.fault(|effect| match effect {
            Effect::StartTakes(time) => Some(*time),
            _ => None,
        })? {
            time = longer;
        }
        Ok(Self {
            phase: Phase::Starting { up_at: Instant::now() + time },
            session,
            signals,
            save_when_up: false,
            guest_ends_at: None,
            orphaned: None,
            uarts: None,
            last_order: 0,
        })
    }

    pub fn run(mut self) -> Result<ExitCode> {
        if let Some(end) = self.power_up()? {
            return self.end(end);
        }
        let mut news = News::new(&self.session.store)?;
        let mut stirred = Instant::now();
        loop {
            // The test is over and has removed the host.
            if self.session.store.is_gone() {
                return Ok(ExitCode::from(1));
            }
            let before = self.phase.clone();
            if let Some(end) = self.step(&mut news)? {
                return self.end(end);
            }
            if self.phase != before || !matches!(self.phase, Phase::Running | Phase::Paused | Phase::Stuck) {
                stirred = Instant::now();
            }
            sleep(if stirred.elapsed() < QUIET_AFTER { TICK } else { QUIET_TICK });
        }
    }

    fn step(&mut self, news: &mut News) -> Result<Option<End>> {
        let now = Instant::now();
        if let Some(end) = self.mind_signals()? {
            return Ok(Some(end));
        }
        if news.came()? || (self.orphaned.is_none() && !self.session.server.is_alive()) {
            let registry = self.session.store.read()?;
            if self.orphaned.is_none() && !self.session.is_connected(&registry) {
                let told = registry.server.is_some_and(|server| server.process == self.session.server);
                self.orphaned = Some((now, told && self.session.server.is_alive()));
            }
            for order in self.session.orders(&registry, self.last_order) {
                self.last_order = order.id;
                self.obey(&order)?;
            }
        }
        if let Some((since, told)) = self.orphaned
            && since.elapsed() >= Settings::read(self.session.store.root()).orphan_life
        {
            return Ok(Some(if told {
                out(texts::SERVER_WENT);
                End::Exit(0)
            } else {
                err(texts::ORPHAN_ASSERTION);
                End::Trap
            }));
        }
        if self.guest_ends_at.is_some_and(|at| now >= at) && self.phase == Phase::Running {
            return self.rest(Rest::now("poweroff", None)).map(Some);
        }
        match self.phase.clone() {
            Phase::Starting { up_at } if now >= up_at => self.come_up()?,
            Phase::Saving { done_at, order } if now >= done_at => return self.saved(order).map(Some),
            Phase::Stopping { done_at: Some(done_at), order } if now >= done_at => {
                let end = self.rest(Rest::now("poweroff", None))?;
                self.answer(order, Answer::Done)?;
                return Ok(Some(end));
            }
            _ => {}
        }
        Ok(None)
    }

    /// Begins the start. Some failures show at once, that is here.
    fn power_up(&mut self) -> Result<Option<End>> {
        let found = self.session.fault(|effect| match effect {
            Effect::PowerUp(how) => Some(how.clone()),
            _ => None,
        })?;
        let failed = match found {
            Some(how) => Some(how),
            None => match Uarts::open(&self.session.spec.uarts, &self.session.spec.name) {
                Ok(uarts) => {
                    self.uarts = Some(uarts);
                    None
                }
                Err(how) => Some(how),
            },
        };
        let doing = if self.session.restoring { "Restoring" } else { "Starting" };
        let Some(how) = failed else {
            self.narrate(&format!("{doing} virtual machine: "));
            return Ok(None);
        };
        sleep(self.session.spec.times.start);
        let outcome = failure::tell(&self.session, &how, doing);
        let rest =
            (how == PowerUp::MemoryMismatch).then(|| Rest::now("aborted-saved", self.session.state_file.clone()));
        self.session.close(rest)?;
        self.session.release()?;
        self.session.report(Outcome::Failed(outcome))?;
        // The caller learns of it from the output and the state only.
        Ok(Some(End::Exit(0)))
    }

    fn come_up(&mut self) -> Result<()> {
        self.narrate(texts::PROGRESS_FROM_10);
        self.phase = Phase::Running;
        self.session.forget_saved_state()?;
        self.session.set_word("running")?;
        self.session.report(Outcome::Up)?;
        if self.save_when_up {
            self.save(None)?;
        }
        Ok(())
    }

    fn mind_signals(&mut self) -> Result<Option<End>> {
        while let Some(signal) = self.signals.take() {
            self.session.log(What::Signal { signal: signal as i32 })?;
            let name = match signal {
                Signal::SIGINT => "Interrupt",
                Signal::SIGHUP => "Hangup",
                Signal::SIGUSR1 => "User defined signal 1",
                _ => "Terminated",
            };
            self.narrate(&format!("VBoxHeadless: signal {name}(on thread main)\n"));
            match self.phase {
                Phase::Starting { .. } => self.save_when_up = true,
                // It leaves without a word to VBoxSVC, which never gets over it.
                Phase::Paused | Phase::Stuck => {
                    self.session.abandon()?;
                    return Ok(Some(End::Exit(0)));
                }
                // Not recorded: without VBoxSVC there is no saving, the process goes on to its end.
                Phase::Running if self.orphaned.is_none() => {
                    self.save(None)?;
                    return Ok(None);
                }
                Phase::Running | Phase::Saving { .. } | Phase::Stopping { .. } => {}
            }
        }
        Ok(None)
    }

    fn obey(&mut self, order: &Order) -> Result<()> {
        let id = Some(order.id);
        let word = self.word();
        let wrong_state = || Answer::Refused(format!("Invalid machine state: {}", api_word(word)));
        let answer = match (order.verb, &self.phase) {
            (Verb::Ask, _) => Answer::Done,
            (Verb::PowerButton, Phase::Running) => {
                let ignored = self.session.fault(|effect| (*effect == Effect::AcpiIgnored).then_some(()))?.is_some();
                let heeded = self.session.spec.guest == Guest::Obeys && !ignored;
                self.session.log(What::PowerButton { heeded })?;
                if heeded {
                    self.guest_ends_at = Some(Instant::now() + self.session.spec.times.shutdown);
                }
                Answer::Done
            }
            (Verb::SleepButton, Phase::Running) => {
                self.session.log(What::SleepButton)?;
                Answer::Done
            }
            (Verb::Reset, Phase::Running) => {
                self.guest_ends_at = None;
                self.session.log(What::Reset)?;
                Answer::Done
            }
            (Verb::PowerButton | Verb::SleepButton | Verb::Reset, _) => wrong_state(),
            (Verb::Pause | Verb::GuestPause, Phase::Running) => {
                self.phase = Phase::Paused;
                self.session.set_word("paused")?;
                Answer::Done
            }
            (Verb::Pause, Phase::Paused) => Answer::Refused("Already paused".to_owned()),
            (Verb::Pause | Verb::GuestPause, _) => wrong_state(),
            (Verb::Resume, Phase::Paused) => {
                self.phase = Phase::Running;
                self.session.set_word("running")?;
                Answer::Done
            }
            (Verb::Resume, _) => Answer::Refused(format!(
                "Cannot resume the machine as it is not paused (machine state: {})",
                api_word(word)
            )),
            (Verb::PowerOff, Phase::Saving { .. }) => {
                Answer::Refused("Cannot power down at this point during a save state".to_owned())
            }
            (Verb::PowerOff, Phase::Stopping { .. }) => wrong_state(),
            (Verb::PowerOff, _) => return self.power_off(id),
            (Verb::Save | Verb::Close, Phase::Running | Phase::Paused) => return self.save(id),
            (Verb::Save | Verb::Close, Phase::Stuck) => {
                Answer::RefusedPlainly("Machine in invalid state 8 -- guru meditation.".to_owned())
            }
            // Not recorded.
            (Verb::Save | Verb::Close, _) => Answer::Refused(format!(
                "Cannot save the execution state as the machine is not running or paused (machine state: {})",
                api_word(word)
            )),
            (Verb::GuestOff, _) => {
                self.phase = Phase::Running;
                self.guest_ends_at = Some(Instant::now());
                Answer::Done
            }
            (Verb::Guru, _) => {
                self.phase = Phase::Stuck;
                self.session.set_word("gurumeditation")?;
                self.answer(id, Answer::Done)?;
                self.dump();
                return Ok(());
            }
        };
        self.answer(id, answer)
    }

    fn power_off(&mut self, order: Option<u64>) -> Result<()> {
        let hangs = self.session.fault(|effect| (*effect == Effect::PowerOffHangs).then_some(()))?.is_some();
        let done_at = (!hangs).then(|| Instant::now() + self.session.spec.times.power_off);
        self.phase = Phase::Stopping { done_at, order };
        self.session.set_word("stopping")
    }

    fn save(&mut self, order: Option<u64>) -> Result<()> {
        if self.session.fault(|effect| (*effect == Effect::SaveRefused).then_some(()))?.is_some() {
            // Not recorded.
            let message = "Failed to save the machine state (VERR_DISK_FULL)";
            return match order {
                Some(_) => self.answer(order, Answer::Refused(message.to_owned())),
                None => {
                    self.narrate(&format!("VBoxHeadless: error: {message}\n"));
                    Ok(())
                }
            };
        }
        let time = self.session.fault(|effect| match effect {
            Effect::SaveTakes(time) => Some(*time),
            _ => None,
        })?;
        let done_at = Instant::now() + time.unwrap_or(self.session.spec.times.save);
        self.phase = Phase::Saving { done_at, order };
        if order.is_none() {
            self.narrate("Saving the execution state of the virtual machine: ");
        }
        self.session.set_word("saving")
    }

    fn saved(&mut self, order: Option<u64>) -> Result<End> {
        let stamp = jiff::Timestamp::from_millisecond(now_ms() as i64)?.strftime("%Y-%m-%dT%H-%M-%S-%9fZ.sav");
        let file = self.session.folder.join("Snapshots").join(stamp.to_string());
        if file.starts_with(self.session.store.root()) {
            std::fs::create_dir_all(self.session.folder.join("Snapshots"))?;
            std::fs::write(&file, "\x7fVirtualBox SavedState (simulated)\n")?;
        }
        if order.is_none() {
            self.narrate(texts::PROGRESS_FROM_10);
        }
        let end = self.rest(Rest::now("saved", Some(file)))?;
        self.answer(order, Answer::Done)?;
        Ok(end)
    }

    /// The guest is no more. An orphan's end is nobody's to know.
    fn rest(&mut self, rest: Rest) -> Result<End> {
        self.session.close(Some(rest))?;
        Ok(End::Exit(0))
    }

    fn answer(&self, order: Option<u64>, answer: Answer) -> Result<()> {
        order.map_or(Ok(()), |id| self.session.answer(id, answer))
    }

    fn word(&self) -> &'static str {
        match self.phase {
            Phase::Starting { .. } if self.session.restoring => "restoring",
            Phase::Starting { .. } => "starting",
            Phase::Running => "running",
            Phase::Paused => "paused",
            Phase::Stuck => "gurumeditation",
            Phase::Saving { .. } => "saving",
            Phase::Stopping { .. } => "stopping",
        }
    }

    /// The last way: the state word is at rest already, the process takes a moment more.
    fn end(self, end: End) -> Result<ExitCode> {
        drop(self.uarts);
        if self.orphaned.is_none() {
            sleep(self.session.spec.times.exit);
        }
        let hangs = self.session.fault(|effect| (*effect == Effect::HangAfterEnd).then_some(()))?.is_some();
        self.session.release()?;
        while hangs && !self.session.store.is_gone() {
            sleep(TICK * 10);
        }
        match end {
            End::Exit(exit) => {
                self.session.log(What::Ended { exit })?;
                Ok(ExitCode::from(exit))
            }
            End::Trap => {
                nix::sys::signal::raise(Signal::SIGTRAP)?;
                Ok(ExitCode::from(133))
            }
        }
    }

    /// VBoxHeadless tells its standard error how it gets on; the GUI has a window for that.
    fn narrate(&self, text: &str) {
        if self.session.frontend == Frontend::Headless {
            err(text);
        }
    }

    /// The state of the stuck guest's processor: much of it, so that a reader who does not read blocks the writer.
    fn dump(&self) {
        if self.session.frontend == Frontend::Headless {
            let mut stderr = std::io::BufWriter::new(std::io::stderr());
            for line in 0..GURU_LINES {
                let written = writeln!(
                    stderr,
                    "!! {line:04} VCPU0: Guru Meditation -2301 (VERR_EM_INTERNAL_ERROR) rip=f000fff0 !!"
                );
                if written.is_err() {
                    return;
                }
            }
        }
    }
}
