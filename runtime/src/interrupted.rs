//! What a signal interrupts is tried again, a bounded number of times. Nothing is known here of what is tried.

/// How often something is tried that a signal interrupts each time.
const TRIES: usize = 10;

/// What `call` gives once it is not interrupted, or at the last try.
pub fn uninterrupted<T>(call: impl Fn() -> T, interrupted: impl Fn(&T) -> bool) -> T {
    (1..TRIES).map(|_| call()).find(|got| !interrupted(got)).unwrap_or_else(call)
}
