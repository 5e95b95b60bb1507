//! The Rust toolchains that can compile for illumos, and what each says of itself.
//!
//! There are two: the one that runs this build, when it has the target's standard library (rustup brings it), and the
//! one of Debian's packages, which brings the library's sources. This module finds them; it installs and builds nothing.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::TARGET;
use super::program::{Environment, ProgramError, ask};

/// The oldest Rust that compiles this workspace.
const OLDEST: &str = env!("CARGO_PKG_RUST_VERSION");

#[derive(Debug, thiserror::Error)]
pub enum ToolchainError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("{rustc} does not say its {field} (`rustc -vV`)")]
    Unreadable { rustc: String, field: &'static str },
    #[error("{rustc} is of Rust {found}, and this project needs {OLDEST} or later")]
    TooOld { rustc: String, found: String },
    #[error("{rustc} is of Rust {rustc_release} but {cargo} of {cargo_release}: both must be of one version")]
    Unmatched { rustc: String, rustc_release: String, cargo: String, cargo_release: String },
    #[error("{path} holds the sources of Rust {found:?}, but the compiler is of {wanted}")]
    ForeignSources { path: PathBuf, found: String, wanted: String },
}

/// What `rustc -vV` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As in `1.96.0`.
    pub release: String,
    pub commit: String,
    pub host: String,
    /// All of it: what a compiled library must agree with.
    pub whole: String,
}

/// A compiler and its cargo, with all that they need to compile for illumos once a standard library is there.
#[derive(Debug, Clone)]
pub struct Toolchain {
    pub rustc: PathBuf,
    pub cargo: PathBuf,
    pub version: Version,
    pub env: Environment,
    /// The compiler's own sysroot.
    pub home: PathBuf,
    /// Where the target's standard library is, if not in the compiler's own sysroot.
    pub sysroot: Option<PathBuf>,
    /// The standard library's origin, in words: for the build record.
    pub std: String,
}

impl Toolchain {
    /// The toolchain that runs this build: the compiler beside `$CARGO`, else the one on the path.
    pub fn running(caller: &[(OsString, OsString)]) -> Result<Self, ToolchainError> {
        let env = Environment::toolchain(caller.iter().cloned());
        let cargo = caller.iter().find(|(n, _)| n == "CARGO").map(|(_, v)| PathBuf::from(v));
        let sibling = cargo.as_deref().map(|c| c.with_file_name("rustc")).filter(|r| r.is_file());
        let (rustc, cargo) = match (sibling, cargo) {
            (Some(rustc), Some(cargo)) => (rustc, cargo),
            _ => ("rustc".into(), "cargo".into()),
        };
        Self::at(rustc, cargo, env)
    }

    /// Debian's: always these paths, never what the caller's path finds under those names.
    pub fn debian(caller: &[(OsString, OsString)]) -> Result<Self, ToolchainError> {
        Self::at("/usr/bin/rustc".into(), "/usr/bin/cargo".into(), Environment::system(caller.iter().cloned()))
    }

    /// The toolchain of these two programs.
    pub fn at(rustc: PathBuf, cargo: PathBuf, mut env: Environment) -> Result<Self, ToolchainError> {
        env.set("RUSTC", &rustc);
        let name = || rustc.display().to_string();
        let version = Version::parse(&ask(env.command(&rustc).arg("-vV"))?)
            .map_err(|field| ToolchainError::Unreadable { rustc: name(), field })?;
        if older(&version.release, OLDEST) {
            return Err(ToolchainError::TooOld { rustc: name(), found: version.release });
        }
        let said = ask(env.command(&cargo).arg("-vV"))?;
        let cargo_release = field(&said, "release").unwrap_or_default();
        if cargo_release != version.release {
            return Err(ToolchainError::Unmatched {
                rustc: name(),
                rustc_release: version.release,
                cargo: cargo.display().to_string(),
                cargo_release: cargo_release.to_owned(),
            });
        }
        let home = PathBuf::from(ask(env.command(&rustc).args(["--print", "sysroot"]))?.trim_end());
        Ok(Self { rustc, cargo, version, env, home, sysroot: None, std: String::new() })
    }

