//! A VM that VirtualBox says is down while its process lives, and what is told of VirtualBox's server at its end.

use super::*;

#[test]
fn a_vm_at_rest_a_moment_before_its_process_ends_has_not_crashed() {
    let settings = settings();
    for word in ["poweroff", "saved"] {
        let mut monitor = live(&settings);
        assert_eq!(acts(monitor.step(secs(50), Event::Looked(look(&settings, word, true)))), []);
        assert_eq!(acts(monitor.step(secs(52), ended(Ended::Exited(0), false))), [LOOK], "{word}");
    }
    // A VirtualBox that lost the VM never says that it is saved, however long the process hangs.
    let mut monitor = live(&settings);
    assert_eq!(acts(monitor.step(secs(50), Event::Looked(look(&settings, "saved", true)))), []);
    assert_eq!(acts(monitor.step(secs(90), ended(Ended::Exited(0), false))), [LOOK]);
}

#[test]
fn a_vm_that_virtualbox_said_was_down_for_long_was_lost_unless_its_server_stands() {
    let settings = settings();
    for (server, lost) in [(None, true), (Some(false), true), (Some(true), false)] {
        let mut monitor = live(&settings);
        assert_eq!(acts(monitor.step(secs(50), Event::Looked(look(&settings, "poweroff", true)))), []);
        let traces = Traces { server, ..traces(false) };
        let asked = acts(monitor.step(secs(60), vm_ended(Some(Ended::Exited(0)), traces)));
        assert_eq!(asked, [if lost { LOOK_AT_SMF } else { LOOK }], "{server:?}");
        if lost {
            assert_eq!(acts(monitor.step(secs(60), unasked(&settings, false))), [Action::Launch]);
        }
    }
}

/// VirtualBox's server goes by itself some seconds after its last VM: a monitor that was held up for that long finds
/// both gone, and then VirtualBox is asked how the VM ended.
#[test]
fn a_server_that_had_the_time_to_go_by_itself_is_no_sign_of_a_crash() {
    let settings = settings();
    let (at_once, held_up) = (Duration::from_secs(1), Duration::from_secs(5));
    let cases = [
        (None, at_once, LOOK_AT_SMF),
        (None, held_up, LOOK),
        // How a child ended is told by its exit code and its words.
        (Some(Ended::Exited(0)), at_once, LOOK),
        (Some(Ended::Exited(1)), held_up, LOOK_AT_SMF),
    ];
    for (ended, unseen, look) in cases {
        let mut monitor = live(&settings);
        let traces = Traces { lost: false, server: Some(false), unseen };
        assert_eq!(acts(monitor.step(secs(100), vm_ended(ended, traces))), [look], "{ended:?}, {unseen:?}");
    }
}
