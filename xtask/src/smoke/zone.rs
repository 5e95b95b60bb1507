//! Reboots the local zone of a target, from the global one, and waits until it is up again.

use std::time::Duration;

use super::engine::Clock;
use super::target::{Command, Ran, TargetError, ZONE, by_zlogin};

const GAP: Duration = Duration::from_secs(1);
/// How long one question to the zone may take.
const QUESTION: Duration = Duration::from_secs(30);

/// Runs commands in the global zone.
pub type Run<'a> = &'a mut dyn FnMut(&Command, Duration) -> Result<Ran, TargetError>;

/// Has init reboot the zone. A zone that was rebooted has another number.
pub fn reboot(run: Run, clock: &dyn Clock, limit: Duration) -> Result<(), TargetError> {
    let until = clock.now() + limit;
    let before = number(run)?.ok_or_else(|| TargetError::Failed(format!("the zone {ZONE} is not running")))?;
    // The answer says little: the zone may take zlogin down with it.
    run(&by_zlogin(&Command::new(["/sbin/init", "6"])), limit)?;
    wait(clock, until, limit, || Ok(number(run)?.is_some_and(|now| now != before) && is_up(run)?))
}

/// Waits until the zone is up.
pub fn wait_until_up(run: Run, clock: &dyn Clock, limit: Duration) -> Result<(), TargetError> {
    wait(clock, clock.now() + limit, limit, || is_up(run))
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

/// The number of the running zone.
fn number(run: Run) -> Result<Option<u32>, TargetError> {
    let told = run(&Command::new(["/usr/sbin/zoneadm", "list", "-p"]), QUESTION)?.stdout;
    let mut zones = told.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let of_zone = |fields: &Vec<&str>| fields.get(1) == Some(&ZONE) && fields.get(2) == Some(&"running");
    Ok(zones.find(of_zone).and_then(|fields| fields.first()?.parse().ok()))
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

    /// Reboots a zone that is down for a while and then has another number.
    fn rebooted(lists: &[&str], limit: u64) -> (Result<(), TargetError>, Vec<String>) {
        let (mut asked, mut calls) = (0, Vec::new());
        let mut run = |command: &Command, _: Duration| {
            calls.push(command.words.join(" "));
            let stdout = if command.words[0].ends_with("zoneadm") {
                asked += 1;
                lists[(asked - 1).min(lists.len() - 1)].to_string()
            } else {
                "online\n".to_string()
            };
            Ok(Ran { status: 0, stdout, stderr: String::new() })
        };
        let end = reboot(&mut run, &Steps(Cell::default()), Duration::from_secs(limit));
        (end, calls)
    }

    const GLOBAL: &str = "0:global:running:/::ipkg:shared\n";

    #[test]
    fn a_zone_with_a_new_number_was_rebooted() {
        let up = |number| format!("{GLOBAL}{number}:smoke:running:/zones/smoke:u:ipkg:excl\n");
        let (end, calls) = rebooted(&[&up(3), &up(3), GLOBAL, &up(4)], 60);
        end.unwrap();
        assert_eq!(calls[1], "/usr/sbin/zlogin smoke /sbin/init 6");
        assert_eq!(
            calls.last().unwrap(),
            "/usr/sbin/zlogin smoke /usr/bin/svcs -H -o state svc:/milestone/multi-user:default"
        );
    }

    #[test]
    fn a_zone_that_stays_away_is_waited_for_only_so_long() {
        let up = format!("{GLOBAL}3:smoke:running:/zones/smoke:u:ipkg:excl\n");
        let (end, _) = rebooted(&[&up, GLOBAL], 5);
        assert_eq!(end.unwrap_err().to_string(), "the zone smoke is not up after 5 s");
        let (end, _) = rebooted(&[GLOBAL], 5);
        assert_eq!(end.unwrap_err().to_string(), "the zone smoke is not running");
    }
}
