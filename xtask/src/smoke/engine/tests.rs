use std::cell::Cell;
use std::collections::VecDeque;

use super::*;
use crate::smoke::suite;
use crate::smoke::target::{Feature, Nature, Ran};

/// Time that passes only when somebody sleeps or a program takes some.
#[derive(Default)]
struct Scripted(Cell<Duration>);

impl Clock for Scripted {
    fn now(&self) -> Duration {
        self.0.get()
    }
    fn sleep(&self, gap: Duration) {
        self.0.set(self.0.get() + gap);
    }
}

/// A host whose every answer is given beforehand.
#[derive(Default)]
struct Script {
    answers: VecDeque<Result<Ran, TargetError>>,
    lacks: Vec<Feature>,
    calls: Vec<String>,
    patience: u32,
}

impl Target for Script {
    fn name(&self) -> &str {
        "scripted"
    }
    fn nature(&self) -> Nature {
        Nature::Simulated
    }
    fn has(&self, feature: Feature) -> bool {
        !self.lacks.contains(&feature)
    }
    fn patience(&self) -> u32 {
        self.patience.max(1)
    }
    fn run(&mut self, place: Place, command: &Command, limit: Duration) -> Result<Ran, TargetError> {
        if command.words[0].starts_with("/usr/bin/svcs") || command.words[0] == "/bin/sh" {
            return Ok(Ran { stdout: "looked".into(), ..Ran::default() });
        }
        self.calls.push(format!("{place:?} {} {}s", command.words.join(" "), limit.as_secs()));
        self.answers.pop_front().unwrap_or(Ok(Ran::default()))
    }
    fn put(&mut self, _: Place, path: &str, text: &str, _: Duration) -> Result<(), TargetError> {
        self.calls.push(format!("put {path} {text}"));
        Ok(())
    }
    fn reboot(&mut self, place: Place, _: Duration) -> Result<(), TargetError> {
        self.calls.push(format!("reboot {place:?}"));
        Ok(())
    }
    fn console(&mut self) -> Vec<Evidence> {
        vec![Evidence { name: "console".into(), text: "login:".into() }]
    }
}

/// Runs steps and gives each one's end, as one word and why.
fn run(target: &mut Script, steps: &str) -> Vec<(String, String)> {
    let suite = suite::parse("s", &format!("title = \"T\"\n{steps}")).unwrap();
    let mut variables = Variables::default();
    variables.set("svr4", "/tmp/p").unwrap();
    let clock = Scripted::default();
    let mut ends = Vec::new();
    let mut tell = |event| {
        if let Event::StepEnded { step, verdict, .. } = event {
            let told = match verdict {
                Verdict::Passed => "passed".to_string(),
                Verdict::Failed { faults, .. } => format!("failed: {}", faults.join("; ")),
                Verdict::NotRun { reason } => format!("not run: {reason}"),
            };
            ends.push((step, told));
        }
    };
    Engine { target, clock: &clock, variables: &variables, tell: &mut tell }.run(&[suite]);
    ends
}

fn step(id: &str, more: &str) -> String {
    format!("[[step]]\nid = \"{id}\"\ntitle = \"{id}\"\n{more}\n")
}

fn ended(status: i32) -> Result<Ran, TargetError> {
    Ok(Ran { status, ..Ran::default() })
}

fn told(ends: &[(String, String)]) -> Vec<&str> {
    ends.iter().map(|(_, told)| told.as_str()).collect()
}

#[test]
fn steps_run_in_order_with_their_variables_filled_in() {
    let mut target = Script::default();
    let steps = [
        step("a", "run = [\"pkgadd\", \"-d\", \"${svr4}\"]"),
        step("b", "put = { path = \"/x\", text = \"${svr4}\" }"),
        step("c", "reboot = true\nzone = \"local\""),
        step("d", "run = [\"true\"]\nzone = \"local\"\nbound = \"5s\""),
    ];
    assert_eq!(told(&run(&mut target, &steps.concat())), ["passed"; 4]);
    assert_eq!(target.calls, ["Global pkgadd -d /tmp/p 60s", "put /x /tmp/p", "reboot Local", "Local true 5s"]);
}

#[test]
fn after_a_failure_only_cleaning_up_is_left() {
    let mut target = Script { answers: [ended(0), ended(3)].into(), ..Script::default() };
    let steps = [
        step("a", "run = [\"a\"]"),
        step("b", "run = [\"b\"]"),
        step("c", "run = [\"c\"]"),
        step("d", "run = [\"d\"]\ncleanup = true"),
    ];
    let ends = run(&mut target, &steps.concat());
    assert_eq!(told(&ends), ["passed", "failed: exit code 3, not 0", "not run: b failed", "passed"]);
}

