//! How a program is run in the chroot: in namespaces of its own, so that nothing it starts or mounts outlives it.
//!
//! `unshare` makes the namespaces and mounts the chroot's /proc in them; it is all that is mounted there. When it dies,
//! the kernel ends every process of the namespace.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Of the system's own programs, on the host and in the chroot.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// A new mount table alone: for what chroots by itself, as debootstrap does.
const MOUNTS: [&str; 1] = ["--mount"];
/// Mounts, processes and System V IPC; `--kill-child` ties all of them to the life of unshare.
const ALL: [&str; 5] = ["--mount", "--ipc", "--pid", "--fork", "--kill-child"];
/// Reaps orphans, as process 1 of a process namespace has to.
const INIT: &str = "/usr/bin/tini";

/// A command in the chroot, under an init of its own.
pub fn command(root: &Path, program: &OsStr) -> Command {
    let mut command = bare_command(root);
    command.args([INIT, "--"]).arg(program);
    command
}

/// A command in a chroot that may not have an init yet; the program and its arguments are to follow.
pub fn bare_command(root: &Path) -> Command {
    let mut command = unshare(&ALL);
    let mut mount = std::ffi::OsString::from("--mount-proc=");
    mount.push(root.join("proc"));
    command.arg(mount).arg("chroot").arg(root).env_clear().env("PATH", PATH).env("HOME", "/root");
    command
}

/// A command on the host whose mounts nobody else sees, and which go with it; the program is to follow.
pub fn private_mounts() -> Command {
    unshare(&MOUNTS)
}

fn unshare(namespaces: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command.args(namespaces).stdin(Stdio::null());
    command
}

/// Whether this process may make such namespaces.
pub fn allowed() -> bool {
    let tried = unshare(&ALL).arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}
