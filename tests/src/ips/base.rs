//! What the system's own packages deliver, as far as it concerns others: shared directories, and names of accounts.
//!
//! A simulated host has no such packages. Without this every removal would take `/usr` along.

use std::fs;
use std::path::Path;

/// Owner, group and mode.
type Attributes = (&'static str, &'static str, u32);

/// Directories of the system with owner, group and mode, where those are known. Nobody may deliver them otherwise, and
/// they stay when a package goes.
const DIRECTORIES: [(&str, Option<Attributes>); 32] = [
    ("etc", Some(("root", "sys", 0o755))),
    ("etc/security", Some(("root", "sys", 0o755))),
    ("etc/security/auth_attr.d", Some(("root", "sys", 0o755))),
    ("etc/security/exec_attr.d", Some(("root", "sys", 0o755))),
    ("etc/security/prof_attr.d", Some(("root", "sys", 0o755))),
    ("etc/user_attr.d", Some(("root", "sys", 0o755))),
    ("lib", Some(("root", "bin", 0o755))),
    ("lib/svc", Some(("root", "bin", 0o755))),
    ("lib/svc/manifest", Some(("root", "sys", 0o755))),
    ("lib/svc/manifest/site", Some(("root", "sys", 0o755))),
    ("lib/svc/method", Some(("root", "bin", 0o755))),
    ("opt", None),
    ("sbin", None),
    ("usr", Some(("root", "sys", 0o755))),
    ("usr/bin", Some(("root", "bin", 0o755))),
    ("usr/lib", None),
    ("usr/sbin", None),
    ("usr/share", Some(("root", "bin", 0o755))),
    ("usr/share/doc", None),
    ("usr/share/man", None),
    ("usr/share/man/man5", None),
    ("usr/share/man/man7", None),
    ("usr/share/man/man8", None),
    ("var", Some(("root", "sys", 0o755))),
    ("var/pkg", None),
    ("var/sadm", None),
    ("var/sadm/pkg", None),
    ("var/svc", Some(("root", "sys", 0o755))),
    ("var/svc/log", None),
    ("var/svc/manifest", Some(("root", "sys", 0o755))),
    ("var/svc/manifest/site", Some(("root", "sys", 0o755))),
    ("var/svc/profile", None),
];

/// The accounts that every system has; they count where the image has no list of its own.
const USERS: [&str; 12] =
    ["root", "daemon", "bin", "sys", "adm", "uucp", "nuucp", "dladm", "lp", "smmsp", "nobody", "noaccess"];
const GROUPS: [&str; 15] = [
    "root", "other", "bin", "sys", "adm", "uucp", "mail", "tty", "lp", "nuucp", "staff", "daemon", "sysadmin",
    "nobody", "noaccess",
];

/// Whether the system itself has a directory here.
pub fn has_directory(path: &str) -> bool {
    DIRECTORIES.iter().any(|(own, _)| *own == path)
}

/// Owner, group and mode that the system's directory has, where they are known.
pub fn attributes(path: &str) -> Option<Attributes> {
    DIRECTORIES.iter().find(|(own, _)| *own == path).and_then(|(_, attributes)| *attributes)
}

/// Whether files of an image can belong to this user and this group.
pub fn is_user(root: &Path, name: &str) -> bool {
    is_account(&root.join("etc/passwd"), &USERS, name)
}

pub fn is_group(root: &Path, name: &str) -> bool {
    is_account(&root.join("etc/group"), &GROUPS, name)
}

/// The numbers of a user and a group, where the image has lists of them.
pub fn numbers(root: &Path, user: &str, group: &str) -> Option<(u32, u32)> {
    let number = |list: &str, name: &str| {
        let text = fs::read_to_string(root.join(list)).ok()?;
        let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse().ok()
    };
    Some((number("etc/passwd", user)?, number("etc/group", group)?))
}

fn is_account(list: &Path, known: &[&str], name: &str) -> bool {
    match fs::read_to_string(list) {
        Ok(text) => text.lines().any(|line| line.split(':').next() == Some(name)),
        Err(_) => known.contains(&name),
    }
}
