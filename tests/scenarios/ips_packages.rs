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
use std::process::Command;
use std::sync::OnceLock;

use ips_support::{Rig, Sample, add_payload, archive_of, complete, members};
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

/// With something in its place that cannot be compressed, for tests that run nothing.
fn lean() -> &'static Packages {
    static MADE: OnceLock<Packages> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        Packages::around(&noise.take(400 << 10).collect::<Vec<u8>>())
    })
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
    let rig = rig_with_old();
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
    let rig = rig_with_old();
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
    let rig = rig_with_old();
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

fn rig_with_old() -> Rig {
    let rig = Rig::new();
    rig.pkg(&["install", "-g", word(&lean().old.bridge), "SUNWvbox"]).expect_success();
    rig.pkg(&["install", "-g", word(&lean().old.ips), NAME]).expect_success();
    rig
}

/// A small file system of its own below a folder, for as long as it is used.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Nothing where the caller may not mount.
    fn at(folder: PathBuf) -> Option<SmallDisk> {
        fs::create_dir(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=4m", "none"]).arg(&folder);
        let mounted = nix::unistd::geteuid().is_root() && mount.status().is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("NOT TESTED: it takes the right to mount a file system to fill one");
        }
        mounted.then_some(SmallDisk(folder))
    }

    /// Fills it until no more than this is left.
    fn fill_but(&self, bytes: u64) {
        let filler = self.0.join("filler");
        let _ = fs::remove_file(&filler);
        let space = nix::sys::statvfs::statvfs(&self.0).unwrap();
        let left = space.blocks_available() * space.fragment_size();
        fs::write(filler, vec![0; usize::try_from(left - bytes).unwrap()]).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Fails only where it is not mounted any more.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_whole_files_and_the_update_is_done_again_when_there_is_room() {
    let rig = Rig::new();
    let Some(disk) = SmallDisk::at(rig.at("small")) else { return };
    let root = word(&disk.0);
    let pkg = |words: &[&str]| rig.pkg(&[&["-R", root], words].concat());
    rig.pkg(&["image-create", "-f", root]).expect_success();
    pkg(&["install", "-g", word(&lean().old.bridge), "SUNWvbox"]).expect_success();
    pkg(&["install", "-g", word(&lean().old.ips), NAME]).expect_success();
    let update = || pkg(&["update", "-g", word(&lean().new.ips), NAME]);
    let old = fs::read(disk.0.join(METHOD)).unwrap();
    disk.fill_but(16 << 10);
    let refused = update();
    assert_eq!(refused.code, 1);
    assert!(refused.stderr.contains("Insufficient disk space available"), "{}", refused.stderr);
    assert_eq!(pkg(&["verify"]).stdout, "");
    // Room for what is estimated, and not for what it takes besides: what was fetched lies beside what is unpacked.
    let table = ["contents", "-H", "-r", "-g", word(&lean().new.ips), "-t", "file", "-o", "pkg.size,path", NAME];
    let table = pkg(&table).stdout;
    let sizes: u64 = table.lines().filter_map(|line| line.split('\t').next()?.parse::<u64>().ok()).sum();
    disk.fill_but(sizes + (16 << 10));
    let stopped = update();
    assert_eq!(stopped.code, 1, "{}", stopped.stdout);
    assert!(stopped.stderr.contains("No space left on device"), "{}", stopped.stderr);
    assert!(pkg(&["list", "-H", NAME]).stdout.contains(OLD));
    let now = fs::read(disk.0.join(METHOD)).unwrap();
    assert!(now == old || now == [&old[..], b"\n"].concat(), "the program is neither the old nor the new one");
    fs::remove_file(disk.0.join("filler")).unwrap();
    update().expect_success();
    assert_eq!(pkg(&["verify"]).stdout, "");
}

/// A VM that does not stop: pkg has waited for it in vain, and has not touched its program.
#[test]
fn a_vm_that_cannot_be_stopped_keeps_its_program() {
    let scene = scene();
    let host = &scene.host;
    scene.enable();
    let pid = scene.live_pid();
    // The method fails at once, and SMF gives the instance up.
    host.svccfg(&format!("select {SERVICE}\nsetprop stop/exec = astring: \"/bin/false\"\nselect {WEB}\nrefresh\n"))
        .expect_success();
    let refused = pkg(host, &["uninstall", NAME]);
    assert_eq!(refused.code, 99, "{}", refused.stderr);
    assert!(refused.stderr.contains("maintenance state"), "{}", refused.stderr);
    assert_eq!(version(host), OLD);
    is_clean(host);
    assert_eq!((scene.service().as_str(), scene.pid()), ("maintenance", Some(pid)));
}

#[test]
fn in_a_zone_of_a_whole_system_it_is_the_zones_alone() {
    let host = Host::enclosed_with(&["z1"]);
    for (archive, name) in [(&lean().old.bridge, "SUNWvbox"), (&lean().old.ips, NAME)] {
        let to = host.root().join("zones/z1/root/var/tmp").join(archive.file_name().unwrap());
        fs::copy(archive, &to).unwrap();
        let file = to.file_name().unwrap().to_str().unwrap();
        host.sh_in("z1", &format!("pkg install -g /var/tmp/{file} {name}")).expect_success();
    }
    let imported = || host.sh_in("z1", "svcs -Ho state svc:/site/xvm/vbox:VM_NAME").stdout.trim() == "disabled";
    eventually("the zone has the service", imported);
    assert_eq!(host.sh_in("z1", "pkg verify").expect_success().stdout, "");
    assert_eq!(host.sh("pkg list -H; svcs -Ho state svc:/site/xvm/vbox:VM_NAME").stdout, "");
    host.sh_in("z1", "pkg uninstall vboxsvc && test ! -e /lib/svc/method/vboxsvc").expect_success();
}

/// pkg knows nothing of files that pkgadd has put there: the manual says to remove the SVR4 package first, and this is why.
#[test]
fn over_files_that_are_not_its_own_it_keeps_what_was_editable_and_leaves_what_it_does_not_know() {
    let rig = Rig::new();
    let script = rig.at("lib/svc/method/vbox.sh");
    let other = rig.at("lib/svc/method/zfs-zvolrights");
    for path in [&script, &other, &rig.at(MANIFEST)] {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "of COSvboxsvc 0.19\n").unwrap();
    }
    rig.pkg(&["install", "-g", word(&lean().old.bridge), "SUNWvbox"]).expect_success();
    let said = rig.pkg(&["install", "-g", word(&lean().old.ips), NAME]).expect_success().stdout;
    assert!(said.contains(&format!("  {MANIFEST} -> var/pkg/lost+found/")), "{said}");
    assert_eq!(fs::read_to_string(&lost_and_found(rig.root(), MANIFEST)[0]).unwrap(), "of COSvboxsvc 0.19\n");
    assert_eq!(fs::read_link(&script).unwrap(), Path::new("vboxsvc"));
    assert!(other.exists(), "pkg removed what is not its own");
    assert_eq!(rig.pkg(&["verify"]).stdout, "");
    // What a late pkgrm would do.
    fs::remove_file(&script).unwrap();
    fs::remove_file(rig.at(MANIFEST)).unwrap();
    assert_eq!(rig.pkg(&["verify"]).code, 1);
    rig.pkg(&["set-publisher", "-p", word(&lean().old.ips)]).expect_success();
    rig.pkg(&["fix", NAME]).expect_success();
    assert_eq!(rig.pkg(&["verify"]).stdout, "");
}

