//! Our real SVR4 package on the simulated pkgadd: whatever happens to it, nothing that an administrator made is lost, and
//! either the old or the new package stands. The executable in it starts the runtime that was built for Linux.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;
mod svr4_support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use simhost::Host;
use simhost::vbox::{Control, Effect, Fault};
use support::eventually;
use svr4_support::trial::{add_virtualbox, made, pkgadd};
use svr4_support::{admin, exists, host, prepared, read, rm, standing};

const PACKAGE: &str = "COSvboxsvc";
const MANIFEST: &str = "/var/svc/manifest/site/vbox-svc.xml";
/// Adds this release, where `before_the_upgrade` has put it.
const ADD: &str = "pkgadd -n -a /var/tmp/admin -d /var/tmp/new.pkg COSvboxsvc";
const WEB: &str = "svc:/site/xvm/vbox:web";

/// An instance made by hand, with a property of its own.
fn add_instance(host: &Host) {
    let commands = "select site/xvm/vbox\nadd web\nselect web\naddpg vm application\nsetprop vm/nice = integer: 10\n\
                    addpg general framework\nsetprop general/enabled = boolean: false\nrefresh\n";
    host.run_with_input("svccfg", ["-f", "-"], commands).expect_success();
}

fn assert_instance(host: &Host) {
    assert_eq!(host.sh(&format!("svcprop -c -p vm/nice {WEB}")).stdout, "10\n", "the instance's property is lost");
}

fn state(host: &Host) -> String {
    host.sh(&format!("svcs -Ho state {WEB}")).stdout.trim().to_string()
}

fn vm_state(host: &Host) -> String {
    let said = host.sh("/opt/VirtualBox/VBoxManage showvminfo web --machinereadable").stdout;
    said.lines().find_map(|line| line.strip_prefix("VMState=")).unwrap_or_default().trim_matches('"').to_string()
}

/// A host with 0.19 and an instance made by hand, and this release as a file.
fn before_the_upgrade() -> Host {
    let host = host();
    add_virtualbox(&host);
    pkgadd(&host, &made().old[1], "").expect_success();
    host.sh(&format!("svccfg import {MANIFEST}")).expect_success();
    add_instance(&host);
    fs::copy(&made().current, host.root().join("var/tmp/new.pkg")).unwrap();
    host
}

/// A host with this release, and a VM that runs by an instance made by hand.
fn host_with_a_running_vm() -> Host {
    let host = host();
    add_virtualbox(&host);
    pkgadd(&host, &made().current, "").expect_success();
    Control::new(host.root()).create_vm("web");
    add_instance(&host);
    host.sh(&format!("svcadm enable {WEB}")).expect_success();
    eventually("the VM runs", || state(&host) == "online" && vm_state(&host) == "running");
    host
}

/// Puts something else in the place of a program, or of a script, and gives what puts it back.
fn replace(host: &Host, path: &str, script: &str) -> String {
    let place = host.root().join(path.trim_start_matches('/'));
    let kept = format!("/var/tmp/kept/{}", place.file_name().unwrap().to_str().unwrap());
    host.sh(&format!("mkdir -p /var/tmp/kept && mv {path} {kept}")).expect_success();
    fs::write(&place, script).unwrap();
    fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
    format!("mv {kept} {path}")
}

#[test]
fn an_overwriting_upgrade_keeps_what_was_edited_and_drops_what_is_no_longer_delivered() {
    for old in &made().old {
        let host = host();
        add_virtualbox(&host);
        pkgadd(&host, old, "").expect_success();
        host.sh(&format!("echo '<!-- edited -->' >>{MANIFEST}; svccfg import {MANIFEST}")).expect_success();
        add_instance(&host);
        let added = pkgadd(&host, &made().current, "");
        assert_eq!(added.code, 0, "{}: {}{}", old.display(), added.stdout, added.stderr);
        assert_eq!(standing(&host, PACKAGE), "completely installed");
        let link = fs::read_link(host.root().join("lib/svc/method/vbox.sh")).unwrap();
        assert_eq!(link.to_str(), Some("vboxsvc"));
        for dropped in ["/lib/svc/method/zfs-zvolrights", "/usr/share/doc/vboxsvc/README-vboxsvc.txt"] {
            assert!(!exists(&host, dropped), "{dropped} is still on disk");
            assert!(!read(&host, "/var/sadm/install/contents").contains(dropped), "{dropped} is still in the database");
        }
        assert!(read(&host, "/var/svc/vboxsvc/replaced/vbox-svc.xml").contains("<!-- edited -->"));
        assert_instance(&host);
        host.sh(&format!("pkgchk -n {PACKAGE}")).expect_success();
    }
}

