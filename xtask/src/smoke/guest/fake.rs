//! A guest for the tests of the console: a shell on a terminal of this machine, with echo, colours and line noise as a
//! real serial line has them. A stand-in; no QEMU is involved.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use nix::pty::openpty;
use tempfile::TempDir;

use super::console::Console;

/// What is put into the line: after how many bytes of output, and what.
pub type Noise = Vec<(usize, &'static str)>;

pub struct FakeGuest {
    shell: Child,
    folder: TempDir,
}

impl FakeGuest {
    /// A guest at whose shell somebody has logged in, and its console.
    pub fn start(noise: Noise) -> (FakeGuest, Console) {
        let folder = tempfile::tempdir().unwrap();
        let terminal = openpty(None, None).unwrap();
        let (keyboard, screen) = (File::from(terminal.master.try_clone().unwrap()), File::from(terminal.master));
        let end = || Stdio::from(terminal.slave.try_clone().unwrap());
        // setsid(1) makes it the shell's own terminal, so that an interrupt typed on it is one; and env(1) has it heeded
        // where the tests run in the background of a script, which ignores it.
        let shell = Command::new("env")
            .args(["--default-signal=INT,QUIT", "setsid", "-c", "/bin/sh", "-i"])
            .current_dir(folder.path())
            .env("PS1", "\u{1b}[1;32mroot@fake\u{1b}[0m:# ")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let (ours, guests) = UnixStream::pair().unwrap();
        let typed = guests.try_clone().unwrap();
        thread::spawn(move || copy(typed, keyboard, vec![]));
        thread::spawn(move || copy(screen, guests, noise));
        let console = Console::new(ours, &folder.path().join("log"), vec!["panic[cpu".into()]).unwrap();
        (FakeGuest { shell, folder }, console)
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }
}

impl Drop for FakeGuest {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

fn copy(mut from: impl Read, mut to: impl Write, noise: Noise) {
    let (mut sent, mut noise) = (0, noise.into_iter().peekable());
    let mut byte = [0];
    while matches!(from.read(&mut byte), Ok(1)) {
        let said = noise.next_if(|(after, _)| *after <= sent).map_or("", |(_, said)| said);
        if to.write_all(said.as_bytes()).is_err() || to.write_all(&byte).is_err() {
            return;
        }
        sent += 1;
    }
}
