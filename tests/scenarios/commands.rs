//! The commands that tell: list, explain and --dry-run. SMF and VirtualBox are stand-ins here.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use serde_json::Value;
use simhost::vbox::Spec;
use support::vm::{Scene, WEB};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn row<'r>(rows: &'r Value, instance: &str) -> &'r Value {
    rows.as_array().unwrap().iter().find(|row| row["instance"] == instance).unwrap()
}

/// Covers: list, vm/name
#[test]
fn list_tells_every_instance_by_its_real_name_and_the_state_of_its_vm() {
    let scene = Scene::new(&[]);
    let fancy = scene.vbox.create_vm_with(Spec::named("Größe \"XL\" (test)"));
    let win = scene.host.add_instance("win");
    scene.host.setprop(&win, "vm/name", "astring", "Größe \"XL\" (test)");
    scene.vbox.set_rest(&fancy, "saved");
    scene.enable();
    let rows = json(&scene.host.vboxsvc(["list", "--json"]).expect_success().stdout);
    let (web, win) = (row(&rows, WEB), row(&rows, &win));
    assert_eq!(web["vm_state"], "running");
    assert_eq!(web["smf_state"], "online");
    assert!(web["monitor"].is_i64() && web["uptime_seconds"].is_u64(), "{rows}");
    assert_eq!(win["vm"], "Größe \"XL\" (test)");
    assert_eq!((&win["vm_state"], &win["smf_state"]), (&Value::from("saved"), &Value::from("disabled")));
    let table = scene.host.vboxsvc(["list"]).expect_success().stdout;
    assert!(table.starts_with("INSTANCE") && table.contains("Größe"), "{table}");
}

/// Covers: vm/name
#[test]
fn list_takes_a_vm_for_the_one_that_start_would_take() {
    let scene = Scene::new(&[]);
    let uuid = scene.uuid.to_string();
    let decoy = scene.vbox.create_vm_with(Spec::named(&uuid));
    scene.vbox.set_rest(&decoy, "saved");
    for written in [uuid.clone(), uuid.to_uppercase()] {
        scene.host.setprop(WEB, "vm/name", "astring", &written);
        let rows = json(&scene.host.vboxsvc(["list", "--json"]).expect_success().stdout);
        let web = row(&rows, WEB);
        assert_eq!((&web["vm_state"], &web["remark"]), (&Value::from("poweroff"), &Value::Null), "{written}");
    }
}

#[test]
fn listing_a_hundred_instances_asks_virtualbox_once() {
    let scene = Scene::new(&[]);
    let commands: String = (0..100).map(|n| format!("select svc:/site/xvm/vbox\nadd vm{n}\n")).collect();
    scene.host.svccfg(&commands).expect_success();
    let calls = |scene: &Scene| scene.vbox.calls("list") + scene.vbox.calls("showvminfo");
    let before = calls(&scene);
    let rows = json(&scene.host.vboxsvc(["list", "--json"]).expect_success().stdout);
    assert!(rows.as_array().unwrap().len() >= 101);
    assert_eq!(calls(&scene) - before, 1, "one list for all of them");
}

/// Covers: explain
#[test]
fn explain_says_what_each_would_do_and_does_nothing() {
    let scene = Scene::new(&[("start_halted_vm", "false"), ("restart_halted_vm", "false")]);
    let said = json(&scene.host.vboxsvc(["--vm", "web", "explain", "--json"]).expect_success().stdout);
    let who: Vec<&str> = said.as_array().unwrap().iter().map(|s| s["who"].as_str().unwrap()).collect();
    assert_eq!(who, ["start", "stop", "monitor"]);
    assert!(said[0]["reason"].as_str().unwrap().contains("vm/start_halted_vm"), "{said}");
    assert_eq!(scene.vbox.state(&scene.uuid), "poweroff");
}

#[test]
fn a_dry_run_of_every_acting_command_says_why_and_leaves_the_vm_as_it_is() {
    let scene = Scene::new(&[]);
    for command in ["start", "start-force"] {
        let said = scene.host.vboxsvc(["--vm", "web", "--dry-run", command]).expect_success().stdout;
        assert!(said.contains("starts it: the VM is poweroff"), "{command}: {said}");
        assert_eq!(scene.vbox.state(&scene.uuid), "poweroff", "{command}");
    }
    scene.enable();
    for (command, wanted) in [
        ("stop", "gives the order savestate"),
        ("save", "gives the order savestate"),
        ("poweroff", "gives the order acpipowerbutton"),
        ("reboot", "then it is started again"),
        ("reset", "gives the order reset"),
    ] {
        let said = scene.host.vboxsvc(["--vm", "web", "--dry-run", command]).expect_success().stdout;
        assert!(said.contains(wanted), "{command}: {said}");
        assert_eq!(scene.vbox.state(&scene.uuid), "running", "{command}");
    }
    let refused = scene.host.vboxsvc(["--vm", "web", "--dry-run", "status"]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

#[test]
fn an_instance_is_found_by_its_own_name_by_its_vms_name_and_by_part_of_its_fmri() {
    let scene = Scene::new(&[]);
    scene.vbox.create_vm("Windows 11");
    let win = scene.host.add_instance("win");
    scene.host.setprop(&win, "vm/name", "astring", "Windows 11");
    let instance = |words: &[&str]| {
        let ran = scene.host.vboxsvc(words.iter().chain(&["status", "--json"]));
        json(&ran.stdout)["instance"].as_str().unwrap_or_default().to_string()
    };
    for words in [["--vm", "win"], ["--vm", "Windows 11"], ["--svc", "vbox:win"], ["--svc", "win"], ["--svc", &win]] {
        assert_eq!(instance(&words), win, "{words:?}");
    }
    // A second instance for the same VM makes the VM's name ambiguous.
    let other = scene.host.add_instance("other");
    scene.host.setprop(&other, "vm/name", "astring", "Windows 11");
    let ran = scene.host.vboxsvc(["--vm", "Windows 11", "status"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains(&win) && ran.stderr.contains(&other), "{}", ran.stderr);
    assert_eq!(scene.host.vboxsvc(["--vm", "nobody", "status"]).code, 2);
    assert_eq!(scene.host.vboxsvc(["status"]).code, 2, "without a name there is nothing to tell");
}
