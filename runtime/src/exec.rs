//! The one runner of external programs.
//!
//! Every program this project starts and waits for goes through [`Runner::run`]: a program path, arguments, a whole
//! environment and a deadline go in; how it ended and what it printed come out. There is never a shell in between.
//! This module knows nothing of SMF or VirtualBox.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// What one program may print: more than any list of machines needs, and bounded. More is an error and no cut, for the
/// rest of a list would be missing from whatever is made of it.
const OUTPUT_LIMIT: usize = 16 << 20;
/// How much of it is read at a time.
const CHUNK: usize = 16 << 10;
/// How long an exited program's descendants may hold its pipes open before its output counts as complete.
const LINGER: Duration = Duration::from_millis(50);

/// One call of an external program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    pub stdin: Option<Vec<u8>>,
    pub deadline: Duration,
    /// Only the deadline ends it, nothing more urgent does: being killed at its work would do harm.
    pub to_its_end: bool,
}

impl Call {
    pub fn new(program: impl Into<PathBuf>, deadline: Duration) -> Self {
        Call { program: program.into(), args: Vec::new(), env: Vec::new(), stdin: None, deadline, to_its_end: false }
    }

    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(|a| a.as_ref().to_os_string()));
        self
    }

    pub fn env(mut self, env: &[(OsString, OsString)]) -> Self {
        self.env.extend_from_slice(env);
        self
    }

    pub fn to_its_end(mut self) -> Self {
        self.to_its_end = true;
        self
    }

    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// The program ready to be started, in a process group of its own and with nothing on its standard input.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).env_clear().envs(self.env.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null()).process_group(0);
        command
    }

    /// The call as a person would type it, for messages.
    pub fn shown(&self) -> String {
        let name = self.program.file_name().unwrap_or(self.program.as_os_str());
        let words = std::iter::once(name).chain(self.args.iter().map(OsString::as_os_str));
        words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Exited(i32),
    Signaled(i32),
    /// The deadline passed; the program and its process group were killed.
    TimedOut,
    /// Something more urgent came up; the program and its process group were killed.
    Interrupted,
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Ended::Exited(code),
            (None, Some(signal)) => Ended::Signaled(signal),
            (None, None) => Ended::Signaled(0),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    pub ended: Ended,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    pub fn success(&self) -> bool {
        self.ended == Ended::Exited(0)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    #[error("cannot run {program}: {source}")]
    Spawn { program: String, source: io::Error },
    #[error("cannot talk to {program}: {source}")]
    Pipe { program: String, source: io::Error },
}

pub trait Runner {
    fn run(&self, call: &Call) -> Result<Output, ExecError>;
}

/// Runs programs for real, each in a process group of its own so that a deadline takes its children with it.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRunner;

impl Runner for SystemRunner {
    fn run(&self, call: &Call) -> Result<Output, ExecError> {
        run(call, &|| false)
    }
}

/// As [`SystemRunner`], but a call ends early, killed, once `interrupted` says that something more urgent came up.
pub struct InterruptibleRunner<'a> {
    pub interrupted: &'a dyn Fn() -> bool,
}

impl Runner for InterruptibleRunner<'_> {
    fn run(&self, call: &Call) -> Result<Output, ExecError> {
        run(call, if call.to_its_end { &|| false } else { self.interrupted })
    }
}

fn run(call: &Call, interrupted: &dyn Fn() -> bool) -> Result<Output, ExecError> {
    // A deadline beyond all time is none.
    let deadline = Instant::now().checked_add(call.deadline);
    let program = || call.program.display().to_string();
    let mut command = call.command();
    if call.stdin.is_some() {
        command.stdin(Stdio::piped());
    }
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| ExecError::Spawn { program: program(), source })?;
    let talked = converse(&mut child, call.stdin.as_deref(), deadline, interrupted);
    if !matches!(talked, Ok((Ended::Exited(_) | Ended::Signaled(_), ..))) {
        kill_group(&mut child);
    }
    let (ended, stdout, stderr) = talked.map_err(|source| ExecError::Pipe { program: program(), source })?;
    Ok(Output { ended, stdout, stderr })
}

fn kill_group(child: &mut Child) {
    // Both can only fail when the process is already gone, which is what is wanted.
    let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
    let _ = child.wait();
}