#[test]
fn an_upgrade_leaves_vms_running_and_instances_as_they_are() {
    let host = host_with_a_running_vm();
    pkgadd(&host, &made().next, "").expect_success();
    assert_eq!(vm_state(&host), "running");
    // Its refresh may still be under way.
    eventually("the instance is online", || state(&host) == "online");
    assert_eq!(host.sh("pkgparam COSvboxsvc VERSION").stdout, "0.21.0\n");
    assert_instance(&host);
}

#[test]
fn removal_saves_vms_first_and_the_next_installation_starts_them_again() {
    let host = host_with_a_running_vm();
    let removed = rm(&host, PACKAGE);
    assert_eq!(removed.code, 0, "{}{}", removed.stdout, removed.stderr);
    assert_eq!((standing(&host, PACKAGE).as_str(), vm_state(&host).as_str()), ("", "saved"));
    assert_instance(&host);
    // SMF has looked for missing manifests since, and left the instance.
    host.sh("svcadm restart -s manifest-import; svcadm restart manifest-import");
    pkgadd(&host, &made().current, "").expect_success();
    assert_instance(&host);
    eventually("the VM runs again", || state(&host) == "online" && vm_state(&host) == "running");
}

/// Killed before anything is stopped, when all is stopped, when the instance is disabled for good, and among the files.
#[test]
fn a_killed_removal_is_done_again_and_forgets_no_vm() {
    let host = host_with_a_running_vm();
    let steps = [
        ("/usr/sbin/svcadm", "\"disable -t \"*) kill -KILL $PPID ;;"),
        ("/usr/sbin/svccfg", "export*) kill -KILL $PPID ;;"),
        ("/usr/sbin/svcadm", "\"disable svc:\"*) /var/tmp/kept/svcadm \"$@\"; kill -KILL $PPID ;;"),
    ];
    for (at, (program, case)) in steps.into_iter().enumerate() {
        let kept = program.replace("/usr/sbin", "/var/tmp/kept");
        let killer = format!("#!/bin/sh\ncase \"$*\" in\n{case}\nesac\nexec {kept} \"$@\"\n");
        let back = replace(&host, program, &killer);
        let killed = rm(&host, PACKAGE);
        host.sh(&back).expect_success();
        assert_eq!(killed.code, 1, "{case}: {}{}", killed.stdout, killed.stderr);
        assert!(killed.stderr.contains("preremove script did not complete successfully"), "{case}: {}", killed.stderr);
        assert_eq!(vm_state(&host), if at == 0 { "running" } else { "saved" }, "{case}");
        assert_eq!(standing(&host, PACKAGE), "partially installed", "{case}");
        host.sh(&format!("pkgchk -n {PACKAGE}")).expect_success();
        assert_instance(&host);
    }
    let back = replace(&host, "/usr/sadm/install/scripts/r.manifest", "kill -KILL $PPID\n");
    assert_eq!(rm(&host, PACKAGE).code, 128 + 9);
    host.sh(&back).expect_success();
    rm(&host, PACKAGE).expect_success();
    assert_eq!((standing(&host, PACKAGE).as_str(), vm_state(&host).as_str()), ("", "saved"));
    assert!(!exists(&host, "/lib/svc/method/vboxsvc") && !exists(&host, MANIFEST));
    assert_instance(&host);
    pkgadd(&host, &made().current, "").expect_success();
    eventually("the VM runs again", || state(&host) == "online" && vm_state(&host) == "running");
}

