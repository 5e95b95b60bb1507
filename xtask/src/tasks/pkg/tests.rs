use std::collections::BTreeSet;

use super::*;
use crate::ips;
use crate::svr4::datastream;
use crate::tasks::manifest;

const EPOCH: u64 = 1_763_820_000;
const VERSION: &str = "1.2.3";

/// The real description with all that is made from it, and something for the executable.
struct Made {
    folder: tempfile::TempDir,
    contents: Contents,
    material: Material,
}

impl Made {
    fn new() -> Made {
        let folder = tempfile::tempdir().unwrap();
        let executable = folder.path().join("vboxsvc");
        fs::write(&executable, "no executable").unwrap();
        let contents = contents::read(workspace()).unwrap();
        let material = Material::gather(workspace(), &contents, &executable, VERSION, EPOCH).unwrap();
        Made { folder, contents, material }
    }

    fn svr4(&self) -> datastream::Package {
        to_svr4::package(&self.contents, &self.material, VERSION, EPOCH).unwrap()
    }

    fn ips(&self) -> ips::Package {
        to_ips::package(&self.contents, &self.material, VERSION, EPOCH).unwrap()
    }

    /// Writes a datastream and reads it back.
    fn read_svr4(&self, package: datastream::Package) -> Result<()> {
        let path = self.folder.path().join("x.pkg");
        write_whole(&path, |file| Ok(datastream::write(&[package], file).map(drop)?))?;
        readback::svr4(&path, &self.contents, &self.material)
    }

