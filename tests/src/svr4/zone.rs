//! Which zones a package goes into: its attributes, `-G`, and the brands that pkgadd reaches at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::parameters::Parameters;
use super::{FATAL, Quit, error};
use crate::zones::{self, GLOBAL, Zone};

/// Zones of other brands are never touched from the global zone.
const REACHED: [&str; 2] = ["native", "cluster"];

/// What a package says of zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    pub all: bool,
    pub hollow: bool,
    pub this: bool,
}

impl Attributes {
    /// A request script counts as a wish for this zone only.
    pub fn of(info: &Parameters, has_request: bool) -> Result<Self, Quit> {
        let is = |name| info.is_true(name);
        let own = Attributes {
            all: is("SUNW_PKG_ALLZONES"),
            hollow: is("SUNW_PKG_HOLLOW"),
            this: is("SUNW_PKG_THISZONE") || (has_request && !is("SUNW_PKG_ALLZONES")),
        };
        if (own.all && is("SUNW_PKG_THISZONE")) || (own.hollow && !own.all) {
            error(
                "the package has zone attributes that exclude each other (SUNW_PKG_ALLZONES, SUNW_PKG_HOLLOW, SUNW_PKG_THISZONE)",
            );
            return Err(FATAL);
        }
        Ok(own)
    }
}

/// Where a call of pkgadd puts a package.
#[derive(Debug, PartialEq, Eq)]
pub enum Reach {
    /// This zone, and no word of it in gz-only-packages.
    Here,
    /// The global zone, for good.
    GlobalOnly,
    /// The global zone and these.
    And(Vec<Zone>),
}

/// Decides it; `alone` is `-G`.
pub fn reach(root: &Path, package: &str, attributes: Attributes, alone: bool) -> Result<Reach, Quit> {
    if zones::name_of(root) != GLOBAL {
        if attributes.all {
            error(format!(
                "package <{package}> cannot be installed in this zone: it may only be installed by the global zone administrator"
            ));
            return Err(FATAL);
        }
        return Ok(Reach::Here);
    }
    if alone && attributes.all {
        error(format!("package <{package}> cannot be installed in the global zone only (-G): it is for all zones"));
        return Err(FATAL);
    }
    if alone || attributes.this {
        return Ok(Reach::GlobalOnly);
    }
    if is_listed(root, package) {
        error(format!("package <{package}> is installed in the global zone only: use -G, or remove it first"));
        return Err(FATAL);
    }
    Ok(Reach::And(reached(root)))
}

/// The zones that pkgadd and pkgrm reach from the global one.
pub fn reached(root: &Path) -> Vec<Zone> {
    zones::all(root).into_iter().filter(|zone| REACHED.contains(&zone.brand.as_str())).collect()
}

fn list(root: &Path) -> PathBuf {
    root.join("var/sadm/install/gz-only-packages")
}

pub fn is_listed(root: &Path, package: &str) -> bool {
    fs::read_to_string(list(root)).unwrap_or_default().lines().any(|line| line == package)
}

/// Adds a package to the list of those of the global zone only, or takes it off.
pub fn set_listed(root: &Path, package: &str, listed: bool) -> io::Result<()> {
    let text = fs::read_to_string(list(root)).unwrap_or_default();
    let mut packages: Vec<&str> = text.lines().filter(|line| *line != package).collect();
    if listed {
        packages.push(package);
    }
    if text.is_empty() && packages.is_empty() {
        return Ok(());
    }
    fs::write(list(root), packages.iter().map(|package| format!("{package}\n")).collect::<String>())
}
