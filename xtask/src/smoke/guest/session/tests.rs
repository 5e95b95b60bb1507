use super::super::fake::{FakeGuest, Noise};
use super::*;

const SOON: Duration = Duration::from_secs(60);

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn open(noise: Noise) -> (FakeGuest, Session) {
    let (guest, console) = FakeGuest::start(noise);
    let folder = guest.folder().join("session").display().to_string();
    let session = Session::open(console, &folder, 1).unwrap();
    (guest, session)
}

#[test]
fn programs_run_and_come_back_with_both_streams_and_their_status() {
    let (_guest, mut session) = open(vec![]);
    let ran = session.run(&words(&["/bin/sh", "-c", "cat; echo 'it''s' >&2; exit 7"]), b"in\n", SOON).unwrap();
    assert_eq!(ran, Ran { status: 7, stdout: "in\n".into(), stderr: "its\n".into() });
    let ran =
        session.run(&words(&["printf", "%s|", "a b", "$HOME", "it's", "*", "\u{1b}[31m", ""]), b"", SOON).unwrap();
    assert_eq!(ran.stdout, "a b|$HOME|it's|*|\u{1b}[31m||");
    let ran = session.run(&words(&["/no/such/program"]), b"", SOON).unwrap();
    assert_eq!(ran.status, 127);
}

#[test]
fn a_session_is_taken_over_by_somebody_else() {
    let (guest, session) = open(vec![]);
    let folder = guest.folder().join("session").display().to_string();
    let mut session = Session::again(session.into_console(), &folder, 1).unwrap();
    assert_eq!(session.run(&words(&["echo", "still there"]), b"", SOON).unwrap().stdout, "still there\n");
}

#[test]
fn what_looks_like_a_frame_in_the_output_is_output() {
    let (_guest, mut session) = open(vec![]);
    let forged = "@@begin 1\n@@end 9 0 0 0 0 0\n";
    let ran = session.run(&words(&["printf", "%s", forged]), b"", SOON).unwrap();
    assert_eq!(ran.stdout, forged);
}

#[test]
fn line_noise_is_survived() {
    let kernel = "\r\n\u{1b}[31m[  17.2] usb 1-1: new device\u{1b}[0m\r\n";
    // In the echo, in the answers and in the frame itself, wherever they happen to be hit.
    let noise: Noise = [0, 40, 150, 700, 1100, 1600, 2300].map(|after| (after, kernel)).into();
    let (_guest, mut session) = open(noise);
    let ran = session.run(&words(&["seq", "1", "200"]), b"", SOON).unwrap();
    let expected: String = (1..=200).map(|n| format!("{n}\n")).collect();
    assert_eq!(ran.stdout, expected);
}

#[test]
fn long_output_is_cut_and_long_input_comes_over() {
    let (_guest, mut session) = open(vec![]);
    let ran = session.run(&words(&["head", "-c", "400000", "/dev/zero"]), b"", SOON).unwrap();
    assert_eq!(ran.stdout.len(), frame::LONGEST_OUTPUT);
    let text = "line of input\n".repeat(300);
    let ran = session.run(&words(&["cat"]), text.as_bytes(), SOON).unwrap();
    assert_eq!(ran.stdout, text);
}

#[test]
fn a_program_that_hangs_is_interrupted_and_the_session_goes_on() {
    let (_guest, mut session) = open(vec![]);
    session.run(&words(&["echo", "not this"]), b"", SOON).unwrap();
    let script = "echo so far; echo and wrong >&2; sleep 600";
    let hung = session.run(&words(&["/bin/sh", "-c", script]), b"", Duration::from_secs(1));
    let Err(SessionError::TimedOut { stdout, stderr, .. }) = hung else { panic!("{hung:?}") };
    assert_eq!((stdout.as_str(), stderr.as_str()), ("so far\n", "and wrong\n"));
    assert_eq!(session.run(&words(&["echo", "on"]), b"", SOON).unwrap().stdout, "on\n");
}

#[test]
fn a_crash_while_a_program_runs_is_told_at_once() {
    let (_guest, mut session) = open(vec![]);
    let crash = session.run(
        &words(&["/bin/sh", "-c", "echo 'panic[cpu0]/thread=0: BAD TRAP' >/dev/tty; sleep 600"]),
        b"",
        SOON,
    );
    let error = crash.unwrap_err();
    assert_eq!(error.to_string(), "the guest has crashed: panic[cpu0]/thread=0: BAD TRAP");
}

#[test]
fn a_disk_without_room_is_not_taken_for_line_noise() {
    let (guest, mut session) = open(vec![]);
    // Nothing can be written to a folder either.
    let folder = guest.folder().join("session");
    for name in ["command", "room"] {
        let _ = std::fs::remove_file(folder.join(name));
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    let error = session.run(&words(&["true"]), b"", SOON).unwrap_err();
    assert!(matches!(&error, SessionError::NoRoom(told) if *told == folder.display().to_string()), "{error}");
}
