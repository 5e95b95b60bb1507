//! What a target takes before it can be booted: executables and packages for it, QEMU, a kernel, disks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Args;
use crate::built::Built;
use crate::payload::bootstrap::apt_get;
use crate::payload::{self, Program};
use crate::smoke::guest::accel;
use crate::smoke::guest::booted::{Guest, Start, described};
use crate::smoke::guest::disk::{self, Base};
use crate::smoke::guest::machine::{self, Hardware};
use crate::smoke::guest::profile::{Configuration, Profile};
use crate::smoke::packages::{Executables, Packages};
use crate::smoke::standin::{initramfs, kernel};
use crate::smoke::target::Nature;
use crate::time;

/// What the guests of this project take from Debian.
const DEBIAN_PACKAGES: [&str; 2] = ["qemu-system-x86", "busybox-static"];

/// Programs of this workspace for this machine.
#[derive(Debug, Clone)]
pub struct Programs {
    pub simhost: PathBuf,
    executables: Executables,
}

impl Programs {
    pub fn build(workspace: &Path) -> Result<Programs> {
        let packages = ["--package=vboxsvc", "--package=simhost", "--package=vbox-stub"];
        let built = Built::by(workspace, &[["build", "--bins"].as_slice(), &packages].concat())?;
        let folder = workspace.join("target/smoke/stripped");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let program = |name| stripped(&built.executable("bin", name)?, &folder.join(name));
        let executables = Executables { vboxsvc: program("vboxsvc")?, stub: program("vbox-stub")? };
        Ok(Programs { simhost: program("simhost")?, executables })
    }

    /// Packages around them.
    pub fn packages(&self, workspace: &Path, out: &Path) -> Result<Packages> {
        Packages::make(workspace, &self.executables, time::source_date_epoch(workspace)?, out)
    }
}

/// The program without what only a debugger reads: five sixths of it, in every package and on every disk.
fn stripped(program: &Path, out: &Path) -> Result<PathBuf> {
    let status = Command::new("strip").arg("-o").arg(out).arg(program).status();
    let status = status.context("cannot run strip (Debian: apt-get install binutils)")?;
    if !status.success() {
        bail!("strip {}: {status}", program.display());
    }
    Ok(out.to_path_buf())
}

/// Packages with executables for illumos.
pub fn illumos_packages(args: &Args, workspace: &Path, out: &Path) -> Result<Packages> {
    let epoch = time::source_date_epoch(workspace)?;
    let build = |program| {
        let request = args.toolchain.request(program, workspace, epoch);
        Ok::<_, anyhow::Error>(payload::build(&request, &mut |text| eprintln!("{text}"))?.executable)
    };
    let executables = Executables { vboxsvc: build(Program::Runtime)?, stub: build(Program::VirtualBoxStub)? };
    Packages::make(workspace, &executables, epoch, out)
}

/// What a guest's parts are made for and from.
#[derive(Clone, Copy)]
pub struct Need<'a> {
    pub args: &'a Args,
    pub workspace: &'a Path,
    pub profile: &'a Profile,
    pub programs: Option<&'a Programs>,
}

/// Everything that a guest is booted from.
pub struct Parts {
    qemu: PathBuf,
    profile: Profile,
    hardware: Hardware,
}

impl Parts {
    /// Makes or finds the guest's disks and decides on its hardware.
    pub fn gather(need: Need, packages: &Packages, folder: &Path) -> Result<Self> {
        let Need { args, workspace, profile, programs } = need;
        if args.toolchain.bootstrap && (machine::program().is_err() || initramfs::busybox().is_err()) {
            let install = ["install", "-y", "--no-install-recommends"];
            let caller: Vec<_> = std::env::vars_os().collect();
            apt_get(&[install.as_slice(), &DEBIAN_PACKAGES].concat(), &caller)?;
        }
        let qemu = machine::program()?;
        let accel = accel::best(&qemu, folder).context("cannot try KVM")?;
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        let mut value = |name, path: &Path| values.insert(name, path.display().to_string());
        let (root, files) = (folder.join("disk.qcow2"), folder.join("files.raw"));
        match (&profile.image, profile.machine.disk_mib) {
            (None, Some(mib)) => disk::overlay(&qemu, &root, Base::Empty(mib * 1024 * 1024))?,
            _ => bail!("{}: images cannot be used yet", profile.name),
        }
        disk::of_files(&files, &packages.files())?;
        value("disk", &root);
        value("files", &files);
        if profile.configuration == Configuration::Standin {
            let kernel = kernel::kernel(&workspace.join("target/smoke/kernel"), args.toolchain.bootstrap)?;
            let image = kernel.image.clone();
            let simhost = programs.context("the simulated host was not built")?.simhost.clone();
            let parts = initramfs::Parts { kernel, busybox: initramfs::busybox()?, simhost };
            let path = folder.join("initramfs");
            initramfs::write(&parts, &path)?;
            value("kernel", &image);
            value("initramfs", &path);
        }
        let (memory_mib, processors) = (profile.machine.memory_mib, profile.machine.processors);
        let hardware = Hardware { accel, memory_mib, processors, arguments: profile.arguments(&values)? };
        Ok(Parts { qemu, profile: profile.clone(), hardware })
    }

    pub fn told(&self) -> String {
        described(&self.profile, self.hardware.accel)
    }

    pub fn boot(&self, folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Guest> {
        let (qemu, profile, hardware) = (&self.qemu, &self.profile, &self.hardware);
        Guest::boot(Start { qemu, profile, hardware, folder, tell }).map_err(|error| {
            let screen = error.screen().to_string();
            let error = anyhow::Error::new(error);
            if screen.is_empty() { error } else { error.context(format!("the last screen of the guest:\n{screen}\n")) }
        })
    }
}

/// A fresh folder for one run of one target.
pub fn folder(out: &Path, target: &str) -> Result<PathBuf> {
    let folder = out.join(target);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot empty {}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // QEMU runs in it and is told of files by whole paths.
    folder.canonicalize().with_context(|| format!("cannot find {}", folder.display()))
}

/// Whether packages for this machine or for illumos are tried.
pub fn runs_linux(nature: Nature) -> bool {
    nature != Nature::Illumos
}
