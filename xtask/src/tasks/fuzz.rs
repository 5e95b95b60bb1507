//! `cargo xtask fuzz`: every fuzz target, each for a bounded time, and the page that tells what came of it.
//!
//! It builds and runs the targets by cargo-fuzz and reads what libFuzzer says at its end. New inputs go to a folder of
//! their own below `fuzz/target`; what is committed grows only by hand, by `cargo fuzz cmin`. A target that fails does not keep
//! the others from running, but then the page stays as it was.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::shown;
use anyhow::{Context, Result, bail};
use serde::Serialize;

/// The page, below the workspace.
const PAGE: &str = "docs/fuzzing.md";
const TARGETS: &str = "fuzz/fuzz_targets";
const CORPUS: &str = "fuzz/corpus";
/// Where the inputs of runs are gathered; cargo-fuzz builds beside it.
const GATHERED: &str = "fuzz/target/gathered";
const DICTIONARIES: &str = "fuzz/dictionaries";
/// What one input may take, in seconds and megabytes: readers of hostile bytes are bounded.
const BOUNDS: [&str; 2] = ["-timeout=20", "-rss_limit_mb=1024"];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How long each target is run
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// Run this target alone, and leave the page as it is; may be given several times
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// Print what came of it as JSON
    #[arg(long)]
    json: bool,
}

/// What libFuzzer says of a run that found nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Run {
    target: String,
    executions: u64,
    /// Places in the code that were reached.
    edges: u64,
    /// Edges with how often they were passed, and comparisons with how near they came.
    features: u64,
    /// Inputs that each reach something new, committed ones among them, and their bytes.
    inputs: u64,
    bytes: String,
    committed: usize,
    seconds: u64,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let targets = chosen(&args.target, targets(workspace)?)?;
    let build = cargo_fuzz(workspace, &["build"]).stdout(Stdio::inherit()).stderr(Stdio::inherit()).status();
    match build {
        Ok(status) if status.success() => {}
        _ => bail!("cannot build the fuzz targets; cargo-fuzz comes by: cargo install cargo-fuzz"),
    }
    let (mut runs, mut failed) = (Vec::new(), Vec::new());
    for target in &targets {
        eprintln!("== {target}: {} s", args.seconds);
        let output = fuzz(workspace, target, args.seconds)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let committed = fs::read_dir(workspace.join(CORPUS).join(target)).map_or(0, Iterator::count);
        match ending(target, &said, committed).filter(|_| output.status.success()) {
            Some(run) => {
                eprintln!("== {target}: {} executions, {} edges, {} inputs", run.executions, run.edges, run.inputs);
                runs.push(run);
            }
            None => {
                let tail: Vec<&str> = said.lines().rev().take(25).collect();
                eprintln!("{}", tail.into_iter().rev().collect::<Vec<_>>().join("\n"));
                failed.push(target.as_str());
            }
        }
    }
    if args.json {
        println!("{}", shown::json(&runs)?);
    }
    if !failed.is_empty() {
        bail!("{}: failed; fuzz/artifacts has the inputs, cargo fuzz tmin makes them small", failed.join(", "));
    }
    if args.target.is_empty() {
        let path = workspace.join(PAGE);
        let day = jiff::Timestamp::now().strftime("%Y-%m-%d").to_string();
        fs::write(&path, page(&runs, &day)).with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("{}", path.display());
    }
    Ok(())
}

/// The targets, by name.
fn targets(workspace: &Path) -> Result<Vec<String>> {
    let folder = workspace.join(TARGETS);
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let name = |entry: fs::DirEntry| Some(entry.file_name().to_str()?.strip_suffix(".rs")?.to_owned());
    let mut names: Vec<String> = entries.filter_map(|entry| entry.ok().and_then(name)).collect();
    names.sort();
    Ok(names)
}

fn chosen(asked: &[String], all: Vec<String>) -> Result<Vec<String>> {
    if let Some(unknown) = asked.iter().find(|name| !all.contains(name)) {
        bail!("no fuzz target is called {unknown:?}; there are {}", all.join(", "));
    }
    Ok(if asked.is_empty() { all } else { asked.to_vec() })
}

fn cargo_fuzz(workspace: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    // Instrumentation is unstable; this has the stable compiler accept it.
    command.arg("fuzz").args(words).current_dir(workspace).env("RUSTC_BOOTSTRAP", "1").stdin(Stdio::null());
    command
}