/// Feeds and drains the child until it ended, the deadline passed or something more urgent came up.
fn converse(
    child: &mut Child,
    input: Option<&[u8]>,
    deadline: Option<Instant>,
    interrupted: &dyn Fn() -> bool,
) -> io::Result<(Ended, Vec<u8>, Vec<u8>)> {
    let mut stdin = child.stdin.take();
    let mut input = input.unwrap_or_default();
    let (mut out, mut err) = (Sink::new(child.stdout.take())?, Sink::new(child.stderr.take())?);
    if let Some(pipe) = &stdin {
        nonblocking(pipe)?;
    }
    let mut chunk = vec![0; CHUNK];
    let mut ended: Option<(Ended, Instant)> = None;
    let mut nap = Duration::from_millis(1);
    loop {
        if input.is_empty() {
            stdin = None;
        }
        if let Some(pipe) = &mut stdin {
            match pipe.write(input) {
                Ok(n) => input = &input[n..],
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(_) => input = &[], // the program does not want to hear more: its exit status tells
            }
        }
        let progress = out.drain(&mut chunk)? | err.drain(&mut chunk)?;
        if ended.is_none() {
            ended = match child.try_wait() {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => None,
                tried => tried?.map(|status| (status.into(), Instant::now())),
            };
        }
        let now = Instant::now();
        match ended {
            Some((how, since)) if is_complete(out.done() && err.done(), progress, now - since) => {
                return Ok((how, out.bytes, err.bytes));
            }
            _ if deadline.is_some_and(|d| now >= d) => return Ok((Ended::TimedOut, out.bytes, err.bytes)),
            None if interrupted() => return Ok((Ended::Interrupted, out.bytes, err.bytes)),
            _ => {}
        }
        nap = if progress { Duration::from_millis(1) } else { (nap * 2).min(Duration::from_millis(20)) };
        let left = deadline.map_or(nap, |d| d.saturating_duration_since(now));
        let wake = nap.min(left).max(Duration::from_millis(1));
        wait_readable(&out, &err, wake)?;
    }
}

/// Whether all is there that an exited program has printed. A daemon that it left behind may keep the pipes open for ever;
/// but what has just been read may not be the last, however late a busy host let us read it.
fn is_complete(closed: bool, progress: bool, since_exit: Duration) -> bool {
    closed || (!progress && since_exit >= LINGER)
}

