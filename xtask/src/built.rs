//! Executables of this workspace, built by cargo for this machine, and found where cargo says that they are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The cargo that runs this.
pub fn cargo(workspace: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(workspace);
    command
}

/// What cargo has built.
#[derive(Debug, Default)]
pub struct Built(Vec<Value>);

impl Built {
    /// Has cargo build something; its own messages go to standard error.
    pub fn by(workspace: &Path, args: &[&str]) -> Result<Built> {
        let output = cargo(workspace)
            .args(args)
            .args(["--locked", "--message-format=json-render-diagnostics"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        if !output.status.success() {
            bail!("cargo {}: {}", args.join(" "), output.status);
        }
        Ok(Built::of_messages(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Reads cargo's messages, JSON by the line.
    fn of_messages(messages: &str) -> Built {
        let messages = messages.lines().filter_map(|line| serde_json::from_str(line).ok());
        Built(messages.filter(|message: &Value| message["reason"] == "compiler-artifact").collect())
    }

    /// The executable of a target: `bin`, `test`.
    pub fn executable(&self, kind: &str, name: &str) -> Result<PathBuf> {
        let of_target =
            |a: &&Value| a["target"]["name"] == name && a["target"]["kind"][0] == kind && a["executable"].is_string();
        let found = self.0.iter().find(of_target).and_then(|a| a["executable"].as_str());
        found.map(PathBuf::from).with_context(|| format!("cargo named no executable of the {kind} {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(kind: &str, name: &str, executable: &str) -> String {
        format!(
            r#"{{"reason":"compiler-artifact","target":{{"kind":["{kind}"],"name":"{name}"}},"executable":{executable}}}"#
        )
    }

    #[test]
    fn the_executables_are_those_that_cargo_names() {
        let messages = [
            artifact("lib", "vboxsvc", "null"),
            artifact("bin", "vboxsvc", r#""/t/vboxsvc""#),
            artifact("bin", "simhost", r#""/t/simhost""#),
            "not JSON".to_string(),
            artifact("test", "other", r#""/t/other-1""#),
            artifact("test", "real", r#""/t/real-2""#),
            r#"{"reason":"build-finished","success":true}"#.to_string(),
        ];
        let built = Built::of_messages(&messages.join("\n"));
        assert_eq!(built.executable("bin", "vboxsvc").unwrap(), Path::new("/t/vboxsvc"));
        assert_eq!(built.executable("bin", "simhost").unwrap(), Path::new("/t/simhost"));
        assert_eq!(built.executable("test", "real").unwrap(), Path::new("/t/real-2"));
    }

    #[test]
    fn an_executable_that_cargo_does_not_name_is_an_error_that_does() {
        let built = Built::of_messages(&artifact("bin", "vboxsvc", r#""/t/vboxsvc""#));
        let error = built.executable("bin", "simhost").unwrap_err();
        assert!(error.to_string().contains("simhost"), "{error}");
    }
}
