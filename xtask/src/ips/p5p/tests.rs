//! The archive byte by byte, and round trips through the reader.

use std::io::{Cursor, Read};

use proptest::prelude::*;

use super::super::action::Kind;
use super::super::reader::{self, Level};
use super::*;
use crate::content::Content;

const MTIME: u64 = 1_795_355_765;

fn text(content: &str) -> Content {
    Content::Bytes(content.as_bytes().to_vec())
}

fn web() -> Package {
    Package {
        fmri: "pkg:/service/web@0.19,5.11:20261122T135605Z".parse().unwrap(),
        actions: vec![
            Action::set("pkg.summary", "Serves pages"),
            Action::set("pkg.description", "Serves pages to whoever asks"),
            Action::set("info.classification", "org.opensolaris.category.2008:System/Services"),
            Action::set("org.opensolaris.consolidation", "web"),
            Action::set("org.opensolaris.smf.fmri", "svc:/site/web").with("value", "svc:/site/web:default"),
            Action::set("variant.opensolaris.zone", "global").with("value", "nonglobal"),
            Action::file("lib/svc/method/web", "root", "bin", "0555", text("method")),
            Action::file("lib/svc/manifest/site/web.xml", "root", "sys", "0444", text("<manifest/>"))
                .with("restart_fmri", "svc:/system/manifest-import:default"),
            Action::file("usr/share/doc/web/method", "root", "bin", "0444", text("method")),
            Action::dir("usr/share/doc/web", "root", "bin", "0755"),
            Action::link("usr/share/doc/web/latest", "method"),
            Action::license("MIT", text("Permission is hereby granted")),
            Action::depend("require-any", "pkg:/web/nginx").with("fmri", "pkg:/web/apache"),
        ],
    }
}

fn archive(packages: &[Package]) -> (Vec<u8>, Written) {
    let mut out = Vec::new();
    let written = write("example", packages, MTIME, &mut out).unwrap();
    (out, written)
}

fn refused(publisher: &str, packages: &[Package]) -> IpsError {
    write(publisher, packages, 0, &mut io::sink()).unwrap_err()
}

#[test]
fn the_stored_manifest_is_one_sorted_line_an_action() {
    let (_, written) = archive(&[web()]);
    let payload = |content: &str| {
        let payload = Store::new().add(&Action::legacy("x"), &text(content)).unwrap();
        let described = format!(
            "chash={} group=GROUP pkg.content-hash=file:sha512t_256:{} pkg.content-hash=gzip:sha512t_256:{} pkg.csize={} pkg.size={}",
            payload.chash, payload.content_sha512t, payload.gzip_sha512t, payload.csize, payload.size
        );
        (payload.sha1, described)
    };
    let file = |content: &str, group: &str, mode: &str, path: &str| {
        let (sha1, described) = payload(content);
        let own = format!("group={group} mode={mode} owner=root path={path}");
        format!("file {sha1} {}", described.replace("group=GROUP", &own))
    };
    let (licence, described) = payload("Permission is hereby granted");
    let wanted = [
        "set name=pkg.fmri value=pkg://example/service/web@0.19,5.11:20261122T135605Z",
        "set name=pkg.summary value=\"Serves pages\"",
        "set name=pkg.description value=\"Serves pages to whoever asks\"",
        "set name=info.classification value=org.opensolaris.category.2008:System/Services",
        "set name=org.opensolaris.consolidation value=web",
        "set name=org.opensolaris.smf.fmri value=svc:/site/web value=svc:/site/web:default",
        "set name=variant.opensolaris.zone value=global value=nonglobal",
        &(file("<manifest/>", "sys", "0444", "lib/svc/manifest/site/web.xml")
            + " restart_fmri=svc:/system/manifest-import:default"),
        &file("method", "bin", "0555", "lib/svc/method/web"),
        "dir group=bin mode=0755 owner=root path=usr/share/doc/web",
        "link path=usr/share/doc/web/latest target=method",
        &file("method", "bin", "0444", "usr/share/doc/web/method"),
        &format!("license {licence} {}", described.replace("group=GROUP", "license=MIT")),
        "depend fmri=pkg:/web/nginx fmri=pkg:/web/apache type=require-any",
    ];
    assert_eq!(written.packages[0].manifest.lines().collect::<Vec<_>>(), wanted);
    assert!(written.packages[0].manifest.ends_with("require-any\n"));
}

