//! The world of these tests: a simulated host whose VirtualBox is the real one, and VMs on it.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use simhost::{Host, Ran, vboxsvc_exe};

use crate::guests::Guest;

/// Far more than anything takes that is waited for here.
pub const SOON: Duration = Duration::from_secs(40);
/// Set by `cargo xtask test`, to the ordinary user of the laboratory.
const VARIABLE: &str = "VBOXSVC_REAL_VIRTUALBOX";
/// Only the laboratory has it. Here every VirtualBox process is killed and every registry removed without asking.
const LABORATORY: &str = "/etc/virtualbox-lab";
const VIRTUALBOX: &str = "/usr/lib/virtualbox";
/// What may run when a test is over. A monitor brings back the VMs that are killed.
const PROGRAMS: [&str; 5] = ["vboxsvc", "VBoxHeadless", "VBoxSVC", "VBoxManage", "VBoxXPCOMIPCD"];

/// All tests share VirtualBox's server: one at a time.
static TURN: Mutex<()> = Mutex::new(());

pub struct World {
    pub host: Host,
    /// Whom the VMs belong to.
    user: User,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    /// A host whose VMs are root's.
    pub fn new() -> World {
        World::of("root")
    }

    /// A host whose VMs are those of the laboratory's ordinary user.
    pub fn of_ordinary_user() -> World {
        World::of(&std::env::var(VARIABLE).unwrap_or_default())
    }

    fn of(user: &str) -> World {
        assert!(
            std::env::var_os(VARIABLE).is_some() && Path::new(LABORATORY).exists(),
            "this test takes the real VirtualBox in its laboratory: cargo xtask test --tier virtualbox"
        );
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let user = User::from_name(user).unwrap().expect("a user of the laboratory");
        let host = Host::new();
        for name in simhost::vbox::NAMES {
            let stand_in = host.bin().join(name);
            fs::remove_file(&stand_in).unwrap();
            let real = Path::new(VIRTUALBOX).join(name);
            if real.exists() {
                symlink(real, stand_in).unwrap();
            }
        }
        host.install_method(&vboxsvc_exe());
        host.import(&std::env::var("VBOXSVC_MANIFEST").expect("the path of the manifest"));
        let world = World { host, user, _turn: turn };
        world.sweep();
        let vms = world.vms();
        fs::create_dir_all(&vms).unwrap();
        nix::unistd::chown(&vms, Some(world.user.uid), Some(world.user.gid)).unwrap();
        world
    }

    fn vms(&self) -> PathBuf {
        self.host.root().join("vms")
    }

    /// Ends every process of VirtualBox and every monitor, and removes the user's registry.
    fn sweep(&self) {
        soon(SOON, || {
            let left = programs();
            for pid in &left {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            left.is_empty()
        });
        let _ = fs::remove_dir_all(self.user.dir.join(".config/VirtualBox"));
        let _ = fs::remove_dir_all(format!("/tmp/.vbox-{}-ipc", self.user.name));
    }

    /// VBoxManage as the VMs' user runs it.
    pub fn manage(&self, args: &[&str]) -> Ran {
        let mut command = Command::new("timeout");
        command
            .args(["--kill-after=5", "60", "/usr/lib/virtualbox/VBoxManage"])
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", &self.user.dir)
            .env("USER", &self.user.name)
            .env("LOGNAME", &self.user.name)
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .uid(self.user.uid.as_raw())
            .gid(self.user.gid.as_raw());
        let output = command.output().expect("VBoxManage runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// A VM and a disabled instance, both of this name.
    pub fn vm(&self, name: &str, guest: Guest) -> Vm<'_> {
        self.named_vm(name, name, guest)
    }

    /// A VM, and a disabled instance of another name whose `vm/name` says which VM is meant.
    pub fn named_vm(&self, instance: &str, name: &str, guest: Guest) -> Vm<'_> {
        let floppy = self.vms().join(format!("{instance}.img"));
        guest.write(&floppy).unwrap();
        let (folder, floppy) = (self.vms().display().to_string(), floppy.display().to_string());
        let serial = self.vms().join(format!("{instance}.serial")).display().to_string();
        self.manage(&["createvm", "--name", name, "--basefolder", &folder, "--register"]).expect_success();
        // Without the kernel driver there is the interpreter. All else makes the VM small and quick.
        let modest = ["--vm-execution-engine", "interpreter", "--memory", "32", "--graphicscontroller", "none"];
        let boot = ["--boot1", "floppy", "--boot2", "none", "--boot3", "none", "--audio-enabled", "off"];
        let serial_port = ["--uart1", "0x3f8", "4", "--uart-mode1", "server", &serial];
        let modify = [["modifyvm", name].as_slice(), &modest, &boot, &serial_port].concat();
        self.manage(&modify).expect_success();
        self.manage(&["storagectl", name, "--name", "Floppy", "--add", "floppy"]).expect_success();
        let drive = ["--storagectl", "Floppy", "--port", "0", "--device", "0", "--type", "fdd", "--medium", &floppy];
        self.manage(&[["storageattach", name].as_slice(), &drive].concat()).expect_success();

        let fmri = self.host.add_instance(instance);
        let vm = Vm { uuid: self.uuid(name), name: name.to_string(), fmri, serial: serial.into(), world: self };
        if instance != name {
            vm.set("name", "astring", name);
        }
        vm.set("kicker_freq", "integer", "2");
        if !self.user.uid.is_root() {
            let user = &self.user.name;
            let context = "addpg method_context framework\nsetprop method_context/use_profile = boolean: false";
            self.host
                .svccfg(&format!(
                    "select {}\n{context}\nsetprop method_context/user = astring: \"{user}\"\nrefresh\n",
                    vm.fmri
                ))
                .expect_success();
        }
        vm
    }

    fn uuid(&self, name: &str) -> String {
        let list = self.manage(&["list", "vms"]).expect_success().stdout;
        let line = list.lines().find_map(|line| line.strip_prefix(&format!("\"{name}\" {{")));
        line.and_then(|rest| rest.strip_suffix('}')).expect("the VM is registered").to_string()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.sweep();
    }
}

/// One VM and its instance.
pub struct Vm<'w> {
    pub world: &'w World,
    pub name: String,
    pub uuid: String,
    pub fmri: String,
    /// The socket of its serial port, while it runs.
    pub serial: PathBuf,
}

