//! Lists of checksums, as `sha256sum` writes them: what a signed list says of the files beside it.

use std::io;
use std::path::Path;

use crate::hash::sha256_of_file;

/// One line: what a file's SHA-256 is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    pub sha256: String,
    /// A name, never a path: a list speaks of the files beside it.
    pub file: String,
}

/// Reads a list; `None` if this is none.
pub fn parse(bytes: &[u8]) -> Option<Vec<Sum>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let sums: Option<Vec<Sum>> = text.lines().map(line).collect();
    sums.filter(|sums| !sums.is_empty())
}

fn line(line: &str) -> Option<Sum> {
    let (sha256, file) = line.split_once("  ")?;
    let is_hash = sha256.len() == 64 && sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_name = !matches!(file, "" | "." | "..") && !file.contains(|c: char| c == '/' || c.is_control());
    (is_hash && is_name).then(|| Sum { sha256: sha256.to_owned(), file: file.to_owned() })
}

/// What is wrong with the file, if anything is.
pub fn compare(folder: &Path, sum: &Sum) -> Option<String> {
    match sha256_of_file(&folder.join(&sum.file)) {
        Ok((found, _)) if found == sum.sha256 => None,
        Ok(_) => Some("is not the file that the list was made of".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("is missing".to_owned()),
        Err(error) => Some(format!("cannot be read: {error}")),
    }
}
