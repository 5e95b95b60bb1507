//! One VM kept as a service: the rendered manifest, the real `vboxsvc`, and a simulated host around them. SMF and
//! VirtualBox are stand-ins here.

mod support;

use std::time::Duration;

use support::vm::Scene;

#[test]
fn a_vm_is_started_restarted_after_a_crash_and_saved() {
    let scene = Scene::new(&[]);
    scene.enable();
    assert_eq!(scene.state(), "running");

    let status = scene.run("status");
    assert_eq!(status.code, 0, "{status:?}");

    let old = scene.live_pid();
    assert!(scene.vbox.kill_vm(&scene.uuid, 9));
    let took = scene.wait_new_process(old);
    assert!(took < Duration::from_secs(1), "the restart took {took:?}\n{}", scene.log());
    scene.wait_vm("running");
    assert_eq!(scene.service(), "online");

    scene.disable();
    assert_eq!(scene.state(), "saved");
    assert_eq!(scene.pid(), None);
}
