//! The commands of `cargo xtask` and their options.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::tasks::{check, ci, docs, manifest, notices, pkg, test};

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
    /// Render the SMF manifests
    Manifest(manifest::Args),
    /// Gather the licences of what is linked into the program
    Notices(notices::Args),
    /// Type-check the runtime for illumos, with warnings denied
    Check(check::Args),
    /// Run the tests, tier by tier
    Test(test::Args),
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
