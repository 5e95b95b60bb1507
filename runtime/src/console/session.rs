//! The session: one poll(2) loop that carries bytes between the terminal and the console, and dials again.
//!
//! Nothing here blocks but poll itself, whatever hangs on either side, and what is on its way is bounded. It knows no
//! VM: only a socket, whose other end is VirtualBox's.

mod line;
mod report;

use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};

use super::buffer::Buffer;
use super::endpoint::Endpoint;
use super::escape::{Escape, Step};
use super::narrator::Narrator;
use super::pace::Pace;
use super::signals::{Asked, Signals};
use super::terminal::RawMode;
use line::{Call, Line, Stage};
use report::Told;

pub use line::Trouble;
pub use report::SessionError;

/// What one read or write moves at most: a pipe that poll(2) calls writable takes this much without blocking.
const CHUNK: usize = 4096;
/// What may wait on its way to the terminal, and to the guest.
const OUTPUT_LIMIT: usize = 64 << 10;
const INPUT_LIMIT: usize = 16 << 10;
/// After the end of the input the answer is waited for until nothing came for this long, …
const QUIET: Duration = Duration::from_millis(500);
/// … and of a guest that is never quiet no longer than this.
const LONGEST_ANSWER: Duration = Duration::from_secs(3);

/// What to connect to, and how often.
#[derive(Debug, Clone)]
pub struct Plan {
    pub endpoint: Endpoint,
    /// The longest wait between two tries; `None`: one connection only.
    pub retry: Option<Duration>,
}

/// Our side of the console.
#[derive(Debug)]
pub struct Ends {
    pub input: File,
    pub output: File,
    /// `None`: the input is no terminal. Then it is piped through as it is, and not read while nobody would get it.
    pub terminal: Option<RawMode>,
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// By `~.`.
    Left,
    InputEnded,
    /// Nobody reads our output any more.
    OutputClosed,
    /// The one connection that was wanted is over.
    ConsoleClosed,
    Signaled(i32),
}

/// Runs a session to its end; the terminal is given back by then.
pub fn run(plan: &Plan, ends: Ends, signals: &mut Signals, narrator: &mut Narrator) -> Result<Outcome, SessionError> {
    let now = Instant::now();
    let mut session = Session {
        plan,
        input: Some(ends.input),
        output: ends.output,
        terminal: ends.terminal,
        signals,
        narrator,
        line: Line::Down { again: now },
        pace: Pace::new(plan.retry.unwrap_or_default()),
        escape: Escape::new(),
        to_guest: Buffer::new(INPUT_LIMIT),
        to_output: Buffer::new(OUTPUT_LIMIT),
        input_ended: now,
        last_moved: now,
        mid_line: false,
        told: Told::Nothing,
    };
    let outcome = session.run();
    if let Ok(outcome) = &outcome {
        session.say(&report::ending(*outcome));
    }
    outcome
}

struct Session<'a> {
    plan: &'a Plan,
    /// `None` once it has ended.
    input: Option<File>,
    output: File,
    terminal: Option<RawMode>,
    signals: &'a mut Signals,
    narrator: &'a mut Narrator,
    line: Line,
    pace: Pace,
    escape: Escape,
    to_guest: Buffer,
    to_output: Buffer,
    input_ended: Instant,
    /// When the guest last said or was told something.
    last_moved: Instant,
    /// The output stands in the middle of a line.
    mid_line: bool,
    told: Told,
}

/// Where poll(2) saw something.
struct Ready {
    input: bool,
    output: bool,
    line: bool,
}

