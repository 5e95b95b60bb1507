//! How one logs in on a console, as data: texts to wait for and texts to type.

use std::time::Duration;

use serde::Deserialize;

use super::console::{Console, ConsoleError};

/// One move of a log-in. In a profile: `{ wait = "login: " }`, `{ write = "root\n" }`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Move {
    Wait(String),
    Write(String),
}

/// Plays the moves; the first wait takes as long as the boot may, every other one `answer`.
pub fn log_in(console: &mut Console, moves: &[Move], boot: Duration, answer: Duration) -> Result<(), ConsoleError> {
    let mut limit = boot;
    for step in moves {
        match step {
            Move::Wait(text) => {
                console.wait_for(text, limit)?;
                limit = answer;
            }
            Move::Write(text) => console.write(text)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[derive(Deserialize)]
    struct Profile {
        login: Vec<Move>,
    }

    #[test]
    fn a_log_in_is_read_from_a_profile_and_played() {
        let text = "login = [{ wait = \"login: \" }, { write = \"root\\n\" }, { wait = \"# \" }]";
        let profile: Profile = toml::from_str(text).unwrap();
        let (ours, mut guest) = UnixStream::pair().unwrap();
        let player = std::thread::spawn(move || {
            guest.write_all(b"host console login: ").unwrap();
            let mut typed = [0; 5];
            guest.read_exact(&mut typed).unwrap();
            guest.write_all(b"root\r\nWelcome\r\n# ").unwrap();
            typed
        });
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut console = Console::new(ours, log.path(), Vec::new()).unwrap();
        let limit = Duration::from_secs(20);
        log_in(&mut console, &profile.login, limit, limit).unwrap();
        assert_eq!(&player.join().unwrap(), b"root\n");
    }
}
