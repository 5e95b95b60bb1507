//! What pkglint, or an administrator, would object to in a manifest that pkg installs without a word.
//!
//! Every finding here is a warning, and names pkglint's check where it has one.

use std::collections::HashSet;

use super::manifest::ReadAction;
use crate::finding::Findings;

const CATEGORY: &str = "org.opensolaris.category.2008:";
const ACTUATORS: [&str; 4] = ["disable_fmri", "refresh_fmri", "restart_fmri", "suspend_fmri"];
const LEGACY: [&str; 6] = ["category", "desc", "hotline", "name", "vendor", "version"];

pub(super) fn check(actions: &[ReadAction], place: &str, findings: &mut Findings) {
    tags(actions, place, findings);
    smf_manifests(actions, place, findings);
    let mut set = HashSet::new();
    for action in actions {
        let place = format!("{place} line {}", action.line);
        underscores(action, &place, findings);
        actuators(action, &place, findings);
        match action.kind.as_str() {
            "set" => {
                let name = action.value("name").unwrap_or_default();
                if !set.insert((name, variants(action))) {
                    findings.warning("set-twice", &place, format!("{name} is set before (pkglint.manifest006)"));
                }
                if matches!(name, "pkg.summary" | "pkg.description") && action.values("value").count() > 1 {
                    findings.warning("set-several", &place, format!("pkgsend refuses several values of {name}"));
                }
            }
            "dir" | "file" => modes(action, &place, findings),
            "legacy" => legacy(action, &place, findings),
            "license" if action.value("path").is_some() => {
                findings.warning("license-path", &place, "a licence with a path (pkglint.action007)");
            }
            "depend" if incorporates_nothing(action) => {
                findings.warning("depend-version", &place, "incorporate without a version (pkglint.action011)");
            }
            _ => {}
        }
    }
}

fn incorporates_nothing(action: &ReadAction) -> bool {
    action.value("type") == Some("incorporate") && action.values("fmri").any(|fmri| !fmri.contains('@'))
}

/// Variants make repeated settings different ones.
fn variants(action: &ReadAction) -> Vec<&(String, String)> {
    action.attributes.iter().filter(|(key, _)| key.starts_with("variant.")).collect()
}

fn setting<'a>(actions: &'a [ReadAction], name: &str) -> Option<&'a ReadAction> {
    actions.iter().find(|a| a.kind == "set" && a.value("name") == Some(name))
}

fn tags(actions: &[ReadAction], place: &str, findings: &mut Findings) {
    let value = |name| setting(actions, name).and_then(|a| a.value("value"));
    let retired = value("pkg.renamed").is_some() || value("pkg.obsolete").is_some();
    match value("pkg.summary") {
        None if !retired => {
            findings.warning("summary-missing", place, "pkg.summary is not set (pkglint.manifest010.2)");
        }
        Some("") => findings.warning("summary-empty", place, "pkg.summary is empty (pkglint.manifest009.3)"),
        Some(summary) if value("pkg.description") == Some(summary) => {
            findings.warning("description", place, "pkg.description repeats pkg.summary (pkglint.manifest009.2)");
        }
        _ => {}
    }
    for name in ["org.opensolaris.consolidation", "info.classification"] {
        if !retired && setting(actions, name).is_none() {
            findings.warning("tag-missing", place, format!("{name} is not set (opensolaris.manifest001.1)"));
        }
    }
    let classes = setting(actions, "info.classification");
    for class in classes.iter().flat_map(|a| a.values("value")) {
        match class.strip_prefix(CATEGORY).map(|rest| rest.split_once('/')) {
            None => findings.warning(
                "classification",
                place,
                format!("info.classification {class:?} does not begin with {CATEGORY} (pkglint.manifest008.2)"),
            ),
            Some(Some((section, category))) if !section.is_empty() && !category.is_empty() => {}
            Some(_) => findings.warning(
                "classification",
                place,
                format!("info.classification {class:?} is not <Section>/<Category> (pkglint.manifest008.3)"),
            ),
        }
    }
}

fn smf_manifests(actions: &[ReadAction], place: &str, findings: &mut Findings) {
    let is_manifest = |path: &str| {
        (path.starts_with("lib/svc/manifest") || path.starts_with("var/svc/manifest")) && path.ends_with(".xml")
    };
    let delivered =
        actions.iter().filter(|a| a.kind == "file").find_map(|a| a.value("path").filter(|p| is_manifest(p)));
    if let Some(path) = delivered.filter(|_| setting(actions, "org.opensolaris.smf.fmri").is_none()) {
        let message = format!("{path} is delivered but org.opensolaris.smf.fmri is not set (pkglint.manifest011)");
        findings.warning("smf-fmri", place, message);
    }
}

fn underscores(action: &ReadAction, place: &str, findings: &mut Findings) {
    let fine = |key: &str| {
        !key.contains('_')
            || ACTUATORS.contains(&key)
            || matches!(key, "original_name" | "clone_perms")
            || key.starts_with("facet.locale.")
            || key.starts_with("facet.version-lock.")
            || key.starts_with("pkg.")
    };
    if let Some((key, _)) = action.attributes.iter().find(|(key, _)| !fine(key)) {
        findings.warning("underscore", place, format!("underscore in attribute {key} (pkglint.action001.1)"));
    }
    if let Some(name) = action.value("name").filter(|name| action.kind == "set" && name.contains('_')) {
        findings.warning("underscore", place, format!("underscore in the name {name} (pkglint.action001.2)"));
    }
}

/// pkg drops, with an error, an actuator that is neither an instance nor a pattern of them.
fn actuators(action: &ReadAction, place: &str, findings: &mut Findings) {
    for attribute in ACTUATORS {
        for value in action.values(attribute) {
            let pattern = value.contains(['*', '?', '[', '!', '^']);
            let bare = value.strip_prefix("svc:/").unwrap_or(value);
            let instance = bare.split_once(':').is_some_and(|(s, i)| !s.is_empty() && !i.is_empty());
            if !pattern && !instance {
                let message = format!("{attribute}={value} names neither an instance nor a pattern, pkg ignores it");
                findings.warning("actuator", place, message);
            }
        }
    }
}

fn modes(action: &ReadAction, place: &str, findings: &mut Findings) {
    let Some(mode) = action.value("mode") else { return };
    let Ok(bits) = u32::from_str_radix(mode, 8) else { return };
    if action.kind == "dir" && bits & 0o111 == 0 {
        findings.warning(
            "dir-mode",
            place,
            format!("mode {mode} makes a directory nobody can enter (pkglint.action002.1)"),
        );
    }
    let (user, group, other) = (bits >> 6 & 7, bits >> 3 & 7, bits & 7);
    if other > group || group > user {
        findings.warning(
            "unusual-mode",
            place,
            format!("mode {mode} gives others more than the owner (pkglint.action002.4)"),
        );
    }
}

fn legacy(action: &ReadAction, place: &str, findings: &mut Findings) {
    for attribute in LEGACY.iter().filter(|a| action.value(a).is_none()) {
        findings.warning("legacy", place, format!("legacy without {attribute} (pkglint.action003.1)"));
    }
    if action.value("version").is_some_and(|version| !version.contains("REV=")) {
        findings.warning("legacy-rev", place, "legacy version without REV= (pkglint.action003.3)");
    }
}