impl Session<'_> {
    fn run(&mut self) -> Result<Outcome, SessionError> {
        loop {
            if let Some(outcome) = self.obey()? {
                return Ok(outcome);
            }
            if let Some(outcome) = self.advance(Instant::now())? {
                return Ok(outcome);
            }
            let ready = self.wait(Instant::now())?;
            if let Some(outcome) = self.carry(&ready)? {
                return Ok(outcome);
            }
        }
    }

    fn obey(&mut self) -> Result<Option<Outcome>, SessionError> {
        while let Some(asked) = self.signals.asked() {
            match asked {
                Asked::End(signal) => return Ok(Some(Outcome::Signaled(signal))),
                Asked::Stop => {
                    self.terminal.iter().for_each(RawMode::restore);
                    raise(Signal::SIGSTOP).map_err(|errno| SessionError::Terminal(errno.into()))?;
                }
                // A shell gives a stopped job its own idea of the terminal back.
                Asked::Continued => {
                    if let Some(terminal) = &self.terminal {
                        terminal.set().map_err(SessionError::Terminal)?;
                    }
                }
            }
        }
        Ok(None)
    }

    /// What time alone brings about.
    fn advance(&mut self, now: Instant) -> Result<Option<Outcome>, SessionError> {
        match &self.line {
            Line::Down { again } if now >= *again => match Call::dial(&self.plan.endpoint, now) {
                Ok(call) => self.line = Line::Open(call),
                Err(source) => self.line = Line::Ended(Trouble::Unreachable(source)),
            },
            Line::Open(call) if call.is_overdue(now) => {
                self.line = Line::Ended(Trouble::Unreachable(Errno::ETIMEDOUT.into()));
            }
            Line::Open(call) if call.has_settled(now) => self.connected(),
            _ => {}
        }
        // What the guest said last is shown before it is said that it is gone.
        if self.to_output.is_empty()
            && matches!(self.line, Line::Ended(_))
            && let Line::Ended(trouble) = mem::replace(&mut self.line, Line::Down { again: now })
            && let Some(outcome) = self.lost(trouble, now)?
        {
            return Ok(Some(outcome));
        }
        Ok(self.is_finished(now).then_some(Outcome::InputEnded))
    }

    fn connected(&mut self) {
        if let Line::Open(call) = &mut self.line {
            call.stage = Stage::Up;
            self.told = Told::Connected;
            self.say(&report::connected(&self.plan.endpoint, self.terminal.is_some()));
        }
    }

    /// There is no connection, or no longer: tells why, and when to try again.
    fn lost(&mut self, trouble: Trouble, now: Instant) -> Result<Option<Outcome>, SessionError> {
        if let Trouble::Closed { lived } = trouble {
            self.pace.ended_after(lived);
        }
        if self.plan.retry.is_none() || trouble.is_hopeless() {
            return match report::failure(&self.plan.endpoint, trouble) {
                Some(error) => Err(error),
                None => Ok(Some(Outcome::ConsoleClosed)),
            };
        }
        if let Some(text) = self.told.next(&self.plan.endpoint, &trouble) {
            self.say(&text);
        }
        if self.terminal.is_some() {
            // What was typed for a guest that is gone is not meant for the boot loader of the next one.
            self.to_guest.clear();
            self.escape.new_line();
        }
        self.line = Line::Down { again: now + self.pace.gap() };
        Ok(None)
    }

    /// The input is at its end, the guest has all of it, and has answered or had its time to.
    fn is_finished(&self, now: Instant) -> bool {
        self.input.is_none() && self.to_guest.is_empty() && self.to_output.is_empty() && self.patience_ends() <= now
    }

    fn patience_ends(&self) -> Instant {
        match &self.line {
            Line::Open(_) => (self.last_moved + QUIET).min(self.input_ended + LONGEST_ANSWER),
            Line::Down { .. } | Line::Ended(_) => self.input_ended,
        }
    }

    fn wait(&mut self, now: Instant) -> Result<Ready, SessionError> {
        let mut fds = vec![PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
        let input = self.input.as_ref().filter(|_| self.wants_input()).map(|input| {
            fds.push(PollFd::new(input.as_fd(), PollFlags::POLLIN));
            fds.len() - 1
        });
        let output = (!self.to_output.is_empty()).then(|| {
            fds.push(PollFd::new(self.output.as_fd(), PollFlags::POLLOUT));
            fds.len() - 1
        });
        let line = match &self.line {
            Line::Open(call) => {
                let events = call.events(self.to_output.room() > 0, !self.to_guest.is_empty());
                // A socket that is closed is always ready: with nothing wanted of it poll would never wait.
                (!events.is_empty()).then(|| {
                    fds.push(PollFd::new(call.socket.as_fd(), events));
                    fds.len() - 1
                })
            }
            Line::Down { .. } | Line::Ended(_) => None,
        };
        match poll(&mut fds, self.timeout(now)) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(SessionError::Wait(errno.into())),
        }
        let seen = |at: Option<usize>| at.and_then(|at| fds.get(at)).and_then(PollFd::any).unwrap_or(false);
        Ok(Ready { input: seen(input), output: seen(output), line: seen(line) })
    }

    fn wants_input(&self) -> bool {
        match (&self.terminal, &self.line) {
            // Keys are read even where they reach nobody: `~.` must.
            (Some(_), Line::Open(call)) => call.stage != Stage::Settling,
            (Some(_), _) => true,
            (None, Line::Open(call)) => call.takes_input() && self.to_guest.room() > 0,
            (None, _) => false,
        }
    }

    fn timeout(&self, now: Instant) -> PollTimeout {
        let line = match &self.line {
            Line::Down { again } => Some(*again),
            Line::Open(call) => call.next_change(),
            Line::Ended(_) => None,
        };
        let end = (self.input.is_none() && self.to_guest.is_empty() && self.to_output.is_empty())
            .then(|| self.patience_ends());
        let Some(next) = [line, end].into_iter().flatten().min() else { return PollTimeout::NONE };
        // Rounded up: poll counts in milliseconds, and one too early would be a turn for nothing.
        let wait = next.saturating_duration_since(now) + Duration::from_millis(1);
        PollTimeout::try_from(wait).unwrap_or(PollTimeout::MAX)
    }

    fn carry(&mut self, ready: &Ready) -> Result<Option<Outcome>, SessionError> {
        if ready.line {
            self.hear_and_tell();
        }
        if ready.output {
            match self.to_output.write_to(&mut self.output, CHUNK) {
                Ok(Some(last)) => self.mid_line = last != b'\n',
                Ok(None) => {}
                Err(error) if is_hang_up(&error) => return Ok(Some(Outcome::OutputClosed)),
                Err(error) => return Err(SessionError::Output(error)),
            }
        }
        if ready.input {
            return self.take_input();
        }
        Ok(None)
    }

    fn hear_and_tell(&mut self) {
        let Line::Open(call) = &mut self.line else { return };
        if call.stage == Stage::Connecting {
            if let Err(trouble) = call.answered(Instant::now()) {
                self.line = Line::Ended(trouble);
            }
            return;
        }
        let mut chunk = [0; CHUNK];
        let room = self.to_output.room().min(CHUNK);
        let mut first_words = false;
        if let (true, Some(space)) = (room > 0, chunk.get_mut(..room)) {
            match call.socket.read(space) {
                Ok(n) if n > 0 => {
                    self.to_output.push(chunk.get(..n).unwrap_or_default());
                    self.last_moved = Instant::now();
                    first_words = call.stage == Stage::Settling;
                    call.heard = true;
                }
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                _ => {
                    self.line = Line::Ended(call.over(Instant::now()));
                    return;
                }
            }
        }
        if call.takes_input() && !self.to_guest.is_empty() {
            match self.to_guest.write_to(&mut call.socket, CHUNK) {
                Ok(_) => self.last_moved = Instant::now(),
                // What it still has to say can be read to its end.
                Err(_) => call.deaf = true,
            }
        }
        if first_words {
            self.connected();
        }
    }

    fn take_input(&mut self) -> Result<Option<Outcome>, SessionError> {
        let Some(input) = &mut self.input else { return Ok(None) };
        let mut chunk = [0; CHUNK];
        let room = if self.terminal.is_some() { CHUNK } else { self.to_guest.room().min(CHUNK) };
        match input.read(chunk.get_mut(..room).unwrap_or_default()) {
            Ok(0) => self.input_is_over(),
            Ok(n) if self.terminal.is_some() => return Ok(self.typed(chunk.get(..n).unwrap_or_default())),
            Ok(n) => {
                self.to_guest.push(chunk.get(..n).unwrap_or_default());
            }
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(e) if is_hang_up(&e) => self.input_is_over(),
            Err(e) => return Err(SessionError::Input(e)),
        }
        // The end of a terminal is a hang-up: nobody waits for an answer.
        Ok((self.input.is_none() && self.terminal.is_some()).then_some(Outcome::InputEnded))
    }

    fn input_is_over(&mut self) {
        self.input = None;
        self.input_ended = Instant::now();
        self.last_moved = self.input_ended;
    }

    fn typed(&mut self, keys: &[u8]) -> Option<Outcome> {
        let takes_input = matches!(&self.line, Line::Open(call) if call.takes_input());
        let mut unheard = false;
        for &key in keys {
            let arrived = match self.escape.feed(key) {
                Step::Held => true,
                Step::Pass(key) => takes_input && self.to_guest.push(&[key]),
                Step::PassWithTilde(key) => takes_input && self.to_guest.push(&[b'~', key]),
                Step::Leave => {
                    self.send_at_last();
                    return Some(Outcome::Left);
                }
                Step::Help => {
                    for line in report::HELP {
                        self.say(line);
                    }
                    true
                }
            };
            unheard |= !arrived;
        }
        if unheard {
            // A key that reaches nobody rings the bell.
            self.to_output.push(b"\x07");
        }
        None
    }

    /// What was typed before leaving goes out, where it can at once.
    fn send_at_last(&mut self) {
        if let Line::Open(call) = &mut self.line
            && call.takes_input()
        {
            let _ = self.to_guest.write_to(&mut call.socket, INPUT_LIMIT);
        }
    }

    fn say(&mut self, text: &str) {
        self.narrator.say(text, self.mid_line);
        self.mid_line = false;
    }
}

/// The other end of our own input or output is gone.
fn is_hang_up(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe || error.raw_os_error() == Some(Errno::EIO as i32)
}

#[cfg(test)]
mod tests;
