//! Starting: from every state a VM may be in.

use std::io::Read;
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;

use crate::guests::Guest;
use crate::world::{SOON, Vm, World, eventually, parent, signal};

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_powered_off_vm_is_running_when_smf_says_online() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    assert_eq!(vm.status().code, 10, "{:?}", vm.status());
    vm.svcadm(&["enable"]);
    vm.wait_smf("online");
    assert_eq!(vm.state(), "running");
    assert_eq!(vm.status().code, 0, "{:?}", vm.status());
    assert_eq!(vec![parent(vm.process())], vm.monitors(), "the VM is a child of its monitor");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_saved_vm_goes_on_where_it_was() {
    let world = World::new();
    let vm = world.vm("web", Guest::Talking);
    vm.bring_up();
    // Five seconds: no boot is over so late, none reaches so far before it is looked at below.
    eventually("the guest is old", SOON, || age(&vm).is_some_and(|age| age > 90));
    vm.take_down();
    assert_eq!(vm.state(), "saved");
    assert_eq!(vm.status().code, 3, "{:?}", vm.status());
    vm.bring_up();
    let age = age(&vm);
    assert!(age.is_some_and(|age| age > 90), "the guest booted anew: it is {age:?} ticks old");
}

/// The guest's age, read out of its processor by VirtualBox's debugger.
fn age(vm: &Vm) -> Option<u32> {
    let register = vm.world.manage(&["debugvm", &vm.uuid, "getregisters", "cx"]).stdout;
    u32::from_str_radix(register.trim().strip_prefix("cx = 0x")?, 16).ok()
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn the_serial_port_of_a_vm_under_the_service_is_heard() {
    let world = World::new();
    let vm = world.vm("web", Guest::Talking);
    vm.bring_up();
    let mut port = UnixStream::connect(&vm.serial).unwrap();
    port.set_read_timeout(Some(SOON)).unwrap();
    let mut words = [0; 20];
    port.read_exact(&mut words).unwrap();
    assert_eq!(words, [b'.'; 20]);
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_that_a_person_started_is_saved_and_started_again_under_the_service() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    world.manage(&["startvm", &vm.uuid, "--type", "headless"]).expect_success();
    let persons = vm.process();
    vm.bring_up();
    assert_ne!(vm.process(), persons);
    assert_eq!(vec![parent(vm.process())], vm.monitors());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn an_interactive_vm_that_its_user_runs_is_left_to_him() {
    let world = World::new();
    let vm = world.vm("desktop", Guest::Obedient);
    vm.set("is_interactive", "boolean", "true");
    world.manage(&["startvm", &vm.uuid, "--type", "headless"]).expect_success();
    let persons = vm.process();
    vm.bring_up();
    assert_eq!(vm.process(), persons, "the VM was taken over");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_killed_monitor_leaves_its_vm_alone_and_the_next_start_watches_the_same_process() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    let (process, monitors) = (vm.process(), vm.monitors());
    for monitor in &monitors {
        signal(*monitor, Signal::SIGKILL);
    }
    eventually("the monitor is gone", SOON, || vm.monitors().is_empty());
    assert_eq!(vm.state(), "running");
    world.host.vboxsvc(["--svc", &vm.fmri, "start"]).expect_success();
    assert_eq!(vm.process(), process, "the VM was disturbed");
    assert_eq!(vm.monitors().len(), 1);
    assert_ne!(vm.monitors(), monitors);
    vm.take_down();
    assert_eq!(vm.state(), "saved");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_that_cannot_power_up_fails_its_start_in_virtualboxs_words() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    let nowhere = ["--uart-mode1", "server", "/no/such/folder/serial"];
    world.manage(&[["modifyvm", &vm.uuid].as_slice(), &nowhere].concat()).expect_success();
    vm.svcadm(&["enable"]);
    vm.wait_smf("maintenance");
    assert!(vm.log().contains("VERR_FILE_NOT_FOUND"), "{}", vm.log());
    assert_eq!(vm.state(), "powered off");
    assert!(vm.processes().is_empty() && vm.monitors().is_empty());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn an_instance_whose_vm_virtualbox_does_not_know_goes_to_maintenance() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.set("name", "astring", "nobody");
    vm.svcadm(&["enable"]);
    vm.wait_smf("maintenance");
    assert!(vm.log().contains("exited with status 96"), "{}", vm.log());
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn two_vms_start_run_and_are_saved_at_the_same_time() {
    let world = World::new();
    let vms = [world.vm("one", Guest::Talking), world.vm("two", Guest::Obedient)];
    vms.iter().for_each(|vm| vm.svcadm(&["enable"]));
    vms.iter().for_each(|vm| vm.wait_smf("online"));
    for vm in &vms {
        assert_eq!(vm.state(), "running");
        assert_eq!(vec![parent(vm.process())], vm.monitors());
    }
    vms.iter().for_each(|vm| vm.svcadm(&["disable"]));
    vms.iter().for_each(|vm| vm.wait_smf("disabled"));
    vms.iter().for_each(|vm| assert_eq!(vm.state(), "saved"));
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_is_saved_when_the_host_goes_down_and_goes_on_when_it_comes_up() {
    let mut world = World::new();
    let (fmri, uuid) = {
        let vm = world.vm("web", Guest::Talking);
        vm.bring_up();
        (vm.fmri.clone(), vm.uuid.clone())
    };
    world.host.reboot();
    world.host.wait_state(&fmri, "online", SOON).unwrap_or_else(|error| panic!("{error}"));
    let log = world.host.log(&fmri);
    assert!(log.contains("the VM is saved and vm/start_saved_vm is true"), "{log}");
    assert!(world.manage(&["list", "runningvms"]).stdout.contains(&uuid));
}
