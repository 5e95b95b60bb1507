//! A small package that tests change one thing of, written by the toolkit's own writers in either format.

use std::io::Write as _;

use tempfile::NamedTempFile;

use super::{Format, View, read};
use crate::content::Content;
use crate::ips::{self, Action};
use crate::svr4::datastream::{self, InstallFile, Package};
use crate::svr4::depend::{Depend, DependKind, Dependency};
use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::{Attributes, Entry};

const TIME: u64 = 1_767_225_600;

#[derive(Clone)]
pub struct SampleFile {
    pub path: &'static str,
    pub mode: u32,
    pub owner: &'static str,
    pub class: &'static str,
    pub bytes: Vec<u8>,
    pub ips: Vec<(&'static str, &'static str)>,
}

/// What is packaged; nothing in it is worth a word of the linter.
#[derive(Clone)]
pub struct Sample {
    pub version: &'static str,
    pub description: &'static str,
    pub pstamp: Option<&'static str>,
    pub files: Vec<SampleFile>,
    pub directories: Vec<(&'static str, u32)>,
    pub links: Vec<(&'static str, &'static str)>,
    pub scripts: Vec<(&'static str, &'static str)>,
    pub licence: bool,
    /// The SVR4 and the IPS name.
    pub dependency: Option<(&'static str, &'static str)>,
}

impl Sample {
    pub fn new() -> Self {
        let file = |path, mode, class, bytes: &str| SampleFile {
            path,
            mode,
            owner: "root",
            class,
            bytes: bytes.as_bytes().to_vec(),
            ips: Vec::new(),
        };
        let mut manifest = file("lib/svc/manifest/site/web.xml", 0o444, "manifest", "<service_bundle/>\n");
        manifest.ips.push(("restart_fmri", "svc:/system/manifest-import:default"));
        Self {
            version: "1.0",
            description: "Serves pages to whoever asks",
            pstamp: Some("ABCweb20260101000000"),
            files: vec![
                file("lib/svc/method/web", 0o555, "none", "#!/sbin/sh\nexec web\n"),
                manifest,
                file("usr/share/doc/web/README", 0o444, "none", "Read me\n"),
            ],
            directories: vec![("usr/share/doc/web", 0o755)],
            links: vec![("usr/bin/web", "../../lib/svc/method/web")],
            scripts: Vec::new(),
            licence: true,
            dependency: Some(("ABCbase", "pkg:/base")),
        }
    }

    pub fn file(&mut self, path: &str) -> &mut SampleFile {
        self.files.iter_mut().find(|file| file.path == path).unwrap()
    }

    pub fn bytes(&self, format: Format) -> Vec<u8> {
        match format {
            Format::Svr4 => self.datastream(),
            Format::Ips => self.archive(),
        }
    }

    fn datastream(&self) -> Vec<u8> {
        let mut classes: Vec<&str> = vec!["none", "manifest"];
        for file in &self.files {
            if !classes.contains(&file.class) {
                classes.push(file.class);
            }
        }
        let mut info = PkgInfo::from_pairs([
            ("PKG", "ABCweb"),
            ("NAME", "A server of pages"),
            ("ARCH", "i386"),
            ("VERSION", self.version),
            ("CATEGORY", "application"),
            ("BASEDIR", "/"),
            ("CLASSES", &classes.join(" ")),
            ("DESC", self.description),
        ])
        .unwrap();
        if let Some(stamp) = self.pstamp {
            info.set("PSTAMP", stamp).unwrap();
        }
        let own = |name: &str, text: &str| InstallFile {
            name: name.to_owned(),
            content: Content::Bytes(text.as_bytes().to_vec()),
        };
        let mut install: Vec<InstallFile> = self.scripts.iter().map(|(name, text)| own(name, text)).collect();
        if self.licence {
            install.push(own("copyright", "Do as you like\n"));
        }
        if let Some((package, _)) = self.dependency {
            let dependency = Dependency {
                kind: DependKind::Prerequisite,
                package: package.to_owned(),
                description: "The base".to_owned(),
                versions: Vec::new(),
            };
            install.push(own("depend", &Depend(vec![dependency]).render().unwrap()));
        }
        let mut entries: Vec<Entry<Content>> = Vec::new();
        for file in &self.files {
            let attributes = Attributes::new(file.mode, file.owner, "bin");
            entries.push(Entry::file(file.path, file.class, attributes, Content::Bytes(file.bytes.clone())));
        }
        for (path, mode) in &self.directories {
            entries.push(Entry::directory(path, "none", Attributes::new(*mode, "root", "bin")));
        }
        entries.extend(self.links.iter().map(|(path, target)| Entry::symlink(path, "none", target)));
        let mut out = Vec::new();
        datastream::write(&[Package { info, install, entries, mtime: TIME }], &mut out).unwrap();
        out
    }

    fn archive(&self) -> Vec<u8> {
        let mut actions = vec![
            Action::set("pkg.summary", "A server of pages"),
            Action::set("pkg.description", self.description),
            Action::set("info.classification", "org.opensolaris.category.2008:System/Services"),
            Action::set("org.opensolaris.consolidation", "web"),
            Action::set("org.opensolaris.smf.fmri", "svc:/web"),
        ];
        for file in &self.files {
            let content = Content::Bytes(file.bytes.clone());
            let action = Action::file(file.path, file.owner, "bin", &format!("{:04o}", file.mode), content);
            actions.push(file.ips.iter().fold(action, |action, (name, value)| action.with(name, value)));
        }
        actions.extend(self.directories.iter().map(|(path, m)| Action::dir(path, "root", "bin", &format!("{m:04o}"))));
        actions.extend(self.links.iter().map(|(path, target)| Action::link(path, target)));
        if self.licence {
            actions.push(Action::license("MIT", Content::Bytes(b"Do as you like\n".to_vec())));
        }
        actions.extend(self.dependency.map(|(_, fmri)| Action::depend("require", fmri)));
        let fmri = format!("pkg://example/service/web@{},5.11:20260101T000000Z", self.version).parse().unwrap();
        let mut out = Vec::new();
        ips::write("example", &[ips::Package { fmri, actions }], TIME, &mut out).unwrap();
        out
    }
}

/// Bytes as a file whose name says nothing.
pub fn file(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// The sample, written and read back.
pub fn view(format: Format, sample: &Sample) -> View {
    let read = read(file(&sample.bytes(format)).path()).unwrap();
    let [view] = read.packages.as_slice() else { panic!("{:?}", read.findings) };
    view.clone()
}