#[test]
fn members_come_in_pkgrecvs_order_with_its_modes_and_owners() {
    let (bytes, written) = archive(&[web()]);
    let mut names = Vec::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        let header = entry.header();
        let directory = header.entry_type().is_dir();
        assert_eq!(header.mode().unwrap(), if directory { 0o755 } else { 0o644 });
        assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, MTIME));
        assert_eq!((header.username(), header.groupname()), (Ok(Some("root")), Ok(Some("root"))));
        assert!(header.as_ustar().is_some());
        names.push(String::from_utf8(entry.path_bytes().into_owned()).unwrap());
    }
    let [manifest, method, licence] = written.payloads.as_slice() else { panic!("{:?}", written.payloads) };
    let payload = |p: &Payload| {
        let fan = format!("publisher/example/file/{}", &p.sha1[..2]);
        [format!("{fan}/"), format!("{fan}/{}", p.sha1)]
    };
    let mut wanted = vec![
        "pkg5.index.0.gz".to_owned(),
        "publisher/".to_owned(),
        "publisher/example/".to_owned(),
        "publisher/example/pkg/".to_owned(),
        "publisher/example/pkg/service%2Fweb/".to_owned(),
        "publisher/example/pkg/service%2Fweb/0.19%2C5.11%3A20261122T135605Z".to_owned(),
        "publisher/example/file/".to_owned(),
    ];
    wanted.extend([manifest, method, licence].into_iter().flat_map(payload));
    wanted.push("pkg5.repository".to_owned());
    assert_eq!(names, wanted);
}

#[test]
fn the_archive_begins_with_the_comment_and_the_index_and_is_padded_to_a_record() {
    let (bytes, written) = archive(&[web()]);
    assert_eq!(&bytes[..17], b"././@PaxHeader\0\0\0");
    assert_eq!((&bytes[148..156], bytes[156]), (b"010211\0 ".as_slice(), b'x'));
    assert_eq!(&bytes[512..546], b"34 comment=pkg5.archive.version.0\n");
    assert!(bytes[546..1024].iter().all(|b| *b == 0));
    assert_eq!(&bytes[1024..1040], b"pkg5.index.0.gz\0");
    assert_eq!(bytes[1536..1546], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff]);
    assert_eq!(bytes.len() % 10240, 0);
    assert_eq!(bytes.len() as u64, written.bytes);
    assert!(bytes.ends_with(&[0; 1024]));
}

#[test]
fn every_index_line_points_at_its_member() {
    let (bytes, _) = archive(&[web()]);
    let mut archive = tar::Archive::new(Cursor::new(&bytes));
    let mut index = String::new();
    let mut base = 0;
    for entry in archive.entries_with_seek().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path_bytes().as_ref() == b"pkg5.index.0.gz" {
            base = entry.raw_file_position() + entry.size().next_multiple_of(512);
            flate2::read::GzDecoder::new(&mut entry).read_to_string(&mut index).unwrap();
            continue;
        }
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let offset = entry.raw_header_position() - base;
        let extent = 512 + entry.size().next_multiple_of(512);
        let kind = if entry.header().entry_type().is_dir() { "b'5'" } else { "b'0'" };
        let line = format!("{}\0{offset}\0{extent}\0{}\0{kind}\0\n", name.trim_end_matches('/'), entry.size());
        assert!(index.starts_with(&line), "{line:?} is not at the head of {index:?}");
        index.drain(..line.len());
    }
    assert_eq!(index, "");
}

#[test]
fn the_repository_file_is_pkgs_own_text() {
    let publisher = "example".parse().unwrap();
    let wanted = "[CONFIGURATION]\nversion = 4\n\n[publisher]\nprefix = example\n\n[repository]\nversion = 4\n";
    assert_eq!(repository_text(&publisher), wanted);
    let (bytes, _) = archive(&[web()]);
    let mut last = String::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.path_bytes().as_ref() == b"pkg5.repository" {
            entry.read_to_string(&mut last).unwrap();
        }
    }
    assert_eq!(last, wanted);
}

#[test]
fn the_same_package_gives_the_same_bytes_in_any_order_of_actions() {
    let mut reversed = web();
    reversed.actions.reverse();
    assert_eq!(archive(&[web()]).0, archive(&[reversed]).0);
}

