//! What must hold of one VM after an event: plain rules over plain data, written after what `vboxsvc` promises
//! (vboxsvc(7) and vboxsvc(5)) and not after its code. It knows no host and no clock.
//!
//! Where two things happen at once, either may come first: then an event has several outcomes, each of them right, and
//! what is seen must be one of them.

use super::events::Event;

/// What an instance's settings say, as far as the load changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    pub restart_halted: bool,
    pub restart_saved: bool,
    pub paused: OnPause,
    pub kicker: Kicker,
    pub offline_is_maint: bool,
    pub stop: StopMethod,
    /// More aborts than this end in maintenance.
    pub aborts_allowed: Option<u32>,
    /// There is a check inside the VM; more failures than [`HOOK_FAILURES_ALLOWED`] reboot the VM.
    pub hook: bool,
}

pub const HOOK_FAILURES_ALLOWED: u32 = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnPause {
    Ignore,
    Resume,
    GoOffline,
}

/// `vm/kicker_restart`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kicker {
    AsSet,
    None,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMethod {
    SaveState,
    PowerOff,
    PowerOffGraceful,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    Online,
    Disabled,
    Maintenance,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Running,
    Paused,
    Saved,
    Off,
    Aborted,
    /// Its process went when VirtualBox had lost it, or with the host: VirtualBox says what it last wrote down.
    Lost,
}

impl State {
    pub fn is_up(self) -> bool {
        matches!(self, State::Running | State::Paused)
    }

    /// VirtualBox's words for it.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            State::Running => &["running"],
            State::Paused => &["paused"],
            State::Saved => &["saved"],
            State::Off => &["poweroff"],
            State::Aborted => &["aborted", "aborted-saved"],
            State::Lost => &["poweroff", "aborted", "aborted-saved", "saved"],
        }
    }
}

/// A VM, its instance and its monitor as they must be while nothing is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vm {
    pub rules: Rules,
    /// What a boot goes by.
    pub enabled: bool,
    pub service: Service,
    pub state: State,
    /// A monitor stands beside it.
    pub watched: bool,
    /// How often a process of the VM was started, by whomever.
    pub starts: u32,
    /// How often its present monitor has brought it back.
    pub restarts: u32,
    /// The aborts that its present monitor has counted.
    pub aborts: u32,
    /// The running process is recorded as the service's own; false where the monitor may have died before it wrote.
    pub recorded: bool,
}

impl Vm {
    /// Registered, never started, its instance disabled.
    pub fn new(rules: Rules) -> Vm {
        Vm {
            rules,
            enabled: false,
            service: Service::Disabled,
            state: State::Off,
            watched: false,
            starts: 0,
            restarts: 0,
            aborts: 0,
            recorded: true,
        }
    }

    /// Every outcome of an event that is right.
    pub fn after(&self, event: Event) -> Vec<Vm> {
        let one = |vm: Vm| vec![vm];
        match event {
            Event::Crash => one(self.rests(State::Aborted)),
            Event::CrashTwice => self.crashed_twice(),
            Event::GuestPowersOff | Event::PowerOffByHand => one(self.rests(State::Off)),
            Event::UserSaves | Event::SaveByHand => one(self.rests(State::Saved)),
            Event::Pause => one(self.pauses()),
            Event::Resume => one(Vm { state: State::Running, ..self.clone() }),
            Event::Enable => one(self.enabled_again()),
            Event::Disable => one(self.disabled()),
            Event::Restart => one(self.stopped().starts_up()),
            Event::Refresh | Event::ResetByHand | Event::HookFailsOnce => one(self.clone()),
            Event::Change(change) => one(Vm { rules: change.applied(self.rules), ..self.clone() }),
            Event::KillMonitor | Event::EndMonitor => one(self.unwatched()),
            Event::KillMonitorThenCrash => one(Vm { state: State::Aborted, ..self.unwatched() }),
            Event::CrashThenKillMonitor => self.crashed_and_unwatched(),
            Event::Maintenance => one(Vm { service: Service::Maintenance, ..self.unwatched() }),
            Event::Clear if !self.enabled => one(Vm { service: Service::Disabled, ..self.clone() }),
            Event::Clear | Event::StartByHand => self.started_again(),
            Event::RebootByHand => one(self.unwatched().fresh_monitor().launched()),
            Event::HookFailsTooOften | Event::HookWantsReboot => one(self.launched().counted()),
            Event::HookWantsMaintenance => one(Vm { service: Service::Maintenance, ..self.unwatched() }),
            Event::CrashWhileDisabling => self.crashed_while_disabling(),
            Event::DisableThenEnable => vec![self.clone(), self.disabled().enabled_again()],
            Event::EnableThenDisable => {
                vec![Vm { enabled: false, ..self.clone() }, self.enabled_again().disabled()]
            }
            Event::CrashWhileSaving => self.crashed_while_saving(),
        }
    }

