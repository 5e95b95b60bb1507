//! What this process stands on before it reads a word: whose it is, and what its caller's limits do to it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid};

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FootingError {
    #[error(
        "this program runs as {what} {effective} for somebody who is {what} {real}: it must not be set-uid or set-gid; \
         let pfexec give both (uid=0, not euid=0, in exec_attr)"
    )]
    Borrowed { what: &'static str, real: u32, effective: u32 },
    #[error("cannot catch a signal: {0}")]
    Signal(io::ErrorKind),
}

/// Refuses borrowed rights, and takes the sting out of a caller's limits.
pub fn steady() -> Result<(), FootingError> {
    own("user", Uid::current().as_raw(), Uid::effective().as_raw())?;
    own("group", Gid::current().as_raw(), Gid::effective().as_raw())?;
    // A file of ours that we could not read ourselves would keep the next command from its work.
    umask(umask(Mode::empty()).difference(Mode::S_IRWXU));
    // Over a limit on the size of files a write is to fail, not to end a VM's supervisor.
    let passed = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)));
    passed.map(drop).map_err(|error| FootingError::Signal(error.kind()))
}

/// The caller of a set-uid program decides about its environment, its limits and its files: it is not written for that.
fn own(what: &'static str, real: u32, effective: u32) -> Result<(), FootingError> {
    if real == effective { Ok(()) } else { Err(FootingError::Borrowed { what, real, effective }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borrowed_rights_are_refused_with_the_way_out() {
        assert_eq!(own("user", 7, 7), Ok(()));
        let told = own("user", 101, 0).unwrap_err().to_string();
        assert!(told.contains("user 0") && told.contains("user 101") && told.contains("uid=0"), "{told}");
    }
}
