//! Templates: how patterns are kept in the repository, and what they find wrong with an entity's values.

use roxmltree::Node;

use crate::smf::model::{Group, Groups, Property, Type};

const UNLIMITED: &str = "18446744073709551615";

fn text_of(node: Node, child: &str) -> Option<String> {
    let holder = node.children().find(|c| c.has_tag_name(child))?;
    let text = holder.descendants().find(|d| d.has_tag_name("loctext"))?.text()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |c| c.has_tag_name(name))
}

/// Writes a `<template>` element as property groups of type `template` and its patterns.
pub fn store(node: Node, groups: &mut Groups) {
    for (element, name) in [("common_name", "tm_common_name"), ("description", "tm_description")] {
        if let Some(text) = text_of(node, element) {
            let mut group = Group::new("template");
            group.set("C", Type::Ustring, text);
            groups.insert(name.into(), group);
        }
    }
    let pages = children(node, "documentation").flat_map(|all| children(all, "manpage"));
    for page in pages {
        let of = |name| page.attribute(name).unwrap_or_default();
        let mut group = Group::new("template");
        for name in ["title", "section", "manpath"] {
            group.set(name, Type::Astring, of(name));
        }
        groups.insert(format!("tm_man_{}{}", of("title"), of("section")), group);
    }
    for pattern in children(node, "pg_pattern") {
        let (name, ty) = (pattern.attribute("name").unwrap_or_default(), pattern.attribute("type").unwrap_or_default());
        let mut group = Group::new("template_pg_pattern");
        group.set("name", Type::Astring, name);
        group.set("type", Type::Astring, ty);
        group.set("required", Type::Boolean, pattern.attribute("required").unwrap_or("false"));
        group.set("target", Type::Astring, pattern.attribute("target").unwrap_or("this"));
        describe(pattern, &mut group);
        let key = format!("tm_pgpatt_{name}_{ty}");
        for prop in children(pattern, "prop_pattern") {
            let own = format!("tm_proppatt_{name}_{}", prop.attribute("name").unwrap_or_default());
            groups.insert(own, property_pattern(prop, &key));
        }
        groups.insert(key, group);
    }
}

fn describe(node: Node, group: &mut Group) {
    for element in ["common_name", "description", "units"] {
        if let Some(text) = text_of(node, element) {
            group.set(&format!("{element}_C"), Type::Ustring, text);
        }
    }
}

fn property_pattern(node: Node, of: &str) -> Group {
    let mut group = Group::new("template_prop_pattern");
    group.set("pg_pattern", Type::Astring, of);
    group.set("name", Type::Astring, node.attribute("name").unwrap_or_default());
    group.set("type", Type::Astring, node.attribute("type").unwrap_or_default());
    group.set("required", Type::Boolean, node.attribute("required").unwrap_or("false"));
    describe(node, &mut group);
    if let Some(visibility) = children(node, "visibility").next() {
        group.set("visibility", Type::Astring, visibility.attribute("value").unwrap_or_default());
    }
    if let Some(cardinality) = children(node, "cardinality").next() {
        group.set("cardinality_min", Type::Count, cardinality.attribute("min").unwrap_or("0"));
        group.set("cardinality_max", Type::Count, cardinality.attribute("max").unwrap_or(UNLIMITED));
    }
    for (element, prefix) in [("constraints", "constraint"), ("choices", "choice")] {
        let Some(holder) = children(node, element).next() else { continue };
        let mut names: Vec<String> =
            children(holder, "value").filter_map(|v| Some(v.attribute("name")?.to_string())).collect();
        for include in children(holder, "include_values") {
            let from = if include.attribute("type") == Some("values") { "values" } else { "constraints" };
            let values = children(node, from).flat_map(|f| children(f, "value"));
            names.extend(values.filter_map(|v| Some(v.attribute("name")?.to_string())));
        }
        let ranges = children(holder, "range")
            .map(|r| format!("{},{}", r.attribute("min").unwrap_or_default(), r.attribute("max").unwrap_or_default()));
        let ranges: Vec<String> = ranges.collect();
        for (suffix, values) in [("name", names), ("range", ranges)] {
            if !values.is_empty() {
                group.properties.insert(format!("{prefix}_{suffix}"), Property { ty: Type::Astring, values });
            }
        }
    }
    group
}

