//! The host goes down and comes up again: in order, and by losing power.

mod support;

use support::vm::{Scene, WEB};

#[test]
fn a_reboot_of_the_host_saves_the_vm_and_brings_it_back_where_it_was() {
    let mut scene = Scene::new(&[]);
    scene.enable();
    scene.host.reboot();
    scene.wait_service("online");
    assert_eq!(scene.state(), "running");
    assert_eq!(scene.orders(), ["savestate"]);
    let words: Vec<String> = scene.vbox.states(&scene.uuid);
    assert!(words.iter().any(|word| word == "restoring"), "it did not go on from its saved state: {words:?}");
    // The new monitor does its work.
    scene.wait_live(2);
    scene.wait_new_process(scene.crash());
    scene.wait_live(3);
}

#[test]
fn a_loss_of_power_is_followed_by_a_fresh_start() {
    let mut scene = Scene::new(&[]);
    scene.enable();
    scene.host.power_cycle();
    scene.wait_service("online");
    assert_eq!((scene.state().as_str(), scene.starts(), scene.orders().len()), ("running", 2, 0));
}

#[test]
fn a_disabled_instance_stays_down_and_one_disabled_for_now_comes_back() {
    let mut scene = Scene::new(&[]);
    scene.enable();
    scene.disable();
    scene.host.reboot();
    scene.wait_service("disabled");
    assert_eq!((scene.state().as_str(), scene.starts()), ("saved", 1));

    scene.enable();
    scene.svcadm(&format!("disable -t {WEB}"));
    scene.wait_service("disabled");
    scene.host.reboot();
    scene.wait_service("online");
    assert_eq!((scene.state().as_str(), scene.starts()), ("running", 3));
}

#[test]
fn an_interactive_vm_is_saved_at_shutdown_and_not_started_at_boot() {
    let mut scene = Scene::new(&[("is_interactive", "true")]);
    scene.enable();
    scene.start_outside();
    scene.host.reboot();
    scene.wait_service("online");
    assert_eq!((scene.state().as_str(), scene.starts(), scene.pid()), ("saved", 1, None));
}

#[test]
fn files_of_the_run_directory_that_survive_a_crash_of_the_host_are_harmless() {
    let mut scene = Scene::new(&[]);
    scene.enable();
    let pid_file = std::fs::read(scene.run_file("pid")).unwrap();
    scene.host.power_cycle();
    scene.wait_service("online");
    scene.disable();
    // As where the run directory is on disk: pids of the former boot.
    std::fs::write(scene.run_file("pid"), pid_file).unwrap();
    std::fs::write(scene.run_file("nokick"), "1 1\n").unwrap();
    std::fs::write(scene.run_file("start"), "").unwrap();
    scene.enable();
    assert_eq!(scene.state(), "running");
    assert!(scene.run("status").stdout.contains("monitor     process"));
}
