//! Files of a project that is packaged: SMF manifests, the description of the package, the list of what lint allows,
//! the executable, and signatures of what is released.

use ssh_key::{LineEnding, SshSig};
use xtask::lint::allow::AllowList;
use xtask::payload::elf::inspect;
use xtask::payload::imports::Imports;
use xtask::{contents, signature, smf};

use crate::{shows_only, text};

/// A list of checksums names files beside it and reads back as itself; a signature that is none is refused in words.
pub fn signature(data: &[u8]) {
    if let Some(sums) = signature::parse(data) {
        for sum in &sums {
            assert!(!sum.file.contains('/') && !matches!(sum.file.as_str(), "" | "." | ".."));
            assert_eq!(sum.sha256.len(), 64);
            assert!(!sum.file.contains(char::is_control));
        }
        let written: String = sums.iter().map(|sum| format!("{}  {}\n", sum.sha256, sum.file)).collect();
        assert_eq!(signature::parse(written.as_bytes()), Some(sums));
    }
    if let Some(Ok(read)) = text(data).map(SshSig::from_pem) {
        let written = read.to_pem(LineEnding::LF).unwrap_or_default();
        assert_eq!(SshSig::from_pem(written).ok().as_ref(), Some(&read));
    }
}

pub fn smf_manifest(data: &[u8]) {
    for finding in text(data).map(smf::check::check).into_iter().flatten() {
        shows_only(&xtask::shown::escaped(&finding.to_string()));
    }
}

/// A description that is accepted has one place for each path, and modes that are modes.
pub fn contents(data: &[u8]) {
    let Some(Ok(contents)) = text(data).map(contents::parse) else { return };
    let mut paths: Vec<&str> = contents.files.iter().map(|file| file.path.as_str()).collect();
    let all = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), all);
    for file in &contents.files {
        assert!(file.mode().is_ok_and(|mode| mode <= 0o7777) && file.source().is_ok());
    }
}

/// A list that is accepted gives a reason for all that it allows.
pub fn lint_allow(data: &[u8]) {
    let Some(Ok(list)) = text(data).map(AllowList::parse) else { return };
    assert!(list.entries().iter().all(|allowed| !allowed.reason.trim().is_empty()));
}

/// An executable that is started on illumos is one of which every finding is told.
pub fn elf(data: &[u8]) {
    let (report, _) = inspect(data, &Imports::default());
    assert_eq!(report.size, data.len() as u64);
}
