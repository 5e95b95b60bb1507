//! Archives made by hand with the tar crate, in all the ways people make them, and what the reader says of each.
//!
//! Which of them pkg accepts was found out with three builds of pkg; a verdict here is pkg's verdict.

mod archives;
mod manifests;
mod robustness;

use std::io::{Cursor, Write};

use ::tar::{Builder, EntryType, Header};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512_256};

use super::*;

pub const CONTENT: &[u8] = b"#!/sbin/sh\nexec /usr/lib/web\n";
pub const VERSION: &str = "1.0,5.11:20260101T000000Z";

/// Members to be, in order: a name, and the data of a file or none for a directory.
pub type Members = Vec<(String, Option<Vec<u8>>)>;

#[derive(Clone, Copy, PartialEq)]
pub enum Format {
    Ustar,
    Gnu,
    /// A pax header with a fractional time before each member, as Python writes.
    Pax,
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn sha1(bytes: &[u8]) -> String {
    hex(&Sha1::digest(bytes))
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub fn sha512t(bytes: &[u8]) -> String {
    hex(&Sha512_256::digest(bytes))
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::best());
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

/// The attributes by which a publisher describes the payload of `CONTENT`.
pub fn described() -> String {
    let gz = gzip(CONTENT);
    format!(
        "chash={} pkg.content-hash=file:sha512t_256:{} pkg.content-hash=gzip:sha512t_256:{} pkg.csize={} pkg.size={}",
        sha1(&gz),
        sha512t(CONTENT),
        sha512t(&gz),
        gz.len(),
        CONTENT.len()
    )
}

/// A manifest without fault, whose file has these payload attributes.
pub fn manifest(hash: &str, payload: &str) -> String {
    format!(
        "set name=pkg.fmri value=pkg://example/service/web@{VERSION}\n\
         set name=pkg.summary value=\"Serves pages\"\n\
         set name=info.classification value=org.opensolaris.category.2008:System/Services\n\
         set name=org.opensolaris.consolidation value=web\n\
         file {hash} group=bin mode=0555 owner=root path=lib/svc/method/web {payload}\n"
    )
}

pub fn version_path(version: &str) -> String {
    format!("publisher/example/pkg/service%2Fweb/{}", version.replace(',', "%2C").replace(':', "%3A"))
}

/// All members but the index, as pkgrecv orders them.
pub fn members(manifest: &str, version: &str, payload: &str, data: &[u8]) -> Members {
    let fan = &payload[..2];
    let dir = |name: &str| (name.to_owned(), None);
    let file = |name: String, data: &[u8]| (name, Some(data.to_vec()));
    vec![
        dir("publisher"),
        dir("publisher/example"),
        dir("publisher/example/pkg"),
        dir("publisher/example/pkg/service%2Fweb"),
        file(version_path(version), manifest.as_bytes()),
        dir("publisher/example/file"),
        dir(&format!("publisher/example/file/{fan}")),
        file(format!("publisher/example/file/{fan}/{payload}"), data),
        file(
            "pkg5.repository".to_owned(),
            b"[CONFIGURATION]\nversion = 4\n\n[publisher]\nprefix = example\n\n[repository]\nversion = 4\n",
        ),
    ]
}

pub fn good_members() -> Members {
    let name = sha1(CONTENT);
    members(&manifest(&name, &described()), VERSION, &name, &gzip(CONTENT))
}

fn append(tar: &mut Builder<Vec<u8>>, format: Format, name: &str, data: Option<&[u8]>) {
    if format == Format::Pax {
        tar.append_pax_extensions([("mtime", b"1795355765.25".as_slice())]).unwrap();
    }
    let mut header = if format == Format::Gnu { Header::new_gnu() } else { Header::new_ustar() };
    header.set_entry_type(if data.is_some() { EntryType::Regular } else { EntryType::Directory });
    header.set_mode(0o644);
    header.set_size(data.map_or(0, |d| d.len() as u64));
    // Written into the field itself: the crate's own setter tidies "./" and ".." away.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    tar.append(&header, data.unwrap_or_default()).unwrap();
}

/// A tar without an index.
pub fn plain(format: Format, members: &Members) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for (name, data) in members {
        let name = if data.is_none() { format!("{name}/") } else { name.clone() };
        append(&mut tar, format, &name, data.as_deref());
    }
    tar.into_inner().unwrap()
}

/// The lines of a true index.
pub fn index_lines(format: Format, members: &Members, types: [&str; 2]) -> String {
    let headers = if format == Format::Pax { 1536 } else { 512 };
    let mut at = 0;
    let mut text = String::new();
    for (name, data) in members {
        let size = data.as_ref().map_or(0, Vec::len);
        let extent = headers + size.div_ceil(512) * 512;
        text += &format!("{name}\0{at}\0{extent}\0{size}\0{}\0\n", types[usize::from(data.is_none())]);
        at += extent;
    }
    text
}

/// A tar that begins with an index of these lines.
pub fn indexed(format: Format, members: &Members, comment: Option<&str>, lines: &[u8]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    if let Some(comment) = comment {
        tar.append_pax_extensions([("comment", comment.as_bytes())]).unwrap();
    }
    append(&mut tar, if format == Format::Gnu { format } else { Format::Ustar }, "pkg5.index.0.gz", Some(lines));
    let mut archive = tar.into_inner().unwrap();
    archive.truncate(archive.len() - 1024);
    archive.extend(plain(format, members));
    archive
}

/// As pkgrecv would have made it.
pub fn complete(members: &Members) -> Vec<u8> {
    let lines = index_lines(Format::Ustar, members, ["b'0'", "b'5'"]);
    indexed(Format::Ustar, members, Some("pkg5.archive.version.0"), &gzip(lines.as_bytes()))
}

pub fn report(archive: &[u8]) -> Report {
    read(&mut Cursor::new(archive), &mut |_, _| Ok(())).unwrap()
}

/// The ids of all findings of a level.
pub fn ids(report: &Report, level: Level) -> Vec<&'static str> {
    report.findings.iter().filter(|f| f.level == level).map(|f| f.id).collect()
}

#[track_caller]
pub fn accepted(name: &str, archive: &[u8], warnings: &[&str]) {
    let report = report(archive);
    assert!(report.is_accepted(), "{name}: {:#?}", report.findings);
    assert_eq!(ids(&report, Level::Warning), warnings, "{name}: {:#?}", report.findings);
    assert_eq!(report.packages.len(), 1, "{name}");
}

#[track_caller]
pub fn refused(name: &str, archive: &[u8], errors: &[&str]) {
    let report = report(archive);
    assert!(!report.is_accepted(), "{name} is accepted");
    assert_eq!(ids(&report, Level::Error), errors, "{name}: {:#?}", report.findings);
}
