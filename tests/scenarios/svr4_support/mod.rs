//! What the scenarios about SVR4 packages share: packages crafted file by file, so that they can be as broken as need be,
//! and a host to add them on. pkgadd and its kin are the simulated ones.

// Each scenario file is a crate of its own and uses a part of this; and it is test code, which may unwrap.
#![allow(dead_code, clippy::unwrap_used)]

pub mod trial;

use std::fs;

use simhost::{Host, Ran};
use xtask::svr4::cksum::cksum;
use xtask::svr4::cpio::Archive;

/// Everything unattended and nothing asked, as an upgrade wants it.
pub const ADMIN: &str = "mail=\ninstance=overwrite\npartial=nocheck\nrunlevel=nocheck\nidepend=nocheck\nrdepend=nocheck\n\
                         space=nocheck\nsetuid=nocheck\nconflict=nocheck\naction=nocheck\nbasedir=default\n";

/// A package that tests take apart. `@NAME` in the map stands for size, cksum and time of that file of the package.
#[derive(Clone)]
pub struct Crafted {
    pub name: String,
    pub info: String,
    pub map: String,
    /// Path in the archive, contents.
    pub files: Vec<(String, Vec<u8>)>,
    pub header: Option<Vec<u8>>,
    /// Archive 0's own copy of the map, or the folder's name there.
    pub table_map: Option<String>,
    pub table_name: String,
    pub has_table: bool,
    /// What the map's text becomes at last: other line ends and the like.
    pub map_shape: fn(String) -> String,
    /// `pkginfo` or `pkgmap`, where the part's archive lacks it.
    pub part_lacks: Option<&'static str>,
    pub tail: Vec<u8>,
}

impl Crafted {
    /// One file and its folder, no scripts.
    pub fn new(name: &str) -> Crafted {
        Crafted {
            name: name.into(),
            info: format!(
                "PKG={name}\nNAME=A crafted package\nARCH=i386\nVERSION=1.0\nCATEGORY=application\nBASEDIR=/\nCLASSES=none\n"
            ),
            map: format!(
                ": 1 20\n1 i pkginfo @pkginfo\n1 d none opt/{name} 0755 root bin\n1 f none opt/{name}/file 0644 root bin @reloc/opt/{name}/file\n"
            ),
            files: vec![(format!("reloc/opt/{name}/file"), b"of the first release\n".to_vec())],
            header: None,
            table_map: None,
            table_name: name.into(),
            has_table: true,
            map_shape: |text| text,
            part_lacks: None,
            tail: Vec::new(),
        }
    }

    /// Changes pkginfo; the text must be there.
    pub fn info(mut self, from: &str, to: &str) -> Self {
        assert!(self.info.contains(from), "{from:?}");
        self.info = self.info.replace(from, to);
        self
    }

    pub fn map(mut self, from: &str, to: &str) -> Self {
        assert!(self.map.contains(from), "{from:?}");
        self.map = self.map.replace(from, to);
        self
    }

    /// Adds a line to the map.
    pub fn line(mut self, line: &str) -> Self {
        self.map.push_str(&format!("{line}\n"));
        self
    }

    /// Adds a file to the archive.
    pub fn file(mut self, path: &str, text: &str) -> Self {
        self.files.retain(|(there, _)| there != path);
        self.files.push((path.into(), text.into()));
        self
    }

    /// Adds a script, or another file of `install`, with its line in the map.
    pub fn install(self, name: &str, text: &str) -> Self {
        self.file(&format!("install/{name}"), text).line(&format!("1 i {name} @install/{name}"))
    }

    pub fn without(mut self, path: &str) -> Self {
        self.files.retain(|(there, _)| there != path);
        self
    }

    /// Changes a file after its sum has gone into the map.
    pub fn tampered(mut self, path: &str, text: &str) -> Self {
        self.map = self.map_text();
        self.file(path, text)
    }

    fn map_text(&self) -> String {
        let facts = |path: &str| {
            let bytes = match path {
                "pkginfo" => self.info.as_bytes(),
                _ => self.files.iter().find(|(there, _)| there == path).map_or(&[][..], |(_, bytes)| bytes),
            };
            format!("{} {} 1000000000", bytes.len(), cksum(bytes))
        };
        let line = |line: &str| match line.split_once('@') {
            Some((before, path)) => format!("{before}{}\n", facts(path)),
            None => format!("{line}\n"),
        };
        (self.map_shape)(self.map.lines().map(line).collect())
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.clone().unwrap_or_else(|| header(&[&self.name]));
        if self.has_table {
            bytes.extend(self.table());
        }
        bytes.extend(self.archive());
        bytes.extend(&self.tail);
        bytes
    }

