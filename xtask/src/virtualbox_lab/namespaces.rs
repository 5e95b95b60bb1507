//! How a program is run in the chroot: in namespaces of its own, so that nothing it starts or mounts outlives it.
//!
//! `unshare` makes the namespaces and mounts /proc in them; it is all that is mounted there. `setpriv` has it die with
//! this program, and when it dies the kernel ends every process of the namespace.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

/// Of the system's own programs, on the host and in the chroot.
pub const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Mounts, processes and System V IPC; `--kill-child` ties all of them to the life of unshare.
const UNSHARE: [&str; 9] =
    ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--ipc", "--pid", "--fork", "--kill-child"];
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
    let mut command = unshare();
    let mut mount = OsString::from("--mount-proc=");
    mount.push(root.join("proc"));
    command.arg(mount).arg("chroot").arg(root).env_clear().env("PATH", PATH).env("HOME", "/root");
    command
}

/// A command in the host's own file system, for what makes a chroot; the program is to follow.
pub fn outside() -> Command {
    let mut command = unshare();
    command.arg("--mount-proc");
    command
}

fn unshare() -> Command {
    let [program, args @ ..] = UNSHARE;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null());
    command
}

/// Whether this process may make such namespaces.
pub fn allowed() -> bool {
    let tried = outside().arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}
