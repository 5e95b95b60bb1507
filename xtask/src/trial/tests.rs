use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::package_view::{PackageFile, View};

const EPOCH: u64 = 1_763_820_000;

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Something for an executable.
fn program(folder: &Path) -> PathBuf {
    let path = folder.join("program");
    fs::write(&path, "no executable\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn read(path: &Path) -> PackageFile {
    let read = package_view::read(path).unwrap();
    let faults: Vec<String> = read.findings.iter().filter(|f| f.level == Level::Error).map(|f| f.to_string()).collect();
    assert!(faults.is_empty(), "{}: {faults:?}", path.display());
    assert_eq!(read.packages.len(), 1);
    read
}

fn paths(view: &View) -> Vec<&str> {
    view.entries.iter().map(|entry| entry.path.as_str()).collect()
}

#[test]
fn ours_carry_the_version_and_the_executable_that_were_given() {
    let folder = tempfile::tempdir().unwrap();
    let made = ours(workspace(), &program(folder.path()), "0.19.7", EPOCH, &folder.path().join("out")).unwrap();
    for path in [&made.svr4, &made.ips, &made.bridge] {
        assert!(read(path).packages[0].version.contains("0.19.7"), "{}", path.display());
    }
    let bytes = fs::read(&made.svr4).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("no executable\n"));
    assert!(holds("vboxsvc 0.19.7:"), "the manifests are of that version");
}

#[test]
fn look_alikes_have_what_the_old_releases_had() {
    let folder = tempfile::tempdir().unwrap();
    let counts: BTreeMap<&str, usize> = Release::ALL
        .into_iter()
        .map(|release| {
            let read = read(&historic(release, EPOCH, folder.path()).unwrap());
            let view = &read.packages[0];
            assert_eq!((view.name.as_str(), view.version.as_str()), ("COSvboxsvc", release.version()));
            assert!(paths(view).contains(&"lib/svc/method/vbox.sh"));
            (release.version(), view.entries.len())
        })
        .collect();
    // pkginfo -l of the real 0.19 counts 19 pathnames.
    assert_eq!(counts, [("0.11", 9), ("0.19", 19)].into());
}

#[test]
fn manifests_of_look_alikes_name_the_service_and_only_settings_that_are_known() {
    let text = include_str!("historic/vbox-svc.xml");
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let document = roxmltree::Document::parse_with_options(text, options).unwrap();
    let service = document.descendants().find(|node| node.has_tag_name("service")).unwrap();
    assert_eq!(service.attribute("name"), Some("site/xvm/vbox"));
    let group = service.children().find(|node| node.attribute("name") == Some("vm")).unwrap();
    for setting in group.children().filter(roxmltree::Node::is_element) {
        let name = setting.attribute("name").unwrap();
        assert!(vboxsvc::settings::table::row(name).is_some(), "{name}");
    }
}

#[test]
fn the_stub_is_where_vboxsvc_looks_for_virtualbox() {
    let folder = tempfile::tempdir().unwrap();
    let made = virtualbox(&program(folder.path()), EPOCH, folder.path()).unwrap();
    for (path, name, links) in [
        (&made.svr4, "SUNWvbox", "usr/bin"),
        (&made.system_ips, "system/virtualbox", "usr/bin"),
        (&made.ooce_ips, "ooce/virtualization/virtualbox", "opt/ooce/bin"),
    ] {
        let read = read(path);
        let view = &read.packages[0];
        assert!(view.name.ends_with(name), "{}", view.name);
        for program in ["VBoxManage", "VBoxHeadless"] {
            assert!(paths(view).contains(&format!("{links}/{program}").as_str()), "{name}: {:?}", paths(view));
        }
    }
}

#[test]
fn the_same_is_made_of_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path());
    let made = |name: &str| {
        let out = folder.path().join(name);
        let packages = virtualbox(&program, EPOCH, &out).unwrap();
        let old = historic(Release::V0_19, EPOCH, &out).unwrap();
        [packages.svr4, packages.system_ips, packages.ooce_ips, old].map(|path| fs::read(path).unwrap())
    };
    assert_eq!(made("a"), made("b"));
}
