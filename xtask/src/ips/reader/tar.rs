//! The members of a tar file, whoever wrote it: ustar, pax or GNU headers.
//!
//! Finds where each member's headers and data lie, which the index of an archive has to agree with, and reads no data.
//! Knows nothing of packages.

use std::io::{self, Read, Seek, SeekFrom};

use super::super::format::BLOCK;
use crate::finding::Findings;

/// Long names and pax records are read into memory, so they are held to this.
const LONGEST_RECORDS: u64 = 1 << 20;
/// More members than any archive has; keeps the table of them in bounds.
const MOST_MEMBERS: usize = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemberKind {
    File,
    Directory,
    /// Links, devices and whatever else, by tar's type flag.
    Other(u8),
}

#[derive(Debug, Clone)]
pub struct Member {
    /// Without a trailing slash.
    pub name: String,
    pub kind: MemberKind,
    /// Where the first of its header blocks begins: a pax or long-name header if it has one.
    pub header_at: u64,
    pub data_at: u64,
    pub size: u64,
    /// The pax `comment`.
    pub comment: Option<String>,
}

impl Member {
    /// Where the next member begins.
    pub fn end(&self) -> u64 {
        self.data_at.saturating_add(padded(self.size))
    }
}

/// What extension headers say about the member after them.
#[derive(Default)]
struct Extension {
    at: Option<u64>,
    name: Option<Vec<u8>>,
    size: Option<u64>,
    comment: Option<String>,
    sparse: bool,
}

/// Lists the members up to the end of the archive or to the first damage, which becomes a finding.
pub fn members(source: &mut (impl Read + Seek), findings: &mut Findings) -> io::Result<Vec<Member>> {
    let length = source.seek(SeekFrom::End(0))?;
    let mut members: Vec<Member> = Vec::new();
    let mut extension = Extension::default();
    let mut at = 0;
    loop {
        let place = format!("byte {at}");
        if at >= length {
            findings.warning("tar-end", &place, "the archive ends without tar's closing zero blocks");
            break;
        }
        let Some(block) = read_block(source, at, length)? else {
            findings.error("tar-truncated", &place, "the archive ends inside a header");
            break;
        };
        if block.iter().all(|b| *b == 0) {
            break;
        }
        let Some(header) = Header::parse(&block) else {
            findings.error("tar-header", &place, "no tar header, or one whose checksum or size is wrong");
            break;
        };
        let data_at = at + BLOCK;
        let size = extension.size.filter(|_| !header.is_extension()).unwrap_or(header.size);
        let stored = if header.has_data() { size } else { 0 };
        let end = data_at.saturating_add(padded(stored));
        if end > length {
            findings.error("tar-truncated", &place, "the archive ends inside a member's data");
            break;
        }
        if header.is_extension() {
            extension.at.get_or_insert(at);
            if stored > LONGEST_RECORDS {
                findings.error("tar-header", &place, "an extension header of more than a megabyte");
                break;
            }
            let records = read_at(source, data_at, stored)?;
            if !extension.take(header.flag, records) {
                findings.error("tar-header", &place, "a malformed pax header");
                break;
            }
        } else {
            let said = std::mem::take(&mut extension);
            members.push(member(header, said, at, data_at, stored, findings));
        }
        if members.len() >= MOST_MEMBERS {
            findings.error("tar-members", &place, format!("more than {MOST_MEMBERS} members, the rest is not read"));
            break;
        }
        at = end;
    }
    Ok(members)
}

fn member(header: Header, said: Extension, at: u64, data_at: u64, size: u64, findings: &mut Findings) -> Member {
    let raw = said.name.unwrap_or(header.name);
    let name = String::from_utf8_lossy(&raw).into_owned();
    if name.as_bytes() != raw {
        findings.error("member-name", &name, "the member's name is not UTF-8");
    }
    let kind = match header.flag {
        flag if said.sparse => MemberKind::Other(flag),
        // Before ustar a directory was a file whose name ends in a slash.
        0 | b'0' if name.ends_with('/') => MemberKind::Directory,
        0 | b'0' | b'7' => MemberKind::File,
        b'5' => MemberKind::Directory,
        flag => MemberKind::Other(flag),
    };
    let name = name.trim_end_matches('/').to_owned();
    Member { name, kind, header_at: said.at.unwrap_or(at), data_at, size, comment: said.comment }
}

