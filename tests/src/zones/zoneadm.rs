//! zoneadm(8), as far as listing zones and switching them on and off; and the method that does so at boot.

use std::path::Path;

use super::{GLOBAL, Zone, all, brand, find, name_of};
use crate::enclosure::power;
use crate::smf::tool::Tool;

const USAGE: &str = "usage: zoneadm list [-cipnv]\n       zoneadm -z zone boot|halt|reboot|shutdown [-r]";

/// One line of a listing.
struct Line {
    id: Option<usize>,
    name: String,
    path: String,
    brand: String,
    /// The kind of network: shared or excl.
    ip: &'static str,
}

pub fn run(tool: &mut Tool, args: &[String]) -> u8 {
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["list", ref options @ ..] => list(tool, options),
        ["-z", zone, verb, ref rest @ ..] => change(tool, zone, verb, rest),
        _ => tool.usage(USAGE),
    }
}

fn list(tool: &mut Tool, options: &[&str]) -> u8 {
    let letters: String = options.iter().filter_map(|o| o.strip_prefix('-')).collect();
    if options.iter().any(|o| !o.starts_with('-')) || letters.contains(|c| !"cipnv".contains(c)) {
        return tool.usage(USAGE);
    }
    let has = |letter: char| letters.contains(letter);
    if has('p') && has('v') {
        tool.complain("-p and -v are mutually exclusive");
        return 2;
    }
    if has('v') {
        tool.print(format!("{:>4} {:<16} {:<10} {:<30} {:<8} {:<6}", "ID", "NAME", "STATUS", "PATH", "BRAND", "IP"));
    }
    for line in lines(tool.root) {
        let shown = line.id.is_some() || has('c') || has('i');
        if !shown || (has('n') && line.name == GLOBAL) {
            continue;
        }
        let id = line.id.map_or("-".into(), |id| id.to_string());
        let state = if line.id.is_some() { "running" } else { "installed" };
        let Line { name, path, brand, ip, .. } = &line;
        if has('p') {
            tool.print(format!("{id}:{name}:{state}:{}::{brand}:{ip}", path.replace(':', "\\:")));
        } else if has('v') {
            tool.print(format!("{id:>4} {name:<16} {state:<10} {path:<30} {brand:<8} {ip:<6}"));
        } else {
            tool.print(name);
        }
    }
    0
}

/// What the zone that this is can see: the global one all zones, a local one itself.
fn lines(root: &Path) -> Vec<Line> {
    let own = name_of(root);
    if own != GLOBAL {
        let brand = brand(root, &own);
        return vec![Line { id: Some(1), name: own, path: "/".into(), brand, ip: "excl" }];
    }
    let global = Line { id: Some(0), name: GLOBAL.into(), path: "/".into(), brand: "ipkg".into(), ip: "shared" };
    let local = all(root).into_iter().map(|zone| Line {
        id: zone.is_running(root).then_some(zone.id),
        path: zone.path().display().to_string(),
        name: zone.name,
        brand: zone.brand,
        ip: "excl",
    });
    std::iter::once(global).chain(local).collect()
}

fn change(tool: &Tool, name: &str, verb: &str, options: &[&str]) -> u8 {
    if name_of(tool.root) != GLOBAL {
        tool.complain("must be in the global zone to use this command");
        return 1;
    }
    let Some(zone) = find(tool.root, name) else {
        tool.complain(format!("zone '{name}': No such zone configured"));
        return 1;
    };
    let zone_root = zone.root(tool.root);
    let running = zone.is_running(tool.root);
    let done = match verb {
        "boot" if running => {
            tool.complain(format!("zone '{name}': zone is already booted"));
            return 1;
        }
        "boot" => power::boot_zone(tool.root, &zone_root),
        "halt" | "reboot" | "shutdown" if !running => {
            tool.complain(format!("zone '{name}': zone is not running"));
            return 1;
        }
        // Neither asks the zone's services to stop.
        "halt" => power::pull_the_plug(&zone_root),
        "reboot" => power::pull_the_plug(&zone_root).and_then(|()| power::boot_zone(tool.root, &zone_root)),
        "shutdown" if options.contains(&"-r") => power::reboot(&zone_root),
        "shutdown" => power::halt(&zone_root),
        _ => return tool.usage(USAGE),
    };
    told(tool, &zone, done)
}

fn told(tool: &Tool, zone: &Zone, done: Result<(), power::Failed>) -> u8 {
    match done {
        Ok(()) => 0,
        Err(error) => {
            tool.complain(format!("zone '{}': {error}", zone.name));
            1
        }
    }
}

/// `svc-zones start|stop`.
pub fn method(tool: &Tool, args: &[String]) -> u8 {
    let start = args.first().is_some_and(|word| word == "start");
    let mut status = 0;
    for zone in all(tool.root) {
        let zone_root = zone.root(tool.root);
        let done = match (start, zone.is_running(tool.root)) {
            (true, false) => power::boot_zone(tool.root, &zone_root),
            (false, true) => power::halt(&zone_root),
            _ => Ok(()),
        };
        status |= told(tool, &zone, done);
    }
    status
}
