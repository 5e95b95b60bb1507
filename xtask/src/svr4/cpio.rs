//! Writes cpio archives in the SVR4 portable format ("newc", magic 070701), streaming.
//!
//! The archive's own numbers follow a rule, so that equal input gives equal bytes: inodes count from 1, owner, group and
//! devices are 0. Readers of datastreams ignore them. There are only directories and regular files; links, devices and
//! attributes of a package live in its pkgmap.

use std::io::{self, Read, Write};

use thiserror::Error;

use super::{BLOCK, S_IFDIR, S_IFREG, TRAILER};

/// Longest member name: Solaris' cpio has a field of 1024 with the NUL.
pub const MAX_NAME: usize = 1023;

const MAGIC: &[u8] = b"070701";
const COPY_BUFFER: usize = 64 * 1024;

#[derive(Debug, Error)]
pub enum CpioError {
    #[error("member name of {length} bytes, at most {MAX_NAME} fit: {name}")]
    NameTooLong { name: String, length: usize },
    #[error("member name {name:?} is empty, holds a NUL or is the archive's end mark")]
    NameUnusable { name: String },
    #[error("{field} {value} of {name} does not fit the 32 bits the format has")]
    FieldTooLarge { name: String, field: &'static str, value: u64 },
    #[error("{name} was announced with {announced} bytes and ended after {actual}")]
    TooShort { name: String, announced: u64, actual: u64 },
    #[error("{name} was announced with {announced} bytes and holds more")]
    TooLong { name: String, announced: u64 },
    #[error("cannot read {name}: {source}")]
    Read { name: String, source: io::Error },
    #[error("cannot write the archive: {0}")]
    Write(#[source] io::Error),
}

/// One header, as its fields are.
#[derive(Debug, Clone, Copy, Default)]
pub struct Header<'a> {
    pub name: &'a str,
    pub ino: u64,
    pub mode: u32,
    pub uid: u64,
    pub gid: u64,
    pub nlink: u64,
    pub mtime: u64,
    pub size: u64,
    pub dev_major: u64,
    pub dev_minor: u64,
}

impl Header<'_> {
    /// The header with its name, padded to 4 bytes.
    fn encode(&self) -> Result<Vec<u8>, CpioError> {
        if self.name.len() > MAX_NAME {
            return Err(CpioError::NameTooLong { name: self.name.to_owned(), length: self.name.len() });
        }
        let fields = [
            ("inode", self.ino),
            ("mode", u64::from(self.mode)),
            ("uid", self.uid),
            ("gid", self.gid),
            ("link count", self.nlink),
            ("mtime", self.mtime),
            ("size", self.size),
            ("device major", self.dev_major),
            ("device minor", self.dev_minor),
            ("rdev major", 0),
            ("rdev minor", 0),
            ("name size", self.name.len() as u64 + 1),
            ("checksum", 0),
        ];
        let mut bytes = MAGIC.to_vec();
        for (field, value) in fields {
            let value = u32::try_from(value).map_err(|_| CpioError::FieldTooLarge {
                name: self.name.to_owned(),
                field,
                value,
            })?;
            bytes.extend_from_slice(format!("{value:08x}").as_bytes());
        }
        bytes.extend_from_slice(self.name.as_bytes());
        bytes.push(0);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Ok(bytes)
    }
}

/// Tells before anything is written whether a file can be a member.
pub fn check(name: &str, mtime: u64, size: u64) -> Result<(), CpioError> {
    Header { name, mtime, size, ..Header::default() }.encode().map(drop)
}

/// An archive being written. It must be ended by [`Archive::finish`], or it has no trailer.
pub struct Archive<W> {
    out: W,
    length: u64,
    last_ino: u64,
}

impl<W: Write> Archive<W> {
    pub fn new(out: W) -> Self {
        Self { out, length: 0, last_ino: 0 }
    }

    /// Adds a directory; `permissions` are the mode's lower 12 bits.
    pub fn directory(&mut self, name: &str, permissions: u32, mtime: u64) -> Result<(), CpioError> {
        let mode = S_IFDIR | (permissions & 0o7777);
        self.member(Header { name, mode, nlink: 2, mtime, ..Header::default() })
    }

    /// Adds a regular file, copying exactly `size` bytes from `content`, which must end there.
    pub fn file(
        &mut self,
        name: &str,
        permissions: u32,
        mtime: u64,
        size: u64,
        content: &mut dyn Read,
    ) -> Result<(), CpioError> {
        let mode = S_IFREG | (permissions & 0o7777);
        self.member(Header { name, mode, nlink: 1, mtime, size, ..Header::default() })?;
        self.copy(name, size, content)?;
        self.pad(4)
    }

    /// Writes the trailer, fills the last block and gives the archive's length in bytes.
    pub fn finish(mut self) -> Result<u64, CpioError> {
        let trailer = Header { name: TRAILER, nlink: 1, ..Header::default() }.encode()?;
        self.put(&trailer)?;
        self.pad(BLOCK as u64)?;
        Ok(self.length)
    }

    fn member(&mut self, header: Header) -> Result<(), CpioError> {
        if header.name.is_empty() || header.name.contains('\0') || header.name == TRAILER {
            return Err(CpioError::NameUnusable { name: header.name.to_owned() });
        }
        self.last_ino += 1;
        let bytes = Header { ino: self.last_ino, ..header }.encode()?;
        self.put(&bytes)
    }

