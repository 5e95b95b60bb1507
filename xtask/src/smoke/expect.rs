//! Whether a program did what a step expects, and if not, everything that was wrong.

use regex::Regex;

use super::target::Ran;

/// What a program should have done. Output means both streams, the standard one first.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The exit codes that are right.
    pub exit: Vec<i32>,
    /// Texts that the output holds.
    pub shows: Vec<String>,
    /// Texts that it does not hold.
    pub hides: Vec<String>,
    /// Patterns that it matches somewhere; `^` and `$` are the ends of a line.
    pub matches: Vec<Regex>,
    /// Patterns that it matches nowhere.
    pub unlike: Vec<Regex>,
}

impl Expected {
    /// Everything that is wrong with what a program did, for people.
    pub fn faults(&self, ran: &Ran) -> Vec<String> {
        let output = output(ran);
        let mut faults = Vec::new();
        if !self.exit.contains(&ran.status) {
            let wanted = self.exit.iter().map(i32::to_string).collect::<Vec<_>>().join(" or ");
            faults.push(format!("exit code {}, not {wanted}", ran.status));
        }
        let lacks = self.shows.iter().filter(|text| !output.contains(text.as_str()));
        faults.extend(lacks.map(|text| format!("the output lacks {text:?}")));
        let holds = self.hides.iter().filter(|text| output.contains(text.as_str()));
        faults.extend(holds.map(|text| format!("the output holds {text:?}")));
        let unmatched = self.matches.iter().filter(|pattern| !pattern.is_match(&output));
        faults.extend(unmatched.map(|pattern| format!("nothing in the output matches /{pattern}/")));
        let found = self.unlike.iter().filter_map(|pattern| Some((pattern, pattern.find(&output)?)));
        faults.extend(found.map(|(pattern, found)| format!("{:?} in the output matches /{pattern}/", found.as_str())));
        faults
    }
}

/// What a program said, on either stream.
fn output(ran: &Ran) -> String {
    // A stream that does not end its last line must not run into the other one.
    let gap = if ran.stdout.is_empty() || ran.stdout.ends_with('\n') { "" } else { "\n" };
    format!("{}{gap}{}", ran.stdout, ran.stderr)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Regex {
        regex::RegexBuilder::new(text).multi_line(true).build().unwrap()
    }

    fn expected() -> Expected {
        Expected { exit: vec![0], shows: vec![], hides: vec![], matches: vec![], unlike: vec![] }
    }

    fn ran(status: i32, stdout: &str, stderr: &str) -> Ran {
        Ran { status, stdout: stdout.into(), stderr: stderr.into() }
    }

    #[test]
    fn what_is_as_expected_has_no_faults() {
        let expected = Expected {
            exit: vec![0, 2],
            shows: vec!["warn".into()],
            hides: vec!["ERROR".into()],
            matches: vec![pattern("^online$")],
            unlike: vec![pattern("^ERR")],
        };
        assert_eq!(expected.faults(&ran(2, "online", "warn: ERR")), Vec::<String>::new());
    }

    #[test]
    fn every_fault_is_told() {
        let expected = Expected {
            exit: vec![0, 2],
            shows: vec!["done".into()],
            hides: vec!["failed".into()],
            matches: vec![pattern("^online$")],
            unlike: vec![pattern("core \\w+")],
        };
        assert_eq!(
            expected.faults(&ran(1, "failed: core dumped\n", "")),
            [
                "exit code 1, not 0 or 2",
                "the output lacks \"done\"",
                "the output holds \"failed\"",
                "nothing in the output matches /^online$/",
                "\"core dumped\" in the output matches /core \\w+/",
            ]
        );
    }

    #[test]
    fn both_streams_count_and_do_not_run_together() {
        let streams = Expected { shows: vec!["a".into(), "b".into()], hides: vec!["ab".into()], ..expected() };
        assert!(streams.faults(&ran(0, "a", "b")).is_empty());
        assert_eq!(streams.faults(&ran(0, "", "b")).len(), 1);
    }
}
