//! The exit codes, and the one place that turns an error into one.

use std::process::ExitCode;

use crate::identity::IdentityError;
use crate::rundir::RunDirError;
use crate::smf::SmfError;
use crate::virtualbox::AskError;

/// Every exit code of the program, by meaning. 95 and up are SMF's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Ok = 0,
    /// There was nothing of the kind that the command is about.
    NoneThere = 1,
    Usage = 2,
    Fatal = 95,
    Config = 96,
    NoSmf = 99,
    Permission = 100,
    TimedOut = 125,
    Other = 126,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// A failure that knows its exit code.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    pub exit: Exit,
    pub text: String,
}

/// An error with an exit code of its own.
pub fn failure(exit: Exit, text: impl Into<String>) -> anyhow::Error {
    Failure { exit, text: text.into() }.into()
}

/// An error with its causes, each told once: some tell their cause themselves.
pub fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// The exit code of an error, by the first cause in its chain that says.
pub fn of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(of_cause).unwrap_or(Exit::Fatal)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if let Some(failure) = cause.downcast_ref::<Failure>() {
        return Some(failure.exit);
    }
    if let Some(error) = cause.downcast_ref::<SmfError>() {
        return Some(match error {
            SmfError::NoSmf(_) => Exit::NoSmf,
            SmfError::Denied(_) => Exit::Permission,
            SmfError::BadFmri { .. } | SmfError::NoInstance(_) | SmfError::SeveralInstances { .. } => Exit::Usage,
            SmfError::Exec(_) | SmfError::Failed { .. } => Exit::Fatal,
        });
    }
    if let Some(error) = cause.downcast_ref::<IdentityError>() {
        return Some(match error {
            IdentityError::NotThatUser { .. } => Exit::Permission,
            IdentityError::UnknownUser(_) | IdentityError::UnknownUid(_) => Exit::Config,
            IdentityError::Refused { .. } | IdentityError::Lookup { .. } => Exit::Fatal,
        });
    }
    if let Some(error) = cause.downcast_ref::<AskError>() {
        return Some(match error {
            AskError::BadName { .. }
            | AskError::NotRegistered { .. }
            | AskError::Ambiguous { .. }
            | AskError::Inaccessible { .. }
            | AskError::Locale { .. } => Exit::Config,
            AskError::Permission { .. } => Exit::Permission,
            _ => Exit::Fatal,
        });
    }
    cause.downcast_ref::<RunDirError>().map(|_| Exit::Fatal)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_cause_that_is_told_already_is_not_told_again() {
        let full = || std::io::Error::other("the disk is full");
        let plain: anyhow::Error = Err::<(), _>(full()).context("cannot save").unwrap_err();
        assert_eq!(told(&plain), "cannot save: the disk is full");
        let twice = Err::<(), _>(full()).context("cannot save: the disk is full").unwrap_err();
        assert_eq!(told(&twice), "cannot save: the disk is full");
    }

    #[test]
    fn the_first_cause_that_knows_its_exit_code_says_it() {
        let error = failure(Exit::TimedOut, "too late").context("while stopping");
        assert_eq!(of(&error), Exit::TimedOut);
        assert_eq!(of(&anyhow::anyhow!("anything")), Exit::Fatal);
    }
}
