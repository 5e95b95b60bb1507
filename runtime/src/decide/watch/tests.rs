//! Every cell of the monitor's table.

use super::*;
use crate::settings::effective::effective;
use crate::settings::{PerState, RateLimit};
use crate::smf::svcprop::Properties;

const ALL: PerState = PerState { aborted: true, paused: true, halted: true, saved: true, stuck: true };
const NONE: PerState = PerState { aborted: false, paused: false, halted: false, saved: false, stuck: false };

fn settings(restart: PerState, start: PerState) -> Settings {
    let settings = effective("web", &Properties::default(), &Properties::default()).settings;
    Settings { restart, start, ignore_paused: false, ..settings }
}

fn facts(word: &str) -> Facts {
    let state = State::parse(word);
    let process = matches!(state.group(), Group::Live | Group::Paused | Group::Stuck | Group::Saving);
    Facts {
        smf: SmfState::Up,
        nokick: NoKick::None,
        sight: Sight::State(state),
        process,
        evidence: Evidence::None,
        restart_once: false,
        hook_due: false,
        aborts: 1,
        unknown_in_a_row: 1,
    }
}

fn decided(facts: &Facts, settings: &Settings) -> Watch {
    let decision = watch(facts, settings);
    assert!(!decision.reason.is_empty());
    decision.action
}

#[test]
fn smfs_own_state_comes_first() {
    for (state, next, wanted) in [
        ("online", "none", Watch::Launch),
        ("degraded", "none", Watch::Launch),
        ("online", "offline", Watch::Skip),
        ("offline", "online", Watch::Skip),
        ("degraded", "-", Watch::Launch),
        ("disabled", "none", Watch::End),
        ("offline", "none", Watch::End),
        ("maintenance", "none", Watch::End),
        ("uninitialized", "none", Watch::End),
        ("", "", Watch::Skip),
    ] {
        let facts = Facts { smf: SmfState::from_words(state, next), ..facts("aborted") };
        assert_eq!(decided(&facts, &settings(ALL, ALL)), wanted, "{state} {next}");
    }
}

#[test]
fn a_nokick_file_skips_the_cycle() {
    for nokick in [NoKick::Command(17), NoKick::Administrator] {
        let facts = Facts { nokick, ..facts("aborted") };
        assert_eq!(decided(&facts, &settings(ALL, ALL)), Watch::Skip);
    }
}

#[test]
fn by_state_restart_and_start_settings() {
    use Watch::*;
    // The columns: restart yes; restart no but start yes; neither.
    let table = [
        ("running", Nothing, Nothing, Nothing),
        ("starting", Nothing, Nothing, Nothing),
        ("restoring", Nothing, Nothing, Nothing),
        ("livesnapshotting", Nothing, Nothing, Nothing),
        ("aborted", Launch, AskMaintenance, AskMaintenance),
        ("aborted-saved", Launch, AskMaintenance, AskMaintenance),
        ("paused", Resume, AskOffline, AskOffline),
        ("poweroff", Launch, AskOffline, LeaveAlone),
        ("saved", Launch, AskOffline, LeaveAlone),
        ("teleported", Launch, AskOffline, LeaveAlone),
        ("saving", Nothing, Nothing, Nothing),
        ("stopping", Nothing, Nothing, Nothing),
        ("restoringsnapshot", Nothing, Nothing, Nothing),
        ("", Nothing, Nothing, Nothing),
        ("gurumeditation", PowerOffThenLaunch, AskOffline, LeaveAlone),
        ("stuck", PowerOffThenLaunch, AskOffline, LeaveAlone),
        ("unknown", PowerOffThenLaunch, AskOffline, LeaveAlone),
    ];
    for (word, restart, start, neither) in table {
        assert_eq!(decided(&facts(word), &settings(ALL, ALL)), restart, "{word}, restart");
        assert_eq!(decided(&facts(word), &settings(NONE, ALL)), start, "{word}, start");
        assert_eq!(decided(&facts(word), &settings(NONE, NONE)), neither, "{word}, neither");
    }
}

#[test]
fn a_paused_vm_is_ignored_where_the_settings_say_so() {
    let ignoring = Settings { ignore_paused: true, ..settings(ALL, ALL) };
    assert_eq!(decided(&facts("paused"), &ignoring), Watch::LeaveAlone);
}

#[test]
fn kicker_restart_none_leaves_every_resting_vm_alone() {
    let none = Settings { restart_override: RestartOverride::None, ..settings(ALL, ALL) };
    for word in ["aborted", "aborted-saved", "poweroff", "saved", "paused", "gurumeditation", "unknown"] {
        assert_eq!(decided(&facts(word), &none), Watch::LeaveAlone, "{word}");
    }
    let wish = Facts { restart_once: true, ..facts("saved") };
    assert_eq!(decided(&wish, &none), Watch::LaunchOnce, "the restart-once file is an explicit wish");
}

