//! One look at the world: its counters, the decision, and what the decision asks for.

use std::time::Duration;

use super::{Action, Level, Look, Moment, Monitor, Phase, Request, within};
use crate::decide::watch::{self, Evidence, NoKick, SmfState, Watch};
use crate::decide::{Decision, Sight};
use crate::settings::StopMethod;
use crate::virtualbox::error::WEDGED_QUIET;
use crate::virtualbox::{Group, Verb};

/// A VM that dies within this time of its start makes the next restart wait longer.
const SHORT_LIFE: Duration = Duration::from_secs(60);
/// The longest wait between repeated restarts.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Monitor {
    pub(super) fn looked(&mut self, now: Moment, look: Look, actions: &mut Vec<Action>) {
        let Look { settings, smf, nokick, sight, process, restart_once } = look;
        self.settings = settings;
        self.process = process;
        if matches!(self.phase, Phase::Launching { .. }) {
            return; // a refresh in the middle of a launch: the settings are taken, the rest can wait
        }
        self.count(now, sight.as_ref());
        if matches!(smf, SmfState::InTransition | SmfState::NotKnown(_)) {
            self.settle_from(now);
        }
        self.schedule(now);
        if let Some(Sight::Wedged(_)) = sight {
            self.wake = self.wake.max(now + WEDGED_QUIET);
        }
        let sight = sight.unwrap_or_else(|| Sight::NotKnown("VirtualBox was not asked".to_string()));
        let facts = watch::Facts {
            smf,
            nokick,
            sight,
            process,
            evidence: self.evidence,
            restart_once,
            hook_due: self.hook_due(now),
            aborts: self.recent_aborts(now),
            unknown_in_a_row: self.unknown_in_a_row,
        };
        if facts.smf == SmfState::Up && facts.nokick == NoKick::None && matches!(self.phase, Phase::Rebooting(_)) {
            return self.reboot_on(now, facts, actions);
        }
        let decision = watch::watch(&facts, &self.settings);
        self.act(now, decision, &facts, actions);
    }

    /// Takes what a sighting says into the counters; `None`: VirtualBox was not asked.
    pub(super) fn count(&mut self, now: Moment, sight: Option<&Sight>) {
        let group = sight.and_then(Sight::state).map(|state| state.group());
        if self.evidence == Evidence::Crashed || (group == Some(Group::Aborted) && !self.process) {
            self.count_abort(now);
        }
        match (sight, group) {
            (None, _) => {}
            (Some(_), None | Some(Group::Saving | Group::Passing | Group::Empty)) => self.settle_from(now),
            (Some(_), Some(Group::Live)) => {
                if self.process && self.live_since.is_none() {
                    self.came_up(now);
                }
                self.astray_since = None;
                self.said = None;
                self.refusal_told = false;
                self.settling = false;
            }
            // A VirtualBox that has lost the VM says what it last wrote down, and that is never that the VM is saved.
            (Some(_), Some(Group::Saved)) if self.process => self.settle_from(now),
            (Some(_), Some(Group::Halted | Group::Aborted)) if self.process => {
                self.astray_since.get_or_insert(now);
                self.settle_from(now);
            }
            (Some(_), Some(Group::Halted | Group::Saved | Group::Aborted)) => {
                self.went_down(now);
                self.settling = false;
            }
            (Some(_), Some(Group::Paused | Group::Stuck | Group::Unknown)) => self.settling = false,
        }
        match group {
            Some(Group::Unknown) => self.unknown_in_a_row = self.unknown_in_a_row.saturating_add(1),
            Some(_) => self.unknown_in_a_row = 0,
            None => {}
        }
    }

    pub(super) fn went_down(&mut self, now: Moment) {
        if let Some(since) = self.live_since.take() {
            self.last_life = Some(now.saturating_sub(since));
        }
    }

    /// Counts an abort once. Repeated ones soon after a start wait longer each time: 0, 1, 2, 4 … 60 seconds.
    pub(super) fn count_abort(&mut self, now: Moment) {
        if std::mem::replace(&mut self.abort_counted, true) {
            return;
        }
        self.went_down(now);
        self.aborts.push(now);
        self.short_lives = match self.last_life.take() {
            Some(life) if life < SHORT_LIFE => self.short_lives.saturating_add(1),
            _ => 1,
        };
        let wait = match self.short_lives {
            0 | 1 => Duration::ZERO,
            n => Duration::from_secs(1u64 << (n - 2).min(6)).min(LONGEST_WAIT),
        };
        self.not_before = now + wait;
    }

    pub(super) fn recent_aborts(&mut self, now: Moment) -> u32 {
        within(&mut self.aborts, now, self.settings.aborts.timeframe)
    }

    pub(super) fn hook_due(&self, now: Moment) -> bool {
        let hook = &self.settings.hook;
        hook.enabled && hook.method.is_some() && !self.hook.running && self.hook.due.is_some_and(|due| now >= due)
    }

    pub(super) fn act(
        &mut self,
        now: Moment,
        decision: Decision<Watch>,
        facts: &watch::Facts,
        actions: &mut Vec<Action>,
    ) {
        let Decision { action, reason } = decision;
        if matches!(action, Watch::Launch | Watch::LaunchOnce | Watch::PowerOffThenLaunch) && now < self.not_before {
            self.wake = self.not_before;
            let left = (self.not_before - now).as_secs_f32();
            return self.say_once(
                Level::Info,
                format!("{reason}, in {left:.0} s: it died soon after its last start"),
                actions,
            );
        }
        match action {
            Watch::Nothing | Watch::Skip => actions.push(Action::Log(Level::Debug, reason)),
            Watch::LeaveAlone => self.say_once(Level::Info, reason, actions),
            Watch::End => {
                actions.push(Action::Log(Level::Info, format!("{reason}: the monitor ends")));
                actions.push(Action::Exit);
            }
            Watch::RunHook => {
                self.hook.running = true;
                actions.push(Action::RunHook);
            }
            Watch::Launch | Watch::LaunchOnce => {
                actions.push(Action::Log(Level::Info, reason));
                if action == Watch::LaunchOnce {
                    actions.push(Action::RemoveRestartOnce);
                }
                self.launch(now, false, actions);
            }
            Watch::Resume => {
                actions.push(Action::Log(Level::Info, reason));
                actions.push(Action::Order(Verb::Resume));
            }
            Watch::PowerOffThenLaunch => {
                actions.push(Action::Log(Level::Info, reason));
                self.reboot(now, StopMethod::PowerOff, actions);
            }
            Watch::AskOffline if self.settings.offline_is_maint => {
                let reason = format!("{reason} (vm/offline_is_maint)");
                self.ask(now, Request::Maintenance { stop_vm: false }, &reason, actions);
            }
            Watch::AskOffline => self.ask(now, Request::Offline, &reason, actions),
            Watch::AskMaintenance => {
                let live = facts.sight.state().is_some_and(|s| s.group() == Group::Live);
                let stop_vm = live && self.settings.maintenance_stops_vm;
                self.ask(now, Request::Maintenance { stop_vm }, &reason, actions);
            }
        }
    }
}
