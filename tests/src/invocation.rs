//! From the words of a command line to the stand-in they mean, and the host it belongs to.
//!
//! A stand-in is a link `ROOT/bin/NAME` to this executable. Its host is found from the name it was called by, never
//! from the environment: callers clean that.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::smf::startd::{contract, daemon};
use crate::{smf, vbox, zfs};

/// The daemon's argument that ties its life to whoever holds its standard input.
pub const UNTIL_STDIN_CLOSES: &str = "--until-stdin-closes";

/// The names of all stand-ins, for whoever makes the links.
pub fn names() -> impl Iterator<Item = &'static str> {
    smf::NAMES.iter().chain(vbox::NAMES).chain(zfs::NAMES).copied()
}

pub fn main(words: Vec<OsString>) -> ExitCode {
    let Some((called, args)) = words.split_first() else { return ExitCode::FAILURE };
    let name = Path::new(called).file_name().and_then(OsStr::to_str).unwrap_or_default();
    if !names().any(|n| n == name) {
        return direct(args);
    }
    let Some(root) = root_of(Path::new(called)) else {
        eprintln!("{name}: cannot find the simulated host that {} belongs to", called.display());
        return ExitCode::FAILURE;
    };
    if zfs::NAMES.contains(&name) {
        return zfs::main(name, &root, args);
    }
    if smf::NAMES.contains(&name) { smf::main(name, &root, args) } else { vbox::main(name, &root, args) }
}

/// Called by its own name: `simhost svc.startd ROOT`, `simhost NAME ROOT ARGUMENT...`.
fn direct(args: &[OsString]) -> ExitCode {
    let name = args.first().and_then(|a| a.to_str()).unwrap_or_default();
    let Some(root) = args.get(1).map(PathBuf::from) else {
        eprintln!("usage: simhost svc.startd ROOT [{UNTIL_STDIN_CLOSES}]\n       simhost NAME ROOT [argument ...]");
        return ExitCode::from(2);
    };
    let rest = args.get(2..).unwrap_or_default();
    match name {
        "svc.startd" => daemon::run(&root, rest.iter().any(|a| a == UNTIL_STDIN_CLOSES)),
        contract::HOLDER => contract::hold(),
        _ if smf::NAMES.contains(&name) => smf::main(name, &root, rest),
        _ => vbox::main(name, &root, rest),
    }
}

/// The host of a stand-in: the directory above its `bin`, else the nearest one above that holds a repository.
fn root_of(called: &Path) -> Option<PathBuf> {
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
