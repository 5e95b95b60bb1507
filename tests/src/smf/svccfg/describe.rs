//! `svccfg describe`: the entity's own properties as `listprop` has them, with what the templates say of each below it.
//!
//! As on illumos the values are the entity's own, while the templates are the service's as well. Not simulated: `-t`, the
//! texts of single values, and the templates that SMF itself has for groups such as `general`.

use super::{Done, Engine};
use crate::smf::fmri::Entity;
use crate::smf::model::{Group, Groups, Property, composed};

const UNLIMITED: &str = "18446744073709551615";

impl Engine<'_, '_> {
    pub(super) fn describe(&mut self, pattern: Option<&str>, verbose: bool) -> Done {
        let store = self.store()?;
        let own = self.groups(&store)?;
        let templates = match self.selected()? {
            Entity::Service(_) => own.clone(),
            Entity::Instance(name) => composed(&own, &store.service(&name.service).unwrap_or_default()),
        };
        if pattern.is_none() {
            for line in of_entity(&own, verbose) {
                self.tool.print(line);
            }
        }
        for (line, pg, prop) in self.listing(&own, pattern) {
            self.tool.print(line);
            let Some(group) = own.get(pg) else { continue };
            let Some((key, pattern)) = group_pattern(&templates, pg, &group.ty) else { continue };
            let below = match prop.map(|prop| (group.properties.get(prop), property_pattern(&templates, key, prop))) {
                None => of_group(pattern, verbose),
                Some((Some(property), Some(pattern))) => of_property(pattern, property, verbose),
                Some(_) => Vec::new(),
            };
            for line in below {
                self.tool.print(line);
            }
        }
        Ok(())
    }
}

/// The pattern that a group of this name and type falls under; one without a name or type fits any.
fn group_pattern<'t>(templates: &'t Groups, pg: &str, ty: &str) -> Option<(&'t str, &'t Group)> {
    let fits = |pattern: &Group, property: &str, word: &str| {
        pattern.value(property).is_none_or(|wanted| wanted.is_empty() || wanted == word)
    };
    let patterns = templates.iter().filter(|(_, group)| group.ty == "template_pg_pattern");
    patterns.map(|(key, group)| (key.as_str(), group)).find(|(_, p)| fits(p, "name", pg) && fits(p, "type", ty))
}

fn property_pattern<'t>(templates: &'t Groups, key: &str, prop: &str) -> Option<&'t Group> {
    let mut patterns = templates.values().filter(|group| group.ty == "template_prop_pattern");
    patterns.find(|p| p.value("pg_pattern") == Some(key) && p.value("name") == Some(prop))
}

fn of_entity(own: &Groups, verbose: bool) -> Vec<String> {
    let text = |name: &str| own.get(name).and_then(|group| group.value("C"));
    let mut lines: Vec<String> =
        text("tm_common_name").map(|name| format!("    common name: {name}")).into_iter().collect();
    if !verbose {
        return lines;
    }
    lines.extend(text("tm_description").map(|description| format!("    description: {description}")));
    for (_, page) in own.iter().filter(|(name, _)| name.starts_with("tm_man_")) {
        lines.push("    manpage:".into());
        let words = ["title", "section", "manpath"];
        lines.extend(words.iter().filter_map(|word| Some(format!("        {word}: {}", page.value(word)?))));
    }
    lines
}

/// The lines `name: value` of those properties that a pattern has.
fn labelled(pattern: &Group, labels: &[(&str, &str)]) -> Vec<String> {
    let line = |(label, property): &(&str, &str)| Some(format!("    {label}: {}", pattern.value(property)?));
    labels.iter().filter_map(line).collect()
}

fn of_group(pattern: &Group, verbose: bool) -> Vec<String> {
    let labels = [("required", "required"), ("target", "target"), ("common name", "common_name_C")];
    let mut lines = if verbose { labelled(pattern, &labels) } else { Vec::new() };
    lines.extend(pattern.value("description_C").map(|description| format!("    {description}")));
    lines
}

fn of_property(pattern: &Group, property: &Property, verbose: bool) -> Vec<String> {
    let description = pattern.value("description_C").map(|description| format!("    {description}"));
    if !verbose {
        return description.into_iter().collect();
    }
    let named = [("type", "type"), ("required", "required"), ("common name", "common_name_C"), ("units", "units_C")];
    let mut lines = labelled(pattern, &named);
    lines.extend(description);
    lines.extend(labelled(pattern, &[("visibility", "visibility"), ("minimum number of values", "cardinality_min")]));
    lines.extend(
        pattern
            .value("cardinality_max")
            .map(|max| format!("    maximum number of values: {}", if max == UNLIMITED { "unlimited" } else { max })),
    );
    lines.extend(property.values.iter().map(|value| format!("  value: {value}")));
    // Choices by name stand under this heading as well, as in svccfg itself.
    for (heading, name, range) in
        [("value constraints", "constraint_name", "constraint_range"), ("value choices", "choice_name", "choice_range")]
    {
        let names = pattern.values(name);
        if !names.is_empty() {
            lines.push("  value constraints:".into());
            lines.extend(names.iter().map(|name| format!("    value name: {name}")));
        }
        let ranges = pattern.values(range);
        if !ranges.is_empty() && names.is_empty() {
            lines.push(format!("  {heading}:"));
        }
        lines.extend(ranges.iter().map(|range| format!("    range: {}", range.replacen(',', " to ", 1))));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::Type;
    use crate::smf::svccfg::templates;

    fn stored() -> Groups {
        let text = "<template><common_name><loctext>A machine</loctext></common_name>\
            <description><loctext>What it is</loctext></description>\
            <documentation><manpage title='vboxsvc' section='7' manpath='/usr/share/man'/></documentation>\
            <pg_pattern name='vm' type='application' target='instance' required='false'>\
            <prop_pattern name='n' type='integer' required='false'>\
            <common_name><loctext>Number</loctext></common_name><description><loctext>How many</loctext></description>\
            <units><loctext>pieces</loctext></units><visibility value='readwrite'/><cardinality min='0' max='1'/>\
            <constraints><range min='0' max='9'/></constraints></prop_pattern></pg_pattern></template>";
        let mut groups = Groups::new();
        templates::store(roxmltree::Document::parse(text).unwrap().root_element(), &mut groups);
        groups
    }

    #[test]
    fn a_property_is_told_with_its_texts_its_value_and_its_limits() {
        let templates = stored();
        let (key, _) = group_pattern(&templates, "vm", "application").unwrap();
        let pattern = property_pattern(&templates, key, "n").unwrap();
        let property = Property { ty: Type::Integer, values: vec!["5".into()] };
        let told = of_property(pattern, &property, true);
        let expected = [
            "    type: integer",
            "    required: false",
            "    common name: Number",
            "    units: pieces",
            "    How many",
            "    visibility: readwrite",
            "    minimum number of values: 0",
            "    maximum number of values: 1",
            "  value: 5",
            "  value constraints:",
            "    range: 0 to 9",
        ];
        assert_eq!(told, expected);
        assert_eq!(of_property(pattern, &property, false), ["    How many"]);
        assert!(group_pattern(&templates, "vm", "framework").is_none());
    }

    #[test]
    fn the_entity_is_told_with_its_pages() {
        let told = of_entity(&stored(), true).join("\n");
        assert!(told.starts_with("    common name: A machine\n    description: What it is\n    manpage:\n"), "{told}");
        assert!(told.contains("        title: vboxsvc\n        section: 7"), "{told}");
    }
}
