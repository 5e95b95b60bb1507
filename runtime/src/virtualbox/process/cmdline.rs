//! Whether a command line is that of a front end which runs a given machine.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::virtualbox::{Machine, Uuid};

/// VirtualBox's front ends. `VirtualBox` runs machines itself before release 6 and hands over to `VirtualBoxVM` since.
const FRONT_ENDS: &[&[u8]] = &[b"VBoxHeadless", b"VirtualBoxVM", b"VirtualBox", b"VBoxSDL"];
const SERVER: &[u8] = b"VBoxSVC";
/// What the names above have in common.
const NAME_PARTS: &[&[u8]] = &[b"VBox", b"VirtualBox"];
/// VirtualBox's commands are shell scripts on some hosts; for a moment the shell is the process.
const SHELLS: &[&[u8]] = &[b"sh", b"bash", b"dash", b"ksh", b"ksh93"];
const START_OPTIONS: &[&[u8]] = &[b"--startvm", b"-startvm", b"-s"];
/// Takes the machine's name as a remark, which says nothing about the machine that runs.
const COMMENT_OPTIONS: &[&[u8]] = &[b"--comment", b"-comment", b"-c"];

/// The arguments of a process, the program's name first, as far as the host shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arguments {
    /// `cut`: the last one may be incomplete and others may be missing.
    List { words: Vec<Vec<u8>>, cut: bool },
    /// All joined by blanks, so that one with blanks cannot be told from several.
    /// Only the /proc of illumos and Solaris shows arguments in this form.
    Joined { text: Vec<u8>, cut: bool },
}

/// By which of its two names a machine was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedBy {
    Uuid,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    No,
    Yes(NamedBy),
    /// The deciding argument is cut off, and what is left of it does not speak against it.
    Unclear,
}

/// Whether a name of a front end or of the server can be anywhere in these bytes.
pub fn names_virtualbox(bytes: &[u8]) -> bool {
    let is_named_at = |at| bytes.get(at..).is_some_and(|rest| NAME_PARTS.iter().any(|part| rest.starts_with(part)));
    bytes.iter().enumerate().any(|(at, &byte)| byte == b'V' && is_named_at(at))
}

impl Arguments {
    /// Reads a list in which a NUL ends each argument. One without its end was cut.
    pub fn nul_ended(bytes: &[u8]) -> Arguments {
        let mut words: Vec<Vec<u8>> = bytes.split(|&b| b == 0).map(<[u8]>::to_vec).collect();
        let cut = words.last().is_some_and(|last| !last.is_empty());
        if !cut {
            words.pop();
        }
        Arguments::List { words, cut }
    }

    /// The program, if it is VirtualBox's server.
    pub fn server(&self) -> Option<&Path> {
        let program = match self {
            Arguments::List { words, .. } => words.first().map(Vec::as_slice),
            Arguments::Joined { text, .. } => text.split(|&b| b == b' ').next(),
        };
        program.filter(|path| base_name(path) == SERVER).map(|path| Path::new(OsStr::from_bytes(path)))
    }

    /// Whether a process with these arguments runs this machine.
    pub fn run(&self, machine: &Machine) -> Verdict {
        match self {
            Arguments::List { words, cut } => in_list(words, *cut, machine),
            Arguments::Joined { text, cut } => in_text(text, *cut, machine),
        }
    }
}

fn in_list(words: &[Vec<u8>], cut: bool, machine: &Machine) -> Verdict {
    let mut rest = words.iter().map(Vec::as_slice);
    let mut program = rest.next().map(base_name).unwrap_or_default();
    if SHELLS.contains(&program) {
        program = rest.next().map(base_name).unwrap_or_default();
    }
    if !FRONT_ENDS.contains(&program) {
        return Verdict::No;
    }
    // Of several start options the last counts.
    let mut verdict = if cut { Verdict::Unclear } else { Verdict::No };
    while let Some(word) = rest.next() {
        if COMMENT_OPTIONS.contains(&word) {
            rest.next();
            continue;
        }
        let value = if START_OPTIONS.contains(&word) { rest.next() } else { joined_value(word) };
        let Some(value) = value else { continue };
        let is_cut = cut && rest.len() == 0;
        verdict = if is_cut { beginning(value, machine) } else { whole(value, machine) };
    }
    verdict
}

/// `--startvm=VALUE`, `--startvm:VALUE`
fn joined_value(word: &[u8]) -> Option<&[u8]> {
    let rest = word.strip_prefix(b"--startvm")?;
    rest.strip_prefix(b"=").or_else(|| rest.strip_prefix(b":"))
}

fn whole(value: &[u8], machine: &Machine) -> Verdict {
    match std::str::from_utf8(value).ok().and_then(written_uuid) {
        Some(uuid) if uuid == machine.uuid => Verdict::Yes(NamedBy::Uuid),
        Some(_) => Verdict::No,
        None if value == machine.name.as_bytes() => Verdict::Yes(NamedBy::Name),
        None => Verdict::No,
    }
}

fn beginning(value: &[u8], machine: &Machine) -> Verdict {
    let uuid = machine.uuid.to_string();
    let written = value.strip_prefix(b"{").unwrap_or(value).to_ascii_lowercase();
    let fits = uuid.as_bytes().starts_with(&written) || machine.name.as_bytes().starts_with(value);
    if fits { Verdict::Unclear } else { Verdict::No }
}

/// A UUID as VirtualBox takes it from a person: in either case, with or without braces.
fn written_uuid(text: &str) -> Option<Uuid> {
    let bare = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
    bare.parse().ok()
}

/// With blanks both between and within arguments, only this is sure: one start option between blanks, then the UUID or
/// the name, then the end or another option.
fn in_text(text: &[u8], cut: bool, machine: &Machine) -> Verdict {
    let mut words: Vec<&[u8]> = text.split(|&b| b == b' ').collect();
    let program = |words: &[&[u8]]| FRONT_ENDS.contains(&words.first().map(|w| base_name(w)).unwrap_or_default());
    if words.first().is_some_and(|w| SHELLS.contains(&base_name(w))) {
        words.remove(0);
    }
    if !program(&words) {
        return Verdict::No;
    }
    let Some(option) = words.iter().position(|w| START_OPTIONS.contains(w)) else {
        return if cut { Verdict::Unclear } else { Verdict::No };
    };
    let (before, behind) = words.split_at(option);
    // A remark may imitate an option, and the true one be cut off.
    let remark = before.iter().any(|w| COMMENT_OPTIONS.contains(w));
    let value = behind.get(1..).unwrap_or_default().join(&b' ');
    let sure = !(cut && remark) && behind.iter().filter(|w| START_OPTIONS.contains(w)).count() == 1;
    match after_option(&value, cut, machine) {
        Verdict::Yes(_) if !sure => Verdict::Unclear,
        verdict => verdict,
    }
}

fn after_option(text: &[u8], cut: bool, machine: &Machine) -> Verdict {
    let word = text.split(|&b| b == b' ').next().unwrap_or_default();
    let is_uuid = std::str::from_utf8(word).ok().and_then(written_uuid).is_some();
    if is_uuid && (!cut || word.len() < text.len()) {
        return whole(word, machine);
    }
    match text.strip_prefix(machine.name.as_bytes()) {
        Some([]) if !cut => Verdict::Yes(NamedBy::Name),
        Some([b' ', b'-', ..]) => Verdict::Yes(NamedBy::Name),
        _ if cut => beginning(text, machine),
        _ => Verdict::No,
    }
}

fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or_default()
}
