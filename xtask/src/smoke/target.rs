//! What a host must be able to do to have steps run on it, and what it may say for itself.
//!
//! A target knows neither suites nor expectations. Every call has a bound, which the target keeps.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The local zone that a target with zones provides, running.
pub const ZONE: &str = "smoke";
/// Where a target has the package files, in either zone.
pub const FILES: &str = "/var/tmp/smoke";

/// What a host is. It goes with every result: a pass on a stand-in is no pass on illumos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// A folder of this machine with stand-ins of illumos' programs in it.
    Simulated,
    /// A Linux guest under QEMU with the same stand-ins in it.
    StandIn,
    /// An illumos distribution.
    Illumos,
}

impl Nature {
    /// For people.
    pub fn told(self) -> &'static str {
        match self {
            Nature::Simulated => "simulated host: stand-ins of illumos' programs, no illumos",
            Nature::StandIn => "stand-in guest: Linux under QEMU with stand-ins of illumos' programs, no illumos",
            Nature::Illumos => "illumos under QEMU",
        }
    }
}

/// What a step can need of a host, and not every host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// pkgadd and its kin.
    Svr4,
    /// pkg(1).
    Ips,
    /// A local zone of the name [`ZONE`].
    Zone,
    /// It can be rebooted.
    Reboot,
    /// Users beside root: `useradd`, `su`.
    Users,
    /// No VirtualBox of its own: the stub package may take its place.
    StubVirtualbox,
    /// A real VirtualBox is installed.
    RealVirtualbox,
}

impl Feature {
    pub fn told(self) -> &'static str {
        match self {
            Feature::Svr4 => "the SVR4 package tools",
            Feature::Ips => "pkg(1)",
            Feature::Zone => "a local zone",
            Feature::Reboot => "a reboot",
            Feature::Users => "users beside root",
            Feature::StubVirtualbox => "a place for the stub VirtualBox",
            Feature::RealVirtualbox => "a real VirtualBox",
        }
    }
}

/// Where a step happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    #[default]
    Global,
    Local,
}

/// A program with its arguments. No shell sees it that the target does not quote for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub words: Vec<String>,
    pub stdin: String,
}

impl Command {
    pub fn new<const N: usize>(words: [&str; N]) -> Self {
        Command { words: words.map(str::to_string).to_vec(), stdin: String::new() }
    }
}

/// How a program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

#[derive(Debug, Error)]
pub enum TargetError {
    /// The host lives; only this took too long, and was ended. It had said something until then.
    #[error("it did not end within {} s and was ended", limit.as_secs())]
    TimedOut { limit: Duration, stdout: String, stderr: String },
    /// Nothing more can be done on this host.
    #[error("the host is lost: {0}")]
    Lost(String),
    #[error("{0}")]
    Failed(String),
}

/// Something to look at after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub name: String,
    pub text: String,
}

/// A host that steps run on.
pub trait Target {
    fn name(&self) -> &str;

    fn nature(&self) -> Nature;

    fn has(&self, feature: Feature) -> bool;

    /// How many times longer than on a fast machine everything may take here.
    fn patience(&self) -> u32;

    /// Runs a program as root.
    fn run(&mut self, place: Place, command: &Command, limit: Duration) -> Result<Ran, TargetError>;

    /// Writes a small file, in place of one that is there.
    fn put(&mut self, place: Place, path: &str, text: &str, limit: Duration) -> Result<(), TargetError> {
        let mut command = Command::new(["/bin/sh", "-c", "cat >\"$0\"", path]);
        command.stdin = text.to_string();
        let ran = self.run(place, &command, limit)?;
        if ran.status == 0 { Ok(()) } else { Err(TargetError::Failed(format!("cannot write {path}: {}", ran.stderr))) }
    }

    /// Reboots the host, or its zone, in an orderly way and waits until its services are up again.
    fn reboot(&mut self, place: Place, limit: Duration) -> Result<(), TargetError>;

    /// What the host itself shows, without being asked anything: its console.
    fn console(&mut self) -> Vec<Evidence>;
}

/// Quotes a word for a POSIX shell, only where it must be.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command line of these words.
pub fn quoted_line(words: &[String]) -> String {
    words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}

/// The same command, run in the local zone from the global one: zlogin joins its words and has a shell parse them.
pub fn by_zlogin(command: &Command) -> Command {
    let words = ["/usr/sbin/zlogin", ZONE, quoted_line(&command.words).as_str()].map(str::to_string).to_vec();
    Command { words, stdin: command.stdin.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_would_touch_them() {
        for (word, expected) in [
            ("svcs", "svcs"),
            ("svc:/site/xvm/vbox:web", "svc:/site/xvm/vbox:web"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$x", "'$x'"),
            ("it's", r"'it'\''s'"),
            ("a*", "'a*'"),
            ("~root", "'~root'"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn a_shell_gives_back_what_was_quoted() {
        let words = ["a b", "it's", "$HOME", "*", "", "\\", "new\nline", "`x`", "~", "#x"];
        let line = words.map(quoted).join(" ");
        let output = std::process::Command::new("sh").args(["-c", &format!("printf '<%s>' {line}")]).output().unwrap();
        let expected: String = words.map(|word| format!("<{word}>")).concat();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }

    #[test]
    fn a_command_for_the_zone_is_one_quoted_word_of_zlogin() {
        let inside = by_zlogin(&Command { words: vec!["pkgrm".into(), "a b".into()], stdin: "y".into() });
        assert_eq!(inside.words, ["/usr/sbin/zlogin", "smoke", "pkgrm 'a b'"]);
        assert_eq!(inside.stdin, "y");
    }
}