/// A fault of an archive that shows only when the work has begun: a payload that is what the manifest says of it, and no
/// gzip.
#[test]
fn a_failure_in_the_midst_is_mended_by_the_same_command_with_a_good_archive() {
    let old = Sample::new("sample", "1.0,5.11:20260101T000000Z").file("opt/a", "a 1", "").file("opt/b", "b 1", "");
    let new = |program: &str| {
        Sample::new("sample", "2.0,5.11:20260101T000000Z").file("opt/a", "a 2", "").file("opt/b", program, "")
    };
    let rig = Rig::new();
    rig.install(&archive_of(std::slice::from_ref(&old)), "sample").expect_success();
    let mut bad = new("b 2");
    let line = bad.lines.last_mut().unwrap();
    *line = "file ffffffffffffffffffffffffffffffffffffffff pkg.size=3 group=sys mode=0444 owner=root path=opt/b".into();
    let mut members = members(&[bad]);
    add_payload(&mut members, &"f".repeat(40), b"b 2");
    let failed = rig.install(&complete(&members), "sample");
    assert_eq!(failed.code, 1);
    assert!(failed.stderr.contains("Error decompressing payload"), "{}", failed.stderr);
    assert!(rig.pkg(&["list", "-H"]).stdout.contains(" 1.0 "), "the old release is what the image knows");
    assert_eq!(fs::read_to_string(rig.at("opt/a")).unwrap(), "a 2");
    assert_eq!(fs::read_to_string(rig.at("opt/b")).unwrap(), "b 1");
    assert_eq!(rig.pkg(&["verify"]).code, 1);
    rig.install(&archive_of(&[new("b 2")]), "sample").expect_success();
    assert_eq!(rig.pkg(&["verify"]).stdout, "");
}
