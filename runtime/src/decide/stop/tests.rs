//! Every cell of the stop table, and whole stops played through.

use super::*;

const METHODS: [StopMethod; 6] = [
    StopMethod::SaveState,
    StopMethod::AcpiPowerButton,
    StopMethod::AcpiSleepButton,
    StopMethod::PowerOff,
    StopMethod::Reset,
    StopMethod::PowerOffGraceful,
];

fn facts(word: &str, process: bool, method: StopMethod) -> Facts {
    Facts {
        sight: Sight::State(State::parse(word)),
        process,
        method,
        accepted: Vec::new(),
        refused: None,
        was_up: true,
        left: Some(Duration::from_secs(60)),
        given: Some(Duration::from_secs(60)),
    }
}

fn decided(facts: &Facts) -> Stop {
    let decision = stop(facts);
    assert!(!decision.reason.is_empty());
    decision.action
}

#[test]
fn a_running_vm_is_stopped_by_its_method() {
    use Verb::*;
    let orders = [SaveState, AcpiPowerButton, AcpiSleepButton, PowerOff, Reset, AcpiPowerButton];
    for (method, order) in METHODS.into_iter().zip(orders) {
        assert_eq!(decided(&facts("running", true, method)), Stop::Give(order), "{method:?}");
    }
}

#[test]
fn a_paused_vm_is_resumed_first_where_virtualbox_would_refuse() {
    use Verb::*;
    let orders = [SaveState, Resume, Resume, PowerOff, Resume, Resume];
    for (method, order) in METHODS.into_iter().zip(orders) {
        let mut facts = facts("paused", true, method);
        assert_eq!(decided(&facts), Stop::Give(order), "{method:?}");
        facts.accepted.push(order);
        assert_eq!(decided(&facts), Stop::Wait, "{method:?}: an order is given once");
    }
}

#[test]
fn a_stuck_vm_is_powered_off_whatever_its_method() {
    for word in ["gurumeditation", "stuck", "unknown"] {
        for method in METHODS {
            assert_eq!(decided(&facts(word, true, method)), Stop::Give(Verb::PowerOff), "{word} {method:?}");
        }
    }
}

#[test]
fn what_passes_is_waited_for() {
    for word in [
        "starting",
        "restoring",
        "saving",
        "stopping",
        "settingup",
        "deletingsnapshot",
        "restoringsnapshot",
        "onlinesnapshotting",
        "livesnapshotting",
        "teleporting",
    ] {
        for method in METHODS {
            assert_eq!(decided(&facts(word, true, method)), Stop::Wait, "{word} {method:?}");
        }
    }
}

#[test]
fn a_vm_at_rest_has_nothing_to_stop() {
    for word in ["saved", "teleported", "poweroff", "aborted", "aborted-saved", "", "hibernating"] {
        for method in METHODS {
            let facts = Facts { was_up: false, ..facts(word, false, method) };
            assert_eq!(decided(&facts), Stop::Done, "{word} {method:?}");
        }
    }
}

#[test]
fn no_stop_is_done_while_a_process_of_the_vm_lives() {
    for word in ["saved", "poweroff", "aborted", "aborted-saved", ""] {
        for method in METHODS {
            for was_up in [false, true] {
                let mut facts = Facts { was_up, ..facts(word, true, method) };
                assert_eq!(decided(&facts), Stop::Wait, "{word} {method:?}");
                facts.left = Some(Duration::ZERO);
                assert_eq!(decided(&facts), Stop::TimedOut, "{word} {method:?}");
            }
        }
    }
}

#[test]
fn an_unknown_word_with_a_process_is_stopped_by_its_method() {
    assert_eq!(decided(&facts("hibernating", true, StopMethod::SaveState)), Stop::Give(Verb::SaveState));
    assert_eq!(decided(&facts("hibernating", true, StopMethod::PowerOff)), Stop::Give(Verb::PowerOff));
}

#[test]
fn a_state_that_is_not_known_is_waited_for_until_the_time_runs_out() {
    let mut facts = facts("running", true, StopMethod::SaveState);
    facts.sight = Sight::NotKnown("cut off".into());
    assert_eq!(decided(&facts), Stop::Wait);
    facts.left = Some(Duration::ZERO);
    assert_eq!(decided(&facts), Stop::TimedOut);
    (facts.left, facts.given) = (None, None);
    assert_eq!(decided(&facts), Stop::Wait, "no time-out is for ever, not at once");
}

