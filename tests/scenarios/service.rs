//! One VM kept as a service: the rendered manifest, the real `vboxsvc`, and a simulated host around them. SMF and
//! VirtualBox are stand-ins here.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use simhost::vbox::Control;
use simhost::{Host, vboxsvc_exe};

const SOON: Duration = Duration::from_secs(30);
const WEB: &str = "svc:/site/xvm/vbox:web";

/// A host with our manifest imported and an instance for the VM `web`, which is registered and powered off.
fn host_with_web() -> (Host, Control, String) {
    let host = Host::new();
    host.install_method(&vboxsvc_exe());
    let manifests = xtask::smf::render::render_all(
        &xtask::flags::workspace(),
        env!("CARGO_PKG_VERSION"),
        &xtask::smf::render::Variables::default(),
    )
    .unwrap();
    for manifest in &manifests {
        host.import(&manifest.text);
    }
    let control = Control::new(host.root());
    let uuid = control.create_vm("web");
    host.add_instance("web");
    (host, control, uuid)
}

fn enable(host: &Host, fmri: &str) {
    let ran = host.run("svcadm", ["enable", fmri]);
    assert_eq!(ran.code, 0, "{ran:?}");
    host.wait_state(fmri, "online", SOON).unwrap();
}

fn disable(host: &Host, fmri: &str) {
    let ran = host.run("svcadm", ["disable", fmri]);
    assert_eq!(ran.code, 0, "{ran:?}");
    host.wait_state(fmri, "disabled", SOON).unwrap();
}

/// Waits until the VM's process is another one than this.
fn wait_for_new_process(control: &Control, uuid: &str, old: i32) -> Duration {
    let began = Instant::now();
    while began.elapsed() < SOON {
        match control.process(uuid) {
            Some(pid) if pid != old => return began.elapsed(),
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    panic!("no new process of the VM within {SOON:?}");
}

#[test]
fn a_vm_is_started_restarted_after_a_crash_and_saved() {
    let (host, control, uuid) = host_with_web();
    enable(&host, WEB);
    assert_eq!(control.state(&uuid), "running");

    let status = host.vboxsvc(["--vm", "web", "status"]);
    assert_eq!(status.code, 0, "{status:?}");

    let old = control.process(&uuid).unwrap();
    assert!(control.kill_vm(&uuid, 9));
    let took = wait_for_new_process(&control, &uuid, old);
    assert!(took < Duration::from_secs(1), "the restart took {took:?}\n{}", host.log(WEB));
    control.wait_for_state(&uuid, "running");
    assert_eq!(host.state(WEB).as_deref(), Some("online"));

    disable(&host, WEB);
    assert_eq!(control.state(&uuid), "saved");
    assert_eq!(control.process(&uuid), None);
    assert!(!control.ran_twice(&uuid), "two copies of the VM ran");
}
