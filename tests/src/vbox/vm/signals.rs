//! The signals that a VM process takes as wishes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use nix::sys::signal::Signal;

use crate::vbox::machine::Frontend;

pub struct Signals(Vec<(Signal, Arc<AtomicBool>)>);

impl Signals {
    /// Handles them from now on. A GUI dies of its terminal's signals, the headless program does not.
    pub fn handle(frontend: Frontend) -> Result<Self> {
        let handled: &[Signal] = match frontend {
            Frontend::Headless => &[Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGUSR1],
            Frontend::Gui => &[Signal::SIGTERM],
        };
        let mut signals = Vec::new();
        for &signal in handled {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(signal as i32, Arc::clone(&flag))?;
            signals.push((signal, flag));
        }
        Ok(Self(signals))
    }

    /// One that came and was not yet taken.
    pub fn take(&self) -> Option<Signal> {
        self.0.iter().find(|(_, came)| came.swap(false, Ordering::Relaxed)).map(|(signal, _)| *signal)
    }
}
