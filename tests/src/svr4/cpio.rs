//! Unpacks the archives of a datastream, as the cpio that pkgadd runs does: formats newc, crc and odc.

use std::fs::{self, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path};

use super::stream::BLOCK;

const TRAILER: &str = "TRAILER!!!";
const DIRECTORY: u64 = 0o040_000;
const TYPE: u64 = 0o170_000;
/// The field of Solaris' cpio, with the NUL.
const LONGEST_NAME: u64 = 1024;

/// Why an archive could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum Bad {
    #[error("Unexpected end-of-archive encountered.")]
    Cut,
    #[error("Not a cpio file, bad header.")]
    Header,
    #[error("bad member name \"{0}\"")]
    Name(String),
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A reader that counts, so that archives end on their blocks.
pub struct Counted<R> {
    inner: R,
    count: u64,
}

impl<R: Read> Counted<R> {
    pub fn new(inner: R) -> Self {
        Counted { inner, count: 0 }
    }

    pub fn exactly(&mut self, length: u64) -> Result<Vec<u8>, Bad> {
        let mut bytes = Vec::new();
        self.inner.by_ref().take(length).read_to_end(&mut bytes)?;
        self.count += bytes.len() as u64;
        if bytes.len() as u64 == length { Ok(bytes) } else { Err(Bad::Cut) }
    }

    fn copy(&mut self, length: u64, to: &mut impl Write) -> Result<(), Bad> {
        let copied = io::copy(&mut self.inner.by_ref().take(length), to)?;
        self.count += copied;
        if copied == length { Ok(()) } else { Err(Bad::Cut) }
    }

    /// What is left of a unit. The last block of a stream may be short.
    fn align(&mut self, unit: u64) -> Result<(), Bad> {
        let missing = self.count.next_multiple_of(unit) - self.count;
        match self.copy(missing, &mut io::sink()) {
            Err(Bad::Cut) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Unpacks the next archive below a folder.
pub fn unpack(input: &mut Counted<impl Read>, folder: &Path) -> Result<(), Bad> {
    loop {
        let magic = input.exactly(6)?;
        let (widths, radix, pads): (&[usize], u32, bool) = match magic.as_slice() {
            b"070701" | b"070702" => (&[8; 13], 16, true),
            b"070707" => (&[6, 6, 6, 6, 6, 6, 6, 11, 6, 11], 8, false),
            _ => return Err(Bad::Header),
        };
        let header = input.exactly(widths.iter().sum::<usize>() as u64)?;
        let fields = numbers(&header, widths, radix).ok_or(Bad::Header)?;
        let (mode, size, name_size) =
            if pads { (fields[1], fields[6], fields[11]) } else { (fields[2], fields[9], fields[8]) };
        if name_size == 0 || name_size > LONGEST_NAME {
            return Err(Bad::Header);
        }
        let mut name = input.exactly(name_size)?;
        name.pop();
        let name = String::from_utf8_lossy(&name).into_owned();
        let unit = if pads { 4 } else { 1 };
        input.align(unit)?;
        if name == TRAILER {
            return input.align(BLOCK);
        }
        let plain = Path::new(&name).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if !plain {
            return Err(Bad::Name(name));
        }
        let path = folder.join(&name);
        if mode & TYPE == DIRECTORY {
            fs::create_dir_all(&path)?;
            continue;
        }
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        let mut file = fs::File::create(&path)?;
        input.copy(size, &mut file)?;
        // As unpacked for others to read: checkinstall is not root.
        fs::set_permissions(&path, Permissions::from_mode(0o644 | (mode as u32 & 0o111)))?;
        input.align(unit)?;
    }
}

fn numbers(header: &[u8], widths: &[usize], radix: u32) -> Option<Vec<u64>> {
    let mut rest = std::str::from_utf8(header).ok()?;
    let mut fields = Vec::new();
    for width in widths {
        let (field, after) = rest.split_at_checked(*width)?;
        fields.push(u64::from_str_radix(field, radix).ok()?);
        rest = after;
    }
    Some(fields)
}
