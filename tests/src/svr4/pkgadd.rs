//! pkgadd: its command line, the packages that are meant, and the zones they go into.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::geteuid;

use super::admin::Admin;
use super::install::{Order, install};
use super::parameters::Parameters;
use super::zone::{self, Attributes, Reach};
use super::{FATAL, INTERNAL, Quit, error, stream};
use crate::invocation::ENTER;
use crate::smf::getopt;
use crate::smf::tool::Tool;
use crate::zones::{self, GLOBAL};

const USAGE: &str = "usage: pkgadd [-nvG] [-a admin] [-r response] [-R root] [-d device] [pkg ...]";
/// Said by the global zone's pkgadd to that of a zone: the parent zone allows it.
const FROM_GLOBAL: &str = "parent-zone-name=global";
const SPOOL: &str = "/var/spool/pkg";

pub fn run(tool: &Tool, args: &[String]) -> u8 {
    let Some(parsed) = getopt::parse("na:r:R:Gd:vMO:", args) else { return bad_usage() };
    if !geteuid().is_root() {
        error("You must be \"root\" for pkgadd to execute properly.");
        return FATAL.0;
    }
    let root = parsed.value('R').map(PathBuf::from);
    if let Some(root) = &root {
        let zone = zones::all(tool.root).iter().any(|zone| zone.root(tool.root) == *root);
        if !root.is_absolute() || !root.is_dir() || zone {
            error(format!("-R {}: not the absolute path of a root that is not a zone's", root.display()));
            return FATAL.0;
        }
    }
    // `-R /` is no other root.
    let root = root.filter(|root| root != Path::new("/"));
    let call = || -> Result<u8, Quit> {
        let admin = Admin::read(tool.root, parsed.value('a'), parsed.has('n'))?;
        let device = parsed.value('d').unwrap_or(SPOOL);
        let mut source = stream::open(Path::new(device), tool.root)?;
        let wanted = wanted(&source.listed(), &parsed.operands, parsed.has('n'))?;
        let mut total = 0;
        for name in &wanted {
            let package = source.package(name)?;
            let order = Order {
                system: tool.root,
                root: root.as_deref().unwrap_or(tool.root),
                alternate: root.is_some(),
                admin: &admin,
                response: parsed.value('r').map(Path::new),
                global_only: false,
                database_only: false,
            };
            let from_global = parsed.value('O') == Some(FROM_GLOBAL);
            let status = one(&order, &package, name, parsed.has('G'), from_global)?;
            match status % 10 {
                0 | 2 => total = combined(total, status),
                _ => return Ok(status),
            }
            // Rebooting at once means that no other package comes before it.
            if status >= 20 && status != 99 {
                return Ok(status);
            }
        }
        Ok(total)
    };
    call().unwrap_or_else(|Quit(status)| status)
}

fn bad_usage() -> u8 {
    eprintln!("{USAGE}");
    FATAL.0
}

/// The worse of two ends that both let the call go on.
fn combined(one: u8, other: u8) -> u8 {
    (one % 10).max(other % 10) + (one - one % 10).max(other - other % 10)
}

/// The packages of a source that are meant, in the source's order.
fn wanted(names: &[String], operands: &[String], quiet: bool) -> Result<Vec<String>, Quit> {
    if operands.is_empty() && quiet {
        error("no package was named");
        return Err(INTERNAL);
    }
    if operands.is_empty() || operands.iter().any(|word| word == "all") {
        return Ok(names.to_vec());
    }
    if let Some(unknown) = operands.iter().find(|word| !names.contains(word)) {
        error(format!("no package associated with <{unknown}>"));
        return Err(FATAL);
    }
    Ok(names.iter().filter(|name| operands.contains(name)).cloned().collect())
}

fn one(order: &Order, package: &Path, name: &str, alone: bool, from_global: bool) -> Result<u8, Quit> {
    let info = Parameters::read(&package.join("pkginfo")).unwrap_or_default();
    let attributes = Attributes::of(&info, package.join("install/request").is_file())?;
    if order.alternate {
        return Ok(install(order, package, name));
    }
    if from_global {
        return Ok(install(&Order { database_only: attributes.hollow, ..*order }, package, name));
    }
    let zones = match zone::reach(order.root, name, attributes, alone)? {
        Reach::Here => return Ok(install(order, package, name)),
        Reach::GlobalOnly => return Ok(install(&Order { global_only: true, ..*order }, package, name)),
        Reach::And(zones) => zones,
    };
    debug_assert_eq!(zones::name_of(order.root), GLOBAL);
    let mut status = install(order, package, name);
    if !matches!(status % 10, 0 | 2) {
        return Ok(status);
    }
    for zone in zones {
        println!("## Installing package <{name}> in zone <{}>", zone.name);
        let inside = in_zone(package, name, &zone.root(order.root));
        // A zone that fails makes the whole a partial success.
        status = combined(status, if matches!(inside, 0) { 0 } else { 2 });
    }
    Ok(status)
}

/// The same in a zone, by its own pkgadd, from a copy of the package there.
fn in_zone(package: &Path, name: &str, zone_root: &Path) -> u8 {
    let spool = zone_root.join("var/tmp").join(format!("zone-spool-{name}"));
    let status = std::fs::create_dir_all(&spool).and_then(|()| {
        Command::new("/usr/bin/cp").arg("-r").arg(package).arg(&spool).status()?;
        let admin = spool.join("admin");
        std::fs::write(&admin, ZONE_ADMIN)?;
        let spool = format!("/var/tmp/zone-spool-{name}");
        Command::new(std::env::current_exe()?)
            .arg(ENTER)
            .arg(zone_root)
            .args(["/usr/sbin/pkgadd", "-n", "-O", FROM_GLOBAL, "-a", &format!("{spool}/admin"), "-d", &spool, name])
            .status()
    });
    let _ = std::fs::remove_dir_all(&spool);
    status.ok().and_then(|status| status.code()).map_or(INTERNAL.0, |code| code as u8)
}

/// The global zone has answered all questions.
const ZONE_ADMIN: &str = "instance=overwrite\npartial=nocheck\nrunlevel=nocheck\nidepend=nocheck\nrdepend=nocheck\n\
                          space=nocheck\nsetuid=nocheck\nconflict=nocheck\naction=nocheck\nbasedir=default\n";
