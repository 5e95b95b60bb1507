//! Finding a linker that knows ELF of any system: LLVM's, which Rust's own toolchains bring as rust-lld.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::bootstrap::{self, Install, on_path};
use super::program::{Environment, ProgramError, ask};
use super::toolchain::Toolchain;

#[derive(Debug, thiserror::Error)]
pub enum LldError {
    #[error(
        "there is no linker for illumos here: no rust-lld in a Rust toolchain, no ld.lld on the path; install one with\n    \
         {}\nor have that done with --bootstrap",
        Install::DebianLinker
    )]
    Missing,
    #[error(transparent)]
    Program(#[from] ProgramError),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lld {
    pub program: PathBuf,
    /// As it names itself, as in `LLD 22.1.2`.
    pub version: String,
}

/// The linker of the compiler that is used, else of the toolchain that runs this build, else the one on the path.
pub fn find(
    toolchain: &Toolchain,
    caller: &[(OsString, OsString)],
    may_install: bool,
    say: &mut dyn FnMut(&str),
) -> Result<Lld, LldError> {
    let here = || candidates(&toolchain.home, &toolchain.version.host, caller).into_iter().find(|p| p.is_file());
    if let Some(program) = here() {
        return named(program, &toolchain.env);
    }
    if !may_install || !bootstrap::can(Install::DebianLinker, caller) {
        return Err(LldError::Missing);
    }
    say(&format!("installing: {}", Install::DebianLinker));
    bootstrap::run_install(Install::DebianLinker, caller)?;
    named(here().ok_or(LldError::Missing)?, &toolchain.env)
}

fn candidates(home: &Path, host: &str, caller: &[(OsString, OsString)]) -> Vec<PathBuf> {
    let inside = |home: &Path| home.join("lib/rustlib").join(host).join("bin/rust-lld");
    // The running cargo is `HOME/bin/cargo` of its toolchain. Asked for this way, no rustup is called.
    let running = caller.iter().find(|(n, _)| n == "CARGO").map(|(_, cargo)| PathBuf::from(cargo));
    let running = running.as_deref().and_then(|cargo| cargo.parent()?.parent());
    [Some(inside(home)), running.map(inside), on_path("ld.lld", caller)].into_iter().flatten().collect()
}

fn named(program: PathBuf, env: &Environment) -> Result<Lld, LldError> {
    let said = ask(env.command(&program).args(["-flavor", "gnu", "--version"]))?;
    let first = said.lines().next().unwrap_or_default();
    let version = first.split(" (").next().unwrap_or_default().trim().to_owned();
    Ok(Lld { program, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compilers_own_comes_first_then_the_running_toolchains_then_the_paths() {
        let bin = tempfile::tempdir().unwrap();
        std::fs::write(bin.path().join("ld.lld"), "").unwrap();
        let caller = [("CARGO".into(), "/tc/bin/cargo".into()), ("PATH".into(), bin.path().into())];
        let found = candidates(Path::new("/usr"), "host", &caller);
        let expected = ["/usr/lib/rustlib/host/bin/rust-lld", "/tc/lib/rustlib/host/bin/rust-lld"].map(PathBuf::from);
        assert_eq!(found[..2], expected);
        assert_eq!(found[2], bin.path().join("ld.lld"));
    }

    #[test]
    fn a_build_without_cargo_or_path_still_asks_the_compiler() {
        assert_eq!(candidates(Path::new("/usr"), "host", &[]).len(), 1);
    }
}
