//! The index of an archive against the archive itself.
//!
//! pkg trusts an index whose member carries the right comment: what the index does not list does not exist for it, and
//! where the index is wrong the archive is corrupt. Without the comment, or without an index, pkg scans the archive.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;

use super::super::format::{INDEX_COMMENT_PREFIX, INDEX_PREFIX, INDEX_SUFFIX};
use super::tar::{Member, MemberKind};
use crate::finding::Findings;

/// A line holds a member's name and three numbers.
const LONGEST_LINE: u64 = 128 << 10;

pub(super) fn is_index(name: &str) -> bool {
    name.starts_with(INDEX_PREFIX) && name.ends_with(INDEX_SUFFIX)
}

/// Judges the index, if the archive begins with one.
pub(super) fn check(source: &mut (impl Read + Seek), members: &[Member], findings: &mut Findings) -> io::Result<()> {
    let Some((index, rest)) = members.split_first() else { return Ok(()) };
    if !is_index(&index.name) || index.kind != MemberKind::File {
        findings.warning("index-missing", &index.name, "no index at the head of the archive, pkg has to scan it");
        return Ok(());
    }
    let place = index.name.as_str();
    let version = index.comment.as_deref().and_then(|comment| comment.strip_prefix(INDEX_COMMENT_PREFIX));
    match version.map(str::parse::<u64>) {
        None => {
            let message = format!("the index lacks the pax comment {INDEX_COMMENT_PREFIX}0, pkg ignores it");
            findings.warning("index-comment", place, message);
            return Ok(());
        }
        Some(Ok(0)) => {}
        Some(_) => {
            findings.error("index-version", place, "an archive version other than 0");
            return Ok(());
        }
    }
    source.seek(SeekFrom::Start(index.data_at))?;
    let mut lines = BufReader::new(MultiGzDecoder::new(BufReader::new(Read::take(source, index.size))));
    let mut listed = HashMap::new();
    loop {
        match line(&mut lines) {
            Ok(Some((name, offset))) => {
                // More lines than members would be wrong anyway, and a bomb.
                if listed.len() > members.len() {
                    findings.error("index-entry", place, "the index lists more members than there are");
                    break;
                }
                listed.insert(name, offset);
            }
            Ok(None) => break,
            Err(why) => {
                findings.error("index-corrupt", place, why);
                return Ok(());
            }
        }
    }
    compare(&listed, index, rest, findings);
    Ok(())
}

/// The next line's name and offset, or why it is none.
fn line(lines: &mut impl BufRead) -> Result<Option<(String, u64)>, String> {
    let mut line = Vec::new();
    // Names may hold newlines: a line ends where one follows a zero byte.
    while !line.ends_with(b"\0\n") {
        let room = LONGEST_LINE.saturating_sub(line.len() as u64);
        let read = lines.take(room).read_until(b'\n', &mut line).map_err(|e| format!("not gzip data: {e}"))?;
        match read {
            0 if line.is_empty() => return Ok(None),
            0 => return Err("an unfinished or overlong line".to_owned()),
            _ => {}
        }
    }
    let mut fields = line.split(|b| *b == 0);
    let name = fields.next().unwrap_or_default();
    let offset = fields.next().and_then(|f| std::str::from_utf8(f).ok()).and_then(|f| f.parse().ok());
    match offset {
        Some(offset) => Ok(Some((String::from_utf8_lossy(name).into_owned(), offset))),
        None => Err(format!("no offset for {:?}", String::from_utf8_lossy(name))),
    }
}

fn compare(listed: &HashMap<String, u64>, index: &Member, rest: &[Member], findings: &mut Findings) {
    let mut actual: HashMap<&str, Vec<u64>> = HashMap::new();
    for member in rest {
        actual.entry(&member.name).or_default().push(member.header_at);
    }
    for member in rest {
        if !listed.contains_key(&member.name) {
            findings.error("index-unlisted", &member.name, "the index does not list the member, pkg will not see it");
        }
    }
    let mut entries: Vec<_> = listed.iter().collect();
    entries.sort();
    for (name, offset) in entries {
        let at = index.end().checked_add(*offset);
        match actual.get(name.as_str()) {
            None => findings.error("index-entry", name, "the index lists a member that is not there"),
            Some(places) if at.is_none_or(|at| !places.contains(&at)) => {
                findings.error("index-offset", name, format!("the index says byte {offset}, where the member is not"));
            }
            Some(_) => {}
        }
    }
}
