//! A guest's serial console: what it sends is logged, cleaned and waited for.
//!
//! It knows neither log-ins nor programs. Every wait has an end: the text, a mark of the guest's death, or the bound.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::clean::Cleaner;

/// How much of the cleaned text is kept to search in and to show.
const KEPT: usize = 256 * 1024;
/// What a screen shows.
const SCREEN_LINES: usize = 40;
/// How much is logged of a guest that never stops talking.
const LONGEST_LOG: u64 = 16 * 1024 * 1024;
/// The longest sleep between two looks at the bound.
const SLICE: Duration = Duration::from_millis(200);

#[derive(Debug, Error)]
pub enum ConsoleError {
    #[error("waited {} s in vain for {what}; the console's last line is {last:?}", limit.as_secs())]
    TimedOut { what: String, limit: Duration, last: String },
    #[error("the guest has crashed: {0}")]
    Crashed(String),
    #[error("the console was closed: QEMU has ended")]
    Closed,
    #[error("the console cannot be used: {0}")]
    Io(#[from] io::Error),
}

pub struct Console {
    stream: UnixStream,
    log: File,
    logged: u64,
    cleaner: Cleaner,
    /// The cleaned text, without what was too long ago.
    text: String,
    /// Where in it the next wait begins to look.
    seen: usize,
    /// Where in it the next search for a crash begins.
    judged: usize,
    /// What a dying kernel prints.
    crash_marks: Vec<String>,
}

impl Console {
    /// The log is written on, where there is one.
    pub fn new(stream: UnixStream, log: &Path, crash_marks: Vec<String>) -> Result<Self, ConsoleError> {
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        let log = File::options().create(true).append(true).open(log)?;
        let (cleaner, text) = (Cleaner::default(), String::new());
        Ok(Console { stream, log, logged: 0, cleaner, text, seen: 0, judged: 0, crash_marks })
    }

    /// Types on it.
    pub fn write(&mut self, text: &str) -> Result<(), ConsoleError> {
        match self.stream.write_all(text.as_bytes()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(ConsoleError::Closed),
            other => Ok(other?),
        }
    }

    /// Waits for a text and gives what came before it. What was seen is not looked at again.
    pub fn wait_for(&mut self, wanted: &str, limit: Duration) -> Result<String, ConsoleError> {
        self.wait(&format!("{wanted:?}"), limit, |text| {
            text.find(wanted).map(|at| (text[..at].to_string(), at + wanted.len()))
        })
    }

    /// Waits until `find` makes something of the text not seen yet; it also says how much of the text that took.
    pub fn wait<T>(
        &mut self,
        what: &str,
        limit: Duration,
        find: impl Fn(&str) -> Option<(T, usize)>,
    ) -> Result<T, ConsoleError> {
        let until = Instant::now() + limit;
        loop {
            if let Some((found, length)) = find(&self.text[self.seen..]) {
                self.seen += length;
                return Ok(found);
            }
            if self.crash().is_some() {
                // What a dying kernel still has to say, the rest of that line first.
                self.read_for(Duration::from_secs(1));
                return Err(ConsoleError::Crashed(self.crash().unwrap_or_default()));
            }
            // An unfinished line is looked at again when more of it has come.
            self.judged = self.text.rfind('\n').map_or(0, |at| at + 1);
            if Instant::now() >= until {
                return Err(ConsoleError::TimedOut { what: what.to_string(), limit, last: self.last_line() });
            }
            self.read()?;
        }
    }

    /// The line with the mark of a crash that came since the last look.
    fn crash(&self) -> Option<String> {
        let mut new = self.text[self.judged..].lines();
        new.find(|line| self.crash_marks.iter().any(|mark| line.contains(mark.as_str()))).map(str::to_string)
    }

    fn read_for(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until && self.read().is_ok() {}
    }

