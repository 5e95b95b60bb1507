//! `cargo xtask check`: type-checks the runtime for illumos, every branch that only illumos sees, warnings denied.

use std::path::Path;

use anyhow::Result;

use super::pkg;
use crate::payload::{self, Program};
use crate::time;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    toolchain: pkg::Toolchain,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let request = args.toolchain.request(Program::Runtime, workspace, time::source_date_epoch(workspace)?);
    let checked = payload::check(&request, &mut |text| eprintln!("{text}"))?;
    let by = if checked.clippy { "clippy" } else { "cargo check: this toolchain has no clippy" };
    println!("no warnings for {} ({by}; {}, std {})", payload::TARGET, checked.rustc, checked.std);
    Ok(())
}
