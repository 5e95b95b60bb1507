//! Launching the VM, and what its process's end means.

use std::time::Duration;

use super::{
    Action, Again, FIRST_GAP, LaunchFailure, Level, Moment, Monitor, Phase, Request, Scope, Traces, WIDEST_GAP,
};
use crate::decide::stop;
use crate::decide::watch::Evidence;
use crate::exec::Ended;
use crate::virtualbox::error::WEDGED_QUIET;

/// A process ends within this time of its VM. One that goes on for longer, VirtualBox has lost.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// VirtualBox's server ends by itself when nobody has used it for five seconds, so well after its last VM.
const SERVER_STAYS: Duration = Duration::from_secs(2);
/// How long a launch may take where SMF sets no time-out.
const LAUNCH_TIME: Duration = Duration::from_secs(300);

impl Monitor {
    pub(super) fn launch(&mut self, now: Moment, first: bool, actions: &mut Vec<Action>) {
        let deadline = self.launch_deadline(now);
        self.phase = Phase::Launching { first, deadline, spawned: false };
        self.gap = FIRST_GAP;
        self.wake = now + self.settings.poll;
        actions.push(Action::Launch);
    }

    fn launch_deadline(&self, now: Moment) -> Option<Moment> {
        let time = self.settings.smf_start_timeout.unwrap_or(LAUNCH_TIME);
        stop::time_given(None, Some(time)).map(|t| now + t)
    }

    pub(super) fn launched(&mut self, now: Moment, result: Result<(), LaunchFailure>, actions: &mut Vec<Action>) {
        let Phase::Launching { spawned, .. } = &mut self.phase else { return };
        match result {
            Ok(()) => {
                *spawned = true;
                self.process = true;
                self.evidence = Evidence::None;
                self.widen(now);
            }
            Err(failure) => self.launch_failed(now, failure, actions),
        }
    }

    pub(super) fn peeked(&mut self, now: Moment, listed: Option<bool>, actions: &mut Vec<Action>) {
        let Phase::Launching { first, deadline, .. } = self.phase else { return };
        if listed == Some(true) {
            self.phase = Phase::Watching;
            self.came_up(now);
            self.restart_counted = !first;
            if first {
                actions.push(Action::Ready(Ok(())));
            } else {
                self.notes.restarts = self.notes.restarts.saturating_add(1);
            }
            actions.push(Action::Log(Level::Info, "the VM is live".to_string()));
        } else if deadline.is_some_and(|d| now >= d) {
            let reason = "VirtualBox did not say that the VM is live in the time for a start; its process is left";
            self.give_up(now, first, reason.to_string(), actions);
        } else {
            self.widen(now);
        }
    }

    pub(super) fn launch_failed(&mut self, now: Moment, failure: LaunchFailure, actions: &mut Vec<Action>) {
        let Phase::Launching { first, deadline, spawned } = &mut self.phase else { return };
        *spawned = false;
        let (first, deadline) = (*first, *deadline);
        let pause = match failure.again {
            Again::Soon => {
                self.gap = (self.gap * 2).min(WIDEST_GAP);
                self.gap
            }
            Again::AfterQuiet => WEDGED_QUIET,
            Again::Never => return self.give_up(now, first, failure.reason, actions),
        };
        if deadline.is_some_and(|d| now + pause >= d) {
            return self.give_up(now, first, failure.reason, actions);
        }
        actions.push(Action::Log(Level::Debug, format!("the launch is tried again: {}", failure.reason)));
        self.wake = now + pause;
    }

    pub(super) fn give_up(&mut self, now: Moment, first: bool, reason: String, actions: &mut Vec<Action>) {
        self.phase = Phase::Watching;
        if first {
            actions.push(Action::Ready(Err(reason)));
            actions.push(Action::Exit);
        } else {
            let reason = format!("the VM could not be brought back: {reason}");
            self.ask(now, Request::Maintenance { stop_vm: false }, &reason, actions);
        }
    }

    /// The VM is live as of now.
    pub(super) fn came_up(&mut self, now: Moment) {
        self.process = true;
        self.live_since = Some(now);
        self.evidence = Evidence::None;
        self.abort_counted = false;
        self.astray_since = None;
        self.said = None;
        self.refusal_told = false;
        self.settling = false;
        self.hook.due = Some(now + self.settings.hook.startdelay);
        self.wake = now + self.settings.poll;
    }

