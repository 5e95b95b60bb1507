//! Where the bytes of a packaged file come from. Files stay on disk and are read in pieces, never held whole.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use super::cksum::Cksum;

/// The bytes of one packaged file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// What one pass over some bytes found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    pub size: u64,
    pub cksum: u32,
}

impl Content {
    /// Opens the bytes for one pass.
    pub fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.as_slice()),
            Self::File(path) => Box::new(File::open(path)?),
        })
    }

    /// Reads everything once for its size and checksum.
    pub fn measure(&self) -> io::Result<Measure> {
        let mut reader = Measuring::new(self.open()?);
        io::copy(&mut reader, &mut io::sink())?;
        Ok(reader.measure())
    }

    /// The name to show in a message.
    pub fn describe(&self) -> String {
        match self {
            Self::Bytes(bytes) => format!("{} bytes in memory", bytes.len()),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// Passes a reader through and measures what went by.
pub struct Measuring<R> {
    inner: R,
    size: u64,
    sum: Cksum,
}

impl<R: Read> Measuring<R> {
    pub fn new(inner: R) -> Self {
        Self { inner, size: 0, sum: Cksum::default() }
    }

    pub fn measure(&self) -> Measure {
        Measure { size: self.size, cksum: self.sum.value() }
    }
}

impl<R: Read> Read for Measuring<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sum.update(buffer.get(..count).unwrap_or_default());
        self.size += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_a_file_of_them_measure_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("content");
        let bytes = vec![0xa5; 300_000];
        std::fs::write(&path, &bytes).unwrap();
        let measured = Content::File(path).measure().unwrap();
        assert_eq!(measured.size, 300_000);
        assert_eq!(measured, Content::Bytes(bytes).measure().unwrap());
    }

    #[test]
    fn a_missing_file_is_an_error_and_not_an_empty_one() {
        let absent = Content::File(PathBuf::from("/nonexistent/content"));
        assert_eq!(absent.measure().unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