impl Extension {
    /// Takes in the data of an extension header; false if it is malformed.
    fn take(&mut self, flag: u8, mut data: Vec<u8>) -> bool {
        match flag {
            b'L' => {
                data.truncate(data.iter().position(|b| *b == 0).unwrap_or(data.len()));
                self.name = Some(data);
                true
            }
            b'x' | b'X' => self.records(&data).is_some(),
            // Long link targets and records for the archive as a whole say nothing that matters here.
            _ => true,
        }
    }

    /// Pax records: `<length> <key>=<value>\n`, the length counting all of it.
    fn records(&mut self, mut data: &[u8]) -> Option<()> {
        while !data.is_empty() && data.iter().any(|b| *b != 0) {
            let space = data.iter().position(|b| *b == b' ')?;
            let length: usize = std::str::from_utf8(data.get(..space)?).ok()?.parse().ok()?;
            let record = data.get(space + 1..length)?.strip_suffix(b"\n")?;
            let equals = record.iter().position(|b| *b == b'=')?;
            let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
            match key {
                b"path" => self.name = Some(value.to_vec()),
                b"size" => self.size = Some(std::str::from_utf8(value).ok()?.parse().ok()?),
                b"comment" => self.comment = Some(String::from_utf8_lossy(value).into_owned()),
                key if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
            data = data.get(length..)?;
        }
        Some(())
    }
}

struct Header {
    name: Vec<u8>,
    size: u64,
    flag: u8,
}

impl Header {
    fn parse(block: &[u8; BLOCK as usize]) -> Option<Self> {
        let stated = number(block.get(148..156)?)?;
        let (mut unsigned, mut signed) = (0_u64, 0_i64);
        for (i, byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&i) { b' ' } else { *byte };
            unsigned += u64::from(byte);
            signed += i64::from(byte.cast_signed());
        }
        // Some old writers summed signed bytes.
        if stated != unsigned && i64::try_from(stated) != Ok(signed) {
            return None;
        }
        let mut name = text(block.get(..100)?).to_vec();
        let prefix = text(block.get(345..500)?);
        if block.get(257..263)? == b"ustar\0" && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        Some(Self { name, size: number(block.get(124..136)?)?, flag: *block.get(156)? })
    }

    fn is_extension(&self) -> bool {
        matches!(self.flag, b'x' | b'X' | b'g' | b'L' | b'K')
    }

    /// Links, devices, directories and fifos have no data, whatever their size field says.
    fn has_data(&self) -> bool {
        !matches!(self.flag, b'1'..=b'6')
    }
}

fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    field.get(..end).unwrap_or(field)
}

/// A number in octal, or for large ones in base 256 with the top bit of the field set.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if *first == 0x80 {
        return rest.iter().try_fold(0_u64, |n, b| n.checked_mul(256)?.checked_add(u64::from(*b)));
    }
    let digits = std::str::from_utf8(text(field)).ok()?.trim_matches(' ');
    if digits.is_empty() { Some(0) } else { u64::from_str_radix(digits, 8).ok() }
}

fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK).saturating_mul(BLOCK)
}

fn read_block(source: &mut (impl Read + Seek), at: u64, length: u64) -> io::Result<Option<[u8; BLOCK as usize]>> {
    if length - at < BLOCK {
        return Ok(None);
    }
    source.seek(SeekFrom::Start(at))?;
    let mut block = [0; BLOCK as usize];
    source.read_exact(&mut block)?;
    Ok(Some(block))
}

/// Reads `size` bytes, which the caller has held to a bound.
pub fn read_at(source: &mut (impl Read + Seek), at: u64, size: u64) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at))?;
    let mut data = Vec::new();
    source.take(size).read_to_end(&mut data)?;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   17 \0\0"), Some(0o17));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(&[0x80, 0, 1, 0]), Some(256));
        assert_eq!(number(&[0x80; 12]), None, "too large");
        assert_eq!(number(b"00009\0"), None);
        assert_eq!(number(b"-1"), None);
    }

    #[test]
    fn pax_records_of_wrong_length_are_malformed() {
        for data in ["8 path=a\n", "99 path=a\n", "10 path=a", "x path=a\n", "5 a\n\n", "0 a=b\n"] {
            assert!(!Extension::default().take(b'x', data.as_bytes().to_vec()), "{data:?}");
        }
        let mut extension = Extension::default();
        assert!(extension.take(b'x', b"9 path=a\n20 comment=hi world\n".to_vec()));
        assert_eq!(extension.name.as_deref(), Some(b"a".as_slice()));
    }
}