    /// The host goes down, in order or by the plug, and comes up again.
    pub fn after_boot(&self, orderly: bool) -> Vec<Vm> {
        if !self.enabled {
            let state = if self.state.is_up() { State::Lost } else { self.state };
            return vec![Vm { service: Service::Disabled, state, ..self.unwatched() }];
        }
        // SMF stops what is online; a service in maintenance it leaves, and the VM goes with the host.
        let down = if orderly && self.service == Service::Online { self.stopped() } else { self.unwatched() };
        vec![down.starts_from_rest()]
    }

    /// VirtualBox's server is killed: every VM's process ends some seconds later, and that is an abort.
    pub fn after_server_death(&self) -> Vec<Vm> {
        if !self.state.is_up() {
            return vec![self.clone()];
        }
        let after = self.rests(State::Aborted);
        let state = if after.state == State::Aborted { State::Lost } else { after.state };
        vec![Vm { state, ..after }]
    }

    // --- how a VM comes up -------------------------------------------------------------------------------------------

    fn launched(&self) -> Vm {
        Vm { state: State::Running, starts: self.starts + 1, recorded: true, ..self.clone() }
    }

    fn counted(&self) -> Vm {
        Vm { restarts: self.restarts + 1, ..self.clone() }
    }

    fn fresh_monitor(&self) -> Vm {
        Vm { watched: true, restarts: 0, aborts: 0, ..self.clone() }
    }

    fn starts_from_rest(&self) -> Vm {
        Vm { service: Service::Online, ..self.fresh_monitor() }.launched()
    }

    /// The start method: a VM that runs already is left undisturbed, a paused one goes on.
    fn starts_up(&self) -> Vm {
        match self.state.is_up() {
            true => Vm { service: Service::Online, state: State::Running, recorded: true, ..self.fresh_monitor() },
            false => self.starts_from_rest(),
        }
    }

    fn started_again(&self) -> Vec<Vm> {
        let mut outcomes = vec![self.starts_up()];
        if self.state.is_up() && !self.recorded {
            // Nobody knows that it is ours: it is taken over, by its saved state.
            outcomes.push(self.starts_from_rest());
        }
        outcomes
    }

    fn enabled_again(&self) -> Vm {
        Vm { enabled: true, ..self.clone() }.starts_up()
    }

    // --- how it comes down -------------------------------------------------------------------------------------------

    fn unwatched(&self) -> Vm {
        Vm { watched: false, restarts: 0, aborts: 0, ..self.clone() }
    }

    /// The stop method: by `vm/stop_method`, and a VM at rest stays as it is.
    fn stopped(&self) -> Vm {
        let state = match (self.state.is_up(), self.rules.stop) {
            (false, _) => self.state,
            (true, StopMethod::SaveState) => State::Saved,
            (true, StopMethod::PowerOff | StopMethod::PowerOffGraceful) => State::Off,
        };
        Vm { state, ..self.unwatched() }
    }

    fn disabled(&self) -> Vm {
        Vm { enabled: false, service: Service::Disabled, ..self.stopped() }
    }

    /// The VM came to rest: what the monitor makes of it, where there is one.
    fn rests(&self, state: State) -> Vm {
        let down = Vm { state, ..self.clone() };
        if !self.watched || self.service != Service::Online || self.rules.kicker == Kicker::None {
            return down;
        }
        let all = self.rules.kicker == Kicker::All;
        match state {
            State::Aborted => down.aborts_once_more(),
            State::Off if self.rules.restart_halted || all => down.launched().counted(),
            State::Saved if self.rules.restart_saved || all => down.launched().counted(),
            _ => down.goes_offline(),
        }
    }

    fn aborts_once_more(&self) -> Vm {
        let aborts = self.aborts + 1;
        if self.rules.aborts_allowed.is_some_and(|allowed| aborts > allowed) {
            return Vm { service: Service::Maintenance, ..self.unwatched() };
        }
        Vm { aborts, ..self.clone() }.launched().counted()
    }

