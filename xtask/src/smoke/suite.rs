//! The steps, as they are written in `pkg/smoke/SUITE.toml`.
//!
//! ```toml
//! title = "The SVR4 package"
//! needs = ["svr4"]                  # what a host must have, or the whole suite is not run
//!
//! [[step]]
//! id = "install"                    # stable: reports and other steps name it
//! title = "pkgadd installs the package"
//! zone = "local"                    # "global" if not given; "local" is the zone "smoke"
//! run = ["pkgadd", "-d", "${svr4}", "COSvboxsvc"]     # a program and its arguments, by no shell
//! stdin = "y\n"                     # what it reads; nothing if not given
//! exit = [0, 2]                     # exit codes that are right; [0] if not given
//! shows = ["was successful"]        # texts that the output (both streams) holds
//! hides = ["ERROR"]                 # texts that it does not hold
//! matches = ["^COSvboxsvc"]         # regular expressions; ^ and $ are the ends of a line
//! unlike = ["core dumped"]          # regular expressions that match nowhere
//! poll = "2s"                       # run it again with this gap until all that holds
//! bound = "3m"                      # how long all of it may take on a fast host; "1m" if not given
//! needs = ["zone"]                  # what a host must have, or this step is not run
//! after = ["stub"]                  # steps that must have passed, or this one is not run
//! failure = "go-on"                 # the rest of the suite is run after a failure; "stop" if not given
//! cleanup = true                    # it is run whatever happened before
//! ```
//!
//! In place of `run` a step can put a file, `put = { path = "/var/tmp/x", text = "..." }`, or reboot the host or the zone
//! it happens in, `reboot = true`. This module reads and checks; it runs nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use thiserror::Error;

use super::expect::Expected;
use super::target::{Feature, Place};
use super::variables::{self, VariableError};

/// Where the suites are, below the workspace.
pub const FOLDER: &str = "pkg/smoke";

const BOUND: Duration = Duration::from_secs(60);
/// No step has a reason to take longer, even before a slow host's patience is counted in.
const LONGEST_BOUND: Duration = Duration::from_secs(1800);
/// A compiled pattern may not take more memory than this.
const PATTERN_SIZE: usize = 1 << 20;

#[derive(Debug, Error)]
pub enum SuiteError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{suite}: {source}")]
    Toml { suite: String, source: Box<toml::de::Error> },
    #[error("{suite}, step {step:?}: {fault}")]
    Step { suite: String, step: String, fault: Box<StepFault> },
    #[error("no suite {name:?}; there are {there}")]
    Unknown { name: String, there: String },
}

