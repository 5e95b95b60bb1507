//! The document held against its type: which elements, in which order, with which attributes.

use roxmltree::Node;

use super::dtd::{self, Content, Occurs, Place};
use super::{Findings, elements, name};

pub fn check(node: Node, findings: &mut Findings) {
    let Some(element) = dtd::element(name(node)) else {
        findings.add(node, "element-unknown", format!("there is no element <{}> in manifests", name(node)));
        return;
    };
    attributes(node, element, findings);
    let takes_text = matches!(element.content, Content::Text | Content::Anything);
    if !takes_text
        && node.children().any(|child| child.is_text() && !child.text().unwrap_or_default().trim().is_empty())
    {
        findings.add(node, "text", format!("<{}> has text in it", element.name));
    }
    match &element.content {
        Content::Anything => (),
        Content::Empty | Content::Text => {
            if let Some(child) = elements(node).next() {
                findings.add(child, "element-order", format!("<{}> takes no elements", element.name));
            }
        }
        Content::OneKind(names) => one_kind(node, names, findings),
        Content::Sequence(places) => sequence(node, places, findings),
    }
}

fn attributes(node: Node, element: &dtd::Element, findings: &mut Findings) {
    for expected in element.attributes.iter().filter(|expected| expected.required) {
        if !node.attributes().any(|attribute| full_name(&attribute) == expected.name) {
            let message = format!("<{}> has no attribute {}", element.name, expected.name);
            findings.add(node, "attribute-missing", message);
        }
    }
    for attribute in node.attributes() {
        let attribute_name = full_name(&attribute);
        match element.attributes.iter().find(|expected| expected.name == attribute_name) {
            None => {
                let message = format!("<{}> takes no attribute {attribute_name}", element.name);
                findings.add(node, "attribute-unknown", message);
            }
            Some(expected) if !expected.values.is_empty() && !expected.values.contains(&attribute.value()) => {
                let (value, allowed) = (attribute.value(), expected.values.join(", "));
                let message = format!("{attribute_name}={value:?} of <{}> is none of {allowed}", element.name);
                findings.add(node, "attribute-value", message);
            }
            Some(_) => (),
        }
    }
}

fn full_name(attribute: &roxmltree::Attribute) -> String {
    match attribute.namespace() {
        Some("http://www.w3.org/XML/1998/namespace") => format!("xml:{}", attribute.name()),
        _ => attribute.name().to_string(),
    }
}

fn one_kind(node: Node, names: &[&str], findings: &mut Findings) {
    let mut first = None;
    for child in elements(node) {
        let kind = name(child);
        if !names.contains(&kind) || *first.get_or_insert(kind) != kind {
            let message = format!("<{kind}> in <{}>, which takes one kind of {}", name(node), names.join(", "));
            findings.add(child, "element-order", message);
        }
    }
}

/// The document type is deterministic: a child belongs to the first place that still takes it.
fn sequence(node: Node, places: &[Place], findings: &mut Findings) {
    let mut children = elements(node).peekable();
    for place in places {
        let mut found = 0;
        while let Some(child) = children.next_if(|child| place.names.contains(&name(*child))) {
            found += 1;
            if found > 1 && matches!(place.occurs, Occurs::Once | Occurs::Maybe) {
                let message =
                    format!("<{}> may stand here once, beside none of {}", name(child), place.names.join(", "));
                findings.add(child, "element-order", message);
            }
        }
        if found == 0 && matches!(place.occurs, Occurs::Once | Occurs::Some) {
            let message = format!("<{}> lacks <{}>", name(node), place.names.join("> or <"));
            findings.add(node, "element-missing", message);
        }
    }
    // One is enough: after it nothing is where it belongs.
    if let Some(child) = children.next() {
        let taken = places.iter().any(|place| place.names.contains(&name(child)));
        let why = if taken { "comes too late" } else { "has no place" };
        let order: Vec<&str> = places.iter().flat_map(|place| place.names.iter().copied()).collect();
        let message = format!("<{}> {why} in <{}>, whose order is {}", name(child), name(node), order.join(", "));
        findings.add(child, "element-order", message);
    }
}
