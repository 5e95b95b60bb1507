//! The decisions: pure functions from what is known to what is to be done, each with its reason in words.
//!
//! No I/O, no clock, no process here. The log, `explain` and `--dry-run` all print the reason given by these functions.

pub mod gui;
pub mod start;
pub mod stop;
pub mod watch;

use std::fmt;

use crate::virtualbox::State;

/// What is known about a VM at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// VirtualBox's word, as far as it can be believed.
    State(State),
    /// VirtualBox failed, was cut off or answered too late: nothing is known, and nothing is done about it.
    NotKnown(String),
    /// As not known, and every question keeps it so: VirtualBox mends it when it is left alone for some seconds.
    Wedged(String),
}

impl Sight {
    pub fn state(&self) -> Option<&State> {
        match self {
            Sight::State(state) => Some(state),
            Sight::NotKnown(_) | Sight::Wedged(_) => None,
        }
    }
}

impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sight::State(state) => state.fmt(f),
            Sight::NotKnown(why) | Sight::Wedged(why) => write!(f, "not known ({why})"),
        }
    }
}

/// A decision and why it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision<A> {
    pub action: A,
    pub reason: String,
}

impl<A> Decision<A> {
    pub fn new(action: A, reason: impl Into<String>) -> Self {
        Decision { action, reason: reason.into() }
    }
}
