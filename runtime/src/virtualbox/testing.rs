//! For tests: a runner that replays what was scripted and records what was asked, and the recorded answers of the real
//! VirtualBox 7.2 under `tests/fixtures/virtualbox`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use super::{Programs, VirtualBox};
use crate::exec::{Call, Ended, ExecError, Output, Runner};

/// What the next call with these arguments gets.
pub type Answer = Result<Output, io::ErrorKind>;

/// Replays scripted answers, each once and in order. A call that was not expected fails the test.
#[derive(Default)]
pub struct FakeRunner {
    script: RefCell<VecDeque<(String, Answer)>>,
    calls: RefCell<Vec<Call>>,
}

impl FakeRunner {
    pub fn new() -> Self {
        Self::default()
    }

    /// `args`: the arguments, joined by blanks.
    pub fn on(self, args: &str, answer: Answer) -> Self {
        self.script.borrow_mut().push_back((args.to_string(), answer));
        self
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Fails when not all that was scripted has been asked.
    pub fn finish(&self) {
        assert!(self.script.borrow().is_empty(), "never asked: {:?}", self.script.borrow());
    }

    /// A client of this runner, with made-up programs and environment.
    pub fn client(&self) -> VirtualBox<'_> {
        let programs = Programs {
            manage: "/opt/VirtualBox/VBoxManage".into(),
            headless: "/opt/VirtualBox/VBoxHeadless".into(),
            gui: Some("/opt/VirtualBox/VirtualBoxVM".into()),
        };
        VirtualBox::new(self, programs, vec![("LC_ALL".into(), "C.UTF-8".into())])
    }
}

impl Runner for FakeRunner {
    fn run(&self, call: &Call) -> Result<Output, ExecError> {
        let args: Vec<String> = call.args.iter().map(|a| a.to_str().unwrap().to_string()).collect();
        let args = args.join(" ");
        self.calls.borrow_mut().push(call.clone());
        let (expected, answer) = self.script.borrow_mut().pop_front().unwrap_or_else(|| panic!("unexpected: {args}"));
        assert_eq!(args, expected, "asked out of order");
        answer.map_err(|kind| ExecError::Spawn { program: call.program.display().to_string(), source: kind.into() })
    }
}

pub fn says(stdout: &str) -> Answer {
    Ok(Output { ended: Ended::Exited(0), stdout: stdout.into(), stderr: Vec::new() })
}

pub fn fails(status: i32, stderr: &str) -> Answer {
    Ok(Output { ended: Ended::Exited(status), stdout: Vec::new(), stderr: stderr.into() })
}

pub fn ends(ended: Ended) -> Answer {
    Ok(Output { ended, stdout: Vec::new(), stderr: Vec::new() })
}

/// A recorded answer.
pub fn sample(name: &str) -> Output {
    let file = |end: &str| std::fs::read(samples().join(format!("{name}.{end}"))).unwrap_or_default();
    let status = String::from_utf8(file("rc")).unwrap();
    let status = if status.is_empty() { 0 } else { status.trim().parse().unwrap() };
    assert!(samples().join(format!("{name}.out")).exists(), "no sample {name}");
    Output { ended: Ended::Exited(status), stdout: file("out"), stderr: file("err") }
}

/// The folder of the recorded answers: for each, what was printed on both streams and the exit status. No `.err`:
/// nothing; no `.rc`: 0.
pub fn samples() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/virtualbox")
}
