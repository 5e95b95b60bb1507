//! What the scenarios about SMF share: a service whose methods are a small shell script that tests can steer. What
//! those about VMs share is in `vm`.

// Each scenario file is a crate of its own and uses a part of this; clippy does not take it for a test.
#![allow(dead_code, clippy::unwrap_used)]

pub mod vm;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use simhost::Host;

/// Far longer than anything takes; a wait ends as soon as what it waits for is there.
pub const SOON: Duration = Duration::from_secs(60);
pub const SERVICE: &str = "svc:/site/xvm/vbox";
pub const DEFAULT: &str = "svc:/site/xvm/vbox:default";

/// The parts of the manifest that tests change.
pub struct Manifest {
    pub startd: &'static str,
    pub enabled: bool,
    pub start_timeout: u32,
    pub stop: &'static str,
    pub stop_timeout: u32,
    pub refresh: bool,
    pub context: &'static str,
    pub dependencies: &'static str,
    /// The `propval` elements of group `vm`.
    pub vm: &'static str,
    pub groups: &'static str,
    pub template: &'static str,
    pub instance: &'static str,
}

impl Default for Manifest {
    fn default() -> Self {
        Manifest {
            startd: "<propval name='duration' type='astring' value='transient'/>",
            enabled: false,
            start_timeout: 60,
            stop: "/lib/svc/method/test %m",
            stop_timeout: 60,
            refresh: true,
            context: "",
            dependencies: "",
            vm: "<propval name='stop_method' type='astring' value='savestate'/>",
            groups: "",
            template: "",
            instance: "<instance name='default' enabled='ENABLED'/>",
        }
    }
}

impl Manifest {
    pub fn text(&self) -> String {
        let refresh = match self.refresh {
            true => "<exec_method type='method' name='refresh' exec='/lib/svc/method/test %m' timeout_seconds='60'/>",
            false => "",
        };
        let Manifest { startd, start_timeout, stop, stop_timeout, context, dependencies, vm, groups, template, .. } =
            self;
        let instance = self.instance.replace("ENABLED", &self.enabled.to_string());
        format!(
            "<?xml version='1.0'?>\n<!DOCTYPE service_bundle SYSTEM '/usr/share/lib/xml/dtd/service_bundle.dtd.1'>\n\
             <service_bundle type='manifest' name='test'>\n<service name='site/xvm/vbox' type='service' version='1'>\n\
             {dependencies}\n\
             <exec_method type='method' name='start' exec='/lib/svc/method/test %m' timeout_seconds='{start_timeout}'>{context}</exec_method>\n\
             <exec_method type='method' name='stop' exec='{stop}' timeout_seconds='{stop_timeout}'/>\n{refresh}\n\
             <property_group name='startd' type='framework'>{startd}</property_group>\n\
             <property_group name='vm' type='application'>{vm}</property_group>\n{groups}\n\
             {instance}\n{template}\n</service>\n</service_bundle>\n"
        )
    }
}

/// A host with the service and its method; `body` runs in the method with `$1` the method and `$R` the host's root.
///
/// A method notes its call in `$R/calls` and exits with what the file `$R/exit.METHOD` says.
pub fn host_with(manifest: &Manifest, body: &str) -> Host {
    let host = Host::new();
    let root = host.root().display();
    let script = format!(
        "#!/bin/sh\nR={root}\necho \"$1 $SMF_FMRI\" >>$R/calls\n{body}\n[ -f $R/exit.$1 ] && exit $(cat $R/exit.$1)\nexit 0\n"
    );
    let path = host.root().join("lib/svc/method/test");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    fs::write(host.root().join("calls"), "").unwrap();
    fs::set_permissions(host.root().join("calls"), Permissions::from_mode(0o666)).unwrap();
    host.import(&manifest.text());
    host.wait_state(DEFAULT, if manifest.enabled { "online" } else { "disabled" }, SOON).unwrap();
    host
}

pub fn plain_host() -> Host {
    host_with(&Manifest::default(), "")
}

/// Says how a method will exit from now on.
pub fn set_exit(host: &Host, method: &str, code: i32) {
    fs::write(host.root().join(format!("exit.{method}")), code.to_string()).unwrap();
}

/// How often a method ran.
pub fn calls(host: &Host, method: &str) -> usize {
    let calls = fs::read_to_string(host.root().join("calls")).unwrap();
    calls.lines().filter(|l| l.split(' ').next() == Some(method)).count()
}

pub fn svcadm(host: &Host, words: &str) -> simhost::Ran {
    host.run("svcadm", words.split_whitespace())
}

pub fn svcprop(host: &Host, words: &str) -> simhost::Ran {
    host.run("svcprop", words.split_whitespace())
}

pub fn svcs(host: &Host, words: &str) -> simhost::Ran {
    host.run("svcs", words.split_whitespace())
}

pub fn wait(host: &Host, fmri: &str, state: &str) {
    host.wait_state(fmri, state, SOON).unwrap();
}

/// Waits until something holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < SOON, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The process is there and no zombie.
pub fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
}