#[test]
fn a_cut_datastream_leaves_the_old_release() {
    let host = host();
    add_virtualbox(&host);
    pkgadd(&host, &made().old[1], "").expect_success();
    let whole = fs::read(&made().current).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let cut = folder.path().join("cut.pkg");
    for (length, status) in [(300, 99), (700, 99), (whole.len() / 2, 1), (whole.len() - 512, 1)] {
        fs::write(&cut, &whole[..length]).unwrap();
        assert_eq!(pkgadd(&host, &cut, "").code, status, "cut after {length} bytes");
        assert_eq!(host.sh("pkgparam COSvboxsvc VERSION").stdout, "0.19\n");
        assert_eq!(standing(&host, PACKAGE), "completely installed");
        host.sh(&format!("pkgchk {PACKAGE}")).expect_success();
    }
}

#[test]
fn a_full_disk_makes_a_partial_installation_that_the_next_one_heals() {
    let host = before_the_upgrade();
    // The mount is there for this shell only.
    let said = host
        .sh(&format!("mkdir -p /usr/share/man && mount -t tmpfs -o size=8k tmpfs /usr/share/man && {ADD}; echo rc=$?"));
    let all = said.stdout + &said.stderr;
    assert!(all.contains("rc=2") && all.contains("No space left on device"), "{all}");
    assert_eq!(standing(&host, PACKAGE), "partially installed");
    assert_instance(&host);
    host.sh(ADD).expect_success();
    assert_eq!(standing(&host, PACKAGE), "completely installed");
    host.sh(&format!("pkgchk -n {PACKAGE}")).expect_success();
}

#[test]
fn a_killed_script_makes_a_partial_installation_that_the_next_one_heals() {
    let host = before_the_upgrade();
    // postinstall asks svccfg, and that ends the one who asked.
    let killer = "#!/bin/sh\ncase $1 in import) kill -KILL $PPID ;; esac\n";
    let back = replace(&host, "/usr/sbin/svccfg", killer);
    let killed = host.sh(ADD);
    host.sh(&back).expect_success();
    assert_eq!(killed.code, 1, "{}{}", killed.stdout, killed.stderr);
    assert!(killed.stderr.contains("postinstall script did not complete successfully"), "{}", killed.stderr);
    assert_eq!(standing(&host, PACKAGE), "partially installed");
    assert_instance(&host);
    host.sh(ADD).expect_success();
    assert_eq!(standing(&host, PACKAGE), "completely installed");
    assert_instance(&host);
}

#[test]
fn a_killed_pkgadd_leaves_a_partial_installation_that_the_next_one_heals() {
    let host = before_the_upgrade();
    // The script that is to place the manifests ends the pkgadd that waits for it.
    let back = replace(&host, "/usr/sadm/install/scripts/i.manifest", "kill -KILL $PPID\n");
    let killed = host.sh(ADD);
    host.sh(&back).expect_success();
    assert_eq!(killed.code, 128 + 9, "{}{}", killed.stdout, killed.stderr);
    assert_eq!(standing(&host, PACKAGE), "partially installed");
    assert!(exists(&host, "/lib/svc/method/vboxsvc"), "it was killed before it had placed anything");
    assert!(read(&host, MANIFEST).contains("A look-alike of the manifest"), "it was killed after it had placed all");
    assert_ne!(host.sh(&format!("pkgchk -n {PACKAGE}")).code, 0);
    assert_instance(&host);
    // Nobody else decides that an administrator wants to go on.
    admin(&host, &[("partial", "ask")]);
    assert_eq!(host.sh(ADD).code, 5);
    admin(&host, &[]);
    host.sh(ADD).expect_success();
    assert_eq!(standing(&host, PACKAGE), "completely installed");
    host.sh(&format!("pkgchk -n {PACKAGE}")).expect_success();
    assert!(!exists(&host, "/lib/svc/method/zfs-zvolrights"), "what 0.19 left is still there");
    assert_instance(&host);
}

