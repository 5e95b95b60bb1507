//! Our IPS package on a simulated host: it comes, is updated, goes, comes again, and nothing of the administrator's is
//! lost; and what happens when it fails on the way.
//!
//! `pkg`, SMF and VirtualBox are this project's stand-ins; the executable inside the package is the one built for this
//! machine.

// Clippy does not take this for a test, which may unwrap.
#![allow(clippy::unwrap_used)]

mod ips_support;
mod support;

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ips_support::Rig;
use simhost::vbox::Spec;
use simhost::{Host, Ran, vboxsvc_exe};
use support::vm::{Scene, WEB};
use support::{SERVICE, eventually, svcprop, svcs};
use xtask::trial;

const NAME: &str = "service/vboxsvc";
const EPOCH: u64 = 1_795_355_765;
const OLD: &str = "0.20.0";
const NEW: &str = "0.21.0";
const METHOD: &str = "lib/svc/method/vboxsvc";
const MANIFEST: &str = "var/svc/manifest/site/vbox-svc.xml";
const RIGHTS: &str = "svc:/system/rbac:default";

/// The packages with an executable inside.
struct Packages {
    old: trial::Ours,
    new: trial::Ours,
    virtualbox: trial::VirtualBox,
    _folder: tempfile::TempDir,
}

impl Packages {
    /// Of any program, which in the new release is another one.
    fn around(program: &[u8]) -> Packages {
        let folder = tempfile::tempdir().unwrap();
        let workspace = xtask::flags::workspace();
        let executable = folder.path().join("program");
        let ours = |version: &str, epoch, program: &[u8]| {
            fs::write(&executable, program).unwrap();
            trial::ours(&workspace, &executable, version, epoch, &folder.path().join(version)).unwrap()
        };
        let old = ours(OLD, EPOCH, program);
        let new = ours(NEW, EPOCH + 1, &[program, b"\n"].concat());
        // The simulated VirtualBox is on the host already: the package only says that one is there.
        let stub = folder.path().join("stub");
        fs::write(&stub, "no program\n").unwrap();
        let virtualbox = trial::virtualbox(&stub, EPOCH, folder.path()).unwrap();
        Packages { old, new, virtualbox, _folder: folder }
    }
}

/// With the program that runs VMs. Made once for all tests of this file.
fn packages() -> &'static Packages {
    static MADE: OnceLock<Packages> = OnceLock::new();
    MADE.get_or_init(|| Packages::around(&fs::read(vboxsvc_exe()).unwrap()))
}

/// With something small in its place, for tests that run nothing.
fn lean() -> &'static Packages {
    static MADE: OnceLock<Packages> = OnceLock::new();
    MADE.get_or_init(|| Packages::around("#!/sbin/sh\n# Stands for the program.\n".repeat(2000).as_bytes()))
}

