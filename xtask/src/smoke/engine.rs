//! Runs suites on a target, judges, and decides after every step what is still worth running.
//!
//! It keeps no clock: time comes from [`Clock`], so that its own tests take none.

use std::time::Duration;

use super::event::{Count, Event, Said, Verdict};
use super::expect::Expected;
use super::suite::{Action, Step, Suite};
use super::target::{Command, Evidence, Place, Target, TargetError, quoted_line};
use super::variables::{VariableError, Variables};

/// Where time comes from.
pub trait Clock {
    /// The time since some moment that does not change.
    fn now(&self) -> Duration;
    fn sleep(&self, gap: Duration);
}

/// How long one look at a failed host may take.
const LOOK: Duration = Duration::from_secs(20);

/// What a failed host is asked, in the zone of the failed step.
const LOOKS: [(&str, [&str; 3]); 3] = [
    ("svcs -xv", ["/usr/bin/svcs", "-x", "-v"]),
    ("svcs -a of the service", ["/bin/sh", "-c", "svcs -a | grep -e STATE -e vbox -e manifest-import"]),
    (
        "logs of the methods",
        ["/bin/sh", "-c", "for log in /var/svc/log/site-xvm-*.log; do echo \"== $log\"; tail -n 40 \"$log\"; done"],
    ),
];

/// Everything that a run needs beside its suites.
pub struct Engine<'a> {
    pub target: &'a mut dyn Target,
    pub clock: &'a dyn Clock,
    pub variables: &'a Variables,
    pub tell: &'a mut dyn FnMut(Event),
}

/// What happened in a suite so far.
#[derive(Default)]
struct SoFar {
    passed: Vec<String>,
    /// The step after whose failure only cleaning up is left.
    stopped_by: Option<String>,
    /// Why the host cannot be used any more.
    lost: Option<String>,
}

