//! The state of a machine, in a file: written when it stands still, and read into a fresh QEMU of the same machine.
//!
//! It is QEMU's migration, over a socket whose other end is here: no release of QEMU differs in that, no shell is in
//! between, and what passes is counted and summed. The disk is not in it. What the file belongs to is not known here.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::qmp::{Qmp, QmpError};
use crate::hash;

/// The socket, in the folder that QEMU runs in.
const SOCKET: &str = "state.sock";
/// Gibibytes to a disk that others use as well.
const PASSAGE: Duration = Duration::from_secs(600);
/// The longest that neither end of the socket may move.
const STALL: Duration = Duration::from_secs(60);
const GAP: Duration = Duration::from_millis(50);
/// Bytes a second: QEMU holds itself back unless it is told not to.
const BANDWIDTH: u64 = 1 << 40;
/// No guest of ours has as much memory.
const LARGEST: u64 = 64 << 30;

#[derive(Debug, Error)]
pub enum MigrationError {
    #[error(transparent)]
    Qmp(#[from] QmpError),
    #[error("the machine's state cannot be passed on: {0}")]
    Io(#[from] io::Error),
    #[error("QEMU gave up: {0}")]
    Failed(String),
    #[error("it took more than {} s", PASSAGE.as_secs())]
    TimedOut,
    #[error("the file of the machine's state is not what was written")]
    Damaged,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    pub sha256: String,
    pub bytes: u64,
}

impl Sum {
    pub fn of_file(path: &Path) -> io::Result<Sum> {
        hash::sha256_of_file(path).map(|(sha256, bytes)| Sum { sha256, bytes })
    }
}

/// Halts the machine for good and writes its state. After an error it can be told to go on.
pub fn save(qmp: &mut Qmp, folder: &Path, state: &Path) -> Result<Sum, MigrationError> {
    let socket = folder.join(SOCKET);
    let listener = listen(&socket)?;
    let file = File::create(state)?;
    qmp.execute("stop", json!({}))?;
    qmp.execute("migrate-set-parameters", json!({ "max-bandwidth": BANDWIDTH }))?;
    // Nobody connects when this is refused, and nobody is waited for.
    qmp.execute("migrate", json!({ "uri": format!("unix:{SOCKET}") }))?;
    let stream = accepted(&listener)?;
    fs::remove_file(&socket)?;
    let writer = thread::spawn(move || written(stream, file));
    let ended = passed(qmp);
    let sum = writer.join().map_err(|_| MigrationError::Failed("the thread that wrote has panicked".to_string()))?;
    ended?;
    Ok(sum?)
}

/// Reads a state into a machine that waits for one (`-incoming defer`) and does not run before it is told to (`-S`).
pub fn load(qmp: &mut Qmp, folder: &Path, state: &Path, sum: &Sum) -> Result<(), MigrationError> {
    let file = File::open(state)?;
    qmp.execute("migrate-incoming", json!({ "uri": format!("unix:{SOCKET}") }))?;
    let socket = folder.join(SOCKET);
    let stream = UnixStream::connect(&socket)?;
    fs::remove_file(&socket)?;
    let sent = sent(file, stream);
    // Why QEMU broke off says more than that it did.
    passed(qmp)?;
    if sent? == *sum { Ok(()) } else { Err(MigrationError::Damaged) }
}

fn listen(socket: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn accepted(listener: &UnixListener) -> io::Result<UnixStream> {
    let until = Instant::now() + STALL;
    loop {
        match listener.accept() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < until => sleep(GAP),
            other => {
                let (stream, _) = other?;
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(STALL))?;
                return Ok(stream);
            }
        }
    }
}

/// Waits until QEMU says that all has passed.
fn passed(qmp: &mut Qmp) -> Result<(), MigrationError> {
    let until = Instant::now() + PASSAGE;
    loop {
        let told = qmp.execute("query-migrate", json!({}))?;
        match told.get("status").and_then(Value::as_str) {
            Some("completed") => return Ok(()),
            Some("failed" | "cancelled") => {
                let why = told.get("error-desc").and_then(Value::as_str).unwrap_or("it does not say why");
                return Err(MigrationError::Failed(why.to_string()));
            }
            _ if Instant::now() >= until => return Err(MigrationError::TimedOut),
            _ => sleep(GAP),
        }
    }
}

fn written(stream: UnixStream, file: File) -> io::Result<Sum> {
    let file = copied(stream.take(LARGEST), file)?;
    file.0.sync_all()?;
    Ok(file.1)
}

fn sent(file: File, stream: UnixStream) -> io::Result<Sum> {
    stream.set_write_timeout(Some(STALL))?;
    Ok(copied(file, stream)?.1)
}

/// Copies to the end; gives back where to, and the sum of it.
fn copied<W: Write>(mut from: impl Read, mut to: W) -> io::Result<(W, Sum)> {
    let (mut hasher, mut bytes, mut buffer) = (Sha256::new(), 0, vec![0; 256 * 1024]);
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        hasher.update(piece);
        to.write_all(piece)?;
        bytes += count as u64;
    }
    to.flush()?;
    Ok((to, Sum { sha256: hash::hex(&hasher.finalize()), bytes }))
}

