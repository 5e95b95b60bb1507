//! Where the bytes of a packaged file come from. Files stay on disk and are read in pieces, never held whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

/// The bytes of one packaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Bytes(Vec<u8>),
    /// Read when the package is written, piece by piece.
    File(PathBuf),
}

impl Content {
    /// Opens the bytes for one pass.
    pub fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }

    /// How many bytes it has as far as can be told without reading them.
    pub fn size_at_first_sight(&self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            Self::File(path) => path.metadata().ok().map(|about| about.len()),
        }
    }

    /// The name to show in a message.
    pub fn describe(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("{} bytes in memory", bytes.len()),
            Self::File(path) => path.display().to_string(),
        }
    }
}
