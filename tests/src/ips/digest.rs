//! Hashes that manifests name contents by: which of an action's counts, and that of some bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512_256};
use xtask::ips::format::{CHASH, CONTENT_HASH};

use super::package::Action;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    Sha1,
    Sha256,
    Sha512t,
}

/// A hash that something ought to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub algorithm: Algorithm,
    pub hex: String,
}

/// Of an action's content: the hash pkg prefers, which is the oldest only where there is no other.
pub fn of_content(action: &Action) -> Option<Expected> {
    let own = || Some(Expected { algorithm: Algorithm::Sha1, hex: action.hash.clone()? });
    content_hash(action, "file").or_else(own)
}

/// Of its payload's compressed bytes.
pub fn of_gzip(action: &Action) -> Option<Expected> {
    let own = || Some(Expected { algorithm: Algorithm::Sha1, hex: action.value(CHASH)?.to_string() });
    content_hash(action, "gzip").or_else(own)
}

fn content_hash(action: &Action, of: &str) -> Option<Expected> {
    let named = |word: &str, algorithm| {
        let prefix = format!("{of}:{word}:");
        let hex = action.values(CONTENT_HASH).find_map(|value| value.strip_prefix(&prefix))?.to_string();
        Some(Expected { algorithm, hex })
    };
    named("sha512t_256", Algorithm::Sha512t).or_else(|| named("sha256", Algorithm::Sha256))
}

impl Algorithm {
    /// The hash of all that can be read.
    pub fn sum(self, from: &mut dyn Read) -> io::Result<String> {
        fn digest<D: Digest>(mut state: D, from: &mut dyn Read) -> io::Result<String> {
            let mut piece = [0; 64 << 10];
            loop {
                match from.read(&mut piece)? {
                    0 => break,
                    length => state.update(&piece[..length]),
                }
            }
            Ok(state.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
        }
        match self {
            Algorithm::Sha1 => digest(Sha1::new(), from),
            Algorithm::Sha256 => digest(Sha256::new(), from),
            Algorithm::Sha512t => digest(Sha512_256::new(), from),
        }
    }

    pub fn sum_of(self, file: &Path) -> io::Result<String> {
        self.sum(&mut File::open(file)?)
    }
}
