//! Keeps the house in order: module docs, file lengths, and nothing that names the machine it was written on.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// What fits in the head; tests may be half as long again.
const LONGEST: usize = 500;
const LONGEST_TESTS: usize = 750;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every text file of the repository that somebody wrote, with its path below the workspace.
fn written() -> Vec<(PathBuf, String)> {
    let skipped = ["target", ".git", "corpus", "fixtures", "proptest-regressions"];
    let walk = WalkDir::new(workspace()).sort_by_file_name().into_iter();
    let entries = walk.filter_entry(|e| !skipped.iter().any(|s| e.file_name() == *s));
    entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path()).ok()?;
            Some((entry.path().strip_prefix(workspace()).unwrap().to_path_buf(), text))
        })
        .collect()
}

fn rust() -> impl Iterator<Item = (PathBuf, String)> {
    written().into_iter().filter(|(path, _)| path.extension().is_some_and(|e| e == "rs"))
}

fn is_test(path: &Path) -> bool {
    path.components().any(|c| ["tests", "scenarios"].iter().any(|t| c.as_os_str() == *t)) || path.ends_with("tests.rs")
}

#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<PathBuf> =
        rust().filter(|(path, text)| !path.ends_with("tests.rs") && !text.starts_with("//!")).map(|(p, _)| p).collect();
    assert!(silent.is_empty(), "no module documentation: {silent:?}");
}

#[test]
fn files_fit_in_the_head() {
    let long: Vec<(PathBuf, usize)> = rust()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(path, lines)| *lines > if is_test(path) { LONGEST_TESTS } else { LONGEST })
        .collect();
    assert!(long.is_empty(), "too long, split them by subject: {long:?}");
}

#[test]
fn nothing_names_a_registry_or_a_path_of_somebodys_machine() {
    // Written in two parts so that this file does not find itself.
    let marks = [
        ["/home/", "runner"],
        ["/work/", "main"],
        ["/root/", ".cargo"],
        ["crates.io-", "index"],
        ["deb.", "debian.org"],
    ];
    let marks = marks.map(|parts| parts.concat());
    let found: Vec<(PathBuf, &String)> = written()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("Cargo.lock"))
        .filter_map(|(path, text)| marks.iter().find(|m| text.contains(m.as_str())).map(|m| (path, m)))
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

/// What starts an illumos program is compiled apart from any crate: its few lines stand where no library does yet.
#[test]
fn unsafe_code_is_nowhere_but_in_what_starts_an_illumos_program() {
    let allowed = ["xtask/src/payload/crt1.rs", "xtask/src/payload/start_test.rs"];
    let is_unsafe = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        ["unsafe {", "unsafe fn", "unsafe extern", "unsafe impl", "unsafe trait", "unsafe(", "unsafe_code"]
            .iter()
            .any(|mark| code.contains(mark))
    };
    let found: Vec<PathBuf> = rust()
        .filter(|(path, text)| {
            !allowed.iter().any(|a| path == Path::new(a)) && !path.ends_with("tidy.rs") && text.lines().any(is_unsafe)
        })
        .map(|(path, _)| path)
        .collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_compiler_forbids_unsafe_code_in_every_crate() {
    let manifests: Vec<(PathBuf, String)> =
        written().into_iter().filter(|(path, _)| path.ends_with("Cargo.toml")).collect();
    let root = manifests.iter().find(|(path, _)| path == Path::new("Cargo.toml")).unwrap();
    assert!(root.1.contains("unsafe_code = \"forbid\""));
    let lax: Vec<&PathBuf> = manifests
        .iter()
        // The fuzzer's own workspace holds no code but the calls of the checks.
        .filter(|(path, _)| path != Path::new("Cargo.toml") && path != Path::new("fuzz/Cargo.toml"))
        .filter(|(_, text)| !text.contains("[lints]\nworkspace = true"))
        .map(|(path, _)| path)
        .collect();
    assert!(lax.is_empty(), "without the workspace's lints: {lax:?}");
}

#[test]
fn every_test_that_a_page_names_exists() {
    let sources: Vec<String> = rust().map(|(_, text)| text).collect();
    for (page, least) in [("SECURITY.md", 30), ("docs/faults.md", 25)] {
        let missing = tests_missing(page, least, &sources);
        assert!(missing.is_empty(), "{page} names {missing:?}");
    }
}

/// The tests that a page names and that are nowhere.
fn tests_missing(page: &str, least: usize, sources: &[String]) -> Vec<String> {
    let page = fs::read_to_string(workspace().join(page)).unwrap();
    let is_test = |word: &&str| {
        word.matches('_').count() >= 3 && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).filter(is_test).collect();
    assert!(named.len() > least, "{named:?}");
    let missing = named.iter().filter(|n| !sources.iter().any(|s| s.contains(&format!("fn {n}("))));
    missing.map(ToString::to_string).collect()
}

#[test]
fn the_wall_clock_is_read_for_what_is_shown_and_never_to_wait() {
    // A clock that is set must not hold a VM back or forget one: whatever waits or counts goes by `Instant`.
    let shown = [
        "log.rs",              // the time of a line
        "rundir/files.rs",     // how old the block file is, by the file's own time
        "monitor/driver.rs",   // since when the VM is up, for `status`
        "commands/list.rs",    // how long that is
        "commands/zfssnap.rs", // the name of a snapshot
    ];
    let found: Vec<PathBuf> = rust()
        .filter(|(path, text)| path.starts_with("runtime/src") && text.contains("SystemTime::now()"))
        .filter(|(path, _)| !is_test(path) && !shown.iter().any(|s| path.ends_with(s)))
        .map(|(path, _)| path)
        .collect();
    assert!(found.is_empty(), "{found:?}");
}
