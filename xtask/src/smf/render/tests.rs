use std::collections::BTreeMap;

use roxmltree::{Document, Node, ParsingOptions};

use super::super::check;
use super::*;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn rendered(variables: &Variables) -> Vec<Rendered> {
    render_all(workspace(), "1.2.3", variables).unwrap()
}

fn text_of(file_name: &str) -> String {
    let found = rendered(&Variables::default()).into_iter().find(|manifest| manifest.file_name == file_name);
    found.unwrap().text
}

fn parsed(text: &str) -> Document<'_> {
    Document::parse_with_options(text, ParsingOptions { allow_dtd: true, ..Default::default() }).unwrap()
}

fn find<'a, 'input>(document: &'a Document<'input>, element: &str, name: &str) -> Node<'a, 'input> {
    let mut found =
        document.descendants().filter(|node| node.has_tag_name(element) && node.attribute("name") == Some(name));
    found.next().unwrap_or_else(|| panic!("no <{element}> {name}"))
}

#[test]
fn our_own_checker_finds_no_fault() {
    for manifest in rendered(&Variables::default()) {
        assert_eq!(check::check(&manifest.text), [], "{}", manifest.file_name);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    assert_eq!(rendered(&Variables::default()), rendered(&Variables::default()));
}

#[test]
fn the_text_is_tidy() {
    for manifest in rendered(&Variables::default()) {
        assert!(manifest.text.ends_with(">\n") && !manifest.text.contains("\n\n\n"), "{}", manifest.file_name);
        for (number, line) in manifest.text.lines().enumerate() {
            let place = format!("{}:{}: {line}", manifest.file_name, number + 1);
            assert!(!line.contains('\t') && line.trim_end() == line, "{place}");
            // Texts of templates are on one line, however long, because they become values of properties.
            assert!(line.len() <= 106 || line.contains("<loctext") || line.contains("<propval"), "{place}");
            assert!(line.is_ascii(), "{place}");
        }
    }
}

#[test]
fn the_service_has_every_default_of_the_table_and_nothing_else() {
    let text = text_of("vbox-svc.xml");
    let document = parsed(&text);
    let group = find(&document, "property_group", "vm");
    let ours: BTreeMap<_, _> = group
        .children()
        .filter(Node::is_element)
        .map(|node| {
            let part = |part| node.attribute(part).unwrap().to_string();
            (part("name"), (part("type"), part("value")))
        })
        .collect();
    let mut expected: BTreeMap<_, _> = table::rows()
        .filter_map(|row| Some((row.name.to_string(), (row.smf_type().word().to_string(), row.manifest?.to_string()))))
        .collect();
    expected.insert("value_authorization".into(), ("astring".into(), "solaris.smf.value.vbox".into()));
    assert_eq!(ours, expected);
}

#[test]
fn every_setting_has_its_comment_and_its_pattern() {
    let text = text_of("vbox-svc.xml");
    let document = parsed(&text);
    let group = find(&document, "property_group", "vm");
    let comments: Vec<&str> = group.children().filter(Node::is_comment).filter_map(|node| node.text()).collect();
    for row in table::rows() {
        assert!(comments.iter().any(|comment| comment.contains(row.title)), "{}", row.name);
        let pattern = find(&document, "prop_pattern", row.name);
        assert_eq!(pattern.attribute("type"), Some(row.smf_type().word()));
        let names = pattern.descendants().filter(|node| node.has_tag_name("loctext")).filter_map(|node| node.text());
        assert!(names.collect::<Vec<_>>().contains(&row.title), "{}", row.name);
    }
}

#[test]
fn patterns_hold_for_the_values_of_instances() {
    let text = text_of("vbox-svc.xml");
    let document = parsed(&text);
    assert_eq!(find(&document, "pg_pattern", "vm").attribute("target"), Some("instance"));
}

#[test]
fn closed_lists_of_words_allow_every_spelling_and_the_empty_value() {
    let text = text_of("vbox-svc.xml");
    let document = parsed(&text);
    let allowed = |name| -> Vec<String> {
        let constraints =
            find(&document, "prop_pattern", name).children().find(|node| node.has_tag_name("constraints"));
        let values = constraints.into_iter().flat_map(|node| node.children().collect::<Vec<_>>());
        values.filter_map(|node| node.attribute("name").map(String::from)).collect()
    };
    assert_eq!(allowed("stop_method").len(), 7);
    for word in ["", "off", "nowait", "-", "hook_lax", "vmsvccheck_strict"] {
        assert!(allowed("start_wait_policy").contains(&word.to_string()), "{word:?}");
    }
    assert_eq!(allowed("kicker_restart"), [""; 0], "its words count in any case, which no list can say");
}

#[test]
fn a_value_that_the_pattern_forbids_is_found_on_an_instance() {
    let sample = "<instance name=\"VM_NAME\" enabled=\"false\">";
    let text = text_of("vbox-svc.xml");
    for (property, kind, value, finding) in [
        ("stop_method", "astring", "savstate", Some("template-constraint")),
        ("stop_method", "astring", "reset", None),
        ("nice", "integer", "20", Some("template-constraint")),
        ("nice", "astring", "2", Some("template-type")),
    ] {
        let group = format!(
            "{sample}<property_group name=\"vm\" type=\"application\"><propval name=\"{property}\" type=\"{kind}\" value=\"{value}\"/></property_group>"
        );
        let findings = check::check(&text.replace(sample, &group));
        let ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
        assert_eq!(ids, Vec::from_iter(finding), "{property}={value}");
    }
}

/// SMF's clean-up bails out at the first property of this group whose name is not made of a path below the folders of
/// manifests (lib_svc_manifest…, var_svc_manifest…), and an import keeps only those whose values are strings.
#[test]
fn every_service_is_kept_from_the_clean_up_that_deletes_instances() {
    for manifest in rendered(&Variables::default()) {
        let document = parsed(&manifest.text);
        let group = find(&document, "property_group", "manifestfiles");
        let ties: Vec<Node> = group.children().filter(Node::is_element).collect();
        assert_eq!(ties.len(), 1, "{}", manifest.file_name);
        let name = ties[0].attribute("name").unwrap();
        assert!(!name.starts_with("lib_svc_manifest") && !name.starts_with("var_svc_manifest"), "{name}");
        assert_eq!(ties[0].attribute("type"), Some("astring"));
        assert_eq!(group.attribute("type"), Some("framework"));
    }
}

#[test]
fn the_services_beside_the_vms_are_disabled_as_they_come() {
    for name in ["vbox-delay-on-boot.xml", "vbox-zvol-rights.xml"] {
        let text = text_of(name);
        let document = parsed(&text);
        let created = document.descendants().find(|node| node.has_tag_name("create_default_instance")).unwrap();
        assert_eq!(created.attribute("enabled"), Some("false"), "{name}");
    }
}

#[test]
fn the_sample_instance_is_disabled_and_sets_nothing() {
    let text = text_of("vbox-svc.xml");
    let document = parsed(&text);
    let sample = find(&document, "instance", "VM_NAME");
    assert_eq!(sample.attribute("enabled"), Some("false"));
    assert_eq!(sample.children().filter(Node::is_element).count(), 0);
}

/// What an administrator would take the comment marks off must be right as it stands.
#[test]
fn the_examples_in_the_sample_are_right_manifests() {
    let text = text_of("vbox-svc.xml");
    let document = parsed(&text);
    let sample = find(&document, "instance", "VM_NAME");
    let comment = sample.children().find(Node::is_comment).and_then(|node| node.text()).unwrap();
    let blocks: Vec<String> = comment
        .split("\n\n")
        .filter(|block| block.trim_start().starts_with('<'))
        .map(|block| block.trim().to_string())
        .collect();
    assert_eq!(blocks.len(), 6);
    for block in blocks {
        let with_block = text.replace(
            "<instance name=\"VM_NAME\" enabled=\"false\">",
            &format!("<instance name=\"VM_NAME\" enabled=\"false\">{block}"),
        );
        assert_eq!(check::check(&with_block), [], "{block}");
    }
}

#[test]
fn versions_are_shown_in_full_and_numbered_for_smf() {
    let text = text_of("vbox-svc.xml");
    assert!(text.contains("vboxsvc 1.2.3:"));
    assert!(text.contains("version=\"1002003\""));
    for (version, number) in
        [("0.20.0", Some(20_000)), ("0.20", None), ("1.2.1000", None), ("a.b.c", None), ("1.2.3.4", None)]
    {
        assert_eq!(service_version(version).ok(), number, "{version}");
    }
}

#[test]
fn variables_reach_the_manifests() {
    let variables = Variables { method: "/opt/vboxsvc/method".into(), delay_seconds: 45 };
    let [service, delay, zvol_rights] = rendered(&variables).try_into().unwrap();
    for method in ["start", "stop", "refresh"] {
        let document = parsed(&service.text);
        assert_eq!(find(&document, "exec_method", method).attribute("exec"), Some("/opt/vboxsvc/method %m"));
    }
    assert!(delay.text.contains("name=\"seconds\" type=\"integer\" value=\"45\""));
    assert!(zvol_rights.text.contains("exec=\"/opt/vboxsvc/method zvol-rights restore\""));
    assert!(![&service, &zvol_rights].iter().any(|manifest| manifest.text.contains("/lib/svc/method")));
}

#[test]
fn a_method_that_a_shell_or_smf_would_read_differently_is_refused() {
    for method in ["vboxsvc", "/opt/my vm/x", "/opt/%i", "/opt/$x", "/a;b", "/a\n"] {
        let variables = Variables { method: method.into(), ..Variables::default() };
        assert!(matches!(render_all(workspace(), "1.2.3", &variables), Err(RenderError::Method(_))), "{method:?}");
    }
}

#[test]
fn a_missing_template_is_named() {
    let error = render_all(Path::new("/nowhere"), "1.2.3", &Variables::default()).unwrap_err();
    assert!(error.to_string().contains("/nowhere/manifest-templates/vbox-svc.xml.tera"), "{error}");
}

#[test]
fn values_are_escaped_for_xml_and_comments_may_not_end_early() {
    assert_eq!(escape("a<b>&\"c' /d"), "a&lt;b&gt;&amp;&quot;c' /d");
    let filter = |paragraphs: &[&str]| comment(&tera::to_value(paragraphs).unwrap(), &HashMap::new());
    assert!(filter(&["use --help"]).is_err());
    assert_eq!(filter(&["one", "two"]).unwrap(), Value::String("<!-- one\n     two -->".into()));
    assert_eq!(wrapped("aa bb cccccc d", 5), ["aa bb", "cccccc", "d"]);
}