#[test]
fn the_wanted_rest_is_success_and_any_other_is_not() {
    use Stop::*;
    let table = [
        (StopMethod::SaveState, "saved", Done),
        (StopMethod::SaveState, "poweroff", Failed),
        (StopMethod::SaveState, "aborted", Failed),
        (StopMethod::SaveState, "aborted-saved", Failed),
        (StopMethod::PowerOff, "poweroff", Done),
        (StopMethod::PowerOff, "saved", Failed),
        (StopMethod::PowerOff, "aborted", Failed),
        (StopMethod::AcpiPowerButton, "poweroff", Done),
        (StopMethod::AcpiPowerButton, "aborted", Failed),
        (StopMethod::AcpiSleepButton, "poweroff", Done),
        (StopMethod::PowerOffGraceful, "poweroff", Done),
        (StopMethod::PowerOffGraceful, "saved", Failed),
    ];
    for (method, word, wanted) in table {
        assert_eq!(decided(&facts(word, false, method)), wanted, "{method:?} {word}");
    }
}

#[test]
fn a_stuck_vm_that_was_powered_off_is_stopped_even_where_saving_was_wanted() {
    let mut facts = facts("poweroff", false, StopMethod::SaveState);
    facts.accepted.push(Verb::PowerOff);
    assert_eq!(decided(&facts), Stop::Done);
}

#[test]
fn a_vm_that_cannot_be_saved_is_a_failure_that_says_so() {
    let mut facts = facts("running", true, StopMethod::SaveState);
    facts.refused = Some((Verb::SaveState, "no room".into()));
    let decision = stop(&facts);
    assert_eq!(decision.action, Stop::Failed);
    assert!(decision.reason.contains("no room"), "{}", decision.reason);
}

#[test]
fn a_reset_is_done_once_it_is_taken() {
    let mut facts = facts("running", true, StopMethod::Reset);
    facts.accepted.push(Verb::Reset);
    assert_eq!(decided(&facts), Stop::Done);
}

#[test]
fn a_graceful_stop_keeps_time_for_the_rough_one() {
    let mut facts = facts("running", true, StopMethod::PowerOffGraceful);
    facts.accepted.push(Verb::AcpiPowerButton);
    facts.left = Some(Duration::from_secs(13));
    assert_eq!(decided(&facts), Stop::Wait);
    facts.left = Some(Duration::from_secs(12));
    assert_eq!(decided(&facts), Stop::Give(Verb::PowerOff));
    facts.accepted.push(Verb::PowerOff);
    assert_eq!(decided(&facts), Stop::Wait);
    (facts.left, facts.given) = (None, None);
    facts.accepted.pop();
    assert_eq!(decided(&facts), Stop::Wait, "with no time-out the guest is waited for, for ever");
}

#[test]
fn a_graceful_stop_goes_rough_at_once_where_the_button_is_refused() {
    let mut facts = facts("running", true, StopMethod::PowerOffGraceful);
    facts.refused = Some((Verb::AcpiPowerButton, "no ACPI".into()));
    assert_eq!(decided(&facts), Stop::Give(Verb::PowerOff));
    facts.refused = Some((Verb::PowerOff, "no power".into()));
    assert_eq!(decided(&facts), Stop::Failed);
}

#[test]
fn the_rough_share_is_a_fifth_within_bounds() {
    for (given, share) in [(1, 2), (10, 2), (60, 12), (600, 30), (36_000, 30)] {
        assert_eq!(rough_share(Duration::from_secs(given)), Duration::from_secs(share), "{given}");
    }
}

#[test]
fn the_deadline_is_the_sooner_of_ours_and_smfs() {
    let s = |secs: u64| Some(Duration::from_secs(secs));
    for (asked, smf, wanted) in [
        (None, None, None),
        (s(600), None, s(600)),
        (None, s(120), s(115)),
        (s(3600), s(120), s(115)),
        (s(60), s(120), s(60)),
        (None, s(8), s(4)),
    ] {
        assert_eq!(time_given(asked, smf), wanted, "{asked:?} {smf:?}");
    }
}
