//! pkgrm: its command line, and the zones that a package is removed from.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use super::admin::Admin;
use super::remove::{Order, remove};
use super::{FATAL, INTERACTION, Quit, error, package_folder, zone};
use crate::invocation::ENTER;
use crate::smf::getopt;
use crate::smf::tool::Tool;
use crate::zones::{self, GLOBAL};

const USAGE: &str = "usage: pkgrm [-nv] [-a admin] [-R root] pkg ...";

pub fn run(tool: &Tool, args: &[String]) -> u8 {
    let Some(parsed) = getopt::parse("na:R:vMAO:", args).filter(|parsed| !parsed.operands.is_empty()) else {
        eprintln!("{USAGE}");
        return FATAL.0;
    };
    if !geteuid().is_root() {
        error("You must be \"root\" for pkgrm to execute properly.");
        return FATAL.0;
    }
    let root = parsed.value('R').map(PathBuf::from).filter(|root| root != Path::new("/"));
    let admin = match Admin::read(tool.root, parsed.value('a'), parsed.has('n')) {
        Ok(admin) => admin,
        Err(Quit(status)) => return status,
    };
    let order = Order {
        system: tool.root,
        root: root.as_deref().unwrap_or(tool.root),
        alternate: root.is_some(),
        admin: &admin,
    };
    let mut total = 0;
    for name in &parsed.operands {
        if !parsed.has('n')
            && package_folder(order.root, name).is_dir()
            && std::io::IsTerminal::is_terminal(&std::io::stdin())
        {
            eprintln!("The package <{name}> is to be removed; call with -n to have that done without a question.");
            return INTERACTION.0;
        }
        let listed = zone::is_listed(order.root, name);
        let status = remove(&order, name);
        if !matches!(status % 10, 0 | 2) {
            return status;
        }
        total = total.max(status);
        if !order.alternate && !listed && zones::name_of(order.root) == GLOBAL {
            total = total.max(from_zones(order.root, name));
        }
    }
    total
}

/// Removes a package that was put into zones from the global one from those again.
fn from_zones(root: &Path, name: &str) -> u8 {
    let mut status = 0;
    for zone in zone::reached(root) {
        let zone_root = zone.root(root);
        if !package_folder(&zone_root, name).is_dir() {
            continue;
        }
        println!("## Removing package <{name}> from zone <{}>", zone.name);
        let mut command = Command::new(std::env::current_exe().unwrap_or_default());
        let ended = command.arg(ENTER).arg(&zone_root).args(["/usr/sbin/pkgrm", "-n", "-a", "none", name]).status();
        if !ended.is_ok_and(|ended| ended.success()) {
            status = 2;
        }
    }
    status
}
