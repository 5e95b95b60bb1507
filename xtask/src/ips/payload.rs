//! Payloads: compresses content the way pkg does, computes the hashes a manifest names it by, and keeps the compressed
//! bytes aside until the archive is written.
//!
//! The index of an archive comes first and holds every size, so all payloads are made before the first byte is written.
//! Together they go into one temporary file once they outgrow a few megabytes of memory.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use flate2::write::GzEncoder;
use flate2::{Compression, GzBuilder};
use sha1::Sha1;
use sha2::{Digest, Sha512_256};
use tempfile::SpooledTempFile;

use super::action::Action;
use super::error::IpsError;
use super::format::{CHASH, CONTENT_HASH, CSIZE, SIZE};
use crate::content::Content;

/// How much compressed content stays in memory before it moves to a file.
const MEMORY: usize = 8 << 20;
/// How much is read at a time.
const PIECE: usize = 64 << 10;

/// What is known of a payload once it is compressed. Hashes are in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// SHA-1 of the content: the payload's name in the archive and its action's positional hash.
    pub sha1: String,
    /// SHA-1 of the compressed bytes.
    pub chash: String,
    /// SHA-512/256 (not a cut-off SHA-512) of the content and of the compressed bytes.
    pub content_sha512t: String,
    pub gzip_sha512t: String,
    pub size: u64,
    pub csize: u64,
}

impl Payload {
    /// The action with the attributes a publisher adds to describe its payload.
    pub(super) fn describe(&self, action: &Action) -> Action {
        action
            .clone()
            .with(CHASH, &self.chash)
            .with(CONTENT_HASH, &format!("file:sha512t_256:{}", self.content_sha512t))
            .with(CONTENT_HASH, &format!("gzip:sha512t_256:{}", self.gzip_sha512t))
            .with(CSIZE, &self.csize.to_string())
            .with(SIZE, &self.size.to_string())
    }
}

/// All payloads of an archive, each content once.
pub struct Store {
    spool: SpooledTempFile,
    end: u64,
    /// Each payload and where in the spool it begins, by the SHA-1 of its content.
    payloads: HashMap<String, (Payload, u64)>,
}

impl Store {
    pub fn new() -> Self {
        Self { spool: SpooledTempFile::new(MEMORY), end: 0, payloads: HashMap::new() }
    }

    /// Takes in the content of an action.
    pub fn add(&mut self, action: &Action, content: &Content) -> Result<Payload, IpsError> {
        let payload = match content {
            Content::Bytes(bytes) => self.compress(&mut bytes.as_slice(), IpsError::Spool)?,
            Content::File(path) => {
                let failed = |source| IpsError::Content { action: action.to_string(), path: path.clone(), source };
                self.compress(&mut File::open(path).map_err(failed)?, failed)?
            }
        };
        if let Some((known, _)) = self.payloads.get(&payload.sha1) {
            // The compressed bytes just made lie past the end and are overwritten by the next ones.
            if known.content_sha512t != payload.content_sha512t {
                return Err(IpsError::Collision { action: action.to_string(), sha1: payload.sha1 });
            }
            return Ok(known.clone());
        }
        self.payloads.insert(payload.sha1.clone(), (payload.clone(), self.end));
        self.end += payload.csize;
        Ok(payload)
    }

    /// Hands out a payload's compressed bytes.
    pub fn read(&mut self, payload: &Payload) -> io::Result<impl Read> {
        let start = self.payloads.get(&payload.sha1).map(|(_, start)| *start).ok_or(io::ErrorKind::NotFound)?;
        self.spool.seek(SeekFrom::Start(start))?;
        Ok(Read::take(&mut self.spool, payload.csize))
    }

