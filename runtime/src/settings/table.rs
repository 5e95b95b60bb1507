//! The table of settings: the one place that says what each property of the group `vm` is.
//!
//! Reading, the manifest with its SMF template, the manual page, completion and `vboxsvc config` are all driven by it;
//! none of them repeats a name, a default or a bound. Rows are grouped by subject, one file each, in the order in which
//! an administrator meets them. The table says what may be set, never what follows from it.

mod files;
mod hook;
mod monitor;
mod start;
mod stop;
mod zfs;

use super::Kind;

/// The property group of all settings, and its SMF type.
pub const GROUP: &str = "vm";
pub const GROUP_TYPE: &str = "application";

/// SMF's own limit for the start method, in seconds, as our manifest sets it (`start/timeout_seconds`).
pub const SMF_START_TIMEOUT: u32 = 300;
/// SMF's own limit for the stop method, in seconds (`stop/timeout_seconds`): a minute more than `vm/stop_timeout`, so
/// that the method can end by itself and say why, before SMF kills it.
pub const SMF_STOP_TIMEOUT: u32 = 660;

/// A part of the table: settings of one subject, for a chapter in a manual or a manifest.
#[derive(Debug)]
pub struct Subject {
    pub title: &'static str,
    pub rows: &'static [Row],
}

/// One setting.
#[derive(Debug)]
pub struct Row {
    /// The property's name within the group `vm`.
    pub name: &'static str,
    /// The value our manifest gives the service; `None` = the manifest sets none.
    pub manifest: Option<&'static str>,
    pub built_in: BuiltIn,
    pub level: Level,
    pub domain: Domain,
    /// What a number counts.
    pub units: Option<&'static str>,
    /// The setting in a line.
    pub title: &'static str,
    /// The setting for an administrator, in sentences without line breaks.
    pub prose: &'static str,
}

impl Row {
    /// The full name, as `svcprop -p` and messages have it.
    pub fn property(&self) -> String {
        format!("{GROUP}/{}", self.name)
    }

    pub fn smf_type(&self) -> Type {
        match self.domain {
            Domain::YesNo => Type::Boolean,
            Domain::Integer { .. } => Type::Integer,
            _ => Type::Astring,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Astring,
    Integer,
    Boolean,
}

impl Type {
    /// The type as SMF spells it.
    pub fn word(self) -> &'static str {
        match self {
            Type::Astring => "astring",
            Type::Integer => "integer",
            Type::Boolean => "boolean",
        }
    }
}

/// What holds where neither instance nor service says anything, and for a value that is explicitly empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    Always(&'static str),
    ByKind {
        headless: &'static str,
        interactive: &'static str,
        dual_boot: &'static str,
    },
    /// What is in force for another setting, which stands earlier in the table.
    SameAs(&'static str),
    InstanceName,
    /// No value; the text says what that means.
    Unset(&'static str),
}

/// Where a setting is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Instance, else service.
    Normal,
    /// The same, but for an interactive or dual-boot VM the instance alone: what the service says to all VMs is not
    /// meant for one that its user starts.
    Own,
    /// The instance alone.
    Instance,
}

/// Which values are right.
#[derive(Debug)]
pub enum Domain {
    YesNo,
    Integer {
        min: i64,
        max: i64,
    },
    Words {
        words: &'static [Word],
        any_case: bool,
        /// What a word that is none of them means, where that is not the built-in.
        unknown: Option<&'static str>,
    },
    /// The absolute path of a file.
    Path,
    /// One of the words, or the absolute path of a file.
    WordsOrPath(&'static [Word]),
    /// Words with a shell's quoting rules.
    ShellWords,
    /// Exit codes, 0 to 255, separated by whitespace.
    ExitCodes,
    /// Names of signals that a program can catch, separated by whitespace.
    Signals,
    /// ZFS datasets or mount points, separated by whitespace, or one of the words.
    Datasets(&'static [Word]),
    /// The beginning of a ZFS snapshot's name.
    SnapshotPrefix,
    /// Any text without control characters.
    Text,
}

impl Domain {
    /// Whether several values of one property are joined, as if they were one value with blanks.
    pub fn is_list(&self) -> bool {
        matches!(self, Domain::ShellWords | Domain::ExitCodes | Domain::Signals | Domain::Datasets(_))
    }

    pub fn words(&self) -> &'static [Word] {
        match self {
            Domain::Words { words, .. } | Domain::WordsOrPath(words) | Domain::Datasets(words) => words,
            _ => &[],
        }
    }
}

/// A word with a fixed meaning.
#[derive(Debug, PartialEq, Eq)]
pub struct Word {
    /// The spelling we write.
    pub canonical: &'static str,
    /// Others that mean the same.
    pub synonyms: &'static [&'static str],
    pub meaning: &'static str,
}

impl Word {
    pub fn spellings(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.canonical).chain(self.synonyms.iter().copied())
    }
}

/// The whole table.
pub static SUBJECTS: [Subject; 6] = [
    Subject { title: "The VM and its start", rows: start::ROWS },
    Subject { title: "Stopping the VM", rows: stop::ROWS },
    Subject { title: "The monitor", rows: monitor::ROWS },
    Subject { title: "The check inside the VM", rows: hook::ROWS },
    Subject { title: "Files of the monitor", rows: files::ROWS },
    Subject { title: "ZFS snapshots", rows: zfs::ROWS },
];

/// Every row, in the table's order.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    SUBJECTS.iter().flat_map(|subject| subject.rows)
}

/// The row of this name (without the group).
pub fn row(name: &str) -> Option<&'static Row> {
    rows().find(|row| row.name == name)
}

impl BuiltIn {
    /// The text this built-in stands for, where it is one by itself.
    pub fn text(self, kind: Kind) -> Option<&'static str> {
        match (self, kind) {
            (BuiltIn::Always(text), _) => Some(text),
            (BuiltIn::ByKind { headless, .. }, Kind::Headless) => Some(headless),
            (BuiltIn::ByKind { interactive, .. }, Kind::Interactive) => Some(interactive),
            (BuiltIn::ByKind { dual_boot, .. }, Kind::DualBoot) => Some(dual_boot),
            (BuiltIn::SameAs(_) | BuiltIn::InstanceName | BuiltIn::Unset(_), _) => None,
        }
    }
}

/// `true` for VMs that SMF starts, `false` for those that their user starts.
const ONLY_HEADLESS: BuiltIn = BuiltIn::ByKind { headless: "true", interactive: "false", dual_boot: "false" };
const NO: BuiltIn = BuiltIn::Always("false");

/// A day, as the longest time that is meant for a wait between two looks.
const DAY: i64 = 86_400;
/// A count that nobody reaches: more is a slip of the finger.
const MANY: i64 = 100_000;

#[cfg(test)]
mod tests;