fn wait_readable(out: &Sink, err: &Sink, wait: Duration) -> io::Result<()> {
    let open: Vec<_> = [out, err].into_iter().filter_map(|s| s.pipe.as_ref()).collect();
    if open.is_empty() {
        std::thread::sleep(wait);
        return Ok(());
    }
    let mut fds: Vec<PollFd> = open.iter().map(|p| PollFd::new(p.as_fd(), PollFlags::POLLIN)).collect();
    let wait = PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX);
    match poll(&mut fds, wait) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn nonblocking(fd: impl AsFd) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_truncate(fcntl(&fd, FcntlArg::F_GETFL)?);
    fcntl(&fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

trait Pipe: Read + AsFd {}
impl<T: Read + AsFd> Pipe for T {}

/// One output pipe being collected.
struct Sink {
    pipe: Option<Box<dyn Pipe>>,
    bytes: Vec<u8>,
}

impl Sink {
    fn new(pipe: Option<impl Pipe + 'static>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            nonblocking(pipe)?;
        }
        Ok(Sink { pipe: pipe.map(|p| Box::new(p) as Box<dyn Pipe>), bytes: Vec::new() })
    }

    fn done(&self) -> bool {
        self.pipe.is_none()
    }

    /// Takes what is there, by way of `chunk`; true when something was.
    fn drain(&mut self, chunk: &mut [u8]) -> io::Result<bool> {
        let Some(pipe) = &mut self.pipe else { return Ok(false) };
        match pipe.read(chunk) {
            Ok(0) => self.pipe = None,
            Ok(n) if self.bytes.len() + n > OUTPUT_LIMIT => {
                return Err(io::Error::other(format!("it printed more than {} MiB", OUTPUT_LIMIT >> 20)));
            }
            Ok(n) => self.bytes.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        Ok(true)
    }
}

/// The file in the first of `directories` that can be executed under this name.
pub fn find_in(directories: &[PathBuf], name: &str) -> Option<PathBuf> {
    directories.iter().map(|d| d.join(name)).find(|p| is_executable(p))
}

fn is_executable(path: &Path) -> bool {
    use nix::unistd::{AccessFlags, access};
    path.is_file() && access(path, AccessFlags::X_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Call {
        Call::new("/bin/sh", Duration::from_secs(5)).args(["-c", script])
    }

    #[test]
    fn both_streams_and_the_exit_status_are_told_apart() {
        let got = SystemRunner.run(&sh("echo out; echo err >&2; exit 7")).unwrap();
        assert_eq!(got, Output { ended: Ended::Exited(7), stdout: b"out\n".into(), stderr: b"err\n".into() });
    }

    #[test]
    fn the_environment_is_only_what_was_given() {
        let call = Call::new("/usr/bin/env", Duration::from_secs(5)).env(&[("A".into(), "b c".into())]);
        assert_eq!(SystemRunner.run(&call).unwrap().stdout, b"A=b c\n");
    }

    #[test]
    fn standard_input_of_any_size_arrives_whole() {
        let input = vec![b'x'; 300_000];
        let got = SystemRunner.run(&Call::new("/bin/cat", Duration::from_secs(20)).stdin(input.clone())).unwrap();
        assert!(got.stdout == input);
    }

    #[test]
    fn a_program_without_an_end_to_its_output_is_killed_and_an_error() {
        let mut call = Call::new("/bin/cat", Duration::from_secs(20)).args(["/dev/zero"]);
        let error = SystemRunner.run(&call).unwrap_err().to_string();
        assert_eq!(error, "cannot talk to /bin/cat: it printed more than 16 MiB");
        call.args = vec!["/dev/null".into()];
        assert!(SystemRunner.run(&call).unwrap().success());
    }

    #[test]
    fn a_hanging_program_is_killed_with_its_children_at_the_deadline() {
        let mut call = sh("echo started; sleep 600 & sleep 600");
        call.deadline = Duration::from_millis(200);
        let started = Instant::now();
        let got = SystemRunner.run(&call).unwrap();
        assert_eq!((got.ended, got.stdout.as_slice()), (Ended::TimedOut, b"started\n".as_slice()));
        assert!(started.elapsed() < Duration::from_secs(60), "the deadline was not kept");
    }

    #[test]
    fn a_call_without_a_deadline_is_waited_for() {
        let mut call = sh("exit 3");
        call.deadline = Duration::MAX;
        assert_eq!(SystemRunner.run(&call).unwrap().ended, Ended::Exited(3));
    }

    #[test]
    fn something_more_urgent_ends_a_call_early() {
        let runner = InterruptibleRunner { interrupted: &|| true };
        let started = Instant::now();
        assert_eq!(runner.run(&sh("sleep 600")).unwrap().ended, Ended::Interrupted);
        assert!(started.elapsed() < Duration::from_secs(4), "the call went on to its deadline");
    }

    #[test]
    fn a_call_that_is_to_go_on_to_its_end_does_whatever_comes_up() {
        let runner = InterruptibleRunner { interrupted: &|| true };
        let call = sh("sleep 0.2; exit 3");
        assert_eq!(runner.run(&call.to_its_end()).unwrap().ended, Ended::Exited(3));
    }

    #[test]
    fn a_daemon_that_keeps_the_pipes_open_does_not_hold_the_call() {
        let mut call = sh("sleep 600 & echo $!; exit 3");
        call.deadline = Duration::from_secs(60);
        let got = SystemRunner.run(&call).unwrap();
        assert_eq!(got.ended, Ended::Exited(3));
        let daemon: i32 = String::from_utf8(got.stdout).unwrap().trim().parse().unwrap();
        nix::sys::signal::kill(Pid::from_raw(daemon), Signal::SIGKILL).unwrap();
    }

    #[test]
    fn output_that_is_read_late_is_not_cut_off() {
        assert!(!is_complete(false, true, LINGER * 100));
        assert!(!is_complete(false, false, LINGER / 2));
        assert!(is_complete(false, false, LINGER) && is_complete(true, true, Duration::ZERO));
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = SystemRunner.run(&Call::new("/no/such/program", Duration::from_secs(1))).unwrap_err();
        assert!(error.to_string().contains("/no/such/program"), "{error}");
    }
}
