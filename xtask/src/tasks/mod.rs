//! The commands of `cargo xtask`, one file each: they put the library together and tell what they did.

pub mod bench;
pub mod check;
pub mod ci;
pub mod deny;
pub mod diff;
pub mod docs;
pub mod extract;
pub mod faults;
pub mod fuzz;
pub mod inspect;
pub mod lint;
pub mod load;
pub mod manifest;
pub mod notices;
pub mod pkg;
pub mod release;
pub mod reproduce;
pub mod sign;
pub mod smoke;
pub mod test;
pub mod trial;
pub mod verify;

use std::path::Path;

use crate::flags::Command;

/// Runs one command in a workspace.
pub fn run(command: &Command, workspace: &Path) -> anyhow::Result<()> {
    match command {
        Command::Pkg(args) => pkg::run(args, workspace),
        Command::Verify(args) => verify::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Extract(args) => extract::run(args),
        Command::Diff(args) => diff::run(args),
        Command::Lint(args) => lint::run(args, workspace),
        Command::Reproduce(args) => reproduce::run(args, workspace),
        Command::Release(args) => release::run(args, workspace),
        Command::Sign(args) => sign::run(args),
        Command::Manifest(args) => manifest::run(args, workspace),
        Command::Notices(args) => notices::run(args, workspace),
        Command::Check(args) => check::run(args, workspace),
        Command::Smoke(args) => smoke::run(args, workspace),
        Command::Test(args) => test::run(args, workspace),
        Command::Deny(args) => deny::run(args, workspace),
        Command::Fuzz(args) => fuzz::run(args, workspace),
        Command::Trial(args) => trial::run(args, workspace),
        Command::Load(args) => load::run(args, workspace),
        Command::Bench(args) => bench::run(args, workspace),
        Command::Faults(args) => faults::run(args, workspace),
        Command::Docs(args) => docs::run(args, workspace),
        Command::Ci(args) => ci::run(args, workspace),
    }
}
