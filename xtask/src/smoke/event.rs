//! What a run tells while it goes on: typed, in order, for a terminal, for a program (`--json`) and for the reports.

use serde::Serialize;

use super::target::{Evidence, Nature, Place, Ran};

/// One thing that happened. As JSON it is one object with its kind in `event`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Something about the host itself: it boots, it is there.
    Host {
        text: String,
    },
    /// A guest did not boot: it goes on from its state at that time.
    Resumed {
        taken: String,
    },
    SuiteStarted {
        suite: String,
        title: String,
        steps: usize,
    },
    StepStarted {
        suite: String,
        step: String,
        title: String,
        zone: Place,
        command: String,
    },
    StepEnded {
        suite: String,
        step: String,
        verdict: Verdict,
        seconds: f64,
    },
    SuiteEnded {
        suite: String,
        count: Count,
        seconds: f64,
    },
}

impl Event {
    /// What a person is told about the host.
    pub fn of_host(&self) -> Option<String> {
        match self {
            Event::Host { text } => Some(text.clone()),
            Event::Resumed { taken } => Some(format!("resumed from the snapshot of {taken}, taken when it had booted")),
            _ => None,
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    Passed,
    Failed {
        /// Everything that was wrong.
        faults: Vec<String>,
        /// The last that the program said.
        ran: Option<Said>,
        evidence: Vec<Evidence>,
    },
    NotRun {
        reason: String,
    },
}

/// What a program said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Nothing where it was ended before it ended by itself.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Ran> for Said {
    fn from(Ran { status, stdout, stderr }: Ran) -> Self {
        Said { status: Some(status), stdout, stderr }
    }
}

/// How many steps came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    pub passed: usize,
    pub failed: usize,
    pub not_run: usize,
}

impl Count {
    pub fn add(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Passed => self.passed += 1,
            Verdict::Failed { .. } => self.failed += 1,
            Verdict::NotRun { .. } => self.not_run += 1,
        }
    }

    pub fn and(self, other: Count) -> Count {
        Count {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            not_run: self.not_run + other.not_run,
        }
    }

    pub fn told(self) -> String {
        format!("{} passed, {} failed, {} not run", self.passed, self.failed, self.not_run)
    }
}

/// A run's target and everything that it told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    pub target: String,
    pub nature: Nature,
    pub events: Vec<Event>,
}

impl Record {
    /// What goes with every result of a guest that did not boot.
    pub fn resumed(&self) -> Option<String> {
        self.events.iter().rfind(|event| matches!(event, Event::Resumed { .. })).and_then(Event::of_host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_object_with_its_kind() {
        let verdict = Verdict::NotRun { reason: "no zone".into() };
        let event = Event::StepEnded { suite: "svr4".into(), step: "a".into(), verdict, seconds: 0.5 };
        assert_eq!(
            serde_json::to_string(&event).unwrap(),
            r#"{"event":"step-ended","suite":"svr4","step":"a","verdict":{"verdict":"not-run","reason":"no zone"},"seconds":0.5}"#
        );
    }
}
