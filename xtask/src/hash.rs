//! SHA-256 sums as people and lists write them, in lower-case hexadecimal: of bytes, of a file, of whatever is read.
//!
//! It knows no format. What the package formats hash in their own ways, and check without us, is with them.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Reads to the end; the sum, and how many bytes there were.
pub fn sha256_read(source: &mut (impl Read + ?Sized)) -> io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let bytes = io::copy(source, &mut hasher)?;
    Ok((hex(&hasher.finalize()), bytes))
}

pub fn sha256_of_file(path: &Path) -> io::Result<(String, u64)> {
    sha256_read(&mut File::open(path)?)
}

/// Whether a word can be such a sum, in either case.
pub fn is_sha256(word: &str) -> bool {
    word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of FIPS 180-2.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_sum_is_the_same_however_the_bytes_come() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        assert_eq!(sha256(b"abc"), ABC);
        assert_eq!(sha256_read(&mut b"abc".as_slice()).unwrap(), (ABC.to_string(), 3));
        assert_eq!(sha256_of_file(file.path()).unwrap(), (ABC.to_string(), 3));
        assert!(is_sha256(ABC) && is_sha256(&ABC.to_uppercase()) && !is_sha256(&ABC[1..]));
    }
}
