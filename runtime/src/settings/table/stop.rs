//! Rows about how a VM is stopped.

use super::{BuiltIn, DAY, Domain, Level, Row, Word};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "stop_method",
        manifest: Some("savestate"),
        built_in: BuiltIn::ByKind { headless: "savestate", interactive: "savestate", dual_boot: "poweroff-graceful" },
        level: Level::Own,
        domain: Domain::Words { words: STOP_METHODS, any_case: false, unknown: Some("savestate") },
        units: None,
        title: "How the VM is stopped",
        prose: "Used by the stop method, so at shutdown of the host too. A dual-boot VM that has none of its own uses poweroff-graceful.",
    },
    Row {
        name: "stop_timeout",
        manifest: Some("600"),
        built_in: BuiltIn::Always("0"),
        level: Level::Normal,
        // A week: longer than any shutdown that still ends.
        domain: Domain::Integer { min: 0, max: 7 * DAY },
        units: Some("seconds"),
        title: "How long to wait for the VM to stop",
        prose: "0 waits for ever. Under SMF the sooner of this and stop/timeout_seconds less 5 counts, so raise both together. A graceful stop keeps enough of it for the power-off that may have to follow.",
    },
    Row {
        name: "startgui_fg_trap_signals",
        manifest: Some("SIGHUP SIGINT SIGQUIT SIGTERM SIGABRT"),
        built_in: BuiltIn::Always("SIGHUP SIGINT SIGQUIT SIGTERM SIGABRT"),
        level: Level::Normal,
        domain: Domain::Signals,
        units: None,
        title: "Signals on which a GUI in the foreground stops its VM",
        prose: "Names of signals, separated by blanks, on which `vboxsvc startgui -fg` stops the VM by its stop method.",
    },
];

const STOP_METHODS: &[Word] = &[
    Word {
        canonical: "savestate",
        synonyms: &[],
        meaning: "save the state of the VM to disk; it goes on from there at its next start",
    },
    Word {
        canonical: "acpipowerbutton",
        synonyms: &[],
        meaning: "press the power button, and wait for the guest to shut down",
    },
    Word {
        canonical: "acpisleepbutton",
        synonyms: &[],
        meaning: "press the sleep button, and wait for the guest to sleep",
    },
    Word { canonical: "poweroff", synonyms: &[], meaning: "power off at once, as by pulling the plug" },
    Word { canonical: "reset", synonyms: &[], meaning: "reset the VM, as by its reset button" },
    Word {
        canonical: "poweroff-graceful",
        synonyms: &[],
        meaning: "press the power button, and power off when the time for it runs out",
    },
];
