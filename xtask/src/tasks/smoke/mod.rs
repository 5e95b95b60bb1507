//! `cargo xtask smoke`: proves packages on hosts, and looks after the images of real ones.
//!
//! Every result says on what it was had. A simulated host and the stand-in guest prove our scripts and the harness as far
//! as stand-ins go; only an image that was booted proves anything of illumos.

mod prepare;
mod run;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::tasks::pkg::Toolchain;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where: "sim" (the simulated host), "standin" (a guest made here) or an image; several run side by side
    #[arg(long, value_name = "TARGET", default_value = "sim")]
    target: Vec<String>,
    /// Run this suite alone; may be given several times
    #[arg(long, value_name = "SUITE")]
    suite: Vec<String>,
    /// Where the reports go; target/smoke in the workspace if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print every event as a line of JSON on standard output instead of the report's path
    #[arg(long)]
    json: bool,
    /// Leave the guest running for a person to look at
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    toolchain: Toolchain,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    run::run(args, workspace)
}
