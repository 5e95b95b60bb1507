use super::*;

fn step(body: &str) -> Result<Suite, SuiteError> {
    parse("svr4", &format!("title = \"T\"\n[[step]]\nid = \"a\"\ntitle = \"A\"\n{body}"))
}

#[test]
fn a_step_has_sensible_defaults() {
    let suite = step("run = [\"true\"]").unwrap();
    let step = &suite.steps[0];
    assert_eq!((step.place, step.bound, step.goes_on, step.cleanup), (Place::Global, BOUND, false, false));
    let Action::Run { words, stdin, expected, poll } = &step.action else { panic!("{step:?}") };
    assert_eq!((words.as_slice(), stdin.as_str(), *poll), (["true".to_string()].as_slice(), "", None));
    assert_eq!(expected.exit, [0]);
}

#[test]
fn every_key_is_read() {
    let suite = step(
        "zone = \"local\"\nrun = [\"pkgadd\", \"-d\", \"${svr4}\"]\nstdin = \"y\"\nexit = [0, 2]\nshows = [\"s\"]\n\
         hides = [\"h\"]\nmatches = [\"^m\"]\nunlike = [\"u$\"]\npoll = \"2s\"\nbound = \"3m\"\nneeds = [\"zone\"]\n\
         failure = \"go-on\"\ncleanup = true\n[[step]]\nid = \"b\"\ntitle = \"B\"\nreboot = true\nafter = [\"a\"]",
    )
    .unwrap();
    let first = &suite.steps[0];
    assert_eq!((first.place, first.bound, first.goes_on), (Place::Local, Duration::from_secs(180), true));
    assert_eq!((first.needs.as_slice(), first.cleanup), ([Feature::Zone].as_slice(), true));
    let Action::Run { expected, poll, .. } = &first.action else { panic!("{first:?}") };
    assert_eq!(*poll, Some(Duration::from_secs(2)));
    assert_eq!((expected.exit.len(), expected.matches.len(), expected.unlike.len()), (2, 1, 1));
    assert!(matches!(suite.steps[1].action, Action::Reboot));
    assert_eq!(suite.steps[1].after, ["a"]);
}

#[test]
fn what_is_wrong_is_told_with_suite_and_step() {
    for (body, told) in [
        ("", "exactly one of"),
        ("run = [\"true\"]\nreboot = true", "exactly one of"),
        ("run = []", "names no program"),
        ("run = [\"x\", \"${svr5}\"]", "${svr5} is no variable"),
        ("run = [\"x\"]\nmatches = [\"(\"]", "pattern"),
        ("run = [\"x\"]\nbound = \"soon\"", "`bound` \"soon\" is no time"),
        ("run = [\"x\"]\nbound = \"2h\"", "longer than 30 minutes"),
        ("run = [\"x\"]\nafter = [\"b\"]", "no step before this one"),
        ("reboot = true\nexit = [1]", "`exit` is only for"),
        ("put = { path = \"x\", text = \"\" }", "absolute path"),
        ("run = [\"x\"]\n[[step]]\nid = \"a\"\ntitle = \"again\"\nrun = [\"x\"]", "another step"),
        ("run = [\"x\"]\n[[step]]\nid = \"A b\"\ntitle = \"again\"\nrun = [\"x\"]", "not made of"),
    ] {
        let error = step(body).unwrap_err().to_string();
        assert!(error.starts_with("svr4, step") && error.contains(told), "{body:?}: {error}");
    }
    let error = step("run = [\"x\"]\nexpect = 1").unwrap_err().to_string();
    assert!(error.starts_with("svr4: ") && error.contains("expect"), "{error}");
}

#[test]
fn suites_are_chosen_by_name_in_their_own_order() {
    let suite = |name: &str| parse(name, "title = \"T\"").unwrap();
    let names = |names: &[&str]| {
        let wanted: Vec<String> = names.iter().map(ToString::to_string).collect();
        let suites = chosen(vec![suite("ips"), suite("svr4")], &wanted)?;
        Ok::<_, SuiteError>(suites.into_iter().map(|suite| suite.name).collect::<Vec<_>>())
    };
    assert_eq!(names(&[]).unwrap(), ["ips", "svr4"]);
    assert_eq!(names(&["svr4", "ips"]).unwrap(), ["ips", "svr4"]);
    assert_eq!(names(&["svr4"]).unwrap(), ["svr4"]);
    assert_eq!(names(&["deb"]).unwrap_err().to_string(), "no suite \"deb\"; there are ips, svr4");
}

#[test]
fn the_suites_of_this_project_are_right() {
    let suites = read_all(&crate::flags::workspace().join(FOLDER)).unwrap();
    assert!(!suites.is_empty());
    for suite in suites {
        assert!(!suite.steps.is_empty(), "{} has no steps", suite.name);
    }
}
