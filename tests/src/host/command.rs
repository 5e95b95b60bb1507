//! Running programs on a host as a person would.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::unistd::{User, geteuid};

use super::{Host, leftovers};
use crate::host::binaries::simhost_exe;
use crate::invocation::ENTER;

/// No call of a test takes longer, unless it hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// How a program ended and what it printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The exit status; 128 and the signal when one killed it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// # Panics
    /// When the program failed.
    #[track_caller]
    pub fn expect_success(self) -> Ran {
        assert!(self.code == 0, "exit status {}\nstdout: {}\nstderr: {}", self.code, self.stdout, self.stderr);
        self
    }
}

impl Host {
    /// The environment a person has on this host.
    pub fn env_for_person(&self) -> Vec<(String, String)> {
        let user = User::from_uid(geteuid()).ok().flatten().map_or("nobody".into(), |u| u.name);
        let root = self.root.display();
        let pairs = [
            ("PATH", format!("{root}/bin:{root}/usr/bin:/usr/sbin:/usr/bin:/bin")),
            ("HOME", format!("{root}/home")),
            ("USER", user.clone()),
            ("LOGNAME", user),
            ("LC_ALL", "C.UTF-8".into()),
            ("TZ", "UTC".into()),
            ("VBOXSVC_TOOL_PATH", format!("{root}/bin")),
            ("VBOXSVC_RUN_DIR", format!("{root}/run")),
        ];
        pairs.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
    }

    /// Runs one of the stand-ins.
    pub fn run<S: AsRef<OsStr>>(&self, tool: &str, args: impl IntoIterator<Item = S>) -> Ran {
        self.run_with_input(tool, args, "")
    }

    /// The same with something on its standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, tool: &str, args: impl IntoIterator<Item = S>, input: &str) -> Ran {
        let mut command = self.command(tool, || self.bin().join(tool));
        command.args(args);
        self.finish(command, input)
    }

    /// Runs a line of shell on an enclosed host, as root.
    pub fn sh(&self, line: &str) -> Ran {
        self.run("/bin/sh", ["-c", line])
    }

    /// The same in a zone, by zlogin.
    pub fn sh_in(&self, zone: &str, line: &str) -> Ran {
        self.run("zlogin", [zone, line])
    }

    /// The command that runs a program: from within where the host is enclosed, else from where it is outside.
    fn command(&self, name: &str, outside: impl FnOnce() -> PathBuf) -> Command {
        if !self.enclosed {
            return Command::new(outside());
        }
        let mut command = Command::new(simhost_exe());
        command.arg(ENTER).arg(&self.root).arg(name);
        command
    }

    /// Gives svccfg commands on its standard input.
    pub fn svccfg(&self, commands: &str) -> Ran {
        self.run_with_input("svccfg", ["-f", "-"], commands)
    }

    /// Runs the installed runtime by hand.
    pub fn vboxsvc<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        let mut command = self.command("/usr/bin/vboxsvc", || self.root.join("usr/bin/vboxsvc"));
        command.args(args);
        self.finish(command, "")
    }

    /// The same as another user, which only root can.
    pub fn vboxsvc_as<S: AsRef<OsStr>>(&self, uid: u32, args: impl IntoIterator<Item = S>) -> Ran {
        let mut command = Command::new(self.root.join("usr/bin/vboxsvc"));
        command.args(args).uid(uid);
        self.finish(command, "")
    }

    /// # Panics
    /// When the program cannot be started or hangs.
    fn finish(&self, mut command: Command, input: &str) -> Ran {
        if self.enclosed {
            command.env_clear().current_dir("/");
        } else {
            command.env_clear().envs(self.env_for_person()).current_dir(self.root.join("home"));
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
        let (mut stdin, input) = (child.stdin.take(), input.as_bytes().to_vec());
        thread::spawn(move || {
            // A program that does not read its input is no error.
            let _ = stdin.take().map(|mut pipe| pipe.write_all(&input));
        });
        // What it leaves behind may hold the pipes: the program's own end is what counts.
        let (done, wait) = channel();
        let collect = |pipe: Option<Box<dyn Read + Send>>, tag: usize| {
            let done = done.clone();
            thread::spawn(move || {
                let mut pipe = pipe;
                let mut chunk = [0; 8192];
                while let Some(Ok(n @ 1..)) = pipe.as_mut().map(|p| p.read(&mut chunk)) {
                    let _ = done.send(Heard::Output(tag, chunk[..n].to_vec()));
                }
                let _ = done.send(Heard::Closed);
            });
        };
        collect(child.stdout.take().map(|p| Box::new(p) as Box<dyn Read + Send>), 0);
        collect(child.stderr.take().map(|p| Box::new(p) as Box<dyn Read + Send>), 1);
        let ended = done.clone();
        thread::spawn(move || {
            let _ = ended.send(Heard::Ended(child.wait().ok()));
        });
        let mut streams = [Vec::new(), Vec::new()];
        let (mut status, mut open) = (None, 2);
        while status.is_none() || open > 0 {
            let limit = if status.is_none() { LIMIT } else { Duration::from_millis(100) };
            match wait.recv_timeout(limit) {
                Ok(Heard::Output(tag, bytes)) => streams[tag].extend(bytes),
                Ok(Heard::Closed) => open -= 1,
                Ok(Heard::Ended(how)) => status = Some(how),
                Err(_) if status.is_some() => break,
                Err(_) => {
                    leftovers::kill_all(&self.root);
                    panic!("{shown} hangs");
                }
            }
        }
        let code = status.flatten().map_or(-1, |s| s.code().unwrap_or_else(|| 128 + s.signal().unwrap_or(0)));
        let [stdout, stderr] = streams.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ran { code, stdout, stderr }
    }
}

enum Heard {
    Output(usize, Vec<u8>),
    Closed,
    Ended(Option<std::process::ExitStatus>),
}
