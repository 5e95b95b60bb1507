//! The package writers under the same blows: under its own name a package is the old one or the new one, and whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::calls::{Blow, Point, followed};
use super::targets::Outcome;

/// What is written while nobody has finished yet.
const UNFINISHED: &str = ".writing-";

/// A folder to write into, again and again.
pub struct Shelf {
    folder: TempDir,
    /// `xtask`, whose command `trial` writes packages of both formats.
    writer: PathBuf,
    old: BTreeMap<String, Vec<u8>>,
    new: BTreeMap<String, Vec<u8>>,
}

impl Shelf {
    /// # Errors
    /// Where the writer does not work undisturbed.
    pub fn new(writer: &Path) -> Result<Shelf, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut shelf = Shelf { folder, writer: writer.to_path_buf(), old: BTreeMap::new(), new: BTreeMap::new() };
        for age in ["old", "new"] {
            fs::write(shelf.path(age), format!("no program: {age}")).map_err(|error| error.to_string())?;
            let ran = shelf.run(&[], age);
            if !ran.status.success() {
                return Err(format!("the package writer does not work: {}", String::from_utf8_lossy(&ran.stderr)));
            }
            let made = files(&shelf.path("out"));
            *(if age == "old" { &mut shelf.old } else { &mut shelf.new }) = made;
        }
        Ok(shelf)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes packages with this program inside; under strace where it has options.
    fn run(&self, options: &[String], age: &str) -> Output {
        let mut command = match options {
            [] => Command::new(&self.writer),
            _ => {
                let mut strace = Command::new("strace");
                strace.args(["-qq", "-o"]).arg(self.path("trace")).args(options).arg("--").arg(&self.writer);
                strace
            }
        };
        command.arg("trial").arg("--executable").arg(self.path(age)).arg("--stub").arg(self.path(age));
        command.arg("--out").arg(self.path("out")).env("SOURCE_DATE_EPOCH", "1700000000").stdin(Stdio::null());
        command.output().expect("a writer that can be run")
    }

    /// strace's account of a run that goes well.
    pub fn undisturbed(&self) -> String {
        self.run(&[followed()], "new");
        fs::read_to_string(self.path("trace")).unwrap_or_default()
    }

    pub fn strike(&self, point: &Point) -> Outcome {
        self.put(&self.old);
        let ran = self.run(&point.options(), "new");
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        let is_killed = point.blow == Blow::Kill;
        let mut wrong = Vec::new();
        let there = files(&self.path("out"));
        for (name, bytes) in &there {
            let is_whole = [&self.old, &self.new].iter().any(|age| age.get(name) == Some(bytes));
            if name.starts_with(UNFINISHED) {
                // Whoever is killed cannot clean up, and what cannot be removed stays.
                if !is_killed && !point.call.starts_with("unlink") {
                    wrong.push(format!("{name} is left behind"));
                }
            } else if !is_whole {
                wrong.push(format!("{name} is neither the old package nor the new one"));
            }
        }
        wrong.extend(self.old.keys().filter(|n| !there.contains_key(*n)).map(|name| format!("{name} is gone")));
        match ran.status.code() {
            Some(0) if self.new.iter().any(|(name, bytes)| there.get(name) != Some(bytes)) => {
                wrong.push("it succeeded and not all packages are the new ones".to_string());
            }
            Some(0) => {}
            Some(1) if said.contains("error: ") || point.shown.starts_with("write(2,") => {}
            None if is_killed => {}
            other => wrong.push(format!("it ended with {other:?}: {said}")),
        }
        if !self.run(&[], "new").status.success()
            || self.new.iter().any(|(n, b)| files(&self.path("out")).get(n) != Some(b))
        {
            wrong.push("the next run does not write them".to_string());
        }
        let code = ran.status.code().map_or("killed".to_string(), |code| format!("exit {code}"));
        let error = said.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        Outcome { told: format!("{code} {error}"), wrong }
    }

    fn put(&self, all: &BTreeMap<String, Vec<u8>>) {
        let out = self.path("out");
        let _ = fs::remove_dir_all(&out);
        fs::create_dir(&out).expect("a writable folder");
        for (name, bytes) in all {
            fs::write(out.join(name), bytes).expect("a writable folder");
        }
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|e| Some((e.file_name().into_string().ok()?, fs::read(e.path()).ok()?))).collect()
}
