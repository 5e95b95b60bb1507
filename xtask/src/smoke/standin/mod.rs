//! Makes the stand-in guest: Debian's kernel, and an initramfs with busybox, the simulated host and what both need.
//!
//! It is Linux. What runs in it is the simulated host of `tests/`; it knows no steps.

pub mod initramfs;
pub mod kernel;
pub mod libraries;

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::payload::program::ProgramError;
use crate::svr4::cpio::CpioError;

#[derive(Debug, Error)]
pub enum StandinError {
    #[error("{what} is missing: run again with --bootstrap, or {remedy}")]
    Missing { what: String, remedy: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is no executable for this machine: {reason}", path.display())]
    Executable { path: PathBuf, reason: String },
    #[error("{program} needs {library}, which is in none of {searched}", program = program.display())]
    Library { program: PathBuf, library: String, searched: String },
    #[error("Debian's archive: {0}")]
    Archive(String),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("the initramfs: {0}")]
    Cpio(#[from] CpioError),
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> StandinError {
    let path = path.to_path_buf();
    move |source| StandinError::Io { path, source }
}
