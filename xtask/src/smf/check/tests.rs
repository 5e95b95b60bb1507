//! A small manifest that is right, and for each rule one that breaks it.

use proptest::prelude::*;

use super::*;

const GOOD: &str = r#"<?xml version="1.0"?>
<!DOCTYPE service_bundle SYSTEM "/usr/share/lib/xml/dtd/service_bundle.dtd.1">
<service_bundle type="manifest" name="demo">
  <service name="site/demo" type="service" version="1">
    <dependency name="network" grouping="require_all" restart_on="none" type="service">
      <service_fmri value="svc:/milestone/network:default"/>
    </dependency>
    <method_context working_directory="/"><method_credential user="jim"/></method_context>
    <exec_method type="method" name="start" exec="/bin/demo %m %i %{demo/number:} 100%%" timeout_seconds="60"/>
    <exec_method type="method" name="stop" exec=":true" timeout_seconds="-1"/>
    <property_group name="startd" type="framework">
      <propval name="duration" type="astring" value="transient"/>
    </property_group>
    <property_group name="demo" type="application">
      <propval name="number" type="integer" value="7"/>
      <propval name="word" type="astring" value="red"/>
      <property name="list" type="astring"><astring_list><value_node value="a"/><value_node value="b"/></astring_list></property>
    </property_group>
    <instance name="default" enabled="false">
      <property_group name="demo" type="application">
        <propval name="word" type="astring" value="blue"/>
      </property_group>
    </instance>
    <stability value="Evolving"/>
    <template>
      <common_name><loctext xml:lang="C">a demo</loctext></common_name>
      <documentation><manpage title="demo" section="8"/></documentation>
      <pg_pattern name="demo" type="application" required="true" target="instance">
        <prop_pattern name="number" type="integer" required="true">
          <cardinality min="1" max="1"/>
          <constraints><value name="100"/><range min="-1" max="0x10"/></constraints>
        </prop_pattern>
        <prop_pattern name="word" type="astring" required="false">
          <values><value name="red"/></values>
          <constraints><value name="red"/><value name="blue"/></constraints>
          <choices><include_values type="values"/></choices>
        </prop_pattern>
        <prop_pattern name="list" type="astring">
          <cardinality max="2"/>
        </prop_pattern>
      </pg_pattern>
    </template>
  </service>
</service_bundle>
"#;

/// The rules that the good manifest breaks once `from`, which must be in it, is replaced by `to`.
fn broken(from: &str, to: &str) -> Vec<&'static str> {
    assert!(GOOD.contains(from), "{from:?} is not in the manifest");
    let mut ids: Vec<_> = check(&GOOD.replacen(from, to, 1)).iter().map(|finding| finding.id).collect();
    ids.dedup();
    ids
}

#[test]
fn a_good_manifest_has_no_findings() {
    assert_eq!(check(GOOD), []);
}

#[test]
fn a_finding_says_where_and_what() {
    let findings = check(&GOOD.replace("enabled=\"false\"", "enabled=\"no\""));
    assert_eq!(
        findings.iter().map(Finding::to_string).collect::<Vec<_>>(),
        ["19:5: attribute-value: enabled=\"no\" of <instance> is none of true, false"]
    );
}

#[test]
fn every_rule_on_the_document_type_finds_its_fault() {
    let service_end = "    <stability value=\"Evolving\"/>\n";
    let cases = [
        ("</service_bundle>", "", "xml"),
        ("<!DOCTYPE service_bundle SYSTEM \"/usr/share/lib/xml/dtd/service_bundle.dtd.1\">", "", "doctype"),
        ("<stability value=\"Evolving\"/>", "<stabilty/>", "element-unknown"),
        // method_context after exec_method, and stability before instance: the classic slips.
        (service_end, "<method_context/>", "element-order"),
        ("<instance name=\"default\"", "<stability value=\"Stable\"/><instance name=\"default\"", "element-order"),
        (service_end, "<stability value=\"Stable\"/><stability value=\"Stable\"/>", "element-order"),
        (
            "<method_credential user=\"jim\"/>",
            "<method_credential user=\"jim\"/><method_profile name=\"p\"/>",
            "element-order",
        ),
        (
            "<propval name=\"number\" type=\"integer\" value=\"7\"/>",
            "<propval name=\"number\" type=\"integer\" value=\"7\"><stability value=\"Stable\"/></propval>",
            "element-order",
        ),
        (
            "  <service name",
            "  <xi:include xmlns:xi=\"http://www.w3.org/2001/XInclude\" href=\"x\"><xi:fallback/></xi:include><service name",
            "element-order",
        ),
        ("<common_name><loctext xml:lang=\"C\">a demo</loctext></common_name>", "", "element-missing"),
        ("<loctext xml:lang=\"C\">a demo</loctext>", "", "element-missing"),
        ("<stability value=\"Evolving\"/>", "<stability value=\"Evolving\"/> words", "text"),
        (" timeout_seconds=\"-1\"", "", "attribute-missing"),
        (" xml:lang=\"C\"", "", "attribute-missing"),
        (" user=\"jim\"", " user=\"jim\" shell=\"x\"", "attribute-unknown"),
        (" xml:lang=\"C\"", " xml:lang=\"C\" lang=\"C\"", "attribute-unknown"),
        ("value=\"Evolving\"", "value=\"Committed\"", "attribute-value"),
        ("grouping=\"require_all\"", "grouping=\"all\"", "attribute-value"),
    ];
    for (from, to, id) in cases {
        let ids = broken(from, to);
        assert!(ids.contains(&id), "{from:?} -> {to:?} gives {ids:?}, not {id}");
    }
}

