use proptest::prelude::*;

use super::*;

const ACL: &str = "user:ann:rw------------:-------:allow,owner@:rw-p--aARWcCos:-------:allow,\
    group@:------a-R-c--s:-------:allow,everyone@:------a-R-c--s:-------:allow";

fn rights(user: &str, mode: u32, acl: Option<&str>) -> Rights {
    Rights { user: user.into(), group: "sys".into(), mode, acl: acl.map(str::to_string) }
}

fn volume(user: &str, group: &str, chmod: &str, acl: &str) -> OwnedVolume {
    let value = |text: &str| Some(text.to_string()).filter(|t| !t.is_empty());
    OwnedVolume {
        name: "tank/disk".into(),
        user: value(user),
        group: value(group),
        chmod: value(chmod),
        acl: value(acl),
    }
}

#[test]
fn what_the_older_tool_saved_is_read() {
    let saved = Saved::of(&volume("ann", "staff", "u=rw,g=r,o=", &format!("{ACL},"))).unwrap();
    let wanted =
        Saved { user: Some("ann".into()), group: Some("staff".into()), mode: Some(0o640), acl: Some(ACL.to_string()) };
    assert_eq!(saved, wanted);
    assert_eq!(Saved::of(&volume("", "", "0600", "")).unwrap().mode, Some(0o600));
    assert!(Saved::of(&volume("", "", "", "")).unwrap().is_empty());
}

#[test]
fn no_value_reaches_a_program_unchecked() {
    for user in ["-R", "a b", "a:b", "$(id)", "../x", "ann\n"] {
        assert!(matches!(Saved::of(&volume(user, "", "", "")), Err(RightsError::Name { .. })), "{user:?}");
        assert!(matches!(Saved::of(&volume("", user, "", "")), Err(RightsError::Name { .. })), "{user:?}");
    }
    for mode in ["u=rws,g=,o=", "4755", "a+rw", "u=rw", "u=rw,g=,o=,u=x", "u=rr,g=,o=", "g=,u=,o=", "-1", "99", "+600"]
    {
        assert!(matches!(Saved::of(&volume("", "", mode, "")), Err(RightsError::Mode { .. })), "{mode:?}");
    }
    for acl in [
        "everyone@:rw:allow",
        "everyone@:rwz:-:allow",
        "everyone@:rw-:q:allow",
        "everyone@:rw-:-:audit",
        "user::rw-:-:allow",
        "user:-R:rw-:-:allow",
        "user:a b:rw-:-:allow",
        "owner@:rw-p--aARWcCos:-------:allow,,",
        ",",
        "user::rw-",
    ] {
        assert!(matches!(Saved::of(&volume("", "", "", acl)), Err(RightsError::Acl { .. })), "{acl:?}");
    }
}

#[test]
fn an_acl_is_read_from_ls_only_where_there_is_one() {
    let with = "brw-rw----+  1 ann      sys      295,  1 Jan  1 00:00 /dev/zvol/dsk/tank/disk\n          \
        user:ann:rw------------:-------:allow\n     owner@:rw-p--aARWcCos:-------:allow\n     \
        group@:------a-R-c--s:-------:allow\n  everyone@:------a-R-c--s:-------:allow\n";
    assert_eq!(acl_of_listing(with).unwrap().as_deref(), Some(ACL));
    let without = "crw-------   1 root     sys      295,  1 Jan  1 00:00 /dev/zvol/rdsk/tank/disk\n     \
        owner@:rw-p--aARWcCos:-------:allow\n";
    assert_eq!(acl_of_listing(without).unwrap(), None);
    for text in ["", "\n", "total 0\n", "brw-rw----+ 1 ann\n", "brw-rw----+ 1\n user:ann:rw-\n", "brw-rw----@ 1\n"] {
        assert!(acl_of_listing(text).is_err(), "{text:?}");
    }
}

#[test]
fn rights_of_a_new_node_are_the_default_and_all_others_are_not() {
    assert!(rights("root", 0o600, None).are_default());
    for given in [rights("ann", 0o600, None), rights("root", 0o660, None), rights("root", 0o600, Some(ACL))] {
        assert!(!given.are_default(), "{given}");
    }
}

#[test]
fn the_node_that_was_given_rights_is_the_one_to_save() {
    let (default, given, other) = (rights("root", 0o600, None), rights("ann", 0o600, None), rights("bob", 0o600, None));
    assert_eq!(to_save(Some(&default), Some(&given), false), Ok(Some(&given)));
    assert_eq!(to_save(Some(&given), Some(&default), false), Ok(Some(&given)));
    assert_eq!(to_save(Some(&given), Some(&given), false), Ok(Some(&given)));
    assert_eq!(to_save(None, Some(&given), false), Ok(Some(&given)));
    assert_eq!(to_save(Some(&default), Some(&default), false), Ok(None));
    assert_eq!(to_save(Some(&default), Some(&default), true), Ok(Some(&default)));
    assert!(matches!(to_save(Some(&given), Some(&other), false), Err(RightsError::Conflict { .. })));
}

#[test]
fn only_what_differs_is_saved_and_an_acl_that_went_is_cleared() {
    let saved = Saved::of(&volume("ann", "sys", "u=rw,g=,o=", ACL)).unwrap();
    assert_eq!(saved.changes_to(&rights("ann", 0o600, Some(ACL))), []);
    assert_eq!(
        saved.changes_to(&rights("ann", 0o660, None)),
        [(CHMOD, "u=rw,g=rw,o=".to_string()), (super::ACL, UNSET.to_string())]
    );
    assert_eq!(Saved::default().changes_to(&rights("ann", 0o600, None)).len(), 3, "no ACL, none to clear");
}

proptest! {
    #[test]
    fn every_mode_is_read_back(mode in 0u32..0o1000) {
        prop_assert_eq!(parse_mode(&mode_text(mode)), Ok(mode));
        prop_assert_eq!(parse_mode(&format!("{mode:03o}")), Ok(mode));
    }

    #[test]
    fn foreign_text_upsets_nothing(text in "\\PC{0,200}") {
        let _ = (parse_mode(&text), parse_acl(&text), acl_of_listing(&text));
    }

    #[test]
    fn an_acl_that_passes_has_nothing_in_it_but_what_is_allowed(text in "[-a-z@:,A-Z .+=/]{0,60}") {
        if let Ok(acl) = parse_acl(&text) {
            prop_assert!(acl.chars().all(|c| c.is_ascii_alphanumeric() || "@:,-_.$".contains(c)), "{}", acl);
        }
    }
}
