//! Furnishes the root of an enclosed host: folders, users, stand-ins where illumos has the real ones, links into Linux.
//!
//! Doing it again changes nothing that was made on the host since.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::enter::LINUX;
use super::utilities::{self, LINUX_PATH};
use crate::invocation;
use crate::smf::builtin;
use crate::smf::repository::Store;
use crate::{svr4, zones};

/// Folders and their modes, each after those it is in.
const FOLDERS: &[(&str, u32)] = &[
    (".linux", 0o755),
    ("dev", 0o755),
    ("etc/default", 0o755),
    ("etc/security", 0o755),
    ("etc/svc/volatile", 0o755),
    ("etc/zones", 0o755),
    ("export/home", 0o755),
    ("lib/svc/bin", 0o755),
    ("lib/svc/manifest/site", 0o755),
    ("lib/svc/method", 0o755),
    ("mnt", 0o755),
    ("opt", 0o755),
    ("root", 0o700),
    ("sbin", 0o755),
    ("tmp", 0o1777),
    ("usr/bin", 0o755),
    ("usr/lib", 0o755),
    ("usr/sbin", 0o755),
    ("usr/sadm/install/scripts", 0o755),
    ("usr/share", 0o755),
    ("var/adm", 0o755),
    ("var/pkg", 0o755),
    ("var/run", 0o755),
    ("var/sadm/install/admin", 0o755),
    ("var/sadm/pkg", 0o755),
    ("var/spool/pkg", 0o1777),
    ("var/svc/log", 0o755),
    ("var/svc/manifest/site", 0o755),
    ("var/tmp", 0o1777),
];

/// Links of the system itself: the path, and where it leads.
const LINKS: &[(&str, &str)] = &[
    ("bin", "./usr/bin"),
    ("proc", ".linux/proc"),
    ("dev/fd", "../.linux/dev/fd"),
    ("dev/full", "../.linux/dev/full"),
    ("dev/null", "../.linux/dev/null"),
    ("dev/ptmx", "../.linux/dev/ptmx"),
    ("dev/pts", "../.linux/dev/pts"),
    ("dev/random", "../.linux/dev/random"),
    ("dev/shm", "../.linux/dev/shm"),
    ("dev/stderr", "../.linux/dev/stderr"),
    ("dev/stdin", "../.linux/dev/stdin"),
    ("dev/stdout", "../.linux/dev/stdout"),
    ("dev/tty", "../.linux/dev/tty"),
    ("dev/urandom", "../.linux/dev/urandom"),
    ("dev/zero", "../.linux/dev/zero"),
];

/// Files that are written once: an administrator may change them.
const FILES: &[(&str, &str, u32)] = &[
    ("etc/passwd", PASSWD, 0o644),
    ("etc/group", GROUP, 0o644),
    ("etc/user_attr", "root::::auths=solaris.*\n", 0o644),
    ("etc/security/auth_attr", "", 0o644),
    ("etc/security/prof_attr", "", 0o644),
    ("etc/security/exec_attr", "", 0o644),
    ("etc/default/init", "TZ=UTC\n", 0o644),
];

/// The users and groups that packages name, with illumos' numbers.
const PASSWD: &str = "\
root:x:0:0:Super-User:/root:/usr/bin/bash
daemon:x:1:1::/:
bin:x:2:2::/usr/bin:
sys:x:3:3::/:
adm:x:4:4:Admin:/var/adm:
lp:x:71:8:Line Printer Admin:/:
nobody:x:60001:60001:NFS Anonymous Access User:/:
noaccess:x:60002:60002:No Access User:/:
";
const GROUP: &str = "\
root::0:
other::1:root
bin::2:root,daemon
sys::3:root,bin,adm
adm::4:root,daemon
uucp::5:root
mail::6:root
tty::7:root,adm
lp::8:root,adm
nuucp::9:root
staff::10:
daemon::12:root
sysadmin::14:
nobody::60001:
noaccess::60002:
";

