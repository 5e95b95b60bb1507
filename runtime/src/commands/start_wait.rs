//! When `start` returns: at once, after a delay, or when the check inside the VM says that the service there answers.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::bring_down::{Outcome, bring_down};
use super::subject::Subject;
use crate::decide::stop::time_given;
use crate::decide::watch::{Verdict, verdict};
use crate::exec::InterruptibleRunner;
use crate::exit::{Exit, failure};
use crate::hook;
use crate::settings::StartWait;

/// Between two runs of the hook.
const BETWEEN: Duration = Duration::from_secs(2);
const NAP: Duration = Duration::from_millis(100);
/// How long a start waits where SMF sets it no time-out.
const WITHOUT_TIMEOUT: Duration = Duration::from_secs(300);
/// The longest part of the start's time that a strict wait keeps for stopping the VM again.
const STOP_SHARE: u32 = 3;

/// Waits as `vm/start_wait_policy` says, from when the method began.
pub fn wait(subject: &Subject, began: Instant) -> anyhow::Result<()> {
    let policy = subject.settings.start_wait;
    let whole = time_given(None, subject.settings.smf_start_timeout).unwrap_or(WITHOUT_TIMEOUT);
    let time = match policy {
        StartWait::Off => return Ok(()),
        StartWait::Delay | StartWait::Hook => whole,
        StartWait::HookStrict => whole - whole / STOP_SHARE,
    };
    let until = began + time;
    if policy == StartWait::Delay {
        subject.log.info(format!("waiting {} s, as vm/start_wait_policy says", time.as_secs()));
        return nap_until(subject, until);
    }
    if subject.settings.hook.method.is_none() {
        subject.log.warn("vm/start_wait_policy waits for the hook, but vm/kicker_vmsvccheck_method is not set");
    } else if answers_by(subject, until)? {
        return Ok(());
    }
    if policy == StartWait::Hook {
        subject.log.warn("the check inside the VM did not become okay in time; the start counts as done all the same");
        return Ok(());
    }
    subject.log.error("the check inside the VM did not become okay in time: stopping the VM, and the start fails");
    let left = (began + whole).saturating_duration_since(Instant::now());
    let given = subject.settings.stop_timeout.map_or(left, |t| t.min(left));
    super::bring_down::stand_down(&subject.files, &subject.log)?;
    let outcome = bring_down(subject, subject.settings.stop_method, Some(given))?;
    let end = if outcome == Outcome::Reached { "it is stopped" } else { "it could not be stopped and is left" };
    Err(failure(Exit::Fatal, format!("the service inside the VM does not answer (vm/start_wait_policy); {end}")))
}

/// Runs the hook until it says okay; false when the time runs out first.
fn answers_by(subject: &Subject, until: Instant) -> anyhow::Result<bool> {
    let ended = || subject.world.is_ended() || Instant::now() >= until;
    let runner = InterruptibleRunner { interrupted: &ended };
    let call = hook::call(&subject.settings.hook, subject.environment(), subject.user.is_root())?;
    while Instant::now() < until {
        let verdict = verdict(hook::run(&call, &runner)?, &subject.settings);
        if verdict == Verdict::Okay {
            subject.log.info("the check inside the VM is okay");
            return Ok(true);
        }
        subject.log.debug(format!("the check inside the VM is not okay yet: {verdict:?}"));
        nap_until(subject, until.min(Instant::now() + BETWEEN))?;
    }
    Ok(false)
}

fn nap_until(subject: &Subject, until: Instant) -> anyhow::Result<()> {
    while Instant::now() < until {
        if subject.world.is_ended() {
            return Err(failure(Exit::Fatal, "interrupted by a signal while waiting; the VM runs"));
        }
        if subject.files.monitor()?.is_none() {
            return Err(failure(Exit::Fatal, "a stop overtook the start"));
        }
        sleep(NAP);
    }
    Ok(())
}
