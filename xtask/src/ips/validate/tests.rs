use proptest::prelude::*;

use super::super::manifest::quote_value;
use super::*;
use crate::content::Content;

fn file(path: &str) -> Action {
    Action::file(path, "root", "sys", "0644", Content::Bytes(Vec::new()))
}

fn dir(path: &str, mode: &str) -> Action {
    Action::dir(path, "root", "sys", mode)
}

fn refused(action: Action) -> ActionError {
    check_action(&action).expect_err(&action.to_string())
}

#[test]
fn good_actions_of_every_kind_pass() {
    let good = [
        Action::set("pkg.summary", "it's \"quoted\" \u{e9}"),
        Action::set("org.opensolaris.smf.fmri", "svc:/a").with("value", "svc:/b"),
        Action::set("empty", ""),
        dir("a/b", "0755"),
        file("a/b/c").with("unheard-of", "yes").with("restart_fmri", "svc:/system/manifest-import:default"),
        Action::link("a/l", "../b"),
        Action::link("a/m", "b").with("mediator", "m").with("mediator-version", "1"),
        Action::hardlink("a/h", "c"),
        Action::license("MIT", Content::Bytes(Vec::new())),
        Action::legacy("EXweb"),
        Action::depend("require", "pkg:/a"),
        Action::depend("require-any", "pkg:/a").with("fmri", "b@1.0"),
        Action::depend("conditional", "pkg:/a").with("predicate", "pkg:/b"),
        Action::depend("incorporate", "pkg:/a@1"),
    ];
    for action in &good {
        check_action(action).unwrap_or_else(|e| panic!("{action}: {e}"));
    }
    check_conflicts(&good).unwrap();
}

#[test]
fn required_attributes_are_asked_for_by_name() {
    let path = |kind| Action::new(kind).with("path", "p");
    let cases = [
        (Action::new(Kind::Set).with("value", "v"), "name"),
        (Action::new(Kind::Set).with("name", "n"), "value"),
        (Action::new(Kind::Dir), "path"),
        (path(Kind::Dir), "owner"),
        (path(Kind::Dir).with("owner", "root"), "group"),
        (path(Kind::Dir).with("owner", "root").with("group", "sys"), "mode"),
        (path(Kind::Link), "target"),
        (Action::hardlink("p", ""), "target"),
        (dir(" ", "0755"), "path"),
        (Action::new(Kind::Legacy), "pkg"),
        (Action::new(Kind::Depend).with("fmri", "a"), "type"),
        (Action::new(Kind::Depend).with("type", "require"), "fmri"),
        (Action::depend("conditional", "a"), "predicate"),
    ];
    for (action, attribute) in cases {
        assert_eq!(refused(action), ActionError::Missing(attribute));
    }
}

#[test]
fn modes_have_four_octal_digits() {
    for mode in ["755", "0o755", "0888", "00755", "rwx", "-755"] {
        assert_eq!(refused(dir("p", mode)), ActionError::Mode(mode.to_owned()));
    }
}

#[test]
fn paths_stay_relative_and_plain() {
    for path in ["/etc", "a//b", "a/", "./a", "a/../b", ".."] {
        assert_eq!(refused(dir(path, "0755")), ActionError::Path(path.to_owned()));
    }
}

#[test]
fn owners_and_groups_are_names() {
    for owner in ["0", "101", "-x", "ro:ot"] {
        let value = owner.to_owned();
        assert_eq!(refused(Action::dir("p", owner, "sys", "0755")), ActionError::Account { attribute: "owner", value });
    }
    assert!(matches!(refused(Action::dir("p", "root", "3", "0755")), ActionError::Account { attribute: "group", .. }));
}

#[test]
fn values_that_a_manifest_cannot_carry_are_refused() {
    for value in ["a\tb", "a\nb", "a\rb", "\u{1}", "a\u{85}b", "a\u{2028}b", "a\u{a0}"] {
        assert!(matches!(refused(Action::set("n", value)), ActionError::Control { .. }), "{value:?}");
    }
    for value in ["a\\", "a b\\", "a \\\\ b", "it's \\\"x\\\""] {
        assert!(matches!(refused(Action::set("n", value)), ActionError::Backslash { .. }), "{value:?}");
    }
    for value in ["a\\b", "a\\\\b", "a \\b"] {
        check_action(&Action::set("n", value)).unwrap();
    }
}

#[test]
fn attribute_names_are_single_words_and_not_the_writers_own() {
    for key in ["", "a b", "a=b", "a\"", "data", "hash", "\u{e9}"] {
        assert_eq!(refused(file("p").with(key, "v")), ActionError::Key(key.to_owned()));
    }
    for key in ["chash", "pkg.size", "pkg.csize", "pkg.content-hash"] {
        assert_eq!(refused(file("p").with(key, "v")), ActionError::Computed(key.to_owned()));
    }
}