impl Vm<'_> {
    /// Sets a property of group `vm`.
    pub fn set(&self, property: &str, kind: &str, value: &str) {
        self.world.host.setprop(&self.fmri, &format!("vm/{property}"), kind, value);
    }

    /// `svcadm WORDS FMRI`
    pub fn svcadm(&self, words: &[&str]) {
        self.world.host.run("svcadm", words.iter().copied().chain([self.fmri.as_str()])).expect_success();
    }

    /// Enables the instance and waits until SMF and VirtualBox both have it up.
    pub fn bring_up(&self) {
        self.svcadm(&["enable"]);
        self.wait_smf("online");
        assert_eq!(self.state(), "running");
    }

    /// Disables the instance and waits until SMF has it down.
    pub fn take_down(&self) {
        self.svcadm(&["disable"]);
        self.wait_smf("disabled");
    }

    pub fn wait_smf(&self, state: &str) {
        self.world.host.wait_state(&self.fmri, state, SOON).unwrap_or_else(|error| panic!("{error}"));
    }

    /// VirtualBox's own word for the VM's state, asked in a way that takes no lock.
    pub fn state(&self) -> String {
        let listed = self.world.manage(&["list", "-l", "vms"]);
        let mut lines = listed.stdout.lines().skip_while(|line| !is_field(line, "UUID:", &self.uuid));
        let state = lines.find_map(|line| line.strip_prefix("State:")).unwrap_or("not listed");
        state.split(" (").next().unwrap_or_default().trim().to_string()
    }

    pub fn wait_state(&self, state: &str) {
        let mut seen = String::new();
        let reached = soon(SOON, || {
            seen = self.state();
            seen == state
        });
        assert!(reached, "the VM is {seen:?}, not {state:?}; the log:\n{}", self.log());
    }

    pub fn control(&self, order: &str) -> Ran {
        self.world.manage(&["controlvm", &self.uuid, order])
    }

    /// `vboxsvc status`: its exit code and what it prints.
    pub fn status(&self) -> Ran {
        self.world.host.vboxsvc(["--svc", &self.fmri, "status"])
    }

    /// The front ends that run this VM, whoever started them.
    pub fn processes(&self) -> Vec<i32> {
        let runs = |words: &Vec<String>| {
            is_called(words, "VBoxHeadless") && words.windows(2).any(|w| w[0] == "--startvm" && w[1] == self.uuid)
        };
        processes().filter(|(_, words)| runs(words)).map(|(pid, _)| pid).collect()
    }

    /// The one process that runs this VM.
    pub fn process(&self) -> i32 {
        match self.processes().as_slice() {
            [only] => *only,
            several => panic!("not one process but {several:?}; the log:\n{}", self.log()),
        }
    }

    /// The instance's monitors.
    pub fn monitors(&self) -> Vec<i32> {
        let watches = |words: &Vec<String>| is_called(words, "vboxsvc") && words.contains(&self.uuid);
        processes().filter(|(_, words)| watches(words)).map(|(pid, _)| pid).collect()
    }

    pub fn log(&self) -> String {
        self.world.host.log(&self.fmri)
    }
}

fn is_field(line: &str, name: &str, value: &str) -> bool {
    line.strip_prefix(name).is_some_and(|rest| rest.trim() == value)
}

/// Every process and its arguments.
fn processes() -> impl Iterator<Item = (i32, Vec<String>)> {
    fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let pid = entry.file_name().to_str()?.parse().ok()?;
        // A zombie has none.
        let words = fs::read(entry.path().join("cmdline")).ok().filter(|bytes| !bytes.is_empty())?;
        let words = words.split(|&byte| byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
        Some((pid, words.collect()))
    })
}

fn is_called(words: &[String], program: &str) -> bool {
    words.first().and_then(|word| word.rsplit('/').next()) == Some(program)
}

fn programs() -> Vec<i32> {
    processes().filter(|(_, words)| PROGRAMS.iter().any(|p| is_called(words, p))).map(|(pid, _)| pid).collect()
}

/// The server of VirtualBox.
pub fn server() -> i32 {
    let servers: Vec<i32> = processes().filter(|(_, words)| is_called(words, "VBoxSVC")).map(|(pid, _)| pid).collect();
    assert_eq!(servers.len(), 1, "servers of VirtualBox: {servers:?}");
    servers[0]
}

pub fn parent(pid: i32) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(1).unwrap().parse().unwrap()
}

pub fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Whether it comes true in time.
pub fn soon(limit: Duration, mut what: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    loop {
        if what() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        sleep(Duration::from_millis(50));
    }
}

#[track_caller]
pub fn eventually(words: &str, limit: Duration, what: impl FnMut() -> bool) {
    assert!(soon(limit, what), "not within {} s: {words}", limit.as_secs());
}
