//! `startgui`: takes the VM from the monitor, shows it in a window, and leaves word that the monitor takes it back.
//!
//! The monitor's hands are off while the VM changes hands, by the nokick file, which is gone on every way out.

use std::env;
use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::bring_down::{Outcome, bring_down, processes};
use super::start::take_turn;
use super::subject::{Instance, Selector, Subject, World};
use super::zfssnap::{self, stage};
use super::{refresh, window};
use crate::decide::gui::{self, Custody, Facts, Gui};
use crate::decide::watch::NoKick;
use crate::decide::{Decision, Sight};
use crate::exec::{Call, InterruptibleRunner};
use crate::exit::{Exit, failure};
use crate::gui::{Display, names_a_machine};
use crate::rundir::RunDirError;
use crate::rundir::files::{Held, RunFiles};
use crate::settings::StopMethod;
use crate::virtualbox::Group;
use crate::virtualbox::process::Process;
use window::Left;

const FIRST_GAP: Duration = Duration::from_millis(50);
const WIDEST_GAP: Duration = Duration::from_secs(1);
/// How long the window may take to come up where SMF sets no time for a start.
const START_TIME: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Stay until the window is gone, and stop the VM on a trapped signal.
    pub foreground: bool,
    /// Instead of `vm/stop_method`.
    pub stop_method: Option<StopMethod>,
    /// Instead of `vm/stop_timeout`.
    pub timeout: Option<Duration>,
    /// More options for the window's program.
    pub options: Vec<OsString>,
}

pub fn run(world: &World, selector: &Selector, request: &Request) -> anyhow::Result<Exit> {
    let display = Display::of(|name| env::var_os(name)).map_err(|e| failure(Exit::Usage, e.to_string()))?;
    if let Some(option) = request.options.iter().find(|option| names_a_machine(option)) {
        let text = format!("--vbox-option {}: the VM is named by --vm or --svc", option.to_string_lossy());
        return Err(failure(Exit::Usage, text));
    }
    world.end_in_order()?;
    let instance = Instance::open(world, selector)?;
    let trap = Trap::set(world, if request.foreground { &instance.settings.fg_signals } else { &[] })?;
    let (files, log) = (instance.files.clone(), instance.log.clone());
    let handed_over = hand_over(instance, request, &display);
    // The nokick file is gone by now. Whatever came of it, the monitor is to see it at once.
    let poked = refresh::poke(&files);
    let (subject, window) = handed_over?;
    poked?;
    if !request.foreground {
        return Ok(Exit::Ok);
    }
    let left = window::watch(&subject, window)?;
    let exit = match left {
        Left::Gone => gone(&subject)?,
        Left::Hangs => Exit::TimedOut,
        Left::Signal if trap.has_sprung() => {
            log.info("a signal asks for the end: stopping the VM");
            let _hold = files.hold()?;
            // From here on a further signal means that even the stop is to be given up.
            world.ended.store(false, Ordering::Relaxed);
            stop(&subject, request)?
        }
        Left::Signal => return Err(failure(Exit::Fatal, "interrupted by a signal; the VM goes on in its window")),
    };
    refresh::poke(&files)?;
    Ok(exit)
}

/// The signals on which `-fg` stops the VM.
struct Trap(Arc<AtomicBool>);

impl Trap {
    fn set(world: &World, names: &[String]) -> anyhow::Result<Trap> {
        let sprung = Arc::new(AtomicBool::new(false));
        for signal in names.iter().filter_map(|name| name.parse::<Signal>().ok()) {
            signal_hook::flag::register(signal as i32, Arc::clone(&sprung))?;
            signal_hook::flag::register(signal as i32, Arc::clone(&world.ended))?;
        }
        Ok(Trap(sprung))
    }