    /// Compresses `content` to the end of the spool. `unreadable` says what a failure to read it means.
    fn compress(
        &mut self,
        content: &mut impl Read,
        unreadable: impl Fn(io::Error) -> IpsError,
    ) -> Result<Payload, IpsError> {
        self.spool.seek(SeekFrom::Start(self.end)).map_err(IpsError::Spool)?;
        let mut hashes = Hashes::default();
        let mut gzip = gzip(HashingWriter { inner: &mut self.spool, hashes: Hashes::default() });
        let mut piece = vec![0; PIECE];
        loop {
            let length = match content.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => length,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(unreadable(e)),
            };
            let read = piece.get(..length).unwrap_or(&piece);
            hashes.update(read);
            gzip.write_all(read).map_err(IpsError::Spool)?;
        }
        let compressed = gzip.finish().map_err(IpsError::Spool)?.hashes;
        Ok(Payload {
            size: hashes.length,
            csize: compressed.length,
            sha1: hex(&hashes.sha1.finalize()),
            chash: hex(&compressed.sha1.finalize()),
            content_sha512t: hex(&hashes.sha512t.finalize()),
            gzip_sha512t: hex(&compressed.sha512t.finalize()),
        })
    }
}

/// A gzip stream with pkg's header, `1f 8b 08 00 00000000 02 ff`: no name, no time, best compression, unknown system.
pub fn gzip<W: Write>(out: W) -> GzEncoder<W> {
    GzBuilder::new().mtime(0).operating_system(255).write(out, Compression::best())
}

#[derive(Default)]
struct Hashes {
    sha1: Sha1,
    sha512t: Sha512_256,
    length: u64,
}

impl Hashes {
    fn update(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.sha512t.update(bytes);
        self.length += bytes.len() as u64;
    }
}

struct HashingWriter<W> {
    inner: W,
    hashes: Hashes,
}

impl<W: Write> Write for HashingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.hashes.update(bytes.get(..length).unwrap_or(bytes));
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(contents: &[&[u8]]) -> (Store, Vec<Payload>) {
        let mut store = Store::new();
        let payloads =
            contents.iter().map(|c| store.add(&Action::legacy("x"), &Content::Bytes(c.to_vec())).unwrap()).collect();
        (store, payloads)
    }

    fn bytes(store: &mut Store, payload: &Payload) -> Vec<u8> {
        let mut bytes = Vec::new();
        store.read(payload).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_payload_starts_with_the_header_pkg_writes() {
        let (mut store, payloads) = store(&[b"hello"]);
        let gzip = bytes(&mut store, &payloads[0]);
        assert_eq!(gzip[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff]);
        assert_eq!(gzip[gzip.len() - 4..], [5, 0, 0, 0], "length of the content at the end");
        assert_eq!(payloads[0].csize, gzip.len() as u64);
    }

    #[test]
    fn hashes_are_sha1_and_sha512_256_of_content_and_of_compressed_bytes() {
        let (mut store, payloads) = store(&[b"abc"]);
        assert_eq!(payloads[0].sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
        // The example of FIPS 180-4: a cut-off SHA-512 would begin with ddaf35a1.
        assert_eq!(payloads[0].content_sha512t, "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23");
        let gzip = bytes(&mut store, &payloads[0]);
        assert_eq!(payloads[0].chash, hex(&Sha1::digest(&gzip)));
        assert_eq!(payloads[0].gzip_sha512t, hex(&Sha512_256::digest(&gzip)));
    }

    #[test]
    fn the_same_content_is_kept_once_and_the_next_one_is_intact() {
        let (mut store, payloads) = store(&[b"first", b"first", b"", b"second"]);
        assert_eq!(payloads[0], payloads[1]);
        assert_eq!(store.payloads.len(), 3);
        for (payload, content) in [(&payloads[0], "first"), (&payloads[2], ""), (&payloads[3], "second")] {
            let mut read = String::new();
            let gzip = bytes(&mut store, payload);
            flate2::read::GzDecoder::new(gzip.as_slice()).read_to_string(&mut read).unwrap();
            assert_eq!(read, content);
        }
    }

    #[test]
    fn a_file_gives_the_same_payload_as_its_bytes_and_a_missing_one_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        std::fs::write(file.path(), &content).unwrap();
        let (mut store, payloads) = store(&[&content]);
        let action = Action::legacy("x");
        assert_eq!(store.add(&action, &Content::File(file.path().to_owned())).unwrap(), payloads[0]);
        let error = store.add(&action, &Content::File("/nonexistent/file".into())).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/file"), "{error}");
    }
}
