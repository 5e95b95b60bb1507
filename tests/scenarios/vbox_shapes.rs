//! The stand-ins' outputs beside recorded ones of VirtualBox 7.2.22.

mod vbox_support;

use simhost::vbox::{Effect, Fault, Medium, PowerUp, Snapshot, Spec};
use vbox_support::{Answer, Host, finish, wait_until};

/// The machine that `showvminfo` was recorded of.
fn basic() -> Spec {
    Spec {
        uuid: Some("b5fb516d-16e5-4c70-863f-540c98e423cd".into()),
        folder: Some("/root/VirtualBox VMs/basic".into()),
        ..Spec::named("basic")
    }
}

/// Blots out the time of the last state change.
fn timeless(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for line in &mut lines {
        if line.starts_with("VMStateChangeTime=") {
            *line = format!("VMStateChangeTime of {} characters", line.len());
        } else if let Some((state, since)) = line.split_once(" (since ").filter(|_| line.starts_with("State: ")) {
            *line = format!("{state} since {} characters", since.len());
        }
    }
    lines.join("\n")
}

#[test]
fn showvminfo_of_a_resting_machine_is_the_recorded_one() {
    let host = Host::new();
    host.vbox.create_vm_with(basic());
    for (args, recorded) in [
        (&["showvminfo", "basic", "--machinereadable"][..], recorded!("showvminfo-basic-poweroff-mr.out")),
        (&["showvminfo", "basic", "--details", "--machinereadable"], recorded!("showvminfo-basic-poweroff-mr.out")),
        (&["showvminfo", "basic"], recorded!("showvminfo-basic-poweroff-human.out")),
        (&["list", "-l", "vms"], recorded!("showvminfo-basic-poweroff-human.out")),
    ] {
        let answer = host.manage(args);
        assert_eq!((answer.exit, answer.err.as_str()), (0, ""), "{args:?}");
        assert_eq!(timeless(&answer.out), timeless(recorded), "{args:?}");
    }
}

#[test]
fn showvminfo_of_a_running_machine_has_the_recorded_lines_in_their_places() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    assert_eq!(host.manage(&["startvm", &uuid, "--type", "headless"]).exit, 0);
    let text = host.manage(&["showvminfo", "v1", "--machinereadable"]).out;
    for lines in [
        "effparavirtprovider=\"kvm\"\nVMState=\"running\"\nVMStateChangeTime=\"20",
        "draganddrop=\"disabled\"\nSessionName=\"headless\"\nVideoMode=\"720,400,0\"@0,0 1\nvrde=\"off\"\n",
        "xhci=\"off\"\nVRDEActiveConnection=\"off\"\nVRDEClients==0\nrecording_started=\"off\"\n",
        "recording_screens=1\n rec_screen0\nrec_screen_enabled=\"on\"\n",
        "GuestMemoryBalloon=0\nGuestOSType=\"Other\"\nGuestAdditionsRunLevel=0\n",
    ] {
        assert!(text.contains(lines), "{lines:?} in {text}");
    }
    let human = host.manage(&["showvminfo", "v1"]).out;
    assert!(human.contains("\nState:                       running (since 20"), "{human}");
    assert!(human.contains("Session name:                headless\nVideo mode: "), "{human}");
    let listed = host.manage(&["list", "-l", "runningvms"]).out;
    assert!(listed.contains("Session name:                headless\nVRDE: "), "{listed}");
}

#[test]
fn media_uarts_and_descriptions_are_printed_with_their_hazards() {
    let host = Host::new();
    host.vbox.create_vm_with(Spec {
        media: vec![
            Medium::new("IDE Controller", 0, 1, "/root/disks/c.vhd"),
            Medium::empty_drive("IDE Controller", 1, 0),
            Medium::new("SCSI", 3, 0, "/root/disks/d \"quoted\" name.vdi"),
        ],
        uarts: vec![
            "server,/tmp/u1.sock".into(),
            "client,/tmp/u2.sock".into(),
            "file,/tmp/u3 x.log".into(),
            "tcpserver,5555".into(),
        ],
        description: "multi\nline \"desc\"\nVMState=\"running\"".into(),
        ..Spec::named("disks")
    });
    let interesting = |text: &str| -> Vec<String> {
        let keys = ["\"IDE Controller", "\"SCSI", "uart", "description", "line ", "VMState="];
        let lines = text.lines().filter(|line| keys.iter().any(|key| line.starts_with(key)));
        lines
            .map(|line| if line.contains("ImageUUID") { line[..line.len() - 38].to_owned() } else { line.to_owned() })
            .collect()
    };
    let answer = host.manage(&["showvminfo", "disks", "--machinereadable"]);
    assert_eq!(interesting(&answer.out), interesting(recorded!("iem-d-showvminfo-mr.out")));
    let human = host.manage(&["showvminfo", "disks"]).out;
    assert!(human.contains("attached to raw file '/tmp/u3 x.log'\n, 16550A\n"), "{human}");
    assert!(human.contains("    Location: \"/root/disks/d \"quoted\" name.vdi\"\n"), "{human}");
}