#[test]
fn single_attributes_are_not_lists() {
    assert_eq!(refused(dir("p", "0755").with("path", "q")), ActionError::Repeated("path".to_owned()));
    let facet = dir("p", "0755").with("facet.doc", "true").with("facet.doc", "false");
    assert_eq!(refused(facet), ActionError::Repeated("facet.doc".to_owned()));
    let summary = Action::set("pkg.summary", "a").with("value", "b");
    assert_eq!(refused(summary), ActionError::Repeated("pkg.summary".to_owned()));
}

#[test]
fn content_comes_with_files_and_licences_alone() {
    assert_eq!(refused(Action::new(Kind::License).with("license", "MIT")), ActionError::NoContent);
    let mut stray = dir("p", "0755");
    stray.content = Some(Content::Bytes(Vec::new()));
    assert_eq!(refused(stray), ActionError::StrayContent);
    let placed = Action::license("MIT", Content::Bytes(Vec::new())).with("path", "usr/share/MIT");
    assert_eq!(refused(placed), ActionError::LicensePath);
}

#[test]
fn the_package_name_is_not_an_authors_attribute() {
    assert_eq!(refused(Action::set("pkg.fmri", "pkg:/a@1")), ActionError::FmriGiven);
}

#[test]
fn dependencies_are_of_a_known_type_on_packages_that_can_exist() {
    assert_eq!(refused(Action::depend("needs", "a")), ActionError::DependType("needs".to_owned()));
    assert_eq!(
        refused(Action::depend("require", "a").with("fmri", "b")),
        ActionError::DependSeveral("require".to_owned())
    );
    assert_eq!(refused(Action::depend("incorporate", "a")), ActionError::Unversioned);
    for fmri in ["", "a b", "pkg:/a@1.01", "pkg:a"] {
        assert!(matches!(refused(Action::depend("require", fmri)), ActionError::Fmri { .. }), "{fmri:?}");
    }
    assert_eq!(refused(Action::link("a", "b").with("mediator", "m")), ActionError::Mediator);
}

#[test]
fn actions_of_one_package_do_not_contradict_each_other() {
    let conflict = |actions: [Action; 2]| check_conflicts(&actions);
    assert!(matches!(conflict([dir("p", "0755"), dir("p", "0700")]), Err(ConflictError::Path { .. })));
    assert!(matches!(conflict([dir("p", "0755"), file("p")]), Err(ConflictError::Path { .. })));
    assert!(matches!(conflict([file("p"), file("p")]), Err(ConflictError::Path { .. })));
    assert!(matches!(conflict([file("p/q"), file("p")]), Err(ConflictError::Parent { .. })));
    assert!(matches!(conflict([Action::set("a", "1"), Action::set("a", "2")]), Err(ConflictError::SetTwice(_))));
    let licence = || Action::license("MIT", Content::Bytes(Vec::new()));
    assert!(matches!(conflict([licence(), licence()]), Err(ConflictError::LicenseTwice(_))));

    assert_eq!(conflict([dir("p", "0755"), dir("p", "0755")]), Ok(()));
    assert_eq!(conflict([dir("p", "0755"), file("p/q")]), Ok(()));
    assert_eq!(conflict([file("p"), file("pq")]), Ok(()));
}

#[test]
fn variants_keep_actions_for_different_images_apart() {
    let on = |arch: &str| file("p").with("variant.arch", arch);
    assert_eq!(check_conflicts(&[on("i386"), on("sparc")]), Ok(()));
    assert!(check_conflicts(&[on("i386"), on("i386")]).is_err());
    assert!(check_conflicts(&[on("i386"), file("p")]).is_err());
}

proptest! {
    /// The quoting rules of pkg's own parser, applied backwards.
    #[test]
    fn every_value_that_passes_survives_quoting(value in "[ab \"'\\\\=#]{0,12}") {
        prop_assume!(check_value("k", &value).is_ok());
        let quoted = quote_value(&value);
        let read = match quoted.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let mut read = String::new();
                let mut rest = quoted.chars().skip(1).peekable();
                let mut closed = false;
                while let Some(c) = rest.next() {
                    let escapes = c == '\\' && rest.peek().is_some_and(|n| *n == '\\' || *n == quote);
                    if escapes { read.extend(rest.next()); }
                    else if c == quote { closed = true; break; }
                    else { read.push(c); }
                }
                prop_assert!(closed && rest.next().is_none(), "{}", quoted);
                read
            }
            _ => {
                prop_assert!(!quoted.contains(' ') && !quoted.ends_with('\\'));
                quoted
            }
        };
        prop_assert_eq!(read, value);
    }
}
