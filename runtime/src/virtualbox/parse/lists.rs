//! `list vms`, `list runningvms`, `list -l vms` and `list hdds`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use super::{ParseError, lines, text};
use crate::virtualbox::{State, Uuid};

/// One line of a short list: `"NAME" {UUID}`. An inaccessible machine is listed under the name `<inaccessible>`,
/// which a healthy machine may bear too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortEntry {
    pub name: String,
    pub uuid: Uuid,
}

/// One block of a long list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongEntry {
    pub name: String,
    pub uuid: Uuid,
    /// None: the block had no state, or another block claims the same UUID (descriptions are printed raw and may
    /// imitate a block).
    pub state: Option<State>,
    /// VirtualBox cannot read the settings file of this machine.
    pub inaccessible: bool,
}

/// One medium of `list hdds`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardDisk {
    pub uuid: Uuid,
    pub parent: Option<Uuid>,
    pub location: PathBuf,
}

/// Reads `list vms` and `list runningvms`.
///
/// An entry begins with a quote at the start of a line and ends where a line ends in `" {UUID}`: a name with line
/// breaks is put together again. Lines outside of an entry are noise.
pub fn short_list(output: &[u8]) -> Result<Vec<ShortEntry>, ParseError> {
    let mut entries = Vec::new();
    let mut open: Option<Vec<u8>> = None;
    for line in lines(output)? {
        let mut entry = match open.take() {
            Some(mut begun) => {
                begun.push(b'\n');
                begun
            }
            None if line.starts_with(b"\"") => Vec::new(),
            None => continue,
        };
        entry.extend_from_slice(line);
        match split_entry(&entry) {
            Some((name, uuid)) => entries.push(ShortEntry { name: text(name)?.to_string(), uuid }),
            None => open = Some(entry),
        }
    }
    if open.is_some() { Err(ParseError::CutOff) } else { Ok(entries) }
}

/// `"NAME" {UUID}` to its parts; None when the end is not there yet.
fn split_entry(entry: &[u8]) -> Option<(&[u8], Uuid)> {
    let entry = entry.strip_prefix(b"\"")?.strip_suffix(b"}")?;
    let (name, uuid) = entry.split_at_checked(entry.len().checked_sub(36)?)?;
    Some((name.strip_suffix(b"\" {")?, std::str::from_utf8(uuid).ok()?.parse().ok()?))
}

/// Reads `list -l vms`: name, UUID and state of each block.
pub fn long_list(output: &[u8]) -> Result<Vec<LongEntry>, ParseError> {
    let mut entries: Vec<LongEntry> = Vec::new();
    for block in blocks(output, b"Name:")? {
        let Some((uuid_line, uuid)) = uuid_of(&block) else { continue };
        let Some(name_line) = block.first() else { continue };
        // Values of one block stand in one column; a UUID has no leading blanks, a name may.
        let column = uuid_line.len().saturating_sub(36);
        let name = text(name_line.get(column..).unwrap_or_default())?.to_string();
        let word = block.iter().find_map(|line| line.strip_prefix(b"State:"));
        let inaccessible = word.is_none() && block.iter().any(|line| line.starts_with(b"Access error details:"));
        let state = word.and_then(|word| state_in_words(text(word).ok()?));
        match entries.iter_mut().find(|e| e.uuid == uuid) {
            Some(first) => first.state = None,
            None => entries.push(LongEntry { name, uuid, state, inaccessible }),
        }
    }
    Ok(entries)
}

/// Reads `list hdds`.
pub fn hard_disks(output: &[u8]) -> Result<Vec<HardDisk>, ParseError> {
    let mut disks = Vec::new();
    for block in blocks(output, b"UUID:")? {
        let value = |key: &[u8]| block.iter().find_map(|line| line.strip_prefix(key)).map(<[u8]>::trim_ascii);
        let uuid = |key| value(key).and_then(|v| std::str::from_utf8(v).ok()).and_then(|v| v.parse().ok());
        if let (Some(id), Some(location)) = (uuid(b"UUID:"), value(b"Location:")) {
            let location = PathBuf::from(OsString::from_vec(location.to_vec()));
            disks.push(HardDisk { uuid: id, parent: uuid(b"Parent UUID:"), location });
        }
    }
    Ok(disks)
}

/// The blocks of a long list. Each begins with a line of the given key, at the top or after an empty line.
fn blocks<'a>(output: &'a [u8], first_key: &[u8]) -> Result<Vec<Vec<&'a [u8]>>, ParseError> {
    let mut blocks: Vec<Vec<&[u8]>> = Vec::new();
    let mut after_gap = true;
    for line in lines(output)? {
        if (after_gap || blocks.is_empty()) && line.starts_with(first_key) {
            blocks.push(vec![line]);
        } else if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
        after_gap = line.is_empty();
    }
    Ok(blocks)
}

fn uuid_of<'a>(block: &[&'a [u8]]) -> Option<(&'a [u8], Uuid)> {
    let line = block.iter().find(|line| line.starts_with(b"UUID:"))?;
    let value = std::str::from_utf8(line.strip_prefix(b"UUID:")?).ok()?;
    Some((line, value.trim_start().parse().ok()?))
}

/// `   powered off (since 2026-11-22T13:15:13.000000000)`. The words may have brackets of their own.
fn state_in_words(value: &str) -> Option<State> {
    let words = value.trim();
    let words = words.rsplit_once(" (since ").map_or(words, |(words, _)| words);
    (!words.is_empty()).then(|| State::parse_words(words))
}