fn word(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn pkg(host: &Host, words: &[&str]) -> Ran {
    host.run("pkg", words)
}

fn install(host: &Host) {
    pkg(host, &["install", "-g", word(&packages().virtualbox.system_ips), "system/virtualbox"]).expect_success();
    pkg(host, &["install", "-g", word(&packages().old.ips), NAME]).expect_success();
    eventually("the manifests are imported", || svcs(host, "svc:/site/xvm/vbox:VM_NAME").code == 0);
}

fn update(host: &Host) -> Ran {
    pkg(host, &["update", "-g", word(&packages().new.ips), NAME])
}

#[track_caller]
fn is_clean(host: &Host) {
    let verified = pkg(host, &["verify"]);
    assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{}", verified.stderr);
}

fn version(host: &Host) -> String {
    let listed = pkg(host, &["list", "-H", NAME]).stdout;
    listed.split_whitespace().nth(2).unwrap_or_default().to_string()
}

fn value(host: &Host, property: &str, fmri: &str) -> String {
    svcprop(host, &format!("-p {property} {fmri}")).stdout.trim().to_string()
}

/// A host with the package, and the VM `web` of it.
fn scene() -> Scene {
    let host = Host::new();
    install(&host);
    Scene::on(host, Spec::named("web"), &[])
}

fn lost_and_found(root: &Path, path: &str) -> Vec<PathBuf> {
    let (folder, name) = path.rsplit_once('/').unwrap();
    let entries = fs::read_dir(root.join("var/pkg/lost+found").join(folder));
    let paths = entries.into_iter().flatten().map(|entry| entry.unwrap().path());
    paths.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-"))).collect()
}

#[test]
fn it_installs_beside_each_of_the_three_virtualboxes_and_beside_none_it_says_what_is_missing() {
    let Packages { old, virtualbox, .. } = lean();
    let rig = Rig::new();
    let refused = rig.pkg(&["install", "-g", word(&old.ips), NAME]);
    assert_eq!(refused.code, 1);
    let reason = "Reason:  No version for 'require-any' dependency on SUNWvbox can be found";
    assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    assert!(!rig.at(METHOD).exists());
    let each = [
        (&old.bridge, "SUNWvbox"),
        (&virtualbox.system_ips, "system/virtualbox"),
        (&virtualbox.ooce_ips, "ooce/virtualization/virtualbox"),
    ];
    for (archive, name) in each {
        let rig = Rig::new();
        rig.pkg(&["install", "-g", word(archive), name]).expect_success();
        rig.pkg(&["install", "-g", word(&old.ips), NAME]).expect_success();
        let verified = rig.pkg(&["verify"]);
        assert_eq!((verified.code, verified.stdout.as_str()), (0, ""), "{name}");
        assert_eq!(rig.installed().len(), 2, "{name}");
        assert!(rig.at("usr/bin/vboxsvc").exists() && rig.at("lib/svc/method/vbox.sh").exists(), "{name}");
    }
}

#[test]
fn once_installed_its_services_are_there_and_its_rights_are_merged() {
    let host = Host::new();
    install(&host);
    is_clean(&host);
    for name in ["vbox-delay-on-boot:default", "vbox-zvol-rights:default"] {
        assert_eq!(svcs(&host, &format!("svc:/site/xvm/{name}")).code, 0, "{name}");
    }
    let merged = |database: &str, words: &str| {
        let text = fs::read_to_string(host.root().join("etc/security").join(database)).unwrap_or_default();
        text.contains(words)
    };
    eventually("the rights are merged", || {
        merged("auth_attr", "solaris.smf.manage.vbox:")
            && merged("prof_attr", "VirtualBox VM Operator:")
            && merged("exec_attr", "VirtualBox VM Management:")
    });
    host.wait_state(RIGHTS, "online", support::SOON).unwrap();
    assert_eq!(pkg(&host, &["install", "-g", word(&packages().old.ips), NAME]).code, 4, "nothing is left to do");
}

#[test]
fn an_update_leaves_vms_running_and_keeps_edited_manifests_properties_and_instances() {
    let scene = scene();
    let host = &scene.host;
    scene.enable();
    let pid = scene.live_pid();
    host.setprop(WEB, "vm/nice", "integer", "10");
    host.setprop(SERVICE, "vm/stop_timeout", "integer", "900");
    let manifest = host.root().join(MANIFEST);
    let edited = fs::read_to_string(&manifest).unwrap() + "<!-- mine -->\n";
    fs::remove_file(&manifest).unwrap();
    fs::write(&manifest, &edited).unwrap();
    update(host).expect_success();
    assert_eq!(version(host), NEW);
    is_clean(host);
    assert_eq!(fs::read_to_string(manifest.with_extension("xml.old")).unwrap(), edited);
    assert!(fs::read_to_string(&manifest).unwrap().contains(NEW));
    let imported = || host.log("svc:/system/manifest-import:default").matches("Method \"start\" exited").count() >= 3;
    eventually("the new manifests are imported", imported);
    assert_eq!((scene.service().as_str(), scene.pid()), ("online", Some(pid)));
    assert_eq!(value(host, "vm/nice", WEB), "10");
    assert_eq!(value(host, "vm/stop_timeout", SERVICE), "900");
    assert_eq!(update(host).code, 4, "there is nothing newer");
}

#[test]
fn to_uninstall_stops_vms_before_the_program_goes_and_keeps_instances_for_the_next_installation() {
    let scene = scene();
    let host = &scene.host;
    host.setprop(WEB, "vm/nice", "integer", "10");
    scene.enable();
    let pid = scene.live_pid();
    pkg(host, &["uninstall", NAME]).expect_success();
    assert!(!support::is_alive(&pid.to_string()));
    assert_eq!((scene.state().as_str(), scene.service().as_str()), ("saved", "disabled"));
    assert!(scene.log().contains("Method \"stop\" exited with status 0"), "{}", scene.log());
    for path in [METHOD, "lib/svc/method/vbox.sh", "usr/bin/vboxsvc", MANIFEST, "usr/share/doc/vboxsvc"] {
        assert!(host.root().join(path).symlink_metadata().is_err(), "{path} is left");
    }
    assert!(host.root().join("lib/svc/method/manifest-import").exists(), "the system's own files stay");
    is_clean(host);
    pkg(host, &["install", "-g", word(&packages().new.ips), NAME]).expect_success();
    eventually("the service is imported", || value(host, "start/exec", SERVICE).contains("vboxsvc"));
    assert_eq!(value(host, "vm/nice", WEB), "10");
    scene.enable();
    assert_eq!(scene.state(), "running");
}

#[test]
fn what_others_put_into_its_folder_and_edited_manifests_go_to_lost_and_found() {
    let rig = Rig::new();
    rig.pkg(&["install", "-g", word(&lean().old.bridge), "SUNWvbox"]).expect_success();
    rig.pkg(&["install", "-g", word(&lean().old.ips), NAME]).expect_success();
    fs::write(rig.at("usr/share/doc/vboxsvc/notes"), "mine\n").unwrap();
    fs::set_permissions(rig.at(MANIFEST), Permissions::from_mode(0o644)).unwrap();
    fs::write(rig.at(MANIFEST), "<!-- mine -->\n").unwrap();
    fs::set_permissions(rig.at(MANIFEST), Permissions::from_mode(0o444)).unwrap();
    assert_eq!(rig.pkg(&["verify"]).stdout, "", "a manifest may be edited");
    rig.pkg(&["uninstall", NAME]).expect_success();
    assert!(!rig.at("usr/share/doc/vboxsvc").exists() && !rig.at(MANIFEST).exists());
    let folder = lost_and_found(rig.root(), "usr/share/doc/vboxsvc");
    assert_eq!(fs::read_to_string(folder[0].join("notes")).unwrap(), "mine\n");
    let manifest = lost_and_found(rig.root(), MANIFEST);
    assert_eq!(fs::read_to_string(&manifest[0]).unwrap(), "<!-- mine -->\n");
}

#[test]
fn a_changed_program_is_found_and_put_right() {
    let rig = Rig::new();
    rig.pkg(&["install", "-g", word(&lean().old.bridge), "SUNWvbox"]).expect_success();
    rig.pkg(&["install", "-g", word(&lean().old.ips), NAME]).expect_success();
    fs::remove_file(rig.at(METHOD)).unwrap();
    fs::write(rig.at(METHOD), "changed\n").unwrap();
    fs::remove_file(rig.at("usr/bin/vboxsvc")).unwrap();
    let verified = rig.pkg(&["verify", NAME]);
    assert_eq!(verified.code, 1);
    for words in ["file: lib/svc/method/vboxsvc", "Hash:", "Mode:", "link: usr/bin/vboxsvc", "Missing:"] {
        assert!(verified.stdout.contains(words), "{words}: {}", verified.stdout);
    }
    rig.pkg(&["set-publisher", "-p", word(&lean().old.ips)]).expect_success();
    rig.pkg(&["fix", NAME]).expect_success();
    assert_eq!(rig.pkg(&["verify"]).code, 0);
}

#[test]
fn in_a_local_zone_it_installs_into_the_zone() {
    let host = Host::new();
    fs::write(host.root().join("etc/zonename"), "z1\n").unwrap();
    install(&host);
    is_clean(&host);
    let scene = Scene::on(host, Spec::named("web"), &[]);
    scene.enable();
    assert_eq!(scene.state(), "running");
    pkg(&scene.host, &["uninstall", NAME]).expect_success();
    assert_eq!((scene.state().as_str(), scene.service().as_str()), ("saved", "disabled"));
}

#[test]
fn into_another_root_it_installs_without_touching_the_system() {
    let scene = scene();
    let host = &scene.host;
    scene.enable();
    let pid = scene.live_pid();
    let runs = |fmri: &str| host.log(fmri).matches("Executing start method").count();
    let imports = runs("svc:/system/manifest-import:default");
    pkg(host, &["image-create", "/mnt"]).expect_success();
    let at = |words: &[&str]| pkg(host, &[&["-R", "/mnt"], words].concat());
    at(&["install", "-g", word(&packages().old.bridge), "SUNWvbox"]).expect_success();
    let said = at(&["install", "-v", "-g", word(&packages().new.ips), NAME]).expect_success().stdout;
    assert!(said.contains("Services to change:   2"), "{said}");
    assert!(host.root().join("mnt").join(METHOD).exists());
    at(&["uninstall", NAME]).expect_success();
    assert!(!host.root().join("mnt").join(METHOD).exists());
    assert_eq!(runs("svc:/system/manifest-import:default"), imports);
    assert_eq!((scene.service().as_str(), scene.pid()), ("online", Some(pid)));
}

/// pkg's own fault: it cannot read such a property, and falls over it before it has done anything.
#[test]
fn a_property_with_a_newline_keeps_pkg_from_uninstalling_until_it_is_gone() {
    let scene = scene();
    let host = &scene.host;
    scene.enable();
    let pid = scene.live_pid();
    host.setprop(WEB, "vm/note", "astring", "two\nlines");
    let refused = pkg(host, &["uninstall", NAME]);
    assert_eq!(refused.code, 99, "{}", refused.stderr);
    assert!(refused.stderr.contains("ValueError"), "{}", refused.stderr);
    assert_eq!((version(host).as_str(), scene.pid()), (OLD, Some(pid)));
    is_clean(host);
    host.svccfg(&format!("select {WEB}\ndelprop vm/note\nrefresh\n")).expect_success();
    pkg(host, &["uninstall", NAME]).expect_success();
    assert_eq!(scene.state(), "saved");
}

enum Harm {
    /// The second half is missing.
    CutOff,
    /// A bit of every payload is another one.
    Damage,
}

/// The new release's archive, harmed.
fn harmed(folder: &Path, harm: Harm) -> PathBuf {
    let mut bytes = fs::read(&lean().new.ips).unwrap();
    match harm {
        Harm::CutOff => bytes.truncate(bytes.len() / 2),
        Harm::Damage => {
            let gzip = [0x1f, 0x8b, 8, 0];
            let blocks = (512..bytes.len()).step_by(512);
            let starts: Vec<usize> = blocks.filter(|at| bytes[*at..].starts_with(&gzip)).collect();
            // What is compressed first is the index.
            starts[1..].iter().for_each(|at| bytes[at + 40] ^= 0x55);
        }
    }
    let path = folder.join("harmed.p5p");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn an_archive_that_was_cut_off_or_damaged_leaves_the_old_release_whole() {
    let rig = Rig::new();
    rig.pkg(&["install", "-g", word(&lean().old.bridge), "SUNWvbox"]).expect_success();
    rig.pkg(&["install", "-g", word(&lean().old.ips), NAME]).expect_success();
    let before = fs::read(rig.at(METHOD)).unwrap();
    for (harm, words) in [(Harm::CutOff, "is missing, unsupported, or corrupt"), (Harm::Damage, "chash failure")] {
        let archive = harmed(rig.root(), harm);
        let refused = rig.pkg(&["update", "-g", word(&archive), NAME]);
        assert_eq!(refused.code, 1, "{}", refused.stdout);
        assert!(refused.stderr.contains(words), "{}", refused.stderr);
        assert!(rig.pkg(&["list", "-H", NAME]).stdout.contains(OLD));
        assert_eq!(fs::read(rig.at(METHOD)).unwrap(), before);
        assert_eq!(rig.pkg(&["verify"]).stdout, "");
        assert!(!rig.at("var/pkg/cache").exists(), "{words}: what was fetched is left");
    }
    rig.pkg(&["update", "-g", word(&lean().new.ips), NAME]).expect_success();
    assert_eq!(rig.pkg(&["verify"]).stdout, "");
}
