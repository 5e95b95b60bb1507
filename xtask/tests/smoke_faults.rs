//! Deliberate faults, and what the report of `cargo xtask smoke` says of each. The steps are data, in `smoke_faults`.
//!
//! `cargo test -p xtask --test smoke_faults -- --ignored` takes the stand-in guest as well: its kernel panics, its disk is
//! full, or it never prompts. That takes QEMU and a minute or two.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// A run of `cargo xtask smoke` on one target, with all that it left.
struct Run {
    out: TempDir,
    code: Option<i32>,
    events: Vec<Value>,
    told: String,
}

/// How a step ended.
struct End<'a>(&'a Value);

impl Run {
    fn on(target: &str, suites: &[&str]) -> Run {
        let out = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.current_dir(workspace()).args(["smoke", "--json", "--target", target, "--out"]).arg(out.path());
        command.arg("--suites").arg(workspace().join("xtask/tests/smoke_faults"));
        command.args(suites.iter().flat_map(|suite| ["--suite", suite]));
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines = String::from_utf8(output.stdout).unwrap();
        let events = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Run { out, code: output.status.code(), events, told }
    }

    fn end(&self, suite: &str, step: &str) -> End<'_> {
        let is = |event: &&Value| event["event"] == "step-ended" && event["suite"] == suite && event["step"] == step;
        End(self.events.iter().find(is).unwrap_or_else(|| panic!("no end of {suite}, {step}: {}", self.told)))
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.out.path().join(name)).unwrap()
    }

    /// What is true of every run with a fault in it.
    fn is_told_everywhere(&self, faults: &[&str]) {
        println!("{}", self.told);
        assert_eq!(self.code, Some(1), "{}", self.told);
        let (page, junit) = (self.file("report.html"), self.file("junit.xml"));
        let document = roxmltree::Document::parse(&junit).unwrap();
        let failures = document.descendants().filter(|node| node.has_tag_name("failure"));
        let messages: Vec<&str> = failures.filter_map(|failure| failure.attribute("message")).collect();
        for fault in faults {
            assert!(messages.iter().any(|message| message.contains(fault)), "{fault}: {messages:?}");
            assert!(page.contains(&fault.replace('"', "&quot;")), "{fault} is not in the page");
            assert!(self.told.contains(fault), "{fault}: {}", self.told);
        }
    }

    /// No process is left that was started in the run's folder: its QEMU.
    fn has_left_no_process(&self) {
        let folder = self.out.path().canonicalize().unwrap();
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let at = fs::read_link(process.path().join("cwd")).unwrap_or_default();
            assert!(!at.starts_with(&folder), "{} is left", process.path().display());
        }
    }
}

impl End<'_> {
    fn failed(&self, fault: &str) -> &Self {
        assert_eq!(self.0["verdict"]["verdict"], "failed", "{}", self.0);
        assert!(self.0["verdict"]["faults"].to_string().contains(fault), "{}", self.0);
        self
    }

    /// What the program said until its end.
    fn said(&self, text: &str) -> &Self {
        let ran = &self.0["verdict"]["ran"];
        assert!(format!("{}{}", ran["stdout"], ran["stderr"]).contains(text), "{text:?}: {}", self.0);
        self
    }

    /// The names of all that the host was asked for or showed.
    fn with_evidence(&self, names: &[&str]) -> &Self {
        let found: Vec<&str> =
            self.0["verdict"]["evidence"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(found, names);
        self
    }

    fn not_run(&self, reason: &str) {
        assert_eq!(self.0["verdict"]["verdict"], "not-run", "{}", self.0);
        assert!(self.0["verdict"]["reason"].to_string().contains(reason), "{}", self.0);
    }

    fn passed(&self) {
        assert_eq!(self.0["verdict"]["verdict"], "passed", "{}", self.0);
    }
}

const LOOKS: [&str; 3] = ["svcs -xv", "svcs -a of the service", "logs of the methods"];
const MESSAGES: &str = "messages of the simulated svc.startd";

#[test]
fn faults_on_the_simulated_host() {
    let run = Run::on("sim", &["broken-script", "disk-full", "hang"]);
    let evidence = [LOOKS.as_slice(), &[MESSAGES]].concat();
    let install = run.end("broken-script", "install");
    install.failed("exit code 2, not 0").said("postinstall").with_evidence(&evidence);
    run.end("broken-script", "use").not_run("install failed");
    run.end("broken-script", "clean").passed();
    let install = run.end("disk-full", "install");
    install.failed("exit code 2, not 0").said("No space left on device").with_evidence(&evidence);
    run.end("disk-full", "use").not_run("install failed");
    run.end("disk-full", "clean").passed();
    hangs(&run, 3, &evidence);
    run.is_told_everywhere(&["exit code 2, not 0", "it did not end within 3 s"]);
}

fn hangs(run: &Run, bound: u32, evidence: &[&str]) {
    let fault = format!("it did not end within {bound} s");
    run.end("hang", "hang").failed(&fault).said("it begins").with_evidence(evidence);
    run.end("hang", "deaf").failed(&fault).said("it does not listen");
    run.end("hang", "next").not_run("deaf failed");
    run.end("hang", "clean").passed();
}

/// Emulation is given three times as long as a fast machine.
const TCG: u32 = 3;

#[test]
#[ignore = "takes QEMU and the parts of the stand-in guest (docs/smoke.md)"]
fn faults_in_the_stand_in_guest() {
    let run = Run::on("standin", &["broken-script", "guest-disk-full", "hang", "panic"]);
    let evidence = [LOOKS.as_slice(), &["console log", "last screen"]].concat();
    let install = run.end("broken-script", "install");
    install.failed("exit code 2, not 0").said("postinstall").with_evidence(&evidence);
    run.end("broken-script", "clean").passed();
    let install = run.end("guest-disk-full", "install");
    install.failed("exit code").said("No space left on device").with_evidence(&evidence);
    run.end("guest-disk-full", "use").not_run("install failed");
    run.end("guest-disk-full", "clean").passed();
    hangs(&run, 3 * TCG, &evidence);
    let panic = "the guest has crashed: ";
    run.end("panic", "panic").failed(panic).failed("Kernel panic - not syncing").with_evidence(&evidence[3..]);
    run.end("panic", "next").not_run("the host is lost");
    run.end("panic", "clean").not_run("the host is lost");
    run.is_told_everywhere(&["exit code 2, not 0", "it did not end within", panic]);
    run.has_left_no_process();
}

#[test]
#[ignore = "takes QEMU and the parts of the stand-in guest (docs/smoke.md)"]
fn a_guest_that_never_prompts() {
    let standin = fs::read_to_string(workspace().join("pkg/vm/standin.toml")).unwrap();
    let silent =
        standin.replace("rdinit=/init", "rdinit=/bin/busybox").replace("tsc=reliable", "tsc=reliable -- sleep 86397");
    let silent = silent.replace("boot = \"60s\"", "boot = \"10s\"");
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("silent.toml");
    fs::write(&profile, silent).unwrap();
    let run = Run::on(profile.to_str().unwrap(), &["broken-script"]);
    let fault = "the log-in did not get on: waited 30 s in vain for \"standin login: \"";
    run.end("boot", "boot")
        .failed("the log-in did not get on: waited 30 s in vain")
        .with_evidence(&["console log", "last screen"]);
    run.end("broken-script", "install").not_run("the host did not come up");
    run.end("broken-script", "clean").not_run("the host did not come up");
    run.is_told_everywhere(&[fault]);
    run.has_left_no_process();
}
