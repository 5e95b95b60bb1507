//! The simulated host as a target: a folder of this machine, without QEMU, driven by the program `simhost`.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::clock::SystemClock;
use super::ending::{self, Left};
use super::event::Said;
use super::packages::Packages;
use super::target::{Command, Evidence, FILES, Feature, Nature, Place, Ran, Target, TargetError, ZONE, by_zlogin};
use super::zone;
use crate::bounded;

/// Switching a host on or off takes less than a second.
const POWER: Duration = Duration::from_secs(120);
/// How much of a program's output is kept.
const LONGEST_OUTPUT: u64 = 1024 * 1024;

pub struct Simulated {
    simhost: PathBuf,
    root: PathBuf,
    /// The host is in it; it goes with this value, or with this program. Nothing where the host was kept.
    folder: Option<(TempDir, Left)>,
}

impl Simulated {
    /// Makes a host with a zone, switches it on, and puts the packages there.
    pub fn boot(simhost: &Path, packages: &Packages) -> Result<Simulated> {
        let folder = tempfile::Builder::new().prefix("smoke-").tempdir().context("no temporary folder")?;
        let root = folder.path().join("root");
        let left = ending::leave({
            let (simhost, folder, root) = (simhost.to_path_buf(), folder.path().to_path_buf(), root.clone());
            move || {
                // There is nobody left to tell what does not work.
                let _ = power(&simhost, &root, "power-off", &[]);
                let _ = fs::remove_dir_all(folder);
            }
        });
        let host = Simulated { simhost: simhost.to_path_buf(), root, folder: Some((folder, left)) };
        host.power("create", &["--zone", ZONE])?;
        for zone in [host.root.clone(), host.root.join("zones").join(ZONE).join("root")] {
            let there = zone.join(FILES.trim_start_matches('/'));
            fs::create_dir_all(&there).with_context(|| format!("cannot make {}", there.display()))?;
            for (name, file) in packages.files() {
                fs::copy(file, there.join(&name)).with_context(|| format!("cannot copy {}", file.display()))?;
            }
        }
        host.power("boot", &[])?;
        Ok(host)
    }

    fn power(&self, what: &str, options: &[&str]) -> Result<()> {
        power(&self.simhost, &self.root, what, options)
    }

    /// Leaves it running when this program ends; tells how to get in, and how it ends.
    pub fn keep(mut self) -> String {
        let folder = self.folder.take().map(|(folder, _)| folder.keep()).unwrap_or_default();
        let (simhost, root, folder) = (self.simhost.display(), self.root.display(), folder.display());
        format!(
            "the simulated host runs on in {root}\n\
             \x20  into it:  {simhost} enter {root} /bin/sh\n\
             \x20  its end:  {simhost} host power-off {root}; rm -r {folder}"
        )
    }

    fn in_global(&self, command: &Command, limit: Duration) -> Result<Ran, TargetError> {
        let mut enter = process::Command::new(&self.simhost);
        enter.arg("enter").arg(&self.root).args(&command.words).env_clear();
        match captured(&mut enter, &command.stdin, limit) {
            Ok(Said { status: Some(status), stdout, stderr }) => Ok(Ran { status, stdout, stderr }),
            Ok(Said { status: None, stdout, stderr }) => Err(TargetError::TimedOut { limit, stdout, stderr }),
            Err(error) => Err(TargetError::Lost(error.to_string())),
        }
    }

    /// Run by an ordinary user the host has root alone; and below a folder that is closed to others nobody else can run.
    fn is_more_than_one_user(&self) -> bool {
        let mut enter = process::Command::new(&self.simhost);
        enter.args(["enter", "--user", "nobody"]).arg(&self.root).arg("/usr/bin/zonename").env_clear();
        matches!(captured(&mut enter, "", POWER), Ok(ran) if ran.status == Some(0))
    }

    fn has_program(&self, path: &str) -> bool {
        self.root.join(path).symlink_metadata().is_ok()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        if self.folder.is_some() {
            // What cannot be switched off here is killed with its folder's last user.
            let _ = self.power("power-off", &[]);
        }
    }
}

