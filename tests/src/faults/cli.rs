//! `simhost faults`: what `cargo xtask faults` runs. In a process namespace of its own, if it may, so that other
//! processes of the machine do not come and go in /proc between two runs.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::Parser;

use super::{PACKAGES, Plan, Target, run, strace_works};

pub const NAME: &str = "faults";
/// Says that this is the copy in the namespace.
const ALONE: &str = "SIMHOST_FAULTS_ALONE";

#[derive(Debug, Parser)]
#[command(name = NAME)]
struct Args {
    /// Only the targets whose name begins so
    #[arg(long)]
    target: Option<String>,
    /// No more than so many points of each target
    #[arg(long)]
    sample: Option<usize>,
    /// Only the points whose name begins so, as "EIO of read 7"
    #[arg(long)]
    point: Option<String>,
    /// How many hosts at a time
    #[arg(long, default_value_t = 2)]
    width: usize,
    /// The program that writes packages
    #[arg(long)]
    writer: Option<PathBuf>,
    /// Tell every case, not only those that are not right
    #[arg(long)]
    all: bool,
    /// The manifests to import
    manifests: Vec<PathBuf>,
}

pub fn main(args: &[OsString]) -> ExitCode {
    if !strace_works() {
        println!("NOT RUN: strace is not here, or may not be used: no system call was made to fail");
        return ExitCode::from(2);
    }
    if let Some(code) = alone(args) {
        return code;
    }
    let args = Args::parse_from(args);
    let manifests: Result<Vec<String>, _> = args.manifests.iter().map(fs::read_to_string).collect();
    let manifests = match manifests {
        Ok(manifests) => manifests,
        Err(error) => {
            eprintln!("faults: cannot read the manifests: {error}");
            return ExitCode::FAILURE;
        }
    };
    let meant = |target: &str| args.target.as_ref().is_none_or(|name| target.starts_with(name.as_str()));
    let targets: Vec<Target> = Target::ALL.into_iter().filter(|target| meant(target.name())).collect();
    let writer = args.writer.filter(|_| meant(PACKAGES));
    let plan = Plan { targets, sample: args.sample, point: args.point, width: args.width, writer };
    let (cases, wrong) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ran = run(&plan, &manifests, &|case| {
        cases.fetch_add(1, Ordering::Relaxed);
        let (what, outcome) = (format!("{}: {}", case.target, case.point.name()), &case.outcome);
        if args.all {
            println!("{what}: {}  [{}]", outcome.told, case.point.shown);
        }
        if !outcome.wrong.is_empty() {
            wrong.fetch_add(1, Ordering::Relaxed);
            println!("WRONG, {what} [{}]:\n  {}", case.point.shown, outcome.wrong.join("\n  "));
        }
    });
    let (cases, wrong) = (cases.into_inner(), wrong.into_inner());
    match ran {
        Err(error) => println!("{error}"),
        Ok(()) => println!("{cases} cases, {wrong} of them not as they must be"),
    }
    if wrong == 0 && cases > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs this program again in a namespace of its own; nothing where this is it, or there can be none.
fn alone(args: &[OsString]) -> Option<ExitCode> {
    if env::var_os(ALONE).is_some() {
        return None;
    }
    let namespace = ["--fork", "--pid", "--mount-proc", "--kill-child"];
    let can = Command::new("unshare").args(namespace).arg("true").status().is_ok_and(|status| status.success());
    let program = env::current_exe().ok().filter(|_| can)?;
    let run = Command::new("unshare").args(namespace).arg(program).args(args).env(ALONE, "1").status().ok()?;
    Some(if run.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