#[test]
fn our_scripts_that_fail_tell_how_to_go_on() {
    let host = before_the_upgrade();
    let how = "instance=overwrite and partial=nocheck in the file that pkgadd -a names";
    // Where copies of edited files are to go is a file.
    fs::write(host.root().join("var/svc/vboxsvc"), "").unwrap();
    let refused = host.sh(ADD);
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    assert!(
        refused.stdout.contains("Cannot make /var/svc/vboxsvc/replaced.  No file was replaced."),
        "{}",
        refused.stdout
    );
    assert!(refused.stdout.contains(how), "{}", refused.stdout);
    assert!(exists(&host, "/lib/svc/method/zfs-zvolrights") && !exists(&host, "/lib/svc/method/vboxsvc"));
    assert_instance(&host);
    host.sh("rm /var/svc/vboxsvc").expect_success();
    let back = replace(
        &host,
        "/usr/sbin/svcadm",
        "#!/bin/sh\ncase $1 in refresh) exit 1 ;; esac\nexec /var/tmp/kept/svcadm \"$@\"\n",
    );
    let warned = host.sh(ADD);
    host.sh(&back).expect_success();
    assert_eq!(warned.code, 2, "{}{}", warned.stdout, warned.stderr);
    assert!(warned.stdout.contains(&format!("Cannot refresh {WEB}")), "{}", warned.stdout);
    assert!(warned.stdout.contains(how), "{}", warned.stdout);
    assert_eq!(standing(&host, PACKAGE), "partially installed");
    host.sh(ADD).expect_success();
    assert_eq!(standing(&host, PACKAGE), "completely installed");
    assert_instance(&host);
}

#[test]
fn a_vm_that_cannot_be_stopped_keeps_the_package() {
    let host = host();
    add_virtualbox(&host);
    pkgadd(&host, &made().current, "").expect_success();
    let control = Control::new(host.root());
    let uuid = control.create_vm("web");
    add_instance(&host);
    host.sh(&format!(
        "svccfg -s {WEB} setprop vm/stop_method = astring: acpipowerbutton && \
         svccfg -s {WEB} setprop vm/stop_timeout = integer: 2 && svcadm refresh {WEB} && svcadm enable {WEB}"
    ))
    .expect_success();
    eventually("the VM runs", || state(&host) == "online" && vm_state(&host) == "running");
    control.fault(Fault::new(Effect::AcpiIgnored).on(&uuid));
    let refused = rm(&host, PACKAGE);
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    for said in
        [&format!("{WEB} could not be stopped and went to maintenance"), "Remove it again when the VMs are down"]
    {
        assert!(refused.stdout.contains(said), "{}", refused.stdout);
    }
    assert_eq!((state(&host).as_str(), vm_state(&host).as_str()), ("maintenance", "running"));
    assert_eq!(standing(&host, PACKAGE), "partially installed");
    host.sh(&format!("pkgchk -n {PACKAGE}")).expect_success();
    assert_instance(&host);
    // Once more: SMF counts the instance as down, but its VM lives.
    let again = rm(&host, PACKAGE);
    assert_eq!(again.code, 1, "{}{}", again.stdout, again.stderr);
    let still = format!("{WEB} is in maintenance, but its VM still runs (process ");
    for said in [still.as_str(), "No VM was stopped", "Remove it again when the VMs are down"] {
        assert!(again.stdout.contains(said), "{}", again.stdout);
    }
    assert_eq!((state(&host).as_str(), vm_state(&host).as_str()), ("maintenance", "running"));
    assert_eq!(standing(&host, PACKAGE), "partially installed");
    // As it says: added again it is whole, and nothing has become of the VM.
    pkgadd(&host, &made().current, "").expect_success();
    assert_eq!((standing(&host, PACKAGE).as_str(), vm_state(&host).as_str()), ("completely installed", "running"));
    // Or, with the VM down, removed again.
    host.sh("/opt/VirtualBox/VBoxManage controlvm web poweroff").expect_success();
    rm(&host, PACKAGE).expect_success();
    assert_eq!(standing(&host, PACKAGE), "");
    assert_instance(&host);
    assert_eq!(
        read(&host, "/var/svc/vboxsvc/enabled"),
        format!("{WEB}\n"),
        "the next installation would not enable it"
    );
}

