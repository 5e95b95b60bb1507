//! Stopping: by every method, from running and from paused.

use std::time::{Duration, Instant};

use crate::guests::Guest;
use crate::world::World;

/// A VM of this guest, stopped by this method: the state it ends in.
fn stopped(guest: Guest, method: &str, paused: bool) -> String {
    let world = World::new();
    let vm = world.vm("web", guest);
    vm.set("stop_method", "astring", method);
    vm.bring_up();
    if paused {
        vm.control("pause").expect_success();
    }
    vm.take_down();
    assert!(vm.processes().is_empty(), "SMF said disabled while the VM's process lived");
    assert!(vm.monitors().is_empty());
    vm.state()
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn savestate_saves() {
    assert_eq!(stopped(Guest::Deaf, "savestate", false), "saved");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn savestate_saves_a_paused_vm() {
    assert_eq!(stopped(Guest::Deaf, "savestate", true), "saved");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn acpipowerbutton_has_the_guest_power_off() {
    assert_eq!(stopped(Guest::Obedient, "acpipowerbutton", false), "powered off");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn acpipowerbutton_resumes_a_paused_vm_first() {
    assert_eq!(stopped(Guest::Obedient, "acpipowerbutton", true), "powered off");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn poweroff_powers_off() {
    assert_eq!(stopped(Guest::Deaf, "poweroff", false), "powered off");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn poweroff_powers_off_a_paused_vm() {
    assert_eq!(stopped(Guest::Deaf, "poweroff", true), "powered off");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn poweroff_graceful_lets_an_obedient_guest_power_off_itself() {
    let began = Instant::now();
    assert_eq!(stopped(Guest::Obedient, "poweroff-graceful", false), "powered off");
    assert!(began.elapsed() < Duration::from_secs(60), "it was waited for in vain");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn poweroff_graceful_powers_a_deaf_guest_off_within_its_time() {
    let world = World::new();
    let vm = world.vm("web", Guest::Deaf);
    vm.set("stop_method", "astring", "poweroff-graceful");
    vm.set("stop_timeout", "integer", "6");
    vm.bring_up();
    let began = Instant::now();
    vm.take_down();
    assert!(began.elapsed() >= Duration::from_secs(3), "the guest was given no time");
    assert_eq!(vm.state(), "powered off");
    assert!(vm.log().contains("the guest did not power off in time: powering it off"), "{}", vm.log());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_deaf_guest_outlives_acpipowerbutton_and_the_failure_is_told() {
    let world = World::new();
    let vm = world.vm("web", Guest::Deaf);
    vm.set("stop_method", "astring", "acpipowerbutton");
    vm.set("stop_timeout", "integer", "4");
    vm.bring_up();
    let process = vm.process();
    vm.svcadm(&["disable"]);
    vm.wait_smf("maintenance");
    assert_eq!((vm.state().as_str(), vm.process()), ("running", process));
    assert!(vm.log().contains("the time for the stop ran out"), "{}", vm.log());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn reset_lets_the_vm_run_on_and_the_next_start_watches_it() {
    let world = World::new();
    let vm = world.vm("web", Guest::Deaf);
    vm.set("stop_method", "astring", "reset");
    vm.bring_up();
    let process = vm.process();
    vm.take_down();
    assert_eq!((vm.state().as_str(), vm.process()), ("running", process));
    vm.bring_up();
    assert_eq!(vm.process(), process, "the VM was disturbed");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn acpisleepbutton_has_the_guest_sleep_which_virtualbox_makes_a_power_off() {
    assert_eq!(stopped(Guest::Sleepy, "acpisleepbutton", false), "powered off");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_that_is_off_already_is_none_of_the_stop_methods_business() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.set("start_halted_vm", "boolean", "false");
    vm.svcadm(&["enable"]);
    vm.wait_smf("online");
    assert_eq!(vm.state(), "powered off");
    vm.take_down();
    assert_eq!(vm.state(), "powered off");
}
