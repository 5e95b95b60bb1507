//! `cargo xtask faults`: every system call that can fail, of the supervisor and of the package writers, is made to fail
//! in turn, and the program killed at each of them.
//!
//! strace does it from outside. SMF and VirtualBox are stand-ins; the programs are the real ones.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::manifest;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// No more than so many points of each target; every one of them if not given
    #[arg(long)]
    sample: Option<usize>,
    /// Only the targets whose name begins so: start, stop, status, monitor, packages
    #[arg(long)]
    target: Option<String>,
    /// Only the points whose name begins so, as "EIO of read 7"
    #[arg(long)]
    point: Option<String>,
    /// Tell every case, not only those that are not right
    #[arg(long)]
    all: bool,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let program = |arguments: &[&str]| -> Result<()> {
        let status =
            Command::new("cargo").args(arguments).current_dir(workspace).status().context("cannot run cargo")?;
        if !status.success() {
            bail!("cargo {} failed", arguments.join(" "));
        }
        Ok(())
    };
    program(&["build", "--locked", "--package", "vboxsvc", "--package", "simhost", "--package", "xtask"])?;
    let manifests = manifest::write_to(workspace, &workspace.join("target/load"))?;
    let programs = workspace.join("target/debug");
    let mut run = Command::new(programs.join("simhost"));
    run.arg("faults").env("VBOXSVC_EXE", programs.join("vboxsvc")).env("SIMHOST_EXE", programs.join("simhost"));
    run.arg("--writer").arg(programs.join("xtask"));
    run.args(args.sample.iter().flat_map(|sample| ["--sample".to_string(), sample.to_string()]));
    run.args(args.target.iter().flat_map(|target| ["--target", target.as_str()]));
    run.args(args.point.iter().flat_map(|point| ["--point", point.as_str()]));
    run.args(args.all.then_some("--all"));
    let status = run.args(manifests).status().context("cannot run the simulated host")?;
    if !status.success() {
        bail!("not every fault had an outcome that is documented");
    }
    Ok(())
}
