//! Whether a manifest has the shape that service_bundle.dtd.1 prescribes: elements, their order, their attributes.
//!
//! The DTD as a table, and one small matcher. It knows shape alone; what the values mean is for others.

use roxmltree::{Document, Node};

/// One element: its name, its content, its attributes.
///
/// Content is a sequence of `a|b` alternatives with `?`, `*`, `+` or nothing behind them; `#text` is character data.
/// Attributes are `name!` when required, `name=a|b` when enumerated, `name!=a|b` when both.
struct Element(&'static str, &'static str, &'static str);

const TYPES: &str = "count|integer|opaque|host|hostname|net_address|net_address_v4|net_address_v6|time|astring|ustring|boolean|fmri|uri";

const LISTS: &str = "count_list|integer_list|opaque_list|host_list|hostname_list|net_address_list|net_address_v4_list|net_address_v6_list|time_list|astring_list|ustring_list|boolean_list|fmri_list|uri_list?";

const DTD: [Element; 39] = [
    Element("service_bundle", "service_bundle|service*", "type!=manifest|profile|archive name!"),
    Element(
        "service",
        "create_default_instance? single_instance? restarter? dependency* dependent* method_context? exec_method* notification_parameters* property_group* instance* stability? template?",
        "name! type!=service|restarter|milestone version!",
    ),
    Element("create_default_instance", "", "enabled!=true|false"),
    Element("single_instance", "", ""),
    Element(
        "instance",
        "restarter? dependency* dependent* method_context? exec_method* notification_parameters* property_group* template?",
        "name! enabled!=true|false",
    ),
    Element("restarter", "service_fmri", ""),
    Element(
        "dependency",
        "service_fmri* stability? propval|property*",
        "name! grouping!=require_all|require_any|exclude_all|optional_all restart_on!=error|restart|refresh|none type! delete=true|false",
    ),
    Element(
        "dependent",
        "service_fmri stability? propval|property*",
        "name! grouping!=require_all|require_any|exclude_all|optional_all restart_on!=error|restart|refresh|none delete=true|false override=true|false",
    ),
    Element(
        "exec_method",
        "method_context? stability? propval|property*",
        "type!=method|monitor name! exec! timeout_seconds! delete=true|false",
    ),
    Element(
        "method_context",
        "method_profile|method_credential? method_environment?",
        "security_flags working_directory project resource_pool",
    ),
    Element("method_credential", "", "user! group supp_groups privileges limit_privileges"),
    Element("method_profile", "", "name!"),
    Element("method_environment", "envvar+", ""),
    Element("envvar", "", "name! value!"),
    Element("service_fmri", "", "value!"),
    Element("stability", "", "value!=Standard|Stable|Evolving|Unstable|External|Obsolete"),
    Element("property_group", "stability? propval|property*", "name! type! delete=true|false"),
    Element("propval", "", "name! type!=TYPES value! override=true|false"),
    Element("property", "LISTS", "name! type!=TYPES override=true|false"),
    Element("value_node", "", "value!"),
    Element("notification_parameters", "event type+", ""),
    Element("event", "", "value!"),
    Element("type", "parameter|paramval*", "name! active=true|false"),
    Element("parameter", "value_node*", "name!"),
    Element("paramval", "", "name! value!"),
    Element("template", "common_name description? documentation? pg_pattern*", ""),
    Element("common_name", "loctext+", ""),
    Element("description", "loctext+", ""),
    Element("units", "loctext+", ""),
    Element("loctext", "#text", "lang!"),
    Element("documentation", "doc_link|manpage*", ""),
    Element("doc_link", "", "name! uri!"),
    Element("manpage", "", "title! section! manpath"),
    Element(
        "pg_pattern",
        "common_name? description? prop_pattern*",
        "name type required=true|false target=this|instance|delegate|all",
    ),
    Element(
        "prop_pattern",
        "common_name? description? units? visibility? cardinality? internal_separators? values? constraints? choices?",
        "name! type=TYPES required=true|false",
    ),
    Element("visibility", "", "value!=hidden|readonly|readwrite"),
    Element("cardinality", "", "min max"),
    Element("internal_separators", "#text", ""),
    Element("values", "value+", ""),
];

const DTD_OF_CONSTRAINTS: [Element; 5] = [
    Element("value", "common_name? description?", "name!"),
    Element("constraints", "value* range*", ""),
    Element("range", "", "min! max!"),
    Element("choices", "value* range* include_values*", ""),
    Element("include_values", "", "type!=constraints|values"),
];

/// Everything wrong with the document's shape, each with its line.
pub fn problems(document: &Document) -> Vec<String> {
    let mut found = Vec::new();
    let root = document.root_element();
    if root.tag_name().name() != "service_bundle" {
        found.push(format!("root element is {}, not service_bundle", root.tag_name().name()));
    }
    for node in document.descendants().filter(Node::is_element) {
        let line = document.text_pos_at(node.range().start).row;
        found.extend(element_problem(node).map(|text| format!("line {line}: {text}")));
    }
    found
}

fn element_problem(node: Node) -> Option<String> {
    let name = node.tag_name().name();
    let (content, attributes) = if name.ends_with("_list") && LISTS.split(['|', '?']).any(|l| l == name) {
        ("value_node+", "")
    } else {
        let known = DTD.iter().chain(&DTD_OF_CONSTRAINTS).find(|e| e.0 == name);
        let Some(Element(_, content, attributes)) = known else {
            return Some(format!("No declaration for element {name}"));
        };
        (if *content == "LISTS" { LISTS } else { *content }, *attributes)
    };
    attribute_problem(node, attributes).or_else(|| content_problem(node, content))
}

fn attribute_problem(node: Node, declared: &str) -> Option<String> {
    let name = node.tag_name().name();
    let declared: Vec<(&str, bool, Option<&str>)> = declared
        .split_whitespace()
        .map(|spec| {
            let (key, choices) = spec.split_once('=').map_or((spec, None), |(k, c)| (k, Some(c)));
            (key.trim_end_matches('!'), key.ends_with('!'), choices)
        })
        .collect();
    for (key, required, choices) in &declared {
        let choices = choices.map(|c| if c == "TYPES" { TYPES } else { c });
        match (node.attributes().find(|a| a.name() == *key), choices) {
            (None, _) if *required => return Some(format!("Element {name} does not carry attribute {key}")),
            (Some(a), Some(choices)) if !choices.split('|').any(|c| c == a.value()) => {
                return Some(format!(
                    "Value \"{}\" for attribute {key} of {name} is not among the enumerated set",
                    a.value()
                ));
            }
            _ => {}
        }
    }
    let unknown = node.attributes().find(|a| !declared.iter().any(|(key, ..)| *key == a.name()));
    unknown.map(|a| format!("No declaration for attribute {} of element {name}", a.name()))
}

fn content_problem(node: Node, content: &str) -> Option<String> {
    let name = node.tag_name().name();
    let text = node.children().any(|c| c.is_text() && !c.text().unwrap_or_default().trim().is_empty());
    if content == "#text" {
        return None;
    }
    if text {
        return Some(format!("Element {name} content does not follow the DTD, character data is not allowed"));
    }
    let mut children = node.children().filter(Node::is_element).map(|c| c.tag_name().name()).peekable();
    for part in content.split_whitespace() {
        let names = part.trim_end_matches(['?', '*', '+']);
        let fits = |child: &&str| names.split('|').any(|n| n == *child);
        let mut count = 0;
        let limit = if part.ends_with(['*', '+']) { usize::MAX } else { 1 };
        while count < limit && children.next_if(fits).is_some() {
            count += 1;
        }
        if count == 0 && !part.ends_with(['?', '*']) {
            return Some(format!("Element {name} content does not follow the DTD, expecting {names}"));
        }
    }
    children.next().map(|odd| format!("Element {name} content does not follow the DTD, {odd} is out of place"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Vec<String> {
        let text = format!("<service_bundle type='manifest' name='x'>{body}</service_bundle>");
        problems(&Document::parse(&text).unwrap())
    }

    #[test]
    fn a_whole_service_is_accepted() {
        let good = "<service name='a' type='service' version='1'><create_default_instance enabled='false'/>\
            <dependency name='d' grouping='require_all' restart_on='none' type='service'><service_fmri value='svc:/b'/></dependency>\
            <exec_method type='method' name='start' exec=':true' timeout_seconds='0'><method_context><method_credential user='u'/></method_context></exec_method>\
            <property_group name='vm' type='application'><propval name='p' type='count' value='1'/><property name='q' type='astring'><astring_list><value_node value='v'/></astring_list></property></property_group>\
            <stability value='Evolving'/><template><common_name><loctext xml:lang='C'>A</loctext></common_name><pg_pattern name='vm' type='application'><prop_pattern name='p' type='count'><cardinality min='1' max='1'/><constraints><range min='0' max='9'/></constraints></prop_pattern></pg_pattern></template></service>";
        assert_eq!(check(good), Vec::<String>::new());
    }

    #[test]
    fn order_attributes_and_enumerations_are_checked() {
        let service = |inner: &str| format!("<service name='a' type='service' version='1'>{inner}</service>");
        for (inner, expected) in [
            ("<stability value='Evolving'/><property_group name='v' type='a'/>", "out of place"),
            ("<property_group name='v'/>", "does not carry attribute type"),
            ("<property_group name='v' type='a' odd='1'/>", "attribute odd"),
            (
                "<property_group name='v' type='a'><propval name='p' type='number' value='1'/></property_group>",
                "enumerated",
            ),
            ("<wrong/>", "out of place"),
            ("text", "character data"),
            (
                "<template><description><loctext xml:lang='C'>x</loctext></description></template>",
                "expecting common_name",
            ),
            ("<exec_method type='method' name='start' exec=':true'/>", "timeout_seconds"),
        ] {
            let found = check(&service(inner));
            assert!(found.iter().any(|p| p.contains(expected)), "{inner}: {found:?}");
        }
    }
}
