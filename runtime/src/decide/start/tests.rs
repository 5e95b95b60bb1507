//! Every cell of the start table.

use std::time::Duration;

use super::*;
use crate::settings::effective::effective;
use crate::settings::{Kind, PerState};
use crate::smf::svcprop::Properties;

fn settings() -> Settings {
    effective("web", &Properties::default(), &Properties::default()).settings
}

const ALL: PerState = PerState { aborted: true, paused: true, halted: true, saved: true, stuck: true };
const NONE: PerState = PerState { aborted: false, paused: false, halted: false, saved: false, stuck: false };

/// What the start does with a VM in this state, by who owns its process and what the settings allow.
fn decided(word: &str, process: VmProcess, start: PerState, kind: Kind, force: bool) -> Start {
    let facts = Facts { sight: Sight::State(State::parse(word)), process, force, took_over: false };
    let decision = super::start(&facts, &Settings { start, kind, ..settings() });
    assert!(!decision.reason.is_empty());
    decision.action
}

#[test]
fn headless_allowed_everything() {
    use Start::*;
    let table = [
        ("running", TakeOver),
        ("paused", TakeOver),
        ("starting", Wait),
        ("restoring", Wait),
        ("onlinesnapshotting", Wait),
        ("livesnapshotting", Wait),
        ("teleporting", Wait),
        ("saving", Wait),
        ("stopping", Wait),
        ("settingup", Wait),
        ("deletingsnapshot", Wait),
        ("restoringsnapshot", Wait),
        ("saved", Launch),
        ("teleported", Launch),
        ("poweroff", Launch),
        ("aborted", Launch),
        ("aborted-saved", Launch),
        ("gurumeditation", PowerOffThenLaunch),
        ("stuck", PowerOffThenLaunch),
        ("unknown", PowerOffThenLaunch),
        ("", Leave),
        ("hibernating", Refuse),
    ];
    for (word, wanted) in table {
        let process = match State::parse(word).group() {
            Group::Live | Group::Paused | Group::Stuck | Group::Saving => VmProcess::Foreign,
            _ => VmProcess::None,
        };
        assert_eq!(decided(word, process, ALL, Kind::Headless, false), wanted, "{word}");
    }
}

#[test]
fn headless_allowed_nothing() {
    use Start::*;
    for (word, wanted) in [
        ("running", TakeOver),
        ("paused", Refuse),
        ("saved", Leave),
        ("poweroff", Leave),
        ("aborted", Refuse),
        ("aborted-saved", Refuse),
        ("gurumeditation", Leave),
        ("unknown", Leave),
    ] {
        let process = match State::parse(word).group() {
            Group::Live | Group::Paused | Group::Stuck => VmProcess::Foreign,
            _ => VmProcess::None,
        };
        assert_eq!(decided(word, process, NONE, Kind::Headless, false), wanted, "{word}");
    }
}

#[test]
fn an_interactive_vm_is_never_taken_over_and_never_fails_the_method() {
    use Start::*;
    for kind in [Kind::Interactive, Kind::DualBoot] {
        for (word, wanted) in [
            ("running", Leave),
            ("starting", Leave),
            ("restoring", Leave),
            ("paused", Leave),
            ("saved", Leave),
            ("poweroff", Leave),
            ("aborted", Leave),
            ("gurumeditation", Leave),
            ("", Leave),
        ] {
            let process = match State::parse(word).group() {
                Group::Live | Group::Paused | Group::Stuck => VmProcess::Foreign,
                _ => VmProcess::None,
            };
            assert_eq!(decided(word, process, NONE, kind, false), wanted, "{word}");
        }
        for (word, wanted) in [("saved", Launch), ("poweroff", Launch), ("aborted", Launch)] {
            assert_eq!(decided(word, VmProcess::None, ALL, kind, false), wanted, "{word}, with a setting of its own");
        }
    }
}

