//! `zfs`, one method for each question and order, each with a deadline.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::parse::{self, Dataset, OwnedVolume, ParseError};
use crate::exec::{Call, Ended, ExecError, Output, Runner};
use crate::log::printable;
use crate::tools::{NotFound, Tools};

/// Lists are read from memory, but a host may have tens of thousands of datasets and snapshots.
const LIST_DEADLINE: Duration = Duration::from_secs(30);
/// A change waits for a transaction group to reach the disks, which takes long where they are busy.
const CHANGE_DEADLINE: Duration = Duration::from_secs(120);

#[derive(Debug, thiserror::Error)]
pub enum ZfsError {
    #[error(transparent)]
    CannotRun(#[from] ExecError),
    #[error("{call} did not end within {} s", .deadline.as_secs())]
    TimedOut { call: String, deadline: Duration },
    #[error("{call} was interrupted")]
    Interrupted { call: String },
    /// There is one of that name already.
    #[error("{call}: {said}")]
    Exists { call: String, said: String },
    #[error("{call}: {said}")]
    Denied { call: String, said: String },
    #[error("{call}: {said}")]
    Failed { call: String, said: String },
    #[error("the answer of {call} is of no use: {why}")]
    Unusable { call: String, why: ParseError },
    /// A text that `zfs` would read as something else than one snapshot.
    #[error("{name:?} is not the name of one snapshot, and is not destroyed")]
    NotASnapshot { name: String },
}

pub struct Zfs<'a> {
    runner: &'a dyn Runner,
    program: PathBuf,
    env: Vec<(OsString, OsString)>,
}

