//! Every input that was kept, given to the check of its target: what fuzzing has found once stays found, on any
//! compiler and without the fuzzer.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fuzz_checks::{CHECKS, check};

/// More than a good corpus needs, and a bound on what the repository carries.
const LARGEST_CORPUS: u64 = 96 << 10;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn names(folder: &Path, strip: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| name(entry.unwrap()).trim_end_matches(strip).to_string()).collect()
}

#[test]
fn every_check_has_a_target_and_a_corpus_and_there_are_no_others() {
    let checks: BTreeSet<String> = CHECKS.iter().map(|(name, _)| (*name).to_string()).collect();
    assert_eq!(names(&fuzz().join("fuzz_targets"), ".rs"), checks);
    assert_eq!(names(&fuzz().join("corpus"), ""), checks);
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let page = fs::read_to_string(fuzz().join("../docs/fuzzing.md")).unwrap();
    for name in &checks {
        assert!(page.contains(&format!("| {name} |")), "docs/fuzzing.md does not tell of {name}: cargo xtask fuzz");
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
        let target = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("check(\"{name}\", data)")), "{name} checks something else");
    }
}

#[test]
fn what_was_found_once_holds_now() {
    let mut failed = Vec::new();
    for (target, _) in CHECKS {
        let folder = fuzz().join("corpus").join(target);
        let mut size = 0;
        let inputs = names(&folder, "");
        assert!(!inputs.is_empty(), "{target} has no inputs");
        for name in inputs {
            let input = fs::read(folder.join(&name)).unwrap();
            size += input.len() as u64;
            if catch_unwind(AssertUnwindSafe(|| check(target, &input))).is_err() {
                failed.push(format!("{target}/{name}"));
            }
        }
        assert!(size <= LARGEST_CORPUS, "the corpus of {target} has {size} bytes: minimise it");
    }
    assert!(failed.is_empty(), "{failed:?}");
}
