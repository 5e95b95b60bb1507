//! Size and SHA-256 of everything a file of packages carries, and the few short texts a view is made from.

use std::collections::BTreeMap;
use std::io;

use sha2::{Digest as _, Sha256};

use super::container::Sink;
use crate::hash::hex;

/// The text that is kept: an SVR4 package's dependencies. pkgadd's own readers have less room.
const KEPT: &str = "install/depend";
const MOST_KEPT: usize = 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    pub size: u64,
    pub sha256: String,
    /// Of the few that are kept.
    pub text: Option<Vec<u8>>,
}

/// By package and source.
#[derive(Default)]
pub struct Digests {
    done: BTreeMap<String, BTreeMap<String, Digest>>,
    current: Option<Current>,
}

struct Current {
    package: String,
    source: String,
    hasher: Sha256,
    size: u64,
    text: Option<Vec<u8>>,
}

impl Digests {
    pub fn get(&self, package: &str, source: &str) -> Option<&Digest> {
        self.done.get(package)?.get(source)
    }
}

impl Sink for Digests {
    fn begin(&mut self, package: &str, source: &str) -> io::Result<()> {
        let text = (source == KEPT).then(Vec::new);
        let (package, source) = (package.to_owned(), source.to_owned());
        self.current = Some(Current { package, source, hasher: Sha256::new(), size: 0, text });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(current) = &mut self.current {
            current.hasher.update(bytes);
            current.size += bytes.len() as u64;
            current.text = current.text.take().filter(|text| text.len() + bytes.len() <= MOST_KEPT);
            if let Some(text) = &mut current.text {
                text.extend_from_slice(bytes);
            }
        }
        Ok(())
    }

    fn end(&mut self, complete: bool) -> io::Result<()> {
        if let (Some(current), true) = (self.current.take(), complete) {
            let Current { package, source, hasher, size, text } = current;
            let sha256 = hex(&hasher.finalize());
            self.done.entry(package).or_default().insert(source, Digest { size, sha256, text });
        }
        Ok(())
    }
}