    fn has_sprung(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

// --- the VM changes hands --------------------------------------------------------------------------------------------

fn hand_over<'w>(
    instance: Instance<'w>,
    request: &Request,
    display: &Display,
) -> anyhow::Result<(Subject<'w>, Process)> {
    let deadline = Instant::now() + instance.settings.smf_start_timeout.unwrap_or(START_TIME);
    // A start under way goes first; this then finds its VM running.
    let _turn = take_turn(&instance, Some(deadline))?;
    let _hold = instance.hold()?;
    let watched = is_watched(&instance)?;
    wait_for_launch(&instance, deadline)?;
    let subject = instance.with_machine(Some(deadline))?;
    let call = window_call(&subject, request, display)?;
    let mut wish = Wish { files: &subject.files, left: false };
    let custody = Custody { watched, interactive: subject.settings.kind.is_interactive(), was_headless: false };
    let was_headless = match prepare(&subject, request, custody, &mut wish, deadline)? {
        Ready::InWindow(window) => return Ok((subject, window)),
        Ready::Down { was_headless } => was_headless,
    };
    if watched && subject.files.monitor()?.is_none() {
        return Err(failure(Exit::Fatal, "the monitor ended meanwhile: a stop of the service overtook this command"));
    }
    let custody = Custody { was_headless, ..custody };
    if gui::taken_back(custody) {
        wish.leave()?;
    }
    zfssnap::around(&subject, stage::PRESTART_GUI);
    let window = match window::open(&subject, &call, deadline, request.foreground) {
        Ok(window) => window,
        Err(error) => {
            give_back(&subject, was_headless, &wish)?;
            return Err(error);
        }
    };
    zfssnap::around(&subject, stage::POSTSTART_GUI);
    subject.log.info(match wish.left {
        true => "the VM is live in its window; once its user has saved it there, the monitor takes it back",
        false => "the VM is live in its window",
    });
    Ok((subject, window))
}

fn is_watched(instance: &Instance) -> anyhow::Result<bool> {
    if instance.files.held()? == Held::By(NoKick::Administrator) {
        let path = instance.files.nokick.path().display();
        instance.log.warn(format!("{path} is an administrator's: the monitor takes no VM back while it is there"));
    }
    Ok(instance.files.monitor()?.is_some())
}

/// A monitor that has begun to launch the VM again goes on in spite of the nokick file.
fn wait_for_launch(instance: &Instance, deadline: Instant) -> anyhow::Result<()> {
    let launching = || instance.files.is_launching();
    if launching()? {
        instance.log.info("the monitor is starting the VM: waiting for that to end");
    }
    while launching()? && Instant::now() < deadline && !instance.world.is_ended() {
        sleep(FIRST_GAP);
    }
    Ok(())
}

/// The command line of the window, with the environment that leads to the caller's display.
fn window_call(subject: &Subject, request: &Request, display: &Display) -> anyhow::Result<Call> {
    let virtualbox = subject.virtualbox(&crate::exec::SystemRunner);
    let (program, args) = virtualbox.gui(&subject.machine.uuid, &request.options).ok_or_else(|| {
        failure(Exit::Config, "this VirtualBox has no VirtualBoxVM, so no window can be opened: install its GUI")
    })?;
    if let Some(obstacle) = display.obstacle(&subject.user.name) {
        subject.log.warn(obstacle);
    }
    Ok(Call::new(program, Duration::ZERO).args(args).env(virtualbox.env()).env(&display.variables()))
}

/// The restart-once file, as far as this command left it.
struct Wish<'a> {
    files: &'a RunFiles,
    left: bool,
}

impl Wish<'_> {
    /// Does nothing where the settings want no such file.
    fn leave(&mut self) -> Result<(), RunDirError> {
        if let Some(file) = &self.files.restart_once {
            file.write(&format!("startgui {}\n", std::process::id()), false)?;
            self.left = true;
        }
        Ok(())
    }

    fn withdraw(&self) -> Result<(), RunDirError> {
        match &self.files.restart_once {
            Some(file) if self.left => file.remove(),
            _ => Ok(()),
        }
    }
}

enum Ready {
    /// The VM has a window already.
    InWindow(Process),
    Down {
        was_headless: bool,
    },
}

