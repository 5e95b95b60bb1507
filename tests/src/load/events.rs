//! What may happen to a VM, and the choice of what happens next.

use fastrand::Rng;

use super::model::{Kicker, OnPause, Rules, Service, State, StopMethod, Vm};

/// Something that happens to one VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    Crash,
    CrashTwice,
    GuestPowersOff,
    /// VBoxManage saves it, outside the service.
    UserSaves,
    Pause,
    Resume,
    Enable,
    Disable,
    /// `svcadm restart`
    Restart,
    Refresh,
    Change(Change),
    KillMonitor,
    /// TERM: it stands down.
    EndMonitor,
    KillMonitorThenCrash,
    CrashThenKillMonitor,
    /// `svcadm mark -I maintenance`: the VM goes on.
    Maintenance,
    Clear,
    StartByHand,
    SaveByHand,
    PowerOffByHand,
    RebootByHand,
    ResetByHand,
    HookFailsOnce,
    HookFailsTooOften,
    HookWantsReboot,
    HookWantsMaintenance,
    CrashWhileDisabling,
    CrashWhileSaving,
    DisableThenEnable,
    EnableThenDisable,
}

/// A setting that changes, with a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    RestartHalted,
    RestartSaved,
    Stop,
}

impl Change {
    pub fn applied(self, rules: Rules) -> Rules {
        match self {
            Change::RestartHalted => Rules { restart_halted: !rules.restart_halted, ..rules },
            Change::RestartSaved => Rules { restart_saved: !rules.restart_saved, ..rules },
            Change::Stop => Rules {
                stop: match rules.stop {
                    StopMethod::SaveState => StopMethod::PowerOff,
                    StopMethod::PowerOff => StopMethod::PowerOffGraceful,
                    StopMethod::PowerOffGraceful => StopMethod::SaveState,
                },
                ..rules
            },
        }
    }
}

/// Something that happens to the whole host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disaster {
    /// VBoxSVC gets KILL.
    ServerKilled,
    /// VBoxSVC gets TERM.
    ServerEnded,
    Reboot,
    Plug,
}

impl Disaster {
    pub const ALL: [Disaster; 4] = [Disaster::Reboot, Disaster::ServerKilled, Disaster::Plug, Disaster::ServerEnded];
}

/// What the settings of one more VM say.
pub fn rules(random: &mut Rng) -> Rules {
    let stops = [StopMethod::SaveState, StopMethod::SaveState, StopMethod::PowerOff, StopMethod::PowerOffGraceful];
    let pauses = [OnPause::Ignore, OnPause::Resume, OnPause::GoOffline];
    let kicker = match random.u8(..10) {
        0 => Kicker::None,
        1 => Kicker::All,
        _ => Kicker::AsSet,
    };
    Rules {
        restart_halted: random.bool(),
        restart_saved: random.bool(),
        paused: pauses[random.usize(..pauses.len())],
        kicker,
        offline_is_maint: random.u8(..4) == 0,
        stop: stops[random.usize(..stops.len())],
        aborts_allowed: (random.u8(..3) == 0).then_some(3),
        hook: random.u8(..4) == 0,
    }
}

/// What happens to this VM next.
pub fn choose(vm: &Vm, random: &mut Rng) -> Event {
    let likely = candidates(vm);
    let all: u32 = likely.iter().map(|(weight, _)| weight).sum();
    let mut at = random.u32(..all.max(1));
    for (weight, event) in likely {
        if at < weight {
            return event;
        }
        at -= weight;
    }
    Event::Refresh
}

/// The events that make sense, with their weights.
fn candidates(vm: &Vm) -> Vec<(u32, Event)> {
    let mut events = vec![
        (2, Event::Refresh),
        (1, Event::Change(Change::RestartHalted)),
        (1, Event::Change(Change::RestartSaved)),
        (1, Event::Change(Change::Stop)),
    ];
    match vm.service {
        Service::Disabled => {
            events.extend([(30, Event::Enable), (3, Event::EnableThenDisable)]);
            return events;
        }
        Service::Maintenance => {
            events.push((30, Event::Clear));
            if vm.state.is_up() {
                events.push((3, Event::Crash));
            }
            return events;
        }
        Service::Online => {}
    }
    events.extend([
        (3, Event::Disable),
        (3, Event::Restart),
        (1, Event::Maintenance),
        (if vm.watched { 2 } else { 20 }, Event::StartByHand),
        (1, Event::DisableThenEnable),
    ]);
    if vm.watched {
        events.extend([(2, Event::KillMonitor), (1, Event::EndMonitor)]);
    }
    if !vm.state.is_up() {
        // Left alone as its settings say, or because nobody watches it.
        return events;
    }
    events.extend([(12, Event::Crash), (2, Event::SaveByHand), (1, Event::CrashWhileDisabling)]);
    if vm.watched {
        events.extend([(2, Event::KillMonitorThenCrash), (2, Event::CrashThenKillMonitor)]);
        if vm.rules.kicker != Kicker::None {
            events.push((2, Event::CrashTwice));
        }
    }
    if vm.state == State::Paused {
        events.push((20, Event::Resume));
        return events;
    }
    events.extend([
        (5, Event::GuestPowersOff),
        (3, Event::UserSaves),
        (3, Event::Pause),
        (2, Event::PowerOffByHand),
        (2, Event::RebootByHand),
        (1, Event::ResetByHand),
        (1, Event::CrashWhileSaving),
    ]);
    if vm.rules.hook && vm.watched {
        events.extend([
            (6, Event::HookFailsOnce),
            (4, Event::HookFailsTooOften),
            (4, Event::HookWantsReboot),
            (2, Event::HookWantsMaintenance),
        ]);
    }
    events
}