#[derive(Debug, Error)]
pub enum StepFault {
    #[error("the id is not made of a-z, 0-9 and -")]
    Id,
    #[error("another step has this id")]
    Twice,
    #[error("exactly one of `run`, `put` and `reboot = true` says what is done")]
    Action,
    #[error("`run` names no program")]
    NoProgram,
    #[error("`{0}` is only for steps that run a program")]
    OnlyForRun(&'static str),
    #[error("`put` takes an absolute path, not {0:?}")]
    Relative(String),
    #[error("`{key}` {text:?} is no time such as \"90s\" or \"2m\": {source}")]
    Time { key: &'static str, text: String, source: humantime::DurationError },
    #[error("`bound` {0:?} is longer than {max} minutes", max = LONGEST_BOUND.as_secs() / 60)]
    Bound(String),
    #[error("the pattern is not right: {0}")]
    Pattern(#[from] regex::Error),
    #[error("`after` names {0:?}, which is no step before this one")]
    After(String),
    #[error("{0}")]
    Variable(#[from] VariableError),
}

/// Steps that are run one after the other.
#[derive(Debug, Clone)]
pub struct Suite {
    pub name: String,
    pub title: String,
    pub needs: Vec<Feature>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub id: String,
    pub title: String,
    pub place: Place,
    pub action: Action,
    pub bound: Duration,
    pub needs: Vec<Feature>,
    pub after: Vec<String>,
    /// Whether the rest of the suite makes sense when this has failed.
    pub goes_on: bool,
    pub cleanup: bool,
}

#[derive(Debug, Clone)]
pub enum Action {
    Run {
        words: Vec<String>,
        stdin: String,
        expected: Expected,
        /// The gap between two tries, where it is tried until it is as expected.
        poll: Option<Duration>,
    },
    Put {
        path: String,
        text: String,
    },
    Reboot,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    title: String,
    #[serde(default)]
    needs: Vec<Feature>,
    #[serde(rename = "step", default)]
    steps: Vec<WrittenStep>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    id: String,
    title: String,
    #[serde(default)]
    zone: Place,
    run: Option<Vec<String>>,
    put: Option<WrittenFile>,
    #[serde(default)]
    reboot: bool,
    stdin: Option<String>,
    exit: Option<Vec<i32>>,
    shows: Option<Vec<String>>,
    hides: Option<Vec<String>>,
    matches: Option<Vec<String>>,
    unlike: Option<Vec<String>>,
    poll: Option<String>,
    bound: Option<String>,
    #[serde(default)]
    needs: Vec<Feature>,
    #[serde(default)]
    after: Vec<String>,
    #[serde(default)]
    failure: Failure,
    #[serde(default)]
    cleanup: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenFile {
    path: String,
    text: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Failure {
    #[default]
    Stop,
    GoOn,
}

/// Reads every suite of a folder, in the order of their names.
pub fn read_all(folder: &Path) -> Result<Vec<Suite>, SuiteError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| SuiteError::Read { path, source }
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed(folder))? {
        paths.push(entry.map_err(failed(folder))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).map_err(failed(path))?;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        parse(&name, &text)
    };
    paths.iter().map(read).collect()
}

/// Those of the suites that are named, in the order of the suites; all where none is named.
pub fn chosen(suites: Vec<Suite>, names: &[String]) -> Result<Vec<Suite>, SuiteError> {
    if let Some(name) = names.iter().find(|name| !suites.iter().any(|suite| suite.name == **name)) {
        let there = suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(SuiteError::Unknown { name: name.clone(), there });
    }
    Ok(suites.into_iter().filter(|suite| names.is_empty() || names.contains(&suite.name)).collect())
}

/// Reads one suite and says the first thing that is wrong with it.
pub fn parse(name: &str, text: &str) -> Result<Suite, SuiteError> {
    let written: Written = toml::from_str(text)
        .map_err(|source| SuiteError::Toml { suite: name.to_string(), source: Box::new(source) })?;
    let mut seen = BTreeSet::new();
    let mut steps = Vec::new();
    for step in written.steps {
        let id = step.id.clone();
        let checked = checked(step, &seen);
        let at = |fault| SuiteError::Step { suite: name.to_string(), step: id.clone(), fault: Box::new(fault) };
        steps.push(checked.map_err(at)?);
        if !seen.insert(id.clone()) {
            return Err(at(StepFault::Twice));
        }
    }
    Ok(Suite { name: name.to_string(), title: written.title, needs: written.needs, steps })
}

fn checked(step: WrittenStep, before: &BTreeSet<String>) -> Result<Step, StepFault> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if step.id.is_empty() || !step.id.chars().all(plain) {
        return Err(StepFault::Id);
    }
    if let Some(missing) = step.after.iter().find(|id| !before.contains(*id)) {
        return Err(StepFault::After(missing.clone()));
    }
    let bound = step.bound.as_deref().map(|text| time("bound", text)).transpose()?.unwrap_or(BOUND);
    if bound > LONGEST_BOUND {
        return Err(StepFault::Bound(step.bound.unwrap_or_default()));
    }
    let goes_on = step.failure == Failure::GoOn;
    let (id, title, place) = (step.id.clone(), step.title.clone(), step.zone);
    let (needs, after, cleanup) = (step.needs.clone(), step.after.clone(), step.cleanup);
    Ok(Step { id, title, place, action: action(step)?, bound, needs, after, goes_on, cleanup })
}

fn action(step: WrittenStep) -> Result<Action, StepFault> {
    if step.run.is_none()
        && let Some(key) = expectation(&step)
    {
        return Err(StepFault::OnlyForRun(key));
    }
    match (step.run, step.put, step.reboot) {
        (Some(words), None, false) => {
            let stdin = step.stdin.unwrap_or_default();
            let expected = Expected {
                exit: step.exit.unwrap_or_else(|| vec![0]),
                shows: step.shows.unwrap_or_default(),
                hides: step.hides.unwrap_or_default(),
                matches: patterns(step.matches)?,
                unlike: patterns(step.unlike)?,
            };
            if words.first().is_none_or(String::is_empty) {
                return Err(StepFault::NoProgram);
            }
            for text in words.iter().chain([&stdin]).chain(&expected.shows).chain(&expected.hides) {
                variables::check(text)?;
            }
            let poll = step.poll.as_deref().map(|text| time("poll", text)).transpose()?;
            Ok(Action::Run { words, stdin, expected, poll })
        }
        (None, Some(file), false) => {
            variables::check(&file.text)?;
            if !file.path.starts_with('/') {
                return Err(StepFault::Relative(file.path));
            }
            Ok(Action::Put { path: file.path, text: file.text })
        }
        (None, None, true) => Ok(Action::Reboot),
        _ => Err(StepFault::Action),
    }
}

/// A key that only a step with a program may have.
fn expectation(step: &WrittenStep) -> Option<&'static str> {
    let keys = [
        ("stdin", step.stdin.is_some()),
        ("exit", step.exit.is_some()),
        ("shows", step.shows.is_some()),
        ("hides", step.hides.is_some()),
        ("matches", step.matches.is_some()),
        ("unlike", step.unlike.is_some()),
        ("poll", step.poll.is_some()),
    ];
    keys.into_iter().find(|(_, given)| *given).map(|(key, _)| key)
}

fn patterns(texts: Option<Vec<String>>) -> Result<Vec<Regex>, StepFault> {
    let compile = |text: String| RegexBuilder::new(&text).multi_line(true).size_limit(PATTERN_SIZE).build();
    Ok(texts.unwrap_or_default().into_iter().map(compile).collect::<Result<_, _>>()?)
}

fn time(key: &'static str, text: &str) -> Result<Duration, StepFault> {
    humantime::parse_duration(text).map_err(|source| StepFault::Time { key, text: text.to_string(), source })
}

#[cfg(test)]
mod tests;