/// Checks an entity's composed groups against the patterns that the same groups hold. Patterns for `target` count.
pub fn errors(fmri: &str, groups: &Groups, targets: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let patterns = groups.iter().filter(|(_, g)| g.ty == "template_pg_pattern");
    for (key, pattern) in patterns.filter(|(_, p)| targets.contains(&p.value("target").unwrap_or_default())) {
        let (name, ty) = (pattern.value("name").unwrap_or_default(), pattern.value("type").unwrap_or_default());
        let report = |what: &str, detail: String| format!("{what}.\n\tFMRI=\"{fmri}\"\n\t{detail}");
        let Some(group) = groups.get(name) else {
            if pattern.value("required") == Some("true") {
                found.push(report("Required property group missing", format!("Property group=\"{name}\"")));
            }
            continue;
        };
        if !ty.is_empty() && group.ty != ty {
            found.push(report(
                "Property group has bad type",
                format!("Property group=\"{name}\", type \"{}\"", group.ty),
            ));
        }
        let properties = groups.values().filter(|g| g.ty == "template_prop_pattern");
        for property in properties.filter(|p| p.value("pg_pattern") == Some(key)) {
            let prop = property.value("name").unwrap_or_default();
            if let Some((what, value)) = property_error(property, group.properties.get(prop)) {
                found.push(report(what, format!("Property group=\"{name}\", property name=\"{prop}\"{value}")));
            }
        }
    }
    found
}

fn property_error(pattern: &Group, property: Option<&Property>) -> Option<(&'static str, String)> {
    let Some(property) = property else {
        return (pattern.value("required") == Some("true")).then(|| ("Required property missing", String::new()));
    };
    let ty = pattern.value("type").unwrap_or_default();
    if !ty.is_empty() && property.ty.word() != ty {
        return Some(("Property has bad type", format!(", type \"{}\"", property.ty)));
    }
    let limit = |name: &str, default: u64| pattern.value(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let count = property.values.len() as u64;
    if count < limit("cardinality_min", 0) || count > limit("cardinality_max", u64::MAX) {
        return Some(("Number of property values violates cardinality restriction", format!(", {count} values")));
    }
    let (names, ranges) = (pattern.values("constraint_name"), pattern.values("constraint_range"));
    if names.is_empty() && ranges.is_empty() {
        return None;
    }
    let in_range = |value: &String| {
        ranges.iter().any(|range| {
            let bounds = range.split_once(',').map(|(a, b)| (a.trim().parse::<i128>(), b.trim().parse::<i128>()));
            matches!((bounds, value.parse::<i128>()), (Some((Ok(min), Ok(max))), Ok(v)) if min <= v && v <= max)
        })
    };
    let bad = property.values.iter().find(|v| !names.contains(v) && !in_range(v))?;
    let what = if names.is_empty() { "Property value is out of range" } else { "Property has illegal value" };
    Some((what, format!(", value \"{bad}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(value: Property) -> Groups {
        let text = "<template><common_name><loctext>x</loctext></common_name><pg_pattern name='vm' type='application' target='instance'>\
            <prop_pattern name='n' type='integer' required='true'><cardinality min='1' max='1'/><constraints><range min='0' max='9'/></constraints></prop_pattern>\
            </pg_pattern></template>";
        let document = roxmltree::Document::parse(text).unwrap();
        let mut all = Groups::new();
        store(document.root_element(), &mut all);
        let mut vm = Group::new("application");
        vm.properties.insert("n".into(), value);
        all.insert("vm".into(), vm);
        all
    }

    #[test]
    fn values_are_held_against_their_pattern() {
        let of = |ty, values: &[&str]| Property { ty, values: values.iter().map(|v| v.to_string()).collect() };
        let check = |property| errors("svc:/a:b", &groups(property), &["instance"]).join("");
        assert_eq!(check(of(Type::Integer, &["5"])), "");
        assert!(check(of(Type::Integer, &["10"])).starts_with("Property value is out of range"));
        assert!(check(of(Type::Integer, &["1", "2"])).starts_with("Number of property values"));
        assert!(check(of(Type::Astring, &["5"])).starts_with("Property has bad type"));
        assert_eq!(errors("svc:/a", &groups(of(Type::Astring, &["5"])), &["this"]), Vec::<String>::new());
        let mut missing = groups(of(Type::Integer, &["5"]));
        missing.get_mut("vm").unwrap().properties.clear();
        assert!(errors("svc:/a:b", &missing, &["instance"])[0].starts_with("Required property missing"));
    }
}