#[test]
fn snapshots_are_listed_without_escaping() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("disks");
    let snapshot = |name: &str, uuid: &str, description: &str| Snapshot {
        name: name.into(),
        uuid: uuid.into(),
        description: description.into(),
    };
    host.vbox.set_snapshots(
        &uuid,
        vec![
            snapshot("snap one", "fca07596-551a-4e04-a597-c85a53401469", "first"),
            snapshot("snap \"2\"", "618be50f-7cc7-4baf-93fa-43b7ffea5b02", ""),
        ],
    );
    let answer = host.manage(&["snapshot", "disks", "list", "--machinereadable"]);
    assert_eq!(answer.out, recorded!("iem-d-snap-list-mr.out"));
}

/// The names and UUIDs of a recorded `list vms`.
fn machines(recorded: &str) -> Vec<(String, String)> {
    let mut machines = Vec::new();
    for entry in recorded.split_inclusive("}\n") {
        let (name, uuid) = entry.trim_end().rsplit_once(" {").expect("a UUID in braces");
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).expect("a name in quotes");
        machines.push((name.to_owned(), uuid.trim_end_matches('}').to_owned()));
    }
    machines
}

#[test]
fn list_vms_prints_wild_names_as_recorded_and_a_c_locale_cuts_it_off() {
    let host = Host::new();
    for (name, uuid) in machines(recorded!("iem-n-list-vms.out")) {
        host.vbox.create_vm_with(Spec { uuid: Some(uuid), ..Spec::named(&name) });
    }
    assert_eq!(host.manage(&["list", "vms"]).out, recorded!("iem-n-list-vms.out"));
    for locale in [&[("LC_ALL", "C")][..], &[("LANG", "en_US")], &[]] {
        let mut command = host.command("VBoxManage", &["list", "vms"]);
        let output = command.env_clear().envs(locale.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stderr, b"");
        assert_eq!(output.stdout, recorded!("iem-n-unicode-under-C-locale-list-vms.out").as_bytes());
    }
    let mut command = host.command("VBoxManage", &["showvminfo", "ünïcode-日本語-😀"]);
    let output = command.env("LC_ALL", "C").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stderr, recorded!("iem-n-latin1.err").as_bytes());
}

#[test]
fn a_locale_that_the_host_lacks_is_no_better_than_c() {
    let host = Host::new();
    host.vbox.create_vm("ü");
    let mut settings = host.vbox.settings();
    settings.locales = Some(vec!["en_US.UTF-8".into()]);
    host.vbox.set_settings(&settings);
    assert_eq!(host.manage(&["list", "vms"]).out, "\"");
    let output = host.command("VBoxManage", &["list", "vms"]).env("LC_ALL", "en_US.UTF-8").output().unwrap();
    assert!(output.stdout.starts_with("\"ü\" {".as_bytes()));
}

#[test]
fn names_resolve_as_virtualbox_resolves_them() {
    let host = Host::new();
    let first = host.vbox.create_vm("twin");
    host.vbox.create_vm("twin");
    host.vbox.create_vm("-dash2");
    let info = host.manage(&["showvminfo", "twin", "--machinereadable"]).out;
    assert!(info.contains(&format!("UUID=\"{first}\"")), "the first of two: {info}");
    assert_eq!(host.manage(&["showvminfo", "--machinereadable", "--", "-dash2"]).exit, 0);
    let wild = "new\nline=\"x\"\nVMState=\"running";
    host.vbox.create_vm(wild);
    let info = host.manage(&["showvminfo", wild, "--machinereadable"]).out;
    assert!(info.starts_with("name=\"new\nline=\\\"x\\\"\nVMState=\\\"running\"\nencryption="), "{info}");
    assert!(info.contains("\nVMState=\"poweroff\"\n"), "{info}");
}

