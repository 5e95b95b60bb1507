use proptest::prelude::*;

use super::*;
use crate::settings::table;

fn domain(name: &str) -> &'static Domain {
    &table::row(name).unwrap().domain
}

fn property(values: &[&str]) -> Property {
    Property { kind: "astring".into(), values: values.iter().map(|value| value.to_string()).collect() }
}

fn words(text: &str) -> Vec<String> {
    shell_words(text).unwrap()
}

#[test]
fn booleans_are_what_smf_takes_and_nothing_else() {
    for text in ["true", "t", "1"] {
        assert_eq!(boolean(text), Ok(true));
    }
    for text in ["false", "f", "0"] {
        assert_eq!(boolean(text), Ok(false));
    }
    for text in ["yes", "TRUE", "", "2", " true", "on"] {
        assert!(boolean(text).is_err(), "{text:?}");
    }
}

#[test]
fn integers_are_read_as_strtoll_with_base_0() {
    let right = [
        ("0", 0),
        ("600", 600),
        ("-5", -5),
        ("+5", 5),
        ("010", 8),
        ("-010", -8),
        ("0x10", 16),
        ("0XfF", 255),
        ("-0x10", -16),
        (" \t7", 7),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808", i64::MIN),
    ];
    for (text, number) in right {
        assert_eq!(integer(text), Ok(number), "{text:?}");
    }
    for text in ["", " ", "08", "0x", "0xg", "1.5", "7 ", "1e3", "--1", "+-1", "0x-1", "9223372036854775808", "ten"] {
        assert!(integer(text).is_err(), "{text:?}");
    }
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    assert_eq!(of_text(domain("nice"), "19"), Ok(Value::Number(19)));
    let error = of_text(domain("nice"), "20").unwrap_err();
    assert_eq!(error.to_string(), "20 is not a number from -20 to 19");
}

#[test]
fn words_have_synonyms_and_case_counts_only_where_the_table_says_so() {
    let canonical = |name, text| of_text(domain(name), text).map(|value| value.to_string());
    assert_eq!(canonical("start_wait_policy", "hook_lax"), Ok("hook".into()));
    assert_eq!(canonical("start_wait_policy", "-"), Ok("off".into()));
    assert!(canonical("start_wait_policy", "Hook").is_err());
    assert_eq!(canonical("kicker_restart", "NoNe"), Ok("none".into()));
    assert_eq!(canonical("kicker_restart", "TRUE"), Ok("all".into()));
    let error = of_text(domain("kicker_restart"), "perhaps").unwrap_err();
    assert_eq!(error.to_string(), "\"perhaps\" is none of none, all");
}

#[test]
fn paths_are_absolute_and_name_a_file() {
    assert_eq!(
        of_text(domain("kicker_pidfile_name"), "/var/run/my vm.pid"),
        Ok(Value::Path("/var/run/my vm.pid".into()))
    );
    for text in ["vm.pid", "./vm.pid", "/", "/var/run/", "/var/\nrun"] {
        assert!(of_text(domain("kicker_pidfile_name"), text).is_err(), "{text:?}");
    }
}

