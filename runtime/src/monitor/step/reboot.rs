//! Bringing the VM down in order to launch it again, one order at a time.

use std::time::Duration;

use super::{Action, Again, FIRST_GAP, LaunchFailure, Level, Moment, Monitor, Phase, Request, Scope};
use crate::decide::stop::{self, Stop};
use crate::decide::watch;
use crate::settings::StopMethod;
use crate::virtualbox::Verb;
use crate::virtualbox::error::WEDGED_QUIET;

/// How long a reboot's stop may take where `vm/stop_timeout` sets none.
const REBOOT_TIME: Duration = Duration::from_secs(300);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reboot {
    began: Moment,
    method: StopMethod,
    given: Option<Duration>,
    accepted: Vec<Verb>,
    refused: Option<(Verb, String)>,
}

impl Monitor {
    pub(super) fn reboot(&mut self, now: Moment, method: StopMethod, actions: &mut Vec<Action>) {
        let given = Some(self.settings.stop_timeout.unwrap_or(REBOOT_TIME));
        self.phase = Phase::Rebooting(Reboot { began: now, method, given, accepted: Vec::new(), refused: None });
        self.gap = FIRST_GAP;
        self.wake = now + self.settings.poll;
        actions.push(Action::Look { scope: Scope::All, reread: false });
    }

    pub(super) fn reboot_on(&mut self, now: Moment, facts: watch::Facts, actions: &mut Vec<Action>) {
        let Phase::Rebooting(reboot) = &self.phase else { return };
        let left = reboot.given.map(|given| given.saturating_sub(now.saturating_sub(reboot.began)));
        let decision = stop::stop(&stop::Facts {
            sight: facts.sight,
            process: facts.process,
            method: reboot.method,
            accepted: reboot.accepted.clone(),
            refused: reboot.refused.clone(),
            was_up: false,
            left,
            given: reboot.given,
        });
        match decision.action {
            Stop::Give(order) => {
                actions.push(Action::Log(Level::Info, decision.reason));
                actions.push(Action::Order(order));
            }
            Stop::Wait => self.widen(now),
            Stop::Done => self.launch(now, false, actions),
            Stop::Failed | Stop::TimedOut => {
                self.phase = Phase::Watching;
                let reason = format!("the VM could not be rebooted: {}", decision.reason);
                let stop_vm = self.settings.maintenance_stops_vm;
                self.ask(now, Request::Maintenance { stop_vm }, &reason, actions);
            }
        }
    }

    pub(super) fn ordered(
        &mut self,
        now: Moment,
        order: Verb,
        result: Result<(), LaunchFailure>,
        actions: &mut Vec<Action>,
    ) {
        if let Err(failure) = &result {
            let text = format!("VirtualBox does not take the order {}: {}", order.word(), failure.reason);
            actions.push(Action::Log(Level::Warning, text));
        }
        let quiet = matches!(&result, Err(failure) if failure.again == Again::AfterQuiet);
        match (&mut self.phase, result) {
            (Phase::Resuming, result) => {
                self.phase = Phase::Watching;
                let failed = result.is_err();
                actions.push(Action::Ready(result.map_err(|failure| failure.reason)));
                if failed {
                    actions.push(Action::Exit);
                }
                return self.schedule(now);
            }
            (Phase::Rebooting(reboot), Ok(())) => reboot.accepted.push(order),
            (Phase::Rebooting(reboot), Err(failure)) if failure.again == Again::Never => {
                reboot.refused = Some((order, failure.reason));
            }
            (Phase::Rebooting(_), Err(_)) => {}
            _ => return self.schedule(now),
        }
        if quiet {
            self.wake = now + WEDGED_QUIET;
        } else {
            self.widen(now);
        }
    }
}
