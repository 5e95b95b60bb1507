//! `vmsvccheck`: runs the check inside the VM now, and tells how the monitor would read its result.

use super::subject::{Instance, Selector, World};
use crate::decide::watch::{Verdict, verdict};
use crate::exec::InterruptibleRunner;
use crate::hook;

/// The exit code is the verdict's: 0 okay, 1 one failure, 2 reboot, 3 maintenance.
pub fn run(world: &World, selector: &Selector) -> anyhow::Result<u8> {
    world.end_in_order()?;
    let instance = Instance::open(world, selector)?;
    let interrupted = || world.is_ended();
    let runner = InterruptibleRunner { interrupted: &interrupted };
    let call = hook::call(&instance.settings.hook, instance.environment(), instance.user.is_root())?;
    let code = hook::run(&call, &runner)?;
    let verdict = verdict(code, &instance.settings);
    let how = code.map_or("was killed, by a signal or at its time-out".to_string(), |c| format!("exited with {c}"));
    let means = match verdict {
        Verdict::Okay => "okay",
        Verdict::Failed => "one failure",
        Verdict::Reboot => "reboot the VM",
        Verdict::Maintenance => "maintenance",
    };
    println!("the hook {how}: {means}");
    Ok(verdict.code())
}