#[test]
fn an_inaccessible_machine_is_listed_but_nothing_can_be_done_with_it() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("ingone");
    host.vbox.set_inaccessible(&uuid, true);
    assert_eq!(host.manage(&["list", "vms"]).out, format!("\"<inaccessible>\" {{{uuid}}}\n"));
    let long = host.manage(&["list", "-l", "vms"]);
    assert!(long.out.starts_with("Name:            <inaccessible!>\nUUID:            "), "{}", long.out);
    assert!(long.err.starts_with("VBoxManage: error: Runtime error opening '"), "{}", long.err);
    assert_eq!(long.exit, 0);
    for args in [&["showvminfo", uuid.as_str()][..], &["startvm", &uuid], &["controlvm", &uuid, "poweroff"]] {
        let answer = host.manage(args);
        assert_eq!(answer.exit, 1, "{args:?}");
        assert!(answer.err.starts_with("VBoxManage: error: The object functionality is limited\n"), "{}", answer.err);
    }
    let by_name = host.manage(&["showvminfo", "ingone"]);
    assert!(by_name.err.contains("Could not find a registered machine named 'ingone'"), "{}", by_name.err);
    let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
    assert_eq!((headless.exit, headless.err.as_str()), (1, ""));
}

fn check(answer: &Answer, exit: i32, err: &str, what: &str) {
    assert_eq!((answer.exit, answer.err.as_str()), (exit, err), "{what}");
}

#[test]
fn wrong_command_lines_are_answered_as_recorded() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("basic");
    host.vbox.create_vm("-dash2");
    for (command, usage) in [
        ("controlvm", recorded!("controlvm-usage.out")),
        ("startvm", recorded!("startvm-usage.out")),
        ("list", recorded!("list-usage.out")),
        ("showvminfo", recorded!("showvminfo-usage.out")),
    ] {
        let answer = host.manage(&[command]);
        assert_eq!((answer.exit, answer.out.as_str(), answer.err.as_str()), (1, usage, ""));
    }
    for (args, exit, err) in [
        (&["showvminfo", "basic", "--bogus"][..], 2, recorded!("showvminfo-badopt.err")),
        (&["showvminfo", "--", "-dash2", "--machinereadable"], 2, recorded!("iem-n-dash-showvminfo.err")),
        (&["showvminfo", "--machinereadable", "--machinereadable"], 2, recorded!("iem-n12-showvminfo-mr.err")),
        (&["startvm", "-dash2", "--type", "headless"], 2, recorded!("iem-n-dash-startvm.err")),
        (&["startvm", "basic", "--type", "bogus"], 1, recorded!("startvm-badtype.err")),
        (&["createvm", "--name", "", "--register", "--ostype", "Other"], 2, recorded!("iem-n16-createvm.err")),
        (&["discardstate", "basic"], 0, recorded!("discardstate-poweredoff.err")),
        (&["controlvm", "basic", "frobnicate"], 1, recorded!("controlvm-poweredoff-poweroff.err")),
    ] {
        check(&host.manage(args), exit, err, &args.join(" "));
    }
    let _vm = host.run_headless(&uuid);
    check(&host.manage(&["controlvm", "basic", "frobnicate"]), 1, recorded!("iem-s1-badverb-running.err"), "running");
    let bad = host.manage(&["frobnicate"]);
    assert_eq!(bad.exit, 2);
    assert!(bad.err.contains("\n\nVBoxManage: error: Invalid command 'frobnicate'\n\nUsage - "), "{}", bad.err);
    assert_eq!(host.manage(&["-q", "--version"]).out, "7.2.22_Debianr175245\n");
}

#[test]
fn headless_command_lines_are_answered_as_recorded() {
    let host = Host::new();
    host.vbox.create_vm("tiny");
    let unknown = finish(host.spawn("VBoxHeadless", &["--startvm", "nosuchvm"]));
    assert_eq!((unknown.exit, unknown.out.as_str()), (1, recorded!("headless-stub-unknownvm.out")));
    let nothing = finish(host.spawn("VBoxHeadless", &[]));
    assert_eq!((nothing.exit, nothing.out.as_str()), (1, recorded!("headless-stub-nostartvm.out")));
    let bogus = finish(host.spawn("VBoxHeadless", &["--startvm", "tiny", "--bogus"]));
    assert_eq!((bogus.exit, bogus.out.as_str()), (2, recorded!("headless-stub-badopt.out")));
    assert_eq!(bogus.err, recorded!("headless-stub-badopt.err").replace("VBoxHeadless.stub", "VBoxHeadless"));
}

