//! The names of snapshots, `DATASET@PREFIX:VM:STAGE:STATE:%Y-%m-%dz%H:%M:%S` in UTC, and which of them are too many.
//!
//! ZFS allows letters, digits and `_ . : -` in them, and 255 bytes in all. A colon separates the parts, so none may be
//! in a part but the prefix. **The VM** is written so that no two VMs share a name: every other byte, and the first of
//! any `_x`, becomes `_x` and its two hexadecimal digits (`Win 10` is `Win_x2010`); what is longer than 64 bytes then
//! ends in `_xh` and a hash. **Stage and state** are for people: what is not allowed becomes `_`, and a stage is cut
//! where the whole would be too long. Pure: the time is given.

use std::time::{Duration, SystemTime};

/// What ZFS allows for dataset, `@` and snapshot together.
pub const NAME_MAX: usize = 255;
const VM_MAX: usize = 64;
const STAGE_MAX: usize = 64;
/// A stage is not cut to less than this, which still tells what it was.
const STAGE_MIN: usize = 8;
/// `2024-02-29z23:59:59`
const TIME_LEN: usize = 19;

/// What the name of a snapshot tells, beside the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// As the setting `zfssnap_prefix` allows it.
    pub prefix: String,
    pub vm: String,
    /// What the snapshot is taken for: `prestart`, a comment.
    pub stage: String,
    /// VirtualBox's word for the VM's state.
    pub state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a snapshot's name has {NAME_MAX} bytes at most, and {dataset} leaves too few: shorten vm/zfssnap_prefix")]
pub struct NoRoom {
    pub dataset: String,
}

impl Label {
    /// The snapshot's name behind the `@`, the same for all these datasets.
    pub fn tail(&self, datasets: &[&str], time: SystemTime) -> Result<String, NoRoom> {
        let longest = datasets.iter().copied().max_by_key(|d| d.len()).unwrap_or_default();
        let (begin, state) = (self.begin(), readable(&self.state));
        let fixed = begin.len() + ":".len() + state.len() + ":".len() + TIME_LEN;
        let stage = readable(&self.stage);
        let room = NAME_MAX.saturating_sub(longest.len() + "@".len() + fixed).min(STAGE_MAX);
        let cut = if room >= STAGE_MIN { stage.get(..room) } else { None };
        let Some(stage) = Some(stage.as_str()).filter(|s| s.len() <= room).or(cut) else {
            return Err(NoRoom { dataset: longest.to_string() });
        };
        Ok(format!("{begin}{stage}:{state}:{}", timestamp(time)))
    }

    /// Whether a snapshot's name, behind the `@`, is one of this VM and prefix, whatever its stage, state and time.
    pub fn owns(&self, tail: &str) -> bool {
        self.time_in(tail).is_some()
    }

    /// The time in a name that is one of this VM and prefix. As text it sorts by age.
    pub fn time_in<'t>(&self, tail: &'t str) -> Option<&'t str> {
        let rest = tail.strip_prefix(&self.begin())?;
        let (stage, rest) = rest.split_once(':')?;
        let (state, time) = rest.split_once(':')?;
        (is_part(stage) && is_part(state) && is_timestamp(time)).then_some(time)
    }

    fn begin(&self) -> String {
        format!("{}:{}:", self.prefix, distinct(&self.vm))
    }
}

/// Of one dataset's snapshots, the oldest first and without the dataset, those of this VM and prefix beyond the newest
/// `keep`. 0 keeps all.
pub fn expired<'t>(tails: &[&'t str], label: &Label, keep: u32) -> Vec<&'t str> {
    let ours: Vec<&str> = tails.iter().copied().filter(|tail| label.owns(tail)).collect();
    let keep = if keep == 0 { ours.len() } else { usize::try_from(keep).unwrap_or(usize::MAX) };
    let many = ours.len().saturating_sub(keep);
    ours.into_iter().take(many).collect()
}

/// The pool that a dataset is in.
pub fn pool(dataset: &str) -> &str {
    dataset.split('/').next().unwrap_or(dataset)
}

/// The times to try, from this one on: a snapshot that is already there makes way for the name of the next second.
pub fn seconds_from(now: SystemTime, tries: u64) -> impl Iterator<Item = SystemTime> {
    (0..tries).filter_map(move |more| now.checked_add(Duration::from_secs(more)))
}

fn timestamp(time: SystemTime) -> String {
    // Before 1970 and beyond 9999 only where a clock is badly off; a snapshot is taken all the same.
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let time = time.clamp(SystemTime::UNIX_EPOCH, end);
    let text = humantime::format_rfc3339_seconds(time).to_string();
    text.replace('T', "z").trim_end_matches('Z').to_string()
}

fn is_timestamp(text: &str) -> bool {
    let form = "0000-00-00z00:00:00";
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(c, f)| if f == b'0' { c.is_ascii_digit() } else { c == f })
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)
}

fn is_part(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_plain)
}

/// A text in the characters ZFS allows, so that no other text becomes the same.
fn distinct(text: &str) -> String {
    let mut out = String::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if is_plain(byte) && !(byte == b'_' && bytes.peek() == Some(&b'x')) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("_x{byte:02x}"));
        }
    }
    if out.len() <= VM_MAX {
        return out;
    }
    let hash = format!("_xh{:016x}", fnv1a(text));
    // All is ASCII by now, so it can be cut anywhere.
    out.truncate(VM_MAX - hash.len());
    out + &hash
}

/// FNV-1a: the same for all times and builds, which is all that is asked of it.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

/// A text in the characters ZFS allows, to be read by people; never empty.
fn readable(text: &str) -> String {
    let out: String =
        text.trim().chars().map(|c| if c.is_ascii() && is_plain(c as u8) { c } else { '_' }).take(STAGE_MAX).collect();
    if out.is_empty() { "-".to_string() } else { out }
}

#[cfg(test)]
mod tests;