    /// The process ended because it could not have the VM's session, so it never ran the VM: what VirtualBox listed was
    /// the process before it, whose death it had not noticed yet. The launch goes on, and neither a restart nor an abort
    /// counts.
    fn was_never_live(&mut self, now: Moment, launch: LaunchFailure, actions: &mut Vec<Action>) {
        if std::mem::take(&mut self.restart_counted) {
            self.notes.restarts = self.notes.restarts.saturating_sub(1);
        }
        self.live_since = None;
        self.abort_counted = true;
        let text = format!("VirtualBox told of the process before this one, the VM is not live yet: {}", launch.reason);
        actions.push(Action::Log(Level::Info, text));
        let deadline = self.launch_deadline(now);
        self.phase = Phase::Launching { first: false, deadline, spawned: true };
        self.gap = FIRST_GAP;
        self.launch_failed(now, launch, actions);
    }

    pub(super) fn vm_ended(
        &mut self,
        now: Moment,
        ended: Option<Ended>,
        traces: Traces,
        launch: LaunchFailure,
        actions: &mut Vec<Action>,
    ) {
        self.process = false;
        match (&self.phase, ended) {
            // Killed on its way back, before VirtualBox said that it is live: one more abort, after a very short life.
            (Phase::Launching { first: false, .. }, Some(Ended::Signaled(_))) => {
                self.phase = Phase::Watching;
                self.abort_counted = false;
                self.live_since = Some(now);
            }
            (Phase::Launching { .. }, _) => return self.launch_failed(now, launch, actions),
            (Phase::Watching, Some(Ended::Exited(code))) if code != 0 && launch.again != Again::Never => {
                return self.was_never_live(now, launch, actions);
            }
            _ => {}
        }
        self.went_down(now);
        let astray = self.astray_since.take().map(|since| now.saturating_sub(since));
        let lost = was_lost(ended, traces, astray);
        let crashed = lost || !matches!(ended, None | Some(Ended::Exited(0)));
        self.evidence = if crashed { Evidence::Crashed } else { Evidence::Ended };
        let how = describe_end(ended, lost);
        actions.push(Action::Log(if crashed { Level::Warning } else { Level::Info }, how.clone()));
        self.notes.last_end = Some(how);
        if self.hook.running {
            actions.push(Action::KillHook);
        }
        if let Phase::Rebooting(_) = self.phase {
            // Whatever brought it down, it is to come up again.
            return self.launch(now, false, actions);
        }
        self.settle(now);
        // An abort needs no word from VirtualBox: asking would only delay the restart.
        let scope = if crashed { Scope::Service } else { Scope::All };
        actions.push(Action::Look { scope, reread: false });
    }
}

/// Whether VirtualBox's server went before the VM did: an abort, though the process may exit 0 and VirtualBox says
/// `poweroff`. `astray`: for how long VirtualBox said that the VM is down while the process lived.
fn was_lost(ended: Option<Ended>, traces: Traces, astray: Option<Duration>) -> bool {
    let for_long = astray.is_some_and(|time| time >= LOST_AFTER);
    match (traces.server, ended) {
        _ if traces.lost => true,
        (Some(true), _) => false,
        (None, _) => for_long,
        // A child would have said so, and both end in order where the guest powers off.
        (Some(false), Some(Ended::Exited(0))) => for_long,
        (Some(false), Some(_)) => true,
        // Of another process there is neither code nor word, but its server does not go by itself so soon.
        (Some(false), None) => for_long || traces.unseen < SERVER_STAYS,
    }
}

fn describe_end(ended: Option<Ended>, lost: bool) -> String {
    let how = match ended {
        Some(Ended::Exited(code)) => format!("ended with exit code {code}"),
        Some(Ended::Signaled(signal)) => format!("was killed by signal {signal}"),
        _ => "ended".to_string(),
    };
    let lost = if lost { ", after VirtualBox's server had lost it" } else { "" };
    format!("the VM's process {how}{lost}")
}