#[test]
fn a_vm_that_a_former_monitor_started_is_attached_to_undisturbed() {
    for word in ["running", "starting", "restoring", "livesnapshotting"] {
        for kind in [Kind::Headless, Kind::Interactive] {
            let got = decided(word, VmProcess::Ours, NONE, kind, false);
            assert_eq!(got, Start::Attach { resume: false }, "{word}");
        }
    }
    assert_eq!(decided("paused", VmProcess::Ours, ALL, Kind::Headless, false), Start::Attach { resume: true });
    assert_eq!(decided("paused", VmProcess::Ours, NONE, Kind::Headless, false), Start::Refuse);
    assert_eq!(decided("paused", VmProcess::Ours, NONE, Kind::Interactive, false), Start::Leave);
}

#[test]
fn a_second_copy_is_never_started_while_a_process_of_the_vm_lives() {
    for word in ["poweroff", "saved", "teleported", "aborted", "aborted-saved"] {
        for process in [VmProcess::Ours, VmProcess::Foreign] {
            for force in [false, true] {
                assert_eq!(decided(word, process, ALL, Kind::Headless, force), Start::Wait, "{word}");
            }
        }
    }
}

#[test]
fn what_the_takeover_saved_is_started_again_whatever_start_saved_vm_says() {
    let facts = Facts { sight: Sight::State(State::Saved), process: VmProcess::None, force: false, took_over: true };
    assert_eq!(start(&facts, &Settings { start: NONE, ..settings() }).action, Start::Launch);
}

#[test]
fn a_forced_start_starts_from_any_state_headless() {
    use Start::*;
    for kind in [Kind::Headless, Kind::Interactive, Kind::DualBoot] {
        for (word, process, wanted) in [
            ("running", VmProcess::Foreign, TakeOver),
            ("running", VmProcess::Ours, Attach { resume: false }),
            ("paused", VmProcess::Foreign, TakeOver),
            ("paused", VmProcess::Ours, Attach { resume: true }),
            ("starting", VmProcess::Foreign, Wait),
            ("saving", VmProcess::Foreign, Wait),
            ("stopping", VmProcess::Foreign, Wait),
            ("saved", VmProcess::None, Launch),
            ("poweroff", VmProcess::None, Launch),
            ("aborted", VmProcess::None, Launch),
            ("gurumeditation", VmProcess::Foreign, PowerOffThenLaunch),
            ("hibernating", VmProcess::None, Launch),
            ("hibernating", VmProcess::Foreign, Refuse),
        ] {
            assert_eq!(decided(word, process, NONE, kind, true), wanted, "{word}");
        }
    }
}

#[test]
fn a_state_that_is_not_known_is_waited_for_not_acted_on() {
    let facts =
        Facts { sight: Sight::NotKnown("too late".into()), process: VmProcess::None, force: true, took_over: false };
    let decision = start(&facts, &settings());
    assert_eq!(decision.action, Start::Wait);
    assert!(decision.reason.contains("too late"));
}

#[test]
fn a_refusal_names_the_property_to_set() {
    let facts = Facts { sight: Sight::State(State::Aborted), process: VmProcess::None, force: false, took_over: false };
    let reason = start(&facts, &Settings { start: NONE, ..settings() }).reason;
    assert!(reason.contains("vm/start_aborted_vm"), "{reason}");
}

#[test]
fn block_file_table() {
    let ours = |age: u64| Some(BlockFile { ours: true, age: Some(Duration::from_secs(age)) });
    let theirs = Some(BlockFile { ours: false, age: Some(Duration::ZERO) });
    let from_the_future = Some(BlockFile { ours: true, age: None });
    let on = Settings { blockfile_enabled: true, blockfile_maxage: Duration::from_secs(60), ..settings() };
    let off = Settings { blockfile_enabled: false, ..on.clone() };
    for (file, force, settings, wanted) in [
        (None, false, &on, Block::Pass),
        (ours(59), false, &on, Block::Hold),
        (ours(60), false, &on, Block::Remove),
        (from_the_future, false, &on, Block::Hold),
        (theirs, false, &on, Block::RemoveForeign),
        (ours(1), false, &off, Block::Pass),
        (theirs, false, &off, Block::Pass),
        (ours(1), true, &on, Block::Remove),
        (theirs, true, &on, Block::Remove),
        (ours(1), true, &off, Block::Remove),
        (None, true, &on, Block::Pass),
    ] {
        assert_eq!(block(file, force, settings).action, wanted, "{file:?} force {force}");
    }
}
