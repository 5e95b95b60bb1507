//! Waiting for a command no longer than it may take.

use std::io;
use std::process::{Child, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

const GAP: Duration = Duration::from_millis(10);

/// Runs the command; `None` when it was still running at the limit and has been killed.
pub fn status(command: &mut Command, limit: Duration) -> io::Result<Option<ExitStatus>> {
    wait(&mut command.spawn()?, limit)
}

/// Waits for a command that runs; `None` when it was still running at the limit and has been killed.
pub fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            // Both can only fail when the process is already gone, which is what is wanted.
            let _ = child.kill();
            let _ = child.wait();
            return Ok(None);
        }
        sleep(GAP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_in_time_gives_its_status() {
        let status = status(Command::new("sh").args(["-c", "exit 7"]), Duration::from_secs(30)).unwrap().unwrap();
        assert_eq!(status.code(), Some(7));
    }

    #[test]
    fn a_command_past_its_limit_is_ended() {
        let began = Instant::now();
        assert!(status(Command::new("sleep").arg("60"), Duration::from_millis(100)).unwrap().is_none());
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
