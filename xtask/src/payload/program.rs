//! Running the compilers and package tools that a payload takes, each with a whole environment of its own.
//!
//! A build must not depend on what the caller's shell happens to export, and `cargo run` hands its children a good deal
//! (the toolchain it picked, its target folder, flags): so an environment is what is let through here and nothing else.
//! This module knows nothing of illumos.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::bounded;

/// How long a question to a program (`rustc --version`) may take.
const QUESTION: Duration = Duration::from_secs(60);
/// How long a build or an installation may take: a standard library on a slow machine, from a slow mirror.
const WORK: Duration = Duration::from_secs(3600);

/// What any program gets to see of the caller's environment: where things are, how to reach a registry, how to talk.
const LET_THROUGH: [&str; 16] = [
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "TERM",
    "NO_COLOR",
    "CARGO_HOME",
    "CARGO_NET_OFFLINE",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
/// What a toolchain managed by rustup needs besides.
const RUSTUP: [&str; 4] = ["PATH", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTUP_AUTO_INSTALL"];
/// Where a distribution's own programs are.
const SYSTEM_PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("cannot run {program}: {source}")]
    Spawn { program: String, source: std::io::Error },
    #[error("{program} did not end within {} s and was stopped", limit.as_secs())]
    TimedOut { program: String, limit: Duration },
    #[error("{program} failed ({status}){detail}")]
    Failed { program: String, status: ExitStatus, detail: String },
}

/// A whole environment for a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// For a distribution's own tools: no rustup, no path of the caller's.
    pub fn system(caller: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut env = Self::filtered(caller, &[]);
        env.set("PATH", SYSTEM_PATH);
        env
    }

    /// For the toolchain that runs this build, which may be rustup's.
    pub fn toolchain(caller: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self::filtered(caller, &RUSTUP)
    }

    fn filtered(caller: impl Iterator<Item = (OsString, OsString)>, more: &[&str]) -> Self {
        let wanted = |name: &OsStr| LET_THROUGH.iter().chain(more).any(|w| name == *w);
        Self(caller.filter(|(name, _)| wanted(name)).collect())
    }

    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.0.insert(name.into(), value.as_ref().to_os_string());
    }

    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Where cargo keeps its registry.
    pub fn cargo_home(&self) -> Option<PathBuf> {
        let home = || Some(Path::new(self.get("HOME")?).join(".cargo"));
        self.get("CARGO_HOME").map(PathBuf::from).or_else(home)
    }

    /// A command that sees this environment and nothing to read.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(&self.0).stdin(Stdio::null());
        command
    }
}

/// Runs a long piece of work. Its messages go to standard error as they come: they are its progress.
pub fn run(command: &mut Command) -> Result<(), ProgramError> {
    // Whatever it says on standard output is not this program's output.
    let mut child = spawn(command.stdout(Stdio::null()).stderr(Stdio::inherit()))?;
    let status = wait(&mut child, command, WORK)?;
    if status.success() {
        return Ok(());
    }
    Err(ProgramError::Failed { program: shown(command), status, detail: String::new() })
}

/// Runs a program that answers with a few lines on standard output.
pub fn ask(command: &mut Command) -> Result<String, ProgramError> {
    let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()))?;
    let status = wait(&mut child, command, QUESTION)?;
    let (mut out, mut err) = (String::new(), Vec::new());
    let read = child.stdout.take().map_or(Ok(0), |mut pipe| pipe.read_to_string(&mut out));
    read.map_err(|source| ProgramError::Spawn { program: shown(command), source })?;
    if status.success() {
        return Ok(out);
    }
    // What it complained of is only a help here: unreadable, it is left out.
    let _ = child.stderr.take().map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut err));
    let detail = format!(": {}", String::from_utf8_lossy(&err).trim());
    Err(ProgramError::Failed { program: shown(command), status, detail })
}

fn spawn(command: &mut Command) -> Result<Child, ProgramError> {
    command.spawn().map_err(|source| ProgramError::Spawn { program: shown(command), source })
}

fn wait(child: &mut Child, command: &Command, limit: Duration) -> Result<ExitStatus, ProgramError> {
    let ended =
        bounded::wait(child, limit).map_err(|source| ProgramError::Spawn { program: shown(command), source })?;
    ended.ok_or_else(|| ProgramError::TimedOut { program: shown(command), limit })
}

/// The program and its first words, for messages.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args().take(3));
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> impl Iterator<Item = (OsString, OsString)> {
        let pairs = [
            ("PATH", "/home/u/.cargo/bin:/usr/bin"),
            ("HOME", "/home/u"),
            ("https_proxy", "http://proxy:1"),
            ("RUSTUP_TOOLCHAIN", "stable"),
            ("RUSTC", "/home/u/rustc"),
            ("RUSTFLAGS", "-C target-cpu=native"),
            ("CARGO_TARGET_DIR", "/elsewhere"),
            ("LD_LIBRARY_PATH", "/home/u/.rustup/lib"),
        ];
        pairs.into_iter().map(|(n, v)| (n.into(), v.into()))
    }

    #[test]
    fn a_distributions_tools_see_neither_rustup_nor_the_callers_flags() {
        let env = Environment::system(caller());
        assert_eq!(env.get("PATH"), Some(OsStr::new(SYSTEM_PATH)));
        assert_eq!(env.get("https_proxy"), Some(OsStr::new("http://proxy:1")));
        for name in ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTFLAGS", "CARGO_TARGET_DIR", "LD_LIBRARY_PATH"] {
            assert_eq!(env.get(name), None, "{name}");
        }
    }

    #[test]
    fn the_running_toolchain_keeps_its_choice_but_not_the_callers_flags() {
        let env = Environment::toolchain(caller());
        assert_eq!(env.get("RUSTUP_TOOLCHAIN"), Some(OsStr::new("stable")));
        assert_eq!(env.get("RUSTFLAGS"), None);
    }

    #[test]
    fn cargos_home_is_the_one_named_or_the_usual_one() {
        let mut env = Environment::system(caller());
        assert_eq!(env.cargo_home(), Some(PathBuf::from("/home/u/.cargo")));
        env.set("CARGO_HOME", "/cache");
        assert_eq!(env.cargo_home(), Some(PathBuf::from("/cache")));
    }

    #[test]
    fn a_program_sees_exactly_its_environment() {
        let mut env = Environment::default();
        env.set("ONLY", "this");
        assert_eq!(ask(&mut env.command(Path::new("/usr/bin/env"))).unwrap(), "ONLY=this\n");
    }

    #[test]
    fn a_failure_names_the_program_and_what_it_said() {
        let mut command = Environment::default().command(Path::new("/bin/sh"));
        let error = ask(command.args(["-c", "echo no such thing >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("/bin/sh") && error.contains("3") && error.contains("no such thing"), "{error}");
    }
}
