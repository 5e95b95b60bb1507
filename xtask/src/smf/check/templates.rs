//! Templates: patterns that are sound, and values that fit them.
//!
//! As svccfg does it: each instance is held, composed with its service, against the patterns of both. A service without
//! instances is held against its own patterns alone, so that its values are looked at all the same.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::{Findings, attribute, elements, name, named, values};

/// Property groups that SMF's own services have patterns for. To describe one again is an error to svccfg.
const OF_THE_FRAMEWORK: &[&str] = &[
    "general",
    "restarter",
    "restarter_actions",
    "general_ovr",
    "startd",
    "start",
    "stop",
    "refresh",
    "method_context",
];

pub fn check(node: Node, findings: &mut Findings) {
    match name(node) {
        "pg_pattern" => pg_pattern(node, findings),
        "prop_pattern" => prop_pattern(node, findings),
        "loctext" if name_of_parent(node) == "common_name" && node.text().unwrap_or_default().len() >= 60 => {
            findings.add(node, "template-common-name", "a common name is to be shorter than 60 bytes".to_string());
        }
        "service" => {
            let mut instances = named(node, "instance").peekable();
            if instances.peek().is_none() {
                entity(node, None, findings);
            }
            for instance in instances {
                entity(node, Some(instance), findings);
            }
        }
        _ => (),
    }
}

fn name_of_parent<'a>(node: Node<'a, '_>) -> &'a str {
    node.parent_element().map_or("", name)
}

fn is_required(pattern: Node) -> bool {
    attribute(pattern, "required") == "true"
}

fn pg_pattern(pattern: Node, findings: &mut Findings) {
    let group = attribute(pattern, "name");
    if is_required(pattern) && (group.is_empty() || attribute(pattern, "type").is_empty()) {
        findings.add(pattern, "template-incomplete", "a required pg_pattern needs a name and a type".to_string());
    }
    if OF_THE_FRAMEWORK.contains(&group) {
        let message = format!("SMF itself has a pattern for {group:?}, which may not be defined again");
        findings.add(pattern, "template-redefines", message);
    }
    let in_service = pattern.ancestors().find(|entity| ["service", "instance"].contains(&name(*entity)));
    let in_service = in_service.is_some_and(|entity| name(entity) == "service");
    match attribute(pattern, "target") {
        "instance" if !in_service => {
            findings.add(pattern, "template-target", "target instance means something in a service only".to_string());
        }
        "delegate" | "all" => {
            findings.add(pattern, "template-target", "targets delegate and all are for restarters and SMF".to_string());
        }
        _ => (),
    }
    let mut seen = BTreeMap::new();
    for property in named(pattern, "prop_pattern") {
        let kind = attribute(property, "type");
        if let Some(other) = seen.insert(attribute(property, "name"), kind) {
            let message = format!("{:?} has a prop_pattern already, of type {other:?}", attribute(property, "name"));
            findings.add(property, "template-conflict", message);
        }
    }
}

fn prop_pattern(pattern: Node, findings: &mut Findings) {
    let (property, kind) = (attribute(pattern, "name"), attribute(pattern, "type"));
    if is_required(pattern) && kind.is_empty() {
        findings.add(pattern, "template-incomplete", format!("{property}: a required prop_pattern needs a type"));
    }
    for include in named(pattern, "choices").flat_map(|choices| named(choices, "include_values")) {
        let wanted = attribute(include, "type");
        if !elements(pattern).any(|child| name(child) == wanted && elements(child).next().is_some()) {
            let message = format!("{property}: include_values of {wanted}, and there are none");
            findings.add(include, "template-include", message);
        }
    }
    for list in elements(pattern).filter(|child| ["values", "constraints", "choices"].contains(&name(*child))) {
        for child in elements(list) {
            match name(child) {
                "range" => range(child, kind, findings),
                "value" if !kind.is_empty() && !values::fits(kind, attribute(child, "name")) => {
                    let message = format!("{property}: {:?} is no value of type {kind}", attribute(child, "name"));
                    findings.add(child, "template-value", message);
                }
                _ => (),
            }
        }
    }
    for cardinality in named(pattern, "cardinality") {
        let (min, max) = cardinality_of(cardinality);
        if min.zip(max).is_none_or(|(min, max)| min > max) {
            findings.add(cardinality, "template-cardinality", format!("{property}: no number of values fits it"));
        }
    }
}

fn range(range: Node, kind: &str, findings: &mut Findings) {
    if !["integer", "count"].contains(&kind) {
        findings.add(range, "template-range", format!("a range fits integer and count, not {kind:?}"));
        return;
    }
    let (min, max) = (attribute(range, "min"), attribute(range, "max"));
    let ordered = values::number(min).zip(values::number(max)).is_some_and(|(min, max)| min <= max);
    if !ordered || !values::fits(kind, min) || !values::fits(kind, max) {
        findings.add(range, "template-range", format!("{min:?} to {max:?} is no range of type {kind}"));
    }
}