impl Target for Simulated {
    fn name(&self) -> &str {
        "sim"
    }

    fn nature(&self) -> Nature {
        Nature::Simulated
    }

    fn has(&self, feature: Feature) -> bool {
        match feature {
            Feature::Svr4 => self.has_program("usr/sbin/pkgadd"),
            Feature::Ips => self.has_program("usr/bin/pkg"),
            Feature::Users => self.has_program("usr/sbin/useradd") && self.is_more_than_one_user(),
            Feature::Zone | Feature::Reboot | Feature::StubVirtualbox => true,
            Feature::RealVirtualbox => false,
        }
    }

    fn patience(&self) -> u32 {
        1
    }

    fn run(&mut self, place: Place, command: &Command, limit: Duration) -> Result<Ran, TargetError> {
        match place {
            Place::Global => self.in_global(command, limit),
            Place::Local => self.in_global(&by_zlogin(command), limit),
        }
    }

    fn reboot(&mut self, place: Place, limit: Duration) -> Result<(), TargetError> {
        match place {
            Place::Global => self.power("reboot", &[]).map_err(|error| TargetError::Lost(format!("{error:#}"))),
            Place::Local => {
                zone::reboot(&mut |command, limit| self.in_global(command, limit), &SystemClock::start(), limit)
            }
        }
    }

    fn console(&mut self) -> Vec<Evidence> {
        // It has none; its restarter's own messages are the nearest thing.
        let log = fs::read(self.root.join("var/svc/log/svc.startd.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log).into_owned();
        vec![Evidence { name: "messages of the simulated svc.startd".to_string(), text }]
    }
}

fn power(simhost: &Path, root: &Path, what: &str, options: &[&str]) -> Result<()> {
    let mut command = process::Command::new(simhost);
    command.args(["host", what]).arg(root).args(options);
    let ran = captured(&mut command, "", POWER).with_context(|| format!("cannot run {}", simhost.display()))?;
    match ran.status {
        Some(0) => Ok(()),
        Some(_) => bail!("simhost host {what}: {}", ran.stderr.trim()),
        None => bail!("simhost host {what} did not end within {} s: {}", POWER.as_secs(), ran.stderr.trim()),
    }
}

/// Runs a program, for no longer than it may take, with all three streams in files: what it leaves behind may hold them open as long as it likes.
fn captured(command: &mut process::Command, stdin: &str, limit: Duration) -> io::Result<Said> {
    let mut input = tempfile::tempfile()?;
    input.write_all(stdin.as_bytes())?;
    input.seek(SeekFrom::Start(0))?;
    let (mut out, mut err) = (tempfile::tempfile()?, tempfile::tempfile()?);
    command.stdin(input).stdout(Stdio::from(out.try_clone()?)).stderr(Stdio::from(err.try_clone()?));
    let ended = bounded::status(command, limit)?;
    // As a shell tells of a program that a signal has ended.
    let status = ended.map(|status| status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(-1));
    Ok(Said { status, stdout: text(&mut out)?, stderr: text(&mut err)? })
}

fn text(file: &mut File) -> io::Result<String> {
    file.seek(SeekFrom::Start(0))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_OUTPUT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(30);

    fn shell(script: &str) -> process::Command {
        let mut command = process::Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_the_input_and_the_end_come_back() {
        let ran = captured(&mut shell("cat; echo b >&2; exit 4"), "a", SOON).unwrap();
        assert_eq!(ran, Said { status: Some(4), stdout: "a".into(), stderr: "b\n".into() });
        assert_eq!(captured(&mut shell("kill -9 $$"), "", SOON).unwrap().status, Some(137));
    }

    #[test]
    fn who_keeps_the_streams_open_is_not_waited_for_and_who_hangs_is_ended() {
        let ran = captured(&mut shell("sleep 30 & echo left"), "", SOON).unwrap();
        assert_eq!(ran.stdout, "left\n");
        let ran = captured(&mut shell("echo begun; exec sleep 30"), "", Duration::from_secs(1)).unwrap();
        assert_eq!(ran, Said { status: None, stdout: "begun\n".into(), stderr: String::new() });
    }
}