    /// `svcadm disable -t`, which a boot forgets; or maintenance.
    fn goes_offline(&self) -> Vm {
        match self.rules.offline_is_maint {
            true => Vm { service: Service::Maintenance, ..self.unwatched() },
            false => Vm { service: Service::Disabled, ..self.stopped() },
        }
    }

    fn pauses(&self) -> Vm {
        let paused = Vm { state: State::Paused, ..self.clone() };
        if !self.watched || self.service != Service::Online || self.rules.kicker == Kicker::None {
            return paused;
        }
        match self.rules.paused {
            _ if self.rules.kicker == Kicker::All => self.clone(),
            OnPause::Resume => self.clone(),
            OnPause::Ignore => paused,
            OnPause::GoOffline => paused.goes_offline(),
        }
    }

    // --- two things at once ------------------------------------------------------------------------------------------

    /// Killed again as soon as it is back, which may be before VirtualBox said that it is live: then the first restart
    /// is none that counts.
    fn crashed_twice(&self) -> Vec<Vm> {
        let once = self.rests(State::Aborted);
        if !once.state.is_up() {
            return vec![once];
        }
        let twice = once.rests(State::Aborted);
        let uncounted = Vm { restarts: twice.restarts.saturating_sub(1), ..twice.clone() };
        vec![twice, uncounted]
    }

    fn crashed_and_unwatched(&self) -> Vec<Vm> {
        let back = self.rests(State::Aborted);
        let down = Vm { state: State::Aborted, ..self.unwatched() };
        match back.state.is_up() {
            // The monitor may have launched it before it was killed, and may not have come to write that down.
            true => vec![down, Vm { recorded: false, ..back.unwatched() }],
            false => vec![down, back.unwatched()],
        }
    }

    /// Whichever came first: where the VM was back in between, the other finds it up again.
    fn crashed_while_saving(&self) -> Vec<Vm> {
        let (crashed, saved) = (self.rests(State::Aborted), self.rests(State::Saved));
        let mut outcomes = vec![crashed.clone(), saved.clone()];
        outcomes.extend(crashed.state.is_up().then(|| crashed.rests(State::Saved)));
        outcomes.extend(saved.state.is_up().then(|| saved.rests(State::Aborted)));
        outcomes
    }

    /// A stop that sees its VM die on the way has failed.
    fn crashed_while_disabling(&self) -> Vec<Vm> {
        let aborted = Vm { state: State::Aborted, ..self.clone() }.disabled();
        let failed = Vm { service: Service::Maintenance, ..aborted.clone() };
        let back = self.rests(State::Aborted);
        let mut outcomes = vec![aborted, failed];
        if back.state.is_up() {
            outcomes.push(back.disabled());
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn online(rules: Rules) -> Vm {
        Vm::new(rules).after(Event::Enable).remove(0)
    }

    const PLAIN: Rules = Rules {
        restart_halted: false,
        restart_saved: false,
        paused: OnPause::Ignore,
        kicker: Kicker::AsSet,
        offline_is_maint: false,
        stop: StopMethod::SaveState,
        aborts_allowed: Some(1),
        hook: false,
    };

    #[test]
    fn one_abort_more_than_allowed_is_maintenance_and_a_new_monitor_counts_anew() {
        let once = online(PLAIN).after(Event::Crash).remove(0);
        assert_eq!((once.service, once.starts, once.restarts), (Service::Online, 2, 1));
        let twice = once.after(Event::Crash).remove(0);
        assert_eq!((twice.service, twice.state, twice.watched), (Service::Maintenance, State::Aborted, false));
        let cleared = twice.after(Event::Clear).remove(0);
        assert_eq!((cleared.service, cleared.starts, cleared.restarts), (Service::Online, 3, 0));
        assert_eq!(cleared.after(Event::Crash).remove(0).service, Service::Online);
    }

    #[test]
    fn what_the_monitor_disables_comes_back_with_the_host_and_what_a_person_disables_does_not() {
        let offline = online(PLAIN).after(Event::GuestPowersOff).remove(0);
        assert_eq!((offline.service, offline.enabled), (Service::Disabled, true));
        assert_eq!(offline.after_boot(true)[0].state, State::Running);
        let disabled = online(PLAIN).after(Event::Disable).remove(0);
        assert_eq!((disabled.state, disabled.after_boot(true)[0].starts), (State::Saved, 1));
    }
}
