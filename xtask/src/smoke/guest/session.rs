//! A shell on a guest's console, driven: programs run in it, and their output and exit status come back whole.
//!
//! It knows no step and no profile. A program that takes too long is interrupted; a shell that then does not answer any
//! more is lost.

use std::time::Duration;

use thiserror::Error;

use super::console::{Console, ConsoleError};
use super::frame::{self, AGENT, Found};
use crate::smoke::target::{Ran, quoted_line};

/// Where a guest's shell keeps what it is sent.
pub const FOLDER: &str = "/tmp/vboxsvc-smoke";
/// How long a shell that has nothing to do may take to answer.
const ANSWER: Duration = Duration::from_secs(15);
/// Lines that are typed before an answer is waited for: a console's buffer is small.
const LINES_AT_ONCE: usize = 8;
/// How often something that line noise has hit is sent or asked for again.
const TRIES: u32 = 4;
const INTERRUPT: &str = "\u{3}";
const QUIT: &str = "\u{1c}";

#[derive(Debug, Error)]
pub enum SessionError {
    #[error("it did not end within {} s and was interrupted", limit.as_secs())]
    TimedOut { limit: Duration, stdout: String, stderr: String },
    #[error("the console is too noisy: {0} did not come over whole in {TRIES} tries")]
    Noise(&'static str),
    #[error("the guest cannot write to {0} what it is sent: is its disk full?")]
    NoRoom(String),
    #[error("the shell does not answer any more after a program that did not end within {} s", .0.as_secs())]
    Stuck(Duration),
    #[error(transparent)]
    Console(#[from] ConsoleError),
}

pub struct Session {
    console: Console,
    folder: String,
    /// Every question has a number of its own, so that no late answer is taken for another one's.
    last: u32,
    patience: u32,
}

impl Session {
    /// Takes over a console at whose shell somebody has logged in; `folder` is the session's own, in the guest.
    pub fn open(console: Console, folder: &str, patience: u32) -> Result<Self, SessionError> {
        let mut session = Session { console, folder: folder.to_string(), last: 0, patience };
        // What somebody's own shell would make of the lines, its prompts and its colours, is of no use here.
        session.console.write("exec /bin/sh\n")?;
        session.answered()?;
        session.console.write(&format!("stty -echo; PS1=; PS2=; TERM=dumb; mkdir -p -m 700 {folder}\n"))?;
        session.answered()?;
        session.write("agent", AGENT.as_bytes())?;
        Ok(session)
    }

    /// Takes over the console of a guest that came back out of a snapshot, where a session was open when it was taken.
    pub fn again(console: Console, folder: &str, patience: u32) -> Result<Self, SessionError> {
        let mut session = Session { console, folder: folder.to_string(), last: 0, patience };
        session.answered()?;
        Ok(session)
    }

    pub fn console(&mut self) -> &mut Console {
        &mut self.console
    }

    /// Gives the console back, with a shell on it that is of no more use.
    pub fn into_console(self) -> Console {
        self.console
    }

    /// Runs a program.
    pub fn run(&mut self, words: &[String], stdin: &[u8], limit: Duration) -> Result<Ran, SessionError> {
        let command = quoted_line(words) + "\n";
        for _ in 0..TRIES {
            self.send(&[("command", command.as_bytes()), ("input", stdin)])?;
            let sums = format!("{} {}", frame::summed(command.as_bytes()), frame::summed(stdin));
            if let Some(ran) = self.ended(&sums, limit)? {
                return Ok(ran);
            }
        }
        Err(self.torn("a command")?)
    }

    /// Types something that ends the session, such as a reboot, and expects no answer.
    pub fn leave(&mut self, words: &[String]) -> Result<(), SessionError> {
        self.console.skip();
        Ok(self.console.write(&(quoted_line(words) + "\n"))?)
    }

    /// Starts what was sent and waits for its end; nothing where it did not come over whole.
    fn ended(&mut self, sums: &str, limit: Duration) -> Result<Option<Ran>, SessionError> {
        let id = self.number();
        let agent = format!("/bin/sh {0}/agent {0}", self.folder);
        self.console.write(&format!("{agent} {id} {sums}\n"))?;
        // A line that noise has hit in a bad place is not seen as the end: then the end is asked for, after the bound.
        let (bound, mut limit, mut interrupted) = (limit, limit, false);
        for _ in 0..TRIES {
            match self.console.wait("a program's end", limit, |text| frame::find(text, id)) {
                Ok(Found::Whole(ran)) => return Ok(Some(ran)),
                Ok(Found::Garbled) => return Ok(None),
                Ok(Found::Unfinished(stdout, stderr)) if interrupted => {
                    return Err(SessionError::TimedOut { limit: bound, stdout, stderr });
                }
                Ok(Found::Unfinished(..)) => return Err(SessionError::Noise("a program's end")),
                Ok(Found::Damaged) => {}
                Err(ConsoleError::TimedOut { .. }) if !interrupted => {
                    self.interrupt(limit)?;
                    (interrupted, limit) = (true, ANSWER * self.patience);
                }
                Err(ConsoleError::TimedOut { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            self.console.write(&format!("{agent} {id}\n"))?;
        }
        Err(SessionError::Noise("a program's output"))
    }

    /// Ends what runs.
    fn interrupt(&mut self, limit: Duration) -> Result<(), SessionError> {
        for key in [INTERRUPT, QUIT] {
            self.console.write(&format!("{key}\n"))?;
            match self.answered() {
                Ok(()) => return Ok(()),
                Err(SessionError::Console(ConsoleError::TimedOut { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(SessionError::Stuck(limit))
    }

    /// Writes a file of the session and makes sure that it came over whole.
    fn write(&mut self, name: &str, content: &[u8]) -> Result<(), SessionError> {
        for _ in 0..TRIES {
            self.send(&[(name, content)])?;
            let check = format!("[ \"`cksum <{}/{name}`\" = \"{}\" ]", self.folder, frame::summed(content));
            if self.asked(&check)? {
                return Ok(());
            }
        }
        Err(self.torn("a file")?)
    }

    /// Why something did not come over whole: a full disk loses as much as line noise, and every time.
    fn torn(&mut self, what: &'static str) -> Result<SessionError, SessionError> {
        let has_room = self.asked(&format!("echo room >{}/room", self.folder))?;
        Ok(if has_room { SessionError::Noise(what) } else { SessionError::NoRoom(self.folder.clone()) })
    }

    /// Whether a line of shell succeeds.
    fn asked(&mut self, line: &str) -> Result<bool, SessionError> {
        let id = self.number();
        self.console.write(&format!("{line} && printf '@@%s %s\\n' yes {id} || printf '@@%s %s\\n' no {id}\n"))?;
        let (yes, no) = (format!("@@yes {id}\n"), format!("@@no {id}\n"));
        Ok(self.console.wait("an answer", ANSWER * self.patience, |text| {
            let found = |mark: &str| text.find(mark).map(|at| at + mark.len());
            found(&yes).map(|end| (true, end)).or_else(|| found(&no).map(|end| (false, end)))
        })?)
    }

    fn send(&mut self, files: &[(&str, &[u8])]) -> Result<(), SessionError> {
        let lines =
            |(name, content): &(&str, &[u8])| frame::lines_that_write(&format!("{}/{name}", self.folder), content);
        let lines: Vec<String> = files.iter().flat_map(lines).collect();
        for some in lines.chunks(LINES_AT_ONCE) {
            self.console.write(&(some.join("\n") + "\n"))?;
            self.answered()?;
        }
        Ok(())
    }

    /// Waits until the shell has read all that was typed.
    fn answered(&mut self) -> Result<(), SessionError> {
        let mut tries = TRIES;
        loop {
            let id = self.number();
            // In two parts, so that the echo of the question is not taken for its answer.
            self.console.write(&format!("printf '@@%s %s\\n' here {id}\n"))?;
            tries -= 1;
            match self.console.wait_for(&format!("@@here {id}\n"), ANSWER * self.patience / TRIES) {
                Ok(_) => return Ok(()),
                Err(ConsoleError::TimedOut { .. }) if tries > 0 => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }
}

#[cfg(test)]
mod tests;