    fn copy(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<(), CpioError> {
        let mut buffer = vec![0; COPY_BUFFER];
        let mut copied = 0;
        loop {
            let count = match content.read(&mut buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(CpioError::Read { name: name.to_owned(), source }),
            };
            if count == 0 {
                break;
            }
            copied += count as u64;
            if copied > size {
                return Err(CpioError::TooLong { name: name.to_owned(), announced: size });
            }
            self.put(buffer.get(..count).unwrap_or_default())?;
        }
        if copied < size {
            return Err(CpioError::TooShort { name: name.to_owned(), announced: size, actual: copied });
        }
        Ok(())
    }

    fn pad(&mut self, unit: u64) -> Result<(), CpioError> {
        let missing = self.length.next_multiple_of(unit) - self.length;
        let zeros = [0; BLOCK];
        self.put(zeros.get(..missing as usize).unwrap_or_default())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), CpioError> {
        self.out.write_all(bytes).map_err(CpioError::Write)?;
        self.length += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first member header of a stream made by a real pkgtrans, with the name of the package replaced.
    #[test]
    fn a_header_is_byte_for_byte_that_of_a_real_archive() {
        let header = Header {
            name: "ABCexample/pkginfo",
            ino: 0xffff_ffff,
            mode: S_IFREG | 0o600,
            nlink: 1,
            mtime: 0x6b02_ebe5,
            size: 0x247,
            dev_major: 0xff,
            dev_minor: 0xff,
            ..Header::default()
        };
        let expected = "070701ffffffff0000818000000000000000000000000\
                        16b02ebe500000247000000ff000000ff00000000000000000000001300000000\
                        ABCexample/pkginfo\0\0\0\0";
        assert_eq!(String::from_utf8(header.encode().unwrap()).unwrap(), expected);
        assert_eq!(expected.len(), 132, "data start at +132");
    }

    #[test]
    fn an_empty_archive_is_its_trailer_in_one_block() {
        let mut bytes = Vec::new();
        assert_eq!(Archive::new(&mut bytes).finish().unwrap(), 512);
        let trailer =
            format!("070701{}{}{}{}", "00000000".repeat(4), "00000001", "00000000".repeat(6), "0000000b00000000");
        assert_eq!(&bytes[..110], trailer.as_bytes());
        assert_eq!(&bytes[110..124], b"TRAILER!!!\0\0\0\0");
        assert!(bytes[124..].iter().all(|byte| *byte == 0));
        assert_eq!(bytes.len(), 512);
    }

    #[test]
    fn names_and_data_are_padded_to_four_bytes() {
        for name_length in 1..6 {
            for size in 0..6 {
                let name = "n".repeat(name_length);
                let mut bytes = Vec::new();
                let mut archive = Archive::new(&mut bytes);
                archive.file(&name, 0o644, 7, size, &mut vec![b'x'; size as usize].as_slice()).unwrap();
                let data = (110 + name_length + 1).next_multiple_of(4);
                assert_eq!(archive.length, (data as u64 + size).next_multiple_of(4));
                archive.finish().unwrap();
                assert!(bytes[data..data + size as usize].iter().all(|byte| *byte == b'x'));
            }
        }
    }

    #[test]
    fn directories_and_files_carry_their_type_and_permissions() {
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes);
        archive.directory("reloc", 0o755, 1).unwrap();
        archive.file("reloc/a", 0o755, 1, 0, &mut io::empty()).unwrap();
        archive.finish().unwrap();
        assert_eq!(&bytes[14..22], b"000041ed");
        let second = (110usize + 6).next_multiple_of(4);
        assert_eq!(&bytes[second + 6..second + 14], b"00000002", "inodes count up");
        assert_eq!(&bytes[second + 14..second + 22], b"000081ed");
    }

    #[test]
    fn the_longest_name_fits_and_one_more_byte_is_refused() {
        let mut archive = Archive::new(io::sink());
        archive.directory(&"n".repeat(1023), 0o755, 0).unwrap();
        assert!(matches!(
            archive.directory(&"n".repeat(1024), 0o755, 0),
            Err(CpioError::NameTooLong { length: 1024, .. })
        ));
    }

    #[test]
    fn four_gibibytes_are_refused_before_a_byte_is_copied() {
        let mut archive = Archive::new(io::sink());
        let refused = archive.file("big", 0o644, 0, 1 << 32, &mut io::repeat(0));
        assert!(matches!(refused, Err(CpioError::FieldTooLarge { field: "size", .. })));
        assert_eq!(archive.length, 0);
    }

    #[test]
    fn a_time_after_2106_is_refused() {
        let refused = Archive::new(io::sink()).directory("d", 0o755, 1 << 32);
        assert!(matches!(refused, Err(CpioError::FieldTooLarge { field: "mtime", .. })));
    }

    #[test]
    fn content_that_differs_from_the_announced_size_is_refused() {
        let mut archive = Archive::new(io::sink());
        let short = archive.file("f", 0o644, 0, 4, &mut b"abc".as_slice());
        assert!(matches!(short, Err(CpioError::TooShort { announced: 4, actual: 3, .. })));
        let mut archive = Archive::new(io::sink());
        let long = archive.file("f", 0o644, 0, 2, &mut b"abc".as_slice());
        assert!(matches!(long, Err(CpioError::TooLong { announced: 2, .. })));
    }

    #[test]
    fn a_name_that_would_end_the_archive_is_refused() {
        let mut archive = Archive::new(io::sink());
        for name in ["", TRAILER, "a\0b"] {
            assert!(matches!(archive.directory(name, 0o755, 0), Err(CpioError::NameUnusable { .. })));
        }
    }
}
