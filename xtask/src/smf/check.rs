//! Our own judgement of an SMF manifest, before any SMF sees it.
//!
//! It holds what svccfg would refuse, what it would only warn of, and what it would let through to fail on the host
//! later. `dtd` is the document type as a table, `structure` holds the document against it; `names`, `values`,
//! `methods` and `templates` know what the document type cannot say. The checker shares nothing with the renderer,
//! and knows nothing of this project's settings.

mod dtd;
mod methods;
mod names;
mod structure;
mod templates;
mod values;

use std::fmt;

use roxmltree::{Document, Node, ParsingOptions};

const DOCTYPE: &str = "<!DOCTYPE service_bundle SYSTEM \"/usr/share/lib/xml/dtd/service_bundle.dtd.1\">";

/// Something that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub line: u32,
    pub column: u32,
    /// Which rule it breaks: a word that stays the same, for people to look up and for programs to count.
    pub id: &'static str,
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.line, self.column, self.id, self.message)
    }
}

/// Everything wrong with the manifest `text`, in the order of its lines. Empty = good.
pub fn check(text: &str) -> Vec<Finding> {
    // The document type is only named, never loaded; entities that a document defines are expanded within limits.
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(error) => {
            let at = error.pos();
            return vec![Finding { line: at.row, column: at.col, id: "xml", message: error.to_string() }];
        }
    };
    let mut findings = Findings { document: &document, list: Vec::new() };
    let root = document.root_element();
    let prologue = text.get(..root.range().start).unwrap_or_default();
    if !prologue.contains(DOCTYPE) {
        findings.add(root, "doctype", format!("svccfg takes the document for no manifest without {DOCTYPE}"));
    }
    if name(root) != "service_bundle" {
        findings.add(root, "element-order", format!("<{}> where <service_bundle> was meant", name(root)));
    }
    for node in root.descendants().filter(Node::is_element) {
        structure::check(node, &mut findings);
        names::check(node, &mut findings);
        values::check(node, &mut findings);
        methods::check(node, &mut findings);
        templates::check(node, &mut findings);
    }
    let mut list = findings.list;
    list.sort();
    list.dedup();
    list
}

/// What was found so far, and the document to say where.
struct Findings<'a, 'input> {
    document: &'a Document<'input>,
    list: Vec<Finding>,
}

impl Findings<'_, '_> {
    fn add(&mut self, node: Node, id: &'static str, message: String) {
        let at = self.document.text_pos_at(node.range().start);
        self.list.push(Finding { line: at.row, column: at.col, id, message });
    }
}

const XINCLUDE: &str = "http://www.w3.org/2001/XInclude";

/// The name of an element as the document type writes it.
fn name<'a>(node: Node<'a, '_>) -> &'a str {
    match (node.tag_name().namespace(), node.tag_name().name()) {
        (Some(XINCLUDE), "include") => "xi:include",
        (Some(XINCLUDE), "fallback") => "xi:fallback",
        (_, name) => name,
    }
}

fn attribute<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    node.attribute(name).unwrap_or_default()
}

fn elements<'a, 'input>(node: Node<'a, 'input>) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(Node::is_element)
}

fn named<'a, 'input>(node: Node<'a, 'input>, wanted: &'static str) -> impl Iterator<Item = Node<'a, 'input>> {
    elements(node).filter(move |child| name(*child) == wanted)
}

#[cfg(test)]
mod tests;
