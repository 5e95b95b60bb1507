//! Watching: what the monitor does when a VM leaves its state without being asked to by us.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::guests::Guest;
use crate::world::{SOON, Vm, World, eventually, parent, signal};

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_killed_vm_is_on_its_way_back_within_a_second() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    let killed = vm.process();
    signal(killed, Signal::SIGKILL);
    let began = Instant::now();
    eventually("another process runs the VM", SOON, || vm.processes().iter().any(|pid| *pid != killed));
    let back = began.elapsed();
    vm.wait_state("running");
    assert!(back < Duration::from_secs(1), "it took {back:?}");
    assert_eq!(world.host.state(&vm.fmri).as_deref(), Some("online"));
    assert_eq!(vec![parent(vm.process())], vm.monitors());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_killed_vm_that_is_not_to_be_restarted_means_maintenance() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.set("restart_aborted_vm", "boolean", "false");
    vm.bring_up();
    signal(vm.process(), Signal::SIGKILL);
    vm.wait_smf("maintenance");
    assert_eq!(vm.state(), "aborted");
    assert_eq!(vm.status().code, 20, "{:?}", vm.status());
    eventually("the monitor ends", SOON, || vm.monitors().is_empty());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_killed_too_often_means_maintenance() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.set("restart_aborted_vm_failures_maxcount", "integer", "1");
    vm.bring_up();
    let first = vm.process();
    signal(first, Signal::SIGKILL);
    eventually("it is back", SOON, || vm.processes().iter().any(|pid| *pid != first));
    vm.wait_state("running");
    signal(vm.process(), Signal::SIGKILL);
    vm.wait_smf("maintenance");
    assert_eq!(vm.state(), "aborted");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_guest_that_powers_off_takes_its_service_offline() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    vm.control("acpipowerbutton").expect_success();
    vm.wait_smf("disabled");
    assert_eq!(vm.state(), "powered off");
    eventually("the monitor ends", SOON, || vm.monitors().is_empty());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_guest_that_powers_off_is_started_again_where_its_settings_say_so() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.set("restart_halted_vm", "boolean", "true");
    vm.bring_up();
    let first = vm.process();
    vm.control("acpipowerbutton").expect_success();
    eventually("another process runs the VM", SOON, || vm.processes().iter().any(|pid| *pid != first));
    vm.wait_state("running");
    assert_eq!(world.host.state(&vm.fmri).as_deref(), Some("online"));
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_that_a_person_saves_takes_its_service_offline() {
    let world = World::new();
    let vm = world.vm("web", Guest::Deaf);
    vm.bring_up();
    vm.control("savestate").expect_success();
    vm.wait_smf("disabled");
    assert_eq!(vm.state(), "saved");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_paused_vm_is_left_alone() {
    let world = World::new();
    let vm = world.vm("web", Guest::Deaf);
    vm.bring_up();
    vm.control("pause").expect_success();
    eventually("the monitor has seen it", SOON, || vm.log().contains("vm/ignore_paused_vm is true"));
    assert_eq!(vm.state(), "paused");
    assert_eq!(vm.status().code, 1, "{:?}", vm.status());
    assert_eq!(world.host.state(&vm.fmri).as_deref(), Some("online"));
    vm.control("resume").expect_success();
    vm.wait_state("running");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_paused_vm_is_resumed_where_its_settings_say_so() {
    let world = World::new();
    let vm = world.vm("web", Guest::Deaf);
    vm.set("ignore_paused_vm", "boolean", "false");
    vm.set("restart_paused_vm", "boolean", "true");
    vm.bring_up();
    vm.control("pause").expect_success();
    vm.wait_state("running");
    assert!(vm.log().contains("the VM is paused and vm/restart_paused_vm is true"), "{}", vm.log());
}

/// Has the guest fault beyond repair.
fn break_guest(vm: &Vm) {
    vm.control("acpipowerbutton").expect_success();
    vm.wait_state("guru meditation");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_guru_meditation_is_left_for_a_look_and_its_stop_powers_off() {
    let world = World::new();
    let vm = world.vm("web", Guest::Fragile);
    vm.bring_up();
    break_guest(&vm);
    eventually("the monitor has seen it", SOON, || vm.log().contains("gurumeditation, and neither"));
    assert_eq!(vm.status().code, 126, "{:?}", vm.status());
    assert_eq!(world.host.state(&vm.fmri).as_deref(), Some("online"));
    vm.take_down();
    assert_eq!(vm.state(), "powered off");
    assert!(vm.processes().is_empty());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_guru_meditation_is_powered_off_and_started_again_where_its_settings_say_so() {
    let world = World::new();
    let vm = world.vm("web", Guest::Fragile);
    vm.set("restart_stuck_vm", "boolean", "true");
    vm.bring_up();
    let stuck = vm.process();
    vm.control("acpipowerbutton").expect_success();
    eventually("another process runs the VM", SOON, || vm.processes().iter().any(|pid| *pid != stuck));
    vm.wait_state("running");
    assert_eq!(world.host.state(&vm.fmri).as_deref(), Some("online"));
    assert!(vm.log().contains("gurumeditation"), "{}", vm.log());
}
