//! `cargo xtask smoke shell`: a guest for a person, who gets its serial console. No step runs, and no package is made for it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use vboxsvc::console::endpoint::Endpoint;
use vboxsvc::console::narrator::Narrator;
use vboxsvc::console::session::{self, Ends, Plan};
use vboxsvc::console::signals::Signals;
use vboxsvc::console::terminal::{self, RawMode};

use super::place::{RunFolder, out};
use super::prepare::{Need, Pace, Parts, Programs, Snapshots};
use crate::smoke::ending;
use crate::smoke::guest::profile::{self, Configuration};
use crate::smoke::image::Override;
use crate::tasks::pkg::Toolchain;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An image, or "standin"
    #[arg(value_name = "IMAGE")]
    image: String,
    /// Use this file as its image, and write nothing to it
    #[arg(long, value_name = "NAME=PATH")]
    image_file: Vec<Override>,
    /// Where the guest's disks go; target/smoke in the workspace if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    toolchain: Toolchain,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let profile = profile::find(&workspace.join(profile::FOLDER), &args.image)?;
    let is_standin = profile.configuration == Configuration::Standin;
    let programs = if is_standin { Some(Programs::build(workspace, Pace::Guest)?) } else { None };
    let place = RunFolder::take(&out(args.out.as_ref(), workspace), &format!("{}-shell", profile.name))?;
    let folder = place.path();
    let need = Need {
        toolchain: &args.toolchain,
        images: &args.image_file,
        workspace,
        profile: &profile,
        programs: programs.as_ref(),
        snapshots: Snapshots::Unused,
        keep: false,
    };
    let parts = Parts::gather(need, None, folder, &mut |text| eprintln!("{text}"))?;
    parts.fresh_disk()?;
    eprintln!("{}", parts.told());
    if let Some(ssh) = &parts.ssh {
        eprintln!("by ssh, from elsewhere: {}", ssh.command_line());
    }
    eprintln!("~. at the beginning of a line ends the guest; its disk is thrown away by the next run");
    ending::catch().context("cannot catch signals")?;
    // It lives for as long as somebody looks.
    let _machine = parts.start(folder)?;
    show(folder.join("console.sock"), &args.image)
}

/// Carries bytes between the terminal and the guest, until either is done with it.
pub fn show(socket: PathBuf, name: &str) -> Result<()> {
    let (output, screen) = (terminal::output(io::stdout())?, terminal::output(io::stderr())?);
    // Caught before the terminal is touched, so that no signal can end us between the two.
    let mut signals = Signals::catch().context("cannot catch signals")?;
    let terminal = RawMode::enter(io::stdin()).context("cannot set the terminal's mode")?;
    let mut narrator = Narrator::Screen { screen, subject: name.to_string() };
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let plan = Plan { endpoint: Endpoint::Unix(socket), retry: None };
    session::run(&plan, Ends { input, output, terminal }, &mut signals, &mut narrator)?;
    Ok(())
}
