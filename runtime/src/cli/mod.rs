//! The command line: historic spellings are made modern, parsed, dispatched, and the outcome becomes an exit code.

mod args;
mod legacy;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::commands::subject::{Selector, World};
use crate::commands::{dirlist, monitor, refresh, start, status, stop, zfssnap, zvol_rights};
use crate::exit::{self, Exit};
use crate::log::Log;
use args::{Cli, Command};

/// Runs the program with these arguments, its own name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(legacy::modern(args.into_iter().collect())) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { Exit::Ok } else { Exit::Usage }.into();
        }
    };
    let selector = Selector { svc: cli.svc, vm: cli.vm };
    match dispatch(&World::new(), &selector, cli.command) {
        Ok(code) => code,
        Err(error) => {
            let subject = selector.svc.or(selector.vm).or_else(|| std::env::var("SMF_FMRI").ok());
            Log::new(subject.as_deref().unwrap_or("vboxsvc"), false).error(format!("{error:#}"));
            let _ = std::io::stdout().flush();
            exit::of(&error).into()
        }
    }
}

fn dispatch(world: &World, selector: &Selector, command: Command) -> anyhow::Result<ExitCode> {
    let exit = match command {
        Command::Start => start::run(world, selector, false)?,
        Command::StartForce => start::run(world, selector, true)?,
        Command::Stop => stop::run(world, selector)?,
        Command::Refresh => refresh::run(world, selector)?,
        Command::Status { json } => return Ok(ExitCode::from(status::run(world, selector, json)?)),
        Command::Zfssnap { dry_run, comment } => zfssnap::run(world, selector, &comment, dry_run)?,
        Command::Dirlist { json } => {
            dirlist::run(world, selector, json)?;
            Exit::Ok
        }
        Command::ZvolRights(args) => {
            let (action, choice) = args.parts();
            zvol_rights::run(world, action, &choice)?
        }
        Command::Monitor { uuid, name, mode } => monitor::run(world, selector, &uuid, name, mode.into())?,
    };
    Ok(exit.into())
}
