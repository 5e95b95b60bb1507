//! `cargo xtask bench`: measures everything that there is a goal for, and tells how it went.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};

use crate::bench::{Machine, Measured, Outcome, Run, Verdict, page};
use crate::time;

/// The page that is committed, below the workspace.
const PAGE: &str = "docs/measurements.md";
/// Where the numbers of the last run are, below the workspace.
const NUMBERS: &str = "target/bench.json";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the numbers as JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Make docs/measurements.md of it
    #[arg(long)]
    page: bool,
    /// Measure nothing, take the numbers of an earlier run
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let run = match &args.from {
        Some(file) => {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{} holds no measurements", file.display()))?
        }
        None => measure(workspace)?,
    };
    let text = page::render(&run).map_err(|why| anyhow!(why))?;
    let numbers = serde_json::to_string_pretty(&run)? + "\n";
    if args.from.is_none() {
        write(&workspace.join(NUMBERS), &numbers)?;
    }
    if args.page {
        write(&workspace.join(PAGE), &text)?;
    }
    if args.json {
        print!("{numbers}");
    } else {
        run.outcomes().map_err(|why| anyhow!(why))?.iter().for_each(|outcome| println!("{}", line(outcome)));
    }
    Ok(())
}

fn line(outcome: &Outcome) -> String {
    let verdict = match outcome.verdict() {
        Verdict::Met => "met   ",
        Verdict::Missed => "MISSED",
        Verdict::Told => "      ",
    };
    let (row, measured) = (outcome.row, outcome.measured);
    format!("{verdict}  {:>10.3} {:3}  {} ({})", measured.value, row.unit, row.what, measured.how)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn measure(workspace: &Path) -> Result<Run> {
    let commit = Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(workspace).output();
    let commit = commit.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    build(workspace)?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    // Before there is a load of our own.
    let machine = machine();
    let mut measured = benchmark(workspace, "xtask", "packages")?;
    measured.extend(benchmark(workspace, "simhost", "runtime")?);
    Ok(Run { day: time::day(now)?, commit, machine, measured })
}

/// The programs as they are released, before anything is measured.
fn build(workspace: &Path) -> Result<()> {
    for words in [
        ["build", "--release", "--package=vboxsvc", "--package=vbox-stub"].as_slice(),
        &["bench", "--no-run", "--package=xtask", "--bench=packages"],
        &["bench", "--no-run", "--package=simhost", "--bench=runtime"],
    ] {
        let status = cargo(workspace, words).stdout(Stdio::null()).status().context("cannot run cargo")?;
        ensure!(status.success(), "cargo {} failed ({status})", words.join(" "));
    }
    Ok(())
}

fn cargo(workspace: &Path, words: &[&str]) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(words).arg("--locked").current_dir(workspace);
    cargo
}

fn benchmark(workspace: &Path, package: &str, name: &str) -> Result<Vec<Measured>> {
    eprintln!("== measuring: {name}");
    let release = workspace.join("target/release");
    let mut child = cargo(workspace, &["bench", "--quiet", "--package", package, "--bench", name])
        .env("VBOXSVC_EXE", release.join("vboxsvc"))
        .env("VBOX_STUB_EXE", release.join("vbox-stub"))
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run the benchmark {name}"))?;
    let lines = BufReader::new(child.stdout.take().context("the benchmark has no output")?).lines();
    let mut measured = Vec::new();
    for line in lines {
        let number: Measured =
            serde_json::from_str(&line?).with_context(|| format!("the benchmark {name} printed no number"))?;
        eprintln!("{}: {} ({})", number.row, number.value, number.how);
        measured.push(number);
    }
    let status = child.wait()?;
    ensure!(status.success(), "the benchmark {name} failed ({status})");
    Ok(measured)
}

/// What the kernel says of this machine; a dash for what it does not say.
fn machine() -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let word = |text: String| text.split(' ').next().filter(|word| !word.is_empty()).unwrap_or("–").trim().to_owned();
    Machine {
        cpu: cpu.unwrap_or("an unnamed processor").to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        kernel: format!("Linux {}", word(read("/proc/sys/kernel/osrelease"))),
        load: word(read("/proc/loadavg")),
    }
}
