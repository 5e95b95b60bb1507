//! The commands of `cargo xtask`, one file each: they put the library together and tell what they did.

pub mod check;
pub mod ci;
pub mod docs;
pub mod manifest;
pub mod notices;
pub mod pkg;
pub mod test;

use std::path::Path;

use crate::flags::Command;

/// Runs one command in a workspace.
pub fn run(command: &Command, workspace: &Path) -> anyhow::Result<()> {
    match command {
        Command::Pkg(args) => pkg::run(args, workspace),
        Command::Manifest(args) => manifest::run(args, workspace),
        Command::Notices(args) => notices::run(args, workspace),
        Command::Check(args) => check::run(args, workspace),
        Command::Test(args) => test::run(args, workspace),
        Command::Docs(args) => docs::run(args, workspace),
        Command::Ci(args) => ci::run(args, workspace),
    }
}
