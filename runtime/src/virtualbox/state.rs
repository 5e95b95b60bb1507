//! VirtualBox's words for a machine's state, as one enum, and the groups the decisions think in.

use std::fmt;

/// A machine state as VirtualBox spells it, with an arm for the words of releases to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Running,
    Starting,
    Restoring,
    OnlineSnapshotting,
    LiveSnapshotting,
    Teleporting,
    TeleportingIn,
    TeleportingPaused,
    FaultTolerantSyncing,
    Paused,
    Saving,
    Saved,
    Teleported,
    PowerOff,
    Aborted,
    AbortedSaved,
    GuruMeditation,
    Stuck,
    /// The literal word `unknown`, which VirtualBox says of a machine it has lost its grip on.
    LiteralUnknown,
    Stopping,
    SettingUp,
    DeletingSnapshot,
    DeletingSnapshotLive,
    DeletingSnapshotLivePaused,
    RestoringSnapshot,
    Snapshotting,
    /// VirtualBox gave no word: ask again later.
    Empty,
    /// A word this program does not know.
    Other(String),
}

/// What the decisions tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Group {
    Live,
    Paused,
    Saving,
    Saved,
    Halted,
    Aborted,
    Stuck,
    /// On its way to another state by itself: wait and look again.
    Passing,
    Empty,
    Unknown,
}

const WORDS: &[(&str, State)] = &[
    ("running", State::Running),
    ("starting", State::Starting),
    ("restoring", State::Restoring),
    ("onlinesnapshotting", State::OnlineSnapshotting),
    ("livesnapshotting", State::LiveSnapshotting),
    ("teleporting", State::Teleporting),
    ("teleportingin", State::TeleportingIn),
    ("teleportingpausedvm", State::TeleportingPaused),
    ("faulttolerantsyncing", State::FaultTolerantSyncing),
    ("paused", State::Paused),
    ("saving", State::Saving),
    ("saved", State::Saved),
    ("teleported", State::Teleported),
    ("poweroff", State::PowerOff),
    ("aborted", State::Aborted),
    ("aborted-saved", State::AbortedSaved),
    ("gurumeditation", State::GuruMeditation),
    ("stuck", State::Stuck),
    ("unknown", State::LiteralUnknown),
    ("stopping", State::Stopping),
    ("settingup", State::SettingUp),
    ("deletingsnapshot", State::DeletingSnapshot),
    ("deletingsnapshotlive", State::DeletingSnapshotLive),
    ("deletingsnapshotlivepaused", State::DeletingSnapshotLivePaused),
    ("restoringsnapshot", State::RestoringSnapshot),
    ("snapshotting", State::Snapshotting),
    ("", State::Empty),
    // Said by VirtualBox 2 and 3.0 where later releases say deletingsnapshot.
    ("discarding", State::DeletingSnapshot),
];

/// How `list -l` spells the states where it does not use the same word, which it does for the simple ones.
const SPELT_OUT: &[(&str, State)] = &[
    ("powered off", State::PowerOff),
    ("guru meditation", State::GuruMeditation),
    ("live snapshotting", State::LiveSnapshotting),
    ("online snapshotting", State::OnlineSnapshotting),
    ("offline snapshotting", State::Snapshotting),
    ("teleporting paused vm", State::TeleportingPaused),
    ("teleporting (incoming)", State::TeleportingIn),
    ("deleting snapshot", State::DeletingSnapshot),
    ("deleting snapshot live", State::DeletingSnapshotLive),
    ("deleting snapshot live paused", State::DeletingSnapshotLivePaused),
    ("restoring snapshot", State::RestoringSnapshot),
    ("setting up", State::SettingUp),
];

impl State {
    /// Reads the words of `list -l`, which are meant for people.
    pub fn parse_words(words: &str) -> State {
        match SPELT_OUT.iter().find(|(w, _)| *w == words) {
            Some((_, state)) => state.clone(),
            None => State::parse(words),
        }
    }

    pub fn parse(word: &str) -> State {
        match WORDS.iter().find(|(w, _)| *w == word) {
            Some((_, state)) => state.clone(),
            None => State::Other(word.to_string()),
        }
    }

    /// Every state this program knows.
    pub fn known() -> impl Iterator<Item = &'static State> {
        WORDS.iter().filter(|(w, _)| *w != "discarding").map(|(_, state)| state)
    }

    /// VirtualBox's own word.
    pub fn word(&self) -> &str {
        match self {
            State::Other(word) => word,
            state => WORDS.iter().find(|(_, s)| s == state).map_or("", |(w, _)| w),
        }
    }

    pub fn group(&self) -> Group {
        use State::*;
        match self {
            Running | Starting | Restoring | OnlineSnapshotting | LiveSnapshotting | Teleporting | TeleportingIn
            | TeleportingPaused | FaultTolerantSyncing => Group::Live,
            Paused => Group::Paused,
            Saving => Group::Saving,
            Saved | Teleported => Group::Saved,
            PowerOff => Group::Halted,
            Aborted | AbortedSaved => Group::Aborted,
            GuruMeditation | Stuck | LiteralUnknown => Group::Stuck,
            Stopping
            | SettingUp
            | DeletingSnapshot
            | DeletingSnapshotLive
            | DeletingSnapshotLivePaused
            | RestoringSnapshot
            | Snapshotting => Group::Passing,
            Empty => Group::Empty,
            Other(_) => Group::Unknown,
        }
    }

    /// On its way up: it cannot be stopped or saved yet, only waited for.
    pub fn is_waking(&self) -> bool {
        matches!(self, State::Starting | State::Restoring | State::TeleportingIn)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Empty => f.write_str("(none)"),
            state => write!(f, "{}", state.word().escape_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_word_comes_back_as_it_was() {
        for state in State::known() {
            assert_eq!(&State::parse(state.word()), state);
            assert_ne!(state.group(), Group::Unknown);
        }
    }

    #[test]
    fn a_word_of_the_future_is_kept_and_unknown() {
        let state = State::parse("hibernating");
        assert_eq!((state.word(), state.group()), ("hibernating", Group::Unknown));
    }

    #[test]
    fn a_state_spelt_out_is_the_same_as_its_word() {
        for (words, word) in [
            ("powered off", "poweroff"),
            ("running", "running"),
            ("aborted-saved", "aborted-saved"),
            ("teleporting (incoming)", "teleportingin"),
            ("deleting snapshot live paused", "deletingsnapshotlivepaused"),
            ("offline snapshotting", "snapshotting"),
        ] {
            assert_eq!(State::parse_words(words), State::parse(word), "{words}");
            assert_ne!(State::parse_words(words).group(), Group::Unknown, "{words}");
        }
    }

    #[test]
    fn the_literal_unknown_is_stuck_not_unknown() {
        assert_eq!(State::parse("unknown").group(), Group::Stuck);
    }

    #[test]
    fn a_hostile_word_is_shown_escaped() {
        assert_eq!(State::parse("\u{1b}[2J").to_string(), "\\u{1b}[2J");
    }
}
