//! Where the illumos standard library comes from: which toolchain is taken, and what is installed for it when asked.
//!
//! The decision ([`choose`]) is apart from the machine it is about ([`Machine`]), so that what it would run, and that it
//! runs nothing unasked, can be tested.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::TARGET;
use super::bootstrap::{self, Install};
use super::sysroot::{self, SysrootError};
use super::toolchain::{Toolchain, ToolchainError};

/// Which standard library a build takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StdChoice {
    /// The installed one if it is there, else Debian's.
    #[default]
    Auto,
    /// The one in the running toolchain.
    Installed,
    /// One compiled from the sources in Debian's packages, by the compiler of those packages.
    Debian,
}

impl StdChoice {
    /// The word that asks for it on a command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Installed => "installed",
            Self::Debian => "debian",
        }
    }
}

impl std::str::FromStr for StdChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "auto" => Ok(Self::Auto),
            "installed" => Ok(Self::Installed),
            "debian" => Ok(Self::Debian),
            other => Err(format!("no such standard library: {other:?} (auto, installed, debian)")),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StdError {
    #[error(
        "no illumos standard library is here ({looked}); install one with{commands}\nor have that done with --bootstrap"
    )]
    Missing { looked: String, commands: String },
    #[error("{command} went through, but there is still no illumos standard library")]
    StillMissing { command: String },
    #[error("cannot install an illumos standard library: there is neither rustup nor apt-get here")]
    NoInstaller,
    #[error(transparent)]
    Toolchain(#[from] ToolchainError),
    #[error("cannot install an illumos standard library: {0}")]
    Install(#[from] super::program::ProgramError),
    #[error(transparent)]
    Sysroot(#[from] SysrootError),
}

/// The machine, as far as the decision is concerned.
pub trait Machine {
    /// What is found; `None` when it is not there.
    fn find(&mut self, source: Source) -> Result<Option<Toolchain>, StdError>;
    /// True when the program of this installation is here.
    fn can(&self, install: Install) -> bool;
    fn install(&mut self, install: Install) -> Result<(), StdError>;
}

/// The two places it can come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Installed,
    Debian,
}

impl Source {
    fn install(self) -> Install {
        match self {
            Source::Installed => Install::RustupTarget,
            Source::Debian => Install::DebianPackages,
        }
    }

    fn shown(self) -> &'static str {
        match self {
            Source::Installed => "the running toolchain has no such target",
            Source::Debian => "Debian's rustc-web, cargo-web and rust-web-src are not all installed",
        }
    }
}

/// Picks the toolchain, installing what is missing only when told to.
pub fn choose(
    choice: StdChoice,
    bootstrap: bool,
    machine: &mut dyn Machine,
    say: &mut dyn FnMut(&str),
) -> Result<Toolchain, StdError> {
    let sources: &[Source] = match choice {
        StdChoice::Auto => &[Source::Installed, Source::Debian],
        StdChoice::Installed => &[Source::Installed],
        StdChoice::Debian => &[Source::Debian],
    };
    for source in sources {
        if let Some(found) = machine.find(*source)? {
            return Ok(found);
        }
    }
    if !bootstrap {
        let looked = sources.iter().map(|s| s.shown()).collect::<Vec<_>>().join("; ");
        let commands = sources.iter().map(|s| format!("\n    {}", s.install())).collect();
        return Err(StdError::Missing { looked, commands });
    }
    let able: Vec<Source> = sources.iter().copied().filter(|s| machine.can(s.install())).collect();
    let Some((last, earlier)) = able.split_last() else { return Err(StdError::NoInstaller) };
    for source in earlier {
        match install(*source, machine, say) {
            Ok(toolchain) => return Ok(toolchain),
            Err(error) => say(&format!("{error}; trying {} instead", last.install())),
        }
    }
    install(*last, machine, say)
}

fn install(source: Source, machine: &mut dyn Machine, say: &mut dyn FnMut(&str)) -> Result<Toolchain, StdError> {
    let command = source.install();
    say(&format!("installing: {command}"));
    machine.install(command)?;
    machine.find(source)?.ok_or_else(|| StdError::StillMissing { command: command.to_string() })
}

/// The machine this runs on.
pub struct ThisMachine {
    /// The environment as the caller has it; programs see a filtered one.
    pub caller: Vec<(OsString, OsString)>,
}

impl Machine for ThisMachine {
    fn find(&mut self, source: Source) -> Result<Option<Toolchain>, StdError> {
        match source {
            Source::Installed => {
                let mut running = Toolchain::running(&self.caller)?;
                running.std = format!("installed {TARGET} of Rust {}", running.version.release);
                Ok(running.has_target().then_some(running))
            }
            Source::Debian => {
                if !Path::new("/usr/bin/rustc").is_file() || !Path::new("/usr/bin/cargo").is_file() {
                    return Ok(None);
                }
                let mut debian = Toolchain::debian(&self.caller)?;
                debian.std = format!("debian rust-web-src {}", debian.version.release);
                Ok(debian.std_sources()?.is_some().then_some(debian))
            }
        }
    }

    fn can(&self, install: Install) -> bool {
        bootstrap::can(install, &self.caller)
    }

    fn install(&mut self, install: Install) -> Result<(), StdError> {
        Ok(bootstrap::run_install(install, &self.caller)?)
    }
}

