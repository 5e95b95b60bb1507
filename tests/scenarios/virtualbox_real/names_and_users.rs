//! VMs of odd names, and of users other than root.

use std::os::unix::fs::MetadataExt;

use crate::guests::Guest;
use crate::world::{SOON, World, eventually, signal};

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_name_with_blanks_quotes_and_letters_of_the_world_is_a_name_like_any_other() {
    let world = World::new();
    let vm = world.named_vm("office", "Büro №5 'Ω \"x\" $HOME", Guest::Obedient);
    vm.set("stop_method", "astring", "acpipowerbutton");
    vm.bring_up();
    let status = world.host.vboxsvc(["--vm", &vm.name, "status"]);
    assert_eq!(status.code, 0, "{status:?}");
    assert!(status.stdout.contains(&vm.name), "{status:?}");
    vm.take_down();
    assert_eq!(vm.state(), "powered off");
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_whose_name_begins_another_ones_name_is_not_taken_for_it() {
    let world = World::new();
    let (web, web2) = (world.vm("web", Guest::Obedient), world.vm("web2", Guest::Obedient));
    web2.bring_up();
    assert_eq!(web.status().code, 10, "{:?}", web.status());
    web.bring_up();
    web.take_down();
    assert_eq!((web.state().as_str(), web2.state().as_str()), ("saved", "running"));
}

#[test]
#[ignore = "takes the real VirtualBox: cargo xtask test --tier virtualbox"]
fn a_vm_of_an_ordinary_user_runs_as_that_user_and_root_can_ask_about_it() {
    let world = World::of_ordinary_user();
    let vm = world.vm("hers", Guest::Obedient);
    vm.bring_up();
    for pid in vm.monitors().into_iter().chain([vm.process()]) {
        let owner = std::fs::metadata(format!("/proc/{pid}")).unwrap().uid();
        assert_ne!(owner, 0, "process {pid} is root's");
    }
    assert_eq!(vm.status().code, 0, "{:?}", vm.status());
    let process = vm.process();
    signal(process, nix::sys::signal::Signal::SIGKILL);
    eventually("it is back", SOON, || vm.processes().iter().any(|pid| *pid != process));
    vm.wait_state("running");
    vm.take_down();
    assert_eq!(vm.state(), "saved");
}
