//! The laboratory of the tests' third tier: a Debian sid chroot in which the real VirtualBox runs VMs without its kernel
//! driver.
//!
//! It is made of packages only, by debootstrap, and lies in the build's own folder. One thing in it is ours: a launcher
//! in the place of the set-uid shell of VBoxHeadless, which asks VirtualBox for its driverless mode. Everything that is
//! done in the chroot is done in mount, process and IPC namespaces of its own, so that no mount, VM or server outlives
//! the command that began it, however it ends.
//!
//! This module knows how the laboratory comes to be and how a program is run in it. It knows nothing of vboxsvc.

mod build;
mod mirror;
mod namespaces;
pub mod prerequisites;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use prerequisites::Missing;

use crate::bounded;
use crate::hash::sha256;

/// To be raised with every change of the recipe in `build`: a laboratory made by another recipe is not used.
const RECIPE: u32 = 1;
/// The ordinary user in the laboratory.
pub const USER: &str = "vmuser";

#[derive(Debug, thiserror::Error)]
pub enum LabError {
    #[error("{}", prerequisites::told(.0))]
    Missing(Vec<Missing>),
    #[error("another process uses the laboratory in {}: wait for its end", .0.display())]
    InUse(PathBuf),
    #[error("{} lies on {}: unmount it, or the laboratory cannot be removed", mount.display(), folder.display())]
    Mounted { folder: PathBuf, mount: PathBuf },
    #[error("{step} failed ({how}); {} has it all, and at its end:\n{end}", log.display())]
    Step { step: &'static str, how: String, log: PathBuf, end: String },
    #[error("cannot {what} {}: {source}", path.display())]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

fn cannot(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LabError {
    let path = path.to_path_buf();
    move |source| LabError::Io { what, path, source }
}

/// Where a laboratory is, or will be, and the sole right to use it.
#[derive(Debug)]
pub struct Site {
    folder: PathBuf,
    launcher: PathBuf,
    root: PathBuf,
    _lock: File,
}

impl Site {
    /// Takes the site. `launcher` is the C source of the program that stands in for VBoxHeadless's set-uid shell.
    pub fn open(folder: &Path, launcher: &Path) -> Result<Site, LabError> {
        fs::create_dir_all(folder).map_err(cannot("make", folder))?;
        let source = fs::read(launcher).map_err(cannot("read", launcher))?;
        let path = folder.join("lock");
        let lock = File::create(&path).map_err(cannot("open", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LabError::InUse(folder.to_path_buf())),
            Err(TryLockError::Error(error)) => return Err(cannot("lock", &path)(error)),
        }
        let root = folder.join(key(&source));
        Ok(Site { folder: folder.to_path_buf(), launcher: launcher.to_path_buf(), root, _lock: lock })
    }

    /// Whether a finished laboratory is here. It gets its name only when it is finished.
    pub fn is_built(&self) -> bool {
        self.root.is_dir()
    }

    /// The laboratory, built first where there is none. `bootstrap`: what is missing on this host is installed.
    ///
    /// The caller has seen to it that nothing of [`prerequisites::of_running`] is missing.
    pub fn lab(self, bootstrap: bool) -> Result<Lab, LabError> {
        if !self.is_built() {
            if bootstrap {
                build::install_missing(&self.folder)?;
            }
            let missing = prerequisites::of_building();
            if !missing.is_empty() {
                return Err(LabError::Missing(missing));
            }
            build::build(&self.folder, &self.launcher, &self.root)?;
        }
        let lab = Lab { site: self };
        lab.sweep()?;
        Ok(lab)
    }
}

/// The name of the laboratory that this recipe and this launcher make.
fn key(launcher: &[u8]) -> String {
    format!("sid-{RECIPE}-{:.12}", sha256(launcher))
}

/// A finished laboratory.
#[derive(Debug)]
pub struct Lab {
    site: Site,
}

impl Lab {
    /// The folder that is the root of the laboratory's file system.
    pub fn root(&self) -> &Path {
        &self.site.root
    }

    /// VirtualBox's version, as it gives it itself.
    pub fn virtualbox_version(&self) -> Result<String, LabError> {
        let root = self.root();
        let output = self
            .command("/usr/lib/virtualbox/VBoxManage")
            .arg("--version")
            .output()
            .map_err(cannot("run VBoxManage in", root))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_string())
    }

    /// Copies a file of the host to a path in the laboratory.
    pub fn bring(&self, file: &Path, place: &Path) -> Result<(), LabError> {
        let inside = self.inside(place);
        if let Some(folder) = inside.parent() {
            fs::create_dir_all(folder).map_err(cannot("make", folder))?;
        }
        // A running program cannot be written over, but it can be replaced.
        if inside.exists() {
            fs::remove_file(&inside).map_err(cannot("remove", &inside))?;
        }
        fs::copy(file, &inside).map(drop).map_err(cannot("copy to", &inside))
    }

    /// Where on the host a path of the laboratory is.
    pub fn inside(&self, path: &Path) -> PathBuf {
        self.root().join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A command that runs in the laboratory, as root, with an environment that holds nothing but a PATH and a HOME.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        namespaces::command(self.root(), program.as_ref())
    }

    /// Runs a command made by [`command`](Self::command); `None` when it took longer than it may, and was ended.
    pub fn run(&self, mut command: Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
        bounded::status(&mut command, limit)
    }

    /// Removes what an earlier run left: VirtualBox's registries and all temporary files.
    fn sweep(&self) -> Result<(), LabError> {
        for home in ["root", &format!("home/{USER}")] {
            for left in [".config", "VirtualBox VMs", ".vboxsvc"] {
                remove_tree(&self.root().join(home).join(left))?;
            }
        }
        let tmp = self.root().join("tmp");
        for entry in fs::read_dir(&tmp).map_err(cannot("read", &tmp))? {
            let path = entry.map_err(cannot("read", &tmp))?.path();
            if path.is_dir() && !path.is_symlink() {
                remove_tree(&path)?;
            } else {
                fs::remove_file(&path).map_err(cannot("remove", &path))?;
            }
        }
        Ok(())
    }
}

/// Removes a folder and all in it, unless something is mounted there; none is as good.
fn remove_tree(folder: &Path) -> Result<(), LabError> {
    let table = Path::new("/proc/self/mountinfo");
    let mounts = fs::read_to_string(table).map_err(cannot("read", table))?;
    if let Some(mount) = mount_below(&mounts, folder) {
        return Err(LabError::Mounted { folder: folder.to_path_buf(), mount });
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// A mount at or below the folder. The fifth field of a line of mountinfo is the mount point, blanks in it as `\040`.
fn mount_below(mountinfo: &str, folder: &Path) -> Option<PathBuf> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    points.map(|point| PathBuf::from(point.replace("\\040", " "))).find(|point| point.starts_with(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTINFO: &str = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:35 / /proc rw - proc proc rw
99 22 0:36 / /build/my\\040lab/sid-1/proc rw - proc proc rw
";

    #[test]
    fn a_mount_below_a_folder_is_seen_and_one_beside_it_is_not() {
        let below = |folder: &str| mount_below(MOUNTINFO, Path::new(folder));
        assert_eq!(below("/build/my lab/sid-1"), Some("/build/my lab/sid-1/proc".into()));
        assert_eq!(below("/build/my lab/sid-1/proc"), Some("/build/my lab/sid-1/proc".into()));
        assert_eq!(below("/build/my lab/sid-1/pro"), None);
        assert_eq!(below("/build/other"), None);
    }

    #[test]
    fn another_launcher_makes_another_laboratory() {
        assert_eq!(key(b"one"), key(b"one"));
        assert_ne!(key(b"one"), key(b"two"));
    }

    #[test]
    fn a_site_in_use_is_refused_to_a_second_user() {
        let folder = tempfile::tempdir().unwrap();
        let launcher = folder.path().join("launcher.c");
        fs::write(&launcher, "int main;").unwrap();
        let first = Site::open(&folder.path().join("lab"), &launcher).unwrap();
        assert!(!first.is_built());
        let second = Site::open(&folder.path().join("lab"), &launcher).unwrap_err();
        assert!(matches!(second, LabError::InUse(_)), "{second}");
        drop(first);
        Site::open(&folder.path().join("lab"), &launcher).unwrap();
    }

    #[test]
    fn a_half_built_laboratory_does_not_count_as_built() {
        let folder = tempfile::tempdir().unwrap();
        let launcher = folder.path().join("launcher.c");
        fs::write(&launcher, "int main;").unwrap();
        fs::create_dir_all(folder.path().join("lab").join(build::UNFINISHED)).unwrap();
        assert!(!Site::open(&folder.path().join("lab"), &launcher).unwrap().is_built());
    }
}
