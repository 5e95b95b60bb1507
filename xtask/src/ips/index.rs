//! The table of contents at the head of an archive: which member begins where.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use super::format::BLOCK;
use super::payload::gzip;

/// One member of the archive, with its name as the index holds it: without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub size: u64,
    pub directory: bool,
}

impl Entry {
    /// Bytes the member takes in the archive: a header block and its data in whole blocks.
    fn extent(&self) -> u64 {
        BLOCK + self.size.div_ceil(BLOCK) * BLOCK
    }
}

/// The index of members that follow it in this order, compressed. Offsets count from the end of the index member.
pub fn index(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut out = gzip(Vec::new());
    out.write_all(text(entries).as_bytes())?;
    out.finish()
}

/// `<name> <offset> <extent> <size> <type>`, each ended by a zero byte, then a newline. The type is what the present
/// Python writers put there, the text of a bytes literal; readers look no further than the offset.
fn text(entries: &[Entry]) -> String {
    let mut text = String::new();
    let mut offset = 0;
    for entry in entries {
        let kind = if entry.directory { "b'5'" } else { "b'0'" };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}\0{offset}\0{}\0{}\0{kind}\0", entry.name, entry.extent(), entry.size);
        offset += entry.extent();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_offsets_from_the_end_of_the_index_and_whole_blocks() {
        let entry = |name: &str, size, directory| Entry { name: name.to_owned(), size, directory };
        let entries = [
            entry("publisher", 0, true),
            entry("publisher/ex/file/aa/aa00", 513, false),
            entry("publisher/ex/file/aa/aa01", 0, false),
            entry("pkg5.repository", 512, false),
        ];
        assert_eq!(
            text(&entries),
            "publisher\x000\x00512\x000\x00b'5'\x00\n\
             publisher/ex/file/aa/aa00\x00512\x001536\x00513\x00b'0'\x00\n\
             publisher/ex/file/aa/aa01\x002048\x00512\x000\x00b'0'\x00\n\
             pkg5.repository\x002560\x001024\x00512\x00b'0'\x00\n"
        );
        let gzip = index(&entries).unwrap();
        assert_eq!(gzip[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff]);
    }
}