impl<'a> Zfs<'a> {
    pub fn new(runner: &'a dyn Runner, tools: &Tools) -> Result<Zfs<'a>, NotFound> {
        // Messages are read, and translated ones could not be.
        let env = vec![("LC_ALL".into(), "C".into()), ("PATH".into(), tools.path())];
        Ok(Zfs { runner, program: tools.find("zfs")?, env })
    }

    #[cfg(test)]
    pub(crate) fn of(runner: &'a dyn Runner) -> Zfs<'a> {
        Zfs { runner, program: "/usr/sbin/zfs".into(), env: Vec::new() }
    }

    /// All file systems and volumes.
    pub fn datasets(&self) -> Result<Vec<Dataset>, ZfsError> {
        let args = ["list", "-Hp", "-t", "filesystem,volume", "-o", "name,type,mountpoint,mounted"];
        self.read(&args, parse::datasets)
    }

    /// The snapshots of these datasets and of none below them, for each the oldest first.
    pub fn snapshots(&self, datasets: &[&str]) -> Result<Vec<String>, ZfsError> {
        let mut args = vec!["list", "-Hp", "-d", "1", "-t", "snapshot", "-o", "name"];
        args.extend(datasets);
        self.read(&args, parse::snapshots)
    }

    /// All volumes with their `owner:` properties.
    pub fn owned_volumes(&self) -> Result<Vec<OwnedVolume>, ZfsError> {
        let columns = "name,owner:user,owner:group,owner:chmod,owner:acl";
        self.read(&["list", "-Hp", "-t", "volume", "-o", columns], parse::owned_volumes)
    }

    /// The file systems that are delegated to zones, whose administrators set properties there and below.
    pub fn delegated(&self) -> Result<Vec<String>, ZfsError> {
        self.read(&["list", "-Hp", "-t", "filesystem", "-o", "name,zoned"], parse::delegated)
    }

    /// Makes these snapshots, all or none: they must be of one pool.
    pub fn snapshot(&self, names: &[String]) -> Result<(), ZfsError> {
        let args: Vec<&str> = std::iter::once("snapshot").chain(names.iter().map(String::as_str)).collect();
        self.ask(&args, CHANGE_DEADLINE).map(drop)
    }

    /// Destroys one snapshot. `zfs destroy` takes names without `@` as whole datasets, and `,` and `%` as lists and
    /// ranges of snapshots: such a text never reaches it from here.
    pub fn destroy_snapshot(&self, name: &str) -> Result<(), ZfsError> {
        let fit = |c: char| c.is_ascii_alphanumeric() || "_.:- ".contains(c);
        match name.split_once('@') {
            Some((dataset, tail))
                if !dataset.is_empty()
                    && !dataset.starts_with('-')
                    && !dataset.contains([',', '%'])
                    && !tail.is_empty()
                    && tail.chars().all(fit) =>
            {
                self.ask(&["destroy", name], CHANGE_DEADLINE).map(drop)
            }
            _ => Err(ZfsError::NotASnapshot { name: name.to_string() }),
        }
    }

    /// Sets one property of a dataset.
    pub fn set(&self, property: &str, value: &str, dataset: &str) -> Result<(), ZfsError> {
        self.ask(&["set", &format!("{property}={value}"), dataset], CHANGE_DEADLINE).map(drop)
    }

    fn read<T>(&self, args: &[&str], parse: fn(&[u8]) -> Result<T, ParseError>) -> Result<T, ZfsError> {
        let output = self.ask(args, LIST_DEADLINE)?;
        parse(&output.stdout).map_err(|why| ZfsError::Unusable { call: self.shown(args), why })
    }

    fn ask(&self, args: &[&str], deadline: Duration) -> Result<Output, ZfsError> {
        let output = self.runner.run(&Call::new(&self.program, deadline).args(args).env(&self.env))?;
        if output.success() {
            return Ok(output);
        }
        let call = self.shown(args);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = text.lines().map(str::trim).find(|l| !l.is_empty()).map(printable);
        Err(match (output.ended, said) {
            (Ended::TimedOut, _) => ZfsError::TimedOut { call, deadline },
            (Ended::Interrupted, _) => ZfsError::Interrupted { call },
            (Ended::Signaled(signal), _) => ZfsError::Failed { call, said: format!("killed by signal {signal}") },
            (Ended::Exited(code), None) => ZfsError::Failed { call, said: format!("exit code {code}, no message") },
            (Ended::Exited(_), Some(said)) if said.ends_with("dataset already exists") => {
                ZfsError::Exists { call, said }
            }
            // Not always with the name of the dataset, and then with a blank where it would be.
            (Ended::Exited(_), Some(said)) if said.to_ascii_lowercase().ends_with("permission denied") => {
                ZfsError::Denied { call, said }
            }
            (Ended::Exited(_), Some(said)) => ZfsError::Failed { call, said },
        })
    }

    /// What was asked, in few words: the names are in what `zfs` said.
    fn shown(&self, args: &[&str]) -> String {
        format!("zfs {}", args.first().unwrap_or(&""))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Fake, fails, says};
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_what_zfs_says() {
        let exists = "cannot create snapshot 'tank/a@x': dataset already exists\nno snapshots were created\n";
        let fake = Fake::default()
            .on("snapshot tank/a@x", fails(1, exists))
            .on("snapshot tank/a@x", fails(1, "cannot create snapshots : permission denied\n"))
            .on("snapshot tank/a@x", fails(1, "cannot create snapshot 'tank/a@x': out of space\n"));
        let names = ["tank/a@x".to_string()];
        let ask = || Zfs::of(&fake).snapshot(&names).unwrap_err();
        assert!(matches!(ask(), ZfsError::Exists { .. }));
        assert!(matches!(ask(), ZfsError::Denied { .. }));
        let error = ask();
        assert!(matches!(error, ZfsError::Failed { .. }));
        assert_eq!(error.to_string(), "zfs snapshot: cannot create snapshot 'tank/a@x': out of space");
        fake.finish();
    }

    #[test]
    fn a_late_or_silent_end_is_an_error() {
        let late = Ok(Output { ended: Ended::TimedOut, stdout: vec![], stderr: vec![] });
        let fake = Fake::default().on("set a:b=c t/v", late).on("set a:b=c t/v", fails(2, ""));
        assert!(matches!(Zfs::of(&fake).set("a:b", "c", "t/v"), Err(ZfsError::TimedOut { .. })));
        assert!(Zfs::of(&fake).set("a:b", "c", "t/v").unwrap_err().to_string().contains("exit code 2"));
    }

    #[test]
    fn only_one_whole_snapshot_is_ever_destroyed() {
        let fake = Fake::default().on("destroy tank/a b@p:vm:x", says(""));
        let zfs = Zfs::of(&fake);
        for name in ["tank", "tank/a@", "@x", "tank/a@a%b", "tank/a@a,b", "tank/a@a@b", "-r@x", "t%u@x", "tank/a#b"] {
            assert!(matches!(zfs.destroy_snapshot(name), Err(ZfsError::NotASnapshot { .. })), "{name}");
        }
        zfs.destroy_snapshot("tank/a b@p:vm:x").unwrap();
        fake.finish();
    }
}