/// Runs one target; what it is fed first is what is committed and what earlier runs have gathered.
fn fuzz(workspace: &Path, target: &str, seconds: u32) -> Result<Output> {
    let gathered = workspace.join(GATHERED).join(target);
    fs::create_dir_all(&gathered).with_context(|| format!("cannot make {}", gathered.display()))?;
    let committed = workspace.join(CORPUS).join(target);
    let dictionary = workspace.join(DICTIONARIES).join(target);
    let mut command = cargo_fuzz(workspace, &["run", target]);
    command.arg(gathered).arg(committed).arg("--").args(BOUNDS);
    command.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
    if dictionary.is_file() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    command.output().context("cannot run cargo fuzz")
}

/// Reads libFuzzer's last words: `#123 DONE cov: 4 ft: 5 corp: 6/78b ...` and `stat::number_of_executed_units: 123`.
fn ending(target: &str, said: &str, committed: usize) -> Option<Run> {
    let done = said.lines().rev().find(|line| line.starts_with('#') && line.contains("DONE"))?;
    let words: Vec<&str> = done.split_whitespace().collect();
    let after = |key: &str| words.iter().position(|word| *word == key).and_then(|at| words.get(at + 1)).copied();
    let number = |key| after(key)?.parse().ok();
    let executed = said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
    let took = said.lines().find_map(|line| line.strip_prefix("Done ")?.split(" in ").nth(1)?.split(' ').next());
    let (inputs, bytes) = after("corp:")?.split_once('/')?;
    Some(Run {
        target: target.to_owned(),
        executions: executed.trim().parse().ok()?,
        edges: number("cov:")?,
        features: number("ft:")?,
        inputs: inputs.parse().ok()?,
        bytes: bytes.to_owned(),
        committed,
        seconds: took?.parse().ok()?,
    })
}

fn page(runs: &[Run], day: &str) -> String {
    let mut page = format!(
        "# Fuzzing\n\n\
         Made by `cargo xtask fuzz` on {day}, on Linux, with libFuzzer and AddressSanitizer. What each target holds\n\
         besides not failing is in `fuzz/checks`; every committed input goes through the same checks in `cargo test`.\n\
         A run begins with the committed inputs and what earlier runs have gathered; the last column counts the\n\
         committed ones.\n\n\
         | target | executions | seconds | edges | features | inputs | their size | committed |\n\
         |---|---:|---:|---:|---:|---:|---:|---:|\n"
    );
    for run in runs {
        let Run { target, executions, edges, features, inputs, bytes, committed, seconds } = run;
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "| {target} | {executions} | {seconds} | {edges} | {features} | {inputs} | {bytes} | {committed} |"
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "INFO: Running with entropic power schedule (0xFF, 100).\n\
        #2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 31Mb\n\
        #1234\tDONE   cov: 567 ft: 890 corp: 12/3456b lim: 64 exec/s: 61 rss: 40Mb\n\
        Done 1234 runs in 21 second(s)\n\
        stat::number_of_executed_units: 1234\n\
        stat::peak_rss_mb:              40\n";

    #[test]
    fn the_last_words_of_a_run_are_read() {
        let run = ending("zfs", SAID, 3).unwrap();
        let wanted = Run {
            target: "zfs".into(),
            executions: 1234,
            edges: 567,
            features: 890,
            inputs: 12,
            bytes: "3456b".into(),
            committed: 3,
            seconds: 21,
        };
        assert_eq!(run, wanted);
        assert!(page(&[run], "2026-01-02").ends_with("| zfs | 1234 | 21 | 567 | 890 | 12 | 3456b | 3 |\n"));
    }

    #[test]
    fn a_run_that_did_not_end_tells_nothing() {
        let cut = SAID.split("#1234").next().unwrap();
        assert_eq!(ending("zfs", cut, 3), None);
    }

    #[test]
    fn only_targets_that_exist_can_be_asked_for() {
        let all = || vec!["a".to_string(), "b".to_string()];
        assert_eq!(chosen(&[], all()).unwrap(), all());
        assert_eq!(chosen(&["b".into()], all()).unwrap(), ["b"]);
        assert!(chosen(&["c".into()], all()).unwrap_err().to_string().contains("a, b"));
    }
}
