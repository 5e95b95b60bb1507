//! How a command of pkg ends when it does not end well: the exit status and what it says.

use std::io;

use thiserror::Error;

/// An error of any kind.
const OOPS: u8 = 1;
/// A wrong command line.
const USAGE: u8 = 2;
/// There was nothing to do.
const NOTHING: u8 = 4;
/// A licence was not accepted.
const LICENSE: u8 = 6;
/// A Python exception that nobody expected.
const TRACEBACK: u8 = 99;

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Refused {
    pub code: u8,
    pub message: String,
}

impl Refused {
    fn with(code: u8, message: impl Into<String>) -> Refused {
        Refused { code, message: message.into() }
    }

    pub fn oops(message: impl Into<String>) -> Refused {
        Refused::with(OOPS, message)
    }

    pub fn usage(message: impl Into<String>) -> Refused {
        Refused::with(USAGE, message)
    }

    pub fn nothing(message: impl Into<String>) -> Refused {
        Refused::with(NOTHING, message)
    }

    pub fn license(message: impl Into<String>) -> Refused {
        Refused::with(LICENSE, message)
    }

    pub fn traceback(message: impl Into<String>) -> Refused {
        Refused::with(TRACEBACK, message)
    }

    /// What this stand-in knows of and does not do.
    pub fn not_simulated(what: &str) -> Refused {
        Refused::oops(format!("{what}: this stand-in of pkg does not simulate it"))
    }

    pub fn is_nothing_to_do(&self) -> bool {
        self.code == NOTHING
    }

    /// Says on what an operation of the file system failed.
    pub fn at(path: impl std::fmt::Display) -> impl FnOnce(io::Error) -> Refused {
        move |error| Refused::oops(format!("{path}: {error}"))
    }
}
