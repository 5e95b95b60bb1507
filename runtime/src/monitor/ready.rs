//! What the monitor tells the start method through the pipe that is its standard output: one line, then end of file.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The longest line taken; the monitor's reasons are short.
const LONGEST: usize = 4096;

/// The line for this outcome.
pub fn line(outcome: &Result<(), String>) -> String {
    match outcome {
        Ok(()) => "ready\n".to_string(),
        Err(reason) => format!("failed {}\n", reason.replace('\n', " ")),
    }
}

/// Waits for the monitor's word. `None`: nothing came before the deadline.
pub fn wait(pipe: &mut (impl Read + AsFd), deadline: Option<Instant>) -> io::Result<Option<Result<(), String>>> {
    let mut heard = Vec::new();
    loop {
        let timeout = match deadline.map(|d| d.saturating_duration_since(Instant::now())) {
            None => PollTimeout::NONE,
            Some(Duration::ZERO) => return Ok(None),
            Some(left) => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
        };
        match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        let mut chunk = [0; 512];
        let n = match pipe.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read?,
        };
        heard.extend_from_slice(&chunk[..n]);
        if n == 0 || heard.contains(&b'\n') || heard.len() > LONGEST {
            return Ok(Some(read(&heard)));
        }
    }
}

fn read(heard: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(heard);
    let line = text.lines().next().unwrap_or_default();
    match line.split_once(' ') {
        _ if line == "ready" => Ok(()),
        Some(("failed", reason)) => Err(reason.to_string()),
        _ => Err("the monitor ended without a word; the lines before this one may tell why".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn heard(text: &str) -> Option<Result<(), String>> {
        let (mut reader, mut writer) = io::pipe().unwrap();
        writer.write_all(text.as_bytes()).unwrap();
        drop(writer);
        wait(&mut reader, Some(Instant::now() + Duration::from_secs(5))).unwrap()
    }

    #[test]
    fn each_outcome_comes_through_as_it_was() {
        for outcome in [Ok(()), Err("no such VM: web".to_string())] {
            assert_eq!(heard(&line(&outcome)), Some(outcome));
        }
    }

    #[test]
    fn a_monitor_that_dies_silently_is_a_failure() {
        assert!(heard("").unwrap().is_err());
        assert!(heard("rea").unwrap().is_err());
    }

    #[test]
    fn a_silent_monitor_is_not_waited_for_beyond_the_deadline() {
        let (mut reader, _writer) = io::pipe().unwrap();
        let deadline = Instant::now() + Duration::from_millis(20);
        assert_eq!(wait(&mut reader, Some(deadline)).unwrap(), None);
    }
}
