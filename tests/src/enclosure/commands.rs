//! `simhost host …` and `simhost enter …`: enclosed hosts by hand, for the smoke tests and for guests.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use nix::unistd::User;

use super::{enter, layout, power};
use crate::zones;

#[derive(Debug, Parser)]
#[command(name = "simhost", about = "A simulated illumos host that is the whole system for its programs")]
struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a host, or switch it on and off
    #[command(subcommand)]
    Host(HostCommand),
    /// Run a program on a host; its exit status is the program's
    Enter {
        /// The host's root
        root: PathBuf,
        /// In this zone
        #[arg(long)]
        zone: Option<String>,
        /// As this user, root otherwise
        #[arg(long)]
        user: Option<String>,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
enum HostCommand {
    /// Furnish a root and its zones; what is there already stays
    Create {
        root: PathBuf,
        /// A local zone, of brand ipkg unless told
        #[arg(long = "zone", value_name = "NAME[=BRAND]")]
        zones: Vec<String>,
    },
    /// Switch on; returns when the milestones are online
    Boot { root: PathBuf },
    /// Switch off in an orderly way
    Halt { root: PathBuf },
    /// Off and on again in an orderly way
    Reboot { root: PathBuf },
    /// Pull the plug
    PowerOff { root: PathBuf },
}

/// Runs a command line that begins with `host` or `enter`.
pub fn main(words: &[OsString]) -> ExitCode {
    let done = match Args::try_parse_from(std::iter::once(&OsString::from("simhost")).chain(words)) {
        Ok(args) => run(args.what),
        Err(error) => error.exit(),
    };
    match done {
        Ok(never_or_done) => never_or_done,
        Err(error) => {
            eprintln!("simhost: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<ExitCode> {
    match what {
        What::Enter { root, zone, user, program } => enter_and_run(&root, zone.as_deref(), user.as_deref(), &program),
        What::Host(command) => {
            host(command)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn host(command: HostCommand) -> Result<()> {
    let made = |root: PathBuf| root.canonicalize().with_context(|| format!("there is no host at {}", root.display()));
    match command {
        HostCommand::Create { root, zones } => create(&root, &zones, &env::current_exe()?),
        HostCommand::Boot { root } => Ok(power::boot(&made(root)?)?),
        HostCommand::Halt { root } => Ok(power::halt(&made(root)?)?),
        HostCommand::Reboot { root } => Ok(power::reboot(&made(root)?)?),
        HostCommand::PowerOff { root } => Ok(power::pull_the_plug(&made(root)?)?),
    }
}

/// Makes a host whose zones are given as `NAME` or `NAME=BRAND`.
pub fn create(root: &Path, zones: &[impl AsRef<str>], simhost: &Path) -> Result<()> {
    fs::create_dir_all(root).with_context(|| format!("cannot make {}", root.display()))?;
    let root = root.canonicalize()?;
    if root == Path::new("/") {
        bail!("/ is this machine's own root: name a folder of its own");
    }
    let furnished = || format!("cannot furnish {}", root.display());
    layout::furnish(&root, zones::GLOBAL, simhost).with_context(furnished)?;
    for zone in zones {
        let (name, brand) = zone.as_ref().split_once('=').unwrap_or((zone.as_ref(), zones::DEFAULT_BRAND));
        zones::create(&root, name, brand, simhost).with_context(furnished)?;
    }
    Ok(())
}

fn enter_and_run(root: &Path, zone: Option<&str>, user: Option<&str>, program: &[OsString]) -> Result<ExitCode> {
    let root = root.canonicalize().with_context(|| format!("there is no host at {}", root.display()))?;
    let root = match zone {
        Some(name) => zones::find(&root, name).with_context(|| format!("the host has no zone {name}"))?.root(&root),
        None => root,
    };
    enter(&root)?;
    let Some((name, args)) = program.split_first() else { bail!("there is no program to run") };
    let mut command = Command::new(name);
    command.args(args).env_clear().envs(environment());
    if let Some(user) = user {
        become_user(&mut command, user)?;
    }
    let error = command.exec();
    eprintln!("simhost: cannot run {}: {error}", name.display());
    Ok(ExitCode::from(127))
}

/// The environment of a person who has just logged in as root.
pub fn environment() -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("PATH", "/usr/sbin:/usr/bin".to_string()),
        ("HOME", "/root".into()),
        ("LOGNAME", "root".into()),
        ("USER", "root".into()),
        ("SHELL", "/bin/sh".into()),
        ("TZ", "UTC".into()),
    ];
    all.extend(env::var("TERM").map(|term| ("TERM", term)));
    all
}

/// Has a command run as a user of the host that this process is in.
pub fn become_user(command: &mut Command, name: &str) -> Result<()> {
    let user = User::from_name(name)?.with_context(|| format!("the host has no user {name}"))?;
    if !user.uid.is_root() && !enter::has_other_users() {
        bail!("root of a user namespace cannot become {name}: run this as root");
    }
    command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    command.env("PATH", "/usr/bin").env("LOGNAME", name).env("USER", name).env("HOME", user.dir);
    Ok(())
}
