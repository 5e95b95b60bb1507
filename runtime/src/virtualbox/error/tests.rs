use std::collections::BTreeSet;

use super::*;
use crate::virtualbox::State;
use crate::virtualbox::parse;
use crate::virtualbox::testing::{sample, samples};

fn vm() -> Uuid {
    "b5fb516d-16e5-4c70-863f-540c98e423cd".parse().unwrap()
}

fn asked(output: &Output) -> Option<AskError> {
    complaint("VBoxManage asked", Some(vm()), Duration::from_secs(10), output)
}

fn failed(stderr: &str) -> AskError {
    asked(&Output { ended: Ended::Exited(1), stdout: Vec::new(), stderr: stderr.into() }).unwrap()
}

/// What a recorded answer must be taken for.
enum Expect {
    /// showvminfo: a machine in this state.
    State(State),
    /// list vms, list runningvms: so many entries.
    Short(usize),
    /// list -l vms: so many entries.
    Long(usize),
    /// list hdds: so many media.
    Disks(usize),
    /// Success that says nothing to read.
    Done,
    /// Success, but the answer must not be believed.
    CutOff,
    /// A failure of this kind, and whether it is worth asking again.
    Fails(&'static str, bool),
}

use Expect::*;

fn expectations() -> Vec<(&'static str, Expect)> {
    vec![
        ("iem-trans-deletingsnapshot", State(State::DeletingSnapshot)),
        ("iem-trans-deletingsnapshotlivepaused", State(State::DeletingSnapshotLivePaused)),
        ("iem-trans-livesnapshotting", State(State::LiveSnapshotting)),
        ("iem-trans-onlinesnapshotting", State(State::OnlineSnapshotting)),
        ("iem-trans-paused", State(State::Paused)),
        ("iem-trans-poweroff", State(State::PowerOff)),
        ("iem-trans-restoring", State(State::Restoring)),
        ("iem-trans-restoringsnapshot", State(State::RestoringSnapshot)),
        ("iem-trans-running", State(State::Running)),
        ("iem-trans-saved", State(State::Saved)),
        ("iem-trans-saving", State(State::Saving)),
        ("iem-trans-snapshotting", State(State::Snapshotting)),
        ("iem-trans-starting", State(State::Starting)),
        ("iem-trans-teleported", State(State::Teleported)),
        ("iem-trans-teleportingin", State(State::TeleportingIn)),
        ("iem-s5-after-sigKILL-mr", State(State::Aborted)),
        ("iem-s7-guru-mr", State(State::GuruMeditation)),
        ("iem-s7-uart-server-mr", State(State::Running)),
        ("iem-s9-aborted-saved-mr", State(State::AbortedSaved)),
        ("iem-n2-showvminfo-mr", State(State::PowerOff)),
        ("iem-n4-showvminfo-mr", State(State::PowerOff)),
        ("iem-n6-showvminfo-mr", State(State::PowerOff)),
        ("iem-n7-showvminfo-mr", State(State::PowerOff)),
        ("iem-n8-showvminfo-mr", State(State::PowerOff)),
        ("iem-n14-showvminfo-mr", State(State::PowerOff)),
        ("iem-n17-showvminfo-mr", State(State::PowerOff)),
        ("iem-d-showvminfo-mr", State(State::PowerOff)),
        ("iem-d-showvminfo-snap-mr", State(State::PowerOff)),
        ("iem-d-showvminfo-uartdisc-mr", State(State::PowerOff)),
        ("iem-mm-disk-showvminfo-mr", State(State::PowerOff)),
        ("svm-s1-running-mr", State(State::Running)),
        ("svm-s7-guru-mr", State(State::GuruMeditation)),
        ("list-vms-1", Short(1)),
        ("iem-n-list-vms", Short(24)),
        ("iem-n-dup-list-vms", Short(24)),
        ("iem-in-list-vms", Short(12)),
        // Only a wrapper's warning, on standard output.
        ("version-q", Short(0)),
        ("list-runningvms-empty", Short(0)),
        ("iem-s1-list-runningvms", Short(1)),
        // A machine in guru meditation is not listed as running.
        ("iem-s7-guru-list-running", Short(0)),
        ("iem-n-unicode-under-C-locale-list-vms", CutOff),
        ("list-l-vms-1", Long(1)),
        // There are errors on standard error too, and yet it is a good answer.
        ("iem-in-list-l-vms", Long(12)),
        ("iem-d-list-hdds", Disks(5)),
        // Progress on standard error is no error.
        ("iem-s3-poweroff", Done),
        ("iem-s4-savestate", Done),
        // VBoxHeadless that could not power up the machine: the state has to tell.
        ("iem-mm-disk-headless", Done),
        ("showvminfo-unknownuuid-mr", Fails("NotRegistered", false)),
        ("controlvm-unknownvm-poweroff", Fails("NotRegistered", false)),
        ("headless-stub-unknownvm", Fails("NotRegistered", false)),
        ("iem-in-gone-showvminfo-mr", Fails("Inaccessible", false)),
        ("iem-in-gone-controlvm", Fails("Inaccessible", false)),
        ("iem-in-gone-headless", Fails("Other", false)),
        ("iem-s1-startvm-again", Fails("Locked", true)),
        ("iem-s1-headless-again", Fails("Locked", true)),
        // The same result code, but it is a disk that is locked, by another machine.
        ("iem-samedisk-startvm2", Fails("Other", false)),
        ("iem-s6-termpaused2", Fails("Wedged", true)),
        ("iem-s6b-termpaused-after-showvminfo", Fails("Wedged", true)),
        ("iem-s6b-termpaused-after-controlvm", Fails("Wedged", true)),
        // The same result code, but with a cause.
        ("iem-mm-disk-startvm", Fails("Other", false)),
        ("nodriver-startvm-headless", Fails("Other", false)),
        ("iem-s10-svcTERM-list-runningvms", Fails("NoServer", true)),
        ("iem-s10-svcTERM-showvminfo", Fails("NoServer", true)),
        ("iem-svc-exit-race", Fails("NoServer", true)),
        ("controlvm-poweredoff-poweroff", Fails("NotRunning", false)),
        ("iem-s13-saving-savestate", Fails("NotRunning", false)),
        ("iem-s1-acpi-paused", Fails("InvalidState", false)),
        ("iem-s7-guru-savestate", Fails("InvalidState", false)),
        ("iem-s13-saving-poweroff", Fails("InvalidState", false)),
        ("iem-s1-shutdown", Fails("Other", false)),
        ("iem-trans-not-ready", Fails("Unusable", true)),
        ("iem-n-unicode-under-C-locale-showvminfo", Fails("Locale", false)),
        ("nodriver-headless-startvm", Fails("NoDriver", false)),
        ("iem-n-dash-startvm2", Fails("NoDriver", false)),
        ("svm-perm-user-headless-nosuid", Fails("Permission", false)),
        ("svm-perm-root-worldwritable-dir", Fails("Permission", false)),
        ("iem-nr-user-with-root-home", Fails("Permission", false)),
        ("showvminfo-badopt", Fails("Other", false)),
    ]
}

#[test]
fn every_recorded_answer_is_taken_for_what_it_is() {
    for (name, expect) in expectations() {
        let output = sample(name);
        let error = asked(&output);
        if let Fails(kind, transient) = expect {
            let error = error.unwrap_or_else(|| panic!("{name}: no failure seen"));
            assert_eq!(
                (format!("{error:?}").split(' ').next(), error.is_transient()),
                (Some(kind), transient),
                "{name}"
            );
            assert_eq!(error.to_string().lines().count(), 1, "{name}");
            continue;
        }
        assert!(error.is_none(), "{name}: {error:?}");
        let stdout = &output.stdout;
        match expect {
            State(state) => assert_eq!(parse::info(stdout).map(|i| i.state), Ok(state), "{name}"),
            Short(n) => assert_eq!(parse::short_list(stdout).map(|l| l.len()), Ok(n), "{name}"),
            Long(n) => assert_eq!(parse::long_list(stdout).map(|l| l.len()), Ok(n), "{name}"),
            Disks(n) => assert_eq!(parse::hard_disks(stdout).map(|l| l.len()), Ok(n), "{name}"),
            CutOff => assert_eq!(parse::short_list(stdout), Err(ParseError::CutOff), "{name}"),
            Done | Fails(..) => {}
        }
    }
}

#[test]
fn no_recorded_answer_is_without_an_expectation() {
    let names = |file: std::io::Result<std::fs::DirEntry>| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".out").map(str::to_string)
    };
    let there: BTreeSet<String> = std::fs::read_dir(samples()).unwrap().filter_map(names).collect();
    let expected: BTreeSet<String> = expectations().iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(there, expected);
}

