//! Sessions with real sockets, pipes and pseudo-terminals, and a server that behaves as VirtualBox does.

use std::io::{Write, pipe};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use nix::pty::openpty;

use super::*;

/// Bounds every wait: generous, because the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes that are not the same in any two places nearby.
fn pattern(n: usize) -> Vec<u8> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

struct Rig {
    tmp: tempfile::TempDir,
    session: Option<JoinHandle<Result<Outcome, SessionError>>>,
}

impl Rig {
    fn new() -> Rig {
        Rig { tmp: tempfile::tempdir().unwrap(), session: None }
    }

    fn path(&self) -> PathBuf {
        self.tmp.path().join("console")
    }

    fn listen(&self) -> UnixListener {
        let _ = std::fs::remove_file(self.path());
        UnixListener::bind(self.path()).unwrap()
    }

    fn begin(&mut self, input: File, output: File, retry: Option<u64>, terminal: Option<RawMode>) {
        self.begin_at(Endpoint::Unix(self.path()), Ends { input, output, terminal }, retry);
    }

    fn begin_at(&mut self, endpoint: Endpoint, ends: Ends, retry: Option<u64>) {
        let subject = "web".to_string();
        let screen = File::create(self.tmp.path().join("said")).unwrap();
        self.session = Some(thread::spawn(move || {
            let plan = Plan { endpoint, retry: retry.map(Duration::from_millis) };
            run(&plan, ends, &mut Signals::uncaught().unwrap(), &mut Narrator::Screen { screen, subject })
        }));
    }

    fn outcome(&mut self) -> Result<Outcome, SessionError> {
        let session = self.session.take().unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !session.is_finished() {
            assert!(Instant::now() < deadline, "the session does not end; it said: {}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
        session.join().unwrap()
    }

    fn said(&self) -> String {
        std::fs::read_to_string(self.tmp.path().join("said")).unwrap()
    }

    fn wait_until_said(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.said().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} was never said, but: {}", self.said());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn file(end: impl Into<std::os::fd::OwnedFd>) -> File {
    File::from(end.into())
}

/// An input that stays open and says nothing.
fn silence() -> (File, File) {
    let (reader, writer) = pipe().unwrap();
    (file(reader), file(writer))
}

fn accept(listener: &UnixListener) -> UnixStream {
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::try_from(PATIENCE).unwrap()), Ok(1), "nobody connects");
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn read_exactly(from: &mut impl Read, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_flood_of_output_arrives_whole_at_a_slow_reader() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let (input, _keep) = silence();
    let (mut shown, output) = pipe().unwrap();
    rig.begin(input, file(output), None, None);
    let sent = pattern(1 << 20);
    let (mut guest, bytes) = (accept(&listener), sent.clone());
    let writer = thread::spawn(move || guest.write_all(&bytes).unwrap());
    let mut got = read_exactly(&mut shown, 1000);
    thread::sleep(Duration::from_millis(100));
    shown.read_to_end(&mut got).unwrap();
    writer.join().unwrap();
    assert!(got == sent, "{} of {} bytes, or changed", got.len(), sent.len());
    assert_eq!(rig.outcome().unwrap(), Outcome::ConsoleClosed);
}

#[test]
fn a_flood_of_input_arrives_whole_at_a_slow_guest_and_its_answer_is_waited_for() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let (input, mut typed) = silence();
    let (mut shown, output) = pipe().unwrap();
    rig.begin(input, file(output), Some(1000), None);
    let (sent, mut guest) = (pattern(1 << 20), accept(&listener));
    let bytes = sent.clone();
    let writer = thread::spawn(move || typed.write_all(&bytes).unwrap());
    thread::sleep(Duration::from_millis(400));
    let got = read_exactly(&mut guest, sent.len());
    writer.join().unwrap();
    assert!(got == sent, "the input changed on its way");
    thread::sleep(Duration::from_millis(100));
    guest.write_all(b"done").unwrap();
    let mut answer = String::new();
    assert_eq!(rig.outcome().unwrap(), Outcome::InputEnded);
    shown.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "done");
}

