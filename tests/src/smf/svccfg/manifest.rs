//! Manifests: from XML to the property groups that an import puts into the repository.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use roxmltree::{Document, Node, ParsingOptions};

use super::dtd;
use super::templates;
use crate::smf::model::{Group, Groups, Property, Type, is_name, is_service_name};

#[derive(Debug, Default, Clone)]
pub struct Bundle {
    pub services: Vec<ServiceSpec>,
}

#[derive(Debug, Default, Clone)]
pub struct ServiceSpec {
    pub name: String,
    pub spec: EntitySpec,
    pub instances: Vec<(String, EntitySpec)>,
}

/// What a manifest says of one service or instance.
#[derive(Debug, Default, Clone)]
pub struct EntitySpec {
    pub groups: Groups,
    /// Properties marked `override="true"`.
    pub overrides: BTreeSet<(String, String)>,
    /// Groups marked `delete="true"`.
    pub deletes: BTreeSet<String>,
    /// Dependencies this one places in others: the other's FMRI, the name, the group.
    pub dependents: Vec<(String, String, Group)>,
}

#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    #[error("Unable to read {path}: {source}")]
    Read { path: String, source: io::Error },
    #[error("couldn't parse document: {0}")]
    Xml(#[from] roxmltree::Error),
    #[error("document DTD unknown; not service bundle?")]
    NotABundle,
    #[error("{}\nsvccfg: Document is not valid.", .0.join("\n"))]
    Invalid(Vec<String>),
}

pub fn load(path: &Path) -> Result<Bundle, ManifestError> {
    let text =
        fs::read_to_string(path).map_err(|source| ManifestError::Read { path: path.display().to_string(), source })?;
    parse(&text)
}

pub fn parse(text: &str) -> Result<Bundle, ManifestError> {
    let document = Document::parse_with_options(text, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() })?;
    // roxmltree forgets the DOCTYPE once it is read.
    let doctype = text.split_once("<!DOCTYPE").and_then(|(_, rest)| rest.split_whitespace().next());
    if doctype != Some("service_bundle") {
        return Err(ManifestError::NotABundle);
    }
    let mut problems = dtd::problems(&document);
    let mut bundle = Bundle::default();
    for node in document.descendants().filter(|n| n.has_tag_name("service")) {
        bundle.services.push(service(node, &mut problems));
    }
    if problems.is_empty() { Ok(bundle) } else { Err(ManifestError::Invalid(problems)) }
}

fn attribute(node: Node, name: &str) -> String {
    node.attribute(name).unwrap_or_default().to_string()
}

fn elements<'a, 'i>(node: Node<'a, 'i>) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(Node::is_element)
}

fn service(node: Node, problems: &mut Vec<String>) -> ServiceSpec {
    let name = attribute(node, "name");
    if !is_service_name(&name) {
        problems.push(format!("service has invalid name \"{name}\""));
    }
    let mut service = ServiceSpec { spec: entity(node, problems), name, instances: Vec::new() };
    for child in elements(node) {
        let (name, enabled) = match child.tag_name().name() {
            "create_default_instance" => ("default".to_string(), attribute(child, "enabled")),
            "instance" => (attribute(child, "name"), attribute(child, "enabled")),
            _ => continue,
        };
        if !is_name(&name) {
            problems.push(format!("Service \"{}\" has instance with invalid name \"{name}\".", service.name));
        }
        let mut spec = if child.has_tag_name("instance") { entity(child, problems) } else { EntitySpec::default() };
        group(&mut spec, "general", "framework").set("enabled", Type::Boolean, enabled);
        service.instances.push((name, spec));
    }
    service
}

fn group<'s>(spec: &'s mut EntitySpec, name: &str, ty: &str) -> &'s mut Group {
    spec.groups.entry(name.into()).or_insert_with(|| Group::new(ty))
}

