//! `cargo xtask docs`: the page of all settings and commands with the tests that cover each, made from the code.
//!
//! A test says what it covers in a line of its doc comment: `/// Covers: vm/stop_timeout, stop`. A setting or command
//! without such a test, and a line that names neither, are errors, so the page cannot claim what is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use vboxsvc::settings::table;
use walkdir::WalkDir;

/// The page, below the workspace.
const PAGE: &str = "docs/coverage.md";
/// Where tests are.
const SOURCES: [&str; 3] = ["runtime/src", "runtime/tests", "tests/scenarios"];
const MARK: &str = "/// Covers: ";
/// The faults of the older tool that must not come back; each has tests named after its number.
const FAULTS: [&str; 20] = [
    "`save` left the nokick file for ever",
    "processes were matched by substring or pattern",
    "a start saved a running VM and left it down",
    "stop_timeout 0 expired after one second",
    "poweroff and reboot exited 0 whatever came of it",
    "values stayed quoted and escaped",
    "zfssnap settings were never honoured, disks not found, failures not told",
    "stop failed or returned at once in passing states",
    "a failing VBoxManage counted as an unknown state",
    "the success of start and startgui was that of a background process",
    "instance-only settings were composed with the service's",
    "the pid file was trusted blindly",
    "a transition, or a refused svcadm, ended the monitor",
    "kicker_restart none and all were not what they say",
    "the hook ran as root, unbounded, with the map ignored",
    "`-stop_method=X` swallowed an argument; an interrupted startgui left nokick behind",
    "sercon without a UART exited 0 silently",
    "predictable files were followed through links; names were parsed by a shell",
    "an unknown method user became an empty one; hook_strict failed before its stop was done",
    "a check cost 22 processes, and a crash was noticed half a minute late",
];

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing: fail if the page is not what the code says
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let tests = tests(workspace)?;
    let page = page(&tests)?;
    let path = workspace.join(PAGE);
    if args.check {
        let there = fs::read_to_string(&path).unwrap_or_default();
        if there != page {
            bail!("{PAGE} is not what the code says: run cargo xtask docs");
        }
    } else {
        fs::create_dir_all(workspace.join("docs"))?;
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{}", path.display());
    Ok(())
}

/// A test, where it stands and what it says it covers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    name: String,
    file: String,
    covers: Vec<String>,
}

fn tests(workspace: &Path) -> Result<Vec<Test>> {
    let mut found = Vec::new();
    for source in SOURCES {
        for entry in WalkDir::new(workspace.join(source)).sort_by_file_name() {
            let path = entry?.into_path();
            if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
                let file = path.strip_prefix(workspace).map_or(path.clone(), PathBuf::from);
                found.extend(tests_of(&text, &file.display().to_string()));
            }
        }
    }
    Ok(found)
}

/// The functions that are tests: what stands between the last code and the name says so.
fn tests_of(text: &str, file: &str) -> Vec<Test> {
    let mut found = Vec::new();
    let (mut is_test, mut covers) = (false, Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(list) = line.strip_prefix(MARK) {
            covers.extend(list.split(',').map(|item| item.trim().to_string()));
        } else if line == "#[test]" {
            is_test = true;
        } else if let Some(rest) = line.strip_prefix("fn ") {
            let name = rest.split(['(', '<']).next().unwrap_or_default().to_string();
            if is_test {
                found.push(Test { name, file: file.to_string(), covers: std::mem::take(&mut covers) });
            }
            (is_test, covers) = (false, Vec::new());
        } else if !line.starts_with("///") && !line.starts_with("#[") {
            (is_test, covers) = (false, Vec::new());
        }
    }
    found
}

