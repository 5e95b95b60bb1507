//! `cargo xtask load`: many simulated VMs, anything at random for a long time, and a model that says what must hold.
//!
//! SMF and VirtualBox are stand-ins; the program is the real one, built for release.

use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use super::manifest;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(long, default_value_t = 200)]
    vms: usize,
    #[arg(long, default_value_t = 20.0)]
    minutes: f64,
    /// Which events, in which order; a new one each time if not given
    #[arg(long)]
    seed: Option<u64>,
    /// How many VMs have something happen to them at a time
    #[arg(long, default_value_t = 8)]
    width: usize,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let built = Command::new("cargo")
        .args(["build", "--release", "--locked", "--package", "vboxsvc", "--package", "simhost"])
        .current_dir(workspace)
        .status()
        .context("cannot run cargo")?;
    if !built.success() {
        bail!("the program and its simulated host could not be built");
    }
    let manifests = manifest::write_to(workspace, &workspace.join("target/load"))?;
    let fresh = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let programs = workspace.join("target/release");
    let run = Command::new(programs.join("simhost"))
        .arg("load")
        .args(["--vms", &args.vms.to_string(), "--minutes", &args.minutes.to_string()])
        .args(["--seed", &args.seed.unwrap_or_else(fresh).to_string(), "--width", &args.width.to_string()])
        .args(manifests)
        .env("VBOXSVC_EXE", programs.join("vboxsvc"))
        .env("SIMHOST_EXE", programs.join("simhost"))
        .status()
        .context("cannot run the simulated host")?;
    if !run.success() {
        bail!("not everything was as the model says");
    }
    Ok(())
}
