//! `cargo xtask deny`: what the project depends on, held against `deny.toml` by cargo-deny.
//!
//! Licences, sources and bans need no network but for crates that are not there yet. Advisories need their database,
//! which only a network brings: where there is none, that is said loudly, and it is no failure.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// What cargo-deny calls its checks that need no database.
const WITHOUT_DATABASE: [&str; 3] = ["licenses", "bans", "sources"];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Install cargo-deny where it is missing
    #[arg(long)]
    bootstrap: bool,
    /// Where cargo-deny is not there, say so loudly and do not fail
    #[arg(long)]
    may_skip: bool,
    /// Get the database of advisories, and fail if it cannot be had
    #[arg(long)]
    fetch: bool,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    if !is_there() {
        if args.bootstrap {
            // In a debug build: it is compiled far sooner, and has little to do.
            let status = Command::new("cargo").args(["install", "--locked", "--debug", "cargo-deny"]).status();
            if !status.context("cannot run cargo install")?.success() {
                bail!("cargo-deny could not be installed");
            }
        } else if args.may_skip {
            eprintln!("NOT CHECKED: dependencies, because cargo-deny is missing: cargo install --locked cargo-deny");
            return Ok(());
        } else {
            bail!("cargo-deny is missing: cargo install --locked cargo-deny, or run this with --bootstrap");
        }
    }
    check(workspace, &[], &WITHOUT_DATABASE)?;
    match (args.fetch, database()) {
        (true, _) => check(workspace, &[], &["advisories"]),
        (false, Some(_)) => check(workspace, &["--offline"], &["advisories"]),
        (false, None) => {
            eprintln!("NOT CHECKED: advisories, because their database is not here: cargo xtask deny --fetch gets it");
            Ok(())
        }
    }
}

fn is_there() -> bool {
    let asked = Command::new("cargo").args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}

fn check(workspace: &Path, options: &[&str], what: &[&str]) -> Result<()> {
    let mut command = Command::new("cargo");
    command.args(["deny", "--locked"]).args(options).args(["check", "--hide-inclusion-graph"]).args(what);
    let status = command.current_dir(workspace).status().context("cannot run cargo deny")?;
    if status.success() { Ok(()) } else { bail!("dependencies are not as deny.toml wants them: {}", what.join(", ")) }
}

/// Where cargo-deny keeps the advisories, if it has fetched them.
fn database() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    Some(home.join("advisory-dbs")).filter(|folder| folder.is_dir())
}
