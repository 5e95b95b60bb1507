//! What the tables about `pkg` share: a root that is an image and nothing else, and archives made by hand, right or wrong.
//!
//! `pkg` is this project's stand-in; the verdicts in the tables are those of the real one.

// Each scenario file is a crate of its own and uses a part of this; and it is test code, which may unwrap.
#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::{Compression, GzBuilder};
use simhost::ips::Algorithm;
use simhost::{Ran, simhost_exe};
use tar::{Builder, EntryType, Header};

/// An image without a running system around it: nothing that has to do with SMF happens.
pub struct Rig {
    directory: tempfile::TempDir,
}

impl Rig {
    pub fn new() -> Rig {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("var/pkg")).unwrap();
        Rig { directory }
    }

    pub fn root(&self) -> &Path {
        self.directory.path()
    }

    pub fn pkg(&self, words: &[&str]) -> Ran {
        let output = Command::new(simhost_exe()).arg("pkg").arg(self.root()).args(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    pub fn archive(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.root().join(format!("{name}.p5p"));
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    /// Installs from an archive.
    pub fn install(&self, archive: &[u8], package: &str) -> Ran {
        let path = self.archive("given", archive);
        self.pkg(&["install", "-g", &path, package])
    }

    /// The names of what is installed.
    pub fn installed(&self) -> Vec<String> {
        let listed = self.pkg(&["list", "-H"]).stdout;
        listed.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_string())).collect()
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }
}

/// Members to be, in order: a name, and the data of a file or none for a directory.
pub type Members = Vec<(String, Option<Vec<u8>>)>;

#[derive(Clone, Copy, PartialEq)]
pub enum Format {
    Ustar,
    Gnu,
    /// With a fractional time before each member, as Python writes.
    Pax,
    /// Ustar, its members for their owner alone.
    Private,
}

pub fn sha1(bytes: &[u8]) -> String {
    Algorithm::Sha1.sum(&mut &*bytes).unwrap()
}

pub fn sha256(bytes: &[u8]) -> String {
    Algorithm::Sha256.sum(&mut &*bytes).unwrap()
}

pub fn sha512t(bytes: &[u8]) -> String {
    Algorithm::Sha512t.sum(&mut &*bytes).unwrap()
}

pub fn gzip_as(content: &[u8], name: Option<&str>, level: u32) -> Vec<u8> {
    let builder = GzBuilder::new().mtime(0);
    let builder = match name {
        Some(name) => builder.filename(name),
        None => builder,
    };
    let mut out = builder.write(Vec::new(), Compression::new(level));
    out.write_all(content).unwrap();
    out.finish().unwrap()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    gzip_as(content, None, 9)
}

/// A file's action line without its kind: the hash, and what a publisher says of the payload.
pub fn payload(content: &[u8]) -> String {
    let gz = gzip(content);
    format!(
        "{} chash={} pkg.content-hash=file:sha512t_256:{} pkg.content-hash=gzip:sha512t_256:{} pkg.csize={} pkg.size={}",
        sha1(content),
        sha1(&gz),
        sha512t(content),
        sha512t(&gz),
        gz.len(),
        content.len()
    )
}

/// A package to be: its name, its version, the lines of its manifest, and the contents it brings.
#[derive(Clone, Default)]
pub struct Sample {
    pub name: String,
    pub version: String,
    pub lines: Vec<String>,
    pub contents: Vec<Vec<u8>>,
}

impl Sample {
    pub fn new(name: &str, version: &str) -> Sample {
        let lines = vec![
            format!("set name=pkg.fmri value=pkg://vboxsvc/{name}@{version}"),
            "set name=pkg.summary value=\"A sample\"".to_string(),
        ];
        Sample { name: name.into(), version: version.into(), lines, contents: Vec::new() }
    }

    #[must_use]
    pub fn line(mut self, line: &str) -> Sample {
        self.lines.push(line.to_string());
        self
    }

