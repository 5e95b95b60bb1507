//! VMs of several users on one host. Only root can be several users: run by anybody else, these tests say that they
//! tested nothing. SMF and VirtualBox are stand-ins here.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::MetadataExt;

use nix::unistd::User;
use simhost::Host;
use simhost::vbox::{Control, Spec};
use support::SOON;
use support::vm::Scene;

/// Two users of this system to run VMs as; ones whose home is not there, so that nothing of theirs is touched.
fn ann_and_ben() -> Option<[String; 2]> {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut users = passwd.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, uid, home) = (fields.first()?, fields.get(2)?, fields.get(5)?);
        (*uid != "0" && !std::path::Path::new(home).exists()).then(|| name.to_string())
    });
    let found = nix::unistd::geteuid().is_root().then(|| Some([users.next()?, users.next()?])).flatten();
    if found.is_none() {
        eprintln!("NOT TESTED: it takes root and two users without a home to run VMs of several users");
    }
    found
}

fn uid(name: &str) -> u32 {
    User::from_name(name).unwrap().unwrap().uid.as_raw()
}

/// An instance of its own for the VM `web` of this user.
fn instance(scene: &Scene, name: &str, user: &str) -> (String, Control, String) {
    let vbox = scene.vbox.of(uid(user));
    let folder = scene.host.root().join("tmp").join(user);
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::chown(&folder, Some(uid(user)), None).unwrap();
    let uuid = vbox.create_vm_with(Spec { owner: Some(uid(user)), folder: Some(folder), ..Spec::named("web") });
    let fmri = scene.host.add_instance(name);
    let context = "method_context";
    scene
        .host
        .svccfg(&format!(
            "select {fmri}\naddpg vm application\nsetprop vm/name = astring: \"web\"\naddpg {context} framework\n\
             setprop {context}/use_profile = boolean: false\nsetprop {context}/user = astring: {user}\nrefresh\n"
        ))
        .expect_success();
    (fmri, vbox, uuid)
}

fn enable(host: &Host, fmri: &str) {
    host.run("svcadm", ["enable", fmri]).expect_success();
    if let Err(error) = host.wait_state(fmri, "online", SOON) {
        panic!("{error}");
    }
}

#[test]
fn two_users_have_vms_of_one_name_and_each_runs_as_its_own_user() {
    let Some([ann_name, ben_name]) = ann_and_ben() else { return };
    let scene = Scene::new(&[]);
    let (anns, ann, ann_vm) = instance(&scene, "ann-web", &ann_name);
    let (bens, ben, ben_vm) = instance(&scene, "ben-web", &ben_name);
    for fmri in [&anns, &bens] {
        enable(&scene.host, fmri);
    }
    for (user, vbox, uuid) in [(&ann_name, &ann, &ann_vm), (&ben_name, &ben, &ben_vm)] {
        let pid = vbox.process(uuid).unwrap();
        assert_eq!(std::fs::metadata(format!("/proc/{pid}")).unwrap().uid(), uid(user), "{user}");
    }
    // Root's command acts as the VM's user, and on that user's VM alone.
    scene.host.vboxsvc(["--svc", &anns, "save"]).expect_success();
    assert_eq!((ann.state(&ann_vm), ben.state(&ben_vm)), ("saved".to_string(), "running".to_string()));
    let rows = scene.host.vboxsvc(["list", "--json"]).expect_success().stdout;
    let rows: serde_json::Value = serde_json::from_str(&rows).unwrap();
    let state =
        |fmri: &str| rows.as_array().unwrap().iter().find(|r| r["instance"] == fmri).unwrap()["vm_state"].clone();
    assert_eq!((state(&anns), state(&bens)), ("saved".into(), "running".into()), "{rows}");
}

#[test]
fn a_crash_of_an_ordinary_users_vm_is_mended_without_any_authorisation() {
    let Some([ann_name, _]) = ann_and_ben() else { return };
    let scene = Scene::new(&[]);
    let (fmri, vbox, uuid) = instance(&scene, "ann-web", &ann_name);
    enable(&scene.host, &fmri);
    let old = vbox.process(&uuid).unwrap();
    assert!(vbox.kill_vm(&uuid, 9));
    support::eventually("the VM is back", || vbox.process(&uuid).is_some_and(|pid| pid != old));
    vbox.wait_for_state(&uuid, "running");
    assert_eq!(scene.host.state(&fmri).as_deref(), Some("online"));
}

#[test]
fn an_ordinary_user_is_refused_another_users_vm_and_told_how_it_goes() {
    let Some([ann_name, ben_name]) = ann_and_ben() else { return };
    let scene = Scene::new(&[]);
    let (fmri, _vbox, _uuid) = instance(&scene, "ann-web", &ann_name);
    let ran = scene.host.vboxsvc_as(uid(&ben_name), ["--svc", &fmri, "stop"]);
    assert_eq!(ran.code, 100, "{ran:?}");
    assert!(
        ran.stderr.contains(&ann_name) && ran.stderr.contains(&ben_name) && ran.stderr.contains("pfexec"),
        "{}",
        ran.stderr
    );
}

#[test]
fn whatever_the_settings_of_an_ordinary_users_vm_say_nothing_happens_as_root() {
    let Some([ann_name, _]) = ann_and_ben() else { return };
    let scene = Scene::new(&[]);
    let (fmri, vbox, uuid) = instance(&scene, "ann-web", &ann_name);
    let set = |name: &str, value: &str| {
        let commands = format!("select {fmri}\nsetprop vm/{name} = astring: \"{value}\"\nrefresh\n");
        scene.host.svccfg(&commands).expect_success();
    };
    // Root's own file, in a folder that only root can write.
    let precious = scene.host.root().join("precious");
    std::fs::write(&precious, "1 1 0\n").unwrap();
    for name in [
        "kicker_pidfile_name",
        "kicker_blockfile_name",
        "kicker_nokick_file_name",
        "kicker_restart_saved_vm_once_file_name",
    ] {
        set(name, precious.to_str().unwrap());
        for command in ["start", "save", "start", "poweroff", "status"] {
            scene.host.vboxsvc(["--svc", &fmri, command]);
        }
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "1 1 0\n", "{name}");
        assert_eq!(std::fs::metadata(&precious).unwrap().uid(), 0, "{name}");
        set(name, "");
    }
    assert!(vbox.process(&uuid).is_none());

    let hook = scene.hook("id -u >>$R/tmp/ran-as");
    set("kicker_vmsvccheck_method", &hook);
    scene.host.vboxsvc(["--svc", &fmri, "vmsvccheck"]).expect_success();
    enable(&scene.host, &fmri);
    scene.host.vboxsvc(["--svc", &fmri, "vmsvccheck"]).expect_success();
    let ran_as = std::fs::read_to_string(scene.host.root().join("tmp/ran-as")).unwrap();
    let ann = uid(&ann_name).to_string();
    assert!(ran_as.lines().count() == 2 && ran_as.lines().all(|uid| uid == ann), "{ran_as}");
}