#[test]
fn the_first_telling_line_is_told_without_progress_and_program() {
    let text =
        "0%...10%...20%\n\nVBoxManage: error: Cannot do it\nVBoxManage: error: Details: code E_FAIL (0x80004005), x\n";
    assert_eq!(failed(text).to_string(), "VBoxManage asked: exit status 1: Cannot do it");
    assert_eq!(failed("").to_string(), "VBoxManage asked: exit status 1: it said nothing");
    let why = asked(&sample("svm-perm-user-headless-nosuid")).unwrap().to_string();
    assert!(why.contains("Effective UID is not root"), "{why}");
}

#[test]
fn hostile_text_stays_on_one_line_and_within_bounds() {
    let long = format!("VBoxManage: error: \u{1b}[2Jgone\u{202e}{}", "x".repeat(5000));
    let shown = failed(&long).to_string();
    assert!(shown.contains("\\u{1b}[2Jgone\\u{202e}xx") && shown.len() < 500, "{shown}");
    let name = AskError::NotRegistered { name: "a\nb\r".into() };
    assert_eq!(name.to_string(), "VM \"a\\nb\\r\" is not registered with this user's VirtualBox");
}

#[test]
fn a_machine_named_like_a_message_does_not_change_its_meaning() {
    for name in ["Kernel driver not installed", "Error -1908 in x", "error: Code NS_ERROR_FAILURE (0x80004005)"] {
        let text = format!("VBoxManage: error: Machine '{name}' is not currently running.\n");
        assert!(matches!(failed(&text), AskError::NotRunning { .. } | AskError::Other { .. }), "{name}");
    }
    let text = "VBoxManage: error: The machine 'The object is not ready' is already locked by a session\n\
                VBoxManage: error: Details: code VBOX_E_INVALID_OBJECT_STATE (0x80bb0007), component MachineWrap\n";
    assert!(matches!(failed(text), AskError::Locked { .. }));
}

#[test]
fn a_killed_or_late_program_is_told_apart_and_worth_another_try() {
    let ended = |ended| Output { ended, stdout: Vec::new(), stderr: b"VBoxManage: error: x".to_vec() };
    let killed = asked(&ended(Ended::Signaled(11))).unwrap();
    assert_eq!((killed.to_string().as_str(), killed.is_transient()), ("VBoxManage asked: killed by signal 11", true));
    let late = asked(&ended(Ended::TimedOut)).unwrap();
    assert_eq!((late.to_string().as_str(), late.is_transient()), ("VBoxManage asked: no answer within 10.0 s", true));
}

#[test]
fn a_missing_program_is_not_worth_another_try_but_a_busy_host_is() {
    let spawn = |kind: std::io::ErrorKind| {
        AskError::from(ExecError::Spawn { program: "/x".into(), source: kind.into() }).is_transient()
    };
    assert!(!spawn(std::io::ErrorKind::NotFound));
    assert!(spawn(std::io::ErrorKind::WouldBlock));
}
