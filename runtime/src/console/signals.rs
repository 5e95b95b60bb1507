//! The signals that matter while a terminal is in raw mode, caught, so that it is given back before they take effect.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::{flag, low_level};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// To end, by this signal.
    End(i32),
    /// To stop until continued.
    Stop,
    /// Nothing more: the process was stopped and goes on.
    Continued,
}

#[derive(Debug)]
pub struct Signals {
    woken: UnixStream,
    /// Kept open, or the other end would be readable for ever.
    waker: UnixStream,
    end: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
}

impl Signals {
    /// Catches them from now on, for the rest of the process's life.
    pub fn catch() -> io::Result<Signals> {
        let signals = Signals::uncaught()?;
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT] {
            flag::register_usize(signal, Arc::clone(&signals.end), usize::try_from(signal).unwrap_or(0))?;
        }
        flag::register(SIGTSTP, Arc::clone(&signals.stop))?;
        flag::register(SIGCONT, Arc::clone(&signals.continued))?;
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT] {
            low_level::pipe::register(signal, signals.waker.try_clone()?)?;
        }
        Ok(signals)
    }

    /// With nothing caught: none ever comes.
    pub(super) fn uncaught() -> io::Result<Signals> {
        let (woken, waker) = UnixStream::pair()?;
        woken.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        Ok(Signals { woken, waker, end: Arc::default(), stop: Arc::default(), continued: Arc::default() })
    }

    /// What was asked for since the last question, the most urgent first.
    pub fn asked(&mut self) -> Option<Asked> {
        let mut sink = [0; 64];
        while matches!(self.woken.read(&mut sink), Ok(n) if n > 0) {}
        match self.end.load(Ordering::Relaxed) {
            0 if self.stop.swap(false, Ordering::Relaxed) => Some(Asked::Stop),
            0 if self.continued.swap(false, Ordering::Relaxed) => Some(Asked::Continued),
            0 => None,
            signal => Some(Asked::End(i32::try_from(signal).unwrap_or(SIGTERM))),
        }
    }
}

impl AsFd for Signals {
    /// Readable once a signal has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}
