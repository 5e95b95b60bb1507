use std::collections::BTreeSet;

use super::super::value::{self, Value};
use super::*;

const KINDS: [Kind; 3] = [Kind::Headless, Kind::Interactive, Kind::DualBoot];

#[test]
fn names_are_unique_and_legal_for_smf() {
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert(row.name), "{} occurs twice", row.name);
        assert!(row.name.starts_with(|c: char| c.is_ascii_lowercase()), "{}", row.name);
        assert!(row.name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{}", row.name);
    }
}

/// The documented settings: name, type, value in the manifest (`-` = none), level.
const CONTRACT: &str = "\
name astring - Instance
stop_method astring savestate Own
stop_timeout integer 600 Normal
start_aborted_vm boolean true Own
start_paused_vm boolean true Own
start_halted_vm boolean true Own
start_saved_vm boolean true Own
start_stuck_vm boolean false Own
restart_aborted_vm boolean true Own
restart_paused_vm boolean false Own
restart_halted_vm boolean false Own
restart_saved_vm boolean false Own
restart_stuck_vm boolean false Own
ignore_paused_vm boolean true Own
kicker_restart astring '' Normal
offline_is_maint boolean false Normal
maintenance_stops_vm boolean false Normal
offline_unknown_state_maxcount integer 3 Normal
is_interactive boolean false Instance
is_dualboot boolean false Instance
start_wait_policy astring off Normal
nice integer 0 Normal
timezone astring '' Normal
kicker_freq integer 50 Normal
kicker_debug boolean false Normal
debug_smf boolean false Normal
restart_aborted_vm_failures_maxcount integer 3 Normal
restart_aborted_vm_failures_timeframe integer 1200 Normal
kicker_vmsvccheck_enabled boolean false Normal
kicker_vmsvccheck_method astring '' Normal
kicker_vmsvccheck_method_params astring '' Normal
kicker_vmsvccheck_startdelay integer 300 Normal
kicker_vmsvccheck_timeout integer 60 Normal
kicker_vmsvccheck_failures_maxcount integer 3 Normal
kicker_vmsvccheck_failures_timeframe integer 1200 Normal
kicker_vmsvccheck_exitcode_okay astring 0 Normal
kicker_vmsvccheck_exitcode_failonce astring 1 Normal
kicker_vmsvccheck_exitcode_doreboot astring 2 Normal
kicker_vmsvccheck_exitcode_maintenance astring 3 Normal
kicker_pidfile_name astring - Instance
kicker_nokick_file_name astring - Instance
kicker_blockfile_name astring - Instance
kicker_blockfile_enabled boolean true Normal
kicker_blockfile_maxage integer 60 Normal
kicker_restart_saved_vm_once_file_name astring - Instance
zfssnap_flag boolean false Normal
zfssnap_dslist astring auto Normal
zfssnap_dslist_append astring '' Normal
zfssnap_prefix astring vboxsvc-auto-snap Normal
zfssnap_keep integer 0 Normal
startgui_fg_trap_signals astring SIGHUP SIGINT SIGQUIT SIGTERM SIGABRT Normal
";

#[test]
fn the_table_is_the_documented_one() {
    let line = |row: &Row| {
        let manifest = match row.manifest {
            None => "-",
            Some("") => "''",
            Some(value) => value,
        };
        format!("{} {} {manifest} {:?}", row.name, row.smf_type().word(), row.level)
    };
    let ours: BTreeSet<String> = rows().map(line).collect();
    let documented: BTreeSet<String> = CONTRACT.lines().map(String::from).collect();
    assert_eq!(ours, documented);
}

#[test]
fn every_default_is_a_right_value_of_its_row() {
    for row in rows() {
        if let Some(manifest) = row.manifest.filter(|text| !text.is_empty()) {
            assert!(value::of_text(&row.domain, manifest).is_ok(), "manifest value of {}", row.name);
        }
        for kind in KINDS {
            if let Some(text) = row.built_in.text(kind) {
                assert!(value::of_text(&row.domain, text).is_ok(), "built-in of {}", row.name);
            }
        }
        if let Domain::Words { words: _, unknown: Some(word), .. } = row.domain {
            assert!(value::of_text(&row.domain, word).is_ok(), "unknown word of {}", row.name);
        }
    }
}

#[test]
fn a_built_in_taken_from_another_row_is_found_before_it() {
    let mut seen: Vec<&Row> = Vec::new();
    for row in rows() {
        if let BuiltIn::SameAs(other) = row.built_in {
            let other = seen.iter().find(|earlier| earlier.name == other).unwrap();
            assert_eq!((other.smf_type(), other.level), (row.smf_type(), row.level), "{}", row.name);
        }
        seen.push(row);
    }
}

#[test]
fn what_only_the_instance_may_say_has_no_value_in_the_manifest_but_the_two_that_are_off() {
    for row in rows().filter(|row| row.level == Level::Instance) {
        let off = ["is_interactive", "is_dualboot"].contains(&row.name);
        assert_eq!(row.manifest, off.then_some("false"), "{}", row.name);
    }
}

#[test]
fn prose_fits_into_properties_and_comments() {
    for row in rows() {
        let words = row.domain.words().iter().map(|word| word.meaning);
        for text in [row.title, row.prose].into_iter().chain(words) {
            assert!(!text.contains("--") && !text.contains(char::is_control), "{}: {text}", row.name);
            assert!(text.is_ascii() && !text.is_empty(), "{}", row.name);
        }
        assert!(row.title.len() < 60, "SMF wants names under 60 characters: {}", row.title);
        assert!(!row.title.ends_with('.') && row.prose.ends_with('.'), "{}", row.name);
    }
}

#[test]
fn only_numbers_have_units_and_every_duration_has() {
    for row in rows() {
        assert!(row.units.is_none() || row.smf_type() == Type::Integer, "{}", row.name);
        let duration = ["timeout", "timeframe", "delay", "freq", "maxage"].iter().any(|end| row.name.ends_with(end));
        assert_eq!(row.units == Some("seconds"), duration, "{}", row.name);
    }
}

#[test]
fn no_spelling_of_a_word_means_two_things() {
    for row in rows() {
        let mut seen = BTreeSet::new();
        for spelling in row.domain.words().iter().flat_map(Word::spellings) {
            assert!(seen.insert(spelling.to_lowercase()), "{}: {spelling}", row.name);
        }
    }
}

#[test]
fn smf_gives_the_stop_method_more_time_than_it_takes_for_itself() {
    let Value::Number(stop_timeout) =
        value::of_text(&row("stop_timeout").unwrap().domain, row("stop_timeout").unwrap().manifest.unwrap()).unwrap()
    else {
        panic!("stop_timeout is a number")
    };
    assert!(stop_timeout + 5 < i64::from(SMF_STOP_TIMEOUT));
}
