//! Look-alikes of COSvboxsvc 0.11 and 0.19: the same parameters, paths, owners and classes, other contents.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{make_folder, write_svr4};
use crate::content::Content;
use crate::svr4::datastream::{InstallFile, Package};
use crate::svr4::depend::{Depend, DependKind, Dependency};
use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::{Attributes, Entry};

/// A release of the old package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Release {
    /// The first that many hosts have: the method and one manifest.
    V0_11,
    /// The last.
    V0_19,
}

impl Release {
    pub const ALL: [Release; 2] = [Release::V0_11, Release::V0_19];

    pub fn version(self) -> &'static str {
        match self {
            Release::V0_11 => "0.11",
            Release::V0_19 => "0.19",
        }
    }

    fn prerequisites(self) -> &'static [(&'static str, &'static str)] {
        let all = &[("SUNWvbox", "Oracle VirtualBox"), ("SUNWbash", "GNU Bourne-Again shell")];
        match self {
            Release::V0_11 => &all[..1],
            Release::V0_19 => all,
        }
    }
}

/// Folders, each with its group; root owns them.
const FOLDERS: [(&str, &str); 7] = [
    ("var", "sys"),
    ("var/svc", "sys"),
    ("var/svc/manifest", "sys"),
    ("var/svc/manifest/site", "sys"),
    ("lib", "bin"),
    ("lib/svc", "bin"),
    ("lib/svc/method", "bin"),
];
/// Folders that only the last releases had.
const LATER_FOLDERS: [(&str, &str); 4] =
    [("usr", "sys"), ("usr/share", "sys"), ("usr/share/doc", "other"), ("usr/share/doc/vboxsvc", "sys")];

/// Files with their modes; all are root's and of the group sys.
const FILES: [(&str, u32, &str); 2] = [
    ("var/svc/manifest/site/vbox-svc.xml", 0o644, include_str!("historic/vbox-svc.xml")),
    ("lib/svc/method/vbox.sh", 0o755, include_str!("historic/vbox.sh")),
];
const DOCUMENT: &str = "A look-alike's document, made for trials of upgrades.\n";
const LATER_FILES: [(&str, u32, &str); 6] = [
    ("var/svc/manifest/site/vbox-delay-on-boot.xml", 0o644, include_str!("historic/vbox-delay-on-boot.xml")),
    ("lib/svc/method/zfs-zvolrights", 0o755, include_str!("historic/zfs-zvolrights")),
    ("usr/share/doc/vboxsvc/README-vboxsvc.txt", 0o644, DOCUMENT),
    ("usr/share/doc/vboxsvc/README-zvolrights.txt", 0o644, DOCUMENT),
    ("usr/share/doc/vboxsvc/TODO-vboxsvc.txt", 0o644, DOCUMENT),
    ("usr/share/doc/vboxsvc/CREDITS-vboxsvc.txt", 0o644, DOCUMENT),
];

/// Makes the look-alike of a release.
pub fn historic(release: Release, epoch: u64, out: &Path) -> Result<PathBuf> {
    make_folder(out)?;
    write_svr4(package(release, epoch)?, out.join(format!("COSvboxsvc-{}.pkg", release.version())))
}

fn package(release: Release, epoch: u64) -> Result<Package> {
    let last = release == Release::V0_19;
    let folders = FOLDERS.iter().chain(LATER_FOLDERS.iter().filter(|_| last));
    let files = FILES.iter().chain(LATER_FILES.iter().filter(|_| last));
    let folder = |(path, group): &(&str, &str)| Entry::directory(path, "none", Attributes::new(0o755, "root", group));
    let file = |(path, mode, text): &(&str, u32, &str)| {
        Entry::file(path, "none", Attributes::new(*mode, "root", "sys"), Content::Bytes(text.as_bytes().to_vec()))
    };
    let info = [
        ("PKG", "COSvboxsvc"),
        ("NAME", "VirtualBox VMs under SMF (a look-alike for trials)"),
        ("ARCH", "intel"),
        ("VERSION", release.version()),
        ("CATEGORY", "application"),
        ("DESC", "A look-alike of an older release, made for trials of upgrades"),
        ("BASEDIR", "/"),
        ("CLASSES", "none"),
    ];
    let prerequisite = |(package, description): &(&str, &str)| Dependency {
        kind: DependKind::Prerequisite,
        package: (*package).to_string(),
        description: (*description).to_string(),
        versions: Vec::new(),
    };
    let depend = Depend(release.prerequisites().iter().map(prerequisite).collect()).render()?;
    Ok(Package {
        info: PkgInfo::from_pairs(info)?,
        install: vec![InstallFile { name: "depend".to_string(), content: Content::Bytes(depend.into_bytes()) }],
        entries: folders.map(folder).chain(files.map(file)).collect(),
        mtime: epoch,
    })
}