fn entity(node: Node, problems: &mut Vec<String>) -> EntitySpec {
    let mut spec = EntitySpec::default();
    for child in elements(node) {
        let name = attribute(child, "name");
        if child.attribute("delete") == Some("true") {
            spec.deletes.insert(name);
            continue;
        }
        match child.tag_name().name() {
            "property_group" => {
                let ty = attribute(child, "type");
                let properties = properties(child, &name, &mut spec.overrides, problems);
                group(&mut spec, &name, &ty).properties.extend(properties);
            }
            "dependency" => {
                let made = dependency(child, &name, &attribute(child, "type"), &mut spec.overrides, problems);
                spec.groups.insert(name, made);
            }
            "dependent" => {
                let mut made = dependency(child, &name, "service", &mut BTreeSet::new(), problems);
                let target = made.value("entities").unwrap_or_default().to_string();
                made.set("external", Type::Boolean, "true");
                spec.dependents.push((target, name, made));
            }
            "exec_method" => {
                let mut made = Group::new(if attribute(child, "type") == "monitor" { "monitor" } else { "method" });
                made.properties = properties(child, &name, &mut spec.overrides, problems).into_iter().collect();
                made.set("type", Type::Astring, attribute(child, "type"));
                made.set("exec", Type::Astring, attribute(child, "exec"));
                let timeout = attribute(child, "timeout_seconds");
                match Type::Count.canonical(timeout.trim()) {
                    Some(seconds) => made.set("timeout_seconds", Type::Count, seconds),
                    None => problems.push(format!("exec_method \"{name}\" has invalid timeout_seconds \"{timeout}\"")),
                }
                for context in elements(child).filter(|c| c.has_tag_name("method_context")) {
                    method_context(context, &mut made);
                }
                spec.groups.insert(name, made);
            }
            "method_context" => method_context(child, group(&mut spec, "method_context", "framework")),
            "restarter" => {
                let fmri = elements(child).next().map(|f| attribute(f, "value")).unwrap_or_default();
                group(&mut spec, "general", "framework").set("restarter", Type::Fmri, fmri);
            }
            "single_instance" => group(&mut spec, "general", "framework").set("single_instance", Type::Boolean, "true"),
            "stability" => {
                group(&mut spec, "general", "framework").set(
                    "entity_stability",
                    Type::Astring,
                    attribute(child, "value"),
                );
            }
            "template" => templates::store(child, &mut spec.groups),
            _ => {}
        }
    }
    spec
}

/// Properties of `propval`, `property` and `stability` children.
fn properties(
    node: Node,
    pg: &str,
    overrides: &mut BTreeSet<(String, String)>,
    problems: &mut Vec<String>,
) -> Vec<(String, Property)> {
    let mut all = Vec::new();
    for child in elements(node) {
        let name = attribute(child, "name");
        let texts: Vec<String> = match child.tag_name().name() {
            "propval" => vec![attribute(child, "value")],
            "property" => elements(child).flat_map(elements).map(|v| attribute(v, "value")).collect(),
            "stability" => {
                all.push(("stability".into(), Property::one(Type::Astring, attribute(child, "value"))));
                continue;
            }
            _ => continue,
        };
        let Some(ty) = Type::from_word(&attribute(child, "type")) else { continue };
        if !is_name(&name) {
            problems.push(format!("property group \"{pg}\" has property with invalid name \"{name}\""));
        }
        let values = texts.iter().filter_map(|text| {
            let value = ty.canonical(text);
            if value.is_none() {
                problems.push(format!("property \"{pg}/{name}\": Invalid \"{ty}\" value \"{text}\""));
            }
            value
        });
        let values = values.collect();
        if child.attribute("override") == Some("true") {
            overrides.insert((pg.to_string(), name.clone()));
        }
        all.push((name, Property { ty, values }));
    }
    all
}

