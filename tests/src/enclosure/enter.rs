//! Steps into an enclosed host: a mount namespace, Linux below `/.linux`, and ROOT as the root.
//!
//! Done anew for every program that is started from outside; what those start inherits it. Whoever is not root gets a
//! user namespace as well, in which he is root and the only user there is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{chdir, chroot, getegid, geteuid};

/// Where Linux's own root is in an enclosed host.
pub const LINUX: &str = "/.linux";

/// Why a host cannot be entered.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error(
        "the kernel allows no namespaces here ({0}): run this as root with CAP_SYS_ADMIN, or let ordinary users make user \
         namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone and \
         kernel.apparmor_restrict_unprivileged_userns)"
    )]
    Namespaces(Errno),
    #[error("cannot keep mounts from spreading ({0}): / has to be a mount point of its own")]
    Spreading(Errno),
    #[error("cannot put Linux below {path}: {errno}", path = path.display())]
    Mount { path: PathBuf, errno: Errno },
    #[error("{path} is no root of an enclosed host ({errno}); make one by: simhost host create {path}", path = path.display())]
    Root { path: PathBuf, errno: Errno },
    #[error("cannot become root in the new user namespace: {0}")]
    Mapping(#[from] io::Error),
}

/// Makes `root` the root of this process, which must have no other threads.
pub fn enter(root: &Path) -> Result<(), Refused> {
    let refused = |errno| Refused::Root { path: root.to_owned(), errno };
    let below = root.join(LINUX.trim_start_matches('/'));
    if !below.is_dir() {
        return Err(refused(Errno::ENOENT));
    }
    namespaces()?;
    let linux = if is_inside() { LINUX } else { "/" };
    let no = None::<&str>;
    if linux == "/" {
        // Before anything is mounted: what spread to the system around would make ROOT a way to all of its files.
        mount(no, "/", no, MsFlags::MS_REC | MsFlags::MS_PRIVATE, no).map_err(Refused::Spreading)?;
    }
    mount(Some(linux), &below, no, MsFlags::MS_BIND | MsFlags::MS_REC, no)
        .map_err(|errno| Refused::Mount { path: below.clone(), errno })?;
    guard(&below);
    chroot(root).map_err(refused)?;
    chdir("/").map_err(refused)
}

/// Whether this process is inside an enclosed host already.
pub fn is_inside() -> bool {
    Path::new(LINUX).join("proc").exists()
}

fn namespaces() -> Result<(), Refused> {
    if geteuid().is_root() && unshare(CloneFlags::CLONE_NEWNS).is_ok() {
        return Ok(());
    }
    let (uid, gid) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).map_err(Refused::Namespaces)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1"))?;
    Ok(())
}

/// Makes Linux's root read-only where that is allowed, so that no `rm -r /` of a test can hurt it.
fn guard(below: &Path) {
    let Ok(found) = statvfs(below) else { return };
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    // What is set must stay set, or the kernel refuses in a user namespace.
    for (set, keep) in [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if found.flags().contains(set) {
            flags |= keep;
        }
    }
    let no = None::<&str>;
    // A net below the rope only.
    let _ = mount(no, below, no, flags, no);
}

/// Whether files can be given to other users here, and processes become them: not where there is only one.
pub fn has_other_users() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let covered = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok()).sum::<u64>();
    geteuid().is_root() && covered > 1
}
