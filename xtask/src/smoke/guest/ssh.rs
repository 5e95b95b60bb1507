//! Into a guest over ssh: the argument list, whether somebody is let in, and a connection that is used like a console.
//!
//! QEMU forwards a port of this machine. The host's key is kept aside and for one connection alone: a throw-away guest
//! has a new one, and changes it during its first boot.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::bounded;
use crate::smoke::target::quoted_line;

/// How long a question may take, the connection with it.
const QUESTION: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
pub struct Ssh {
    pub program: PathBuf,
    pub user: String,
    pub port: u16,
    pub key: PathBuf,
    /// The run's own: known hosts and what ssh says.
    pub folder: PathBuf,
}

/// A connection that is up, or coming up. It ends with this value.
#[derive(Debug)]
pub struct Connection(Child);

impl Drop for Connection {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of this machine that nobody uses now.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Ssh {
    /// The words before what is to be run there.
    pub fn arguments(&self) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.known_hosts().display());
        let options = [
            known.as_str(),
            "GlobalKnownHostsFile=/dev/null",
            "StrictHostKeyChecking=accept-new",
            "IdentitiesOnly=yes",
            "IdentityAgent=none",
            "PasswordAuthentication=no",
            "BatchMode=yes",
            "ConnectTimeout=20",
            "ServerAliveInterval=15",
            "ServerAliveCountMax=8",
            "LogLevel=ERROR",
        ];
        let mut all: Vec<String> = ["-F", "none", "-e", "none"].map(String::from).into();
        all.extend(["-i".to_string(), self.key.display().to_string(), "-p".to_string(), self.port.to_string()]);
        all.extend(options.iter().flat_map(|option| ["-o".to_string(), option.to_string()]));
        all.extend(["-l".to_string(), self.user.clone(), Ipv4Addr::LOCALHOST.to_string()]);
        all
    }

    /// What a person types who wants in.
    pub fn command_line(&self) -> String {
        format!("ssh {}", quoted_line(&self.arguments()))
    }

    fn known_hosts(&self) -> PathBuf {
        self.folder.join("known_hosts")
    }

    /// ssh, with a host whose key it does not know yet.
    fn command(&self) -> io::Result<Command> {
        match fs::remove_file(self.known_hosts()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let said = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("ssh-errors.log"))?;
        let mut command = Command::new(&self.program);
        command.stderr(said);
        Ok(command)
    }

    /// Whether this line of a shell succeeds there; a guest that lets nobody in says no.
    pub fn succeeds(&self, line: &str) -> io::Result<bool> {
        let mut command = self.command()?;
        command.args(self.arguments()).arg(line).stdin(Stdio::null()).stdout(Stdio::null());
        Ok(bounded::status(&mut command, QUESTION)?.is_some_and(|status| status.success()))
    }

    /// Logs in, on a terminal: so an interrupt that is typed reaches what runs.
    pub fn connect(&self) -> io::Result<(Connection, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let output = theirs.try_clone()?;
        let mut command = self.command()?;
        command.arg("-tt").args(self.arguments()).arg("exec /bin/sh");
        let child = command.stdin(OwnedFd::from(theirs)).stdout(OwnedFd::from(output)).spawn()?;
        Ok((Connection(child), ours))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::console::Console;
    use super::super::session::Session;
    use super::*;

    fn by(program: &str, folder: &tempfile::TempDir) -> Ssh {
        let path = folder.path().to_path_buf();
        Ssh { program: program.into(), user: "root".into(), port: 2222, key: path.join("key"), folder: path }
    }

    #[test]
    fn nothing_of_the_persons_own_is_read_or_written() {
        let folder = tempfile::tempdir().unwrap();
        let words = by("ssh", &folder).arguments();
        let line = words.join(" ");
        assert!(line.starts_with("-F none -e none -i "), "{line}");
        assert!(line.ends_with(" -l root 127.0.0.1") && line.contains(" -p 2222 "), "{line}");
        for option in ["GlobalKnownHostsFile=/dev/null", "IdentityAgent=none", "IdentitiesOnly=yes", "BatchMode=yes"] {
            assert!(words.iter().any(|word| word == option), "{line}");
        }
        let known = format!("UserKnownHostsFile={}/known_hosts", folder.path().display());
        assert!(words.contains(&known), "{line}");
    }

    /// No ssh takes part: a script in its place runs the last word here.
    #[test]
    fn a_connection_is_used_like_a_console() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("no-ssh");
        fs::write(&script, "#!/bin/sh\nfor word; do :; done\nexec /bin/sh -c \"$word\"\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let ssh = by(&script.display().to_string(), &folder);
        fs::write(ssh.known_hosts(), "an old key").unwrap();
        assert!(ssh.succeeds("test 1 = 1").unwrap());
        assert!(!ssh.succeeds("exit 3").unwrap());
        assert!(!ssh.known_hosts().exists(), "the key of an earlier boot is forgotten");
        let (connection, stream) = ssh.connect().unwrap();
        let console = Console::new(stream, &folder.path().join("log"), Vec::new()).unwrap();
        let own = folder.path().join("own").display().to_string();
        let mut session = Session::open(console, &own, 1).unwrap();
        let words = ["sh", "-c", "cat; echo no >&2; exit 4"].map(String::from);
        let ran = session.run(&words, b"a line\n", Duration::from_secs(20)).unwrap();
        assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (4, "a line\n", "no\n"));
        drop(connection);
    }
}
