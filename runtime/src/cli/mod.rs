//! The command line: historic spellings are made modern, parsed, dispatched, and the outcome becomes an exit code.

mod args;
mod footing;
mod launcher;
pub mod legacy;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use crate::commands::explain::{self, Actor};
use crate::commands::subject::{Selector, World};
use crate::commands::{
    dirlist, list, monitor, power, refresh, sercon, start, startgui, status, stop, terminal, vmsvccheck, window,
    zfssnap, zvol_rights,
};
use crate::exit::{self, Exit, failure};
use crate::log::Log;
use crate::settings::StopMethod;
use args::{Cli, Command, Opener};

/// The commands and their options, for whoever documents or completes them.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the program with these arguments, its own name first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    if let Err(error) = footing::steady() {
        Log::new("vboxsvc", false).error(error);
        return Exit::Permission.into();
    }
    let words = match launcher::written_out(args.into_iter().collect()) {
        Ok(args) => legacy::modern(args),
        Err(error) => {
            Log::new("vboxsvc", false).error(error);
            return Exit::Usage.into();
        }
    };
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            return if asked { Exit::Ok } else { Exit::Usage }.into();
        }
    };
    let selector = Selector { svc: cli.svc, vm: cli.vm };
    let world = World::new();
    let opener = opener(&cli.command);
    if opener == Some(Opener::Link) && !terminal::is_there() {
        terminal::become_xterm(&world.tools, selector.vm.as_deref().unwrap_or_default(), &in_xterm(&words));
    }
    let code = run(&world, selector, cli.command, cli.dry_run);
    if opener == Some(Opener::Xterm) && code != ExitCode::SUCCESS {
        terminal::hold_open();
    }
    code
}

/// What opened a command that stays in the foreground.
fn opener(command: &Command) -> Option<Opener> {
    match command {
        Command::Startgui(args) if args.fg => args.opened_by,
        _ => None,
    }
}

/// A launcher link's arguments, as they are repeated in the terminal opened for it.
fn in_xterm(words: &[OsString]) -> Vec<OsString> {
    let repeated = |word: &OsString| if word == "--opened-by=link" { "--opened-by=xterm".into() } else { word.clone() };
    words.iter().skip(1).map(repeated).collect()
}

fn run(world: &World, selector: Selector, command: Command, dry_run: bool) -> ExitCode {
    match dispatch(world, &selector, command, dry_run) {
        Ok(code) => code,
        Err(error) => {
            let subject = selector.svc.or(selector.vm).or_else(|| std::env::var("SMF_FMRI").ok());
            Log::new(subject.as_deref().unwrap_or("vboxsvc"), false).error(exit::told(&error));
            let _ = std::io::stdout().flush();
            exit::of(&error).into()
        }
    }
}

fn dispatch(world: &World, selector: &Selector, command: Command, dry_run: bool) -> anyhow::Result<ExitCode> {
    if dry_run && !matches!(command, Command::Zfssnap { .. } | Command::ZvolRights(_)) {
        return Ok(explain::dry_run(world, selector, actor(&command)?)?.into());
    }
    let exit = match command {
        Command::Start => start::run(world, selector, false)?,
        Command::StartForce => start::run(world, selector, true)?,
        Command::Stop => stop::run(world, selector)?,
        Command::Refresh => refresh::run(world, selector)?,
        Command::Status { json } => return Ok(ExitCode::from(status::run(world, selector, json)?)),
        Command::Zfssnap { comment } => zfssnap::run(world, selector, &comment, dry_run)?,
        Command::Dirlist { json } => {
            dirlist::run(world, selector, json)?;
            Exit::Ok
        }
        Command::ZvolRights(args) => {
            let (action, choice) = args.parts(dry_run);
            zvol_rights::run(world, action, &choice)?
        }
        Command::Explain { json } => explain::run(world, selector, json)?,
        Command::List { json, of_user } => list::run(world, of_user.as_deref(), json)?,
        Command::Save => power::save(world, selector)?,
        Command::Poweroff { force } => power::poweroff(world, selector, force.into())?,
        Command::Reboot { force, when } => power::reboot(world, selector, force.into(), when.is_some())?,
        Command::Reset => power::reset(world, selector)?,
        Command::Startgui(args) => startgui::run(world, selector, &args.into())?,
        Command::OwnSession { command } => window::own_session(&command)?,
        Command::Vmsvccheck => return Ok(ExitCode::from(vmsvccheck::run(world, selector)?)),
        Command::Sercon { port, retry } => {
            return sercon::run(world, selector, &port.path, port.uart, Some(Duration::from_secs(retry)));
        }
        Command::SerconOnce { port } => return sercon::run(world, selector, &port.path, port.uart, None),
        Command::SerconBreak => sercon::end(world, selector)?,
        Command::Monitor { uuid, name, mode } => monitor::run(world, selector, &uuid, name, mode.into())?,
    };
    Ok(exit.into())
}

/// Who would act in this command, for `--dry-run`.
fn actor(command: &Command) -> anyhow::Result<Actor> {
    Ok(match command {
        Command::Start => Actor::Start { force: false },
        Command::StartForce => Actor::Start { force: true },
        Command::Stop => Actor::Stop(None),
        Command::Save => Actor::Stop(Some(StopMethod::SaveState)),
        Command::Poweroff { .. } => Actor::Stop(Some(StopMethod::PowerOffGraceful)),
        Command::Reboot { .. } => Actor::Reboot,
        Command::Reset => Actor::Reset,
        Command::Startgui(_) => Actor::StartGui,
        _ => return Err(failure(Exit::Usage, "--dry-run is for commands that act on the VM; this one does not")),
    })
}
