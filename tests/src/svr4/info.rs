//! pkginfo and pkgparam: what is installed, or what a device holds.

use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::parameters::Parameters;
use super::{FATAL, INSTALL_LOCK, Quit, REMOVE_LOCK, error, package_folder, stream};
use crate::smf::getopt;
use crate::smf::tool::Tool;

/// The packages of a root, by name.
pub fn installed(root: &Path) -> Vec<String> {
    stream::packages_in(&root.join("var/sadm/pkg"))
}

/// What stopped in the middle counts as partial until it was done again.
pub fn is_partial(root: &Path, package: &str) -> bool {
    let folder = package_folder(root, package);
    folder.join(INSTALL_LOCK).exists() || folder.join(REMOVE_LOCK).exists()
}

pub fn pkginfo(tool: &mut Tool, args: &[String]) -> u8 {
    let Some(parsed) = getopt::parse("qlxrpid:R:c:a:v:", args) else {
        return usage("usage: pkginfo [-q|-x|-l|-r] [-p|-i] [-d device] [-R root] [pkg ...]");
    };
    let root = parsed.value('R').map_or(tool.root.to_owned(), PathBuf::from);
    let quiet = parsed.has('q');
    let mut source = match parsed.value('d').map(|device| stream::open(Path::new(device), tool.root)).transpose() {
        Ok(source) => source,
        Err(_) => return FATAL.0,
    };
    let names = source.as_ref().map_or_else(|| installed(&root), |source| source.names().to_vec());
    let wanted: Vec<&String> = names
        .iter()
        .filter(|name| parsed.operands.is_empty() || parsed.operands.contains(name))
        .filter(|name| source.is_some() || !parsed.has('p') || is_partial(&root, name))
        .filter(|name| source.is_some() || !parsed.has('i') || !is_partial(&root, name))
        .collect();
    let mut status = 0;
    for name in parsed.operands.iter().filter(|operand| !wanted.contains(operand)) {
        if !quiet {
            eprintln!("ERROR: information for \"{name}\" was not found");
        }
        status = FATAL.0;
    }
    for name in wanted {
        let file =
            source.as_mut().map_or(package_folder(&root, name).join("pkginfo"), |source| source.table_pkginfo(name));
        let info = Parameters::read(&file).unwrap_or_default();
        let of = |key| info.get(key).unwrap_or_default();
        if ["NAME", "ARCH", "VERSION", "CATEGORY"].iter().any(|key| info.get(key).is_none()) {
            status = FATAL.0;
        } else if quiet {
        } else if parsed.has('l') {
            long(tool, &root, name, &info, source.is_some());
        } else if parsed.has('x') {
            tool.print(format!("{name:<11} {}\n            ({}) {}", of("NAME"), of("ARCH"), of("VERSION")));
        } else if parsed.has('r') {
            tool.print(of("BASEDIR"));
        } else {
            tool.print(format!("{:<11} {name:<16} {}", of("CATEGORY"), of("NAME")));
        }
    }
    status
}

fn long(tool: &mut Tool, root: &Path, name: &str, info: &Parameters, on_device: bool) {
    let rows = [
        ("PKGINST", ""),
        ("NAME", "NAME"),
        ("CATEGORY", "CATEGORY"),
        ("ARCH", "ARCH"),
        ("VERSION", "VERSION"),
        ("BASEDIR", "BASEDIR"),
        ("VENDOR", "VENDOR"),
        ("DESC", "DESC"),
        ("PSTAMP", "PSTAMP"),
        ("INSTDATE", "INSTDATE"),
        ("HOTLINE", "HOTLINE"),
    ];
    for (label, key) in rows {
        let value = if key.is_empty() { Some(name) } else { info.get(key) };
        if let Some(value) = value {
            tool.print(format!("{label:>10}:  {value}"));
        }
    }
    let status = match () {
        () if on_device => "spooled",
        () if is_partial(root, name) => "partially installed",
        () => "completely installed",
    };
    tool.print(format!("{:>10}:  {status}", "STATUS"));
    if !on_device {
        let count = Contents::read(root).map_or(0, |contents| contents.of(name).len());
        tool.print(format!("{:>10}:  {count:>7} installed pathnames", "FILES"));
    }
    tool.print("");
}

pub fn pkgparam(tool: &mut Tool, args: &[String]) -> u8 {
    let parsed = getopt::parse("vd:R:f:", args);
    let Some(parsed) = parsed.filter(|parsed| !parsed.operands.is_empty() || parsed.has('f')) else {
        return usage(
            "usage: pkgparam [-v] [-d device] [-R root] pkginst [param ...]\n       pkgparam -f file [-v] [param ...]",
        );
    };
    let root = parsed.value('R').map_or(tool.root.to_owned(), PathBuf::from);
    let (file, wanted) = match (parsed.value('f'), parsed.value('d')) {
        (Some(file), _) => (PathBuf::from(file), &parsed.operands[..]),
        (_, Some(device)) => match stream::open(Path::new(device), tool.root) {
            Ok(source) => {
                return show(tool, &source.table_pkginfo(&parsed.operands[0]), &parsed.operands[1..], parsed.has('v'));
            }
            Err(Quit(status)) => return status,
        },
        _ => (package_folder(&root, &parsed.operands[0]).join("pkginfo"), &parsed.operands[1..]),
    };
    show(tool, &file, wanted, parsed.has('v'))
}

fn show(tool: &mut Tool, file: &Path, wanted: &[String], verbose: bool) -> u8 {
    let Ok(info) = Parameters::read(file) else {
        error(format!("unable to locate parameter information in {}", file.display()));
        return FATAL.0;
    };
    let all: Vec<String> = info.iter().map(|(key, _)| key.to_string()).collect();
    for key in if wanted.is_empty() { &all } else { wanted } {
        let value = info.get(key).unwrap_or_default();
        tool.print(if verbose { format!("{key}='{value}'") } else { value.to_string() });
    }
    0
}

fn usage(text: &str) -> u8 {
    eprintln!("{text}");
    FATAL.0
}
