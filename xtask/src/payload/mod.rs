//! Illumos executables of this workspace: compiled and linked on any Unix, and proved to be what they are.
//!
//! ```text
//! stdlib (which toolchain) -> sysroot (its standard library) -> linker (stubs, sysroot or illumos itself)
//!   -> build (cargo) -> link (this executable as the linker) -> elf (the verifier)
//! ```
//!
//! Nothing here knows of packages. Progress goes to the caller's closure; the programs that are run speak on standard
//! error; standard output is left alone.

pub(crate) mod bootstrap;
mod build;
pub mod elf;
pub mod imports;
pub mod link;
mod linker;
mod lld;
pub(crate) mod program;
mod remap;
mod stdlib;
mod stubs;
mod sysroot;
mod toolchain;

use std::path::PathBuf;

pub use build::{Checked, build, check};
pub use stdlib::StdChoice;

/// The system that the payload is for, by the compiler's name.
pub const TARGET: &str = "x86_64-unknown-illumos";

/// The crates that are built for illumos. Each has an executable of its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Runtime,
    /// The stub of VirtualBox that trial packages carry.
    VirtualBoxStub,
}

impl Program {
    const ALL: [Program; 2] = [Program::Runtime, Program::VirtualBoxStub];

    /// The crate, and its executable.
    pub fn package(self) -> &'static str {
        match self {
            Program::Runtime => "vboxsvc",
            Program::VirtualBoxStub => "vbox-stub",
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    pub program: Program,
    /// The root of the workspace.
    pub workspace: PathBuf,
    /// The target folder: everything that is made goes below it.
    pub out_dir: PathBuf,
    pub std: StdChoice,
    /// Whether missing parts may be installed.
    pub bootstrap: bool,
    /// An illumos sysroot to link against; without one, stubs stand in for it.
    pub sysroot: Option<PathBuf>,
    /// The time that the build is to believe in, in seconds.
    pub source_date_epoch: u64,
}

/// What was made, and with what.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Payload {
    pub executable: PathBuf,
    pub target: &'static str,
    /// The standard library's origin, as in `debian rust-web-src 1.96.0`.
    pub std: String,
    /// The compiler, as it names itself.
    pub rustc: String,
    /// The linker, as it names itself.
    pub linker: String,
    pub sysroot: Option<PathBuf>,
    /// True when stubs stood in for illumos's libraries.
    pub stub_linked: bool,
    pub elf: elf::ElfReport,
}

impl Payload {
    /// What may be claimed of it.
    pub fn standing(&self) -> &'static str {
        match (self.stub_linked, &self.sysroot) {
            (true, _) => "linked against stubs, not run on illumos",
            (false, Some(_)) => "linked against an illumos sysroot, not run on illumos",
            (false, None) => "linked on illumos",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    #[error(transparent)]
    Std(#[from] stdlib::StdError),
    #[error(transparent)]
    Linker(#[from] linker::LinkerError),
    #[error("cannot build for illumos: {0}")]
    Program(#[from] program::ProgramError),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("{path} is not an executable for illumos:{}", findings.iter().map(|f| format!("\n    {f}")).collect::<String>())]
    Refused { path: PathBuf, findings: Vec<elf::Finding> },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(stub_linked: bool, sysroot: Option<PathBuf>) -> Payload {
        let word = String::new;
        let (std, rustc, linker, elf) = (word(), word(), word(), elf::ElfReport::default());
        Payload { executable: PathBuf::new(), target: TARGET, std, rustc, linker, sysroot, stub_linked, elf }
    }

    #[test]
    fn nothing_more_is_claimed_than_how_it_was_linked_warrants() {
        assert_eq!(payload(true, None).standing(), "linked against stubs, not run on illumos");
        let with_sysroot = payload(false, Some("/sysroot".into()));
        assert_eq!(with_sysroot.standing(), "linked against an illumos sysroot, not run on illumos");
        assert_eq!(payload(false, None).standing(), "linked on illumos");
    }

    #[test]
    fn a_refusal_lists_every_rule_that_was_broken() {
        let finding = |rule, detail: &str| elf::Finding { rule, detail: detail.to_owned() };
        let findings = vec![finding("osabi", "OS/ABI 3"), finding("import", "memfd_create")];
        let error = PayloadError::Refused { path: "/t/vboxsvc".into(), findings }.to_string();
        assert_eq!(
            error,
            "/t/vboxsvc is not an executable for illumos:\n    osabi: OS/ABI 3\n    import: memfd_create"
        );
    }
}
