//! A simulated host with the stub of VirtualBox, and as many VMs under vboxsvc as are wanted.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use simhost::host::VBOX;
use simhost::{Host, vbox_stub_exe, vboxsvc_exe};
use xtask::smf::render::{Variables, render_all};

use crate::counted::{self, Call};
use crate::own;

/// Far longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(300);
const SERVICE: &str = "svc:/site/xvm/vbox";

pub struct Rig {
    host: Host,
    vms: usize,
    /// The stub's executable, by its real path.
    stub: PathBuf,
}

/// What one `list` cost.
pub struct Listed {
    pub own_ms: f64,
    pub wall_ms: f64,
    pub processes: Vec<String>,
}

/// The value that this share of the values do not exceed.
pub fn at(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

pub fn name(n: usize) -> String {
    format!("vm{n}")
}

pub fn fmri(vm: &str) -> String {
    format!("{SERVICE}:{vm}")
}

pub fn vboxsvc() -> PathBuf {
    vboxsvc_exe()
}

pub fn kill(pid: i32, signal: Signal) {
    nix::sys::signal::kill(Pid::from_raw(pid), signal).unwrap();
}

impl Rig {
    pub fn new() -> Rig {
        let host = Host::new();
        let root = host.root().to_path_buf();
        for name in simhost::vbox::NAMES {
            fs::remove_file(host.bin().join(name)).unwrap();
        }
        for name in ["VBoxManage", "VBoxHeadless"] {
            symlink(vbox_stub_exe(), host.bin().join(name)).unwrap();
        }
        let counted = root.join(counted::FOLDER);
        fs::create_dir(&counted).unwrap();
        for entry in fs::read_dir(host.bin()).unwrap() {
            symlink(std::env::current_exe().unwrap(), counted.join(entry.unwrap().file_name())).unwrap();
        }
        File::create(root.join(counted::NOTES)).unwrap();
        let rig = Rig { host, vms: 0, stub: vbox_stub_exe().canonicalize().unwrap() };
        let init: String =
            rig.env().into_iter().filter(|(name, _)| name != "PATH").map(|(k, v)| format!("{k}={v}\n")).collect();
        fs::write(root.join("etc/default/init"), init).unwrap();
        rig.host.install_method(&vboxsvc_exe());
        for manifest in
            render_all(&xtask::flags::workspace(), env!("CARGO_PKG_VERSION"), &Variables::default()).unwrap()
        {
            rig.host.import(&manifest.text);
        }
        // Root takes what is said to VirtualBox from the method's own environment alone.
        let environment = format!(
            "select {VBOX}\n\
             setprop method_context/environment = astring: \"VBOX_USER_HOME={}/home\"\n",
            root.display()
        );
        rig.host.svccfg(&environment).expect_success();
        rig
    }

    fn env(&self) -> Vec<(String, String)> {
        let root = self.host.root().display();
        let mut env = self.host.env_for_person();
        env.retain(|(name, _)| name != "VBOXSVC_TOOL_PATH");
        env.push(("VBOXSVC_TOOL_PATH".into(), format!("{root}/{}", counted::FOLDER)));
        env.push(("VBOX_USER_HOME".into(), format!("{root}/home")));
        env
    }

    fn vboxsvc(&self, vm: &str, words: &[&str]) -> Command {
        let mut command = Command::new(self.host.root().join("usr/bin/vboxsvc"));
        command.args(words).env_clear().envs(self.env()).current_dir("/");
        command.env("SMF_FMRI", fmri(vm)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Registers VMs, adds their instances, and has SMF start them, until there are so many.
    pub fn grow(&mut self, vms: usize) {
        let machines = self.host.root().join("home/stub-machines");
        for n in self.vms..vms {
            let uuid = format!("00000000-0000-4000-8000-{n:012}");
            if n == 0 {
                let mut create = Command::new(self.host.bin().join("VBoxManage"));
                create.args(["createvm", "--name", &name(0), "--uuid", &uuid, "--register"]).envs(self.env());
                assert!(create.stdout(Stdio::null()).status().unwrap().success());
                continue;
            }
            // As the first one is noted, which is quicker than to register each.
            let folder = machines.join(uuid);
            fs::create_dir(&folder).unwrap();
            let noted = "name=NAME\nstate=poweroff\nsince=2026-01-01T00:00:00.000000000\n";
            fs::write(folder.join("machine"), noted.replace("NAME", &name(n))).unwrap();
            File::create(folder.join("lock")).unwrap();
        }
        // Not all at once: a host's own boot would not do that either.
        for batch in (self.vms..vms).collect::<Vec<_>>().chunks(50) {
            let add = |n: &usize| {
                format!(
                    "add vm{n}\nselect vm{n}\naddpg general framework\nsetprop general/enabled = boolean: true\nrefresh\nunselect\n"
                )
            };
            let commands: String = batch.iter().map(add).collect();
            self.host.svccfg(&format!("select {SERVICE}\n{commands}")).expect_success();
            batch.iter().for_each(|n| self.wait_running(&name(*n)));
        }
        self.vms = vms;
    }

    /// Waits until the VM has a process.
    pub fn wait_running(&self, vm: &str) {
        let began = Instant::now();
        // The child is a program of ours until it has become the stand-in.
        let is_stub = |pid: i32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == self.stub);
        while !self.monitor(vm).and_then(|monitor| own::child(monitor, None)).is_some_and(is_stub) {
            assert!(began.elapsed() < PATIENCE, "{vm} does not run\n{}", self.host.log(&fmri(vm)));
            sleep(Duration::from_millis(2));
        }
    }

    /// Waits until no program has been started for a while.
    pub fn settle(&self) {
        let began = Instant::now();
        let mut calls = (self.calls().len(), Instant::now());
        while calls.1.elapsed() < Duration::from_secs(2) && began.elapsed() < Duration::from_secs(30) {
            sleep(Duration::from_millis(100));
            let now = self.calls().len();
            if now != calls.0 {
                calls = (now, Instant::now());
            }
        }
    }

    pub fn calls(&self) -> Vec<Call> {
        counted::read(self.host.root())
    }

    /// The monitor of this VM, as its pid file has it.
    pub fn monitor(&self, vm: &str) -> Option<i32> {
        let text = fs::read_to_string(self.host.run_dir().join(format!("{vm}.pid"))).ok()?;
        text.split(' ').next()?.parse().ok()
    }

    pub fn monitors(&self) -> Vec<i32> {
        (0..self.vms).filter_map(|n| self.monitor(&name(n))).collect()
    }

    pub fn svcadm(&self, words: &[&str]) {
        self.host.run("svcadm", words).expect_success();
    }

    pub fn set(&self, vm: &str, property: &str, value: u32) {
        let select = format!("select {}\n", fmri(vm));
        // The group may be there already.
        self.host.svccfg(&format!("{select}addpg vm application\n"));
        self.host.svccfg(&format!("{select}setprop vm/{property} = integer: {value}\nrefresh\n")).expect_success();
        self.svcadm(&["refresh", &fmri(vm)]);
    }

    /// Runs vboxsvc and gives its own CPU time in milliseconds, without that of what it runs.
    pub fn own_cpu(&self, vm: &str, words: &[&str]) -> f64 {
        let mut child = self.vboxsvc(vm, words).spawn().unwrap();
        let pid = child.id() as i32;
        // Not taken away yet: the kernel still knows what it used.
        waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
        let used = own::cpu_ms(pid);
        let status = child.wait().unwrap();
        assert!(status.success(), "{words:?} of {vm}: {status}\n{}", self.host.log(&fmri(vm)));
        used
    }

    pub fn list(&self) -> Listed {
        let before = self.calls().len();
        let began = Instant::now();
        let own_ms = self.own_cpu(&name(0), &["list"]);
        let wall_ms = began.elapsed().as_secs_f64() * 1e3;
        let calls = self.calls().split_off(before);
        // Monitors may look meanwhile.
        let monitors = self.monitors();
        let ours = calls.into_iter().filter(|call| !monitors.contains(&call.parent));
        let processes = ours.map(|call| call.words.split(' ').next().unwrap_or_default().to_owned()).collect();
        Listed { own_ms, wall_ms, processes }
    }

    /// Instructions that vboxsvc itself executes; nothing where there is no valgrind.
    pub fn instructions(&self, vm: &str, words: &[&str]) -> Option<f64> {
        let program = self.vboxsvc(vm, words);
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program.get_program());
        valgrind.args(program.get_args()).envs(self.env()).env("SMF_FMRI", fmri(vm));
        let output = valgrind.output().ok()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let collected = text.lines().find_map(|line| line.split_once("Collected :"))?.1;
        collected.trim().parse().ok()
    }
}
