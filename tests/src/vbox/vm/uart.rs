//! The serial ports of a running machine: sockets on which a dumb guest answers.
//!
//! As with the real thing a socket's path is unlinked and made anew even where it is somebody else's, one client is
//! served at a time and a second one gets the end of the connection at once.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::vbox::faults::PowerUp;

/// The open serial ports; dropping it removes the sockets.
pub struct Uarts {
    paths: Vec<PathBuf>,
}

/// What a client sees first.
fn prompt(name: &str) -> String {
    format!("\r\n{name} console login: ")
}

impl Uarts {
    /// Opens the ports with VirtualBox's words for them.
    pub fn open(modes: &[String], name: &str) -> Result<Self, PowerUp> {
        let mut uarts = Self { paths: Vec::new() };
        for mode in modes {
            match mode.split_once(',') {
                Some(("server", path)) => {
                    let _ = fs::remove_file(path);
                    let listener = UnixListener::bind(path).map_err(|_| PowerUp::UartPath(path.to_owned()))?;
                    uarts.paths.push(PathBuf::from(path));
                    serve(move || listener.accept().map(|(stream, _)| stream), prompt(name));
                }
                Some(("tcpserver", port)) => {
                    let port = port.parse().map_err(|_| PowerUp::TcpPortBusy)?;
                    let listener = TcpListener::bind(("127.0.0.1", port)).map_err(|_| PowerUp::TcpPortBusy)?;
                    serve(move || listener.accept().map(|(stream, _)| stream), prompt(name));
                }
                _ => {}
            }
        }
        Ok(uarts)
    }
}

impl Drop for Uarts {
    fn drop(&mut self) {
        for path in &self.paths {
            let _ = fs::remove_file(path);
        }
    }
}

fn serve<S>(accept: impl Fn() -> std::io::Result<S> + Send + 'static, prompt: String)
where
    S: Read + Write + Send + 'static,
{
    let busy = Arc::new(AtomicBool::new(false));
    thread::spawn(move || {
        loop {
            match accept() {
                // Dropped: the second client's connection ends.
                Ok(_) if busy.swap(true, Ordering::SeqCst) => {}
                Ok(client) => {
                    let (busy, prompt) = (Arc::clone(&busy), prompt.clone());
                    thread::spawn(move || {
                        talk(client, &prompt);
                        busy.store(false, Ordering::SeqCst);
                    });
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    });
}

/// A guest that prompts and echoes, for as long as the client stays.
fn talk(mut client: impl Read + Write, prompt: &str) {
    let mut buffer = [0; 512];
    let mut said = client.write_all(prompt.as_bytes());
    while said.is_ok() {
        let Ok(length @ 1..) = client.read(&mut buffer) else { return };
        let Some(typed) = buffer.get(..length) else { return };
        said = client.write_all(typed);
        if typed.contains(&b'\r') || typed.contains(&b'\n') {
            said = said.and_then(|()| client.write_all(prompt.as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    fn connect(path: &std::path::Path) -> UnixStream {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        stream
    }

    fn read(stream: &mut UnixStream) -> String {
        let mut buffer = [0; 100];
        let length = stream.read(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn one_client_is_served_and_a_second_gets_the_end_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("u.sock");
        fs::write(&path, "somebody's file").unwrap();
        let uarts = Uarts::open(&[format!("server,{}", path.display())], "web").unwrap();
        let mut first = connect(&path);
        assert_eq!(read(&mut first), "\r\nweb console login: ");
        assert_eq!(read(&mut connect(&path)), "");
        drop(first);
        let deadline = std::time::Instant::now() + Duration::from_secs(5);
        while read(&mut connect(&path)).is_empty() {
            assert!(std::time::Instant::now() < deadline, "not served again after the first client left");
        }
        drop(uarts);
        assert!(!path.exists());
    }

    #[test]
    fn a_directory_that_is_not_there_fails_the_power_up() {
        let failed = Uarts::open(&["server,/nonexistent/dir/x.sock".to_owned()], "web");
        assert_eq!(failed.err(), Some(PowerUp::UartPath("/nonexistent/dir/x.sock".into())));
    }
}
