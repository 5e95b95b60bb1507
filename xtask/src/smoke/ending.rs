//! What must not outlive this program, however it is ended: a signal has all of it ended first.
//!
//! Whoever starts something leaves here how it is ended, and takes that back with the value that he gets.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

type End = Box<dyn FnOnce() + Send>;

static LEFT: Mutex<Vec<(usize, End)>> = Mutex::new(Vec::new());
static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// As long as it is there, a signal does what was left with it.
#[derive(Debug)]
#[must_use]
pub struct Left(usize);

/// Has something done when a signal ends this program.
pub fn leave(end: impl FnOnce() + Send + 'static) -> Left {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    LEFT.lock().unwrap_or_else(PoisonError::into_inner).push((number, Box::new(end)));
    Left(number)
}

impl Drop for Left {
    fn drop(&mut self) {
        LEFT.lock().unwrap_or_else(PoisonError::into_inner).retain(|(number, _)| *number != self.0);
    }
}

/// From now on a signal that ends this program does so when all that was left is done.
pub fn catch() -> io::Result<()> {
    let (mut woken, waker) = UnixStream::pair()?;
    let ended_by = Arc::new(AtomicUsize::new(0));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        flag::register_usize(signal, Arc::clone(&ended_by), usize::try_from(signal).unwrap_or_default())?;
        low_level::pipe::register(signal, waker.try_clone()?)?;
    }
    thread::spawn(move || {
        // A signal, or nobody is left who could write.
        let _ = woken.read(&mut [0]);
        end_all();
        let signal = i32::try_from(ended_by.load(Ordering::Relaxed)).unwrap_or(SIGTERM);
        // It does not come back, but for a signal that ends nobody.
        let _ = low_level::emulate_default_handler(signal);
    });
    Ok(())
}

/// What was left last is done first. Nothing can be left or taken back meanwhile: what ends now does so once.
fn end_all() {
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some((_, end)) = left.pop() {
        end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_done_and_what_was_taken_back_is_not() {
        let done = Arc::new(Mutex::new(Vec::new()));
        let leaving = |what: &'static str| {
            let done = Arc::clone(&done);
            leave(move || done.lock().unwrap().push(what))
        };
        let (_first, second, _third) = (leaving("first"), leaving("second"), leaving("third"));
        drop(second);
        end_all();
        end_all();
        assert_eq!(*done.lock().unwrap(), ["third", "first"]);
    }
}
