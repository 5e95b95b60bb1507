//! Reboots the local zone of a target, from the global one, and waits until it is up again.

use std::time::Duration;

use super::engine::Clock;
use super::target::{Command, Ran, TargetError, ZONE, by_zlogin};

const GAP: Duration = Duration::from_secs(1);
/// How long one question to the zone may take.
const QUESTION: Duration = Duration::from_secs(30);

/// Tells a boot from the next one.
pub const MARK: &str = "/var/run/vboxsvc-smoke";

/// Runs commands in the global zone.
pub type Run<'a> = &'a mut dyn FnMut(&Command, Duration) -> Result<Ran, TargetError>;

/// Has init reboot the zone. Its /var/run is in memory: a file there is gone after a reboot, and only then.
pub fn reboot(run: Run, clock: &dyn Clock, limit: Duration) -> Result<(), TargetError> {
    let until = clock.now() + limit;
    let marked = run(&by_zlogin(&Command::new(["touch", MARK])), QUESTION)?;
    if marked.status != 0 {
        return Err(TargetError::Failed(format!("the zone {ZONE} does not answer: {}", marked.stderr.trim())));
    }
    // The answer says little: the zone may take zlogin down with it.
    run(&by_zlogin(&Command::new(["/sbin/init", "6"])), limit)?;
    let is_new = Command::new(["/bin/sh", "-c", "test ! -f \"$0\" && echo new", MARK]);
    wait(clock, until, limit, || Ok(run(&by_zlogin(&is_new), QUESTION)?.stdout.trim() == "new" && is_up(run)?))
}

fn wait(
    clock: &dyn Clock,
    until: Duration,
    limit: Duration,
    mut holds: impl FnMut() -> Result<bool, TargetError>,
) -> Result<(), TargetError> {
    while !holds()? {
        if clock.now() >= until {
            return Err(TargetError::Failed(format!("the zone {ZONE} is not up after {} s", limit.as_secs())));
        }
        clock.sleep(GAP);
    }
    Ok(())
}

fn is_up(run: Run) -> Result<bool, TargetError> {
    let question = ["/usr/bin/svcs", "-H", "-o", "state", "svc:/milestone/multi-user:default"];
    let ran = run(&by_zlogin(&Command::new(question)), QUESTION)?;
    Ok(ran.status == 0 && ran.stdout.trim() == "online")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Steps(Cell<Duration>);

    impl Clock for Steps {
        fn now(&self) -> Duration {
            self.0.get()
        }
        fn sleep(&self, gap: Duration) {
            self.0.set(self.0.get() + gap);
        }
    }

    /// Reboots a zone that answers these, one after the other, when it is asked whether its mark is gone.
    fn rebooted(answers: &[(i32, &str)], limit: u64) -> (Result<(), TargetError>, Vec<String>) {
        let (mut asked, mut calls) = (0, Vec::new());
        let mut run = |command: &Command, _: Duration| {
            let line = command.words.join(" ");
            let (status, said) = match line.as_str() {
                line if line.contains("test ! -f") => {
                    asked += 1;
                    answers[(asked - 1).min(answers.len() - 1)]
                }
                line if line.contains("svcs") => (0, "online\n"),
                _ => (0, ""),
            };
            calls.push(line);
            Ok(Ran { status, stdout: said.to_string(), stderr: String::new() })
        };
        let end = reboot(&mut run, &Steps(Cell::default()), Duration::from_secs(limit));
        (end, calls)
    }

    #[test]
    fn a_zone_whose_mark_is_gone_was_rebooted() {
        let (end, calls) = rebooted(&[(1, ""), (1, "zlogin: no such zone"), (0, "new\n")], 60);
        end.unwrap();
        assert_eq!(calls[0], "/usr/sbin/zlogin smoke touch /var/run/vboxsvc-smoke");
        assert_eq!(calls[1], "/usr/sbin/zlogin smoke /sbin/init 6");
        assert_eq!(calls.len(), 2 + 3 + 1, "{calls:?}");
    }

    #[test]
    fn a_zone_that_stays_away_is_waited_for_only_so_long() {
        let (end, _) = rebooted(&[(1, "")], 5);
        assert_eq!(end.unwrap_err().to_string(), "the zone smoke is not up after 5 s");
    }
}