#[test]
fn kicker_restart_all_brings_every_vm_back() {
    use Watch::*;
    let all = Settings { restart_override: RestartOverride::All, ignore_paused: true, ..settings(NONE, NONE) };
    for (word, wanted) in [
        ("aborted", Launch),
        ("poweroff", Launch),
        ("saved", Launch),
        ("paused", Resume),
        ("gurumeditation", PowerOffThenLaunch),
    ] {
        assert_eq!(decided(&facts(word), &all), wanted, "{word}");
    }
}

#[test]
fn the_restart_once_file_starts_a_saved_vm_and_no_other() {
    let wish = |word: &str| Facts { restart_once: true, ..facts(word) };
    assert_eq!(decided(&wish("saved"), &settings(NONE, ALL)), Watch::LaunchOnce);
    assert_eq!(decided(&wish("poweroff"), &settings(NONE, NONE)), Watch::LeaveAlone);
}

#[test]
fn a_resting_word_counts_for_nothing_while_the_process_lives() {
    for word in ["poweroff", "saved", "aborted"] {
        let facts = Facts { process: true, ..facts(word) };
        for settings in [settings(ALL, ALL), settings(NONE, ALL), settings(NONE, NONE)] {
            assert_eq!(decided(&facts, &settings), Watch::Nothing, "{word}");
        }
    }
}

#[test]
fn what_the_monitor_saw_beats_virtualboxs_word() {
    let crashed = Facts { evidence: Evidence::Crashed, ..facts("poweroff") };
    assert_eq!(decided(&crashed, &settings(ALL, ALL)), Watch::Launch);
    assert_eq!(decided(&crashed, &settings(NONE, NONE)), Watch::AskMaintenance);
    let ended = Facts { evidence: Evidence::Ended, ..facts("poweroff") };
    assert_eq!(decided(&ended, &settings(NONE, NONE)), Watch::LeaveAlone);
    let unasked = Facts { sight: Sight::NotKnown("not asked".into()), ..crashed };
    assert_eq!(decided(&unasked, &settings(ALL, ALL)), Watch::Launch);
}

#[test]
fn a_state_that_is_not_known_is_not_acted_on() {
    let facts = Facts { sight: Sight::NotKnown("too late".into()), process: false, ..facts("running") };
    for settings in [settings(ALL, ALL), settings(NONE, NONE)] {
        assert_eq!(decided(&facts, &settings), Watch::Nothing);
    }
}

#[test]
fn too_many_aborts_ask_for_maintenance() {
    let limit = |maxcount| Settings { aborts: RateLimit { maxcount, timeframe: None }, ..settings(ALL, ALL) };
    for (aborts, maxcount, wanted) in [
        (3, Some(3), Watch::Launch),
        (4, Some(3), Watch::AskMaintenance),
        (1, Some(0), Watch::AskMaintenance),
        (1000, None, Watch::Launch),
    ] {
        let facts = Facts { aborts, ..facts("aborted") };
        assert_eq!(decided(&facts, &limit(maxcount)), wanted, "{aborts} of {maxcount:?}");
    }
}

#[test]
fn an_unknown_word_is_counted() {
    let limit = |unknown_limit| Settings { unknown_limit, ..settings(ALL, ALL) };
    for (seen, unknown_limit, wanted) in [
        (3, UnknownLimit::After(3), Watch::Nothing),
        (4, UnknownLimit::After(3), Watch::AskOffline),
        (1, UnknownLimit::After(0), Watch::AskOffline),
        (99, UnknownLimit::Never, Watch::LeaveAlone),
    ] {
        let facts = Facts { unknown_in_a_row: seen, ..facts("hibernating") };
        assert_eq!(decided(&facts, &limit(unknown_limit)), wanted, "{seen} {unknown_limit:?}");
    }
}

#[test]
fn the_hook_runs_only_while_the_vm_is_running() {
    for (word, wanted) in
        [("running", Watch::RunHook), ("starting", Watch::Nothing), ("livesnapshotting", Watch::Nothing)]
    {
        let facts = Facts { hook_due: true, ..facts(word) };
        assert_eq!(decided(&facts, &settings(ALL, ALL)), wanted, "{word}");
    }
}

#[test]
fn the_hooks_exit_codes_are_read_by_their_lists() {
    use Verdict::*;
    let plain = settings(ALL, ALL);
    for (code, wanted) in [
        (Some(0), Okay),
        (Some(1), Failed),
        (Some(2), Reboot),
        (Some(3), Maintenance),
        (Some(77), Failed),
        (None, Failed),
    ] {
        assert_eq!(verdict(code, &plain), wanted, "{code:?}");
    }
    let mut remapped = plain;
    remapped.hook.codes.okay = vec![10, 11];
    remapped.hook.codes.maintenance = vec![0];
    for (code, wanted) in [(10, Okay), (11, Okay), (0, Maintenance), (3, Failed)] {
        assert_eq!(verdict(Some(code), &remapped), wanted, "{code}");
    }
    remapped.hook.codes.maintenance.clear();
    assert_eq!(verdict(Some(0), &remapped), Okay, "0 is okay unless another list names it");
}