#[test]
fn a_document_that_is_no_bundle_is_told() {
    let ids: Vec<_> = check("<x/>").iter().map(|finding| finding.id).collect();
    assert_eq!(ids, ["doctype", "element-order", "element-unknown"]);
}

#[test]
fn every_rule_on_names_and_values_finds_its_fault() {
    let long = format!("value=\"{}\"", "x".repeat(4096));
    let cases = [
        ("name=\"default\"", "name=\"win.10\"", "name"),
        ("name=\"site/demo\"", "name=\"site//demo\"", "name"),
        ("name=\"network\"", "name=\"_network\"", "name"),
        ("name=\"number\" type=\"integer\" value", "name=\"1number\" type=\"integer\" value", "name"),
        ("<prop_pattern name=\"list\"", "<prop_pattern name=\"li st\"", "name"),
        ("<pg_pattern name=\"demo\"", "<pg_pattern name=\"de.mo\"", "name"),
        (
            "<method_credential user=\"jim\"/>",
            "<method_environment><envvar name=\"A=\" value=\"\"/></method_environment>",
            "name",
        ),
        ("version=\"1\">\n    <dep", "version=\"0.18\">\n    <dep", "service-version"),
        ("type=\"service\">\n      <service_fmri", "type=\"services\">\n      <service_fmri", "dependency-type"),
        ("name=\"stop\"", "name=\"start\"", "duplicate"),
        ("name=\"startd\"", "name=\"network\"", "duplicate"),
        ("name=\"word\" type=\"astring\" value=\"red\"", "name=\"number\" type=\"integer\" value=\"1\"", "duplicate"),
        ("value=\"red\"", "value=\"r&#10;ed\"", "value-newline"),
        (">a demo<", ">a\ndemo<", "value-newline"),
        ("value=\"a\"", long.as_str(), "value-length"),
        ("value=\"7\"", "value=\"seven\"", "value-type"),
        ("<property name=\"list\" type=\"astring\">", "<property name=\"list\" type=\"integer\">", "list-type"),
    ];
    for (from, to, id) in cases {
        let ids = broken(from, to);
        assert!(ids.contains(&id), "{from:?} -> {to:?} gives {ids:?}, not {id}");
    }
}

#[test]
fn every_rule_on_methods_finds_its_fault() {
    let cases = [
        ("timeout_seconds=\"60\"", "timeout_seconds=\"a minute\"", "exec-timeout"),
        ("timeout_seconds=\"60\"", "timeout_seconds=\"-2\"", "exec-timeout"),
        ("%m", "%x", "exec-token"),
        ("100%%", "100%", "exec-token"),
        ("%{demo/number:}", "%{demo/number", "exec-token"),
        ("%{demo/number:}", "%{demo/size}", "exec-token"),
        ("%{demo/number:}", "%{number}", "exec-token"),
        ("%{demo/number:}", "%{svc:/milestone/network:default}", "exec-token"),
        ("exec=\":true\"", "exec=\":false\"", "exec-token"),
        ("exec=\":true\"", "exec=\"\"", "exec-token"),
        ("exec=\":true\"", "exec=\":kill -9\"", "exec-kill-transient"),
    ];
    for (from, to, id) in cases {
        assert_eq!(broken(from, to), [id], "{from:?} -> {to:?}");
    }
}

