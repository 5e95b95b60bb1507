//! Our own packages and look-alikes of older ones, made once for all tests of a file, with the runtime built for Linux in
//! them; and VirtualBox as a package that holds the simulated one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use simhost::{Host, Ran, simhost_exe, vboxsvc_exe};
use tempfile::TempDir;
use xtask::trial::{Release, historic, ours};

use super::{Crafted, add};

/// Any moment will do, as long as it is always the same.
const EPOCH: u64 = 1_700_000_000;

pub struct Made {
    _folder: TempDir,
    /// Ours of this version, and the same as the next one.
    pub current: PathBuf,
    pub next: PathBuf,
    /// 0.11 and 0.19.
    pub old: [PathBuf; 2],
}

pub fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let workspace = xtask::flags::workspace();
        // Small, and as much the runtime as the runtime is: the host has the same file at that path.
        let stub = folder.path().join("vboxsvc");
        fs::write(&stub, format!("#!/bin/sh\nexec '{}' \"$@\"\n", runtime_inside().display())).unwrap();
        let our = |version: &str| ours(&workspace, &stub, version, EPOCH, &folder.path().join(version)).unwrap().svr4;
        let old = Release::ALL.map(|release| historic(release, EPOCH, folder.path()).unwrap());
        Made { current: our(env!("CARGO_PKG_VERSION")), next: our("0.21.0"), old, _folder: folder }
    })
}

/// The path of the built runtime for programs on an enclosed host.
fn runtime_inside() -> PathBuf {
    Path::new("/.linux").join(vboxsvc_exe().strip_prefix("/").unwrap())
}

/// Puts a package on the host and adds it; `options` come before `-d`.
pub fn pkgadd(host: &Host, package: &Path, options: &str) -> Ran {
    fs::copy(package, host.root().join("var/tmp/COSvboxsvc.pkg")).unwrap();
    host.sh(&format!("pkgadd -n -a /var/tmp/admin {options} -d /var/tmp/COSvboxsvc.pkg COSvboxsvc"))
}

/// SUNWvbox, with the simulated VirtualBox behind it.
pub fn add_virtualbox(host: &Host) {
    let manage = "#!/bin/sh\n";
    let package = Crafted::new("SUNWvbox")
        .file("reloc/opt/SUNWvbox/file", manage)
        .info("CLASSES", "SUNW_PKG_THISZONE=true\nCLASSES");
    add(host, &package).expect_success();
    let folder = host.root().join("opt/VirtualBox");
    fs::create_dir_all(&folder).unwrap();
    for name in ["VBoxManage", "VBoxHeadless", "VBoxSVC"] {
        symlink(simhost_exe(), folder.join(name)).unwrap();
    }
}