#[test]
fn verbs_in_the_wrong_state_are_refused_as_recorded() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    let _vm = host.run_headless(&uuid);
    let control = |verb: &str| host.manage(&["controlvm", &uuid, verb]);
    check(&control("resume"), 1, recorded!("iem-s1-resume-running.err"), "resume running");
    check(&control("reboot"), 1, recorded!("iem-s1-reboot.err"), "reboot");
    check(&control("shutdown"), 1, recorded!("iem-s1-reboot.err"), "shutdown");
    check(&control("reset"), 0, "", "reset");
    check(&control("pause"), 0, "", "pause");
    check(&control("pause"), 1, recorded!("iem-s1-pause-again.err"), "pause paused");
    check(&control("acpipowerbutton"), 1, recorded!("iem-s1-acpi-paused.err"), "button paused");
    check(&control("reset"), 1, recorded!("iem-s1-reset-paused.err"), "reset paused");
    check(&control("resume"), 0, "", "resume");
    let wrong_lock = host.manage(&["unregistervm", "v1"]);
    check(&wrong_lock, 1, recorded!("iem-s1-unregister-running.err"), "unregister");
}

#[test]
fn verbs_to_a_stuck_machine_are_refused_as_recorded() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("v1");
    assert_eq!(host.manage(&["startvm", &uuid, "--type", "headless"]).exit, 0);
    host.vbox.guru(&uuid);
    assert_eq!(host.vbox.state(&uuid), "gurumeditation");
    let control = |verb: &str| host.manage(&["controlvm", &uuid, verb]);
    check(&control("acpipowerbutton"), 1, recorded!("iem-s7-guru-acpi.err"), "button");
    check(&control("pause"), 1, recorded!("iem-s7-guru-pause.err"), "pause");
    check(&control("resume"), 1, recorded!("iem-s7-guru-resume.err"), "resume");
    check(&control("reset"), 1, recorded!("iem-s7-guru-reset.err"), "reset");
    check(&control("savestate"), 1, recorded!("iem-s7-guru-savestate.err"), "savestate");
    assert_eq!(host.manage(&["list", "runningvms"]).out, "");
    check(&control("poweroff"), 0, recorded!("iem-s3-poweroff.err"), "poweroff");
    assert_eq!(host.vbox.state(&uuid), "poweroff");
}

#[test]
fn verbs_to_a_machine_that_is_being_saved_are_refused_as_recorded() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("fill");
    assert_eq!(host.manage(&["startvm", &uuid, "--type", "headless"]).exit, 0);
    host.vbox.fault(Fault::new(Effect::SaveTakes(std::time::Duration::from_secs(2))).on(&uuid));
    let save = host.spawn("VBoxManage", &["controlvm", &uuid, "savestate"]);
    host.vbox.wait_for_state(&uuid, "saving");
    let control = |verb: &str| host.manage(&["controlvm", &uuid, verb]);
    check(&control("acpipowerbutton"), 1, recorded!("iem-s13-saving-acpi.err"), "button");
    check(&control("poweroff"), 1, recorded!("iem-s13-saving-poweroff.err"), "poweroff");
    check(&control("savestate"), 1, recorded!("iem-s13-saving-savestate.err"), "savestate");
    assert_eq!(host.manage(&["list", "runningvms"]).out, "");
    check(&finish(save), 0, recorded!("iem-s4-savestate.err"), "the first savestate");
    wait_until("the process is gone", || host.vbox.process(&uuid).is_none());
    check(&host.manage(&["modifyvm", &uuid, "--memory", "64"]), 1, recorded!("iem-s4-saved-modifyvm.err"), "saved");
}

#[test]
fn failed_power_ups_say_what_was_recorded_and_headless_exits_0() {
    let cases = [
        (
            PowerUp::MissingDisk,
            recorded!("iem-mm-disk-headless.out"),
            recorded!("iem-mm-disk-headless.err"),
            recorded!("iem-mm-disk-startvm.err"),
        ),
        (
            PowerUp::DiskInUse,
            recorded!("iem-samedisk-headless2.out"),
            recorded!("iem-samedisk-headless2.err"),
            recorded!("iem-samedisk-startvm2.err"),
        ),
        (
            PowerUp::UartPath("/nonexistent/dir/x.sock".into()),
            recorded!("iem-uart-baddir-headless.out"),
            recorded!("iem-uart-baddir-headless.err"),
            recorded!("iem-uart-baddir-startvm.err"),
        ),
    ];
    let host = Host::new();
    let uuid = host.vbox.create_vm("missdisk");
    for (how, out, err, startvm_err) in cases {
        host.vbox.fault(Fault::new(Effect::PowerUp(how.clone())).on(&uuid).times(2));
        let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
        assert_eq!((headless.exit, headless.out.as_str(), headless.err.as_str()), (0, out, err), "{how:?}");
        let startvm = host.manage(&["startvm", &uuid, "--type", "headless"]);
        check(&startvm, 1, startvm_err, &format!("{how:?}"));
        assert_eq!(startvm.out, "Waiting for VM \"missdisk\" to power on...\n");
        assert_eq!(host.vbox.state(&uuid), "poweroff");
    }
    for (how, out) in [
        (PowerUp::UartClient("/root/img/nobody.sock".into()), recorded!("iem-uart-client-noserver-headless.out")),
        (PowerUp::TcpPortBusy, recorded!("iem-uart-tcp-inuse-headless.out")),
    ] {
        host.vbox.fault(Fault::new(Effect::PowerUp(how)).times(1));
        let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
        assert_eq!((headless.exit, headless.out.as_str()), (0, out));
    }
    host.vbox.fault(Fault::new(Effect::PowerUp(PowerUp::NoDriver)).times(1));
    let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
    check(&headless, 1, recorded!("nodriver-headless-direct-startvm.err"), "no driver");
    host.vbox.fault(Fault::new(Effect::PowerUp(PowerUp::ExitsAtOnce(1))).times(1));
    let startvm = host.manage(&["startvm", &uuid, "--type", "headless"]);
    assert_eq!(startvm.err, recorded!("nodriver-startvm-headless.err").replace("'basic'", "'missdisk'"));
}