#[test]
fn shell_words_follow_a_shells_quoting() {
    assert_eq!(words("  -w 3\t'my host'  22 "), ["-w", "3", "my host", "22"]);
    assert_eq!(words(r#"a'b'"c"d"#), ["abcd"]);
    assert_eq!(words(r#"'' "" x"#), ["", "", "x"]);
    assert_eq!(words(r#"'a\b' "a\b" "a\"b" "\$x" \'"#), [r"a\b", r"a\b", "a\"b", "$x", "'"]);
    assert_eq!(words(r"a\ b"), ["a b"]);
    assert_eq!(words("a\\\nb \"c\\\nd\""), ["ab", "cd"]);
    assert_eq!(words("$HOME `id` * ~ ; # x"), ["$HOME", "`id`", "*", "~", ";", "#", "x"]);
    assert_eq!(words(" "), [""; 0]);
}

#[test]
fn shell_words_without_their_end_are_an_error() {
    for text in ["'a", "a\"b", "\"a\\", "\"a\\\""] {
        assert_eq!(shell_words(text), Err(ValueError::OpenQuote(text.into())));
    }
    assert_eq!(shell_words("a\\"), Err(ValueError::LoneBackslash("a\\".into())));
}

#[test]
fn exit_codes_are_numbers_of_a_byte() {
    assert_eq!(of_text(domain("kicker_vmsvccheck_exitcode_okay"), " 0\t10 255 "), Ok(Value::Codes(vec![0, 10, 255])));
    for text in ["256", "-1", "0,1", "0x1", "one"] {
        assert!(of_text(domain("kicker_vmsvccheck_exitcode_okay"), text).is_err(), "{text:?}");
    }
}

#[test]
fn signals_are_named_with_or_without_sig_and_never_one_that_cannot_be_caught() {
    let signals = |text| of_text(domain("startgui_fg_trap_signals"), text);
    assert_eq!(signals("SIGTERM INT"), Ok(Value::Words(vec!["SIGTERM".into(), "SIGINT".into()])));
    for text in ["SIGKILL", "15", "SIG", "SIGSIGTERM", "term"] {
        assert!(signals(text).is_err(), "{text:?}");
    }
}

#[test]
fn datasets_are_names_mount_points_or_one_of_the_words() {
    let datasets = |text| of_text(domain("zfssnap_dslist"), text);
    assert_eq!(datasets("auto").unwrap().to_string(), "auto");
    assert_eq!(datasets(" - ").unwrap().to_string(), "-");
    assert_eq!(datasets("rpool/vm /export/vm").unwrap(), Value::Words(vec!["rpool/vm".into(), "/export/vm".into()]));
    assert_eq!(datasets("rpool/vm -").unwrap(), Value::Words(vec!["rpool/vm".into()]));
    for text in ["-r rpool", "rpool@now", "../vm"] {
        assert!(datasets(text).is_err(), "{text:?} must never reach the arguments of zfs");
    }
    assert!(of_text(domain("zfssnap_dslist_append"), "auto").unwrap() == Value::Words(vec!["auto".into()]));
}

#[test]
fn a_snapshot_prefix_is_what_zfs_takes_in_a_name() {
    assert!(of_text(domain("zfssnap_prefix"), "my_auto.snap:1-x").is_ok());
    for text in ["a@b", "a/b", "a b", "", &"x".repeat(65)] {
        assert!(of_text(domain("zfssnap_prefix"), text).is_err(), "{text:?}");
    }
}

#[test]
fn control_characters_are_refused_in_names() {
    assert_eq!(of_text(domain("name"), "Пёс 1"), Ok(Value::Text("Пёс 1".into())));
    assert_eq!(of_text(domain("name"), "a\u{1b}[2J"), Err(ValueError::Control("a\u{1b}[2J".into())));
}

#[test]
fn an_explicitly_empty_property_is_none_in_every_row() {
    for row in table::rows() {
        for values in [&[][..], &[""], &["  "]] {
            assert_eq!(of_property(&row.domain, &property(values)), Ok(None), "{}", row.name);
        }
    }
}

#[test]
fn several_values_are_joined_for_lists_and_refused_for_the_rest() {
    let codes = of_property(domain("kicker_vmsvccheck_exitcode_okay"), &property(&["0", "10 11"]));
    assert_eq!(codes, Ok(Some(Value::Codes(vec![0, 10, 11]))));
    let signals = of_property(domain("startgui_fg_trap_signals"), &property(&["SIGHUP", "SIGINT"]));
    assert_eq!(signals, Ok(Some(Value::Words(vec!["SIGHUP".into(), "SIGINT".into()]))));
    assert_eq!(of_property(domain("stop_timeout"), &property(&["1", "2"])), Err(ValueError::Many(2)));
    assert_eq!(of_property(domain("kicker_pidfile_name"), &property(&["/a", "/b"])), Err(ValueError::Many(2)));
}

#[test]
fn the_stored_type_does_not_matter() {
    let stored_as_text = Property { kind: "astring".into(), values: vec!["0x10".into()] };
    assert_eq!(of_property(domain("stop_timeout"), &stored_as_text), Ok(Some(Value::Number(16))));
}

proptest! {
    #[test]
    fn shown_words_are_read_back(words in prop::collection::vec("[\\PC '\"\\\\\n\t]{0,8}", 0..5)) {
        let shown = Value::Words(words.clone()).to_string();
        prop_assert_eq!(shell_words(&shown), Ok(words));
    }

    #[test]
    fn integers_that_were_printed_are_read_back(number: i64) {
        prop_assert_eq!(integer(&number.to_string()), Ok(number));
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,20}", awkward in "[-+0xX9 '\"\\\\/@\n]{0,12}") {
        for row in table::rows() {
            let _ = (of_text(&row.domain, &text), of_text(&row.domain, &awkward));
        }
    }
}
