//! The commands that install what a payload takes: run only when the caller asked for it, else shown.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::TARGET;
use super::program::{Environment, ProgramError, run};

/// One thing that can be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Install {
    /// The target's standard library, for the running toolchain.
    RustupTarget,
    /// Debian's compiler, cargo and the sources of the standard library.
    DebianPackages,
    /// A linker that knows ELF of any system; rustup's toolchains have one, Debian's do not.
    DebianLinker,
}

impl Install {
    fn program(self) -> &'static str {
        match self {
            Install::RustupTarget => "rustup",
            Install::DebianPackages | Install::DebianLinker => "apt-get",
        }
    }

    fn words(self) -> Vec<&'static str> {
        let apt = |packages: &[&'static str]| [&["install", "-y", "--no-install-recommends"], packages].concat();
        match self {
            Install::RustupTarget => vec!["target", "add", TARGET],
            Install::DebianPackages => apt(&["rustc-web", "cargo-web", "rust-web-src"]),
            Install::DebianLinker => apt(&["lld"]),
        }
    }
}

/// The command as a person would type it.
impl fmt::Display for Install {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program(), self.words().join(" "))
    }
}

/// True when the installer's program is on the path.
pub fn can(install: Install, caller: &[(OsString, OsString)]) -> bool {
    on_path(install.program(), caller).is_some()
}

/// The program of this name on the caller's path.
pub fn on_path(name: &str, caller: &[(OsString, OsString)]) -> Option<PathBuf> {
    let (_, path) = caller.iter().find(|(n, _)| n == "PATH")?;
    std::env::split_paths(path).map(|d| d.join(name)).find(|p| p.is_file())
}

/// Runs the command. Its messages go to standard error.
pub fn run_install(install: Install, caller: &[(OsString, OsString)]) -> Result<(), ProgramError> {
    if install == Install::RustupTarget {
        let env = Environment::toolchain(caller.iter().cloned());
        return run(env.command(Path::new("rustup")).args(install.words()));
    }
    apt_get(&install.words(), caller)
}

/// Has apt-get do something with fresh lists.
pub fn apt_get(words: &[&str], caller: &[(OsString, OsString)]) -> Result<(), ProgramError> {
    let mut env = Environment::system(caller.iter().cloned());
    env.set("DEBIAN_FRONTEND", "noninteractive");
    // Another installation may be under way: wait for it rather than fail.
    let wait = "DPkg::Lock::Timeout=300";
    run(env.command(Path::new("apt-get")).args(["-o", wait, "update"]))?;
    run(env.command(Path::new("apt-get")).args(["-o", wait]).args(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_shown_are_complete() {
        assert_eq!(Install::RustupTarget.to_string(), "rustup target add x86_64-unknown-illumos");
        let packages = "apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src";
        assert_eq!(Install::DebianPackages.to_string(), packages);
        assert_eq!(Install::DebianLinker.to_string(), "apt-get install -y --no-install-recommends lld");
    }

    #[test]
    fn an_installer_counts_only_when_it_is_on_the_callers_path() {
        let dir = tempfile::tempdir().unwrap();
        let caller = [("PATH".into(), dir.path().into())];
        assert!(!can(Install::DebianPackages, &caller));
        std::fs::write(dir.path().join("apt-get"), "").unwrap();
        assert!(can(Install::DebianPackages, &caller));
        assert!(!can(Install::RustupTarget, &caller));
    }
}