#[test]
fn packages_share_payloads() {
    let mut second = web();
    second.fmri = "pkg://example/service/web2@1:20260101T000000Z".parse().unwrap();
    let (bytes, written) = archive(&[web(), second]);
    assert_eq!(written.packages.len(), 2);
    assert_eq!(written.payloads.len(), 3);
    let report = reader::read(&mut Cursor::new(bytes), &mut |_, _| Ok(())).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(
        report.packages.iter().map(|p| &p.manifest).collect::<Vec<_>>(),
        written.packages.iter().map(|p| &p.manifest).collect::<Vec<_>>()
    );
}

#[test]
fn what_cannot_be_published_is_refused_with_its_name() {
    assert!(matches!(refused("ex_ample", &[web()]), IpsError::Fmri(_)));
    let mut package = web();
    package.fmri.version = None;
    assert!(matches!(refused("example", &[package]), IpsError::NoTimestamp { .. }));
    let mut package = web();
    package.fmri.publisher = Some("other".parse().unwrap());
    assert!(matches!(refused("example", &[package]), IpsError::OtherPublisher { .. }));
    assert!(matches!(refused("example", &[web(), web()]), IpsError::DuplicatePackage { .. }));
    let mut package = web();
    package.actions.push(Action::dir("opt/web", "root", "sys", "755"));
    let error = refused("example", &[package]).to_string();
    for part in ["service/web", "dir path=opt/web", "755", "0755"] {
        assert!(error.contains(part), "{error}");
    }
    let mut package = web();
    package.fmri = format!("pkg:/{}@1:20260101T000000Z", "w".repeat(120)).parse().unwrap();
    assert!(matches!(refused("example", &[package]), IpsError::MemberName { .. }));
}

/// Values without the few combinations of backslashes a manifest cannot carry.
fn value() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9 \"'=:;,.#$*\u{e9}\u{2603}-]{0,16}"
}

fn content() -> impl Strategy<Value = Content> {
    proptest::collection::vec(any::<u8>(), 0..700).prop_map(Content::Bytes)
}

prop_compose! {
    fn package()(
        summary in "[a-z]{1,9}",
        values in proptest::collection::vec(proptest::collection::vec(value(), 1..4), 0..5),
        files in proptest::collection::vec((content(), value(), "0[0-7]{3}"), 0..6),
        licences in proptest::collection::vec(content(), 0..3),
        dirs in 0..4_usize,
    ) -> Package {
        let mut actions = vec![Action::set("pkg.summary", &summary)];
        for (i, values) in values.iter().enumerate() {
            let set = Action::new(Kind::Set).with("name", &format!("example.n{i}"));
            actions.push(values.iter().fold(set, |set, value| set.with("value", value)));
        }
        for (i, (content, note, mode)) in files.into_iter().enumerate() {
            let file = Action::file(&format!("opt/d{}/f{i}", i % 3), "root", "sys", &mode, content);
            actions.push(file.with("example.note", &note));
        }
        for (i, content) in licences.into_iter().enumerate() {
            actions.push(Action::license(&format!("L{i}"), content));
        }
        actions.extend((0..dirs).map(|i| Action::dir(&format!("opt/d{i}"), "root", "bin", "0755")));
        Package { fmri: "pkg:/a/b@1.2-3:20260101T000000Z".parse().unwrap(), actions }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(package in package()) {
        let (bytes, written) = archive(std::slice::from_ref(&package));
        let mut contents = Vec::new();
        let report = reader::read(&mut Cursor::new(&bytes), &mut |delivery, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            let name = delivery.action.value("path").or(delivery.action.value("license"));
            contents.push((name.unwrap().to_owned(), bytes));
            Ok(())
        })
        .unwrap();
        let errors: Vec<_> = report.findings.iter().filter(|f| f.level == Level::Error).collect();
        prop_assert!(errors.is_empty(), "{:?}", errors);
        prop_assert_eq!(&report.packages[0].manifest, &written.packages[0].manifest);

        for action in &package.actions {
            let key = action.kind.key_attribute();
            let read = report.packages[0]
                .actions
                .iter()
                .find(|a| a.kind == action.kind.name() && a.value(key) == action.value(key))
                .unwrap();
            for (attribute, values) in action.attributes() {
                prop_assert_eq!(read.values(attribute).collect::<Vec<_>>(), values);
            }
            if let Some(Content::Bytes(bytes)) = &action.content {
                let name = action.value(key).unwrap().to_owned();
                prop_assert!(contents.contains(&(name, bytes.clone())));
            }
        }
    }
}
