//! Trouble with VirtualBox itself.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::guests::Guest;
use crate::world::{SOON, Vm, World, eventually, server, signal, soon};

/// A VM lives on for 10 to 23 seconds without VirtualBox's server.
const LIVES_ON: Duration = Duration::from_secs(60);

/// Kills VirtualBox's server under a running VM, and gives the process that VirtualBox thereby loses.
fn lose(vm: &Vm) -> i32 {
    let process = vm.process();
    signal(server(), Signal::SIGKILL);
    // The next server knows only what is on disk.
    eventually("VirtualBox has lost the VM", SOON, || vm.state() == "powered off");
    assert_eq!(vm.processes(), [process], "the VM lives on");
    process
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_that_virtualbox_has_lost_is_brought_back_and_never_runs_twice() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    let lost = lose(&vm);
    let status = vm.status();
    assert_eq!(status.code, 126, "{status:?}");
    assert!(status.stdout.contains("VirtualBox has lost it"), "{status:?}");
    let mut most = 0;
    let back = soon(LIVES_ON, || {
        let processes = vm.processes();
        most = most.max(processes.len());
        !processes.is_empty() && !processes.contains(&lost)
    });
    assert!(back, "it was not brought back; the log:\n{}", vm.log());
    assert_eq!(most, 1, "two copies ran on the same disks");
    vm.wait_state("running");
    assert_eq!(world.host.state(&vm.fmri).as_deref(), Some("online"));
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_that_virtualbox_has_lost_is_down_when_its_stop_says_so() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    lose(&vm);
    vm.svcadm(&["disable"]);
    world.host.wait_state(&vm.fmri, "disabled", LIVES_ON).unwrap_or_else(|error| panic!("{error}"));
    assert!(vm.processes().is_empty(), "the stop succeeded while the VM's process lived");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_that_virtualbox_has_lost_is_not_started_a_second_time_by_hand() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    let lost = lose(&vm);
    for monitor in vm.monitors() {
        signal(monitor, Signal::SIGKILL);
    }
    let ran = world.host.vboxsvc(["--svc", &vm.fmri, "start"]).expect_success();
    assert_ne!(vm.process(), lost, "{ran:?}");
    vm.wait_state("running");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_hung_vm_hangs_neither_status_nor_its_monitor() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    let process = vm.process();
    signal(process, Signal::SIGSTOP);
    let status = vm.status();
    assert_eq!(status.code, 126, "{status:?}");
    assert!(status.stdout.contains("not known"), "{status:?}");
    assert_eq!(world.host.state(&vm.fmri).as_deref(), Some("online"));
    signal(process, Signal::SIGCONT);
    vm.wait_state("running");
    eventually("its state is known again", SOON, || vm.status().code == 0);
    assert_eq!(vm.process(), process, "the VM was disturbed");
}

/// What a person or a script may do: VirtualBox neither saves a paused VM nor lets go of its session. It mends only
/// when it hears nothing for some seconds, so no word to it from the tests either.
fn wedge(vm: &Vm) -> i32 {
    let process = vm.process();
    vm.control("pause").expect_success();
    signal(process, Signal::SIGTERM);
    eventually("the process ends", SOON, || !vm.processes().contains(&process));
    process
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_stop_waits_for_a_session_that_a_signal_wedged() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.bring_up();
    wedge(&vm);
    vm.svcadm(&["disable"]);
    world.host.wait_state(&vm.fmri, "disabled", Duration::from_secs(90)).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(vm.state(), "powered off");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_session_that_a_signal_wedged_mends_and_the_vm_is_brought_back() {
    let world = World::new();
    let vm = world.vm("web", Guest::Obedient);
    vm.set("restart_halted_vm", "boolean", "true");
    vm.bring_up();
    let process = wedge(&vm);
    let back = soon(Duration::from_secs(90), || vm.processes().iter().any(|pid| *pid != process));
    assert!(back, "it was not brought back; the log:\n{}", vm.log());
    vm.wait_state("running");
}
