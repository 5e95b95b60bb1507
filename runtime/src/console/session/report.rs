//! What a session says, and what it says only once.

use std::io::{self, ErrorKind};

use super::{Outcome, Trouble};
use crate::console::endpoint::Endpoint;

pub const HELP: &[&str] = &[
    "~. leaves the console, ~~ sends a tilde, ~? shows this;",
    "a tilde counts at the start of a line only, that is, after Enter",
];

#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error("cannot connect to {endpoint}: {source}{hint}")]
    Unreachable { endpoint: Endpoint, source: io::Error, hint: &'static str },
    #[error("{endpoint} closed the connection at once: another client has the console (or the VM is going down)")]
    Taken { endpoint: Endpoint },
    #[error("cannot read the input: {0}")]
    Input(#[source] io::Error),
    #[error("cannot write the output: {0}")]
    Output(#[source] io::Error),
    #[error("cannot set the terminal's mode: {0}")]
    Terminal(#[source] io::Error),
    #[error("cannot wait for input: {0}")]
    Wait(#[source] io::Error),
}

/// The error in a trouble after which there is no other try; `None`: the console was there and closed.
pub fn failure(endpoint: &Endpoint, trouble: Trouble) -> Option<SessionError> {
    let endpoint = endpoint.clone();
    match trouble {
        Trouble::Unreachable(source) => {
            let hint = hint(&source);
            Some(SessionError::Unreachable { endpoint, source, hint })
        }
        Trouble::Taken => Some(SessionError::Taken { endpoint }),
        Trouble::Closed { .. } => None,
    }
}

fn hint(error: &io::Error) -> &'static str {
    if is_away(error) { ": is the VM running?" } else { "" }
}

/// How it looks when there is no VM behind the socket.
fn is_away(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused)
}

/// What was said last of the connection: tries that end as the last one did are not told again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Nothing,
    Connected,
    Closed,
    Taken,
    Unreachable(ErrorKind),
}

impl Told {
    /// The words for this trouble, where they are new.
    pub fn next(&mut self, endpoint: &Endpoint, trouble: &Trouble) -> Option<String> {
        let (now, text) = match trouble {
            Trouble::Closed { .. } => {
                (Told::Closed, format!("the console {endpoint} closed; waiting for it to come back"))
            }
            Trouble::Taken => (
                Told::Taken,
                format!(
                    "{endpoint} closed the connection at once: another client has the console (or the VM is going down); trying again"
                ),
            ),
            Trouble::Unreachable(source) => (
                Told::Unreachable(source.kind()),
                format!("cannot connect to {endpoint}: {source}{}; trying again", hint(source)),
            ),
        };
        let known = *self == now
            // That it is away after it closed is no news.
            || (*self == Told::Closed && matches!(trouble, Trouble::Unreachable(source) if is_away(source)));
        if known {
            return None;
        }
        *self = now;
        Some(text)
    }
}

pub fn connected(endpoint: &Endpoint, by_keyboard: bool) -> String {
    let how_to_leave = if by_keyboard { "; ~. at the start of a line leaves, ~? tells more" } else { "" };
    format!("connected to {endpoint}{how_to_leave}")
}

pub fn ending(outcome: Outcome) -> String {
    match outcome {
        Outcome::Left | Outcome::InputEnded | Outcome::OutputClosed => "left the console".to_string(),
        Outcome::ConsoleClosed => "the console closed".to_string(),
        Outcome::Signaled(signal) => format!("left the console, ended by signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn unreachable(kind: ErrorKind) -> Trouble {
        Trouble::Unreachable(kind.into())
    }

    #[test]
    fn the_same_trouble_is_told_once_and_another_is_told() {
        let endpoint = Endpoint::Tcp(1);
        let mut told = Told::Nothing;
        assert!(told.next(&endpoint, &unreachable(ErrorKind::NotFound)).unwrap().contains("is the VM running?"));
        assert_eq!(told.next(&endpoint, &unreachable(ErrorKind::NotFound)), None);
        assert!(told.next(&endpoint, &Trouble::Taken).unwrap().contains("another client"));
        assert_eq!(told.next(&endpoint, &Trouble::Taken), None);
        assert!(told.next(&endpoint, &unreachable(ErrorKind::TimedOut)).is_some());
    }

    #[test]
    fn a_socket_that_is_away_after_it_closed_is_no_news() {
        let mut told = Told::Connected;
        assert!(told.next(&Endpoint::Tcp(1), &Trouble::Closed { lived: Duration::ZERO }).unwrap().contains("closed"));
        assert_eq!(told.next(&Endpoint::Tcp(1), &unreachable(ErrorKind::NotFound)), None);
        assert_eq!(told.next(&Endpoint::Tcp(1), &unreachable(ErrorKind::ConnectionRefused)), None);
        assert!(told.next(&Endpoint::Tcp(1), &unreachable(ErrorKind::TimedOut)).is_some());
    }
}
