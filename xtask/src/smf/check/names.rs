//! Names as SMF takes them, and names that must not occur twice.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::{Findings, attribute, elements, name};

/// SMF's limit, without the byte that ends a string.
const LONGEST: usize = 119;

pub fn check(node: Node, findings: &mut Findings) {
    match name(node) {
        "service" => {
            let full = attribute(node, "name");
            if full.len() > LONGEST || !full.split('/').all(is_name) {
                findings.add(node, "name", format!("{full:?} cannot be the name of a service"));
            }
            version(node, findings);
            groups(node, findings);
        }
        "instance" => {
            one_name(node, "name", findings);
            groups(node, findings);
        }
        "property_group" => {
            one_name(node, "name", findings);
            one_name(node, "type", findings);
            properties(node, findings);
        }
        "dependency" => {
            one_name(node, "name", findings);
            let kind = attribute(node, "type");
            if !["service", "path"].contains(&kind) {
                findings.add(
                    node,
                    "dependency-type",
                    format!("svc.startd knows dependencies of type service and path, not {kind:?}"),
                );
            }
            properties(node, findings);
        }
        "exec_method" => {
            one_name(node, "name", findings);
            properties(node, findings);
        }
        "dependent" | "prop_pattern" | "propval" | "property" => one_name(node, "name", findings),
        "pg_pattern" => {
            for part in ["name", "type"].iter().filter(|part| !attribute(node, part).is_empty()) {
                one_name(node, part, findings);
            }
        }
        "envvar" if attribute(node, "name").is_empty() || attribute(node, "name").contains('=') => {
            findings.add(node, "name", format!("{:?} cannot be the name of a variable", attribute(node, "name")));
        }
        _ => (),
    }
}

fn one_name(node: Node, part: &str, findings: &mut Findings) {
    // A missing attribute is told as that.
    if let Some(value) = node.attribute(part).filter(|value| !is_name(value)) {
        let message = format!(
            "{value:?} cannot be the {part} of a <{}>: a letter, then letters, digits, _ and -, at most {LONGEST} bytes",
            name(node)
        );
        findings.add(node, "name", message);
    }
}

/// `[provider,]identifier`; only the provider may have dots.
fn is_name(text: &str) -> bool {
    let (provider, identifier) = match text.split_once(',') {
        Some((provider, identifier)) => (Some(provider), identifier),
        None => (None, text),
    };
    text.len() <= LONGEST
        && is_identifier(identifier)
        && provider.is_none_or(|provider| provider.split('.').all(is_identifier))
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn version(node: Node, findings: &mut Findings) {
    if node.attribute("version").is_some_and(|version| version.parse::<u32>().is_err()) {
        let message = format!("version {:?} is no whole number, so SMF stores another", attribute(node, "version"));
        findings.add(node, "service-version", message);
    }
}

/// Dependencies, methods and property groups are all property groups of their entity, under one roof of names.
fn groups(entity: Node, findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for child in elements(entity) {
        let key = match name(child) {
            "dependency" | "exec_method" | "property_group" => attribute(child, "name"),
            // Instances have names of their own; the slash keeps them apart from groups.
            "instance" => &format!("/{}", attribute(child, "name")),
            _ => continue,
        };
        if seen.insert(key.to_string(), ()).is_some() {
            let message = format!("<{}> {:?} is there a second time", name(child), attribute(child, "name"));
            findings.add(child, "duplicate", message);
        }
    }
}

fn properties(group: Node, findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for child in elements(group).filter(|child| ["propval", "property"].contains(&name(*child))) {
        if seen.insert(attribute(child, "name"), ()).is_some() {
            let message = format!("property {:?} is there a second time", attribute(child, "name"));
            findings.add(child, "duplicate", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_smf() {
        for right in ["a", "VM_NAME", "a-1", "com.sun,fw", "tm_pgpat"] {
            assert!(is_name(right), "{right:?}");
        }
        let long = "a".repeat(LONGEST + 1);
        for wrong in ["", "1a", "_a", "a.b", "a b", "a@b", "Ä", ",a", "com..sun,a", "a,", "a,b,c", &long] {
            assert!(!is_name(wrong), "{wrong:?}");
        }
    }
}
