//! `service_bundle.dtd.1` as a table: for each element its children in their order, and its attributes.
//!
//! Of the document type's two forms this is the one for manifests, where types are required. It is data; what is done
//! with it is in `structure`.

/// An element of the document type.
pub struct Element {
    pub name: &'static str,
    pub content: Content,
    pub attributes: &'static [Attribute],
}

pub enum Content {
    Empty,
    Text,
    Anything,
    /// One place after the other.
    Sequence(&'static [Place]),
    /// Any number of one of them, and nothing of the others.
    OneKind(&'static [&'static str]),
}

/// Children that may stand at one place of a sequence.
pub struct Place {
    pub names: &'static [&'static str],
    pub occurs: Occurs,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Occurs {
    Once,
    /// At most once.
    Maybe,
    AnyNumber,
    /// At least once.
    Some,
}

pub struct Attribute {
    pub name: &'static str,
    pub required: bool,
    /// The only values; empty = any text.
    pub values: &'static [&'static str],
}

/// The element of this name.
pub fn element(name: &str) -> Option<&'static Element> {
    ELEMENTS.iter().find(|element| element.name == name)
}

use Content::{Anything, Empty, OneKind, Sequence, Text};

const fn once(names: &'static [&'static str]) -> Place {
    Place { names, occurs: Occurs::Once }
}
const fn maybe(names: &'static [&'static str]) -> Place {
    Place { names, occurs: Occurs::Maybe }
}
const fn any(names: &'static [&'static str]) -> Place {
    Place { names, occurs: Occurs::AnyNumber }
}
const fn some(names: &'static [&'static str]) -> Place {
    Place { names, occurs: Occurs::Some }
}