fn page(tests: &[Test]) -> Result<String> {
    let mut by_subject: BTreeMap<&str, Vec<&Test>> = BTreeMap::new();
    for test in tests {
        for subject in &test.covers {
            by_subject.entry(subject).or_default().push(test);
        }
    }
    let settings: Vec<String> = table::rows().map(|row| row.property()).collect();
    let commands = commands();
    let known: BTreeSet<&str> = settings.iter().chain(&commands).map(String::as_str).collect();
    let mut faults = Vec::new();
    for (subject, tests) in &by_subject {
        if !known.contains(subject) {
            faults.push(format!(
                "{}: {} covers \"{subject}\", which is no setting and no command",
                tests[0].file, tests[0].name
            ));
        }
    }
    faults.extend(known.iter().filter(|s| !by_subject.contains_key(**s)).map(|s| format!("no test covers {s}")));
    let fault_tests: Vec<Vec<&Test>> = (1..=FAULTS.len()).map(|n| tests_of_fault(tests, n)).collect();
    faults.extend(
        (1..).zip(&fault_tests).filter(|(_, t)| t.is_empty()).map(|(n, _)| format!("no test is named fault_{n:02}_…")),
    );
    if !faults.is_empty() {
        bail!("the page of coverage cannot be made:\n  {}", faults.join("\n  "));
    }

    let mut page = String::from(
        "# What is tested where\n\nMade by `cargo xtask docs` from the table of settings, the commands and the tests, and \
         checked in CI. Tests under\n`tests/scenarios` run the real `vboxsvc` on a simulated host: SMF and VirtualBox are \
         stand-ins there, except in\n`virtualbox_real`, where VirtualBox is the real one. Every setting's reading (type, \
         bounds, default, level) is tested as\nwell, row by row, in `runtime/src/settings/`; the tests below are of what it \
         does.\n",
    );
    let mut section = |title: &str, first: &str, rows: Vec<(String, &[&Test])>| {
        let _ = write!(page, "\n## {title}\n\n| {first} | test |\n|---|---|\n");
        for (name, tests) in rows {
            let cells: Vec<String> = tests.iter().map(|t| format!("`{}` ({})", t.name, t.file)).collect();
            let _ = writeln!(page, "| {name} | {} |", cells.join("<br>"));
        }
    };
    let rows = |subjects: &[String]| -> Vec<(String, Vec<&Test>)> {
        subjects.iter().map(|s| (format!("`{s}`"), by_subject.get(s.as_str()).cloned().unwrap_or_default())).collect()
    };
    for (title, first, subjects) in [("Settings", "setting", &settings), ("Commands", "command", &commands)] {
        let rows = rows(subjects);
        section(title, first, rows.iter().map(|(name, tests)| (name.clone(), tests.as_slice())).collect());
    }
    let numbered = (1..).zip(FAULTS).zip(&fault_tests);
    let rows = numbered.map(|((n, fault), tests)| (format!("{n}. {fault}"), tests.as_slice())).collect();
    section("Faults of vbox.sh that must not come back", "fault", rows);
    Ok(page)
}

fn tests_of_fault(tests: &[Test], number: usize) -> Vec<&Test> {
    let prefix = format!("fault_{number:02}_");
    tests.iter().filter(|t| t.name.starts_with(&prefix)).collect()
}

/// The commands people may use.
fn commands() -> Vec<String> {
    let command = vboxsvc::cli::command();
    command.get_subcommands().filter(|c| !c.is_hide_set()).map(|c| c.get_name().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_is_found_with_what_it_covers() {
        let text =
            "/// Covers: vm/nice, start\n#[test]\nfn it_is_nice() {}\n\nfn helper() {}\n\n#[test]\nfn plain() {}\n";
        let test = |name: &str, covers: &[&str]| Test {
            name: name.into(),
            file: "x.rs".into(),
            covers: covers.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(tests_of(text, "x.rs"), [test("it_is_nice", &["vm/nice", "start"]), test("plain", &[])]);
    }

    #[test]
    fn what_no_test_covers_and_what_does_not_exist_are_told() {
        let odd = Test { name: "odd".into(), file: "x.rs".into(), covers: vec!["vm/no_such".into()] };
        let error = page(&[odd]).unwrap_err().to_string();
        assert!(error.contains("vm/no_such") && error.contains("no test covers vm/stop_method"), "{error}");
        assert!(error.contains("fault_07_"), "{error}");
    }

    #[test]
    fn every_command_is_known_by_its_name() {
        let commands = commands();
        assert!(commands.contains(&"status".to_string()) && !commands.contains(&"monitor".to_string()), "{commands:?}");
    }
}
