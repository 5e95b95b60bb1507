//! The check inside the VM: what its result means for the monitor.

use super::{Action, Level, Moment, Monitor, Phase, Request, within};
use crate::decide::watch::{self, Verdict};
use crate::settings::StopMethod;

#[derive(Debug, Clone, Default)]
pub(super) struct HookState {
    pub(super) running: bool,
    pub(super) due: Option<Moment>,
    pub(super) failures: Vec<Moment>,
}

impl Monitor {
    pub(super) fn hook_ended(&mut self, now: Moment, code: Option<i32>, actions: &mut Vec<Action>) {
        self.hook.running = false;
        self.hook.due = Some(now);
        if matches!(self.phase, Phase::Launching { .. } | Phase::Rebooting(_)) || !self.process {
            return; // the VM went away under the hook: its result says nothing
        }
        let verdict = watch::verdict(code, &self.settings);
        let how = code.map_or("killed, or out of time".to_string(), |c| format!("exit code {c}"));
        self.notes.last_hook = Some(format!("{verdict:?} ({how})").to_lowercase());
        match verdict {
            Verdict::Okay => {
                self.hook.failures.clear();
                actions.push(Action::Log(Level::Debug, "the check inside the VM is okay".to_string()));
            }
            Verdict::Failed => {
                self.hook.failures.push(now);
                let failures = within(&mut self.hook.failures, now, self.settings.hook.failures.timeframe);
                actions.push(Action::Log(
                    Level::Warning,
                    format!("the check inside the VM failed ({how}), {failures} by now"),
                ));
                if watch::hook_failures_exceeded(failures, &self.settings) {
                    actions.push(Action::Log(Level::Warning, "too many failures: rebooting the VM".to_string()));
                    self.hook.failures.clear();
                    self.reboot(now, StopMethod::PowerOffGraceful, actions);
                }
            }
            Verdict::Reboot => {
                actions.push(Action::Log(Level::Warning, format!("the check inside the VM asks for a reboot ({how})")));
                self.hook.failures.clear();
                self.reboot(now, StopMethod::PowerOffGraceful, actions);
            }
            Verdict::Maintenance => {
                let stop_vm = self.settings.maintenance_stops_vm;
                let reason = format!("the check inside the VM asks for maintenance ({how})");
                self.ask(now, Request::Maintenance { stop_vm }, &reason, actions);
            }
        }
    }
}
