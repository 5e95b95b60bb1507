//! Bytes on their way from one side to the other, never more than a limit.

use std::collections::VecDeque;
use std::io::{self, Write};

#[derive(Debug)]
pub struct Buffer {
    bytes: VecDeque<u8>,
    limit: usize,
}

impl Buffer {
    pub fn new(limit: usize) -> Self {
        Buffer { bytes: VecDeque::new(), limit }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.bytes.len())
    }

    /// Takes all of it or, where there is no room, nothing; true when it was taken.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let fits = bytes.len() <= self.room();
        if fits {
            self.bytes.extend(bytes);
        }
        fits
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// One write of at most `most` bytes; what was not taken stays. Gives back the last byte that was.
    pub fn write_to(&mut self, out: &mut impl Write, most: usize) -> io::Result<Option<u8>> {
        let (front, _) = self.bytes.as_slices();
        let piece = front.get(..most).unwrap_or(front);
        match out.write(piece) {
            Ok(n) => Ok(self.bytes.drain(..n.min(piece.len())).next_back()),
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes as many bytes of each write as it was told, or none.
    struct Sluggish {
        appetite: Vec<usize>,
        eaten: Vec<u8>,
    }

    impl Write for Sluggish {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let n = match self.appetite.pop() {
                Some(0) => return Err(io::ErrorKind::WouldBlock.into()),
                Some(n) => n.min(bytes.len()),
                None => bytes.len(),
            };
            self.eaten.extend(bytes.iter().take(n));
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn more_than_the_limit_is_not_taken() {
        let mut buffer = Buffer::new(3);
        assert!(buffer.push(b"ab"));
        assert!(!buffer.push(b"cd"));
        assert!(buffer.push(b"c"));
        assert_eq!(buffer.room(), 0);
    }

    #[test]
    fn the_last_byte_written_is_told() {
        let mut buffer = Buffer::new(9);
        buffer.push(b"abc");
        let mut out = Sluggish { appetite: vec![2], eaten: Vec::new() };
        assert_eq!(buffer.write_to(&mut out, 9).unwrap(), Some(b'b'));
    }

    proptest! {
        #[test]
        fn partial_writes_keep_every_byte_in_order(
            pushes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            appetite in prop::collection::vec(0usize..30, 0..60),
        ) {
            let mut buffer = Buffer::new(1000);
            let mut out = Sluggish { appetite, eaten: Vec::new() };
            for bytes in &pushes {
                prop_assert!(buffer.push(bytes));
                buffer.write_to(&mut out, 25).unwrap();
            }
            for _ in 0..2000 {
                if !buffer.is_empty() {
                    buffer.write_to(&mut out, 25).unwrap();
                }
            }
            prop_assert_eq!(out.eaten, pushes.concat());
        }
    }
}
