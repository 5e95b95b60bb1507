//! Checks of pkginfo: that all readers read it alike, and that pkgadd accepts it.

use crate::svr4::REQUIRED_PARAMETERS;
use crate::svr4::pkginfo::{PkgInfo, Quotes, parse};
use crate::svr4::reader::ReadPackage;
use crate::svr4::reader::finding::Findings;

/// Longest NAME and VERSION pkgmk accepts.
const MAX_TEXT: usize = 256;

pub fn check(package: &ReadPackage, findings: &mut Findings) -> Option<PkgInfo> {
    let place = format!("{} pkginfo", package.name);
    let Some(text) = &package.pkginfo else {
        findings.error("pkginfo-missing", &package.name, "the package's archive holds no pkginfo");
        return None;
    };
    if text.contains(&b'\r') {
        findings.warning("pkginfo-layout", &place, "holds carriage returns");
    }
    if !text.ends_with(b"\n") {
        findings.warning("pkginfo-layout", &place, "the last line has no newline");
    }
    let info = match (parse(text, Quotes::FirstCloses), parse(text, Quotes::LastCloses)) {
        (Ok(solaris), Ok(illumos)) => {
            if let Some((key, _)) = solaris.iter().zip(illumos.iter()).find_map(|(a, b)| (a != b).then_some(a)) {
                let message = format!("illumos and Solaris read the quotes or the continuation of {key} differently");
                findings.warning("pkginfo-ambiguous", &place, message);
            }
            illumos
        }
        (Err(error), _) | (_, Err(error)) => {
            findings.error("pkginfo-quotes", &place, error.to_string());
            return None;
        }
    };
    check_required(package, &info, &place, findings);
    check_limits(&info, &place, findings);
    check_zones(&info, &place, findings);
    if info.iter().any(|(key, _)| key == "INTONLY") {
        let message = "INTONLY makes pkgadd -n refuse the package";
        findings.warning("pkginfo-interactive", &place, message);
    }
    Some(info)
}

fn check_required(package: &ReadPackage, info: &PkgInfo, place: &str, findings: &mut Findings) {
    for key in REQUIRED_PARAMETERS {
        if info.get(key).is_none_or(str::is_empty) {
            findings.error("pkginfo-required", place, format!("{key} is missing or empty"));
        }
    }
    if let Some(name) = info.get("PKG").filter(|name| *name != package.name) {
        let message = format!("PKG is {name:?}, but the stream's header names the package {:?}", package.name);
        findings.error("pkg-differs", place, message);
    }
    if info.get("CLASSES").is_none() {
        let message = "CLASSES is missing: pkgadd would install no file and not say so";
        findings.error("classes-missing", place, message);
    }
}

/// Only pkgmk checks these, so packages that break them install; other tools cut or choke.
fn check_limits(info: &PkgInfo, place: &str, findings: &mut Findings) {
    for key in ["NAME", "VERSION"] {
        let Some(value) = info.get(key) else { continue };
        if value.len() > MAX_TEXT {
            findings.warning("pkginfo-limits", place, format!("{key} is longer than 256 characters"));
        }
        if !value.is_ascii() {
            findings.warning("pkginfo-limits", place, format!("{key} is not ASCII"));
        }
    }
    if info.get("VERSION").is_some_and(|version| version.starts_with('(')) {
        findings.warning("pkginfo-limits", place, "VERSION begins like an architecture");
    }
}

fn check_zones(info: &PkgInfo, place: &str, findings: &mut Findings) {
    let set = |name: &str| info.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let flags = (set("SUNW_PKG_ALLZONES"), set("SUNW_PKG_HOLLOW"), set("SUNW_PKG_THISZONE"));
    if matches!(flags, (true, _, true) | (false, true, _)) {
        let message = "SUNW_PKG_ALLZONES, HOLLOW and THISZONE are combined as pkgadd does not allow";
        findings.error("pkginfo-zones", place, message);
    }
}