const fn must(name: &'static str) -> Attribute {
    Attribute { name, required: true, values: &[] }
}
const fn must_be(name: &'static str, values: &'static [&'static str]) -> Attribute {
    Attribute { name, required: true, values }
}
const fn may(name: &'static str) -> Attribute {
    Attribute { name, required: false, values: &[] }
}
const fn may_be(name: &'static str, values: &'static [&'static str]) -> Attribute {
    Attribute { name, required: false, values }
}

const fn of(name: &'static str, content: Content, attributes: &'static [Attribute]) -> Element {
    Element { name, content, attributes }
}
/// A typed list of values.
const fn list(name: &'static str) -> Element {
    const VALUES: &[Place] = &[some(&["value_node"])];
    of(name, Sequence(VALUES), &[])
}
/// Text in one or several languages.
const fn texts(name: &'static str) -> Element {
    const TEXTS: &[Place] = &[some(&["loctext"])];
    of(name, Sequence(TEXTS), &[])
}

const FLAG: &[&str] = &["true", "false"];
const GROUPING: &[&str] = &["require_all", "require_any", "exclude_all", "optional_all"];
const RESTART_ON: &[&str] = &["error", "restart", "refresh", "none"];
const PROPERTIES: Place = any(&["propval", "property"]);

/// Every type of a property. Each has a list element, called after it.
pub const TYPES: &[&str] = &[
    "count",
    "integer",
    "opaque",
    "host",
    "hostname",
    "net_address",
    "net_address_v4",
    "net_address_v6",
    "time",
    "astring",
    "ustring",
    "boolean",
    "fmri",
    "uri",
];
const LISTS: &[&str] = &[
    "count_list",
    "integer_list",
    "opaque_list",
    "host_list",
    "hostname_list",
    "net_address_list",
    "net_address_v4_list",
    "net_address_v6_list",
    "time_list",
    "astring_list",
    "ustring_list",
    "boolean_list",
    "fmri_list",
    "uri_list",
];

#[rustfmt::skip]
static ELEMENTS: &[Element] = &[
    of("service_bundle", OneKind(&["service_bundle", "service", "xi:include"]), &[must("type"), must("name")]),
    of("xi:include", Sequence(&[once(&["xi:fallback"])]), &[must("href"), may_be("parse", &["xml", "text"]), may("encoding")]),
    of("xi:fallback", Anything, &[]),
    of("service", Sequence(&[
        maybe(&["create_default_instance"]), maybe(&["single_instance"]), maybe(&["restarter"]),
        any(&["dependency"]), any(&["dependent"]), maybe(&["method_context"]), any(&["exec_method"]),
        any(&["notification_parameters"]), any(&["property_group"]), any(&["instance"]),
        maybe(&["stability"]), maybe(&["template"]),
    ]), &[must("name"), must("version"), must_be("type", &["service", "restarter", "milestone"])]),
    of("instance", Sequence(&[
        maybe(&["restarter"]), any(&["dependency"]), any(&["dependent"]), maybe(&["method_context"]),
        any(&["exec_method"]), any(&["notification_parameters"]), any(&["property_group"]), maybe(&["template"]),
    ]), &[must("name"), must_be("enabled", FLAG)]),
    of("create_default_instance", Empty, &[must_be("enabled", FLAG)]),
    of("single_instance", Empty, &[]),
    of("restarter", Sequence(&[once(&["service_fmri"])]), &[]),
    of("service_fmri", Empty, &[must("value")]),
    of("dependency", Sequence(&[any(&["service_fmri"]), maybe(&["stability"]), PROPERTIES]), &[
        must("name"), must_be("grouping", GROUPING), must_be("restart_on", RESTART_ON), must("type"), may_be("delete", FLAG),
    ]),
    of("dependent", Sequence(&[once(&["service_fmri"]), maybe(&["stability"]), PROPERTIES]), &[
        must("name"), must_be("grouping", GROUPING), must_be("restart_on", RESTART_ON), may_be("delete", FLAG), may_be("override", FLAG),
    ]),
    of("method_context", Sequence(&[maybe(&["method_profile", "method_credential"]), maybe(&["method_environment"])]), &[
        may("security_flags"), may("working_directory"), may("project"), may("resource_pool"),
    ]),
    of("method_profile", Empty, &[must("name")]),
    of("method_credential", Empty, &[must("user"), may("group"), may("supp_groups"), may("privileges"), may("limit_privileges")]),
    of("method_environment", Sequence(&[some(&["envvar"])]), &[]),
    of("envvar", Empty, &[must("name"), must("value")]),
    of("exec_method", Sequence(&[maybe(&["method_context"]), maybe(&["stability"]), PROPERTIES]), &[
        must_be("type", &["method", "monitor"]), must("name"), must("exec"), must("timeout_seconds"), may_be("delete", FLAG),
    ]),
    of("notification_parameters", Sequence(&[once(&["event"]), some(&["type"])]), &[]),
    of("event", Empty, &[must("value")]),
    of("type", Sequence(&[any(&["parameter", "paramval"])]), &[must("name"), may_be("active", FLAG)]),
    of("parameter", Sequence(&[any(&["value_node"])]), &[must("name")]),
    of("paramval", Empty, &[must("name"), must("value")]),
    of("property_group", Sequence(&[maybe(&["stability"]), PROPERTIES]), &[must("name"), must("type"), may_be("delete", FLAG)]),
    of("propval", Empty, &[must("name"), must_be("type", TYPES), must("value"), may_be("override", FLAG)]),
    of("property", Sequence(&[maybe(LISTS)]), &[must("name"), must_be("type", TYPES), may_be("override", FLAG)]),
    list("count_list"), list("integer_list"), list("opaque_list"), list("host_list"), list("hostname_list"),
    list("net_address_list"), list("net_address_v4_list"), list("net_address_v6_list"), list("time_list"),
    list("astring_list"), list("ustring_list"), list("boolean_list"), list("fmri_list"), list("uri_list"),
    of("value_node", Empty, &[must("value")]),
    of("stability", Empty, &[must_be("value", &["Standard", "Stable", "Evolving", "Unstable", "External", "Obsolete"])]),
    of("template", Sequence(&[once(&["common_name"]), maybe(&["description"]), maybe(&["documentation"]), any(&["pg_pattern"])]), &[]),
    texts("common_name"), texts("description"), texts("units"),
    of("loctext", Text, &[must("xml:lang")]),
    of("documentation", Sequence(&[any(&["doc_link", "manpage"])]), &[]),
    of("doc_link", Empty, &[must("name"), must("uri")]),
    of("manpage", Empty, &[must("title"), must("section"), may("manpath")]),
    of("pg_pattern", Sequence(&[maybe(&["common_name"]), maybe(&["description"]), any(&["prop_pattern"])]), &[
        may("name"), may("type"), may_be("required", FLAG), may_be("target", &["this", "instance", "delegate", "all"]),
    ]),
    of("prop_pattern", Sequence(&[
        maybe(&["common_name"]), maybe(&["description"]), maybe(&["units"]), maybe(&["visibility"]), maybe(&["cardinality"]),
        maybe(&["internal_separators"]), maybe(&["values"]), maybe(&["constraints"]), maybe(&["choices"]),
    ]), &[must("name"), may_be("type", TYPES), may_be("required", FLAG)]),
    of("visibility", Empty, &[must_be("value", &["hidden", "readonly", "readwrite"])]),
    of("cardinality", Empty, &[may("min"), may("max")]),
    of("internal_separators", Text, &[]),
    of("values", Sequence(&[some(&["value"])]), &[]),
    of("value", Sequence(&[maybe(&["common_name"]), maybe(&["description"])]), &[must("name")]),
    of("constraints", Sequence(&[any(&["value"]), any(&["range"])]), &[]),
    of("choices", Sequence(&[any(&["value"]), any(&["range"]), any(&["include_values"])]), &[]),
    of("range", Empty, &[must("min"), must("max")]),
    of("include_values", Empty, &[must_be("type", &["constraints", "values"])]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_child_of_an_element_is_in_the_table() {
        for parent in ELEMENTS {
            let children: Vec<&str> = match parent.content {
                Sequence(places) => places.iter().flat_map(|place| place.names.iter().copied()).collect(),
                OneKind(names) => names.to_vec(),
                _ => vec![],
            };
            for child in children {
                assert!(element(child).is_some(), "<{child}> in <{}>", parent.name);
            }
        }
    }

    #[test]
    fn every_type_has_its_list() {
        assert_eq!(TYPES.iter().map(|kind| format!("{kind}_list")).collect::<Vec<_>>(), LISTS);
    }
}
