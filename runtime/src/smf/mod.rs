//! The SMF client: instances by name, their properties, and what may be asked of the restarter.
//!
//! It must not know VirtualBox, nor what any setting means.

pub mod client;
pub mod fmri;
pub mod svcprop;

pub use client::Smf;
pub use fmri::Fmri;

use crate::exec::ExecError;

#[derive(Debug, thiserror::Error)]
pub enum SmfError {
    #[error("\"{text}\" names no service instance: {why}")]
    BadFmri { text: String, why: &'static str },
    #[error("no service instance {0}: create it, or name another (svcs -a lists them)")]
    NoInstance(String),
    #[error("\"{pattern}\" names several service instances: {}; name one of them in full", found.join(", "))]
    SeveralInstances { pattern: String, found: Vec<String> },
    #[error("SMF cannot be asked: {0}")]
    NoSmf(String),
    #[error("{0}")]
    Denied(String),
    #[error("{program} failed ({how}): {said}")]
    Failed { program: &'static str, how: String, said: String },
    #[error(transparent)]
    Exec(#[from] ExecError),
}
