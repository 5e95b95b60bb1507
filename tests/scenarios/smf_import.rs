//! svccfg import, validate, export and cleanup, and the service that imports by itself.

mod support;

use std::fs;

use simhost::Host;
use support::{DEFAULT, Manifest, SERVICE, calls, eventually, host_with, plain_host, svcadm, svcprop, svcs, wait};

const V1: &str = "<propval name='same' type='astring' value='1'/><propval name='changed' type='astring' value='1'/><propval name='gone' type='astring' value='1'/>";
const V2: &str = "<propval name='same' type='astring' value='1'/><propval name='changed' type='astring' value='2'/><propval name='new' type='astring' value='2'/>";

fn manifest(vm: &'static str) -> Manifest {
    Manifest { vm, ..Manifest::default() }
}

fn service(host: &Host) -> String {
    svcprop(host, &format!("-p vm {SERVICE}")).stdout
}

fn file(host: &Host) -> std::path::PathBuf {
    host.root().join("var/svc/manifest/site/imported.xml")
}

fn restart_manifest_import(host: &Host) {
    let import = "svc:/system/manifest-import:default";
    let runs = || host.log(import).matches("Method \"start\" exited").count();
    let before = runs();
    svcadm(host, &format!("restart {import}")).expect_success();
    eventually("manifests were imported", || runs() > before);
}

#[test]
fn an_upgrade_follows_the_manifest_where_nobody_customised() {
    let host = host_with(&manifest(V1), "");
    let got = host.run("svccfg", ["import".as_ref(), file(&host).as_os_str()]);
    assert_eq!((got.code, got.stderr.as_str()), (0, ""), "the same again changes nothing");
    host.import(&manifest(V2).text());
    assert_eq!(service(&host), "vm/changed astring 2\nvm/new astring 2\nvm/same astring 1\n");
}

#[test]
fn an_upgrade_keeps_customised_values_tells_conflicts_and_exits_0() {
    let host = host_with(&manifest(V1), "");
    let set = "setprop vm/same = astring: mine\nsetprop vm/changed = astring: mine\nsetprop vm/gone = astring: mine";
    host.svccfg(&format!("select {SERVICE}\n{set}\n")).expect_success();
    fs::write(file(&host), manifest(V2).text()).unwrap();
    let got = host.run("svccfg", ["import".as_ref(), file(&host).as_os_str()]);
    assert_eq!(got.code, 0);
    assert_eq!(
        service(&host),
        "vm/changed astring mine\nvm/gone astring mine\nvm/new astring 2\nvm/same astring mine\n"
    );
    assert!(
        got.stderr.contains(&format!(
            "svccfg: Conflict upgrading {SERVICE} (property \"vm/changed\" has different values).\n"
        ))
    );
    assert!(got.stderr.contains("\"vm/gone\""), "{}", got.stderr);
    assert!(!got.stderr.contains("\"vm/same\""), "{}", got.stderr);
}

#[test]
fn override_and_delete_win() {
    let host = host_with(
        &Manifest { vm: V1, groups: "<property_group name='old' type='application'/>", ..Manifest::default() },
        "",
    );
    host.svccfg(&format!("select {SERVICE}\nsetprop vm/changed = astring: mine\n")).expect_success();
    let vm = "<propval name='changed' type='astring' value='2' override='true'/>";
    let groups = "<property_group name='old' type='application' delete='true'/>";
    host.import(&Manifest { vm, groups, ..Manifest::default() }.text());
    assert!(service(&host).contains("vm/changed astring 2\n"));
    assert_eq!(svcprop(&host, &format!("-q -p old {SERVICE}")).code, 1);
}

#[test]
fn enabled_counts_at_the_first_import_only() {
    let host = plain_host();
    host.import(&Manifest { enabled: true, ..Manifest::default() }.text());
    assert_eq!(host.property(DEFAULT, "general", "enabled").as_deref(), Some("false"));
    let host = host_with(&Manifest { enabled: true, ..Manifest::default() }, "");
    assert_eq!(calls(&host, "start"), 1);
}

#[test]
fn only_instances_of_the_manifest_are_refreshed() {
    let host = host_with(&manifest(V1), "");
    let other = host.add_instance("other");
    host.import(&manifest(V2).text());
    assert_eq!(svcprop(&host, &format!("-p vm/changed {DEFAULT}")).stdout, "2\n");
    assert_eq!(svcprop(&host, &format!("-p vm/changed {other}")).stdout, "1\n", "its running snapshot is as it was");
    assert_eq!(svcprop(&host, &format!("-c -p vm/changed {other}")).stdout, "2\n");
}

