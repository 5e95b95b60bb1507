//! One page with everything that a run told, that needs nothing beside itself: a release can carry it.

use serde::Serialize;
use tera::{Context, Tera};

use super::{SuiteOutcome, outcomes, time_told};
use crate::smoke::event::{Count, Event, Record};
use crate::smoke::guest::clean::Cleaner;
use crate::smoke::target::Nature;

const NAME: &str = "smoke.html";

/// A run with the whole log of its console, where it has one.
pub struct Page<'a> {
    pub record: &'a Record,
    console: String,
}

impl<'a> Page<'a> {
    /// `console` is the log as it came, with its colours.
    pub fn new(record: &'a Record, console: &[u8]) -> Self {
        Page { record, console: Cleaner::default().feed(console) }
    }
}

#[derive(Serialize)]
struct Run {
    target: String,
    nature: Nature,
    told: &'static str,
    /// Said where nobody overlooks it: a snapshot is no boot.
    resumed: Option<String>,
    host: Vec<String>,
    suites: Vec<serde_json::Value>,
    count: Count,
    console: String,
}

/// Renders the page; `when` is shown as it is.
pub fn render(pages: &[Page], version: &str, when: &str) -> anyhow::Result<String> {
    let mut context = Context::new();
    context.insert("version", version);
    context.insert("when", when);
    context.insert("runs", &pages.iter().map(run).collect::<serde_json::Result<Vec<_>>>()?);
    let mut tera = Tera::default();
    tera.add_raw_template(NAME, include_str!("smoke.html.tera"))?;
    Ok(tera.render(NAME, &context)?)
}

fn run(page: &Page) -> serde_json::Result<Run> {
    let record = page.record;
    let suites = outcomes(&record.events);
    let longest = suites.iter().flat_map(|suite| &suite.steps).map(|step| step.seconds).fold(0.1, f64::max);
    Ok(Run {
        target: record.target.clone(),
        nature: record.nature,
        told: record.nature.told(),
        resumed: record.resumed(),
        host: record.events.iter().filter_map(Event::of_host).collect(),
        count: suites.iter().fold(Count::default(), |total, suite| total.and(suite.count)),
        suites: suites.iter().map(|suite| for_people(suite, longest)).collect::<serde_json::Result<_>>()?,
        console: page.console.clone(),
    })
}

/// A suite with its times as people read them; its steps say how wide their bars are as well.
fn for_people(suite: &SuiteOutcome, longest: f64) -> serde_json::Result<serde_json::Value> {
    let mut value = serde_json::to_value(suite)?;
    if let Some(suite_value) = value.as_object_mut() {
        suite_value.insert("time".to_string(), time_told(suite.seconds).into());
    }
    let steps = value.get_mut("steps").and_then(serde_json::Value::as_array_mut);
    for (step, outcome) in steps.into_iter().flatten().zip(&suite.steps) {
        if let Some(step) = step.as_object_mut() {
            step.insert("time".to_string(), time_told(outcome.seconds).into());
            step.insert("share".to_string(), (100.0 * outcome.seconds / longest).round().into());
        }
    }
    Ok(value)
}

#[cfg(test)]
pub mod tests {
    use super::super::junit;
    use super::*;
    use crate::smoke::event::Said;
    use crate::smoke::event::Verdict;
    use crate::smoke::target::{Evidence, Place};

    /// A run with one step of each end, and hostile output.
    pub fn record() -> Record {
        let (suite, title) = ("svr4".to_string(), "The SVR4 package".to_string());
        let mut events = vec![Event::SuiteStarted { suite: suite.clone(), title, steps: 3 }];
        let ran = Said { status: Some(1), stdout: "<b>&]]>\u{1b}".into(), stderr: String::new() };
        let evidence = vec![Evidence { name: "last screen".into(), text: "<script>alert(1)</script>".into() }];
        for (step, verdict) in [
            ("a", Verdict::Passed),
            ("b", Verdict::Failed { faults: vec!["exit code 1, not \"0\"".into()], ran: Some(ran), evidence }),
            ("c", Verdict::NotRun { reason: "b failed".into() }),
        ] {
            let (zone, command) = (Place::Global, "pkgadd -d '<x>'".to_string());
            let (suite, step) = (suite.clone(), step.to_string());
            if !matches!(verdict, Verdict::NotRun { .. }) {
                let (suite, step, title) = (suite.clone(), step.clone(), format!("step {step}"));
                events.push(Event::StepStarted { suite, step, title, zone, command });
            }
            events.push(Event::StepEnded { suite, step, verdict, seconds: 1.5 });
        }
        events.push(Event::SuiteEnded { suite, count: Count { passed: 1, failed: 1, not_run: 1 }, seconds: 3.0 });
        Record { target: "sim".into(), nature: Nature::Simulated, events }
    }

    #[test]
    fn a_guest_that_did_not_boot_is_told_of_as_one() {
        let mut record = record();
        record.events.insert(0, Event::Resumed { taken: "2026-01-02 03:04 UTC".into() });
        let told = "resumed from the snapshot of 2026-01-02 03:04 UTC, taken when it had booted";
        let page = render(&[Page::new(&record, b"")], "1.2.3", "today").unwrap();
        assert!(page.contains(&format!("<p class=\"nature\">{told}</p>")), "{page}");
        assert!(junit::render(&[record]).unwrap().contains(told));
    }

    #[test]
    fn the_page_says_what_ran_and_escapes_what_hosts_say() {
        let record = record();
        let page = Page::new(&record, b"\x1b[1mlogin: <root>");
        let text = render(&[page], "1.2.3", "today").unwrap();
        for part in [
            "what it said (exit code 1)",
            "1.5 s",
            "1 passed",
            "1 failed",
            "1 not run",
            "no illumos",
            "pkgadd -d",
            "login: &lt;root&gt;",
            "b failed",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("<script>") && !text.contains("<b>&]]>"));
    }
}
