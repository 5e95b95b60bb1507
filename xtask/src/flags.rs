//! The commands of `cargo xtask` and their options.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::tasks::{
    bench, check, ci, deny, diff, docs, extract, faults, fuzz, inspect, lint, load, manifest, notices, pkg, release,
    reproduce, sign, smoke, test, trial, verify,
};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version, about = "Builds, packages and verifies vboxsvc")]
pub struct Flags {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build the runtime for illumos and write the packages
    Pkg(pkg::Args),
    /// Say everything that is wrong with packages of any producer
    Verify(verify::Args),
    /// Show what a package is and holds
    Inspect(inspect::Args),
    /// Unpack packages to look at, safely
    Extract(extract::Args),
    /// Show what an upgrade from one package to another changes
    Diff(diff::Args),
    /// Judge packages by our own rules, beyond what would be refused
    Lint(lint::Args),
    /// Build twice in different places and explain the first difference
    Reproduce(reproduce::Args),
    /// Make all that is published of a version; a dry run unless told otherwise
    Release(release::Args),
    /// Sign files, or make a key to sign with
    Sign(sign::Args),
    /// Render the SMF manifests
    Manifest(manifest::Args),
    /// Gather the licences of what is linked into the program
    Notices(notices::Args),
    /// Type-check the runtime for illumos, with warnings denied
    Check(check::Args),
    /// Run the tests, tier by tier
    Test(test::Args),
    /// Hold what the project depends on against deny.toml
    Deny(deny::Args),
    /// Run every fuzz target for a while, and make the page that tells about it
    Fuzz(fuzz::Args),
    /// Make packages to try installations with: ours of any version, look-alikes of older ones, a stub of VirtualBox
    Trial(trial::Args),
    /// Let anything happen to many simulated VMs for a long time, with a model beside them
    Load(load::Args),
    /// Measure everything that there is a goal for, on a simulated host and with packages
    Bench(bench::Args),
    /// Make every system call fail in turn, and kill the program at each of them
    Faults(faults::Args),
    /// Prove packages on a host: a simulated one, a guest made here, or an illumos under QEMU
    Smoke(smoke::Args),
    /// Make the page of what is tested where
    Docs(docs::Args),
    /// Run every check that CI runs
    Ci(ci::Args),
}

/// The folder this workspace lies in.
pub fn workspace() -> PathBuf {
    let xtask = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().map_or(xtask.clone(), PathBuf::from)
}
