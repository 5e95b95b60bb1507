//! Reads cpio archives in the three ASCII formats a package tool may meet: newc (070701), newc with sums (070702) and the
//! old octal one (070707).

use std::io::{self, Read};

use super::input::Input;
use crate::svr4::{BLOCK, TRAILER};

const MAGIC_LENGTH: u64 = 6;
const NEWC_FIELDS: usize = 13;

/// Longer than any `PATH_MAX`; a header that says more is damaged.
const MAX_NAME: u64 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Newc,
    Crc,
    Odc,
}

/// A member's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub mode: u32,
    pub mtime: u64,
    pub size: u64,
    /// The plain sum of the bytes, in the format that has one.
    pub sum: Option<u32>,
    format_pads: bool,
}

/// What comes next in an archive.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Member(Member),
    /// The trailer was read, and the padding of its block.
    Trailer {
        block_filled: bool,
    },
    /// The stream ends before the trailer.
    Cut,
    /// The bytes are not a header, and there is no way to find the next one.
    NotAHeader,
    Damaged(&'static str),
}

/// Reads the next header.
pub fn next<R: Read>(input: &mut Input<R>) -> io::Result<Next> {
    let magic = input.take(MAGIC_LENGTH)?;
    let format = match magic.as_slice() {
        b"070701" => Format::Newc,
        b"070702" => Format::Crc,
        b"070707" => Format::Odc,
        short if short.len() < MAGIC_LENGTH as usize => return Ok(Next::Cut),
        _ => return Ok(Next::NotAHeader),
    };
    let widths: &[usize] = match format {
        Format::Newc | Format::Crc => &[8; NEWC_FIELDS],
        // dev ino mode uid gid nlink rdev mtime namesize filesize
        Format::Odc => &[6, 6, 6, 6, 6, 6, 6, 11, 6, 11],
    };
    let length: usize = widths.iter().sum();
    let fields = input.take(length as u64)?;
    if fields.len() < length {
        return Ok(Next::Cut);
    }
    let radix = if format == Format::Odc { 8 } else { 16 };
    let Some(fields) = numbers(&fields, widths, radix) else {
        return Ok(Next::Damaged("a header field is not a number"));
    };
    let field = |number: usize| fields.get(number).copied().unwrap_or_default();
    let (mode, mtime, size, name_size) = match format {
        Format::Newc | Format::Crc => (field(1), field(5), field(6), field(11)),
        Format::Odc => (field(2), field(7), field(9), field(8)),
    };
    let sum = (format == Format::Crc).then(|| u32::try_from(field(12)).unwrap_or_default());
    let format_pads = format != Format::Odc;
    let name = match read_name(input, name_size, format_pads)? {
        Ok(name) => name,
        Err(next) => return Ok(next),
    };
    if name == TRAILER {
        return Ok(Next::Trailer { block_filled: input.align(BLOCK as u64)? });
    }
    let mode = u32::try_from(mode).unwrap_or_default();
    Ok(Next::Member(Member { name, mode, mtime, size, sum, format_pads }))
}

/// Gives a member's bytes to `sink`, then passes over their padding. Returns whether all were there.
pub fn data<R: Read>(input: &mut Input<R>, member: &Member, sink: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
    let complete = input.pass(member.size, sink)? == member.size;
    Ok(complete && (!member.format_pads || input.align(4)?))
}

fn read_name<R: Read>(input: &mut Input<R>, size: u64, pads: bool) -> io::Result<Result<String, Next>> {
    if size == 0 || size > MAX_NAME {
        return Ok(Err(Next::Damaged("the length of a member's name makes no sense")));
    }
    let mut name = input.take(size)?;
    if (name.len() as u64) < size || (pads && !input.align(4)?) {
        return Ok(Err(Next::Cut));
    }
    if name.pop() != Some(0) {
        return Ok(Err(Next::Damaged("a member's name does not end in NUL")));
    }
    Ok(Ok(String::from_utf8_lossy(&name).into_owned()))
}

/// Fixed-width numbers one after another. Signs and blanks, which `from_str_radix` or C would take, are not digits.
fn numbers(bytes: &[u8], widths: &[usize], radix: u32) -> Option<Vec<u64>> {
    let mut rest = bytes;
    widths
        .iter()
        .map(|width| {
            let (field, after) = rest.split_at_checked(*width)?;
            rest = after;
            let text = std::str::from_utf8(field).ok()?;
            let digits = text.chars().all(|c| c.is_digit(radix));
            if digits { u64::from_str_radix(text, radix).ok() } else { None }
        })
        .collect()
}
