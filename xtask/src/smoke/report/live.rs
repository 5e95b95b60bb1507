//! The list of steps as it grows, on standard error.

use std::io::{IsTerminal, Write, stderr};

use super::time_told;
use crate::shown::is_hostile;
use crate::smoke::event::{Event, Verdict};
use crate::smoke::target::Place;

/// How much of a program's output a person sees at once; the reports hold all of it.
const LINES_SHOWN: usize = 12;
const LONGEST_LINE: usize = 160;

/// How events are written for people.
#[derive(Debug, Clone)]
pub struct Live {
    /// Before every line, where several targets talk at once.
    prefix: String,
    colour: bool,
    /// Whether a step is shown while it runs: on a terminal, by one target alone.
    running: bool,
}

impl Live {
    pub fn new(target: &str, alone: bool) -> Self {
        let terminal = stderr().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        let prefix = if alone { String::new() } else { format!("[{target}] ") };
        Live { prefix, colour, running: terminal && alone }
    }

    /// Writes what is to be told of an event.
    pub fn tell(&self, event: &Event) {
        let mut text = String::new();
        if self.running && matches!(event, Event::StepEnded { .. }) {
            text.push_str("\r\u{1b}[K");
        }
        for line in self.lines(event) {
            text.push_str(&format!("{}{line}\n", self.prefix));
        }
        if self.running
            && let Event::StepStarted { step, title, .. } = event
        {
            text.push_str(&format!("   ...     {step}: {title}"));
        }
        // There is nobody to tell when this fails.
        let _ = stderr().write_all(text.as_bytes());
    }

    fn lines(&self, event: &Event) -> Vec<String> {
        match event {
            Event::Host { .. } | Event::Resumed { .. } => {
                event.of_host().map(|text| format!("-- {text}")).into_iter().collect()
            }
            Event::SuiteStarted { suite, title, steps } => vec![format!("== {suite}: {title} ({steps} steps)")],
            Event::StepStarted { .. } => Vec::new(),
            Event::StepEnded { step, verdict, seconds, .. } => self.ended(step, verdict, *seconds),
            Event::SuiteEnded { suite, count, seconds } => {
                vec![format!("== {suite}: {} in {}", count.told(), time_told(*seconds))]
            }
        }
    }

    fn ended(&self, step: &str, verdict: &Verdict, seconds: f64) -> Vec<String> {
        match verdict {
            Verdict::Passed => vec![format!("   {}  {step} ({})", self.coloured("passed ", 32), time_told(seconds))],
            Verdict::NotRun { reason } => vec![format!("   {}  {step}: {reason}", self.coloured("not run", 33))],
            Verdict::Failed { faults, ran, .. } => {
                let mut lines = vec![format!("   {}  {step} ({})", self.coloured("FAILED ", 31), time_told(seconds))];
                lines.extend(faults.iter().map(|fault| format!("            {}", one_line(fault))));
                if let Some(ran) = ran {
                    let said: Vec<&str> = ran.stdout.lines().chain(ran.stderr.lines()).collect();
                    let shown = &said[said.len().saturating_sub(LINES_SHOWN)..];
                    lines.extend(shown.iter().map(|line| format!("            | {}", one_line(line))));
                }
                lines
            }
        }
    }

    fn coloured(&self, word: &str, colour: u8) -> String {
        if self.colour { format!("\u{1b}[{colour}m{word}\u{1b}[0m") } else { word.to_string() }
    }
}

/// What a host says is not obeyed by a terminal.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if is_hostile(c) { '?' } else { c }).take(LONGEST_LINE).collect()
}

/// A zone's word in a list.
pub fn zone_word(place: Place) -> &'static str {
    match place {
        Place::Global => "global",
        Place::Local => "local",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smoke::event::Said;

    #[test]
    fn a_failure_is_told_with_its_faults_and_the_end_of_what_was_said() {
        let live = Live { prefix: String::new(), colour: false, running: false };
        let stdout = (1..=20).map(|n| format!("line {n}\n")).collect();
        let ran = Some(Said { status: Some(1), stdout, stderr: "\u{1b}[2Joops\n".into() });
        let verdict = Verdict::Failed { faults: vec!["exit code 1, not 0".into()], ran, evidence: vec![] };
        let lines = live.ended("a", &verdict, 0.25);
        assert_eq!(lines[0], "   FAILED   a (0.2 s)");
        assert_eq!(lines[1].trim(), "exit code 1, not 0");
        assert_eq!(lines[2].trim(), "| line 10");
        assert_eq!(lines.last().unwrap().trim(), "| ?[2Joops");
    }

    #[test]
    fn what_was_not_run_says_why() {
        let live = Live { prefix: String::new(), colour: true, running: false };
        let lines = live.ended("a", &Verdict::NotRun { reason: "no zone".into() }, 0.0);
        assert_eq!(lines, ["   \u{1b}[33mnot run\u{1b}[0m  a: no zone"]);
    }
}
