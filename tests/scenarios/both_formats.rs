//! One host, first with the SVR4 package and then with the IPS package, and back: in the order that the manual gives, and in
//! the other one.
//!
//! pkgadd, pkg, SMF and VirtualBox are this project's stand-ins.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;
mod svr4_support;

use std::fs;

use simhost::Host;
use support::eventually;
use svr4_support::trial::{add_virtualbox, pkgadd};
use xtask::trial::Ours;

const WEB: &str = "svc:/site/xvm/vbox:web";
const NAME: &str = "service/vboxsvc";

/// A host with VirtualBox as an SVR4 package, and where our packages are for those outside.
struct Scene {
    host: Host,
    packages: Ours,
}

impl Scene {
    fn new() -> Scene {
        let host = svr4_support::host();
        add_virtualbox(&host);
        let program = host.root().join("var/tmp/program");
        fs::write(&program, "#!/bin/sh\nexit 0\n").unwrap();
        let out = host.root().join("var/tmp/made");
        let workspace = xtask::flags::workspace();
        let packages =
            xtask::trial::ours(&workspace, &program, env!("CARGO_PKG_VERSION"), 1_795_355_765, &out).unwrap();
        Scene { host, packages }
    }

    fn pkgadd(&self) {
        pkgadd(&self.host, &self.packages.svr4, "").expect_success();
        self.is_imported();
    }

    fn pkgrm(&self) {
        svr4_support::rm(&self.host, "COSvboxsvc").expect_success();
    }

    fn pkg_install(&self) {
        for (archive, name) in [(&self.packages.bridge, "SUNWvbox"), (&self.packages.ips, NAME)] {
            let archive = archive.strip_prefix(self.host.root()).unwrap().display();
            self.host.sh(&format!("pkg install -g /{archive} {name}")).expect_success();
        }
        self.is_imported();
    }

    fn is_imported(&self) {
        let there = || self.host.sh("svcs -Ho state svc:/site/xvm/vbox:VM_NAME").stdout.trim() == "disabled";
        eventually("the service is imported", there);
    }

    /// An instance made by hand, with a setting of its own.
    fn add_instance(&self) {
        self.host.add_instance("web");
        self.host.setprop(WEB, "vm/nice", "integer", "10");
    }

    #[track_caller]
    fn has_instance(&self) {
        assert_eq!(self.host.sh(&format!("svcprop -p vm/nice {WEB}")).stdout, "10\n");
    }

    #[track_caller]
    fn is_clean_for_pkg(&self) {
        let verified = self.host.sh("pkg verify");
        assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{}", verified.stderr);
    }
}

#[test]
fn from_pkgadd_to_pkg_and_back_in_the_manuals_order_nothing_is_lost() {
    let scene = Scene::new();
    scene.pkgadd();
    scene.add_instance();
    scene.pkgrm();
    scene.pkg_install();
    scene.has_instance();
    scene.is_clean_for_pkg();
    assert_eq!(scene.host.sh("pkginfo -q COSvboxsvc").code, 1);
    scene.host.sh(&format!("pkg uninstall {NAME}")).expect_success();
    scene.pkgadd();
    scene.has_instance();
    assert_eq!(scene.host.sh("pkgchk COSvboxsvc").expect_success().stdout, "");
    assert_eq!(scene.host.sh(&format!("pkg list {NAME}")).code, 1);
}

#[test]
fn a_pkgrm_that_comes_late_takes_files_of_pkg_along_which_pkg_fix_brings_back() {
    let scene = Scene::new();
    scene.pkgadd();
    scene.add_instance();
    scene.pkg_install();
    scene.is_clean_for_pkg();
    scene.pkgrm();
    let verified = scene.host.sh("pkg verify");
    assert_eq!(verified.code, 1);
    assert!(verified.stdout.contains("Missing"), "{}", verified.stdout);
    let archive = format!("/{}", scene.packages.ips.strip_prefix(scene.host.root()).unwrap().display());
    scene.host.sh(&format!("pkg set-publisher -p {archive} && pkg fix {NAME}")).expect_success();
    scene.is_clean_for_pkg();
    scene.has_instance();
}