fn dependency(
    node: Node,
    name: &str,
    ty: &str,
    overrides: &mut BTreeSet<(String, String)>,
    problems: &mut Vec<String>,
) -> Group {
    let mut made = Group::new("dependency");
    made.properties = properties(node, name, overrides, problems).into_iter().collect();
    made.set("type", Type::Astring, ty);
    made.set("grouping", Type::Astring, attribute(node, "grouping"));
    made.set("restart_on", Type::Astring, attribute(node, "restart_on"));
    let fmris = elements(node).filter(|f| f.has_tag_name("service_fmri")).map(|f| attribute(f, "value"));
    made.properties.insert("entities".into(), Property { ty: Type::Fmri, values: fmris.collect() });
    made
}

fn method_context(node: Node, into: &mut Group) {
    for name in ["working_directory", "project", "resource_pool", "security_flags"] {
        if let Some(value) = node.attribute(name) {
            into.set(name, Type::Astring, value);
        }
    }
    for child in elements(node) {
        match child.tag_name().name() {
            "method_credential" => {
                into.set("use_profile", Type::Boolean, "false");
                for attribute in child.attributes() {
                    into.set(attribute.name(), Type::Astring, attribute.value());
                }
            }
            "method_profile" => {
                into.set("use_profile", Type::Boolean, "true");
                into.set("profile", Type::Astring, attribute(child, "name"));
            }
            _ => {
                let pair = |e: Node| format!("{}={}", attribute(e, "name"), attribute(e, "value"));
                let values = elements(child).map(pair).collect();
                into.properties.insert("environment".into(), Property { ty: Type::Astring, values });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::value;

    const HEAD: &str =
        "<?xml version='1.0'?><!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>";

    #[test]
    fn elements_become_property_groups() {
        let text = format!(
            "{HEAD}<service_bundle type='manifest' name='t'><service name='site/t' type='service' version='1'>\
             <dependency name='fs' grouping='require_all' restart_on='none' type='service'><service_fmri value='svc:/system/filesystem/local'/></dependency>\
             <exec_method type='method' name='start' exec='/m start' timeout_seconds='-1'><method_context working_directory='/'><method_credential user='bob'/>\
             <method_environment><envvar name='A' value='b c'/></method_environment></method_context></exec_method>\
             <property_group name='vm' type='application'><property name='l' type='astring'><astring_list><value_node value='x'/><value_node value='y z'/></astring_list></property>\
             <propval name='o' type='boolean' value='true' override='true'/></property_group>\
             <instance name='one' enabled='true'/></service></service_bundle>"
        );
        let bundle = parse(&text).unwrap();
        let service = &bundle.services[0];
        let groups = &service.spec.groups;
        assert_eq!(value(groups, "fs", "entities"), Some("svc:/system/filesystem/local"));
        assert_eq!(value(groups, "start", "timeout_seconds"), Some("18446744073709551615"));
        assert_eq!(value(groups, "start", "use_profile"), Some("false"));
        assert_eq!(value(groups, "start", "environment"), Some("A=b c"));
        assert_eq!(groups["vm"].values("l"), ["x", "y z"]);
        assert!(service.spec.overrides.contains(&("vm".into(), "o".into())));
        assert_eq!(value(&service.instances[0].1.groups, "general", "enabled"), Some("true"));
    }

    #[test]
    fn what_is_not_a_bundle_is_said_so() {
        assert!(matches!(parse("<service_bundle type='manifest' name='x'/>"), Err(ManifestError::NotABundle)));
        assert!(matches!(parse("<service_bundle"), Err(ManifestError::Xml(_))));
        let bad = format!(
            "{HEAD}<service_bundle type='manifest' name='t'><service name='site/t' type='service' version='1'>\
             <property_group name='vm' type='application'><propval name='n' type='integer' value='x'/></property_group>\
             </service></service_bundle>"
        );
        assert!(matches!(parse(&bad), Err(ManifestError::Invalid(p)) if p[0].contains("vm/n")));
    }
}
