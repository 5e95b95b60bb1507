//! What is told of a host that did not come up: a step that failed, and every step of every suite as not run.
//!
//! A report without a single step would look like one without a failure.

use super::event::{Count, Event, Verdict};
use super::suite::Suite;
use super::target::{Evidence, Place};

/// The suite and the step that stand for the host itself.
const NAME: &str = "boot";
const TITLE: &str = "The host comes up";

/// Why there is no host, and what it showed until then.
pub struct Absence {
    pub fault: String,
    pub evidence: Vec<Evidence>,
    pub seconds: f64,
}

/// Tells it, in the order of a run.
pub fn tell_of(absence: Absence, suites: &[Suite], tell: &mut dyn FnMut(Event)) {
    let Absence { fault, evidence, seconds } = absence;
    let (suite, step, title) = (NAME.to_string(), NAME.to_string(), TITLE.to_string());
    tell(Event::SuiteStarted { suite: suite.clone(), title: title.clone(), steps: 1 });
    let (zone, command) = (Place::Global, String::new());
    tell(Event::StepStarted { suite: suite.clone(), step: step.clone(), title, zone, command });
    let reason = format!("the host did not come up: {fault}");
    let verdict = Verdict::Failed { faults: vec![fault], ran: None, evidence };
    let count = counted(&verdict);
    tell(Event::StepEnded { suite: suite.clone(), step, verdict, seconds });
    tell(Event::SuiteEnded { suite, count, seconds });
    for Suite { name, title, steps, .. } in suites {
        tell(Event::SuiteStarted { suite: name.clone(), title: title.clone(), steps: steps.len() });
        let mut count = Count::default();
        for step in steps {
            let verdict = Verdict::NotRun { reason: reason.clone() };
            count = count.and(counted(&verdict));
            tell(Event::StepEnded { suite: name.clone(), step: step.id.clone(), verdict, seconds: 0.0 });
        }
        tell(Event::SuiteEnded { suite: name.clone(), count, seconds: 0.0 });
    }
}

fn counted(verdict: &Verdict) -> Count {
    let mut count = Count::default();
    count.add(verdict);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smoke::event::Record;
    use crate::smoke::report::{junit, outcomes};
    use crate::smoke::suite;
    use crate::smoke::target::Nature;

    #[test]
    fn a_host_that_did_not_come_up_is_a_failure_in_the_report_and_nothing_counts_as_run() {
        let text = "title = \"T\"\n[[step]]\nid = \"a\"\ntitle = \"A\"\nreboot = true\n\
                    [[step]]\nid = \"b\"\ntitle = \"B\"\nreboot = true\ncleanup = true";
        let suites = [suite::parse("s", text).unwrap()];
        let evidence = vec![Evidence { name: "last screen".into(), text: "fsck?".into() }];
        let mut events = Vec::new();
        tell_of(Absence { fault: "no prompt".into(), evidence, seconds: 9.0 }, &suites, &mut |event| {
            events.push(event)
        });
        let outcomes = outcomes(&events);
        assert_eq!(outcomes[0].count, Count { passed: 0, failed: 1, not_run: 0 });
        assert_eq!(outcomes[1].count, Count { passed: 0, failed: 0, not_run: 2 });
        let reason = "the host did not come up: no prompt".to_string();
        assert_eq!(outcomes[1].steps[1].verdict, Verdict::NotRun { reason });
        let record = Record { target: "x".into(), nature: Nature::StandIn, events };
        let xml = junit::render(&[record]).unwrap();
        assert!(xml.contains("<failure message=\"no prompt\"") && xml.contains("fsck?"), "{xml}");
    }
}
