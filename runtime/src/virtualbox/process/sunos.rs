//! /proc of illumos and Solaris: binary structures.
//!
//! `psinfo` is readable by everybody, has the start time and owner, but only the first 79 bytes of the arguments.
//! The whole list comes from `argv` (newer illumos, readable by everybody), else out of the process's memory (`as`,
//! which for a set-uid program needs privileges), else there are only those 79 bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::cmdline::{Arguments, names_virtualbox};
use super::{Process, StartTime, is_gone, read_at_once};

/// More arguments, or longer ones, than any front end has.
const MAX_ARGUMENTS: usize = 64;
const MAX_ARGUMENT: usize = 4096;
/// What the kernel keeps of the joined arguments, a final NUL included.
const PSARGS: usize = 80;
/// What `argv` shows at the most.
const ARGV_FILE: usize = 4096;

/// By what one read tells. Arguments of which the end is missing rule out nothing: a path can be as long.
pub fn may_be_virtualbox(proc: &Path, pid: i32) -> bool {
    match psinfo(&proc.join(pid.to_string())) {
        Ok(info) => info.is_some_and(|info| match info.joined() {
            Arguments::Joined { text, cut: false } => names_virtualbox(&text),
            _ => true,
        }),
        Err(_) => true,
    }
}

/// The process of this pid and of this zone; None when there is none or only a zombie is left of it.
///
/// The global zone sees the processes of all zones, and a user id means another user in each.
pub fn seen(proc: &Path, pid: i32) -> io::Result<Option<Process>> {
    let Some(info) = psinfo(&proc.join(pid.to_string()))? else { return Ok(None) };
    let own = psinfo(&proc.join(std::process::id().to_string()))?;
    if info.threads == 0 || own.is_some_and(|own| own.zone != info.zone) {
        return Ok(None);
    }
    Ok(Some(Process { pid, started: info.started, uid: info.uid }))
}

/// Its arguments, by the best way there is; None when it is gone.
pub fn arguments(proc: &Path, pid: i32) -> io::Result<Option<Arguments>> {
    let process = proc.join(pid.to_string());
    let Some(info) = psinfo(&process)? else { return Ok(None) };
    if let Some(list) = read_at_once(&process.join("argv")).ok().filter(|list| !list.is_empty()) {
        let Arguments::List { words, cut } = Arguments::nul_ended(&list) else { return Ok(None) };
        return Ok(Some(Arguments::List { words, cut: cut || list.len() >= ARGV_FILE }));
    }
    let memory = File::open(process.join("as"));
    let list = memory.ok().and_then(|memory| info.list(|buffer, at| memory.read_at(buffer, at)));
    let words = list.map(|words| Arguments::List { words, cut: false });
    Ok(Some(words.unwrap_or_else(|| info.joined())))
}

fn psinfo(process: &Path) -> io::Result<Option<PsInfo>> {
    match read_at_once(&process.join("psinfo")) {
        Ok(bytes) => match PsInfo::parse(&bytes) {
            Some(info) => Ok(Some(info)),
            None => Err(io::Error::other(format!("{} has an unknown form", process.join("psinfo").display()))),
        },
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is needed of the structure `psinfo_t`, as 64-bit programs read it. It is 416 bytes long; these are its fields,
/// in bytes from the beginning: pr_nlwp 4, pr_uid 24, pr_start 88 (seconds, nanoseconds; 8 bytes each), pr_psargs 152
/// (80 bytes), pr_argc 236, pr_argv 240 (8 bytes), pr_dmodel 256 (1 byte), pr_zoneid 276. Others are 4 bytes long.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PsInfo {
    /// None are left in a zombie.
    threads: u32,
    uid: u32,
    started: StartTime,
    psargs: [u8; PSARGS],
    argument_count: usize,
    argument_pointers: u64,
    /// Bytes of a pointer in that process: 4 or 8.
    pointer: usize,
    zone: u32,
}

impl PsInfo {
    fn parse(bytes: &[u8]) -> Option<PsInfo> {
        let bytes: &[u8; 416] = bytes.first_chunk()?;
        let seconds = u64_at(bytes, 88)?;
        let nanoseconds = u64_at(bytes, 96)?;
        Some(PsInfo {
            threads: u32_at(bytes, 4)?,
            uid: u32_at(bytes, 24)?,
            started: StartTime(seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?),
            psargs: *bytes.get(152..)?.first_chunk()?,
            argument_count: usize::try_from(u32_at(bytes, 236)?).ok()?,
            argument_pointers: u64_at(bytes, 240)?,
            // PR_MODEL_ILP32 is 1, PR_MODEL_LP64 is 2.
            pointer: if bytes.get(256) == Some(&1) { 4 } else { 8 },
            zone: u32_at(bytes, 276)?,
        })
    }

    /// The arguments out of the process's memory; None when they cannot be read in full.
    fn list(&self, read: impl Fn(&mut [u8], u64) -> io::Result<usize>) -> Option<Vec<Vec<u8>>> {
        if self.argument_count == 0 || self.argument_count > MAX_ARGUMENTS {
            return None;
        }
        let mut pointers = vec![0; self.argument_count * self.pointer];
        if read(&mut pointers, self.argument_pointers).ok()? != pointers.len() {
            return None;
        }
        let address = |pointer: &[u8]| match self.pointer {
            4 => u32_at(pointer, 0).map(u64::from),
            _ => u64_at(pointer, 0),
        };
        pointers.chunks(self.pointer).map(|pointer| string(&read, address(pointer)?)).collect()
    }

    /// All that psinfo itself has.
    fn joined(&self) -> Arguments {
        let end = self.psargs.iter().position(|&b| b == 0).unwrap_or(PSARGS);
        let text = self.psargs.get(..end).unwrap_or_default().to_vec();
        Arguments::Joined { text, cut: end >= PSARGS - 1 }
    }
}

/// The NUL-ended string at this address. A page that is not there makes a read short, so it is read in small steps.
fn string(read: impl Fn(&mut [u8], u64) -> io::Result<usize>, address: u64) -> Option<Vec<u8>> {
    let mut string = Vec::new();
    while string.len() < MAX_ARGUMENT {
        let mut chunk = [0; 64];
        let at = address.checked_add(u64::try_from(string.len()).ok()?)?;
        let got = read(&mut chunk, at).ok().filter(|&got| got > 0)?;
        let chunk = chunk.get(..got)?;
        match chunk.iter().position(|&b| b == 0) {
            Some(end) => {
                string.extend_from_slice(chunk.get(..end)?);
                return Some(string);
            }
            None => string.extend_from_slice(chunk),
        }
    }
    None
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests;
