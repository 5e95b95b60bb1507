//! `cargo xtask smoke`: proves packages on hosts, and looks after the images of real ones.
//!
//! Every result says on what it was had. A simulated host and the stand-in guest prove our scripts and the harness as far
//! as stand-ins go; only an image that was booted proves anything of illumos.

mod images;
mod kept;
mod place;
mod prepare;
mod run;
mod shell;
mod up;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::smoke::image::Override;
use crate::tasks::pkg::Toolchain;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Where: "sim" (the simulated host), "standin" (a guest made here), an image, or a profile's file (NAME.toml); several
    /// run side by side
    #[arg(long, value_name = "TARGET", default_value = "sim")]
    target: Vec<String>,
    /// Use this file as the image of a target, and write nothing to it; may be given several times
    #[arg(long, value_name = "NAME=PATH")]
    image_file: Vec<Override>,
    /// Run this suite alone; may be given several times
    #[arg(long, value_name = "SUITE")]
    suite: Vec<String>,
    /// Read the suites from here; pkg/smoke in the workspace if not given
    #[arg(long, value_name = "DIR")]
    suites: Option<PathBuf>,
    /// Where the reports go; target/smoke in the workspace if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print every event as a line of JSON on standard output instead of the report's path
    #[arg(long)]
    json: bool,
    /// Boot guests anew, even where the state of an earlier boot is kept
    #[arg(long)]
    fresh: bool,
    /// Leave the hosts running for a person to look at, and tell how to get in and how to end them
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    toolchain: Toolchain,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the images of real systems: where from, how large, whether they are here
    Images,
    /// Get an image, check and unpack it; what was interrupted goes on
    Fetch {
        /// Which, as `smoke images` lists them
        #[arg(value_name = "IMAGE")]
        image: String,
    },
    /// Boot an image, or the stand-in guest, and give its serial console to a person
    Shell(shell::Args),
    /// Give the serial console of a guest that was kept to a person
    Attach(kept::Args),
    /// End a guest that was kept
    End(kept::Args),
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    match &args.action {
        None => run::run(args, workspace),
        Some(Action::Images) => images::list(workspace),
        Some(Action::Fetch { image }) => images::fetch(workspace, image),
        Some(Action::Shell(args)) => shell::run(args, workspace),
        Some(Action::Attach(args)) => kept::attach(args, workspace),
        Some(Action::End(args)) => kept::end(args, workspace),
    }
}
