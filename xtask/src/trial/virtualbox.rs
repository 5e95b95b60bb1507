//! The stub of VirtualBox as the packages that a real one comes in, at the paths where that one is.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{make_folder, write_ips, write_svr4};
use crate::content::Content;
use crate::ips::fmri::Timestamp;
use crate::ips::{Action, Kind, Package as IpsPackage};
use crate::svr4::datastream::Package as Svr4Package;
use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::{Attributes, Entry};

/// Of the release that the stub imitates.
const VERSION: &str = "7.2.22";
const SUMMARY: &str = "A stub of VirtualBox for trying vboxsvc, not VirtualBox";
const PUBLISHER: &str = "vboxsvc-trial";
/// The one executable is called by both names.
const PROGRAM: &str = "VBoxManage";
const OTHER_NAME: &str = "VBoxHeadless";

/// A place where VirtualBox is installed: its folder, and where its programs are linked to.
struct Place {
    folder: &'static str,
    links: &'static str,
    /// From there to the folder.
    back: &'static str,
}

/// Oracle's own packages, and OpenIndiana's.
const OPT: Place = Place { folder: "opt/VirtualBox", links: "usr/bin", back: "../../opt/VirtualBox" };
/// Where OmniOS puts what is not of its core.
const OOCE: Place = Place { folder: "opt/ooce/virtualbox", links: "opt/ooce/bin", back: "../virtualbox" };

/// The stub's packages. A host has one of them.
#[derive(Debug, Clone)]
pub struct VirtualBox {
    /// `SUNWvbox`
    pub svr4: PathBuf,
    /// `system/virtualbox`
    pub system_ips: PathBuf,
    /// `ooce/virtualization/virtualbox`
    pub ooce_ips: PathBuf,
}

/// Makes the packages around an executable of the crate `vbox-stub`.
pub fn virtualbox(stub: &Path, epoch: u64, out: &Path) -> Result<VirtualBox> {
    make_folder(out)?;
    let archive = |name: &str, place: &Place, file: &str| {
        write_ips(PUBLISHER, ips(name, place, stub, epoch)?, epoch, out.join(file))
    };
    Ok(VirtualBox {
        svr4: write_svr4(svr4(stub, epoch)?, out.join("SUNWvbox-stub.pkg"))?,
        system_ips: archive("system/virtualbox", &OPT, "system-virtualbox-stub.p5p")?,
        ooce_ips: archive("ooce/virtualization/virtualbox", &OOCE, "ooce-virtualbox-stub.p5p")?,
    })
}

impl Place {
    fn program(&self) -> String {
        format!("{}/{PROGRAM}", self.folder)
    }

    /// Paths of links and what each points to.
    fn links(&self) -> [(String, String); 3] {
        let linked = |name| (format!("{}/{name}", self.links), format!("{}/{name}", self.back));
        [(format!("{}/{OTHER_NAME}", self.folder), PROGRAM.to_string()), linked(PROGRAM), linked(OTHER_NAME)]
    }
}

fn svr4(stub: &Path, epoch: u64) -> Result<Svr4Package> {
    let info = [
        ("PKG", "SUNWvbox"),
        ("NAME", SUMMARY),
        ("ARCH", "i386"),
        ("VERSION", VERSION),
        ("CATEGORY", "application"),
        ("DESC", SUMMARY),
        ("BASEDIR", "/"),
        ("CLASSES", "none"),
    ];
    let own = |mode| Attributes::new(mode, "root", "bin");
    let mut entries = vec![
        Entry::directory(OPT.folder, "none", own(0o755)),
        Entry::file(&OPT.program(), "none", own(0o755), Content::File(stub.to_path_buf())),
    ];
    entries.extend(OPT.links().iter().map(|(path, target)| Entry::symlink(path, "none", target)));
    Ok(Svr4Package { info: PkgInfo::from_pairs(info)?, install: Vec::new(), entries, mtime: epoch })
}

fn ips(name: &str, place: &Place, stub: &Path, epoch: u64) -> Result<IpsPackage> {
    let time = Timestamp::from_unix(epoch).with_context(|| format!("the time {epoch} is beyond what IPS can say"))?;
    let zones = Action::new(Kind::Set).with("name", "variant.opensolaris.zone");
    let mut actions = vec![
        Action::set("pkg.summary", SUMMARY),
        Action::set("info.classification", "org.opensolaris.category.2008:System/Virtualization"),
        Action::set("org.opensolaris.consolidation", PUBLISHER),
        Action::set("variant.arch", "i386"),
        zones.with("value", "global").with("value", "nonglobal"),
        Action::dir(place.folder, "root", "bin", "0755"),
        Action::file(&place.program(), "root", "bin", "0755", Content::File(stub.to_path_buf())),
    ];
    actions.extend(place.links().iter().map(|(path, target)| Action::link(path, target)));
    let fmri = format!("pkg://{PUBLISHER}/{name}@{VERSION},5.11:{time}");
    Ok(IpsPackage { fmri: fmri.parse().with_context(|| format!("{fmri} is no package FMRI"))?, actions })
}