#[test]
fn a_service_whose_instances_were_all_made_by_hand_is_not_upgraded() {
    let host = Host::new();
    host.import(&Manifest { vm: V1, instance: "", ..Manifest::default() }.text());
    host.add_instance("byhand");
    host.import(&Manifest { vm: V2, instance: "", ..Manifest::default() }.text());
    assert!(service(&host).contains("vm/changed astring 1\n"));
}

#[test]
fn snapshots_are_taken_at_their_times() {
    let host = plain_host();
    let list = || host.svccfg(&format!("select {DEFAULT}\nlistsnap\n")).stdout;
    assert_eq!(list(), "initial\nlast-import\nrunning\n");
    host.import(&manifest(V2).text());
    assert_eq!(list(), "initial\nlast-import\nprevious\nrunning\n");
    assert_eq!(svcprop(&host, &format!("-s initial -q -p vm/new {DEFAULT}")).code, 1);
    assert_eq!(svcprop(&host, &format!("-s previous -q -p vm/new {DEFAULT}")).code, 1);
    assert_eq!(svcprop(&host, &format!("-s last-import -q -p vm/new {DEFAULT}")).code, 0);
}

#[test]
fn validation_of_a_file_fails_and_of_an_instance_does_not() {
    let template = "<template><common_name><loctext xml:lang='C'>VM</loctext></common_name><pg_pattern name='vm' type='application' target='instance' required='true'>\
        <prop_pattern name='n' type='integer' required='true'><constraints><range min='0' max='9'/></constraints></prop_pattern></pg_pattern></template>";
    let vm = "<propval name='n' type='integer' value='5'/>";
    let good = Manifest { vm, template, ..Manifest::default() };
    let host = host_with(&good, "");
    host.run("svccfg", ["validate".as_ref(), file(&host).as_os_str()]).expect_success();
    host.svccfg(&format!("select {DEFAULT}\naddpg vm application\nsetprop vm/n = integer: 10\nrefresh\n"))
        .expect_success();
    let got = host.run("svccfg", ["validate", DEFAULT]);
    assert_eq!(got.code, 0);
    assert!(got.stderr.contains("Property value is out of range"), "{}", got.stderr);
    let bad = Manifest { vm: "<propval name='n' type='integer' value='10'/>", template, ..Manifest::default() };
    let path = host.root().join("tmp/bad.xml");
    fs::write(&path, bad.text()).unwrap();
    let got = host.run("svccfg", ["validate".as_ref(), path.as_os_str()]);
    assert_eq!(got.code, 1);
    assert!(got.stderr.ends_with("svccfg: Validation failed.\n"), "{}", got.stderr);
    let got = host.run("svccfg", ["import".as_ref(), path.as_os_str()]);
    assert_eq!(got.code, 0);
    assert!(got.stderr.starts_with("svccfg: Warning: Property value is out of range"), "{}", got.stderr);
    let got = host.run("svccfg", ["import".as_ref(), "-V".as_ref(), path.as_os_str()]);
    assert!(got.code == 1 && got.stderr.contains("Import of "), "{}", got.stderr);
}

#[test]
fn broken_files_are_refused_and_a_directory_goes_on() {
    let host = plain_host();
    let tmp = host.root().join("tmp");
    for (name, text, said) in [
        ("a.xml", "<service_bundle", "couldn't parse document"),
        ("b.xml", "<?xml version='1.0'?><x/>", "document DTD unknown; not service bundle?"),
        (
            "c.xml",
            "<?xml version='1.0'?><!DOCTYPE service_bundle SYSTEM 'x'><service_bundle type='manifest'/>",
            "Document is not valid.",
        ),
    ] {
        fs::write(tmp.join(name), text).unwrap();
        for verb in ["import", "validate"] {
            let got = host.run("svccfg", [verb.as_ref(), tmp.join(name).as_os_str()]);
            assert_eq!(got.code, 1, "{verb} {name}");
            assert!(got.stderr.contains(said), "{verb} {name}: {}", got.stderr);
        }
    }
    let got = host.run("svccfg", ["import".as_ref(), tmp.as_os_str()]);
    assert_eq!(got.code, 0);
    assert!(got.stderr.contains("3 smf(7) service descriptions failed to load"), "{}", got.stderr);
    assert_eq!(host.run("svccfg", ["import", "/no/such/file"]).code, 1);
}

