//! The connection to the socket behind a UART. It never blocks: the terminal must be given back whatever hangs.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, SockaddrLike, UnixAddr, connect, getsockopt, socket, sockopt,
};
use nix::unistd::Uid;

use super::endpoint::Endpoint;

#[derive(Debug)]
pub struct Socket {
    file: File,
    is_tcp: bool,
    /// Whose name must be on the socket's file.
    owned: Option<PathBuf>,
}

/// Somebody else listens where the VM's console should be, perhaps to be told a password.
#[derive(Debug, thiserror::Error)]
#[error("user id {0} has made this socket, and not VirtualBox")]
pub struct Impostor(u32);

impl Socket {
    /// Begins to connect. Whether it succeeded is to be asked once the socket is writable.
    pub fn connect(endpoint: &Endpoint) -> io::Result<Socket> {
        match endpoint {
            Endpoint::Unix(path) | Endpoint::OfMachine(path) => {
                let socket = begin(AddressFamily::Unix, &UnixAddr::new(path.as_path())?)?;
                let owned = matches!(endpoint, Endpoint::OfMachine(_)).then(|| path.clone());
                Ok(Socket { file: File::from(socket), is_tcp: false, owned })
            }
            Endpoint::Tcp(port) => {
                let socket = begin(AddressFamily::Inet, &SockaddrIn::new(127, 0, 0, 1, *port))?;
                Ok(Socket { file: File::from(socket), is_tcp: true, owned: None })
            }
        }
    }

    /// How the connecting went, once the socket is writable.
    pub fn connected(&self) -> io::Result<()> {
        match getsockopt(&self.file, sockopt::SocketError)? {
            0 if self.is_own_echo()? => Err(Errno::ECONNREFUSED.into()),
            0 => self.is_the_machines(),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    /// A socket is its maker's. In a folder for all, as /tmp is, others can make one first but not replace one.
    fn is_the_machines(&self) -> io::Result<()> {
        let Some(path) = &self.owned else { return Ok(()) };
        match fs::symlink_metadata(path)?.uid() {
            uid if uid == 0 || uid == Uid::effective().as_raw() => Ok(()),
            uid => Err(io::Error::new(io::ErrorKind::PermissionDenied, Impostor(uid))),
        }
    }

    /// Where nobody listens on a port that the system also gives out by itself, a socket can be connected to itself.
    fn is_own_echo(&self) -> io::Result<bool> {
        if !self.is_tcp {
            return Ok(false);
        }
        let stream = TcpStream::from(self.file.as_fd().try_clone_to_owned()?);
        Ok(stream.local_addr()? == stream.peer_addr()?)
    }
}

fn begin(family: AddressFamily, address: &dyn SockaddrLike) -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), address) {
        // Interrupted, it goes on connecting.
        Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(socket),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether trying again is of no use.
pub fn is_hopeless(error: &io::Error) -> bool {
    if error.get_ref().is_some_and(|inner| inner.is::<Impostor>()) {
        return true;
    }
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EACCES | Errno::EPERM | Errno::ENAMETOOLONG | Errno::ELOOP | Errno::EINVAL))
}

impl Read for Socket {
    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        self.file.read(chunk)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use nix::sys::socket::{Backlog, bind, listen};

    use super::*;

    #[test]
    fn a_missing_socket_is_worth_another_try_and_a_path_too_long_is_not() {
        let tmp = tempfile::tempdir().unwrap();
        let error = Socket::connect(&Endpoint::Unix(tmp.path().join("none"))).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(!is_hopeless(&error));
        let error = Socket::connect(&Endpoint::Unix(tmp.path().join("x".repeat(200)))).unwrap_err();
        assert!(is_hopeless(&error), "{error}");
    }

    #[test]
    fn a_server_that_accepts_nobody_holds_up_nothing() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("console");
        let listener = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        bind(listener.as_raw_fd(), &UnixAddr::new(&path).unwrap()).unwrap();
        listen(&listener, Backlog::new(1).unwrap()).unwrap();
        // The tries that find no room fail at once.
        let tries: Vec<_> = (0..20).map_while(|_| Socket::connect(&Endpoint::Unix(path.clone())).ok()).collect();
        assert!(!tries.is_empty());
    }

    #[test]
    fn a_console_that_somebody_else_has_made_is_not_the_machines() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("console");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let own = Socket::connect(&Endpoint::OfMachine(path.clone())).unwrap();
        own.connected().unwrap();
        if !Uid::effective().is_root() {
            eprintln!("NOT TESTED: only root can give a socket to somebody else");
            return;
        }
        std::os::unix::fs::chown(&path, Some(12345), None).unwrap();
        let theirs = Socket::connect(&Endpoint::OfMachine(path.clone())).unwrap();
        let error = theirs.connected().unwrap_err();
        assert!(is_hopeless(&error) && error.to_string().contains("12345"), "{error}");
        // Whoever names a path by hand has seen it.
        Socket::connect(&Endpoint::Unix(path)).unwrap().connected().unwrap();
    }

    #[test]
    fn a_connection_to_a_listener_is_no_echo() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Socket::connect(&Endpoint::Tcp(listener.local_addr().unwrap().port())).unwrap();
        listener.accept().unwrap();
        socket.connected().unwrap();
    }
}
