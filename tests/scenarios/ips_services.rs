//! What `pkg` does to services on the live system, by the attributes of what comes, changes and goes.
//!
//! `pkg` and SMF are this project's stand-ins.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod ips_support;
mod support;

use ips_support::{Sample, archive_of};
use simhost::{Host, Ran};
use support::{DEFAULT, Manifest, calls, eventually, host_with, set_exit, svcadm, wait};

fn online() -> Host {
    let host = host_with(&Manifest { enabled: true, ..Manifest::default() }, "");
    assert_eq!(calls(&host, "start"), 1);
    host
}

/// Installs or updates to a version of a package whose one file has these attributes.
fn bring(host: &Host, version: &str, attributes: &str) -> Ran {
    let sample = Sample::new("sample", &format!("{version},5.11:20260101T000000Z"));
    let archive = host.root().join("tmp/sample.p5p");
    std::fs::write(&archive, archive_of(&[sample.file("opt/x", version, attributes)])).unwrap();
    host.run("pkg", ["install", "-g", archive.to_str().unwrap(), "sample"])
}

#[test]
fn refresh_and_restart_are_done_when_it_comes_changes_and_goes() {
    let host = online();
    let both = format!("refresh_fmri={DEFAULT} restart_fmri={DEFAULT}");
    bring(&host, "1.0", &both).expect_success();
    eventually("it is restarted", || calls(&host, "start") == 2);
    wait(&host, DEFAULT, "online");
    bring(&host, "2.0", &both).expect_success();
    eventually("it is restarted again", || calls(&host, "start") == 3);
    wait(&host, DEFAULT, "online");
    host.run("pkg", ["uninstall", "sample"]).expect_success();
    eventually("it is restarted once more", || calls(&host, "start") == 4);
    eventually("it was refreshed each time", || calls(&host, "refresh") == 3);
}

#[test]
fn suspend_stops_for_an_update_alone_and_starts_again() {
    let host = online();
    let suspend = format!("suspend_fmri={DEFAULT}");
    bring(&host, "1.0", &suspend).expect_success();
    assert_eq!(calls(&host, "stop"), 0);
    bring(&host, "2.0", &suspend).expect_success();
    assert_eq!(calls(&host, "stop"), 1);
    wait(&host, DEFAULT, "online");
    host.run("pkg", ["uninstall", "sample"]).expect_success();
    assert_eq!(calls(&host, "stop"), 1);
}

#[test]
fn disable_stops_what_a_pattern_means_when_the_package_goes_and_it_stays_disabled() {
    let host = online();
    let disable = "disable_fmri=svc:/site/xvm/vbox:*";
    bring(&host, "1.0", disable).expect_success();
    bring(&host, "2.0", disable).expect_success();
    assert_eq!(calls(&host, "stop"), 0);
    host.run("pkg", ["uninstall", "sample"]).expect_success();
    assert_eq!((calls(&host, "stop"), host.state(DEFAULT).as_deref()), (1, Some("disabled")));
}

#[test]
fn what_is_in_maintenance_counts_as_disabled_and_a_bare_service_is_dropped_with_a_message() {
    let host = online();
    bring(&host, "1.0", "disable_fmri=svc:/site/xvm/vbox:* restart_fmri=svc:/site/xvm/vbox").expect_success();
    set_exit(&host, "start", 96);
    svcadm(&host, &format!("restart {DEFAULT}")).expect_success();
    wait(&host, DEFAULT, "maintenance");
    let gone = host.run("pkg", ["uninstall", "sample"]).expect_success();
    let message = "Actuators for restart_fmri will not be run for svc:/site/xvm/vbox.";
    assert!(gone.stderr.contains(message), "{}", gone.stderr);
    assert_eq!(host.state(DEFAULT).as_deref(), Some("maintenance"));
}
