//! The monitor's heart: `step` takes an event and gives the actions it asks for.
//!
//! No I/O and no clock: the time comes with the event, as a duration since the monitor began. What is to be done with
//! a VM is said by `decide`; here is only what it takes to do it one event at a time: launches under way, retries with
//! growing gaps, counters with their time frames, and what was said already.

mod event;
mod hook;
mod launch;
mod look;
mod reboot;

use std::time::Duration;

pub use event::{Action, Again, Event, LaunchFailure, Level, Look, Mode, Moment, Notes, Request, Scope, Traces};
use hook::HookState;
use reboot::Reboot;

use crate::decide::watch::Evidence;
use crate::settings::Settings;
use crate::virtualbox::Verb;

/// The first gap between looks at something under way; it doubles up to [`WIDEST_GAP`].
const FIRST_GAP: Duration = Duration::from_millis(50);
const WIDEST_GAP: Duration = Duration::from_secs(2);
/// Counters remember no more moments than this.
const MOST_MOMENTS: usize = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// Nothing is under way.
    Watching,
    /// A paused VM is being resumed, and the start method waits for it.
    Resuming,
    /// A launch is under way; the start method waits for it where `first`.
    Launching { first: bool, deadline: Option<Moment>, spawned: bool },
    /// The VM is being stopped, to be launched again.
    Rebooting(Reboot),
}

#[derive(Debug, Clone)]
pub struct Monitor {
    mode: Mode,
    settings: Box<Settings>,
    phase: Phase,
    wake: Moment,
    gap: Duration,
    evidence: Evidence,
    /// Something just changed: look again soon, not only at the next poll.
    settling: bool,
    process: bool,
    /// Since when VirtualBox says that the VM is down while its process lives.
    astray_since: Option<Moment>,
    live_since: Option<Moment>,
    /// How long the VM lived the last time it was up.
    last_life: Option<Duration>,
    short_lives: u32,
    not_before: Moment,
    aborts: Vec<Moment>,
    abort_counted: bool,
    /// The last launch was one that `notes.restarts` counts.
    restart_counted: bool,
    unknown_in_a_row: u32,
    hook: HookState,
    said: Option<String>,
    refusal_told: bool,
    notes: Notes,
}

impl Monitor {
    pub fn new(mode: Mode, settings: Settings) -> Self {
        Monitor {
            mode,
            settings: Box::new(settings),
            phase: Phase::Watching,
            wake: Moment::ZERO,
            gap: FIRST_GAP,
            evidence: Evidence::None,
            settling: false,
            process: matches!(mode, Mode::Attach { .. }),
            astray_since: None,
            live_since: None,
            last_life: None,
            short_lives: 0,
            not_before: Moment::ZERO,
            aborts: Vec::new(),
            abort_counted: false,
            restart_counted: false,
            unknown_in_a_row: 0,
            hook: HookState::default(),
            said: None,
            refusal_told: false,
            notes: Notes::default(),
        }
    }

    /// When the monitor wants to be woken if nothing else happens.
    pub fn next_wake(&self) -> Moment {
        self.wake
    }

    /// Since when the VM is live, as far as the monitor knows.
    pub fn live_since(&self) -> Option<Moment> {
        self.live_since
    }

    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn step(&mut self, now: Moment, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        match event {
            Event::Begin => self.begin(now, &mut actions),
            Event::Wake => self.woken(now, &mut actions),
            Event::Looked(look) => self.looked(now, look, &mut actions),
            Event::Launched(result) => self.launched(now, result, &mut actions),
            Event::Peeked(listed) => self.peeked(now, listed, &mut actions),
            Event::VmEnded { ended, traces, launch } => self.vm_ended(now, ended, traces, launch, &mut actions),
            Event::Ordered(order, result) => self.ordered(now, order, result, &mut actions),
            Event::HookEnded(code) => self.hook_ended(now, code, &mut actions),
            Event::Asked(result) => self.asked(now, result, &mut actions),
            Event::Refresh => actions.push(Action::Look { scope: Scope::All, reread: true }),
            Event::StandDown => {
                if self.hook.running {
                    actions.push(Action::KillHook);
                }
                if matches!(self.phase, Phase::Launching { first: true, .. }) {
                    actions.push(Action::Ready(Err("a stop overtook the start".to_string())));
                }
                actions.push(Action::Log(Level::Info, "standing down".to_string()));
                actions.push(Action::Exit);
            }
        }
        self.notes.launching = matches!(self.phase, Phase::Launching { .. });
        actions
    }

