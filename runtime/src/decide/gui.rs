//! What `startgui` does next with a VM, asked again after every look at it until its window can be opened.

use std::fmt;

use super::{Decision, Sight};
use crate::virtualbox::{Group, State};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub sight: Sight,
    /// A process of the VM lives.
    pub process: bool,
    /// VirtualBox says that the VM's session is a window's.
    pub in_window: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gui {
    /// The VM has its window already.
    Leave,
    /// Save the state of the VM, then look again.
    Save,
    /// Open the window.
    Open,
    /// The state will pass: look again, for as long as the start may take.
    Wait,
    /// Fail, the VM untouched.
    Refuse,
}

impl fmt::Display for Gui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Gui::Leave => "leaves the VM as it is",
            Gui::Save => "saves the VM's state, then opens its window",
            Gui::Open => "opens the VM's window",
            Gui::Wait => "waits",
            Gui::Refuse => "fails",
        })
    }
}

pub fn gui(facts: &Facts) -> Decision<Gui> {
    let state = match &facts.sight {
        Sight::State(state) => state,
        Sight::NotKnown(why) | Sight::Wedged(why) => {
            return Decision::new(Gui::Wait, format!("the VM's state is not known: {why}"));
        }
    };
    match state.group() {
        Group::Live | Group::Paused if facts.in_window => {
            Decision::new(Gui::Leave, format!("the VM is {state} in a window already"))
        }
        Group::Paused => save(state),
        Group::Live if *state == State::Running => save(state),
        Group::Live | Group::Saving | Group::Passing => {
            Decision::new(Gui::Wait, format!("the VM is {state}: waiting for that to end"))
        }
        Group::Empty => Decision::new(Gui::Wait, "VirtualBox gives no state: asking again"),
        Group::Saved | Group::Halted | Group::Aborted if facts.process => Decision::new(
            Gui::Wait,
            format!(
                "VirtualBox says {state} while a process of the VM lives: never a second copy, waiting for its end"
            ),
        ),
        Group::Saved | Group::Halted | Group::Aborted => {
            Decision::new(Gui::Open, format!("the VM is {state}: opening its window"))
        }
        Group::Stuck => Decision::new(
            Gui::Refuse,
            format!("the VM is {state} and its state cannot be saved: power it off first, by poweroff or reboot"),
        ),
        Group::Unknown => Decision::new(
            Gui::Refuse,
            format!("the state {state} is not known to this program: bring the VM to a known one by VBoxManage"),
        ),
    }
}

fn save(state: &State) -> Decision<Gui> {
    Decision::new(Gui::Save, format!("the VM is {state} without a window: its state is saved, then it goes on in one"))
}

/// What the restart-once file is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Custody {
    /// A monitor watches the VM.
    pub watched: bool,
    /// SMF leaves the VM to its user.
    pub interactive: bool,
    /// The VM was live without a window before.
    pub was_headless: bool,
}

/// Whether the monitor is to take the VM back once its user has saved it. A VM that is its user's and was down stays
/// his; without a monitor there is nobody to take it back, and the wish would only lie in wait for a later one.
pub fn taken_back(custody: Custody) -> bool {
    custody.watched && (!custody.interactive || custody.was_headless)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(word: &str, process: bool, in_window: bool) -> Gui {
        gui(&Facts { sight: Sight::State(State::parse(word)), process, in_window }).action
    }

    #[test]
    fn every_state_without_a_window_has_its_action() {
        for state in State::known() {
            let wanted = match state.group() {
                Group::Paused => Gui::Save,
                Group::Live if *state == State::Running => Gui::Save,
                Group::Live | Group::Saving | Group::Passing | Group::Empty => Gui::Wait,
                Group::Saved | Group::Halted | Group::Aborted => Gui::Open,
                Group::Stuck | Group::Unknown => Gui::Refuse,
            };
            assert_eq!(decided(state.word(), false, false), wanted, "{state}");
        }
        assert_eq!(decided("hibernating", false, false), Gui::Refuse);
    }

    #[test]
    fn a_resting_vm_whose_process_lives_gets_no_second_copy() {
        for word in ["saved", "poweroff", "aborted"] {
            assert_eq!(decided(word, true, false), Gui::Wait, "{word}");
            assert_eq!(decided(word, true, true), Gui::Wait, "{word}");
        }
    }

    #[test]
    fn a_vm_in_a_window_is_left_there() {
        for word in ["running", "paused", "starting", "restoring"] {
            assert_eq!(decided(word, true, true), Gui::Leave, "{word}");
        }
    }

    #[test]
    fn what_is_not_known_is_waited_for() {
        let facts = Facts { sight: Sight::NotKnown("late".into()), process: true, in_window: false };
        assert_eq!(gui(&facts).action, Gui::Wait);
    }

    #[test]
    fn only_a_vm_that_was_the_services_is_taken_back() {
        let custody = |watched, interactive, was_headless| taken_back(Custody { watched, interactive, was_headless });
        assert!(custody(true, false, true));
        assert!(custody(true, false, false));
        assert!(custody(true, true, true));
        assert!(!custody(true, true, false), "an interactive VM that was down is its user's");
        assert!(!custody(false, false, true), "nobody watches");
    }
}
