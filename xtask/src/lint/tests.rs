use super::*;
use crate::package_view::samples::{Sample, view};
use crate::package_view::{Format, Kind};

/// The ids of what a change of the sample breaks in both formats.
fn ids(edit: impl Fn(&mut Sample)) -> [Vec<&'static str>; 2] {
    let mut sample = Sample::new();
    edit(&mut sample);
    [Format::Svr4, Format::Ips].map(|format| check(&view(format, &sample)).iter().map(|breach| breach.id).collect())
}

#[track_caller]
fn broken(id: &'static str, edit: impl Fn(&mut Sample)) {
    assert_eq!(ids(edit), [vec![id], vec![id]]);
}

const METHOD: &str = "lib/svc/method/web";
const MANIFEST: &str = "lib/svc/manifest/site/web.xml";

#[test]
fn a_good_package_breaks_no_rule() {
    assert_eq!(ids(|_| ()), [vec![], vec![]] as [Vec<&str>; 2]);
}

#[test]
fn rights_of_others_and_rights_for_all_are_errors() {
    broken("setuid-file", |s| s.file(METHOD).mode = 0o4555);
    broken("setuid-file", |s| s.file(METHOD).mode = 0o2555);
    broken("world-writable", |s| s.file(METHOD).mode = 0o757);
    broken("world-writable", |s| s.directories[0].1 = 0o777);
    assert_eq!(ids(|s| s.directories[0].1 = 0o1777), [vec![], vec![]] as [Vec<&str>; 2], "a sticky folder is for all");
    let mut sample = Sample::new();
    sample.file(METHOD).mode = 0o4555;
    assert_eq!(check(&view(Format::Svr4, &sample))[0].level, Level::Error);
}

#[test]
fn programs_can_be_run_and_what_is_read_cannot() {
    broken("executable-without-x", |s| s.file(METHOD).mode = 0o444);
    broken("data-with-x", |s| s.file("usr/share/doc/web/README").mode = 0o555);
    broken("data-with-x", |s| s.file(MANIFEST).mode = 0o555);
}

#[test]
fn what_is_not_roots_or_not_the_packages_is_told() {
    broken("owner-not-root", |s| s.file(METHOD).owner = "daemon");
    broken("system-folder-owned", |s| s.directories.push(("usr/share/doc", 0o755)));
    broken("path-forbidden", |s| s.file(MANIFEST).path = "var/tmp/web.xml");
}

#[test]
fn a_manifest_is_imported_when_it_is_installed() {
    assert_eq!(ids(|s| s.file(MANIFEST).class = "none"), [vec!["manifest-class"], vec![]]);
    assert_eq!(ids(|s| s.file(MANIFEST).ips.clear()), [vec![], vec!["manifest-restart"]]);
    let elsewhere = |s: &mut Sample| {
        (s.file(MANIFEST).class, s.file(MANIFEST).path) = ("none", "usr/share/doc/web/web.xml");
    };
    assert_eq!(
        ids(elsewhere),
        [vec![], vec![]] as [Vec<&str>; 2],
        "an example among the documentation is not imported"
    );
}

#[test]
fn links_lead_to_what_the_package_holds() {
    assert_eq!(ids(|s| s.links[0].1 = "/lib/svc/method/web"), [["link-absolute"], ["link-absolute"]].map(Vec::from));
    broken("link-outside", |s| s.links[0].1 = "../../lib/svc/method/gone");
    broken("link-outside", |s| s.links[0].1 = "../../../../lib/svc/method/web");
    assert_eq!(
        ids(|s| s.links[0].1 = "../share/doc"),
        [vec![], vec![]] as [Vec<&str>; 2],
        "a folder on the way counts"
    );
}

#[test]
fn a_link_to_a_folder_is_not_fooled_by_a_name_that_sorts_between() {
    let edit = |target: &'static str| {
        move |s: &mut Sample| {
            s.links = vec![("usr/share/doc/web-x", "web"), ("usr/share/doc/link", target)];
        }
    };
    assert_eq!(ids(edit("../../share/doc")), [vec![], vec![]] as [Vec<&str>; 2]);
    broken("link-outside", edit("../do"));
}

#[test]
fn a_package_says_what_it_is_and_what_it_needs() {
    broken("description-empty", |s| s.description = "");
    broken("dependency-none", |s| s.dependency = None);
    broken("licence-missing", |s| s.licence = false);
    let in_documentation = |s: &mut Sample| {
        s.licence = false;
        s.file("usr/share/doc/web/README").path = "usr/share/doc/web/LICENSE.txt";
    };
    assert_eq!(ids(in_documentation), [vec![], vec![]] as [Vec<&str>; 2]);
    broken("documentation-missing", |s| {
        s.files.retain(|file| !file.path.starts_with("usr/share"));
    });
}

#[test]
fn scripts_are_told() {
    assert_eq!(ids(|s| s.scripts.push(("postinstall", "exit 0\n"))), [vec!["install-script"], vec![]]);
    assert_eq!(ids(|s| s.scripts.push(("i.manifest", "exit 0\n"))), [vec!["install-script"], vec![]]);
    assert_eq!(ids(|s| s.scripts.push(("space", "/var 1 1\n"))), [vec![], vec![]] as [Vec<&str>; 2]);
}

#[test]
fn what_depends_on_the_machine_or_the_hour_is_told() {
    assert_eq!(ids(|s| s.pstamp = Some("build7.example20260101000000")), [vec!["pstamp-machine"], vec![]]);
    assert_eq!(ids(|s| s.pstamp = None), [vec![], vec![]] as [Vec<&str>; 2]);
    let mut view = view(Format::Svr4, &Sample::new());
    let file = view.entries.iter_mut().find(|entry| entry.kind == Kind::File).unwrap();
    file.mtime = Some(1);
    assert_eq!(check(&view).iter().map(|breach| breach.id).collect::<Vec<_>>(), ["times-vary"]);
}