    /// Takes in what has come, waiting a little for something to come.
    fn read(&mut self) -> Result<(), ConsoleError> {
        let mut buffer = [0; 16 * 1024];
        let count = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ConsoleError::Closed),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Err(ConsoleError::Closed),
            Err(error) => {
                use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
                return match error.kind() {
                    Interrupted | TimedOut | WouldBlock => Ok(()),
                    _ => Err(error.into()),
                };
            }
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        if self.logged < LONGEST_LOG {
            self.log.write_all(bytes)?;
            self.logged += count as u64;
        }
        let text = self.cleaner.feed(bytes);
        self.text.push_str(&text);
        self.forget();
        Ok(())
    }

    /// Drops the oldest text.
    fn forget(&mut self) {
        if self.text.len() <= 2 * KEPT {
            return;
        }
        let mut cut = self.text.len() - KEPT;
        while !self.text.is_char_boundary(cut) {
            cut += 1;
        }
        self.text.drain(..cut);
        self.seen = self.seen.saturating_sub(cut);
        self.judged = self.judged.saturating_sub(cut);
    }

    /// From here on only what comes is looked at.
    pub fn skip(&mut self) {
        self.seen = self.text.len();
    }

    fn last_line(&self) -> String {
        self.text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_string()
    }

    /// The last lines, as a screen would show them.
    pub fn screen(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        lines[lines.len().saturating_sub(SCREEN_LINES)..].join("\n")
    }

    /// All of the text that is still kept.
    pub fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    const AT_ONCE: Duration = Duration::ZERO;

    fn pair() -> (Console, UnixStream) {
        let (ours, guests) = UnixStream::pair().unwrap();
        let log = tempfile::NamedTempFile::new().unwrap();
        let marks = vec!["Kernel panic".to_string()];
        (Console::new(ours, log.path(), marks).unwrap(), guests)
    }

    #[test]
    fn a_text_is_found_across_pieces_and_colours_and_only_once() {
        let (mut console, mut guest) = pair();
        guest.write_all(b"booting\r\nlo").unwrap();
        guest.write_all(b"\x1b[1mgin\x1b[0m: ").unwrap();
        assert_eq!(console.wait_for("login: ", SOON).unwrap(), "booting\n");
        assert!(matches!(console.wait_for("login: ", AT_ONCE), Err(ConsoleError::TimedOut { .. })));
    }

    #[test]
    fn a_wait_in_vain_tells_what_for_and_what_was_there() {
        let (mut console, mut guest) = pair();
        guest.write_all(b"fsck: rpool?\r\n").unwrap();
        console.wait_for("fsck", SOON).unwrap();
        let error = console.wait_for("login: ", AT_ONCE).unwrap_err().to_string();
        assert_eq!(error, "waited 0 s in vain for \"login: \"; the console's last line is \"fsck: rpool?\"");
    }

    #[test]
    fn a_crash_ends_the_wait_and_is_told_with_its_line() {
        let (mut console, mut guest) = pair();
        guest.write_all(b"[ 1.0] Kernel panic - not syncing: test\r\n[ 1.1] bye\r\n").unwrap();
        let error = console.wait_for("login: ", SOON).unwrap_err();
        let ConsoleError::Crashed(line) = error else { panic!("{error}") };
        assert_eq!(line, "[ 1.0] Kernel panic - not syncing: test");
        assert!(console.screen().ends_with("bye"));
    }

    #[test]
    fn the_end_of_qemu_ends_the_wait() {
        let (mut console, guest) = pair();
        drop(guest);
        assert!(matches!(console.wait_for("login: ", SOON), Err(ConsoleError::Closed)));
    }

    #[test]
    fn what_is_kept_is_bounded_and_the_newest() {
        let (mut console, mut guest) = pair();
        let writer = std::thread::spawn(move || {
            for _ in 0..40 {
                guest.write_all(&[b'x'; 32 * 1024]).unwrap();
            }
            guest.write_all(b"the end").unwrap();
            guest
        });
        console.wait_for("the end", SOON).unwrap();
        assert!(console.text().len() <= 2 * KEPT);
        drop(writer.join().unwrap());
    }
}
