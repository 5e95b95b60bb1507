//! Methods as svc.startd runs them: their tokens, their limits, and what a transient service may not have.

use roxmltree::Node;

use super::{Findings, attribute, name, named};

pub fn check(node: Node, findings: &mut Findings) {
    if name(node) != "exec_method" {
        return;
    }
    let timeout = attribute(node, "timeout_seconds");
    if !timeout.parse::<i64>().is_ok_and(|seconds| seconds >= -1) {
        let message = format!("timeout_seconds {timeout:?} is no number of seconds (0 or -1 = no limit)");
        findings.add(node, "exec-timeout", message);
    }
    let exec = attribute(node, "exec");
    match exec.strip_prefix(':') {
        None => tokens(node, exec, findings),
        Some("true") => (),
        Some(kill) if kill == "kill" || kill.starts_with("kill -") => {
            if is_transient(node) {
                let message = "svc.startd refuses :kill for a transient service, which goes to maintenance".to_string();
                findings.add(node, "exec-kill-transient", message);
            }
        }
        Some(_) => findings.add(node, "exec-token", format!("{exec:?} is neither :true nor :kill")),
    }
}

fn tokens(node: Node, exec: &str, findings: &mut Findings) {
    if exec.trim().is_empty() {
        findings.add(node, "exec-token", "there is nothing to run".to_string());
    }
    let mut rest = exec;
    while let Some((_, token)) = rest.split_once('%') {
        let mut chars = token.chars();
        rest = match chars.next() {
            Some('%' | 'r' | 'm' | 's' | 'i' | 'f') => chars.as_str(),
            Some('{') => match chars.as_str().split_once('}') {
                Some((reference, after)) => {
                    property_token(node, reference, findings);
                    after
                }
                None => {
                    findings.add(node, "exec-token", format!("%{{ without its }} in {exec:?}"));
                    return;
                }
            },
            Some(c) => {
                findings.add(node, "exec-token", format!("%{c} in {exec:?} is no token of svc.startd"));
                chars.as_str()
            }
            None => {
                findings.add(node, "exec-token", format!("{exec:?} ends in %, which is written %%"));
                return;
            }
        };
    }
}

/// `pg/prop`, or `prop` in the group `application`, of this service or instance. One that is not there sends the service
/// to maintenance when the method is to run. Properties of other services cannot be looked up here.
fn property_token(node: Node, reference: &str, findings: &mut Findings) {
    // The last character may say what stands between several values.
    let reference = reference.strip_suffix([',', ':']).unwrap_or(reference);
    if reference.starts_with("svc:/") {
        if !reference.contains("properties/") {
            findings.add(node, "exec-token", format!("%{{{reference}}} names no property"));
        }
        return;
    }
    let (group, property) = reference.split_once('/').unwrap_or(("application", reference));
    let found = node
        .ancestors()
        .filter(|entity| ["service", "instance"].contains(&name(*entity)))
        .flat_map(|entity| named(entity, "property_group").filter(|pg| attribute(*pg, "name") == group))
        .flat_map(|pg| named(pg, "propval").chain(named(pg, "property")))
        .any(|candidate| attribute(candidate, "name") == property);
    if !found {
        findings.add(node, "exec-token", format!("%{{{reference}}}: there is no property {group}/{property}"));
    }
}

fn is_transient(node: Node) -> bool {
    node.ancestors()
        .flat_map(|entity| named(entity, "property_group"))
        .filter(|group| attribute(*group, "name") == "startd")
        .flat_map(|group| named(group, "propval"))
        .any(|propval| attribute(propval, "name") == "duration" && attribute(propval, "value") == "transient")
}
