//! `cargo xtask test`: the three tiers of tests, each run under its name.
//!
//! 1. pure: the runtime's own tests, of decisions, parsers and the monitor's heart.
//! 2. simulated: `vboxsvc` as a program, on a simulated illumos host with a simulated VirtualBox.
//! 3. virtualbox: the same program with the real VirtualBox and real VMs; only the SMF around it is simulated.
//!
//! The first two run wherever cargo does. The third takes root and a laboratory of its own (`virtualbox_lab`): where it
//! cannot be had, that is said loudly, and it is a failure only when that tier was asked for.

mod real_virtualbox;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::built::cargo;
use real_virtualbox::Skipped;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run this tier alone; all that can be run here if not given
    #[arg(long, value_enum)]
    tier: Option<Tier>,
    /// Install what the third tier's laboratory is built with, and build it where it is missing
    #[arg(long)]
    bootstrap: bool,
    /// Where the third tier cannot be run, say so loudly and do not fail
    #[arg(long)]
    may_skip: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Tier {
    /// The runtime's own tests
    Pure,
    /// The program on a simulated host
    Simulated,
    /// The program with the real VirtualBox
    Virtualbox,
    /// All three, none left out
    All,
}

/// What a run is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Plan {
    pure: bool,
    simulated: bool,
    virtualbox: Real,
}

/// How much the third tier is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Real {
    No,
    /// With the laboratory that is there. Nobody asked for a gigabyte of packages.
    IfBuilt,
    /// Built where it can be; that it cannot be run is told loudly.
    Try,
    /// Whatever it takes; that it cannot be run is a failure.
    Must,
}

fn plan(args: &Args) -> Plan {
    let is = |tier| matches!(args.tier, None | Some(Tier::All)) || args.tier == Some(tier);
    let virtualbox = match args.tier {
        Some(Tier::Virtualbox | Tier::All) if args.may_skip => Real::Try,
        None if args.bootstrap && args.may_skip => Real::Try,
        Some(Tier::Virtualbox | Tier::All) => Real::Must,
        None if args.bootstrap => Real::Must,
        None => Real::IfBuilt,
        Some(Tier::Pure | Tier::Simulated) => Real::No,
    };
    Plan { pure: is(Tier::Pure), simulated: is(Tier::Simulated), virtualbox }
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let plan = plan(args);
    let mut verdicts: Vec<Verdict> = Vec::new();
    if plan.pure {
        verdicts.push(tier("tier 1: pure", || cargo_test(workspace, "vboxsvc")));
    }
    if plan.simulated {
        let name = "tier 2: vboxsvc on a simulated host (SMF and VirtualBox are simulated)";
        verdicts.push(tier(name, || cargo_test(workspace, "simhost")));
    }
    if plan.virtualbox != Real::No {
        verdicts.push(third_tier(workspace, plan.virtualbox, args.bootstrap));
    }
    for verdict in &verdicts {
        eprintln!("{}", verdict.line());
    }
    let failed = verdicts.iter().filter(|verdict| matches!(verdict.end, End::Failed(_))).count();
    if failed > 0 {
        bail!("{failed} of {} tiers failed", verdicts.len());
    }
    Ok(())
}

struct Verdict {
    name: String,
    end: End,
    seconds: u64,
}

enum End {
    Passed,
    Failed(String),
    NotRun(String),
}

impl Verdict {
    fn line(&self) -> String {
        let Verdict { name, end, seconds } = self;
        match end {
            End::Passed => format!("== {name}: passed in {seconds} s"),
            End::Failed(why) => format!("== {name}: FAILED after {seconds} s: {why}"),
            End::NotRun(why) => format!("== {name}: NOT RUN\n{}", indented(why)),
        }
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("     {line}")).collect::<Vec<_>>().join("\n")
}

/// Runs a tier under its name.
fn tier(name: &str, body: impl FnOnce() -> Result<()>) -> Verdict {
    eprintln!("== {name}");
    let began = Instant::now();
    let end = match body() {
        Ok(()) => End::Passed,
        Err(error) => End::Failed(format!("{error:#}")),
    };
    Verdict { name: name.to_string(), end, seconds: began.elapsed().as_secs() }
}

fn third_tier(workspace: &Path, wanted: Real, bootstrap: bool) -> Verdict {
    let began = Instant::now();
    let mut name = "tier 3: the real VirtualBox".to_string();
    let build = matches!(wanted, Real::Must | Real::Try);
    eprintln!("== {name}");
    let end = match real_virtualbox::laboratory(workspace, build, bootstrap) {
        Ok(lab) => match real_virtualbox::run(workspace, &lab, &mut name) {
            Ok(()) => End::Passed,
            Err(error) => End::Failed(format!("{error:#}")),
        },
        Err(Skipped(why)) if wanted == Real::Must => End::Failed(format!("it could not be run\n{}", indented(&why))),
        Err(Skipped(why)) => End::NotRun(why),
    };
    Verdict { name, end, seconds: began.elapsed().as_secs() }
}

fn cargo_test(workspace: &Path, package: &str) -> Result<()> {
    let status =
        cargo(workspace).args(["test", "--locked", "--package", package]).status().context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo test: {status}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(tier: Option<Tier>, bootstrap: bool) -> (bool, bool, Real) {
        let plan = plan(&Args { tier, bootstrap, may_skip: false });
        (plan.pure, plan.simulated, plan.virtualbox)
    }

    #[test]
    fn one_tier_asked_for_runs_alone() {
        assert_eq!(planned(Some(Tier::Pure), false), (true, false, Real::No));
        assert_eq!(planned(Some(Tier::Simulated), true), (false, true, Real::No));
        assert_eq!(planned(Some(Tier::Virtualbox), false), (false, false, Real::Must));
    }

    #[test]
    fn the_third_tier_may_be_left_out_only_when_nobody_asked_for_it() {
        assert_eq!(planned(None, false), (true, true, Real::IfBuilt));
        assert_eq!(planned(None, true), (true, true, Real::Must));
        assert_eq!(planned(Some(Tier::All), false), (true, true, Real::Must));
    }

    #[test]
    fn a_third_tier_that_may_be_skipped_is_tried() {
        let plan = plan(&Args { tier: Some(Tier::Virtualbox), bootstrap: true, may_skip: true });
        assert_eq!(plan.virtualbox, Real::Try);
    }

    #[test]
    fn a_tier_that_was_not_run_is_told_with_everything_that_is_missing() {
        let verdict = Verdict { name: "tier 3".into(), end: End::NotRun("missing: a\nmissing: b".into()), seconds: 0 };
        assert_eq!(verdict.line(), "== tier 3: NOT RUN\n     missing: a\n     missing: b");
    }

    #[test]
    fn a_failed_tier_is_told_with_its_reason() {
        let verdict = tier("tier 1", || bail!("no luck"));
        assert!(verdict.line().contains("FAILED") && verdict.line().contains("no luck"), "{}", verdict.line());
    }
}
