//! `cargo xtask reproduce`: whether the same commit gives the same bytes in another place.
//!
//! Builds everything twice: in this workspace, and in a clone of it below another folder, with a toolkit compiled there,
//! another time zone and another language. Then compares every file, and of the first that differs says where and what.
//! The clone is of the commit, so the workspace must hold nothing that is not committed.

mod explain;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::shown;
use crate::tasks::pkg::{self, Format, Toolchain};
use crate::time;
use explain::{Difference, compare};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    toolchain: Toolchain,
    /// Where to clone and build; a temporary folder if not given
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Keep the clone and both sets of packages to look at
    #[arg(long)]
    keep: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Outcome {
    reproducible: bool,
    /// Files that are the same, in the order of their names.
    same: Vec<String>,
    differences: Vec<Difference>,
    /// Where both builds are, if they are kept.
    kept: Option<PathBuf>,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    refuse_changes(workspace)?;
    let scratch = scratch(args.scratch.as_deref())?;
    let here = scratch.path().join("here");
    eprintln!("== the first build, in {}", workspace.display());
    pkg::make(workspace, Format::All, &args.toolchain, &here)?;
    let mut outcome = against(workspace, Format::All, &args.toolchain, &here, scratch.path())?;
    outcome.kept = args.keep.then(|| scratch.keep());
    if args.json {
        println!("{}", shown::json(&outcome)?);
    } else {
        print!("{}", text(&outcome));
    }
    outcome.verdict()
}

/// For `cargo xtask pkg --check-reproducible`: builds a second time, and compares with what is in a folder.
pub fn check(workspace: &Path, format: Format, toolchain: &Toolchain, made: &Path) -> Result<()> {
    let scratch = scratch(None)?;
    let outcome = against(workspace, format, toolchain, made, scratch.path())?;
    eprint!("{}", text(&outcome));
    outcome.verdict()
}

impl Outcome {
    fn verdict(&self) -> Result<()> {
        if !self.reproducible {
            bail!("the same commit does not give the same bytes");
        }
        Ok(())
    }
}

fn scratch(folder: Option<&Path>) -> Result<tempfile::TempDir> {
    let mut scratch = tempfile::Builder::new();
    scratch.prefix("reproduce-");
    let made = folder.map_or_else(|| scratch.tempdir(), |folder| scratch.tempdir_in(folder));
    made.context("cannot make a folder to build in")
}

/// The second build, below `scratch`, and how it differs from the first, which is in `here`.
fn against(workspace: &Path, format: Format, toolchain: &Toolchain, here: &Path, scratch: &Path) -> Result<Outcome> {
    // Longer than most paths, and not the name the workspace has.
    let clone = scratch.join("a-clone-at-some-other-place/of-the-same-commit");
    let there = scratch.join("there");
    eprintln!("== the second build, in {}", clone.display());
    second_build(workspace, format, toolchain, &clone, &there)?;
    let (same, differences) = compare(here, &there)?;
    Ok(Outcome { reproducible: differences.is_empty(), same, differences, kept: None })
}

/// Refuses a workspace whose second build would be of something else.
pub fn refuse_changes(workspace: &Path) -> Result<()> {
    let output = Command::new("git").args(["status", "--porcelain"]).current_dir(workspace).output();
    let output = output.context("cannot ask git what is committed")?;
    if !output.status.success() {
        bail!("{} is no git repository: {}", workspace.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    if let Some(change) = String::from_utf8_lossy(&output.stdout).lines().next() {
        bail!("not all is committed ({}), and a clone would not have it: commit or stash first", change.trim());
    }
    Ok(())
}

fn second_build(workspace: &Path, format: Format, toolchain: &Toolchain, clone: &Path, out: &Path) -> Result<()> {
    let parent = clone.parent().context("a clone lies in a folder")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--no-hardlinks"]).arg(workspace).arg(clone);
    succeed(&mut git, "git clone")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build
        .args(["run", "--quiet", "--locked", "--package", "xtask", "--", "pkg", "--format", format.word(), "--out"])
        .arg(out)
        .args(toolchain.options())
        .current_dir(clone)
        .env("CARGO_TARGET_DIR", clone.join("target"))
        .env("SOURCE_DATE_EPOCH", time::source_date_epoch(workspace)?.to_string())
        .env("TZ", "Asia/Kathmandu")
        .env("LC_ALL", "C");
    succeed(&mut build, "the build in the clone")
}

/// Runs a program that talks to people only.
fn succeed(command: &mut Command, what: &str) -> Result<()> {
    let status = command.stdout(Stdio::null()).status().with_context(|| format!("cannot run {what}"))?;
    if !status.success() {
        bail!("{what} failed ({status})");
    }
    Ok(())
}

fn text(outcome: &Outcome) -> String {
    let mut text: String = outcome.same.iter().map(|file| format!("same    {file}\n")).collect();
    for difference in &outcome.differences {
        text.push_str(&format!("DIFFERS {}\n", difference.file));
        text.extend(difference.details.iter().map(|detail| format!("        {detail}\n")));
    }
    if let Some(kept) = &outcome.kept {
        text.push_str(&format!("both builds are in {}\n", kept.display()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, args: &[&str]) {
        assert!(Command::new("git").args(args).current_dir(folder).status().unwrap().success());
    }

    #[test]
    fn what_is_not_committed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refuse_changes(folder.path()).is_err(), "no repository");
        git(folder.path(), &["init", "--quiet"]);
        refuse_changes(folder.path()).unwrap();
        fs::write(folder.path().join("new"), "").unwrap();
        let error = refuse_changes(folder.path()).unwrap_err().to_string();
        assert!(error.contains("?? new"), "{error}");
    }

    #[test]
    fn the_result_is_a_line_a_file_and_the_reasons_below() {
        let difference = Difference { file: "b.pkg".into(), details: vec!["bytes 1..2 of 3".into()] };
        let (same, kept) = (vec!["a.p5p".into()], Some("/there".into()));
        let outcome = Outcome { reproducible: false, same, differences: vec![difference], kept };
        assert_eq!(
            text(&outcome),
            "same    a.p5p\nDIFFERS b.pkg\n        bytes 1..2 of 3\nboth builds are in /there\n"
        );
    }
}