#[test]
fn an_instance_in_an_edited_manifest_stays_with_its_values() {
    let host = host();
    add_virtualbox(&host);
    pkgadd(&host, &made().old[1], "").expect_success();
    let own = "<instance name='web' enabled='false'><property_group name='vm' type='application'>\
               <propval name='nice' type='integer' value='10'/></property_group></instance>";
    let there = "<instance name=\"VM_NAME\"";
    let edited = read(&host, MANIFEST).replace(there, &format!("{own}{there}"));
    assert!(edited.contains(own));
    fs::write(host.root().join(&MANIFEST[1..]), &edited).unwrap();
    host.sh(&format!("svccfg import {MANIFEST}")).expect_success();
    assert_instance(&host);
    // A clean-up of SMF's that is under way sees the new manifest as soon as it is there, before it is imported, and
    // deletes each instance that the manifest no longer has, where nothing keeps it from that.
    let hasty = "while read source target; do cp -p $source $target; svccfg cleanup; done\n";
    replace(&host, "/usr/sadm/install/scripts/i.manifest", hasty);
    pkgadd(&host, &made().current, "").expect_success();
    assert_instance(&host);
    assert!(!read(&host, MANIFEST).contains("web"));
    host.sh("svcadm restart -s manifest-import; svcadm restart manifest-import");
    eventually("manifests are imported", || host.sh("svcs -Ho state manifest-import").stdout.trim() == "online");
    assert_instance(&host);
    assert_eq!(read(&host, "/var/svc/vboxsvc/replaced/vbox-svc.xml"), edited);
}

#[test]
fn the_global_zone_and_each_local_zone_have_a_package_of_their_own() {
    let host = prepared(Host::enclosed_with(&["i1=ipkg", "n1=native"]));
    add_virtualbox(&host);
    for options in ["-G", ""] {
        pkgadd(&host, &made().current, options).expect_success();
        for zone in ["i1", "n1"] {
            assert_eq!(host.sh_in(zone, "pkginfo -q COSvboxsvc").code, 1, "zone {zone} has it, pkgadd {options}");
            assert!(!exists(&host, &format!("/zones/{zone}/root/lib/svc/method/vboxsvc")), "zone {zone}");
        }
        rm(&host, PACKAGE).expect_success();
    }
    let zone = host.root().join("zones/i1/root");
    fs::copy(&made().current, zone.join("var/tmp/new.pkg")).unwrap();
    fs::copy(host.root().join("var/tmp/admin"), zone.join("var/tmp/admin")).unwrap();
    let added = host.sh_in("i1", "pkgadd -n -a /var/tmp/admin -d /var/tmp/new.pkg COSvboxsvc; pkgchk -n COSvboxsvc");
    assert_eq!(added.code, 0, "{}{}", added.stdout, added.stderr);
    assert_eq!(host.sh_in("i1", "svcs -Ho state svc:/site/xvm/vbox:VM_NAME").stdout.trim(), "disabled");
    assert_eq!(host.sh("pkginfo -q COSvboxsvc").code, 1, "the global zone has the zone's package");
}

#[test]
fn another_root_is_installed_to_without_touching_smf() {
    let host = host();
    host.sh("mkdir -p /mnt/var/sadm/install /mnt/etc/security /mnt/usr/bin /mnt/lib/svc/method").expect_success();
    host.sh("mkdir -p /mnt/opt/VirtualBox /mnt/var/sadm/pkg/SUNWvbox; : >/mnt/opt/VirtualBox/VBoxManage")
        .expect_success();
    pkgadd(&host, &made().old[1], "-R /mnt").expect_success();
    let before = host.sh("svcs -aHo fmri").stdout;
    let log = read(&host, "/var/svc/log/system-manifest-import:default.log");
    let added = pkgadd(&host, &made().current, "-R /mnt");
    assert_eq!(added.code, 0, "{}{}", added.stdout, added.stderr);
    assert_eq!(host.sh("svcs -aHo fmri").stdout, before);
    assert_eq!(read(&host, "/var/svc/log/system-manifest-import:default.log"), log, "manifest-import ran");
    host.sh("pkgchk -n -R /mnt COSvboxsvc").expect_success();
    assert!(!exists(&host, "/mnt/lib/svc/method/zfs-zvolrights"));
    assert!(!exists(&host, "/lib/svc/method/vboxsvc") && !exists(&host, "/var/sadm/pkg/COSvboxsvc"));
    host.sh("pkgrm -n -a /var/tmp/admin -R /mnt COSvboxsvc").expect_success();
    assert!(!exists(&host, "/mnt/lib/svc/method/vboxsvc"));
    assert_eq!(read(&host, "/var/svc/log/system-manifest-import:default.log"), log, "manifest-import ran");
}
