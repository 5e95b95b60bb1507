//! The events of a run, put together again: suites, and what became of each of their steps.

use serde::Serialize;

use crate::smoke::event::{Count, Event, Verdict};
use crate::smoke::target::Place;

#[derive(Debug, Clone, Serialize)]
pub struct SuiteOutcome {
    pub name: String,
    pub title: String,
    pub steps: Vec<StepOutcome>,
    pub count: Count,
    pub seconds: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct StepOutcome {
    pub id: String,
    /// Empty where the step was not begun.
    pub title: String,
    pub command: String,
    pub zone: Place,
    pub verdict: Verdict,
    pub seconds: f64,
}

/// Every suite of a run, also one that did not come to its end.
pub fn outcomes(events: &[Event]) -> Vec<SuiteOutcome> {
    let mut suites: Vec<SuiteOutcome> = Vec::new();
    let mut begun: Option<(String, String, Place)> = None;
    for event in events {
        match event {
            Event::Host { .. } | Event::Resumed { .. } => {}
            Event::SuiteStarted { suite, title, .. } => {
                let (name, title, steps) = (suite.clone(), title.clone(), Vec::new());
                suites.push(SuiteOutcome { name, title, steps, count: Count::default(), seconds: 0.0 });
            }
            Event::StepStarted { title, command, zone, .. } => {
                begun = Some((title.clone(), command.clone(), *zone));
            }
            Event::StepEnded { step, verdict, seconds, .. } => {
                let (title, command, zone) = begun.take().unwrap_or_default();
                let Some(suite) = suites.last_mut() else { continue };
                suite.count.add(verdict);
                let (id, verdict) = (step.clone(), verdict.clone());
                suite.steps.push(StepOutcome { id, title, command, zone, verdict, seconds: *seconds });
            }
            Event::SuiteEnded { seconds, .. } => {
                if let Some(suite) = suites.last_mut() {
                    suite.seconds = *seconds;
                }
            }
        }
    }
    suites
}
