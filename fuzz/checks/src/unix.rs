//! What ZFS and `ls` print, our own files between two commands, command lines, and what is shown on a terminal.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use vboxsvc::cli::{command, legacy};
use vboxsvc::console::escape::{Escape, Step};
use vboxsvc::gui::{Launcher, launcher};
use vboxsvc::log::printable;
use vboxsvc::monitor::step::Notes;
use vboxsvc::rundir::files::PidRecord;
use vboxsvc::zfs::parse;
use vboxsvc::zvol::rights::{Saved, acl_of_listing};

use crate::{shows_only, text};

/// Names are printable, mount points absolute, and an answer that was cut off is none.
pub fn zfs(data: &[u8]) {
    let cut = data.last().is_some_and(|last| *last != b'\n');
    let (datasets, snapshots) = (parse::datasets(data), parse::snapshots(data));
    assert!(!cut || (datasets.is_err() && snapshots.is_err()), "half an answer counts");
    for dataset in datasets.into_iter().flatten() {
        shows_only(&dataset.name);
        assert!(dataset.mountpoint.is_none_or(|point| point.is_absolute()));
    }
    for snapshot in snapshots.into_iter().flatten() {
        shows_only(&snapshot);
        assert!(snapshot.contains('@'));
    }
    for name in parse::delegated(data).into_iter().flatten() {
        shows_only(&name);
    }
    for mount in parse::mnttab(data) {
        assert!(mount.point.is_absolute());
    }
}

/// What root would do to a device node is what the properties say and nothing that a program could misread.
pub fn zvol_rights(data: &[u8]) {
    for volume in parse::owned_volumes(data).into_iter().flatten() {
        shows_only(&volume.name);
        let Ok(saved) = Saved::of(&volume) else { continue };
        assert!(saved.mode.is_none_or(|mode| mode <= 0o777), "more than permission bits");
        for word in [&saved.user, &saved.group, &saved.acl].into_iter().flatten() {
            assert!(!word.is_empty() && !word.starts_with('-') && !word.contains([' ', '/', '\0']));
            shows_only(word);
        }
    }
    let Some(Ok(Some(acl))) = text(data).map(acl_of_listing) else { return };
    let listing = format!("crw-------+  1 root sys 1, 1 Jan  1 00:00 x\n{}\n", acl.replace(',', "\n"));
    assert_eq!(acl_of_listing(&listing), Ok(Some(acl)));
}

/// What was read, written, is read the same; no record names a process that kill(2) would take for several.
pub fn run_files(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(record) = PidRecord::parse(&text) {
        assert!(record.monitor.pid > 0 && record.vm.is_none_or(|vm| vm.pid > 0), "{record:?}");
        assert_eq!(PidRecord::parse(&record.text()), Some(record));
    }
    if let Ok(notes) = serde_json::from_str::<Notes>(&text) {
        let written = serde_json::to_string(&notes).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Notes>(&written).ok(), Some(notes));
    }
}

/// Historic spellings: no word is lost and none is added, and what comes out can be parsed or refused.
pub fn command_line(data: &[u8]) {
    let words = data.split(|b| *b == 0).map(|word| OsString::from_vec(word.to_vec()));
    let words: Vec<OsString> = [OsString::from("vboxsvc")].into_iter().chain(words).collect();
    let modern = legacy::modern(words.clone());
    assert_eq!((modern.len(), modern.first()), (words.len(), words.first()));
    let values = |words: &[OsString]| {
        let ours = |word: &&OsString| !word.as_bytes().starts_with(b"-") && *word != "/?" && *word != "version";
        let mut values: Vec<OsString> = words.iter().filter(ours).cloned().collect();
        values.sort();
        values
    };
    assert_eq!(values(&modern), values(&words));
    let _ = command().try_get_matches_from(modern);
}

/// What a launcher link says is all in its name.
pub fn launcher_name(data: &[u8]) {
    let Some(Ok(Launcher { vm, stop_method, timeout, .. })) = launcher(OsStr::from_bytes(data)) else { return };
    assert!(!vm.is_empty() && !vm.contains([':', '/']));
    let said = format!("{vm}:{}:{}", stop_method.unwrap_or_default(), timeout.unwrap_or_default());
    let name = String::from_utf8_lossy(data);
    assert!(name.trim_end_matches(['/', ':', '.']).contains(said.trim_end_matches([':', '.'])), "{said:?}");
}

/// Whatever a name holds, shown it moves no cursor; and the console's keyboard loses nothing but its escapes.
pub fn terminal(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let shown = printable(&text);
    shows_only(&shown);
    assert_eq!(printable(&shown), shown);
    shows_only(&xtask::shown::escaped(&text));
    assert_eq!(xtask::shown::escaped(&text) == text, !text.contains(|c| c == '\\' || xtask::shown::is_hostile(c)));

    let (mut escape, mut passed, mut eaten) = (Escape::new(), 0, 0);
    for byte in data {
        match escape.feed(*byte) {
            Step::Held => eaten += 1,
            Step::Pass(b) => {
                assert_eq!(b, *byte);
                passed += 1;
            }
            Step::PassWithTilde(b) => {
                assert_eq!(b, *byte);
                passed += 2;
            }
            Step::Help | Step::Leave => eaten += 1,
        }
    }
    assert!(passed <= data.len() && passed + eaten >= data.len());
}
