//! A stream that knows how far it was read, and for which an early end is a result and not an error.

use std::io::{self, BufRead, BufReader, Read};

const PIECE: u64 = 64 * 1024;

pub struct Input<R> {
    inner: BufReader<R>,
    position: u64,
}

impl<R: Read> Input<R> {
    pub fn new(inner: R) -> Self {
        Self { inner: BufReader::with_capacity(PIECE as usize, inner), position: 0 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    pub fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.peek()?.is_empty())
    }

    /// The bytes that come next, as many as are at hand: none at the end only.
    pub fn peek(&mut self) -> io::Result<&[u8]> {
        loop {
            match self.inner.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        Ok(self.inner.buffer())
    }

    /// Up to `length` bytes; fewer at the end of the stream only. For small lengths.
    pub fn take(&mut self, length: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.pass(length, &mut |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }

    /// Gives `length` bytes to `sink` piece by piece and returns how many there were.
    pub fn pass(&mut self, length: u64, sink: &mut dyn FnMut(&[u8])) -> io::Result<u64> {
        let mut passed = 0;
        while passed < length {
            let wanted = usize::try_from(length - passed).unwrap_or(usize::MAX);
            let buffer = self.peek()?;
            let piece = buffer.get(..wanted.min(buffer.len())).unwrap_or_default();
            let count = piece.len();
            if count == 0 {
                break;
            }
            sink(piece);
            self.inner.consume(count);
            passed += count as u64;
        }
        self.position += passed;
        Ok(passed)
    }

    /// Passes over what is missing to a multiple of `unit`; returns whether all of it was there.
    pub fn align(&mut self, unit: u64) -> io::Result<bool> {
        let missing = self.position.next_multiple_of(unit) - self.position;
        Ok(self.pass(missing, &mut |_| ())? == missing)
    }
}
