//! The terminal: put into raw mode, and given back as it was on every way out.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, isatty, tcgetpgrp, ttyname};

/// A terminal in raw mode for as long as this value lives.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// `None` where it is no terminal. In the background this stops the process until it is in the foreground.
    pub fn enter(input: impl AsFd) -> io::Result<Option<RawMode>> {
        if !is_terminal(&input) {
            return Ok(None);
        }
        let raw = RawMode { before: tcgetattr(&input)?, terminal: input.as_fd().try_clone_to_owned()? };
        raw.set()?;
        Ok(Some(raw))
    }

    /// Sets raw mode, again where somebody else changed it meanwhile, as a shell does with a stopped job's terminal.
    pub fn set(&self) -> io::Result<()> {
        let mut raw = self.before.clone();
        cfmakeraw(&mut raw);
        loop {
            match tcsetattr(&self.terminal, SetArg::TCSANOW, &raw) {
                // Stopped and continued, because it was tried in the background.
                Err(Errno::EINTR) => {}
                set => return Ok(set?),
            }
        }
    }

    /// Gives the terminal back for the time being.
    pub fn restore(&self) {
        // In the background the terminal is the shell's already, and touching it would only stop this process.
        if matches!(tcgetpgrp(&self.terminal), Ok(foreground) if foreground != getpgrp()) {
            return;
        }
        // Not after what is still to be printed: a terminal that hangs must not keep us.
        // It fails only where the terminal is gone, and then there is nothing to restore.
        let _ = tcsetattr(&self.terminal, SetArg::TCSANOW, &self.before);
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        self.restore();
    }
}

pub fn is_terminal(fd: impl AsFd) -> bool {
    isatty(fd).unwrap_or(false)
}

/// The output to write to. A terminal is opened anew where we may, because not to block is a property of an open file,
/// which the shell shares with us; what comes out of it elsewhere is for small writes, after poll(2) said yes.
pub fn output(to: impl AsFd) -> io::Result<File> {
    let own = ttyname(&to).ok().and_then(|name| {
        let flags = (OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits();
        OpenOptions::new().write(true).custom_flags(flags).open(name).ok()
    });
    match own {
        Some(own) => Ok(own),
        None => Ok(File::from(to.as_fd().try_clone_to_owned()?)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use nix::pty::openpty;
    use nix::sys::termios::LocalFlags;

    use super::*;

    fn is_raw(terminal: impl AsFd) -> bool {
        !tcgetattr(terminal).unwrap().local_flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    #[test]
    fn a_terminal_is_raw_until_the_guard_is_dropped_and_then_as_it_was() {
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let raw = RawMode::enter(&pty.slave).unwrap().unwrap();
        assert!(is_raw(&pty.slave));
        drop(raw);
        assert_eq!(tcgetattr(&pty.slave).unwrap(), before);
    }

    #[test]
    fn raw_mode_that_somebody_else_undid_can_be_set_again() {
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let raw = RawMode::enter(&pty.slave).unwrap().unwrap();
        tcsetattr(&pty.slave, SetArg::TCSANOW, &before).unwrap();
        raw.set().unwrap();
        assert!(is_raw(&pty.slave));
    }

    #[test]
    fn what_is_no_terminal_is_left_alone() {
        assert!(RawMode::enter(File::open("/dev/null").unwrap()).unwrap().is_none());
    }

    #[test]
    fn a_terminal_that_nobody_reads_does_not_block_us() {
        let pty = openpty(None, None).unwrap();
        let mut out = output(&pty.slave).unwrap();
        let stalled = (0..10_000).find_map(|_| out.write(&[b'x'; 4096]).err());
        assert_eq!(stalled.unwrap().kind(), io::ErrorKind::WouldBlock);
    }
}