/// Decides, and acts, until a window can be opened.
fn prepare(
    subject: &Subject,
    request: &Request,
    custody: Custody,
    wish: &mut Wish,
    deadline: Instant,
) -> anyhow::Result<Ready> {
    let mut was_headless = false;
    let mut gap = FIRST_GAP;
    let mut told = String::new();
    loop {
        let Decision { action, reason } = decide(subject)?;
        if reason != told {
            subject.log.info(&reason);
            told.clone_from(&reason);
        }
        match (action, processes(subject)?.first()) {
            (Gui::Leave, Some(window)) => return Ok(Ready::InWindow(*window)),
            (Gui::Open, _) => return Ok(Ready::Down { was_headless }),
            (Gui::Refuse, _) => return Err(failure(Exit::Fatal, reason)),
            (Gui::Save, _) => {
                was_headless = true;
                // Before the state is saved: whatever happens to this command then, the VM does not stay down.
                if gui::taken_back(Custody { was_headless, ..custody }) {
                    wish.leave()?;
                }
                save(subject, request, wish)?;
            }
            _ if subject.world.is_ended() => {
                return Err(failure(Exit::Fatal, "interrupted by a signal; the VM is left as it is"));
            }
            _ if Instant::now() + gap >= deadline => {
                return Err(failure(Exit::TimedOut, format!("the time for a start ran out: {reason}")));
            }
            _ => {
                sleep(gap);
                gap = (gap * 2).min(WIDEST_GAP);
            }
        }
    }
}

/// One look at the VM, and what it calls for; `--dry-run` says the same.
pub fn decide(subject: &Subject) -> anyhow::Result<Decision<Gui>> {
    let interrupted = || subject.world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    let (sight, in_window) = match subject.virtualbox(&runner).info(&subject.machine.uuid) {
        Ok(info) => (Sight::State(info.state), info.session.is_some_and(|session| session.starts_with("GUI"))),
        Err(error) => (Sight::NotKnown(error.to_string()), false),
    };
    Ok(gui::gui(&Facts { sight, process: !processes(subject)?.is_empty(), in_window }))
}

fn save(subject: &Subject, request: &Request, wish: &Wish) -> anyhow::Result<()> {
    match bring_down(subject, StopMethod::SaveState, time(subject, request))? {
        Outcome::Reached => Ok(()),
        Outcome::Failed => {
            wish.withdraw()?;
            Err(failure(Exit::Other, "the VM's state could not be saved; no window is opened"))
        }
        // It may still come to be saved, and is not to stay down then.
        Outcome::TimedOut => Err(failure(Exit::TimedOut, "the VM's state was not saved in time; no window is opened")),
    }
}

/// The window did not come up: a VM that was down before stays as it was, one that was live is the monitor's again.
fn give_back(subject: &Subject, was_headless: bool, wish: &Wish) -> anyhow::Result<()> {
    match (was_headless, wish.left) {
        (false, _) => wish.withdraw()?,
        (true, true) => subject.log.warn("no window for the VM: the monitor takes it back"),
        (true, false) => {
            subject.log.warn("no window for the VM: it stays saved, and start or startgui goes on with it")
        }
    }
    Ok(())
}

fn time(subject: &Subject, request: &Request) -> Option<Duration> {
    request.timeout.or(subject.settings.stop_timeout)
}

// --- in the foreground -----------------------------------------------------------------------------------------------

/// The window is gone: says what became of the VM. The wish to take it back goes unless it was saved, or it would be
/// heeded some other day.
fn gone(subject: &Subject) -> anyhow::Result<Exit> {
    let Some(state) = window::state(subject) else {
        subject.log.info("the window is gone");
        return Ok(Exit::Ok);
    };
    subject.log.info(format!("the window is gone and the VM is {state}"));
    let aborted = state.group() == Group::Aborted;
    if let (true, Some(file)) = (aborted || state.group() == Group::Halted, &subject.files.restart_once) {
        file.remove()?;
    }
    Ok(if aborted { Exit::Other } else { Exit::Ok })
}

fn stop(subject: &Subject, request: &Request) -> anyhow::Result<Exit> {
    let method = request.stop_method.unwrap_or(subject.settings.stop_method);
    Ok(match bring_down(subject, method, time(subject, request))? {
        Outcome::Reached => Exit::Ok,
        Outcome::Failed => Exit::Other,
        Outcome::TimedOut => Exit::TimedOut,
    })
}