    fn begin(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match self.mode {
            Mode::Launch => self.launch(now, true, actions),
            Mode::Attach { resume } => {
                self.came_up(now);
                if resume {
                    self.phase = Phase::Resuming;
                    actions.push(Action::Order(Verb::Resume));
                } else {
                    actions.push(Action::Ready(Ok(())));
                }
            }
            Mode::Watch => {
                actions.push(Action::Ready(Ok(())));
                self.settle(now);
            }
        }
    }

    fn woken(&mut self, now: Moment, actions: &mut Vec<Action>) {
        match &self.phase {
            Phase::Launching { spawned: true, .. } => actions.push(Action::Peek),
            Phase::Launching { spawned: false, .. } => actions.push(Action::Launch),
            Phase::Watching | Phase::Resuming | Phase::Rebooting(_) => {
                actions.push(Action::Look { scope: Scope::All, reread: false })
            }
        }
        // Until the answer comes; whoever handles it sets the next moment.
        self.wake = now + self.settings.poll;
    }

    // --- asking SMF --------------------------------------------------------------------------------------------------

    fn ask(&mut self, now: Moment, request: Request, reason: &str, actions: &mut Vec<Action>) {
        let wanted = match request {
            Request::Offline => "offline",
            Request::Maintenance { .. } => "maintenance",
        };
        self.say_once(Level::Warning, format!("{reason}: asking SMF for {wanted}"), actions);
        self.schedule(now);
        actions.push(Action::Ask(request));
    }

    fn asked(&mut self, now: Moment, result: Result<(), String>, actions: &mut Vec<Action>) {
        match result {
            Ok(()) => {
                self.notes.complaint = None;
                // SMF takes a moment; its new state ends this monitor.
                self.wake = self.wake.min(now + Duration::from_secs(1));
            }
            Err(why) => {
                if !std::mem::replace(&mut self.refusal_told, true) {
                    let text = format!("SMF refuses: {why}; the monitor keeps watching");
                    actions.push(Action::Log(Level::Error, text));
                }
                self.notes.complaint = Some(why);
            }
        }
    }

    // --- when to look next -------------------------------------------------------------------------------------------

    /// Something changed: look again at once, then with growing gaps.
    fn settle(&mut self, now: Moment) {
        self.settling = true;
        self.gap = FIRST_GAP;
        self.wake = now + FIRST_GAP;
    }

    /// As `settle`, but gaps that are growing already go on to grow.
    fn settle_from(&mut self, now: Moment) {
        if !self.settling {
            self.settle(now);
        }
    }

    /// The next look: soon while something settles, else at the next poll or when the hook is due.
    fn schedule(&mut self, now: Moment) {
        self.wake = now + self.settings.poll;
        if self.settling {
            self.wake = now + self.gap.min(self.settings.poll);
            self.gap = (self.gap * 2).min(self.settings.poll);
            return;
        }
        if let (true, false, Some(due)) = (self.settings.hook.enabled, self.hook.running, self.hook.due)
            && due > now
        {
            self.wake = self.wake.min(due);
        }
    }

    fn widen(&mut self, now: Moment) {
        self.wake = now + self.gap.min(self.settings.poll);
        self.gap = (self.gap * 2).min(WIDEST_GAP);
    }

    fn say_once(&mut self, level: Level, text: String, actions: &mut Vec<Action>) {
        let level = if self.said.as_ref() == Some(&text) { Level::Debug } else { level };
        actions.push(Action::Log(level, text.clone()));
        self.said = Some(text);
    }
}

/// How many of these moments lie within the time frame; the others are forgotten.
fn within(moments: &mut Vec<Moment>, now: Moment, timeframe: Option<Duration>) -> u32 {
    if let Some(frame) = timeframe {
        moments.retain(|at| now.saturating_sub(*at) <= frame);
    }
    let excess = moments.len().saturating_sub(MOST_MOMENTS);
    moments.drain(..excess);
    u32::try_from(moments.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