/// Furnishes a root as the zone of this name, with stand-ins that are the executable `simhost`.
pub fn furnish(root: &Path, zone: &str, simhost: &Path) -> io::Result<()> {
    for (folder, mode) in FOLDERS {
        fs::create_dir_all(root.join(folder))?;
        fs::set_permissions(root.join(folder), Permissions::from_mode(*mode))?;
    }
    for (path, target) in LINKS {
        link(&root.join(path), Path::new(target))?;
    }
    for (path, text, mode) in FILES.iter().chain(svr4::FILES) {
        let path = root.join(path);
        if !path.exists() {
            fs::write(&path, text)?;
            fs::set_permissions(&path, Permissions::from_mode(*mode))?;
        }
    }
    fs::write(root.join("etc/zonename"), format!("{zone}\n"))?;
    libraries(root)?;
    programs(root)?;
    stand_ins(root, simhost)?;
    if !root.join("smf/repository").is_dir() {
        Store::create(root)?;
        builtin::install(root)?;
        if zone == zones::GLOBAL {
            builtin::install_zones(root)?;
        }
    }
    Ok(())
}

/// A link, made or led elsewhere; what is no link stays.
fn link(path: &Path, target: &Path) -> io::Result<()> {
    match fs::read_link(path) {
        Ok(found) if found == target => return Ok(()),
        Ok(_) => fs::remove_file(path)?,
        Err(_) if path.exists() => return Ok(()),
        Err(_) => {}
    }
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    symlink(target, path)
}

/// The path that a file of Linux has in an enclosed host.
fn in_linux(path: &Path) -> PathBuf {
    Path::new(LINUX).join(path.strip_prefix("/").unwrap_or(path))
}

/// What the dynamic linker of Linux opens by fixed names.
fn libraries(root: &Path) -> io::Result<()> {
    for folder in ["/lib64", "/lib32", "/usr/lib64", "/usr/lib/locale", "/etc/ld.so.cache"] {
        if Path::new(folder).exists() {
            link(&root.join(&folder[1..]), &in_linux(Path::new(folder)))?;
        }
    }
    for folder in ["/lib", "/usr/lib"] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // The folder of an architecture (x86_64-linux-gnu), or the linker itself.
            if name.contains("-linux-") || name.starts_with("ld-") {
                link(&root.join(&folder[1..]).join(name), &in_linux(&entry.path()))?;
            }
        }
    }
    Ok(())
}

fn programs(root: &Path) -> io::Result<()> {
    let of = |folder: &str, names: &[&str]| {
        names.iter().map(|name| (format!("{folder}/{name}"), name.to_string())).collect::<Vec<_>>()
    };
    let mut all = of("usr/bin", utilities::NAMES);
    all.extend(of("usr/sbin", utilities::OF_ROOT));
    all.extend(utilities::RENAMED.iter().map(|(path, name)| (path.to_string(), name.to_string())));
    for (path, name) in all {
        let places = LINUX_PATH.iter().map(|folder| Path::new("/").join(folder).join(&name));
        // Links are followed now: they mean Linux's root, and would mean another one inside.
        if let Some(real) = places.filter_map(|place| place.canonicalize().ok()).next() {
            link(&root.join(path), &in_linux(&real))?;
        }
    }
    Ok(())
}

fn stand_ins(root: &Path, simhost: &Path) -> io::Result<()> {
    for (folder, names) in invocation::PLACES {
        for name in *names {
            link(&root.join(folder).join(name), simhost)?;
        }
    }
    // The path that those links lead to is outside; inside it leads to the same file.
    link(&inside(root, simhost), &in_linux(simhost))
}

/// Where an absolute path of the host is, seen from outside.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Loses what a reboot loses. (`run` is the folder for run files of hosts that are not enclosed.)
pub fn lose_volatile(root: &Path) -> io::Result<()> {
    // The executable may be in Linux's /tmp.
    let needed = fs::read_link(root.join("lib/svc/bin/svc.startd")).map(|simhost| inside(root, &simhost));
    for folder in ["etc/svc/volatile", "run", "tmp", "var/run"] {
        for entry in fs::read_dir(root.join(folder)).into_iter().flatten().flatten() {
            if needed.as_ref().is_ok_and(|needed| needed.starts_with(entry.path())) {
                continue;
            }
            if entry.path().is_dir() && !entry.path().is_symlink() {
                fs::remove_dir_all(entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
    }
    Store::write(root)?.forget_nonpersistent()
}
