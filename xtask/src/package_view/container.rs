//! What a file of packages is, by its first bytes, and one way to read the bytes of what either format carries.
//!
//! A file's name is never looked at. What is delivered goes to a [`Sink`], piece by piece, under the name that the
//! [`super::Entry`] has as its source.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde::Serialize;

use crate::finding::{Finding, Level};
use crate::svr4::STREAM_MAGIC;
use crate::{ips, svr4};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const TAR_BLOCK: u64 = 512;
const PIECE: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Container {
    Datastream,
    GzippedDatastream,
    /// A tar; whether pkg takes it is the reader's to say.
    Archive,
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Datastream => "SVR4 datastream",
            Self::GzippedDatastream => "gzipped SVR4 datastream",
            Self::Archive => "IPS archive",
        })
    }
}

/// Receives the bytes of everything a file of packages carries. An error ends the reading.
pub trait Sink {
    /// `package` is the [`super::View::id`].
    fn begin(&mut self, package: &str, source: &str) -> io::Result<()>;
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// `complete` is false if the bytes were cut off or damaged.
    fn end(&mut self, complete: bool) -> io::Result<()>;
}

/// What the format's reader says.
pub enum Report {
    Svr4 {
        container: Container,
        report: svr4::reader::Report,
    },
    Ips {
        container: Container,
        report: ips::reader::Report,
    },
    /// The bytes are of neither format.
    Unknown,
}

/// How the bytes of an IPS action are called: by the manifest's line, as several actions may share one payload.
pub fn source_of_line(line: usize) -> String {
    format!("line {line}")
}

/// Finds out what a file is; it is left at its beginning.
pub fn detect(file: &mut File) -> io::Result<Option<Container>> {
    let head = beginning(&mut *file)?;
    file.seek(SeekFrom::Start(0))?;
    if !head.starts_with(&GZIP) {
        return Ok(match () {
            () if head.starts_with(STREAM_MAGIC.as_bytes()) => Some(Container::Datastream),
            () if begins_as_tar(&head) => Some(Container::Archive),
            () => None,
        });
    }
    // Damaged gzip data may still show what it was to be.
    let inside = beginning(MultiGzDecoder::new(&mut *file)).unwrap_or_default();
    file.seek(SeekFrom::Start(0))?;
    Ok(match () {
        () if inside.starts_with(STREAM_MAGIC.as_bytes()) => Some(Container::GzippedDatastream),
        // The reader has a finding for this.
        () if begins_as_tar(&inside) => Some(Container::Archive),
        () => None,
    })
}

fn beginning(source: impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    source.take(TAR_BLOCK).read_to_end(&mut head)?;
    Ok(head)
}

/// A tar of today says so in its header; one of long ago is known by its checksum.
fn begins_as_tar(block: &[u8]) -> bool {
    if block.len() < TAR_BLOCK as usize {
        return false;
    }
    let field = block.get(148..156).unwrap_or_default();
    let digits: String = field.iter().map(|byte| char::from(*byte)).collect();
    let stated = u64::from_str_radix(digits.trim_matches([' ', '\0']), 8).ok();
    let blanks = 8 * u64::from(b' ');
    let sum = block.iter().chain(field).map(|byte| u64::from(*byte)).sum::<u64>();
    let twice = 2 * field.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    block.get(257..262) == Some(b"ustar") || stated == Some(sum - twice + blanks)
}

/// Reads a file with the reader of its format. Only a failure to read, or of the sink, is an `Err`.
pub fn read(path: &Path, sink: &mut dyn Sink) -> io::Result<Report> {
    let mut file = File::open(path)?;
    match detect(&mut file)? {
        None => Ok(Report::Unknown),
        Some(container @ Container::Archive) => {
            let mut look = |delivery: &ips::reader::Delivery<'_>, content: &mut dyn Read| {
                pass(&delivery.package.fmri(), &source_of_line(delivery.action.line), content, sink)
            };
            Ok(Report::Ips { container, report: ips::reader::read(&mut file, &mut look)? })
        }
        Some(container @ Container::Datastream) => Ok(Report::Svr4 { container, report: datastream(file, sink)? }),
        Some(container @ Container::GzippedDatastream) => {
            let mut damage = None;
            let unzipped = Unzipped { inner: MultiGzDecoder::new(file), damage: &mut damage };
            let mut report = datastream(unzipped, sink)?;
            if let Some(why) = damage {
                let message = format!("the gzip data is damaged: {why}");
                report.findings.push(Finding {
                    id: "gzip-damaged",
                    level: Level::Error,
                    place: "file".into(),
                    message,
                });
            }
            Ok(Report::Svr4 { container, report })
        }
    }
}

fn pass(package: &str, source: &str, content: &mut dyn Read, sink: &mut dyn Sink) -> io::Result<()> {
    sink.begin(package, source)?;
    let mut piece = vec![0; PIECE];
    loop {
        match content.read(&mut piece) {
            Ok(0) => return sink.end(true),
            Ok(length) => sink.data(piece.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                sink.end(false)?;
                return Err(error);
            }
        }
    }
}

fn datastream(input: impl Read, sink: &mut dyn Sink) -> io::Result<svr4::reader::Report> {
    let mut visitor = Visitor { sink, outcome: Ok(()) };
    let report = svr4::reader::read(input, &mut visitor)?;
    visitor.outcome?;
    Ok(report)
}

/// The reader's visitor cannot fail, a sink can: after its first error it gets nothing more.
struct Visitor<'s> {
    sink: &'s mut dyn Sink,
    outcome: io::Result<()>,
}

impl svr4::reader::Visitor for Visitor<'_> {
    fn begin(&mut self, package: &str, member: &str, _size: u64) {
        if self.outcome.is_ok() {
            self.outcome = self.sink.begin(package, member);
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        if self.outcome.is_ok() {
            self.outcome = self.sink.data(bytes);
        }
    }

    fn end(&mut self, complete: bool) {
        if self.outcome.is_ok() {
            self.outcome = self.sink.end(complete);
        }
    }
}

/// Makes of damaged gzip data an early end, which the reader has findings for, and remembers what it was.
struct Unzipped<'d> {
    inner: MultiGzDecoder<File>,
    damage: &'d mut Option<String>,
}

impl Read for Unzipped<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
        if self.damage.is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Err(error) if matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof) => {
                *self.damage = Some(error.to_string());
                Ok(0)
            }
            other => other,
        }
    }
}
