//! Payloads against what their actions say of them: there, compressed, of the stated size and hashes.
//!
//! Streams: however large the content, only a few buffers are held.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::MultiGzDecoder;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512_256};

use super::super::format::{CHASH, CONTENT_HASH, CSIZE, SIZE};
use super::manifest::ReadAction;
use super::tar::Member;
use crate::finding::Findings;

/// What the caller does with a payload's content.
pub(super) type Look<'a> = &'a mut dyn FnMut(&mut dyn Read) -> io::Result<()>;

/// The hashes pkg knows, in hexadecimal, and the length of what was read.
struct Sums {
    sha1: String,
    /// Only if the action states one: the most expensive of the three.
    sha256: Option<String>,
    sha512t: String,
    length: u64,
}

/// Reads through a payload, letting `look` see its content, and judges it. Errors are the caller's or the file's; what
/// is wrong with the payload is a finding.
pub(super) fn check(
    source: &mut (impl Read + Seek),
    member: &Member,
    action: &ReadAction,
    place: &str,
    look: Look<'_>,
    findings: &mut Findings,
) -> io::Result<()> {
    source.seek(SeekFrom::Start(member.data_at))?;
    let sha256 = states_sha256(action);
    let compressed = Summing::new(Read::take(source, member.size), sha256);
    let mut content = Summing::new(MultiGzDecoder::new(BufReader::new(compressed)), sha256);
    let mut looked = look(&mut content);
    if looked.is_ok() {
        looked = io::copy(&mut content, &mut io::sink()).map(drop);
    }
    if let Some(why) = &content.failed {
        findings.error("payload-gzip", place, format!("the payload is not gzip data, or is damaged: {why}"));
        return Ok(());
    }
    looked?;
    let (content, decoder) = content.finish();
    let mut compressed = decoder.into_inner();
    io::copy(&mut compressed, &mut io::sink())?;
    let (gzip, _) = compressed.into_inner().finish();
    sizes(action, &content, &gzip, place, findings);
    hashes(action, &content, &gzip, place, findings);
    Ok(())
}

fn states_sha256(action: &ReadAction) -> bool {
    let stated = |value: &str| value.split(':').nth(1) == Some("sha256");
    action.values(CONTENT_HASH).any(stated) || action.hash.as_ref().is_some_and(|hash| hash.len() == 64)
}

fn sizes(action: &ReadAction, content: &Sums, gzip: &Sums, place: &str, findings: &mut Findings) {
    for (attribute, actual) in [(SIZE, content.length), (CSIZE, gzip.length)] {
        match action.value(attribute).map(str::parse::<u64>) {
            Some(Ok(stated)) if stated != actual => {
                findings.warning("payload-size", place, format!("{attribute} is {stated}, the payload has {actual}"));
            }
            Some(Err(_)) => findings.error("payload-size", place, format!("{attribute} is not a number")),
            _ => {}
        }
    }
}

fn hashes(action: &ReadAction, content: &Sums, gzip: &Sums, place: &str, findings: &mut Findings) {
    let mut verified = false;
    for value in action.values(CONTENT_HASH) {
        let mut parts = value.splitn(3, ':');
        let (of, algorithm, stated) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
        let sums = match of {
            Some("file") => content,
            Some("gzip") => gzip,
            // Hashes of an ELF file's loaded part: not of the bytes.
            _ => continue,
        };
        let actual = match algorithm {
            Some("sha256") => sums.sha256.as_ref(),
            Some("sha512t_256") => Some(&sums.sha512t),
            _ => None,
        };
        let Some(actual) = actual else {
            findings.warning("payload-algorithm", place, format!("{value:?} is of an unknown algorithm"));
            continue;
        };
        verified = true;
        if stated != actual {
            findings.error(
                "payload-content-hash",
                place,
                format!("{CONTENT_HASH} {value} does not match, it is {actual}"),
            );
        }
    }
    // pkg looks at the older hashes only if there is no content hash.
    let mut older = |id, message: String| {
        if verified { findings.warning(id, place, message) } else { findings.error(id, place, message) }
    };
    if let Some(stated) = action.value(CHASH).filter(|stated| *stated != gzip.sha1) {
        older("payload-chash", format!("{CHASH} {stated} does not match, it is {}", gzip.sha1));
    }
    let name = action.hash.as_deref().unwrap_or_default();
    if name != content.sha1 && !(verified && (Some(name) == content.sha256.as_deref() || name == content.sha512t)) {
        older("payload-hash", format!("the hash {name} does not match the content, it is {}", content.sha1));
    }
}

/// A reader that sums what passes through it and remembers the first failure.
struct Summing<R> {
    inner: R,
    sha1: Sha1,
    sha256: Option<Sha256>,
    sha512t: Sha512_256,
    length: u64,
    failed: Option<String>,
}

impl<R> Summing<R> {
    fn new(inner: R, sha256: bool) -> Self {
        let sha256 = sha256.then(Sha256::new);
        Self { inner, sha1: Sha1::new(), sha256, sha512t: Sha512_256::new(), length: 0, failed: None }
    }

    fn finish(self) -> (Sums, R) {
        let text = |bytes: &[u8]| bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        let sums = Sums {
            sha1: text(&self.sha1.finalize()),
            sha256: self.sha256.map(|sha256| text(&sha256.finalize())),
            sha512t: text(&self.sha512t.finalize()),
            length: self.length,
        };
        (sums, self.inner)
    }
}

impl<R: Read> Read for Summing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer).inspect_err(|e| {
            if e.kind() != io::ErrorKind::Interrupted {
                self.failed.get_or_insert_with(|| e.to_string());
            }
        })?;
        let read = buffer.get(..length).unwrap_or_default();
        self.sha1.update(read);
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(read);
        }
        self.sha512t.update(read);
        self.length += length as u64;
        Ok(length)
    }
}
