//! A host for one VM, as small as can be: stand-ins that print what SMF and VirtualBox would, a run folder, a socket
//! in place of the guest's UART, and a pseudo-terminal.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, Termios, tcgetattr};
use nix::unistd::Pid;

/// Bounds every wait: generous, because the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

const UUID: &str = "b5fb516d-16e5-4c70-863f-540c98e423cd";

/// One script for all programs: it prints the file of that name beside the link it was called by.
const STAND_IN: &str = r#"#!/bin/sh
case "${0##*/} $1 $2" in
"svcprop "*) answer=properties ;;
"VBoxManage list vms") answer=vms ;;
"VBoxManage list runningvms") answer=vms ;;
"VBoxManage showvminfo "*) answer=info ;;
*) echo "unexpected: $0 $*" >&2; exit 9 ;;
esac
exec /bin/cat "${0%/*}/$answer"
"#;

/// Written once and before any process is started: a script that another test's child still holds open for writing
/// cannot be run.
fn stand_in() -> &'static Path {
    static SCRIPT: OnceLock<PathBuf> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stand-in-{}", std::process::id()));
        fs::write(&path, STAND_IN).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    })
}

pub struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    /// A host whose VM has these serial ports, as VirtualBox writes their modes.
    pub fn with_uarts(modes: &[&str]) -> Host {
        let host = Host::new();
        host.set_uarts(modes);
        host
    }

    /// A host whose VM has one serial port, a server at [`socket`](Self::socket).
    pub fn with_console() -> Host {
        let host = Host::new();
        host.set_uarts(&[&format!("server,{}", host.socket().display())]);
        host
    }

    /// A run file of the user who runs the test.
    pub fn own_run_file(&self, name: &str) -> PathBuf {
        let folder = self.path("run").join(nix::unistd::Uid::effective().to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        folder.join(name)
    }

    fn new() -> Host {
        let host = Host { dir: tempfile::tempdir().unwrap() };
        for folder in ["bin", "run"] {
            fs::create_dir(host.path(folder)).unwrap();
            fs::set_permissions(host.path(folder), fs::Permissions::from_mode(0o700)).unwrap();
        }
        for program in ["svcprop", "VBoxManage", "VBoxHeadless"] {
            symlink(stand_in(), host.path("bin").join(program)).unwrap();
        }
        let me = nix::unistd::Uid::current();
        let properties = format!(
            "general/enabled boolean true\nrestarter/state astring online\nrestarter/next_state astring none\n\
             method_context/user astring {me}\nmethod_context/use_profile boolean false\n\
             vm/name astring web\n"
        );
        host.answer("properties", &properties);
        host.answer("vms", &format!("\"web\" {{{UUID}}}\n"));
        host
    }

    fn set_uarts(&self, modes: &[&str]) {
        let port = |(i, mode)| format!("uart{n}=\"0x03f8,4\"\nuartmode{n}=\"{mode}\"\n", n = i + 1);
        let ports: String = modes.iter().enumerate().map(port).collect();
        self.answer("info", &format!("name=\"web\"\nUUID=\"{UUID}\"\nVMState=\"running\"\n{ports}"));
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("console")
    }

    pub fn listen(&self) -> UnixListener {
        let _ = fs::remove_file(self.socket());
        UnixListener::bind(self.socket()).unwrap()
    }

    fn answer(&self, name: &str, text: &str) {
        fs::write(self.path("bin").join(name), text).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.command_for("web", args)
    }

    pub fn command_for(&self, instance: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vboxsvc"));
        command
            .args(args)
            .env_clear()
            .env("VBOXSVC_TOOL_PATH", self.path("bin"))
            .env("VBOXSVC_RUN_DIR", self.path("run"))
            .env("SMF_FMRI", format!("svc:/site/xvm/vbox:{instance}"))
            .stdin(Stdio::null());
        command
    }

    /// Runs to the end without a terminal: exit code and what was said.
    pub fn run(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.command(args).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The next client of the guest's UART.
pub fn accept(listener: &UnixListener) -> UnixStream {
    let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    let patience = PollTimeout::try_from(PATIENCE).unwrap();
    assert_eq!(poll(&mut fds, patience), Ok(1), "nobody connects");
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub fn read_exactly(from: &mut impl Read, n: usize) -> Vec<u8> {
    let mut bytes = vec![0; n];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

/// Waits for the child to end by itself: its exit code.
pub fn exit_code(child: &mut Child) -> Option<i32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(Instant::now() < deadline, "process {} does not end", child.id());
        thread::sleep(Duration::from_millis(5));
    }
}

/// The program at a pseudo-terminal, with both ends in our hands.
pub struct AtTerminal {
    pub child: Child,
    master: File,
    slave: File,
    before: Termios,
    seen: Vec<u8>,
}

impl AtTerminal {
    pub fn run(mut command: Command) -> AtTerminal {
        let pty = openpty(None, None).unwrap();
        let slave = File::from(pty.slave);
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        AtTerminal { child, master: File::from(pty.master), slave, before, seen: Vec::new() }
    }

    pub fn type_keys(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads what is shown until these words; gives back all of it, from the last such call on.
    pub fn wait_for(&mut self, words: &str) -> String {
        let shown = self.read_until(|seen| seen.windows(words.len()).any(|w| w == words.as_bytes()), words);
        String::from_utf8_lossy(&shown).into_owned()
    }

    pub fn read_bytes(&mut self, n: usize) -> Vec<u8> {
        self.read_until(|seen| seen.len() >= n, "so many bytes")
    }

    fn read_until(&mut self, enough: impl Fn(&[u8]) -> bool, what: &str) -> Vec<u8> {
        let deadline = Instant::now() + PATIENCE;
        while !enough(&self.seen) {
            let seen = String::from_utf8_lossy(&self.seen);
            assert!(Instant::now() < deadline, "{what:?} was never shown, but {seen:?}");
            let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, 100u8).unwrap() > 0 {
                let mut chunk = [0; 4096];
                let n = self.master.read(&mut chunk).unwrap();
                self.seen.extend_from_slice(&chunk[..n]);
            }
        }
        std::mem::take(&mut self.seen)
    }

    pub fn is_raw(&self) -> bool {
        let flags = tcgetattr(&self.slave).unwrap().local_flags;
        !flags.intersects(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    pub fn is_as_before(&self) -> bool {
        tcgetattr(&self.slave).unwrap() == self.before
    }

    pub fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn wait_until(&self, what: &str, holds: impl Fn(&AtTerminal) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "never: {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // A test that failed leaves no process behind; one that did not has waited for it already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
