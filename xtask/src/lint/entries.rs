//! The rules for single entries.

use super::{Breaches, is_below};
use crate::finding::Level;
use crate::package_view::{Entry, Format, Kind, View};

const SETUID: u32 = 0o4000;
const SETGID: u32 = 0o2000;
const STICKY: u32 = 0o1000;
const WORLD_WRITABLE: u32 = 0o002;
const ANY_X: u32 = 0o111;

/// Where files are there to be run.
const PROGRAMS: [&str; 5] = ["usr/bin", "usr/sbin", "sbin", "lib/svc/method", "usr/lib/cgi-bin"];
/// Where files are there to be read.
const DATA: [&str; 4] = ["usr/share/doc", "usr/share/man", "lib/svc/manifest", "var/svc/manifest"];
/// What belongs to nobody's package: temporary, made by the kernel, or the administrator's own.
const FORBIDDEN: [&str; 12] = [
    "tmp",
    "var/tmp",
    "var/run",
    "dev",
    "devices",
    "proc",
    "system",
    "home",
    "export/home",
    "root",
    "usr/local",
    "mnt",
];
const MANIFESTS: [&str; 2] = ["lib/svc/manifest", "var/svc/manifest"];

/// Folders that the system delivers, each with an owner and a mode of its own.
const SYSTEM_FOLDERS: [&str; 44] = [
    "bin",
    "dev",
    "etc",
    "etc/init.d",
    "etc/security",
    "export",
    "kernel",
    "kernel/drv",
    "lib",
    "lib/svc",
    "lib/svc/manifest",
    "lib/svc/manifest/site",
    "lib/svc/method",
    "opt",
    "platform",
    "sbin",
    "usr",
    "usr/bin",
    "usr/include",
    "usr/kernel",
    "usr/kernel/drv",
    "usr/lib",
    "usr/lib/amd64",
    "usr/lib/rbac",
    "usr/lib/smf",
    "usr/sbin",
    "usr/share",
    "usr/share/doc",
    "usr/share/lib",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/man/man1",
    "usr/share/man/man5",
    "usr/share/man/man7",
    "usr/share/man/man8",
    "usr/xpg4",
    "var",
    "var/adm",
    "var/log",
    "var/opt",
    "var/svc",
    "var/svc/log",
    "var/svc/manifest",
    "var/svc/manifest/site",
];

/// Longer than the deepest path that a system resolves.
const MOST_COMPONENTS: usize = 1024;

pub fn check(entry: &Entry, view: &View, breaches: &mut Breaches) {
    let path = entry.path.as_str();
    let mut add = |id, level, message: String| breaches.add(id, level, Some(path), message);
    if let Some(folder) = FORBIDDEN.iter().find(|folder| is_below(path, folder)) {
        add("path-forbidden", Level::Error, format!("no package may put anything below /{folder}"));
    }
    if entry.kind.is_directory() && SYSTEM_FOLDERS.contains(&path) {
        let message = "is the system's: pkg(7) refuses another owner or mode, pkgadd(8) quietly sets it".to_owned();
        add("system-folder-owned", Level::Warning, message);
    }
    if let Some(owner) = entry.owner.as_deref().filter(|owner| *owner != "root") {
        add("owner-not-root", Level::Warning, format!("belongs to {owner}, who may change it at any time"));
    }
    if let Some(mode) = entry.mode {
        modes(entry, mode, &mut add);
    }
    if entry.kind.is_file() && MANIFESTS.iter().any(|folder| is_below(path, folder)) && path.ends_with(".xml") {
        manifest(entry, view.format, &mut add);
    }
    if let (Kind::Symlink | Kind::Hardlink, Some(target)) = (entry.kind, &entry.target) {
        link(entry, target, view, &mut add);
    }
}

type Add<'a> = &'a mut dyn FnMut(&'static str, Level, String);

fn modes(entry: &Entry, mode: u32, add: Add<'_>) {
    let path = entry.path.as_str();
    if entry.kind.is_file() && mode & (SETUID | SETGID) != 0 {
        let whose = if mode & SETUID != 0 { "its owner's" } else { "its group's" };
        add("setuid-file", Level::Error, format!("mode {mode:04o} lets everybody who runs it act with {whose} rights"));
    }
    if mode & WORLD_WRITABLE != 0 && !(entry.kind.is_directory() && mode & STICKY != 0) {
        add("world-writable", Level::Error, format!("mode {mode:04o} lets anybody write to it"));
    }
    if !entry.kind.is_file() {
        return;
    }
    if PROGRAMS.iter().any(|folder| is_below(path, folder)) && mode & ANY_X == 0 {
        add(
            "executable-without-x",
            Level::Error,
            format!("is where programs are, and mode {mode:04o} lets nobody run it"),
        );
    }
    if DATA.iter().any(|folder| is_below(path, folder)) && mode & ANY_X != 0 {
        add("data-with-x", Level::Warning, format!("is there to be read, and mode {mode:04o} lets it be run"));
    }
}

fn manifest(entry: &Entry, format: Format, add: Add<'_>) {
    match format {
        Format::Svr4 if entry.class.as_deref() != Some("manifest") => {
            let class = entry.class.as_deref().unwrap_or_default();
            let message =
                format!("is an SMF manifest in class {class:?}: only i.manifest and r.manifest keep SMF in step");
            add("manifest-class", Level::Error, message);
        }
        Format::Ips if !entry.attributes.contains_key("restart_fmri") => {
            let message = "is an SMF manifest without restart_fmri: it is imported at the next boot only".to_owned();
            add("manifest-restart", Level::Error, message);
        }
        _ => {}
    }
}

fn link(entry: &Entry, target: &str, view: &View, add: Add<'_>) {
    if entry.kind == Kind::Symlink && target.starts_with('/') {
        let message = format!("leads to {target}, which is another system's while this one is an alternate root");
        add("link-absolute", Level::Warning, message);
    }
    let resolved = match (entry.kind, target.strip_prefix('/')) {
        (Kind::Hardlink, None) if view.format == Format::Svr4 => Some(target.to_owned()),
        (_, Some(absolute)) => Some(absolute.to_owned()),
        _ => resolve(&entry.path, target),
    };
    let Some(resolved) = resolved else {
        add("link-outside", Level::Warning, format!("leads to {target}, above the root of the system"));
        return;
    };
    if !holds(view, &resolved) {
        add("link-outside", Level::Warning, format!("leads to /{resolved}, which the package does not hold"));
    }
}

/// Whether a path is in the package; a folder may be there without an entry, for what is in it. Entries are sorted, and
/// looked through by halves: a hostile package has very many, and as many links.
fn holds(view: &View, path: &str) -> bool {
    let first_from = |start: &str| view.entries.get(view.entries.partition_point(|entry| entry.path.as_str() < start));
    let below = format!("{path}/");
    first_from(path).is_some_and(|entry| entry.path == path)
        || first_from(&below).is_some_and(|entry| entry.path.starts_with(&below))
}

/// A relative target below the root; `None` if it leads above.
fn resolve(path: &str, target: &str) -> Option<String> {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(target.split('/')).take(MOST_COMPONENTS) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