#[cfg(test)]
mod tests {
    use super::super::qmp::tests::{Answer, scripted};
    use super::*;

    const DONE: &str = r#"{"return": {}, "id": ID}"#;

    fn completed() -> Answer {
        Answer::said(r#"{"return": {"status": "completed"}, "id": ID}"#)
    }

    #[test]
    fn a_state_is_written_as_it_came_and_summed() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join(SOCKET);
        let migrate = Answer::doing(DONE, move || {
            let mut stream = UnixStream::connect(&socket).unwrap();
            thread::spawn(move || stream.write_all(&[7; 700_000]).unwrap());
        });
        let active = Answer::said(r#"{"return": {"status": "active"}, "id": ID}"#);
        let answers = vec![Answer::said(DONE), Answer::said(DONE), Answer::said(DONE), migrate, active, completed()];
        let (qmp, server) = scripted(answers);
        let state = folder.path().join("state");
        let sum = save(&mut qmp.unwrap(), folder.path(), &state).unwrap();
        assert_eq!(fs::read(&state).unwrap(), vec![7; 700_000]);
        assert_eq!(sum, Sum::of_file(&state).unwrap());
        let commands = server.join().unwrap();
        let order = ["qmp_capabilities", "stop", "migrate-set-parameters", "\"migrate\"", "query-", "query-"];
        assert!(commands.iter().zip(order).all(|(command, word)| command.contains(word)), "{commands:?}");
    }

    #[test]
    fn why_a_machine_cannot_be_saved_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = r#"{"error": {"class": "GenericError", "desc": "State blocked by abacus"}, "id": ID}"#;
        let answers = vec![Answer::said(DONE), Answer::said(DONE), Answer::said(DONE), Answer::said(refusal)];
        let (qmp, _server) = scripted(answers);
        let error = save(&mut qmp.unwrap(), folder.path(), &folder.path().join("state")).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refuses migrate: State blocked by abacus");
    }

    /// QEMU's end of it: the state is read, and what came is given back.
    fn loaded(state: &Path, sum: &Sum) -> (Result<(), MigrationError>, Vec<u8>) {
        let folder = state.parent().unwrap();
        let socket = folder.join(SOCKET);
        let reader = std::sync::Arc::new(std::sync::Mutex::new(None));
        let theirs = reader.clone();
        let incoming = Answer::doing(DONE, move || {
            let listener = UnixListener::bind(&socket).unwrap();
            *theirs.lock().unwrap() = Some(thread::spawn(move || {
                let mut all = Vec::new();
                listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
                all
            }));
        });
        let (qmp, _server) = scripted(vec![Answer::said(DONE), incoming, completed()]);
        let end = load(&mut qmp.unwrap(), folder, state, sum);
        let reader = reader.lock().unwrap().take().unwrap();
        (end, reader.join().unwrap())
    }

    #[test]
    fn a_state_is_read_back_and_one_that_has_changed_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        fs::write(&state, [3; 500_000]).unwrap();
        let sum = Sum::of_file(&state).unwrap();
        let (end, came) = loaded(&state, &sum);
        end.unwrap();
        assert_eq!(came, [3; 500_000]);
        fs::write(&state, [4; 500_000]).unwrap();
        assert!(matches!(loaded(&state, &sum).0, Err(MigrationError::Damaged)));
    }
}
