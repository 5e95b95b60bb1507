//! `cargo xtask trial`: makes the packages that an installation is tried with by hand, each of them never to be released.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::pkg::Toolchain;
use crate::payload::{self, Program};
use crate::time;
use crate::trial::{self, Release};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write them; target/trial in the workspace if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The version that our packages are to have
    #[arg(long, value_name = "VERSION", default_value = env!("CARGO_PKG_VERSION"))]
    version: String,
    /// The program to put into our packages; built for illumos if not given
    #[arg(long, value_name = "FILE")]
    executable: Option<PathBuf>,
    /// The stub of VirtualBox to put into its packages; built for illumos if not given
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
    #[command(flatten)]
    toolchain: Toolchain,
}

/// Prints the path of each package.
pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let epoch = time::source_date_epoch(workspace)?;
    let out = args.out.clone().unwrap_or_else(|| workspace.join("target/trial"));
    let program = |given: &Option<PathBuf>, program| match given {
        Some(file) => Ok(file.clone()),
        None => {
            let request = args.toolchain.request(program, workspace, epoch);
            payload::build(&request, &mut |text| eprintln!("{text}")).map(|built| built.executable)
        }
    };
    let ours = trial::ours(workspace, &program(&args.executable, Program::Runtime)?, &args.version, epoch, &out)?;
    let stub = trial::virtualbox(&program(&args.stub, Program::VirtualBoxStub)?, epoch, &out)?;
    let mut made = vec![ours.svr4, ours.ips, ours.bridge, stub.svr4, stub.system_ips, stub.ooce_ips];
    for release in Release::ALL {
        made.push(trial::historic(release, epoch, &out)?);
    }
    let mut out = std::io::stdout();
    made.iter().try_for_each(|path| writeln!(out, "{}", path.display())).context("cannot tell what was made")
}
