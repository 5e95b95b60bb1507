//! What the package's own manifests do to a host's services when the package comes, goes and comes again.
//!
//! SMF is the stand-in, whose clean-up follows illumos's svccfg: it shows that the manifests ask for the right thing.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::path::PathBuf;

use simhost::Host;
use support::{eventually, svcadm, svcprop, svcs, wait};
use xtask::smf::render::{Rendered, Variables, render_all};

const SERVICE: &str = "svc:/site/xvm/vbox";
const DELAY: &str = "svc:/site/xvm/vbox-delay-on-boot:default";

fn manifests() -> Vec<Rendered> {
    render_all(&xtask::flags::workspace(), env!("CARGO_PKG_VERSION"), &Variables::default()).unwrap()
}

fn place(host: &Host, manifest: &Rendered) -> PathBuf {
    host.root().join("var/svc/manifest/site").join(&manifest.file_name)
}

fn install(host: &Host) {
    for manifest in manifests() {
        fs::write(place(host, &manifest), manifest.text).unwrap();
    }
    import(host);
}

fn remove(host: &Host) {
    for manifest in manifests() {
        fs::remove_file(place(host, &manifest)).unwrap();
    }
    import(host);
}

/// What both formats do when manifests come or go.
fn import(host: &Host) {
    let import = "svc:/system/manifest-import:default";
    let runs = || host.log(import).matches("Method \"start\" exited").count();
    let before = runs();
    svcadm(host, &format!("restart {import}")).expect_success();
    eventually("manifests were imported", || runs() > before);
}

fn value(host: &Host, property: &str, fmri: &str) -> String {
    svcprop(host, &format!("-p {property} {fmri}")).stdout.trim().to_string()
}

#[test]
fn what_the_administrator_made_outlives_the_package() {
    let host = Host::new();
    install(&host);
    let web = host.add_instance("web");
    host.setprop(&web, "vm/nice", "integer", "10");
    host.setprop(SERVICE, "vm/stop_timeout", "integer", "900");
    host.setprop(DELAY, "delay/seconds", "integer", "300");
    remove(&host);
    assert_eq!(svcs(&host, &web).code, 0, "the instance went with the package");
    assert_eq!(value(&host, "vm/nice", &web), "10");
    install(&host);
    assert_eq!(value(&host, "vm/nice", &web), "10");
    assert_eq!(value(&host, "vm/stop_timeout", SERVICE), "900");
    assert_eq!(value(&host, "delay/seconds", DELAY), "300");
    wait(&host, &web, "disabled");
}

/// Older releases had administrators put their VMs into the packaged manifest.
#[test]
fn an_instance_of_an_edited_manifest_outlives_the_next_release() {
    let host = Host::new();
    install(&host);
    let service = &manifests()[0];
    let sample = "<!-- The sample ends here. -->";
    let edited = service.text.replace(sample, &format!("{sample}\n<instance name=\"mine\" enabled=\"false\"/>"));
    fs::write(place(&host, service), edited).unwrap();
    import(&host);
    let mine = format!("{SERVICE}:mine");
    wait(&host, &mine, "disabled");
    install(&host);
    assert_eq!(svcs(&host, &mine).code, 0, "the instance went with the edited manifest");
}

#[test]
fn the_services_go_when_they_are_deleted_by_hand() {
    let host = Host::new();
    install(&host);
    remove(&host);
    host.svccfg(&format!("delete -f {SERVICE}\n")).expect_success();
    assert_eq!(svcs(&host, &format!("{SERVICE}:VM_NAME")).code, 1);
}
