//! The recipe: how the chroot comes to be, from packages only.
//!
//! It grows under a name of its own and gets its final one by a rename, the very last step: an interrupted build is
//! never taken for a laboratory, and is removed by the next one.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bounded;

use super::prerequisites::{KEYRING, missing_packages};
use super::{LabError, USER, cannot, mirror, namespaces, remove_tree};

pub const UNFINISHED: &str = "unfinished";
const LOG: &str = "build.log";
/// No step takes longer, even from a slow mirror.
const LIMIT: Duration = Duration::from_secs(20 * 60);
/// How much of the log an error shows.
const LINES_SHOWN: usize = 15;

const SUITE: &str = "sid";
/// VirtualBox is in contrib, for its firmware cannot be built with free tools.
const COMPONENTS: &str = "--components=main,contrib";
/// Without recommended packages: they are the GUI and the sources of the kernel driver.
const PACKAGES: [&str; 3] = ["virtualbox", "procps", "tini"];
/// Keeps package scripts from starting services.
const POLICY: &str = "#!/bin/sh\nexit 101\n";
const LAUNCHER: &str = "usr/lib/virtualbox/VBoxHeadless";
/// By this a program in the laboratory knows where it is, before it kills and removes as it may nowhere else.
const MARK: &str = "etc/virtualbox-lab";

/// Installs what building takes, with the host's own package manager.
pub fn install_missing(folder: &Path) -> Result<(), LabError> {
    let packages = missing_packages();
    if packages.is_empty() {
        return Ok(());
    }
    let mut update = Command::new("apt-get");
    update.arg("update");
    step(folder, "apt-get update", update)?;
    let mut install = Command::new("apt-get");
    install.args(["install", "-y", "--no-install-recommends"]).args(packages).env("DEBIAN_FRONTEND", "noninteractive");
    step(folder, "the installation of what the laboratory is built with", install)
}

/// Builds the laboratory. The caller has seen to it that nothing is missing and that nobody else is at it.
pub fn build(folder: &Path, launcher: &Path, root: &Path) -> Result<(), LabError> {
    remove_others(folder)?;
    let unfinished = folder.join(UNFINISHED);
    debootstrap(folder, &unfinished)?;
    let policy = unfinished.join("usr/sbin/policy-rc.d");
    fs::write(&policy, POLICY).map_err(cannot("write", &policy))?;
    fs::set_permissions(&policy, fs::Permissions::from_mode(0o755)).map_err(cannot("chmod", &policy))?;
    let mut packages = namespaces::bare_command(&unfinished);
    packages.args(["apt-get", "install", "-y", "--no-install-recommends"]).args(PACKAGES);
    packages.env("DEBIAN_FRONTEND", "noninteractive").envs(proxies());
    step(folder, "the installation of VirtualBox in the chroot", packages)?;
    let mut user = namespaces::bare_command(&unfinished);
    user.args(["useradd", "--create-home", "--shell", "/bin/sh", USER]);
    step(folder, "making the chroot's ordinary user", user)?;
    put_launcher(folder, launcher, &unfinished.join(LAUNCHER))?;
    let mark = unfinished.join(MARK);
    fs::write(&mark, "").map_err(cannot("write", &mark))?;
    fs::rename(&unfinished, root).map_err(cannot("rename", &unfinished))
}

/// Removes interrupted builds and laboratories of other recipes: each takes more than a gigabyte.
fn remove_others(folder: &Path) -> Result<(), LabError> {
    for entry in fs::read_dir(folder).map_err(cannot("read", folder))? {
        let entry = entry.map_err(cannot("read", folder))?;
        let name = entry.file_name();
        if name == UNFINISHED || name.to_string_lossy().starts_with("sid-") {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

fn debootstrap(folder: &Path, unfinished: &Path) -> Result<(), LabError> {
    let mut command = namespaces::outside();
    command
        .args(["debootstrap", "--variant=minbase", COMPONENTS, "--force-check-gpg"])
        .arg(format!("--keyring={KEYRING}"))
        .arg(SUITE)
        .arg(unfinished)
        .args(mirror::mirror())
        .env_clear()
        .env("PATH", namespaces::PATH)
        .env("HOME", "/root")
        .envs(proxies());
    step(folder, "debootstrap", command)
}

/// Puts ours in the place of the set-uid program, which refuses to run without the kernel driver.
fn put_launcher(folder: &Path, source: &Path, program: &Path) -> Result<(), LabError> {
    fs::remove_file(program).map_err(cannot("remove", program))?;
    let mut compile = Command::new("cc");
    compile.args(["-O1", "-Wall", "-Wextra", "-Werror", "-o"]).arg(program).arg(source).arg("-ldl");
    step(folder, "the compilation of the launcher", compile)
}

/// How to reach the mirror is the host's business.
fn proxies() -> impl Iterator<Item = (String, String)> {
    std::env::vars().filter(|(name, _)| name.to_ascii_lowercase().ends_with("_proxy"))
}

/// Runs a step of the recipe, its output into the log.
fn step(folder: &Path, step: &'static str, mut command: Command) -> Result<(), LabError> {
    let path = folder.join(LOG);
    let mut log = File::options().create(true).append(true).open(&path).map_err(cannot("open", &path))?;
    let begins = fs::metadata(&path).map_err(cannot("look at", &path))?.len();
    writeln!(log, "--- {step}: {command:?}").map_err(cannot("write", &path))?;
    let second = log.try_clone().map_err(cannot("open", &path))?;
    command.stdin(Stdio::null()).stdout(log).stderr(second);
    let how = match bounded::status(&mut command, LIMIT) {
        Ok(Some(status)) if status.success() => return Ok(()),
        Ok(Some(status)) => status.to_string(),
        Ok(None) => format!("ended after {} s", LIMIT.as_secs()),
        Err(error) => error.to_string(),
    };
    let text = fs::read(&path).map_err(cannot("read", &path))?;
    let of_step = text.get(usize::try_from(begins).unwrap_or(0)..).unwrap_or_default();
    Err(LabError::Step { step, how, end: last_lines(&String::from_utf8_lossy(of_step)), log: path })
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LINES_SHOWN)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_fails_shows_its_own_last_words_and_not_those_of_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let say = |words: &str, code: i32| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("echo {words}; exit {code}")]);
            step(folder.path(), "the step", command)
        };
        say("first", 0).unwrap();
        let error = say("second", 3).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("second"), "{error}");
        assert!(!error.contains("first"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_fails_its_step_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let error = step(folder.path(), "debootstrap", Command::new("no-such-program-here")).unwrap_err();
        assert!(error.to_string().starts_with("debootstrap failed"), "{error}");
    }

    #[test]
    fn what_other_recipes_and_interrupted_builds_left_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in [UNFINISHED, "sid-0-abc", "mine"] {
            fs::create_dir_all(folder.path().join(name).join("proc")).unwrap();
        }
        remove_others(folder.path()).unwrap();
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["mine"]);
    }
}
