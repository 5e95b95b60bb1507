//! What every stand-in of a command shares: its host, its output, its messages.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_NONBLOCK;

use super::repository::Store;

/// Exit status of a wrong command line.
pub const USAGE: u8 = 2;

/// One call of a stand-in.
pub struct Tool<'a> {
    pub name: &'a str,
    pub root: &'a Path,
    /// Standard output, written when the call ends.
    pub out: String,
}

impl<'a> Tool<'a> {
    pub fn new(name: &'a str, root: &'a Path) -> Self {
        Tool { name, root, out: String::new() }
    }

    pub fn print(&mut self, line: impl Display) {
        self.out.push_str(&line.to_string());
        self.out.push('\n');
    }

    /// A message on standard error, after the program's name.
    pub fn complain(&self, message: impl Display) {
        self.complain_as(self.name, message);
    }

    pub fn complain_as(&self, who: &str, message: impl Display) {
        // Nobody is left to hear about a closed standard error.
        let _ = writeln!(io::stderr(), "{who}: {message}");
    }

    pub fn usage(&self, text: &str) -> u8 {
        let _ = writeln!(io::stderr(), "{text}");
        USAGE
    }

    pub fn flush(&mut self) {
        let _ = io::stdout().write_all(std::mem::take(&mut self.out).as_bytes());
        let _ = io::stdout().flush();
    }

    /// The repository for reading, or the message that svc.configd is not there.
    pub fn read(&self) -> Option<Store> {
        self.bound(Store::read(self.root))
    }

    pub fn write(&self) -> Option<Store> {
        self.bound(Store::write(self.root))
    }

    fn bound(&self, store: io::Result<Store>) -> Option<Store> {
        if store.is_err() {
            self.complain("Could not connect to configuration repository: repository server unavailable.");
        }
        store.ok()
    }

    /// Tells svc.startd that something about an instance changed. The repository must not be locked meanwhile.
    pub fn wake(&self, about: impl Display) {
        wake(self.root, &about.to_string());
    }
}

pub fn wake_path(root: &Path) -> PathBuf {
    root.join("smf/wake")
}

/// True when svc.startd is there to hear it.
pub fn wake(root: &Path, about: &str) -> bool {
    let pipe = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(wake_path(root));
    let Ok(pipe) = pipe else { return false };
    // Only the opening may not block; a full pipe is being drained.
    let blocking = nix::fcntl::fcntl(&pipe, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty()));
    blocking.is_ok() && (&pipe).write_all(format!("{about}\n").as_bytes()).is_ok()
}

/// True when a svc.startd runs on this host.
pub fn startd_is_there(root: &Path) -> bool {
    OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(wake_path(root)).is_ok()
}