    /// True when the target's standard library is in the compiler's own sysroot.
    pub fn has_target(&self) -> bool {
        has_std(&self.home)
    }

    /// Where the sources of the compiler's standard library are, when they are installed.
    pub fn std_sources(&self) -> Result<Option<PathBuf>, ToolchainError> {
        let root = self.home.join("lib/rustlib/src/rust");
        if !root.join("library/std/src/lib.rs").is_file() {
            return Ok(None);
        }
        let path = root.join("src/version");
        // Sources that rustup installs carry no such file: they come with the compiler and cannot differ from it.
        if let Ok(found) = std::fs::read_to_string(&path)
            && found.trim() != self.version.release
        {
            let (found, wanted) = (found.trim().to_owned(), self.version.release.clone());
            return Err(ToolchainError::ForeignSources { path: root, found, wanted });
        }
        Ok(Some(root))
    }
}

/// True when a sysroot holds the target's compiled standard library.
pub fn has_std(sysroot: &Path) -> bool {
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let names = std::fs::read_dir(libraries).into_iter().flatten().flatten().map(|e| e.file_name());
    names.into_iter().any(|n| n.to_str().is_some_and(|n| n.starts_with("libstd-") && n.ends_with(".rlib")))
}

impl Version {
    /// Reads `rustc -vV`; on failure, the name of the field that is not there.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let get = |name| field(text, name).map(str::to_owned).ok_or(name);
        let (release, commit, host) = (get("release")?, get("commit-hash")?, get("host")?);
        Ok(Self { release, commit, host, whole: text.to_owned() })
    }

    /// The line that names the compiler, as in `rustc 1.96.0 (ac68faa20 2026-05-25)`.
    pub fn line(&self) -> &str {
        self.whole.lines().next().unwrap_or_default()
    }
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(": "))
}

/// True when release `a` comes before `b`, by major and minor number.
fn older(a: &str, b: &str) -> bool {
    let numbers = |v: &str| {
        let mut parts = v.split(['.', '-']).map(|p| p.parse::<u32>().unwrap_or(0));
        (parts.next(), parts.next())
    };
    numbers(a) < numbers(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
        commit-hash: ac68faa20c58cbccd01ee7208bf3b6e93a7d7f96\ncommit-date: 2026-05-25\n\
        host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    #[test]
    fn a_compilers_words_are_read() {
        let version = Version::parse(SAID).unwrap();
        assert_eq!((version.release.as_str(), version.host.as_str()), ("1.96.0", "x86_64-unknown-linux-gnu"));
        assert_eq!(version.line(), "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)");
        assert_eq!(Version::parse("rustc 1.96.0\nrelease: 1.96.0\n"), Err("commit-hash"));
    }

    #[test]
    fn releases_are_ordered_by_number_not_by_letter() {
        assert!(older("1.85.0", "1.95"));
        assert!(older("1.9.0", "1.95"));
        assert!(!older("1.95.0", "1.95"));
        assert!(!older("1.100.0-nightly", "1.95"));
        assert!(!older("2.0.0", "1.95"));
    }

    #[test]
    fn a_folder_without_the_compiled_library_is_no_sysroot() {
        let dir = tempfile::tempdir().unwrap();
        let libraries = dir.path().join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&libraries).unwrap();
        std::fs::write(libraries.join("libstd-1.rmeta"), "").unwrap();
        assert!(!has_std(dir.path()));
        std::fs::write(libraries.join("libstd-1.rlib"), "").unwrap();
        assert!(has_std(dir.path()));
    }

    #[test]
    fn the_toolchain_that_runs_the_tests_is_found() {
        let caller: Vec<_> = std::env::vars_os().collect();
        let running = Toolchain::running(&caller).unwrap();
        assert!(running.home.join("lib/rustlib").is_dir(), "{running:?}");
    }
}