/// `None` for what is no number.
fn cardinality_of(cardinality: Node) -> (Option<u64>, Option<u64>) {
    let bound = |name, default| cardinality.attribute(name).map_or(Some(default), |text| text.parse().ok());
    (bound("min", 0), bound("max", u64::MAX))
}

/// A property group as an instance sees it: whose element says the type, and the properties by name.
struct Group<'a, 'input> {
    element: Node<'a, 'input>,
    properties: BTreeMap<&'a str, Node<'a, 'input>>,
}

fn entity(service: Node, instance: Option<Node>, findings: &mut Findings) {
    let levels = || [Some(service), instance].into_iter().flatten();
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for element in levels().flat_map(|level| named(level, "property_group")) {
        let properties = elements(element).filter(|child| ["propval", "property"].contains(&name(*child)));
        let group =
            groups.entry(attribute(element, "name")).or_insert_with(|| Group { element, properties: BTreeMap::new() });
        // The instance comes last and wins.
        group.element = element;
        group.properties.extend(properties.map(|property| (attribute(property, "name"), property)));
    }
    let patterns = || levels().flat_map(|level| named(level, "template")).flat_map(|it| named(it, "pg_pattern"));
    conflicts(patterns(), findings);
    for pattern in patterns() {
        let (wanted_name, wanted_type) = (attribute(pattern, "name"), attribute(pattern, "type"));
        if is_required(pattern) && !groups.contains_key(wanted_name) {
            let message = format!("{} has no property group {wanted_name:?}", described(service, instance));
            findings.add(pattern, "template-required", message);
        }
        for (group_name, group) in &groups {
            let group_type = attribute(group.element, "type");
            let by_name = wanted_name.is_empty() || wanted_name == *group_name;
            let by_type = wanted_type.is_empty() || wanted_type == group_type;
            if by_name && by_type {
                properties(pattern, group, &described(service, instance), findings);
            } else if by_name && !wanted_name.is_empty() {
                let message = format!("property group {group_name:?} is of type {group_type:?}, not {wanted_type:?}");
                findings.add(group.element, "template-group-type", message);
            }
        }
    }
}

fn described(service: Node, instance: Option<Node>) -> String {
    let suffix = instance.map(|instance| format!(":{}", attribute(instance, "name"))).unwrap_or_default();
    format!("{}{suffix}", attribute(service, "name"))
}

fn conflicts<'a, 'input: 'a>(patterns: impl Iterator<Item = Node<'a, 'input>>, findings: &mut Findings) {
    let mut seen: BTreeMap<&str, Node> = BTreeMap::new();
    for pattern in patterns.filter(|pattern| !attribute(*pattern, "name").is_empty()) {
        if seen.insert(attribute(pattern, "name"), pattern).is_some() {
            let message = format!("{:?} has a pg_pattern already", attribute(pattern, "name"));
            findings.add(pattern, "template-conflict", message);
        }
    }
}

fn properties(pg_pattern: Node, group: &Group, entity: &str, findings: &mut Findings) {
    for pattern in named(pg_pattern, "prop_pattern") {
        let wanted = attribute(pattern, "name");
        let Some(&property) = group.properties.get(wanted) else {
            if is_required(pattern) {
                let message = format!("{entity} has no property {}/{wanted}", attribute(group.element, "name"));
                findings.add(pattern, "template-required", message);
            }
            continue;
        };
        let (kind, wanted_kind) = (attribute(property, "type"), attribute(pattern, "type"));
        if !wanted_kind.is_empty() && kind != wanted_kind {
            findings.add(property, "template-type", format!("{wanted} is of type {kind}, not {wanted_kind}"));
            continue;
        }
        let found = values_of(property);
        for (min, max) in named(pattern, "cardinality").map(cardinality_of) {
            let count = found.len() as u64;
            if count < min.unwrap_or(0) || count > max.unwrap_or(u64::MAX) {
                findings.add(property, "template-count", format!("{wanted} has {count} values"));
            }
        }
        for value in found {
            if named(pattern, "constraints").any(|constraints| !satisfies(constraints, kind, value)) {
                let message = format!("{wanted}: {value:?} is none of the values its pattern allows");
                findings.add(property, "template-constraint", message);
            }
        }
    }
}

fn values_of<'a>(property: Node<'a, '_>) -> Vec<&'a str> {
    match name(property) {
        "propval" => vec![attribute(property, "value")],
        _ => elements(property).flat_map(elements).map(|value| attribute(value, "value")).collect(),
    }
}

fn satisfies(constraints: Node, kind: &str, value: &str) -> bool {
    let number = values::number(value).filter(|_| ["integer", "count"].contains(&kind));
    elements(constraints).next().is_none()
        || elements(constraints).any(|constraint| match name(constraint) {
            "value" => {
                let allowed = attribute(constraint, "name");
                allowed == value || number.is_some() && number == values::number(allowed)
            }
            _ => {
                let bounds =
                    values::number(attribute(constraint, "min")).zip(values::number(attribute(constraint, "max")));
                number.zip(bounds).is_some_and(|(number, (min, max))| (min..=max).contains(&number))
            }
        })
}
