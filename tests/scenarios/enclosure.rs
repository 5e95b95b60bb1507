//! The enclosed host: its paths are those of a whole system, its zones are hosts of their own, and it leaves nothing behind.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use simhost::{Host, simhost_exe};
use support::eventually;

/// A service whose method writes where it is, and leaves a process behind.
const SERVICE: &str = "<?xml version='1.0'?>
<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>
<service_bundle type='manifest' name='test'>
<service name='site/test' type='service' version='1'>
<create_default_instance enabled='true'/>
<exec_method type='method' name='start' exec='/lib/svc/method/test %m' timeout_seconds='60'/>
<exec_method type='method' name='stop' exec='/lib/svc/method/test %m' timeout_seconds='60'/>
</service>
</service_bundle>
";
const METHOD: &str = "#!/sbin/sh\necho \"$1 in $SMF_ZONENAME, `zonename`\" >>/var/tmp/calls\n\
    if [ $1 = start ]; then sleep 3000 & echo $! >/var/run/test.pid; else kill `cat /var/run/test.pid`; fi\n";

fn add_service(root: &std::path::Path) {
    fs::write(root.join("var/svc/manifest/site/test.xml"), SERVICE).unwrap();
    fs::write(root.join("lib/svc/method/test"), METHOD).unwrap();
    fs::set_permissions(root.join("lib/svc/method/test"), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn paths_are_those_of_a_whole_system() {
    let host = Host::enclosed();
    let said = host.sh("pwd; zonename; isainfo -b; test -r /etc/svc/volatile/repository_door && echo door; ls /opt");
    assert_eq!(said.expect_success().stdout, "/\nglobal\n64\ndoor\n");
    add_service(host.root());
    host.sh("svccfg import /var/svc/manifest/site/test.xml").expect_success();
    eventually("the service is online", || host.sh("svcs -Ho state site/test").stdout.trim() == "online");
    let found = host.sh("cat /var/tmp/calls; svcs -L site/test; svcprop -p manifestfiles svc:/site/test").stdout;
    assert!(found.starts_with("start in global, global\n/var/svc/log/site-test:default.log\n"), "{found}");
    assert!(found.contains("/var/svc/manifest/site/test.xml"), "{found}");
}

#[test]
fn what_it_leaves_running_ends_with_it() {
    let host = Host::enclosed_with(&["z1"]);
    add_service(host.root());
    host.sh("svccfg import /var/svc/manifest/site/test.xml").expect_success();
    eventually("the service is online", || host.sh("svcs -Ho state site/test").stdout.trim() == "online");
    // Two restarters, the service's process and its holder at least.
    let processes = host.processes();
    assert!(processes.len() >= 4, "{processes:?}");
    let root = host.root().to_owned();
    drop(host);
    assert!(!root.exists(), "the host's folder is still there");
    let alive = |pid: &&i32| support::is_alive(&pid.to_string());
    assert_eq!(processes.iter().filter(alive).count(), 0, "{processes:?}");
}

#[test]
fn a_zone_is_a_host_of_its_own() {
    let host = Host::enclosed_with(&["z1", "n1=native"]);
    let listed = host.sh("zoneadm list -cp").expect_success().stdout;
    let wanted =
        "0:global:running:/::ipkg:shared\n1:z1:running:/zones/z1::ipkg:excl\n2:n1:running:/zones/n1::native:excl\n";
    assert_eq!(listed, wanted);
    add_service(&host.root().join("zones/z1/root"));
    host.sh_in("z1", "svccfg import /var/svc/manifest/site/test.xml").expect_success();
    eventually("the zone's service is online", || {
        host.sh_in("z1", "svcs -Ho state site/test").stdout.trim() == "online"
    });
    assert_eq!(host.sh("svcs -Ho state site/test").code, 1, "the global zone has the zone's service");
    assert_eq!(host.sh_in("z1", "cat /var/tmp/calls").stdout, "start in z1, z1\n");
    assert_eq!(host.sh_in("z1", "zoneadm list -p").stdout, "1:z1:running:/::ipkg:excl\n");
}

#[test]
fn zlogin_joins_its_words_and_hands_on_the_exit_status() {
    let host = Host::enclosed_with(&["z1"]);
    let said = host.run("zlogin", ["z1", "echo 'a  b'", "'c  d';", "exit 7"]);
    assert_eq!((said.code, said.stdout.as_str()), (7, "a  b c  d\n"));
    assert_eq!(host.run("zlogin", ["no-zone", "true"]).code, 1);
    host.sh("zoneadm -z z1 halt").expect_success();
    let refused = host.run("zlogin", ["z1", "true"]);
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("is not running"), "{}", refused.stderr);
    assert!(host.sh("zoneadm list -ip").stdout.contains("-:z1:installed:/zones/z1::ipkg:excl"));
    host.sh("zoneadm -z z1 boot").expect_success();
    host.run("zlogin", ["z1", "true"]).expect_success();
}

#[test]
fn init_6_in_a_zone_stops_its_services_and_boots_it_again() {
    let host = Host::enclosed_with(&["z1"]);
    let zone = host.root().join("zones/z1/root");
    add_service(&zone);
    host.sh_in("z1", "svcadm restart manifest-import").expect_success();
    let online = || host.sh_in("z1", "svcs -Ho state site/test").stdout.trim() == "online";
    eventually("the zone's service is online", online);
    fs::write(zone.join("var/run/lost"), "").unwrap();
    host.sh_in("z1", "init 6");
    let calls = || fs::read_to_string(zone.join("var/tmp/calls")).unwrap();
    eventually("the service was started again", || calls().matches("start").count() == 2);
    assert_eq!(calls(), "start in z1, z1\nstop in z1, z1\nstart in z1, z1\n");
    eventually("the zone's service is online again", online);
    assert!(!zone.join("var/run/lost").exists(), "/var/run outlived a reboot");
}

#[test]
fn a_reboot_of_the_host_stops_and_boots_its_zones() {
    let mut host = Host::enclosed_with(&["z1"]);
    let zone = host.root().join("zones/z1/root");
    add_service(&zone);
    host.sh_in("z1", "svcadm restart manifest-import").expect_success();
    let calls = || fs::read_to_string(zone.join("var/tmp/calls")).unwrap_or_default();
    eventually("the service was started", || calls().contains("start"));
    host.reboot();
    eventually("the service was started again", || calls().matches("start").count() == 2);
    assert!(calls().contains("stop in z1"), "{}", calls());
}

/// Only root can be several users: run by anybody else, this says that it tested nothing.
#[test]
fn a_user_may_what_the_profiles_say_that_root_gives_him() {
    let host = Host::enclosed();
    add_service(host.root());
    host.sh("svcadm restart manifest-import").expect_success();
    let state = |wanted: &str| host.sh("svcs -Ho state site/test").stdout.trim() == wanted;
    eventually("the service is online", || state("online"));
    host.sh("useradd -m -d /export/home/ann ann && passwd -N ann").expect_success();
    if !nix::unistd::geteuid().is_root() || host.run("su", ["ann", "-c", "true"]).code != 0 {
        eprintln!("NOT TESTED: it takes root, and a build folder that others may enter, to be another user");
        return;
    }
    assert_eq!(host.run("su", ["-", "ann", "-c", "pwd"]).stdout, "/export/home/ann\n");
    let unknown = host.run("usermod", ["-P", "Tester", "ann"]);
    assert_eq!((unknown.code, unknown.stderr.contains("Tester")), (3, true), "{}", unknown.stderr);
    fs::write(host.root().join("etc/security/prof_attr"), "Tester:::Tests:auths=solaris.smf.manage\n").unwrap();
    let disable = || host.run("su", ["ann", "-c", "/usr/sbin/svcadm disable -t site/test"]);
    let denied = disable();
    assert_eq!((denied.code, denied.stderr.contains("Permission denied")), (1, true), "{}", denied.stderr);
    host.run("usermod", ["-P", "Tester", "ann"]).expect_success();
    disable().expect_success();
    eventually("the service is disabled", || state("disabled"));
    host.run("usermod", ["-P", "", "ann"]).expect_success();
    assert_eq!(disable().code, 1, "she has kept what was taken from her");
    host.run("userdel", ["-r", "ann"]).expect_success();
    assert_eq!(host.run("su", ["ann", "-c", "true"]).code, 1);
    assert!(!host.root().join("export/home/ann").exists());
}

/// The way of guests and smoke tests, which have no test process to hold the host.
#[test]
fn a_host_can_be_run_from_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("host");
    let simhost = |words: &[&str]| {
        let mut command = Command::new(simhost_exe());
        let words = words.iter().map(|word| if *word == "ROOT" { root.as_os_str() } else { word.as_ref() });
        let output = command.args(words).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(simhost(&["host", "create", "ROOT", "--zone", "z1=native"]).0, 0);
    assert_eq!(simhost(&["host", "boot", "ROOT"]).0, 0);
    assert_eq!(simhost(&["host", "boot", "ROOT"]).0, 1, "it was switched on twice");
    assert_eq!(simhost(&["enter", "ROOT", "svcs", "-Ho", "state", "multi-user"]), (0, "online          \n".into()));
    assert_eq!(simhost(&["enter", "ROOT", "--zone", "z1", "sh", "-c", "zonename; exit 3"]), (3, "z1\n".into()));
    assert_eq!(simhost(&["host", "reboot", "ROOT"]).0, 0);
    assert_eq!(simhost(&["enter", "ROOT", "zlogin", "z1", "svcs", "-Ho", "state", "multi-user"]).0, 0);
    assert_eq!(simhost(&["host", "halt", "ROOT"]).0, 0);
    assert_eq!(simhost(&["host", "boot", "ROOT"]).0, 0);
    assert_eq!(simhost(&["host", "power-off", "ROOT"]).0, 0);
    assert_eq!(simhost(&["enter", "ROOT", "test", "-r", "/etc/svc/volatile/repository_door"]).0, 1, "SMF lives on");
}