    /// Writes an archive and reads it back.
    fn read_ips(&self, package: ips::Package) -> Result<()> {
        let path = self.folder.path().join("x.p5p");
        let publisher = &self.contents.package.publisher;
        write_whole(&path, |file| Ok(ips::write(publisher, &[package], EPOCH, file).map(drop)?))?;
        readback::ips(&path, &self.contents, &self.material)
    }
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

#[test]
fn both_packages_read_back_as_they_were_meant() {
    let made = Made::new();
    made.read_svr4(made.svr4()).unwrap();
    made.read_ips(made.ips()).unwrap();
}

#[test]
fn the_bridge_reads_back_as_nothing_but_a_description() {
    let made = Made::new();
    let path = made.folder.path().join("bridge.p5p");
    let bridge = to_ips::bridge(&made.contents, VERSION, EPOCH).unwrap();
    write_whole(&path, |file| Ok(ips::write("vboxsvc", &[bridge], EPOCH, file).map(drop)?)).unwrap();
    readback::bridge(&path, &made.contents).unwrap();
}

#[test]
fn a_script_that_is_missing_or_another_is_found() {
    let made = Made::new();
    let mut package = made.svr4();
    package.install.retain(|file| file.name != "preremove");
    assert!(made.read_svr4(package).unwrap_err().to_string().contains("preremove"));
    let mut package = made.svr4();
    let script = package.install.iter_mut().find(|file| file.name == "postinstall").unwrap();
    script.content = crate::content::Content::Bytes(b"exit 0\n".to_vec());
    assert!(made.read_svr4(package).unwrap_err().to_string().contains("postinstall"));
}

#[test]
fn lines_for_a_database_that_would_replace_it_are_found() {
    let made = Made::new();
    let mut package = made.svr4();
    let entry = package.entries.iter_mut().find(|entry| entry.path == "etc/security/auth_attr").unwrap();
    entry.class = "none".to_string();
    assert!(
        made.read_svr4(package).unwrap_err().to_string().contains("etc/security/auth_attr is not in the class rbac")
    );
}

#[test]
fn rights_are_merged_as_each_format_has_it() {
    let made = Made::new();
    let package = made.ips();
    let fragments: Vec<_> = package
        .actions
        .iter()
        .filter(|action| action.value("path").is_some_and(|path| path.starts_with("etc/security/")))
        .collect();
    assert_eq!(fragments.len(), 3);
    for fragment in fragments {
        assert!(fragment.value("path").unwrap().ends_with("_attr.d/vboxsvc"), "{fragment}");
        assert_eq!(fragment.value("restart_fmri"), Some("svc:/system/rbac:default"));
        assert_eq!(fragment.value("timestamp"), None, "svc:/system/rbac merges what is newer than the database");
    }
    assert!(!made.svr4().entries.iter().any(|entry| entry.path.contains("_attr.d")), "the class script makes those");
}

#[test]
fn the_class_scripts_are_the_systems_own() {
    let made = Made::new();
    let package = made.svr4();
    assert_eq!(package.info.get("CLASSES"), Some("none manifest rbac"));
    let named = |prefix: &str| package.install.iter().any(|file| file.name.starts_with(prefix));
    assert!(!named("i.") && !named("r."));
}

/// pkglint wants them, and pkg finds the package by them.
#[test]
fn the_package_names_every_service_and_instance_of_its_manifests() {
    let contents = contents::read(workspace()).unwrap();
    let mut defined = BTreeSet::new();
    for manifest in manifest::rendered(workspace(), &contents, VERSION).unwrap() {
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let document = roxmltree::Document::parse_with_options(&manifest.text, options).unwrap();
        for service in document.descendants().filter(|node| node.has_tag_name("service")) {
            let fmri = format!("svc:/{}", service.attribute("name").unwrap());
            for child in service.children() {
                match child.tag_name().name() {
                    "instance" => defined.insert(format!("{fmri}:{}", child.attribute("name").unwrap())),
                    "create_default_instance" => defined.insert(format!("{fmri}:default")),
                    _ => false,
                };
            }
            defined.insert(fmri);
        }
    }
    assert_eq!(defined, contents.package.fmris.into_iter().collect());
}

#[test]
fn every_manifest_is_delivered_and_brought_to_smf() {
    let contents = contents::read(workspace()).unwrap();
    for name in crate::smf::render::MANIFESTS {
        let path = format!("var/svc/manifest/site/{name}");
        let file = contents.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is missing"));
        assert_eq!(file.class, "manifest", "{name}");
        assert_eq!(file.ips.get("restart_fmri").map(String::as_str), Some("svc:/system/manifest-import:default"));
        assert!(file.ips.contains_key("preserve"), "{name}: an edited manifest would be lost");
    }
}

/// A service whose program goes must be stopped while it is there.
#[test]
fn ips_stops_every_service_that_runs_our_program_before_it_goes() {
    let contents = contents::read(workspace()).unwrap();
    let method = contents.method().unwrap();
    for manifest in manifest::rendered(workspace(), &contents, VERSION).unwrap() {
        let file = contents.files.iter().find(|file| file.path.ends_with(&manifest.file_name)).unwrap();
        let runs_it = manifest.text.contains(&format!("exec=\"{method} "));
        assert_eq!(file.ips.contains_key("disable_fmri"), runs_it, "{}", manifest.file_name);
    }
}

/// Lines that other software's parsers split at colons.
#[test]
fn lines_for_the_databases_have_their_fields() {
    let made = Made::new();
    let lines = |name: &str| -> Vec<Vec<String>> {
        let text = String::from_utf8(made.material.lines(name).unwrap().to_vec()).unwrap();
        text.lines().map(|line| line.split(':').map(String::from).collect()).collect()
    };
    assert!(lines("auth_attr").iter().all(|fields| fields.len() == 6));
    assert!(lines("prof_attr").iter().all(|fields| fields.len() == 5));
    assert!(lines("exec_attr").iter().all(|fields| fields.len() == 7));
    let names = |lines: Vec<Vec<String>>| lines.into_iter().map(|fields| fields[0].clone()).collect::<BTreeSet<_>>();
    let (authorizations, profiles) = (names(lines("auth_attr")), names(lines("prof_attr")));
    let manifests = manifest::rendered(workspace(), &made.contents, VERSION).unwrap();
    for name in &authorizations {
        assert!(manifests[0].text.contains(&format!("value=\"{name}\"")), "{name} opens nothing");
    }
    for fields in lines("prof_attr") {
        let granted = fields[4].strip_prefix("auths=").unwrap();
        assert!(granted.split(',').all(|name| authorizations.contains(name)), "{granted}");
    }
    let delivered = |path: &str| {
        let path = path.trim_start_matches('/');
        made.contents.files.iter().any(|f| f.path == path) || made.contents.links.iter().any(|l| l.path == path)
    };
    for fields in lines("exec_attr") {
        assert!(profiles.contains(&fields[0]) && delivered(&fields[5]), "{fields:?}");
    }
}
