//! The file depend: what has to be there, what must not, and who needs what is to be removed.

use std::fs;
use std::path::Path;

use super::parameters::Parameters;
use super::{INSTALL_LOCK, REMOVE_LOCK, package_folder};

struct Need {
    kind: char,
    package: String,
    /// `(ARCH)VERSION`, any of them.
    versions: Vec<String>,
}

fn parse(text: &str) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if line.starts_with([' ', '\t']) {
            needs.last_mut().map(|need| need.versions.push(line.trim().into())).unwrap_or_default();
            continue;
        }
        let mut words = line.split_whitespace();
        if let (Some(kind), Some(package)) = (words.next(), words.next()) {
            let kind = kind.chars().next().unwrap_or_default();
            needs.push(Need { kind, package: package.into(), versions: Vec::new() });
        }
    }
    needs
}

/// Whether a package is installed, and wholly so.
fn is_complete(root: &Path, need: &Need) -> bool {
    let folder = package_folder(root, &need.package);
    let Ok(info) = Parameters::read(&folder.join("pkginfo")) else { return false };
    let own = format!("({}){}", info.get("ARCH").unwrap_or_default(), info.get("VERSION").unwrap_or_default());
    let any = need.versions.is_empty() || need.versions.iter().any(|v| *v == own || own.ends_with(&format!("){v}")));
    any && !folder.join(INSTALL_LOCK).exists() && !folder.join(REMOVE_LOCK).exists()
}

/// What keeps a package with this file depend from being added, in words.
pub fn unmet(root: &Path, file: &Path) -> Vec<String> {
    let needs = parse(&fs::read_to_string(file).unwrap_or_default());
    let fault = |need: &Need| match need.kind {
        'P' if !is_complete(root, need) => Some(format!(
            "WARNING:\n    The <{}> package is a prerequisite package and should be installed.",
            need.package
        )),
        'I' if package_folder(root, &need.package).join("pkginfo").exists() => Some(format!(
            "WARNING:\n    A version of <{}> package (incompatible) is currently installed.",
            need.package
        )),
        _ => None,
    };
    needs.iter().filter_map(fault).collect()
}

/// The installed packages that need a package.
pub fn dependents(root: &Path, package: &str) -> Vec<String> {
    let installed = super::info::installed(root);
    let own = package_folder(root, package).join("install/depend");
    let of = |package: &str, kind| -> Vec<String> {
        let text = fs::read_to_string(package_folder(root, package).join("install/depend")).unwrap_or_default();
        parse(&text).into_iter().filter(|need| need.kind == kind).map(|need| need.package).collect()
    };
    // The package may say itself who needs it.
    let reverse: Vec<String> = parse(&fs::read_to_string(own).unwrap_or_default())
        .into_iter()
        .filter(|n| n.kind == 'R')
        .map(|n| n.package)
        .collect();
    let needs = |other: &String| of(other, 'P').iter().any(|need| need == package) || reverse.contains(other);
    installed.into_iter().filter(|other| other != package && needs(other)).collect()
}