impl Engine<'_> {
    /// Runs the suites in their order.
    pub fn run(&mut self, suites: &[Suite]) -> Count {
        let mut lost = None;
        let mut total = Count::default();
        for suite in suites {
            total = total.and(self.suite(suite, &mut lost));
        }
        total
    }

    fn suite(&mut self, suite: &Suite, lost: &mut Option<String>) -> Count {
        let began = self.clock.now();
        let started =
            Event::SuiteStarted { suite: suite.name.clone(), title: suite.title.clone(), steps: suite.steps.len() };
        (self.tell)(started);
        let mut so_far = SoFar { lost: lost.take(), ..SoFar::default() };
        let mut count = Count::default();
        for step in &suite.steps {
            let began = self.clock.now();
            let verdict = match self.reason_not_to_run(suite, step, &so_far) {
                Some(reason) => Verdict::NotRun { reason },
                None => {
                    self.started(suite, step);
                    self.step(step, &mut so_far)
                }
            };
            count.add(&verdict);
            match &verdict {
                Verdict::Passed => so_far.passed.push(step.id.clone()),
                Verdict::Failed { .. } if !step.goes_on && so_far.stopped_by.is_none() => {
                    so_far.stopped_by = Some(step.id.clone());
                }
                _ => {}
            }
            let seconds = self.clock.now().saturating_sub(began).as_secs_f64();
            let (suite, step) = (suite.name.clone(), step.id.clone());
            (self.tell)(Event::StepEnded { suite, step, verdict, seconds });
        }
        *lost = so_far.lost;
        let seconds = self.clock.now().saturating_sub(began).as_secs_f64();
        (self.tell)(Event::SuiteEnded { suite: suite.name.clone(), count, seconds });
        count
    }

    fn reason_not_to_run(&self, suite: &Suite, step: &Step, so_far: &SoFar) -> Option<String> {
        if let Some(why) = &so_far.lost {
            return Some(format!("the host is lost: {why}"));
        }
        if let Some(feature) = suite.needs.iter().chain(&step.needs).find(|feature| !self.target.has(**feature)) {
            return Some(format!("{} has not: {}", self.target.name(), feature.told()));
        }
        // What is to be cleaned up is not there when the host never had what it takes to make it.
        if step.cleanup {
            return None;
        }
        if let Some(failed) = &so_far.stopped_by {
            return Some(format!("{failed} failed"));
        }
        let missing = step.after.iter().find(|id| !so_far.passed.contains(id))?;
        Some(format!("{missing} did not pass"))
    }

    fn started(&mut self, suite: &Suite, step: &Step) {
        let command = match &step.action {
            // A variable without a value is a fault of the step, told when it is run.
            Action::Run { words, .. } => {
                let filled = words.iter().map(|word| self.variables.fill(word).unwrap_or_else(|_| word.clone()));
                quoted_line(&filled.collect::<Vec<_>>())
            }
            Action::Put { path, .. } => format!("(put {path})"),
            Action::Reboot => "(reboot)".to_string(),
        };
        (self.tell)(Event::StepStarted {
            suite: suite.name.clone(),
            step: step.id.clone(),
            title: step.title.clone(),
            zone: step.place,
            command,
        });
    }

    fn step(&mut self, step: &Step, so_far: &mut SoFar) -> Verdict {
        let limit = step.bound * self.target.patience();
        let done = match &step.action {
            Action::Run { words, stdin, expected, poll } => match self.filled(words, stdin, expected) {
                Ok((command, expected)) => self.program(step.place, &command, &expected, *poll, limit),
                Err(error) => Err(Failure::of(error.to_string())),
            },
            Action::Put { path, text } => match self.variables.fill(text) {
                Ok(text) => self.target.put(step.place, path, &text, limit).map_err(Failure::from),
                Err(error) => Err(Failure::of(error.to_string())),
            },
            Action::Reboot => self.target.reboot(step.place, limit).map_err(Failure::from),
        };
        match done {
            Ok(()) => Verdict::Passed,
            Err(Failure { faults, ran, lost }) => {
                let is_lost = lost.is_some();
                so_far.lost = so_far.lost.take().or(lost);
                let evidence = self.evidence(step.place, is_lost);
                Verdict::Failed { faults, ran, evidence }
            }
        }
    }

    fn filled(&self, words: &[String], stdin: &str, expected: &Expected) -> Result<(Command, Expected), VariableError> {
        let all = |texts: &[String]| texts.iter().map(|text| self.variables.fill(text)).collect::<Result<Vec<_>, _>>();
        let command = Command { words: all(words)?, stdin: self.variables.fill(stdin)? };
        let expected = Expected { shows: all(&expected.shows)?, hides: all(&expected.hides)?, ..expected.clone() };
        Ok((command, expected))
    }

    /// Runs a program, once or until it does what is expected.
    fn program(
        &mut self,
        place: Place,
        command: &Command,
        expected: &Expected,
        poll: Option<Duration>,
        limit: Duration,
    ) -> Result<(), Failure> {
        let began = self.clock.now();
        let (mut last, mut left): (Option<Failure>, _) = (None, limit);
        loop {
            let tried = match self.target.run(place, command, left) {
                Ok(ran) => match expected.faults(&ran) {
                    faults if faults.is_empty() => return Ok(()),
                    faults => Failure { faults, ran: Some(ran.into()), lost: None },
                },
                // What was seen before the last, unfinished try says more than that it was unfinished.
                Err(TargetError::TimedOut { .. }) if last.is_some() => return Err(in_vain(last, limit)),
                Err(error) => return Err(error.into()),
            };
            let Some(gap) = poll else { return Err(tried) };
            last = Some(tried);
            if self.clock.now().saturating_sub(began) + gap >= limit {
                return Err(in_vain(last, limit));
            }
            self.clock.sleep(gap);
            left = limit.saturating_sub(self.clock.now().saturating_sub(began));
        }
    }

    /// Looks around on the host, as far as it can still be looked at.
    fn evidence(&mut self, place: Place, lost: bool) -> Vec<Evidence> {
        let mut found = Vec::new();
        for (name, words) in LOOKS {
            if lost {
                break;
            }
            let limit = LOOK * self.target.patience();
            let text = match self.target.run(place, &Command::new(words), limit) {
                Ok(ran) => format!("{}{}", ran.stdout, ran.stderr),
                Err(TargetError::Lost(why)) => {
                    found.push(Evidence { name: name.to_string(), text: why });
                    break;
                }
                Err(error) => error.to_string(),
            };
            found.push(Evidence { name: name.to_string(), text });
        }
        found.extend(self.target.console());
        found
    }
}

/// Why a step failed.
struct Failure {
    faults: Vec<String>,
    ran: Option<Said>,
    lost: Option<String>,
}

impl Failure {
    fn of(fault: String) -> Self {
        Failure { faults: vec![fault], ran: None, lost: None }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        let told = error.to_string();
        let failure = Failure::of(told);
        match error {
            TargetError::Lost(why) => Failure { lost: Some(why), ..failure },
            TargetError::TimedOut { stdout, stderr, .. } => {
                Failure { ran: Some(Said { status: None, stdout, stderr }), ..failure }
            }
            TargetError::Failed(_) => failure,
        }
    }
}

fn in_vain(last: Option<Failure>, limit: Duration) -> Failure {
    let mut failure = last.unwrap_or_else(|| Failure::of("it was never tried".to_string()));
    failure.faults.insert(0, format!("polled for {} s in vain; at the last try:", limit.as_secs()));
    failure
}

#[cfg(test)]
mod tests;