    /// A file of root with these other attributes.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str, attributes: &str) -> Sample {
        let described = payload(content.as_bytes());
        self.lines.push(format!("file {described} group=sys mode=0444 owner=root path={path} {attributes}"));
        self.contents.push(content.as_bytes().to_vec());
        self
    }

    fn manifest(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn quoted(text: &str) -> String {
    text.replace('/', "%2F").replace(',', "%2C").replace(':', "%3A")
}

/// All members but the index, as pkgrecv orders them.
pub fn members(samples: &[Sample]) -> Members {
    let mut members: Members = ["", "/vboxsvc", "/vboxsvc/pkg"].map(|end| (format!("publisher{end}"), None)).into();
    for sample in samples {
        let folder = format!("publisher/vboxsvc/pkg/{}", quoted(&sample.name));
        members.push((folder.clone(), None));
        members.push((format!("{folder}/{}", quoted(&sample.version)), Some(sample.manifest().into_bytes())));
    }
    members.push(("publisher/vboxsvc/file".into(), None));
    for content in samples.iter().flat_map(|sample| &sample.contents) {
        add_payload(&mut members, &sha1(content), &gzip(content));
    }
    let configuration = "[CONFIGURATION]\nversion = 4\n\n[publisher]\nprefix = vboxsvc\n\n[repository]\nversion = 4\n";
    members.push(("pkg5.repository".into(), Some(configuration.into())));
    members
}

/// Puts a payload in its place, once.
pub fn add_payload(members: &mut Members, name: &str, data: &[u8]) {
    let folder = format!("publisher/vboxsvc/file/{}", name.get(..2).unwrap_or_default());
    let file = format!("{folder}/{name}");
    if !members.iter().any(|(name, _)| *name == folder) {
        members.push((folder, None));
    }
    members.retain(|(name, _)| *name != file);
    members.push((file, Some(data.to_vec())));
}

fn append(tar: &mut Builder<Vec<u8>>, format: Format, name: &str, data: Option<&[u8]>) {
    if format == Format::Pax {
        tar.append_pax_extensions([("mtime", b"1795355765.25".as_slice())]).unwrap();
    }
    let mut header = if format == Format::Gnu { Header::new_gnu() } else { Header::new_ustar() };
    header.set_entry_type(if data.is_some() { EntryType::Regular } else { EntryType::Directory });
    header.set_mode(if format == Format::Private { 0o600 } else { 0o644 });
    header.set_size(data.map_or(0, |d| d.len() as u64));
    // Written into the field itself: the crate's own setter tidies "./" away.
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

/// A tar that begins with an index of its members.
pub fn indexed(format: Format, members: &Members, comment: Option<&str>, types: [&str; 2]) -> Vec<u8> {
    let headers = if format == Format::Pax { 1536 } else { 512 };
    let (mut at, mut lines) = (0, String::new());
    for (name, data) in members {
        let size = data.as_ref().map_or(0, Vec::len);
        let extent = headers + size.div_ceil(512) * 512;
        lines += &format!("{name}\0{at}\0{extent}\0{size}\0{}\0\n", types[usize::from(data.is_none())]);
        at += extent;
    }
    let mut tar = Builder::new(Vec::new());
    if let Some(comment) = comment {
        tar.append_pax_extensions([("comment", comment.as_bytes())]).unwrap();
    }
    append(&mut tar, Format::Ustar, "pkg5.index.0.gz", Some(&gzip(lines.as_bytes())));
    let mut archive = tar.into_inner().unwrap();
    archive.truncate(archive.len() - 1024);
    archive.extend(plain(format, members));
    archive
}

/// As pkgrecv would have made it.
pub fn complete(members: &Members) -> Vec<u8> {
    indexed(Format::Ustar, members, Some("pkg5.archive.version.0"), ["b'0'", "b'5'"])
}

pub fn archive_of(samples: &[Sample]) -> Vec<u8> {
    complete(&members(samples))
}