    fn table(&self) -> Vec<u8> {
        let map = self.table_map.clone().unwrap_or_else(|| self.map_text());
        let name = |file: &str| format!("{}/{file}", self.table_name);
        archive(&[(name("pkginfo"), self.info.clone().into_bytes()), (name("pkgmap"), map.into_bytes())])
    }

    pub fn archive(&self) -> Vec<u8> {
        let mut files = vec![
            ("pkginfo".to_string(), self.info.clone().into_bytes()),
            ("pkgmap".into(), self.map_text().into_bytes()),
        ];
        files.retain(|(name, _)| Some(name.as_str()) != self.part_lacks);
        files.extend(self.files.clone());
        archive(&files)
    }
}

/// A stream of several packages.
pub fn stream(packages: &[&Crafted]) -> Vec<u8> {
    let names: Vec<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut table = Vec::new();
    for package in packages {
        table.push((format!("{}/pkginfo", package.name), package.info.clone().into_bytes()));
        table.push((format!("{}/pkgmap", package.name), package.map_text().into_bytes()));
    }
    let mut bytes = header(&names);
    bytes.extend(archive(&table));
    packages.iter().for_each(|package| bytes.extend(package.archive()));
    bytes
}

pub fn header(names: &[&str]) -> Vec<u8> {
    let lines: String = names.iter().map(|name| format!("{name} 1 20\n")).collect();
    padded(&format!("# PaCkAgE DaTaStReAm\n{lines}# end of header\n"))
}

pub fn padded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

pub fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut archive = Archive::new(&mut bytes);
    for (path, contents) in files {
        archive.file(path, 0o644, 1_000_000_000, contents.len() as u64, &mut contents.as_slice()).unwrap();
    }
    archive.finish().unwrap();
    bytes
}

/// A host to add packages on, with the unattended admin file at `/var/tmp/admin`.
pub fn host() -> Host {
    prepared(Host::enclosed())
}

pub fn prepared(host: Host) -> Host {
    fs::write(host.root().join("var/tmp/admin"), ADMIN).unwrap();
    host
}

/// Writes a package of these bytes to `/var/tmp/NAME.pkg`.
pub fn deliver(host: &Host, name: &str, bytes: &[u8]) -> String {
    let path = format!("var/tmp/{name}.pkg");
    fs::write(host.root().join(&path), bytes).unwrap();
    format!("/{path}")
}

/// The unattended admin file with other settings.
pub fn admin(host: &Host, settings: &[(&str, &str)]) {
    let mut text = ADMIN.to_string();
    for (key, value) in settings {
        let at = text.find(&format!("{key}=")).unwrap();
        let end = at + text[at..].find('\n').unwrap();
        text.replace_range(at..end, &format!("{key}={value}"));
    }
    fs::write(host.root().join("var/tmp/admin"), text).unwrap();
}

/// Adds a crafted package without a person.
pub fn add(host: &Host, package: &Crafted) -> Ran {
    let path = deliver(host, &package.name, &package.bytes());
    host.sh(&format!("pkgadd -n -a /var/tmp/admin -d {path} {}", package.name))
}

pub fn rm(host: &Host, name: &str) -> Ran {
    host.sh(&format!("pkgrm -n -a /var/tmp/admin {name}"))
}

/// What pkginfo says of an installation: `completely installed`, `partially installed`, or nothing.
pub fn standing(host: &Host, name: &str) -> String {
    let said = host.sh(&format!("pkginfo -l {name}")).stdout;
    let line = said.lines().find_map(|line| line.split_once("STATUS:"));
    line.map_or(String::new(), |(_, status)| status.trim().to_string())
}

pub fn exists(host: &Host, path: &str) -> bool {
    host.root().join(path.trim_start_matches('/')).symlink_metadata().is_ok()
}

pub fn read(host: &Host, path: &str) -> String {
    fs::read_to_string(host.root().join(path.trim_start_matches('/'))).unwrap_or_default()
}