#[test]
fn tildes_in_piped_input_are_input() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let (input, mut typed) = silence();
    rig.begin(input, File::create("/dev/null").unwrap(), Some(1000), None);
    typed.write_all(b"~.\n~~\n~?").unwrap();
    assert_eq!(read_exactly(&mut accept(&listener), 8), b"~.\n~~\n~?");
    drop(typed);
    assert_eq!(rig.outcome().unwrap(), Outcome::InputEnded);
}

#[test]
fn a_console_that_goes_and_comes_back_is_found_again() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let (input, keep) = silence();
    let (mut shown, output) = pipe().unwrap();
    rig.begin(input, file(output), Some(300), None);
    accept(&listener).write_all(b"one").unwrap();
    assert_eq!(read_exactly(&mut shown, 3), b"one");
    drop(listener);
    std::fs::remove_file(rig.path()).unwrap();
    rig.wait_until_said("closed; waiting");
    thread::sleep(Duration::from_millis(700)); // some tries in vain
    let mut guest = accept(&rig.listen());
    guest.write_all(b"two").unwrap();
    assert_eq!(read_exactly(&mut shown, 3), b"two");
    drop(keep);
    assert_eq!(rig.outcome().unwrap(), Outcome::InputEnded);
    let said = rig.said();
    assert_eq!((said.matches("connected to").count(), said.matches("closed").count()), (2, 1), "{said}");
    assert!(!said.contains("cannot connect"), "an absence that was told is no news: {said}");
}

#[test]
fn a_console_that_another_client_has_is_told_once_and_no_input_is_lost_to_it() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let (input, mut typed) = silence();
    rig.begin(input, File::create("/dev/null").unwrap(), Some(100), None);
    typed.write_all(b"precious").unwrap();
    for _ in 0..3 {
        drop(accept(&listener)); // as VirtualBox does with a second client
    }
    let mut guest = accept(&listener);
    assert_eq!(read_exactly(&mut guest, 8), b"precious");
    let said = rig.said();
    assert_eq!(said.matches("another client").count(), 1, "{said}");
    assert_eq!(said.matches("connected to").count(), 1, "{said}");
    drop(typed);
    assert_eq!(rig.outcome().unwrap(), Outcome::InputEnded);
}

#[test]
fn one_connection_only_ends_with_it_and_tells_a_second_clients_from_its_own() {
    let mut rig = Rig::new();
    let (input, _keep) = silence();
    rig.begin(input, File::create("/dev/null").unwrap(), None, None);
    assert!(matches!(rig.outcome(), Err(SessionError::Unreachable { .. })));

    let listener = rig.listen();
    let (input, _keep) = silence();
    rig.begin(input, File::create("/dev/null").unwrap(), None, None);
    drop(accept(&listener));
    assert!(matches!(rig.outcome(), Err(SessionError::Taken { .. })));

    let (input, _keep) = silence();
    rig.begin(input, File::create("/dev/null").unwrap(), None, None);
    accept(&listener).write_all(b"bye").unwrap();
    assert_eq!(rig.outcome().unwrap(), Outcome::ConsoleClosed);
}

#[test]
fn a_path_that_can_never_work_is_not_tried_again() {
    let mut rig = Rig::new();
    let (input, _keep) = silence();
    let endpoint = Endpoint::Unix(rig.tmp.path().join("x".repeat(300)));
    rig.begin_at(endpoint, Ends { input, output: File::create("/dev/null").unwrap(), terminal: None }, Some(100));
    assert!(matches!(rig.outcome(), Err(SessionError::Unreachable { .. })));
}

#[test]
fn a_reader_that_goes_away_ends_the_session() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let (input, _keep) = silence();
    let (shown, output) = pipe().unwrap();
    rig.begin(input, file(output), Some(1000), None);
    drop(shown);
    let mut guest = accept(&listener);
    guest.write_all(b"anybody there?").unwrap();
    assert_eq!(rig.outcome().unwrap(), Outcome::OutputClosed);
}