#[test]
fn a_failure_that_does_not_matter_to_the_rest_stops_only_what_builds_on_it() {
    let mut target = Script { answers: [ended(1)].into(), ..Script::default() };
    let steps = [
        step("a", "run = [\"a\"]\nfailure = \"go-on\""),
        step("b", "run = [\"b\"]"),
        step("c", "run = [\"c\"]\nafter = [\"a\"]"),
    ];
    let ends = run(&mut target, &steps.concat());
    assert_eq!(told(&ends), ["failed: exit code 1, not 0", "passed", "not run: a did not pass"]);
}

#[test]
fn what_the_host_lacks_is_not_run_and_does_not_pass() {
    let mut target = Script { lacks: vec![Feature::Zone], ..Script::default() };
    let steps = [step("a", "run = [\"a\"]\nneeds = [\"zone\"]\ncleanup = true"), step("b", "run = [\"b\"]")];
    let ends = run(&mut target, &steps.concat());
    assert_eq!(told(&ends), ["not run: scripted has not: a local zone", "passed"]);
}

#[test]
fn nothing_is_asked_of_a_lost_host() {
    let lost = Err(TargetError::Lost("kernel panic".into()));
    let mut target = Script { answers: [lost].into(), ..Script::default() };
    let steps = [step("a", "run = [\"a\"]"), step("b", "run = [\"b\"]\ncleanup = true")];
    let ends = run(&mut target, &steps.concat());
    assert_eq!(told(&ends), ["failed: the host is lost: kernel panic", "not run: the host is lost: kernel panic"]);
    assert_eq!(target.calls.len(), 1);
}

#[test]
fn a_polled_step_is_tried_until_it_holds() {
    let mut target = Script { answers: [ended(1), ended(1), ended(0)].into(), ..Script::default() };
    let ends = run(&mut target, &step("a", "run = [\"a\"]\npoll = \"2s\"\nbound = \"10s\""));
    assert_eq!(told(&ends), ["passed"]);
    // Each try has only the time that is left.
    assert_eq!(target.calls, ["Global a 10s", "Global a 8s", "Global a 6s"]);
}

#[test]
fn polling_ends_at_the_bound_and_tells_the_last_try() {
    let mut target = Script { answers: (0..9).map(|_| ended(1)).collect(), ..Script::default() };
    let ends = run(&mut target, &step("a", "run = [\"a\"]\npoll = \"2s\"\nbound = \"5s\""));
    assert_eq!(told(&ends), ["failed: polled for 5 s in vain; at the last try:; exit code 1, not 0"]);
    assert_eq!(target.calls.len(), 3);
}

#[test]
fn a_step_that_hangs_fails_alone() {
    let limit = Duration::from_secs(180);
    let hangs = Err(TargetError::TimedOut { limit, stdout: String::new(), stderr: String::new() });
    let mut target = Script { answers: [hangs].into(), patience: 3, ..Script::default() };
    let steps = [step("a", "run = [\"a\"]\nfailure = \"go-on\""), step("b", "run = [\"b\"]")];
    let ends = run(&mut target, &steps.concat());
    assert_eq!(told(&ends), ["failed: it did not end within 180 s and was ended", "passed"]);
    assert_eq!(target.calls[0], "Global a 180s", "the patience of a slow host");
}

#[test]
fn what_a_program_has_said_until_it_was_ended_is_told() {
    let limit = Duration::from_secs(3);
    let said = Failure::from(TargetError::TimedOut { limit, stdout: "so far".into(), stderr: String::new() }).ran;
    assert_eq!(said, Some(Said { status: None, stdout: "so far".into(), stderr: String::new() }));
}

#[test]
fn a_variable_without_a_value_fails_the_step_that_needs_it() {
    let mut target = Script::default();
    let ends = run(&mut target, &step("a", "run = [\"pkg\", \"${ips}\"]"));
    assert_eq!(told(&ends), ["failed: ${ips} is not available in this run"]);
    assert!(target.calls.is_empty());
}

#[test]
fn a_failure_comes_with_what_the_host_showed() {
    let suite = suite::parse("s", &format!("title = \"T\"\n{}", step("a", "run = [\"a\"]"))).unwrap();
    let mut target = Script { answers: [ended(1)].into(), ..Script::default() };
    let (clock, variables) = (Scripted::default(), Variables::default());
    let mut events = Vec::new();
    let mut tell = |event| events.push(event);
    let count = Engine { target: &mut target, clock: &clock, variables: &variables, tell: &mut tell }.run(&[suite]);
    assert_eq!(count, Count { passed: 0, failed: 1, not_run: 0 });
    let evidence = events.iter().find_map(|event| match event {
        Event::StepEnded { verdict: Verdict::Failed { evidence, .. }, .. } => Some(evidence),
        _ => None,
    });
    let names: Vec<&str> = evidence.unwrap().iter().map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["svcs -xv", "svcs -a of the service", "logs of the methods", "console"]);
}
