//! JUnit's XML, as CI systems read it. The template escapes; what XML cannot hold at all is replaced here.

use serde::Serialize;
use tera::{Context, Tera};

use super::{SuiteOutcome, outcomes};
use crate::smoke::event::Record;
use crate::smoke::target::Nature;

const NAME: &str = "smoke.xml";

#[derive(Serialize)]
struct Run {
    target: String,
    nature: Nature,
    resumed: Option<String>,
    suites: Vec<SuiteOutcome>,
}

pub fn render(records: &[Record]) -> tera::Result<String> {
    let run = |record: &Record| Run {
        target: record.target.clone(),
        nature: record.nature,
        resumed: record.resumed(),
        suites: outcomes(&record.events),
    };
    let mut context = Context::new();
    context.insert("runs", &records.iter().map(run).collect::<Vec<_>>());
    let mut tera = Tera::default();
    tera.autoescape_on(vec![NAME]);
    tera.add_raw_template(NAME, include_str!("smoke.xml.tera"))?;
    let text = tera.render(NAME, &context)?;
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    Ok(text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect())
}

#[cfg(test)]
mod tests {
    use super::super::html::tests::record;
    use super::*;

    #[test]
    fn it_is_xml_with_every_step_and_its_end() {
        let text = render(&[record()]).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        assert_eq!(
            (suite.attribute("tests"), suite.attribute("failures"), suite.attribute("skipped")),
            (Some("3"), Some("1"), Some("1"))
        );
        let failure = document.descendants().find(|node| node.has_tag_name("failure")).unwrap();
        assert!(failure.text().unwrap().contains("<b>&]]>\u{fffd}"), "{text}");
    }
}
