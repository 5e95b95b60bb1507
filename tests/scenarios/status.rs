//! `status`: its exit code for every state, and what it prints for people and for programs.

mod support;

use nix::sys::signal::Signal;
use simhost::vbox::{Effect, Fault};
use support::vm::{Scene, WEB, kill};

/// Covers: status
#[test]
fn every_state_has_its_exit_code() {
    let scene = Scene::new(&[]);
    for (word, code) in [
        ("running", 0),
        ("starting", 0),
        ("restoring", 0),
        ("onlinesnapshotting", 0),
        ("livesnapshotting", 0),
        ("teleporting", 0),
        ("paused", 1),
        ("saving", 2),
        ("saved", 3),
        ("teleported", 3),
        ("poweroff", 10),
        ("aborted", 20),
        ("aborted-saved", 20),
        ("gurumeditation", 126),
        ("stuck", 126),
        ("unknown", 126),
        ("stopping", 126),
        ("deletingsnapshot", 126),
        ("hibernating", 126),
    ] {
        scene.vbox.set_state_word(&scene.uuid, Some(word));
        let status = scene.run("status");
        assert_eq!(status.code, code, "{word}: {status:?}");
        assert!(status.stdout.contains(&format!("vm state    {word}\n")), "{status:?}");
    }
    for alias in ["getstate", "state"] {
        assert_eq!(scene.run(alias).code, 126, "{alias}");
    }
}

#[test]
fn json_is_for_programs_and_says_what_the_table_says() {
    let scene = Scene::new(&[]);
    scene.enable();
    scene.wait_live(1);
    let status = scene.run("status --json");
    assert_eq!((status.code, status.stderr.as_str()), (0, ""));
    let json: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(json["instance"], WEB);
    assert_eq!((&json["vm"], &json["uuid"]), (&"web".into(), &scene.uuid.as_str().into()));
    assert_eq!((&json["vm_state"], &json["smf_state"]), (&"running".into(), &"online".into()));
    assert_eq!(json["vm_processes"], serde_json::json!([scene.live_pid()]));
    assert_eq!(json["monitor"], scene.monitor());
    assert_eq!((&json["restarts"], &json["nokick"]), (&0.into(), &serde_json::Value::Null));

    scene.wait_new_process(scene.crash());
    scene.wait_live(2);
    support::eventually("the restart is told", || {
        let json: serde_json::Value = serde_json::from_str(&scene.run("status --json").stdout).unwrap();
        json["restarts"] == 1 && json["last_end"] == "the VM's process was killed by signal 9"
    });
}

#[test]
fn a_vm_that_virtualbox_has_lost_is_not_told_to_be_off() {
    let scene = Scene::new(&[]);
    scene.enable();
    let mut settings = scene.vbox.settings();
    settings.orphan_life = std::time::Duration::from_secs(60);
    scene.vbox.set_settings(&settings);
    let pid = scene.live_pid();
    scene.vbox.kill_vboxsvc(9);
    let status = scene.run("status");
    assert_eq!(status.code, 126, "{status:?}");
    assert!(status.stdout.contains(&format!("process {pid} of the VM lives: VirtualBox has lost it")), "{status:?}");
}

#[test]
fn a_state_that_cannot_be_had_is_126_and_says_why() {
    let hung = Scene::new(&[]);
    hung.enable();
    kill(hung.live_pid(), Signal::SIGSTOP);
    let status = hung.run("status --json");
    assert_eq!(status.code, 126, "{status:?}");
    let json: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert!(json["remark"].as_str().unwrap().contains("no answer within"), "{json}");
    assert_eq!(json["vm_state"], serde_json::Value::Null);
    kill(hung.live_pid(), Signal::SIGCONT);

    let unknown = Scene::new(&[("name", "nosuch")]);
    let status = unknown.run("status");
    assert_eq!(status.code, 126, "{status:?}");
    assert!(status.stdout.contains("\"nosuch\" is not registered"), "{status:?}");

    let broken = Scene::new(&[]);
    broken.vbox.set_inaccessible(&broken.uuid, true);
    broken.set(&[("name", &broken.uuid)]);
    let status = broken.run("status");
    assert_eq!(status.code, 126, "{status:?}");
    assert!(status.stdout.contains("inaccessible"), "{status:?}");
}

#[test]
fn looking_at_a_vm_that_starts_does_not_disturb_its_start() {
    let scene = Scene::new(&[]);
    scene.vbox.fault(Fault::new(Effect::StartTakes(std::time::Duration::from_secs(3))).on(&scene.uuid));
    scene.svcadm(&format!("enable {WEB}"));
    scene.wait_vm("starting");
    let before = scene.vbox.calls("showvminfo");
    let status = scene.run("status");
    assert_eq!(status.code, 126, "{status:?}");
    assert!(status.stdout.contains("a start is under way"), "{status:?}");
    assert_eq!(scene.vbox.calls("showvminfo"), before, "it takes the lock that the start needs");
    scene.wait_service("online");
}

#[test]
fn an_instance_is_named_in_every_way_and_a_wrong_name_is_a_usage_error() {
    let scene = Scene::new(&[("name", "the web server")]);
    scene.host.add_instance("web2");
    for words in [
        &["--svc", WEB, "status"][..],
        &["--svc", "vbox:web", "status"],
        &["--vm", "web", "status"],
        &["--vm", "the web server", "status"],
        &["-svc", WEB, "getstate"],
        &["-s", WEB, "status"],
        &["-vm", "web", "status"],
        &["status", "-vm", "web"],
    ] {
        let ran = scene.host.vboxsvc(words);
        assert!(ran.stdout.contains(&format!("instance    {WEB}\n")), "{words:?}: {ran:?}");
    }
    for (words, named) in [
        (&["--vm", "nosuch", "status"][..], "nosuch"),
        (&["--svc", "svc:/site/xvm/vbox:nosuch", "status"], "nosuch"),
        (&["--svc", "*vbox:w*", "status"], "web2"),
        (&["status"], "--vm NAME"),
    ] {
        let ran = scene.host.vboxsvc(words);
        assert_eq!(ran.code, 2, "{words:?}: {ran:?}");
        assert!(ran.stderr.contains(named), "{words:?}: {ran:?}");
    }
}

#[test]
fn in_a_local_zone_a_person_and_smf_agree_on_the_zone() {
    let scene = Scene::new(&[]);
    std::fs::write(scene.host.root().join("etc/zonename"), "web-zone\n").unwrap();
    scene.enable();
    let told = scene.run("status").stdout;
    assert!(told.contains("zone        web-zone\n"), "{told}");
    assert!(told.contains("monitor     process "), "{told}");
}
