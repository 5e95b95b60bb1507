//! From the words of a command line to the stand-in they mean, and the host it belongs to.
//!
//! A stand-in is a link to this executable: `ROOT/bin/NAME`, or on an enclosed host the path that illumos has. Its host
//! is found from the name it was called by, never from the environment: callers clean that.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::smf::startd::{contract, daemon};
use crate::{enclosure, faults, ips, load, rbac, smf, svr4, system, users, vbox, zfs, zones};

/// The daemon's argument that ties its life to whoever holds its standard input.
pub const UNTIL_STDIN_CLOSES: &str = "--until-stdin-closes";
/// The executable's own first word for stepping into an enclosed host.
pub const ENTER: &str = "enter";
const STARTD: &str = "svc.startd";

/// Where an enclosed host has its stand-ins. VirtualBox's come with a package, or by [`crate::Host::add_virtualbox`].
pub const PLACES: &[(&str, &[&str])] = &[
    ("lib/svc/bin", &[STARTD]),
    ("lib/svc/method", &[smf::builtin::MANIFEST_IMPORT, rbac::METHOD, zones::METHOD]),
    ("sbin", &["init", "zonename"]),
    ("usr/bin", &["isainfo", "passwd", "pkg", "pkginfo", "pkgparam", "su", "svcprop", "svcs", "zonename"]),
    ("usr/sbin", &["halt", "init", "poweroff", "reboot", "svcadm", "svccfg", "zfs", "zlogin", "zoneadm"]),
    ("usr/sbin", &["installf", "pkgadd", "pkgchk", "pkgrm", "removef"]),
    ("usr/sbin", &["useradd", "userdel", "usermod"]),
];

/// The names of all stand-ins, for whoever makes the links.
pub fn names() -> impl Iterator<Item = &'static str> {
    let all = [ips::NAMES, smf::NAMES, svr4::NAMES, system::NAMES, users::NAMES, vbox::NAMES, zfs::NAMES, zones::NAMES];
    all.into_iter().flatten().copied()
}

pub fn main(words: Vec<OsString>) -> ExitCode {
    let Some((called, args)) = words.split_first() else { return ExitCode::FAILURE };
    let name = Path::new(called).file_name().and_then(OsStr::to_str).unwrap_or_default();
    if name != STARTD && !names().any(|n| n == name) {
        return direct(args);
    }
    let Some(root) = root_of(Path::new(called)) else {
        eprintln!("{name}: cannot find the simulated host that {} belongs to", called.display());
        return ExitCode::FAILURE;
    };
    run(name, &root, args)
}

/// The program `name` of the host at `root`.
fn run(name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let main = match name {
        STARTD => return daemon::run(root, args.iter().any(|a| a == UNTIL_STDIN_CLOSES)),
        _ if smf::NAMES.contains(&name) => smf::main,
        _ if zfs::NAMES.contains(&name) => zfs::main,
        _ if system::NAMES.contains(&name) => system::main,
        _ if svr4::NAMES.contains(&name) => svr4::main,
        _ if users::NAMES.contains(&name) => users::main,
        _ if zones::NAMES.contains(&name) => zones::main,
        _ if ips::NAMES.contains(&name) => ips::main,
        _ => vbox::main,
    };
    main(name, root, args)
}

/// Called by its own name: `simhost host ...`, `simhost enter ...`, `simhost NAME ROOT ARGUMENT...`.
fn direct(args: &[OsString]) -> ExitCode {
    let name = args.first().and_then(|a| a.to_str()).unwrap_or_default();
    if matches!(name, "host" | ENTER) {
        return enclosure::commands::main(args);
    }
    if name == load::cli::NAME {
        return load::cli::main(args);
    }
    if name == faults::cli::NAME {
        return faults::cli::main(args);
    }
    let Some(root) = args.get(1).map(PathBuf::from) else {
        eprintln!(
            "usage: simhost host|{ENTER} --help\n       simhost {STARTD} ROOT [{UNTIL_STDIN_CLOSES}]\n       simhost NAME ROOT [argument ...]"
        );
        return ExitCode::from(2);
    };
    let rest = args.get(2..).unwrap_or_default();
    if name == contract::HOLDER { contract::hold() } else { run(name, &root, rest) }
}

/// The host of a stand-in: the directory above its `bin`, else the nearest one above that holds a repository.
fn root_of(called: &Path) -> Option<PathBuf> {
    if enclosure::enter::is_inside() {
        return Some("/".into());
    }
    let path = if called.as_os_str().as_encoded_bytes().contains(&b'/') {
        std::path::absolute(called).ok()?
    } else {
        let path = env::var_os("PATH")?;
        env::split_paths(&path).map(|d| d.join(called)).find(|p| p.exists())?
    };
    let directory = path.parent()?;
    if directory.file_name() == Some(OsStr::new("bin")) && !directory.parent()?.ends_with("usr") {
        return directory.parent().map(Path::to_path_buf);
    }
    directory.ancestors().find(|d| d.join("smf/repository").is_dir()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stand_in_finds_its_host_from_its_own_name() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("smf/repository")).unwrap();
        for called in ["bin/svcs", "usr/bin/svcs", "lib/svc/method/manifest-import"] {
            assert_eq!(root_of(&root.path().join(called)).as_deref(), Some(root.path()), "{called}");
        }
        assert_eq!(root_of(Path::new("/no-such-host/lib/svcs")), None);
    }
}
