//! SVR4 packaging: stand-ins of pkgadd, pkgrm, pkginfo, pkgparam, pkgchk, installf and removef for enclosed hosts.
//!
//! What they accept, say and exit with follows what was observed with the real tools, not what our own verifier thinks of
//! a package. `stream` spools a datastream into a folder, `map` and `parameters` read what is in it, `contents` is the
//! database; `install` and `remove` do the work for one package, and the rest are command lines.

mod admin;
mod checks;
mod chk;
mod class;
mod contents;
mod cpio;
mod depend;
mod files;
mod info;
mod install;
mod installf;
mod map;
mod parameters;
mod pkgadd;
mod pkgrm;
mod placing;
mod preparing;
mod remove;
mod script;
mod stream;
mod zone;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::smf::tool::Tool;

pub const NAMES: &[&str] = &["pkgadd", "pkgrm", "pkginfo", "pkgparam", "pkgchk", "installf", "removef"];

/// What a system has for them, by path with its mode: the database, and class action scripts, stand-ins as well.
pub const FILES: &[(&str, &str, u32)] = &[
    ("var/sadm/install/admin/default", admin::DEFAULT, 0o444),
    ("var/sadm/install/contents", "", 0o644),
    ("usr/sadm/install/scripts/i.manifest", include_str!("scripts/i.manifest"), 0o555),
    ("usr/sadm/install/scripts/r.manifest", include_str!("scripts/r.manifest"), 0o555),
    ("usr/sadm/install/scripts/i.rbac", include_str!("scripts/i.rbac"), 0o555),
    ("usr/sadm/install/scripts/r.rbac", include_str!("scripts/r.rbac"), 0o555),
];

/// The end of an operation before its time, with the exit status. What is to be said was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quit(u8);

const FATAL: Quit = Quit(1);
const USER_QUIT: Quit = Quit(3);
const ADMINISTRATION: Quit = Quit(4);
const INTERACTION: Quit = Quit(5);
const INTERNAL: Quit = Quit(99);

/// Where a root keeps what is known of a package.
fn package_folder(root: &Path, package: &str) -> PathBuf {
    root.join("var/sadm/pkg").join(package)
}

/// The file whose presence says that an installation has not come to its good end.
const INSTALL_LOCK: &str = "!I-Lock!";
/// The same of a removal.
const REMOVE_LOCK: &str = "!R-Lock!";

/// Writes a message as the tools do: the program, what it is, and the text.
fn error(text: impl std::fmt::Display) {
    eprintln!("pkgadd: ERROR: {text}");
}

pub fn main(name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let mut tool = Tool::new(name, root);
    let status = match name {
        "pkgadd" => pkgadd::run(&tool, &args),
        "pkgrm" => pkgrm::run(&tool, &args),
        "pkginfo" => info::pkginfo(&mut tool, &args),
        "pkgparam" => info::pkgparam(&mut tool, &args),
        "pkgchk" => chk::run(&mut tool, &args),
        "installf" => installf::installf(&tool, &args),
        _ => installf::removef(&mut tool, &args),
    };
    tool.flush();
    ExitCode::from(status)
}
