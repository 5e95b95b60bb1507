//! Rows about snapshots of the VM's ZFS datasets.

use super::{BuiltIn, Domain, Level, MANY, NO, Row, Word};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "zfssnap_flag",
        manifest: Some("false"),
        built_in: NO,
        level: Level::Normal,
        domain: Domain::YesNo,
        units: None,
        title: "Take ZFS snapshots around start and stop",
        prose: "Before a start and after a stop, of all datasets that hold the VM.",
    },
    Row {
        name: "zfssnap_dslist",
        manifest: Some("auto"),
        built_in: BuiltIn::Always("auto"),
        level: Level::Normal,
        domain: Domain::Datasets(DATASETS),
        units: None,
        title: "What is snapshot",
        prose: "Names of datasets, or mount points, separated by blanks.",
    },
    Row {
        name: "zfssnap_dslist_append",
        manifest: Some(""),
        built_in: BuiltIn::Always("-"),
        level: Level::Normal,
        domain: Domain::Datasets(NO_DATASETS),
        units: None,
        title: "What is snapshot besides",
        prose: "More datasets or mount points, separated by blanks, beside those of zfssnap_dslist.",
    },
    Row {
        name: "zfssnap_prefix",
        manifest: Some("vboxsvc-auto-snap"),
        built_in: BuiltIn::Always("vboxsvc-auto-snap"),
        level: Level::Normal,
        domain: Domain::SnapshotPrefix,
        units: None,
        title: "How the names of snapshots begin",
        prose: "A snapshot is DATASET@PREFIX:VM:STAGE:STATE:TIME. Letters, digits and _ . : - only.",
    },
    Row {
        name: "zfssnap_keep",
        manifest: Some("0"),
        built_in: BuiltIn::Always("0"),
        level: Level::Normal,
        domain: Domain::Integer { min: 0, max: MANY },
        units: Some("snapshots"),
        title: "How many snapshots are kept",
        prose: "The newest of this VM and prefix, for each dataset; older ones are destroyed after a new one was made. 0 keeps all.",
    },
];

const DATASETS: &[Word] = &[
    Word { canonical: "auto", synonyms: &[], meaning: "the datasets that hold the VM's files, found anew each time" },
    NONE,
];
const NO_DATASETS: &[Word] = &[NONE];
const NONE: Word = Word { canonical: "-", synonyms: &[], meaning: "no datasets" };
