//! The folder of one run of one target: emptied for it, and nobody else's for as long as it takes.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::smoke::guest::machine;

/// Where the reports go, and the folders of runs.
pub fn out(given: Option<&PathBuf>, workspace: &Path) -> PathBuf {
    given.cloned().unwrap_or_else(|| workspace.join("target/smoke"))
}

/// It is held for as long as this value is there; the files stay.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    _lock: File,
}

impl RunFolder {
    /// Makes it, or takes the one that is there and empties it.
    pub fn take(out: &Path, name: &str) -> Result<RunFolder> {
        let path = out.join(name);
        fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
        // Beside it: what is in it goes.
        let lock_path = out.join(format!("{name}.lock"));
        let lock = File::create(&lock_path).with_context(|| format!("cannot write {}", lock_path.display()))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "another run of {name} has {} just now: wait for it, or give this one another folder by --out DIR",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", lock_path.display()));
            }
        }
        if let Some(process) = machine::running_in(&path) {
            bail!(
                "a guest that was kept runs in {} (process {process}): `cargo xtask smoke end {name} --out {}` ends it",
                path.display(),
                out.display()
            );
        }
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot empty {}", path.display()));
            }
            _ => {}
        }
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        // QEMU runs in it and is told of files by whole paths.
        let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
        Ok(RunFolder { path, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_folder_is_emptied_and_has_one_run_at_a_time() {
        let out = tempfile::tempdir().unwrap();
        let first = RunFolder::take(out.path(), "standin").unwrap();
        fs::write(first.path().join("console.log"), "text").unwrap();
        let error = RunFolder::take(out.path(), "standin").unwrap_err().to_string();
        assert!(error.starts_with("another run of standin has") && error.contains("--out"), "{error}");
        let path = first.path().to_path_buf();
        drop(first);
        assert!(path.join("console.log").exists(), "what a run left is there to be read");
    }

    /// No QEMU takes part: a program that waits, in a folder with its number.
    #[test]
    fn a_guest_that_was_kept_is_not_run_over() {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().join("standin");
        fs::create_dir(&folder).unwrap();
        let mut command = Command::new("cat");
        let mut process = command.current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        fs::write(folder.join("qemu.pid"), format!("{}\n", process.id())).unwrap();
        let error = RunFolder::take(out.path(), "standin").unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", process.id())) && error.contains("smoke end standin"), "{error}");
        drop(process.stdin.take());
        process.wait().unwrap();
        // The number of a process that is gone, or is another one, holds nobody up.
        RunFolder::take(out.path(), "standin").unwrap();
        assert!(!folder.join("qemu.pid").exists());
    }
}