#[test]
fn a_tcp_console_is_waited_for_and_shown() {
    let mut rig = Rig::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (input, mut typed) = silence();
    let (mut shown, output) = pipe().unwrap();
    rig.begin_at(Endpoint::Tcp(port), Ends { input, output: file(output), terminal: None }, Some(200));
    rig.wait_until_said("is the VM running?");
    let (mut guest, _) = TcpListener::bind(("127.0.0.1", port)).unwrap().accept().unwrap();
    guest.write_all(b"login: ").unwrap();
    assert_eq!(read_exactly(&mut shown, 7), b"login: ");
    typed.write_all(b"root\n").unwrap();
    assert_eq!(read_exactly(&mut guest, 5), b"root\n");
    drop(typed);
    assert_eq!(rig.outcome().unwrap(), Outcome::InputEnded);
}

/// A session with a pseudo-terminal; what is typed and shown goes through the master.
fn with_terminal(rig: &mut Rig, retry: u64) -> File {
    let pty = openpty(None, None).unwrap();
    let raw = RawMode::enter(&pty.slave).unwrap();
    assert!(raw.is_some());
    let slave = File::from(pty.slave);
    rig.begin(slave.try_clone().unwrap(), slave, Some(retry), raw);
    File::from(pty.master)
}

fn read_until(master: &mut File, wanted: u8) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        assert!(poll(&mut fds, 1000u16).is_ok() && Instant::now() < deadline, "byte {wanted} never came");
        if fds[0].any() == Some(true) && read_exactly(master, 1) == [wanted] {
            return;
        }
    }
}

#[test]
fn keys_typed_for_nobody_ring_the_bell_and_are_not_kept_for_the_next_guest() {
    let mut rig = Rig::new();
    let mut master = with_terminal(&mut rig, 100);
    rig.wait_until_said("cannot connect");
    master.write_all(b"rm -rf /\r").unwrap();
    read_until(&mut master, 7);
    let mut guest = accept(&rig.listen());
    rig.wait_until_said("connected to");
    master.write_all(b"ls\r").unwrap();
    assert_eq!(read_exactly(&mut guest, 3), b"ls\r");
    master.write_all(b"~.").unwrap();
    assert_eq!(rig.outcome().unwrap(), Outcome::Left);
}

#[test]
fn one_can_leave_while_nobody_is_there_and_in_the_middle_of_a_line_that_is_lost() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let mut master = with_terminal(&mut rig, 100);
    let mut guest = accept(&listener);
    rig.wait_until_said("connected to");
    master.write_all(b"half a line").unwrap();
    read_exactly(&mut guest, 11);
    guest.write_all(b"x").unwrap();
    drop((guest, listener));
    rig.wait_until_said("closed");
    master.write_all(b"~.").unwrap();
    assert_eq!(rig.outcome().unwrap(), Outcome::Left);
}

#[test]
fn one_can_leave_a_guest_that_takes_nothing() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let mut master = with_terminal(&mut rig, 100);
    let guest = accept(&listener);
    rig.wait_until_said("connected to");
    let deadline = Instant::now() + PATIENCE;
    // Until the bell says that there is no room left.
    while Instant::now() < deadline {
        master.write_all(&[b'x'; 2000]).unwrap();
        let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, 10u8).unwrap();
        if fds[0].any() == Some(true) {
            break;
        }
    }
    read_until(&mut master, 7);
    master.write_all(b"\r~.").unwrap();
    assert_eq!(rig.outcome().unwrap(), Outcome::Left);
    drop(guest);
}

#[test]
fn a_terminal_that_hangs_up_ends_the_session() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let master = with_terminal(&mut rig, 100);
    let _guest = accept(&listener);
    rig.wait_until_said("connected to");
    drop(master);
    assert_eq!(rig.outcome().unwrap(), Outcome::InputEnded);
}

#[test]
fn help_is_shown_and_the_guest_does_not_see_the_question() {
    let mut rig = Rig::new();
    let listener = rig.listen();
    let mut master = with_terminal(&mut rig, 100);
    let mut guest = accept(&listener);
    rig.wait_until_said("connected to");
    master.write_all(b"~?x\r~.").unwrap();
    assert_eq!(rig.outcome().unwrap(), Outcome::Left);
    assert!(rig.said().contains("~~ sends a tilde"), "{}", rig.said());
    let mut seen = String::new();
    guest.read_to_string(&mut seen).unwrap();
    assert_eq!(seen, "x\r", "what was typed before leaving, and nothing else");
}