#[test]
fn manifest_import_is_asynchronous_and_skips_unchanged_files() {
    let host = Host::new();
    let write = |path: &str, text: &str| fs::write(host.root().join(path), text).unwrap();
    write("lib/svc/method/test", "");
    write("var/svc/manifest/outside.xml", &manifest(V1).text());
    restart_manifest_import(&host);
    assert_eq!(svcs(&host, DEFAULT).code, 1, "a file beside the directories is never imported");
    write("lib/svc/manifest/site/vbox.xml", &manifest(V1).text());
    restart_manifest_import(&host);
    wait(&host, DEFAULT, "disabled");
    host.svccfg(&format!("select {SERVICE}\nsetprop vm/same = astring: mine\n")).expect_success();
    // Unchanged content, new time: skipped, or the lost property would come back as "new".
    host.svccfg(&format!("select {DEFAULT}\naddpg seen application\n")).expect_success();
    write("lib/svc/manifest/site/vbox.xml", &manifest(V1).text());
    restart_manifest_import(&host);
    assert_eq!(host.svccfg(&format!("select {DEFAULT}\nlistsnap\n")).stdout, "initial\nlast-import\nrunning\n");
    write("lib/svc/manifest/site/vbox.xml", &manifest(V2).text());
    restart_manifest_import(&host);
    assert!(service(&host).contains("vm/changed astring 2\n"));
}

#[test]
fn a_boot_imports_too() {
    let mut host = Host::new();
    fs::write(host.root().join("var/svc/manifest/site/vbox.xml"), manifest(V1).text()).unwrap();
    host.reboot();
    wait(&host, DEFAULT, "disabled");
}

#[test]
fn the_last_manifest_takes_the_whole_service_with_it() {
    let host = plain_host();
    let other = host.add_instance("other");
    svcadm(&host, &format!("enable -s {other}")).expect_success();
    fs::remove_file(file(&host)).unwrap();
    restart_manifest_import(&host);
    assert_eq!((svcs(&host, DEFAULT).code, svcs(&host, &other).code), (1, 1));
    assert_eq!(calls(&host, "stop"), 1, "it was disabled first");
    assert_eq!(svcprop(&host, SERVICE).code, 1);
}

#[test]
fn an_instance_that_left_the_manifest_goes_and_one_made_by_hand_stays() {
    let host = plain_host();
    let other = host.add_instance("other");
    fs::write(file(&host), Manifest { instance: "", ..Manifest::default() }.text()).unwrap();
    restart_manifest_import(&host);
    assert_eq!(svcs(&host, DEFAULT).code, 1);
    assert_eq!(svcs(&host, &other).code, 0);
}

#[test]
fn a_manifest_from_elsewhere_shields_the_service_from_cleanup() {
    let host = plain_host();
    let elsewhere = host.root().join("tmp/vbox.xml");
    fs::copy(file(&host), &elsewhere).unwrap();
    host.run("svccfg", ["import".as_ref(), elsewhere.as_os_str()]).expect_success();
    fs::remove_file(file(&host)).unwrap();
    restart_manifest_import(&host);
    assert_eq!(svcs(&host, DEFAULT).code, 0);
    let files = svcprop(&host, &format!("-p manifestfiles {SERVICE}")).stdout;
    assert!(
        files.contains("astring /var/svc/manifest/site/imported.xml\n") && files.contains("astring /tmp/vbox.xml\n"),
        "{files}"
    );
}

#[test]
fn an_exported_service_can_be_imported_again() {
    let host = host_with(&manifest(V1), "");
    host.svccfg(&format!("select {SERVICE}\nsetprop vm/same = astring: \"a 'b' <c> & d\"\n")).expect_success();
    let text = host.run("svccfg", ["export", SERVICE]).expect_success().stdout;
    let path = host.root().join("tmp/export.xml");
    fs::write(&path, text).unwrap();
    host.run("svccfg", ["validate".as_ref(), path.as_os_str()]).expect_success();
    host.run("svccfg", ["delete", "-f", SERVICE]).expect_success();
    host.run("svccfg", ["import".as_ref(), path.as_os_str()]).expect_success();
    assert_eq!(host.property(DEFAULT, "vm", "same").as_deref(), Some("a 'b' <c> & d"));
    let list = host.run("svccfg", ["inventory".as_ref(), path.as_os_str()]).stdout;
    assert_eq!(list, format!("{DEFAULT}\n{SERVICE}\n"));
}

#[test]
fn a_dependent_is_placed_in_the_other_service() {
    let dependencies = "<dependent name='vms' grouping='optional_all' restart_on='none'><service_fmri value='svc:/milestone/multi-user'/></dependent>";
    let host = host_with(&Manifest { dependencies, ..Manifest::default() }, "");
    let shown = svcprop(&host, "-p vms svc:/milestone/multi-user:default").stdout;
    assert!(
        shown.contains(&format!("vms/entities fmri {SERVICE}\n")) && shown.contains("vms/external boolean true\n"),
        "{shown}"
    );
}
