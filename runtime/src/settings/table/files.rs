//! Rows about the files by which monitor, methods and commands tell each other things.

use super::{BuiltIn, DAY, Domain, Level, Row, Word};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "kicker_pidfile_name",
        manifest: None,
        built_in: AUTOMATIC,
        level: Level::Instance,
        domain: Domain::Path,
        units: None,
        title: "Pid file of the monitor",
        prose: "The monitor holds a lock on it, so no two VMs may share one. Unset: a file in the run directory of the VM's user.",
    },
    Row {
        name: "kicker_nokick_file_name",
        manifest: None,
        built_in: AUTOMATIC,
        level: Level::Instance,
        domain: Domain::Path,
        units: None,
        title: "File that holds the monitor back",
        prose: "While it exists the monitor leaves the VM alone. Commands make it for their own time; one made by hand counts until it is removed by hand. Unset: a file in the run directory of the VM's user.",
    },
    Row {
        name: "kicker_blockfile_enabled",
        manifest: Some("true"),
        built_in: BuiltIn::Always("true"),
        level: Level::Normal,
        domain: Domain::YesNo,
        units: None,
        title: "Reach maintenance by a block file where svcadm is refused",
        prose: "A monitor whose user may not change the service's state leaves a block file, on which the next starts fail, until SMF itself goes to maintenance.",
    },
    Row {
        name: "kicker_blockfile_name",
        manifest: None,
        built_in: AUTOMATIC,
        level: Level::Instance,
        domain: Domain::Path,
        units: None,
        title: "The block file",
        prose: "Unset: a file in the run directory of the VM's user.",
    },
    Row {
        name: "kicker_blockfile_maxage",
        manifest: Some("60"),
        built_in: BuiltIn::Always("60"),
        level: Level::Normal,
        domain: Domain::Integer { min: 0, max: 7 * DAY },
        units: Some("seconds"),
        title: "How long a block file counts",
        prose: "A start that finds an older one removes it and goes on.",
    },
    Row {
        name: "kicker_restart_saved_vm_once_file_name",
        manifest: None,
        built_in: BuiltIn::Always("true"),
        level: Level::Instance,
        domain: Domain::WordsOrPath(RESTART_ONCE),
        units: None,
        title: "File that makes the monitor start a saved VM once",
        prose: "`vboxsvc startgui` leaves it, so that the monitor takes the VM back when its user has saved it from the window. true or unset: a file in the run directory of the VM's user.",
    },
];

const AUTOMATIC: BuiltIn = BuiltIn::Unset("a file in the run directory of the VM's user");

const RESTART_ONCE: &[Word] = &[
    Word { canonical: "true", synonyms: &[], meaning: "a file in the run directory of the VM's user" },
    Word { canonical: "false", synonyms: &[], meaning: "no such file: a saved VM is not taken back" },
];
