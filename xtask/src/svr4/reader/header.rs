//! Reads a datastream's header: which packages it says it holds.

use std::collections::BTreeSet;
use std::io::{self, Read};

use super::finding::Findings;
use super::input::Input;
use crate::svr4::{BLOCK, MAX_HEADER_LINE, RESERVED_PACKAGE_NAMES, STREAM_END, STREAM_MAGIC};

/// Some 20,000 packages; a longer header is no header.
const MAX_HEADER: usize = 1024 * 1024;

/// pkgadd of illumos has room for a name of 32; older ones for 31.
const LONGEST_NAME: usize = 32;

/// A package in the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: String,
    pub parts: u32,
    pub maxsize: u64,
}

/// Reads header blocks up to the end line. `None` if the rest of the stream cannot be made sense of.
pub fn read<R: Read>(input: &mut Input<R>, findings: &mut Findings) -> io::Result<Option<Vec<Listed>>> {
    let mut bytes = Vec::new();
    let text = loop {
        let block = input.take(BLOCK as u64)?;
        let short = block.len() < BLOCK;
        bytes.extend_from_slice(&block);
        if !bytes.starts_with(STREAM_MAGIC.as_bytes()) {
            let message = if bytes.is_empty() { "the stream is empty" } else { "does not begin as a datastream" };
            findings.error("header-magic", "header", message);
            return Ok(None);
        }
        if short {
            findings.error("header-cut", "header", "the stream ends within the header");
            return Ok(None);
        }
        if let Some(end) = end_of_text(&bytes) {
            check_padding(bytes.get(end..).unwrap_or_default(), findings);
            bytes.truncate(end);
            break String::from_utf8_lossy(&bytes).into_owned();
        }
        if bytes.contains(&0) || bytes.len() > MAX_HEADER {
            findings.error("header-no-end", "header", format!("there is no line {STREAM_END:?}"));
            return Ok(None);
        }
    };
    match text.len() % BLOCK {
        0 => {
            let message = "the text just fills its blocks: pkgadd reads it by luck, its buffer is not terminated";
            findings.warning("header-edge", "header", message);
        }
        1 => findings.error("header-edge", "header", "pkgadd cannot read a text of one byte more than its blocks"),
        _ => {}
    }
    let readable = skip_extra_block(input, findings)?;
    Ok(readable.then(|| packages(&text, findings)))
}

/// The length of the text with the end line and its newline, once both are there. The C reader looks for them in a
/// string, so nothing after a NUL counts; and it was not found before, so only what is new needs looking at.
fn end_of_text(bytes: &[u8]) -> Option<usize> {
    let mark = STREAM_END.as_bytes();
    let visible = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let from = visible.saturating_sub(2 * BLOCK);
    let text = bytes.get(from..visible)?;
    let at = text.windows(mark.len()).position(|window| window == mark)? + mark.len();
    let newline = text.get(at..)?.iter().position(|byte| *byte == b'\n')?;
    Some(from + at + newline + 1)
}

fn check_padding(padding: &[u8], findings: &mut Findings) {
    if padding.iter().any(|byte| *byte != 0) {
        findings.warning("header-padding", "header", "the block is not filled with NULs after the end line");
    }
}

/// pkgtrans adds a block of NULs to a header that just fills its blocks, and pkgadd stumbles over it. Returns whether an
/// archive can follow.
fn skip_extra_block<R: Read>(input: &mut Input<R>, findings: &mut Findings) -> io::Result<bool> {
    if input.peek()?.first() != Some(&0) {
        return Ok(true);
    }
    let block = input.take(BLOCK as u64)?;
    let zeros = block.iter().all(|byte| *byte == 0);
    if zeros {
        let message = "a block of NULs follows the header: pkgadd says \"Not a cpio file, bad header\"";
        findings.error("header-extra-block", "header", message);
    } else {
        findings.error("archive-magic", "archive 0", "is not a cpio archive");
    }
    Ok(zeros)
}

fn packages(text: &str, findings: &mut Findings) -> Vec<Listed> {
    let mut listed = Vec::new();
    let mut names = BTreeSet::new();
    for (line, number) in text.split_terminator('\n').zip(1..) {
        let place = format!("header line {number}");
        if line.ends_with('\r') {
            findings.error("header-crlf", &place, "ends in a carriage return");
        }
        if line.len() > MAX_HEADER_LINE {
            let message = format!("has {} characters, more than the 128 pkgadd reads", line.len());
            findings.error("header-line-length", &place, message);
        }
        let line = line.trim_end_matches('\r');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(package) = package(line, &place, findings) else { continue };
        if !names.insert(package.name.clone()) {
            findings.error("header-duplicate", &place, format!("package {} is listed twice", package.name));
        }
        listed.push(package);
    }
    if listed.is_empty() {
        findings.error("header-no-packages", "header", "lists no package");
    }
    listed
}

fn package(line: &str, place: &str, findings: &mut Findings) -> Option<Listed> {
    let mut fields = line.split_ascii_whitespace();
    let parsed = (|| {
        let name = fields.next()?.to_owned();
        Some(Listed { name, parts: fields.next()?.parse().ok()?, maxsize: fields.next()?.parse().ok()? })
    })();
    let Some(listed) = parsed.filter(|listed| listed.parts > 0) else {
        findings.error("header-fields", place, format!("must be PKG PARTS MAXSIZE and is {line:?}"));
        return None;
    };
    if fields.next().is_some() {
        findings.warning("header-volumes", place, "the package is spread over several volumes, of which this is one");
    }
    check_name(&listed.name, place, findings);
    Some(listed)
}

fn check_name(name: &str, place: &str, findings: &mut Findings) {
    let letters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-'));
    if !letters || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || RESERVED_PACKAGE_NAMES.contains(&name) {
        findings.error("header-name", place, format!("{name:?} is not a package name"));
    } else if name.len() > LONGEST_NAME {
        findings.error("header-name", place, format!("the name {name} is longer than 32 characters"));
    } else if name.len() == LONGEST_NAME {
        findings.warning("header-name", place, format!("older pkgadd does not find {name}: 31 characters fit"));
    }
}