/// A toolchain that can compile for illumos: found, installed if told to, its standard library compiled if need be.
/// The flag tells whether that library is new, so that nothing compiled against an older one may be used again.
pub fn provide(
    choice: StdChoice,
    bootstrap: bool,
    out_dir: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(Toolchain, bool), StdError> {
    let mut machine = ThisMachine { caller: std::env::vars_os().collect() };
    let mut toolchain = choose(choice, bootstrap, &mut machine, say)?;
    if toolchain.has_target() {
        return Ok((toolchain, false));
    }
    let sources: PathBuf = toolchain.std_sources()?.ok_or_else(|| StdError::Missing {
        looked: Source::Debian.shown().to_owned(),
        commands: format!("\n    {}", Install::DebianPackages),
    })?;
    let (sysroot, fresh) = sysroot::provide(&toolchain, &sources, out_dir, say)?;
    toolchain.sysroot = Some(sysroot);
    Ok((toolchain, fresh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::program::Environment;
    use crate::payload::toolchain::Version;

    /// A machine that writes down what was done to it.
    #[derive(Default)]
    struct Fake {
        there: Vec<Source>,
        installers: Vec<Install>,
        failing: Vec<Install>,
        log: Vec<String>,
    }

    impl Machine for Fake {
        fn find(&mut self, source: Source) -> Result<Option<Toolchain>, StdError> {
            self.log.push(format!("find {source:?}"));
            Ok(self.there.contains(&source).then(|| toolchain(source)))
        }

        fn can(&self, install: Install) -> bool {
            self.installers.contains(&install)
        }

        fn install(&mut self, install: Install) -> Result<(), StdError> {
            self.log.push(format!("install {install:?}"));
            if self.failing.contains(&install) {
                return Err(StdError::NoInstaller);
            }
            self.there.push(match install {
                Install::RustupTarget => Source::Installed,
                _ => Source::Debian,
            });
            Ok(())
        }
    }

    fn toolchain(source: Source) -> Toolchain {
        let version =
            Version { release: "1.96.0".into(), commit: "0".into(), host: "h".into(), whole: "rustc 1.96.0".into() };
        Toolchain {
            rustc: "rustc".into(),
            cargo: "cargo".into(),
            version,
            env: Environment::default(),
            home: "/".into(),
            sysroot: None,
            std: format!("{source:?}"),
        }
    }

    fn chosen(choice: StdChoice, bootstrap: bool, fake: &mut Fake) -> Result<String, String> {
        choose(choice, bootstrap, fake, &mut |_| {}).map(|t| t.std).map_err(|e| e.to_string())
    }

    #[test]
    fn auto_prefers_the_installed_one_and_falls_back_to_debians() {
        let mut both = Fake { there: vec![Source::Debian, Source::Installed], ..Fake::default() };
        assert_eq!(chosen(StdChoice::Auto, false, &mut both).unwrap(), "Installed");
        let mut debian = Fake { there: vec![Source::Debian], ..Fake::default() };
        assert_eq!(chosen(StdChoice::Auto, false, &mut debian).unwrap(), "Debian");
    }

    #[test]
    fn nothing_is_installed_unasked_and_the_error_gives_the_commands() {
        let mut fake = Fake { installers: vec![Install::RustupTarget, Install::DebianPackages], ..Fake::default() };
        let error = chosen(StdChoice::Auto, false, &mut fake).unwrap_err();
        assert!(error.contains("rustup target add x86_64-unknown-illumos"), "{error}");
        assert!(
            error.contains("apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src"),
            "{error}"
        );
        assert!(error.contains("--bootstrap"), "{error}");
        assert_eq!(fake.log, ["find Installed", "find Debian"]);
    }

    #[test]
    fn debian_never_looks_at_rustup() {
        let both = vec![Install::RustupTarget, Install::DebianPackages];
        let mut fake = Fake { installers: both, there: vec![Source::Installed], ..Fake::default() };
        assert_eq!(chosen(StdChoice::Debian, true, &mut fake).unwrap(), "Debian");
        assert_eq!(fake.log, ["find Debian", "install DebianPackages", "find Debian"]);
    }

    #[test]
    fn bootstrap_tries_rustup_first_then_debian_and_says_so() {
        let both = vec![Install::RustupTarget, Install::DebianPackages];
        let mut fake = Fake { installers: both, failing: vec![Install::RustupTarget], ..Fake::default() };
        let mut said = Vec::new();
        let found = choose(StdChoice::Auto, true, &mut fake, &mut |line| said.push(line.to_owned())).unwrap();
        assert_eq!(found.std, "Debian");
        assert!(said.iter().any(|l| l.contains("trying apt-get")), "{said:?}");
    }

    #[test]
    fn bootstrap_without_any_installer_is_an_error() {
        let error = chosen(StdChoice::Auto, true, &mut Fake::default()).unwrap_err();
        assert!(error.contains("neither rustup nor apt-get"), "{error}");
    }

    #[test]
    fn the_three_words_are_read_and_others_refused() {
        assert_eq!("debian".parse(), Ok(StdChoice::Debian));
        assert!("nightly".parse::<StdChoice>().unwrap_err().contains("auto, installed, debian"));
    }
}
