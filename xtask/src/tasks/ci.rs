//! `cargo xtask ci`: every check that CI runs, in CI's order. One list, here and there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::payload::StdChoice;
use crate::smf::render::MANIFESTS;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the illumos standard library comes from
    #[arg(long, value_enum, default_value = "auto")]
    std: StdChoice,
    /// Install what is missing
    #[arg(long)]
    bootstrap: bool,
    /// Validate the manifests against this copy of service_bundle.dtd.1 as well, by xmllint
    #[arg(long, value_name = "FILE")]
    dtd: Option<PathBuf>,
}

/// One check: its name and the command that makes it.
struct Check {
    name: &'static str,
    command: Vec<String>,
}

fn check(name: &'static str, command: &[&str]) -> Check {
    Check { name, command: command.iter().map(ToString::to_string).collect() }
}

fn checks(args: &Args) -> Vec<Check> {
    let std = args.std.word();
    let mut real =
        check("tests with the real VirtualBox", &["cargo", "xtask", "test", "--tier", "virtualbox", "--may-skip"]);
    real.command.extend(args.bootstrap.then(|| "--bootstrap".to_string()));
    let mut pkg = check("packages, built and read back", &["cargo", "xtask", "pkg", "--std", std]);
    pkg.command.extend(args.bootstrap.then(|| "--bootstrap".to_string()));
    let mut deny = check("dependencies, by deny.toml", &["cargo", "xtask", "deny", "--may-skip"]);
    deny.command.extend(args.bootstrap.then(|| "--bootstrap".to_string()));
    let mut checks = vec![
        check("format", &["cargo", "fmt", "--all", "--check"]),
        check("clippy", &["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        check("tests", &["cargo", "test", "--workspace", "--locked"]),
        real,
        check("documentation", &["cargo", "doc", "--workspace", "--no-deps", "--locked", "--quiet"]),
        check("the page of what is tested where", &["cargo", "xtask", "docs", "--check"]),
        check("manifests", &["cargo", "xtask", "manifest"]),
        check("third-party notices", &["cargo", "xtask", "notices", "--check"]),
        deny,
    ];
    if let Some(dtd) = &args.dtd {
        let mut validation = check("manifests against the DTD", &["xmllint", "--noout", "--dtdvalid"]);
        validation.command.push(dtd.display().to_string());
        validation.command.extend(MANIFESTS.map(|name| format!("target/manifest/{name}")));
        checks.push(validation);
    }
    // The packages first: with the consent to install they bring what the check needs.
    checks.push(pkg);
    checks.push(check("packages, by our own policy", &["cargo", "xtask", "lint", "--deny-warnings"]));
    checks.push(check("smoke tests on the simulated host", &["cargo", "xtask", "smoke", "--target", "sim"]));
    let mut guest = check("smoke tests in the stand-in guest", &["cargo", "xtask", "smoke", "--target", "standin"]);
    guest.command.extend(["--out", "target/smoke-standin"].map(String::from));
    guest.command.extend(args.bootstrap.then(|| "--bootstrap".to_string()));
    checks.push(guest);
    checks.push(check("illumos, type-checked", &["cargo", "xtask", "check", "--std", std]));
    checks
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let mut failed = Vec::new();
    for check in checks(args) {
        let began = Instant::now();
        eprintln!("== {}: {}", check.name, check.command.join(" "));
        let (program, rest) = check.command.split_first().context("a check names a program")?;
        let status = Command::new(program)
            .args(rest)
            .current_dir(workspace)
            .env("RUSTDOCFLAGS", "-D warnings")
            .status()
            .with_context(|| format!("cannot run {program}"))?;
        let verdict = if status.success() { "passed" } else { "FAILED" };
        eprintln!("== {}: {verdict} in {:.0} s", check.name, began.elapsed().as_secs_f32());
        if !status.success() {
            failed.push(check.name);
        }
    }
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(())
}
