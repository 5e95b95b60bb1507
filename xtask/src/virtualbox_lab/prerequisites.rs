//! What this host must have for the laboratory, and how to get what it lacks.

use std::env;
use std::path::{Path, PathBuf};

use super::{mirror, namespaces};

/// Something that is not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub what: String,
    /// How to get it.
    pub remedy: String,
}

impl Missing {
    fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Missing { what: what.into(), remedy: remedy.into() }
    }
}

/// All that is missing, a line each.
pub fn told(missing: &[Missing]) -> String {
    let lines: Vec<String> = missing.iter().map(|m| format!("missing: {}; {}", m.what, m.remedy)).collect();
    lines.join("\n")
}

/// The Debian archive's keys: without them debootstrap would trust whatever it downloads.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// A program that building takes, and the package it comes in.
struct Tool {
    program: &'static str,
    package: &'static str,
}

const BUILDERS: [Tool; 2] =
    [Tool { program: "debootstrap", package: "debootstrap" }, Tool { program: "cc", package: "gcc" }];
const KEYS: Tool = Tool { program: KEYRING, package: "debian-archive-keyring" };

/// What is missing to run a laboratory that is built.
pub fn of_running() -> Vec<Missing> {
    if !(cfg!(target_os = "linux") && cfg!(target_arch = "x86_64")) {
        return vec![Missing::new("Linux on x86_64", "run it on such a host: VirtualBox is built for no other there")];
    }
    if !is_root() {
        return vec![Missing::new("the rights of root", "run it as root: it takes chroot(2) and mount namespaces")];
    }
    if !namespaces::allowed() {
        return vec![Missing::new(
            "mount, process and IPC namespaces",
            "install util-linux for unshare(1) and setpriv(1), or leave the container: this one forbids them",
        )];
    }
    Vec::new()
}

/// What is missing to build one.
pub fn of_building() -> Vec<Missing> {
    let mut missing: Vec<Missing> = missing_tools()
        .map(|tool| {
            let remedy = format!("run again with --bootstrap, or apt-get install {}", tool.package);
            Missing::new(tool.program, remedy)
        })
        .collect();
    if mirror::mirror().is_none() {
        let remedy = format!("run apt-get update where apt is Debian's, else set {} to a mirror", mirror::VARIABLE);
        missing.push(Missing::new("a Debian mirror that apt knows", remedy));
    }
    missing
}

/// The packages that `--bootstrap` is to install.
pub fn missing_packages() -> Vec<&'static str> {
    missing_tools().map(|tool| tool.package).collect()
}

fn missing_tools() -> impl Iterator<Item = Tool> {
    BUILDERS.into_iter().chain([KEYS]).filter(|tool| !is_here(tool.program))
}

fn is_here(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    // debootstrap is in a folder that an ordinary user's PATH may lack; root's commands find it by this one.
    let folders = env::split_paths(&path).chain(env::split_paths(namespaces::PATH).collect::<Vec<PathBuf>>());
    // An absolute path stays itself when it is joined to a folder.
    folders.into_iter().any(|folder| Path::new(&folder).join(program).is_file())
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // /proc/self belongs to the effective user.
    std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_thing_is_told_with_its_remedy() {
        let told = told(&[Missing::new("a", "get a"), Missing::new("b", "get b")]);
        assert_eq!(told, "missing: a; get a\nmissing: b; get b");
    }

    #[test]
    fn a_tool_is_found_by_name_on_the_path_and_by_its_own_path() {
        assert!(is_here("sh"));
        assert!(is_here("/bin/sh"));
        assert!(!is_here("no-such-program-here"));
        assert!(!is_here("/no/such/keyring"));
    }
}