#[test]
fn failed_restores_say_what_was_recorded() {
    let host = Host::new();
    let uuid = host.vbox.create_vm("deaf1");
    host.vbox.set_rest(&uuid, "saved");
    for (how, recorded) in [
        (PowerUp::SavedStateMissing, recorded!("iem-savmiss-startvm.err")),
        (PowerUp::SavedStateBad, recorded!("iem-adoptstate-junk-startvm.err")),
    ] {
        host.vbox.fault(Fault::new(Effect::PowerUp(how)).times(2));
        let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
        assert_eq!(headless.exit, 0);
        assert!(headless.err.starts_with("VBoxHeadless: error: VM failed to start because the saved state file '"));
        check(&host.manage(&["startvm", &uuid, "--type", "headless"]), 1, recorded, "startvm");
        assert_eq!(host.vbox.state(&uuid), "saved");
    }
    host.vbox.fault(Fault::new(Effect::PowerUp(PowerUp::MemoryMismatch)).times(2));
    let headless = finish(host.spawn("VBoxHeadless", &["--startvm", &uuid]));
    check(&headless, 0, recorded!("iem-adoptstate-headless.err"), "headless");
    assert_eq!(headless.out, recorded!("iem-adoptstate-headless.out"));
    assert_eq!(host.vbox.state(&uuid), "aborted-saved");
    check(
        &host.manage(&["startvm", &uuid, "--type", "headless"]),
        1,
        recorded!("iem-adoptstate-startvm.err"),
        "startvm",
    );
}

#[test]
fn machines_come_and_go_by_command() {
    let host = Host::new();
    let created = host.manage(&["createvm", "--name", "basic", "--register", "--ostype", "Linux_64"]);
    let shape = recorded!("createvm-basic.out");
    assert_eq!(created.out.lines().next(), shape.lines().next());
    assert_eq!(created.out.lines().count(), shape.lines().count());
    let again = host.manage(&["createvm", "--name", "basic", "--register"]);
    assert_eq!(again.exit, 1);
    let details = recorded!("createvm-dup.err").split_once("\n").unwrap().1;
    assert!(again.err.ends_with(details), "{}", again.err);
    assert_eq!(host.manage(&["modifyvm", "basic", "--memory", "64", "--description", "d"]).exit, 0);
    let info = host.manage(&["showvminfo", "basic", "--machinereadable"]).out;
    assert!(info.contains("\nmemory=64\n") && info.contains("\ndescription=\"d\"\n"), "{info}");
    let file = info.lines().find_map(|line| line.strip_prefix("CfgFile=\"")).unwrap().trim_end_matches('"').to_owned();
    assert_eq!(host.manage(&["adoptstate", "basic", "/some/junk.sav"]).exit, 0);
    assert_eq!(host.manage(&["unregistervm", "basic"]).exit, 0);
    assert_eq!(host.manage(&["list", "vms"]).out, "");
    assert_eq!(host.manage(&["registervm", &file]).exit, 0);
    let info = host.manage(&["showvminfo", "basic", "--machinereadable"]).out;
    assert!(info.contains("\nVMState=\"saved\"\n") && info.contains("\nVMStateFile=\"/some/junk.sav\"\n"), "{info}");
    assert_eq!(host.manage(&["discardstate", "basic"]).exit, 0);
    assert!(host.manage(&["showvminfo", "basic", "--machinereadable"]).out.contains("\nVMState=\"poweroff\"\n"));
}
