//! The rules for a package as a whole.

use std::collections::BTreeSet;

use super::{Breaches, is_below};
use crate::finding::Level;
use crate::package_view::{Format, View};

const DOCUMENTATION: [&str; 2] = ["usr/share/doc", "usr/share/man"];
const LICENCES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT"];
const SCRIPTS: [&str; 6] = ["checkinstall", "request", "preinstall", "postinstall", "preremove", "postremove"];
/// The digits of `yyyymmddHHMMSS`.
const STAMP_DIGITS: usize = 14;

pub fn check(view: &View, breaches: &mut Breaches) {
    let mut add = |id, message: &str| breaches.add(id, Level::Warning, None, message.to_owned());
    if view.description().is_none_or(|text| text.trim().is_empty()) {
        let parameter = if view.format == Format::Svr4 { "DESC" } else { "pkg.description" };
        add("description-empty", &format!("{parameter} does not say what the package is"));
    }
    if view.dependencies.is_empty() {
        add("dependency-none", "it depends on no other package");
    }
    let is_retired = ["pkg.obsolete", "pkg.renamed"].iter().any(|name| view.parameter(name) == Some("true"));
    if !is_retired {
        deliveries(view, &mut add);
    }
    for name in view.install_files.keys().filter(|name| is_script(name)) {
        add("install-script", &format!("install/{name} runs as root when the package comes or goes"));
    }
    if view.format == Format::Svr4 {
        reproducible(view, &mut add);
    }
}

fn deliveries(view: &View, add: &mut dyn FnMut(&'static str, &str)) {
    let documented = view.entries.iter().filter(|entry| entry.kind.is_file());
    let documented = || documented.clone().filter(|e| DOCUMENTATION.iter().any(|folder| is_below(&e.path, folder)));
    if documented().next().is_none() {
        add("documentation-missing", "nothing below usr/share/doc or usr/share/man tells how to use it");
    }
    let is_licence = |path: &str| {
        let name = path.rsplit_once('/').map_or(path, |(_, name)| name).to_ascii_uppercase();
        LICENCES.iter().any(|licence| name.starts_with(licence))
    };
    if view.licences.is_empty() && !documented().any(|entry| is_licence(&entry.path)) {
        add("licence-missing", "no licence comes with it, so nobody may tell what may be done with it");
    }
}

/// Class scripts too run as root, but those of the system's own classes are the system's.
fn is_script(name: &str) -> bool {
    SCRIPTS.contains(&name) || name.starts_with("i.") || name.starts_with("r.")
}

fn reproducible(view: &View, add: &mut dyn FnMut(&'static str, &str)) {
    if let Some(stamp) = view.parameter("PSTAMP") {
        // pkgmk makes one of the host's name and the time.
        let time = stamp.strip_prefix(view.name.as_str());
        let is_time = |text: &str| text.len() == STAMP_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        if !time.is_some_and(is_time) {
            let message =
                format!("PSTAMP {stamp:?} is not {}YYYYMMDDhhmmss: it may name the building machine", view.name);
            add("pstamp-machine", &message);
        }
    }
    let times: BTreeSet<u64> = view.entries.iter().filter_map(|entry| entry.mtime).collect();
    if let (Some(first), Some(last)) = (times.first(), times.last())
        && first != last
    {
        add("times-vary", &format!("files are of {} different times, from {first} to {last}", times.len()));
    }
}