#[test]
fn tokens_of_other_services_are_taken_on_trust() {
    assert_eq!(broken("%{demo/number:}", "%{svc:/system/x:default/:properties/a/b}"), [""; 0]);
}

#[test]
fn kill_is_fine_where_the_service_is_not_transient() {
    let contract = GOOD.replace("transient", "contract").replace(":true", ":kill");
    assert_eq!(check(&contract), []);
}

#[test]
fn every_rule_on_templates_finds_its_fault() {
    let long = format!(">{}<", "n".repeat(60));
    let cases = [
        (">a demo<", long.as_str(), "template-common-name"),
        ("<pg_pattern name=\"demo\" type=\"application\"", "<pg_pattern name=\"demo\"", "template-incomplete"),
        (
            "<prop_pattern name=\"number\" type=\"integer\" req",
            "<prop_pattern name=\"number\" req",
            "template-incomplete",
        ),
        (
            "<pg_pattern name=\"demo\" type=\"application\" required=\"true\"",
            "<pg_pattern name=\"startd\" type=\"framework\"",
            "template-redefines",
        ),
        ("target=\"instance\"", "target=\"all\"", "template-target"),
        (
            "      </pg_pattern>",
            "      </pg_pattern><pg_pattern name=\"demo\" type=\"framework\"/>",
            "template-conflict",
        ),
        (
            "<prop_pattern name=\"list\" type=\"astring\">",
            "<prop_pattern name=\"word\" type=\"uri\">",
            "template-conflict",
        ),
        ("<include_values type=\"values\"/>", "<range min=\"1\" max=\"2\"/>", "template-range"),
        ("<values><value name=\"red\"/></values>", "", "template-include"),
        ("<value name=\"100\"/>", "<value name=\"hundred\"/>", "template-value"),
        ("min=\"-1\" max=\"0x10\"", "min=\"2\" max=\"1\"", "template-range"),
        ("<cardinality max=\"2\"/>", "<cardinality min=\"3\" max=\"2\"/>", "template-cardinality"),
        ("<cardinality max=\"2\"/>", "<cardinality max=\"many\"/>", "template-cardinality"),
        ("<propval name=\"number\" type=\"integer\" value=\"7\"/>", "", "template-required"),
        ("<pg_pattern name=\"demo\"", "<pg_pattern name=\"demi\"", "template-required"),
        (
            "<property_group name=\"demo\" type=\"application\">\n        <propval",
            "<property_group name=\"demo\" type=\"framework\">\n        <propval",
            "template-group-type",
        ),
        (
            "name=\"word\" type=\"astring\" value=\"blue\"",
            "name=\"word\" type=\"ustring\" value=\"blue\"",
            "template-type",
        ),
        ("<cardinality max=\"2\"/>", "<cardinality max=\"1\"/>", "template-count"),
        ("value=\"blue\"", "value=\"green\"", "template-constraint"),
        ("value=\"7\"", "value=\"17\"", "template-constraint"),
        ("value=\"7\"", "value=\"-2\"", "template-constraint"),
    ];
    for (from, to, id) in cases {
        let ids = broken(from, to);
        assert!(ids.contains(&id), "{from:?} -> {to:?} gives {ids:?}, not {id}");
    }
}

#[test]
fn a_value_of_the_service_that_the_instance_overrides_is_not_held_against_the_pattern() {
    assert_eq!(broken("value=\"red\"", "value=\"green\""), [""; 0], "no instance sees green");
    let without_instance = GOOD.replace("enabled=\"false\">", "enabled=\"false\"/><!--").replace("</instance>", "-->");
    let green = without_instance.replacen("value=\"red\"", "value=\"green\"", 1);
    assert_eq!(check(&without_instance), []);
    assert_eq!(check(&green).len(), 1);
}

#[test]
fn numbers_are_compared_as_numbers() {
    assert_eq!(broken("value=\"7\"", "value=\"0x64\""), [""; 0], "0x64 is the 100 that is allowed");
    assert_eq!(broken("value=\"7\"", "value=\"020\""), [""; 0], "octal 16");
}

proptest! {
    #[test]
    fn any_text_is_checked_without_a_panic(text in "\\PC{0,60}", from in 0..GOOD.len(), to in 0..GOOD.len(), put in "[<>&%{}\"/=a :]{0,4}") {
        let _ = check(&text);
        let mut torn = GOOD.to_string();
        torn.replace_range(from.min(to)..from.max(to), &put);
        let _ = check(&torn);
    }
}
