//! Zones of an enclosed host: each a host of its own below ROOT/zones, with its own SMF.
//!
//! What the real system keeps in `/etc/zones` is there as well: an index, and a small XML file for each zone. Not
//! simulated: zonecfg, installing and cloning, resources, devices, networks and what brands do. A zone has autoboot
//! set and is running or installed.

mod zlogin;
mod zoneadm;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::enclosure::layout;
use crate::smf::tool::{Tool, startd_is_there};

/// What the zone of the machine itself is called.
pub const GLOBAL: &str = "global";
/// The brand of a zone that is created without one: that of OpenIndiana's and older OmniOS zones.
pub const DEFAULT_BRAND: &str = "ipkg";
/// The method of svc:/system/zones.
pub const METHOD: &str = "svc-zones";

pub const NAMES: &[&str] = &["zoneadm", "zlogin", METHOD];

/// A local zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    pub name: String,
    pub brand: String,
    /// The same for the life of the zone; shown only while it runs.
    pub id: usize,
}

impl Zone {
    /// Its path in the global zone.
    pub fn path(&self) -> PathBuf {
        Path::new("/zones").join(&self.name)
    }

    /// Its root, seen from where the root of the global zone is `root`.
    pub fn root(&self, root: &Path) -> PathBuf {
        root.join("zones").join(&self.name).join("root")
    }

    pub fn is_running(&self, root: &Path) -> bool {
        startd_is_there(&self.root(root))
    }
}

/// The local zones of a host, in the order of their creation.
pub fn all(root: &Path) -> Vec<Zone> {
    let index = fs::read_to_string(root.join("etc/zones/index")).unwrap_or_default();
    let names = index.lines().filter_map(|line| line.split(':').next()).filter(|name| *name != GLOBAL);
    names.enumerate().map(|(at, name)| Zone { name: name.into(), brand: brand(root, name), id: at + 1 }).collect()
}

pub fn find(root: &Path, name: &str) -> Option<Zone> {
    all(root).into_iter().find(|zone| zone.name == name)
}

/// The brand of a zone, as the global zone or itself knows it.
fn brand(root: &Path, name: &str) -> String {
    let text = fs::read_to_string(description(root, name)).unwrap_or_default();
    let document = roxmltree::Document::parse(&text).ok();
    let brand = document.and_then(|d| d.root_element().attribute("brand").map(str::to_string));
    brand.unwrap_or_else(|| DEFAULT_BRAND.into())
}

fn description(root: &Path, name: &str) -> PathBuf {
    root.join("etc/zones").join(format!("{name}.xml"))
}

/// Adds a zone and furnishes it; one that is there keeps its brand.
pub fn create(root: &Path, name: &str, brand: &str, simhost: &Path) -> io::Result<()> {
    let well_formed = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphanumeric())
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    if !well_formed(name) || !well_formed(brand) || name == GLOBAL || name.starts_with("SUNW") || name.len() > 63 {
        return Err(io::Error::other(format!("\"{name}={brand}\" names no zone: letters, digits, - _ and . do")));
    }
    let index = root.join("etc/zones/index");
    if !index.exists() {
        fs::write(&index, format!("{GLOBAL}:installed:/\n"))?;
    }
    if find(root, name).is_none() {
        let xml = format!("<zone name=\"{name}\" zonepath=\"/zones/{name}\" autoboot=\"true\" brand=\"{brand}\"/>\n");
        fs::write(description(root, name), xml)?;
        let zones = fs::read_to_string(&index)?;
        fs::write(&index, format!("{zones}{name}:installed:/zones/{name}:\n"))?;
    }
    let zone_root = root.join("zones").join(name).join("root");
    fs::create_dir_all(&zone_root)?;
    layout::furnish(&zone_root, name, simhost)?;
    // What a zone knows of itself.
    fs::copy(description(root, name), description(&zone_root, name)).map(drop)
}

/// The name of the zone whose root this is.
pub fn name_of(root: &Path) -> String {
    let name = fs::read_to_string(root.join("etc/zonename")).unwrap_or(GLOBAL.into());
    name.trim().to_string()
}

pub fn main(name: &str, root: &Path, args: &[OsString]) -> ExitCode {
    let args: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let mut tool = Tool::new(name, root);
    let status = match name {
        "zoneadm" => zoneadm::run(&mut tool, &args),
        METHOD => zoneadm::method(&tool, &args),
        _ => zlogin::run(&tool, &args),
    };
    tool.flush();
    ExitCode::from(status)
}
