//! vboxsvc, and the look-alike of the script before it, with the stub of VirtualBox that trial packages carry: what a
//! smoke run does on a host without VirtualBox. SMF is simulated and no guest runs.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::Command;

use nix::sys::signal::Signal;
use simhost::{Host, vbox_stub_exe, vboxsvc_exe};
use support::eventually;
use support::vm::{kill, manifests};

/// A host with the stub in VirtualBox's place, and a machine `web` that is a service.
struct Stubbed {
    host: Host,
    fmri: String,
}

impl Stubbed {
    fn new<'a>(manifests: impl IntoIterator<Item = &'a str>) -> Stubbed {
        let host = Host::new();
        for name in simhost::vbox::NAMES {
            fs::remove_file(host.bin().join(name)).unwrap();
        }
        for name in ["VBoxManage", "VBoxHeadless"] {
            symlink(vbox_stub_exe(), host.bin().join(name)).unwrap();
        }
        for manifest in manifests {
            host.import(manifest);
        }
        let fmri = host.add_instance("web");
        // Root takes what is said to VirtualBox from the method's own environment alone.
        let home = host.root().join("home");
        let environment = format!(
            "select {fmri}\naddpg method_context framework\n\
             setprop method_context/environment = astring: \"VBOX_USER_HOME={}\"\nrefresh\n",
            home.display()
        );
        host.svccfg(&environment).expect_success();
        let stubbed = Stubbed { host, fmri };
        stubbed.ask("VBoxManage", &["createvm", "--name", "web", "--register"]);
        stubbed
    }

    #[track_caller]
    fn ask(&self, program: &str, words: &[&str]) -> String {
        let mut command = Command::new(self.host.bin().join(program));
        if program == "vboxsvc" {
            command = Command::new(self.host.root().join("usr/bin/vboxsvc"));
        }
        let home = self.host.root().join("home");
        let output = command.args(words).envs(self.host.env_for_person()).env("VBOX_USER_HOME", home).output().unwrap();
        assert!(output.status.success(), "{program} {words:?}: {output:?}\n{}", self.host.log(&self.fmri));
        String::from_utf8(output.stdout).unwrap()
    }

    fn info(&self, key: &str) -> String {
        let info = self.ask("VBoxManage", &["showvminfo", "web", "--machinereadable"]);
        let value = info.lines().find_map(|line| line.strip_prefix(&format!("{key}=")));
        value.unwrap_or_default().trim_matches('"').to_string()
    }

    /// The VM process, by what the stub noted.
    fn pid(&self) -> Option<i32> {
        let folder = PathBuf::from(self.info("CfgFile")).parent().unwrap().join("machine");
        let text = fs::read_to_string(folder).unwrap();
        text.lines().find_map(|line| line.strip_prefix("pid=")).map(|pid| pid.parse().unwrap())
    }

    #[track_caller]
    fn svcadm(&self, verb: &str) {
        let ran = self.host.run("svcadm", [verb, "-s", &self.fmri]);
        assert_eq!(ran.code, 0, "{ran:?}\n{}", self.host.log(&self.fmri));
    }
}

#[test]
fn a_vm_of_the_stub_is_started_restarted_and_saved() {
    let stubbed = Stubbed::new(manifests().iter().map(String::as_str));
    stubbed.host.install_method(&vboxsvc_exe());
    stubbed.svcadm("enable");
    assert_eq!(stubbed.info("VMState"), "running");
    assert!(stubbed.ask("vboxsvc", &["--vm", "web", "status"]).contains("running"));

    let first = stubbed.pid().unwrap();
    kill(first, Signal::SIGKILL);
    eventually("the VM is back", || stubbed.info("VMState") == "running" && stubbed.pid() != Some(first));

    stubbed.svcadm("disable");
    assert_eq!((stubbed.info("VMState").as_str(), stubbed.pid()), ("saved", None));
}

#[test]
fn a_vm_of_the_stub_runs_under_the_look_alike_of_the_script() {
    let look_alike = xtask::flags::workspace().join("xtask/src/trial/historic");
    let stubbed = Stubbed::new([fs::read_to_string(look_alike.join("vbox-svc.xml")).unwrap().as_str()]);
    let method = stubbed.host.root().join("lib/svc/method/vbox.sh");
    fs::copy(look_alike.join("vbox.sh"), &method).unwrap();
    fs::set_permissions(&method, Permissions::from_mode(0o755)).unwrap();
    stubbed.svcadm("enable");
    assert_eq!(stubbed.info("VMState"), "running", "{}", stubbed.host.log(&stubbed.fmri));
    stubbed.svcadm("disable");
    assert_eq!(stubbed.info("VMState"), "saved");
}
