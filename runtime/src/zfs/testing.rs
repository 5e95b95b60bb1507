//! For tests: a runner that replays what `zfs` was scripted to say.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::exec::{Call, Ended, ExecError, Output, Runner};

pub type Answer = Result<Output, ExecError>;

/// Replays scripted answers, each once and in order. A call that was not expected fails the test.
#[derive(Default)]
pub struct Fake {
    script: RefCell<VecDeque<(String, Answer)>>,
}

impl Fake {
    /// `args`: the arguments, joined by blanks.
    pub fn on(self, args: &str, answer: Answer) -> Self {
        self.script.borrow_mut().push_back((args.to_string(), answer));
        self
    }

    /// Fails when not all that was scripted has been asked.
    pub fn finish(&self) {
        let left: Vec<String> = self.script.borrow().iter().map(|(args, _)| args.clone()).collect();
        assert_eq!(left, [""; 0], "never asked");
    }
}

impl Runner for Fake {
    fn run(&self, call: &Call) -> Result<Output, ExecError> {
        let args = call.args.iter().map(|a| a.to_str().unwrap().to_string()).collect::<Vec<_>>().join(" ");
        let (expected, answer) = self.script.borrow_mut().pop_front().unwrap_or_else(|| panic!("unexpected: {args}"));
        assert_eq!(args, expected, "asked out of order");
        answer
    }
}

pub fn says(stdout: &str) -> Answer {
    Ok(Output { ended: Ended::Exited(0), stdout: stdout.into(), stderr: Vec::new() })
}

pub fn fails(status: i32, stderr: &str) -> Answer {
    Ok(Output { ended: Ended::Exited(status), stdout: Vec::new(), stderr: stderr.into() })
}
