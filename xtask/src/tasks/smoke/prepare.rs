//! What a target takes before it can be booted: executables and packages for it, QEMU, a kernel, disks.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::built::Built;
use crate::payload::bootstrap::apt_get;
use crate::payload::{self, Program};
use crate::smoke::guest::accel::{self, Accel};
use crate::smoke::guest::booted::{Start, described};
use crate::smoke::guest::disk::{self, Base, Files};
use crate::smoke::guest::machine::{self, Hardware, Machine};
use crate::smoke::guest::metadata;
use crate::smoke::guest::nocloud::{self, Server};
use crate::smoke::guest::profile::{Configuration, Profile};
use crate::smoke::guest::snapshot::{self, Found, Ingredients, Key, Store};
use crate::smoke::guest::ssh::{Ssh, free_port};
use crate::smoke::image::{self, Kept, Override};
use crate::smoke::packages::{Executables, Packages};
use crate::smoke::standin::{initramfs, kernel};
use crate::smoke::target::Nature;
use crate::tasks::pkg::Toolchain;
use crate::{signature, time};

/// What the guests of this project take from Debian.
const DEBIAN_PACKAGES: [&str; 2] = ["qemu-system-x86", "busybox-static"];

/// Programs of this workspace for this machine.
#[derive(Debug, Clone)]
pub struct Programs {
    pub simhost: PathBuf,
    executables: Executables,
}

/// Where programs run, which says how they are built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// On this machine: as for its tests, whose builds are there.
    Native,
    /// In a guest, which may be emulated.
    Guest,
}

impl Programs {
    pub fn build(workspace: &Path, pace: Pace) -> Result<Programs> {
        let profile = match pace {
            Pace::Native => "--profile=dev",
            Pace::Guest => "--profile=guest",
        };
        let packages = ["--package=vboxsvc", "--package=simhost", "--package=vbox-stub"];
        let built = Built::by(workspace, &[["build", "--bins", profile].as_slice(), &packages].concat())?;
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
pub fn illumos_packages(toolchain: &Toolchain, workspace: &Path, out: &Path) -> Result<Packages> {
    let epoch = time::source_date_epoch(workspace)?;
    let build = |program| {
        let request = toolchain.request(program, workspace, epoch);
        Ok::<_, anyhow::Error>(payload::build(&request, &mut |text| eprintln!("{text}"))?.executable)
    };
    let executables = Executables { vboxsvc: build(Program::Runtime)?, stub: build(Program::VirtualBoxStub)? };
    Packages::make(workspace, &executables, epoch, out)
}

/// What a guest's parts are made for and from.
#[derive(Clone, Copy)]
pub struct Need<'a> {
    pub toolchain: &'a Toolchain,
    /// Images that somebody has already.
    pub images: &'a [Override],
    pub workspace: &'a Path,
    pub profile: &'a Profile,
    pub programs: Option<&'a Programs>,
    pub snapshots: Snapshots,
    /// The guest outlives this program.
    pub keep: bool,
}

/// What becomes of the kept states of guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Snapshots {
    /// The guest goes on from one; where there is none it boots, and one is made.
    Used,
    /// It boots, and a new one is made.
    Renewed,
    /// It boots, and none is made.
    Unused,
}

/// What the disk of a guest begins as.
enum Beginning {
    Empty(u64),
    Image { path: PathBuf, format: &'static str },
}

impl Beginning {
    fn base(&self) -> Base<'_> {
        match self {
            Beginning::Empty(size) => Base::Empty(*size),
            Beginning::Image { path, format } => Base::Image { path, format },
        }
    }
}

/// Everything that a guest is booted from.
pub struct Parts {
    qemu: PathBuf,
    profile: Profile,
    hardware: Hardware,
    pub ssh: Option<Ssh>,
    /// The run's own disk.
    pub disk: PathBuf,
    beginning: Beginning,
    /// The disk with the packages.
    pub files: Files,
    /// What logs in, where it was made for this guest.
    pub own_key: Option<PathBuf>,
    pub snapshots: Snapshots,
    keep: bool,
    pub store: Store,
    pub key: Key,
    /// The state to go on from.
    pub found: Option<Found>,
    /// Serves for as long as the guest may ask.
    _nocloud: Option<Server>,
}

impl Parts {
    /// Makes or finds what the guest is made of, decides on its hardware, and looks for a state to go on from.
    pub fn gather(need: Need, packages: Option<&Packages>, folder: &Path, tell: &mut dyn FnMut(&str)) -> Result<Self> {
        let Need { toolchain, images, workspace, profile, programs, snapshots, keep } = need;
        if toolchain.bootstrap && (machine::program().is_err() || initramfs::busybox().is_err()) {
            let install = ["install", "-y", "--no-install-recommends"];
            let caller: Vec<_> = std::env::vars_os().collect();
            apt_get(&[install.as_slice(), &DEBIAN_PACKAGES].concat(), &caller)?;
        }
        let qemu = machine::program()?;
        let accel = accel::best(&qemu, folder).context("cannot try KVM")?;
        let mut made_of =
            Ingredients::begin().text("qemu", &machine::version(&qemu)?).text("accelerator", accel.word());
        made_of = made_of.text("profile", &profile.text);
        if accel == Accel::Kvm {
            made_of = made_of.text("processor", &accel::processor());
        }
        let mut values: BTreeMap<&str, String> = BTreeMap::new();
        let path = |path: &Path| path.display().to_string();
        let (disk, files) = (folder.join("disk.qcow2"), folder.join("files.raw"));
        let kept = Kept::of(&workspace.join(image::FOLDER), &profile.name);
        let beginning = match (base(profile, images, workspace)?, profile.machine.disk_mib) {
            (Some((path, format)), _) => {
                made_of = made_of.large_file("image", &path)?;
                Beginning::Image { format, path }
            }
            (None, Some(mib)) => Beginning::Empty(mib * 1024 * 1024),
            (None, None) => bail!("{}: nothing says what its disk is", profile.name),
        };
        values.extend([("disk", path(&disk)), ("files", path(&files))]);
        if profile.configuration == Configuration::Standin {
            let kernel = kernel::kernel(&workspace.join("target/smoke/kernel"), toolchain.bootstrap)?;
            let image = kernel.image.clone();
            let simhost = programs.context("the simulated host was not built")?.simhost.clone();
            let parts = initramfs::Parts { kernel, busybox: initramfs::busybox()?, simhost };
            let initramfs = folder.join("initramfs");
            initramfs::write(&parts, &initramfs)?;
            made_of = made_of.file("kernel", &image)?.file("initramfs", &initramfs)?;
            values.extend([("kernel", path(&image)), ("initramfs", path(&initramfs))]);
        }
        let (store, key) = (Store::of(&workspace.join(snapshot::FOLDER), &profile.name), made_of.key());
        let found = look(&store, &key, snapshots, tell)?;
        let files = disk::of_files(&files, &packages.map(Packages::files).unwrap_or_default())?;
        let mut nocloud = None;
        let own_key = match profile.configuration {
            Configuration::None | Configuration::Standin => None,
            Configuration::NocloudSmbios | Configuration::CpioDisk => Some(folder.join("key")),
        };
        let public = own_key.as_ref().map(|key| run_key(key, found.as_ref())).transpose()?.unwrap_or_default();
        match profile.configuration {
            Configuration::None | Configuration::Standin => {}
            Configuration::NocloudSmbios => {
                let server = Server::start(nocloud::texts(&public)).context("cannot serve the configuration")?;
                values.insert("http-port", server.port().to_string());
                nocloud = Some(server);
            }
            Configuration::CpioDisk => {
                let disk = folder.join("metadata.cpio");
                fs::write(&disk, metadata::disk(&public)).context("cannot write the metadata")?;
                values.insert("metadata", path(&disk));
            }
        }
        let mut ssh = None;
        if let Some(data) = &profile.ssh {
            let port = free_port().context("cannot find a free port for ssh")?;
            let (program, user) = (PathBuf::from("ssh"), data.user.clone());
            let key = usable_key(own_key.clone().unwrap_or_else(|| kept.key()), &profile.name)?;
            ssh = Some(Ssh { program, user, port, key, folder: folder.to_path_buf() });
            values.insert("ssh-port", port.to_string());
        }
        let (memory_mib, processors) = (profile.machine.memory_mib, profile.machine.processors);
        let hardware = Hardware { accel, memory_mib, processors, arguments: profile.arguments(&values)? };
        let (profile, _nocloud) = (profile.clone(), nocloud);
        Ok(Parts {
            qemu,
            profile,
            hardware,
            ssh,
            disk,
            beginning,
            files,
            own_key,
            snapshots,
            keep,
            store,
            key,
            found,
            _nocloud,
        })
    }

    pub fn told(&self) -> String {
        described(&self.profile, self.hardware.accel)
    }

    /// Makes the run's disk as nobody has used it yet.
    pub fn fresh_disk(&self) -> Result<()> {
        self.disk_over(self.beginning.base())
    }

    /// Makes the run's disk, in place of one that is there.
    pub fn disk_over(&self, base: Base) -> Result<()> {
        match fs::remove_file(&self.disk) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", self.disk.display()));
            }
            _ => {}
        }
        Ok(disk::overlay(&self.qemu, &self.disk, base)?)
    }

    /// Switches the machine on and leaves what becomes of it to a person.
    pub fn start(&self, folder: &Path) -> Result<Machine> {
        let (machine, _console) = Machine::start(&self.qemu, &self.hardware, folder)?;
        Ok(machine)
    }

    /// What a guest is started with, once somebody is there to be told.
    pub fn start_with<'a>(&'a self, folder: &'a Path) -> impl FnOnce(&'a mut dyn FnMut(&str)) -> Start<'a> {
        let (qemu, profile, hardware) = (&self.qemu, &self.profile, &self.hardware);
        let (ssh, keep) = (self.ssh.clone(), self.keep);
        move |tell| Start { qemu, profile, hardware, ssh, folder, keep, tell }
    }
}

/// The state to go on from, where one is there and is wanted.
fn look(store: &Store, key: &Key, snapshots: Snapshots, tell: &mut dyn FnMut(&str)) -> Result<Option<Found>> {
    match snapshots {
        Snapshots::Unused => return Ok(None),
        Snapshots::Renewed => {}
        Snapshots::Used => match store.find(key) {
            Ok(found) => return Ok(found),
            Err(error) => tell(&format!("{error}; the snapshot is thrown away")),
        },
    }
    store.discard(key)?;
    Ok(None)
}

/// The key of the guest's own, at a place in the run's folder: the one it knows since it booted, or a new one. Gives its
/// public half.
fn run_key(place: &Path, found: Option<&Found>) -> Result<String> {
    let Some(found) = found else { return new_key(place) };
    fs::copy(found.key(), place).with_context(|| format!("cannot copy {}", found.key().display()))?;
    let key = signature::private(place)?;
    key.public_key().to_openssh().context("cannot write the key of the run")
}

/// The image that lies under the overlay, and its format; none where the guest begins with an empty disk.
pub fn base(profile: &Profile, images: &[Override], workspace: &Path) -> Result<Option<(PathBuf, &'static str)>> {
    let Some(wanted) = &profile.image else { return Ok(None) };
    let name = &profile.name;
    let path = match images.iter().rfind(|given| given.name == *name) {
        Some(given) => given.path.clone(),
        None => Kept::of(&workspace.join(image::FOLDER), name).image(wanted)?,
    };
    let path = path.canonicalize().with_context(|| format!("cannot use {}, the image of {name}", path.display()))?;
    let format = image::format(&path)?;
    Ok(Some((path, format)))
}

/// Makes the key of one run, and gives its public half.
fn new_key(path: &Path) -> Result<String> {
    let (public, _) = signature::generate(path, "vboxsvc-smoke")?;
    public.to_openssh().context("cannot write the key of the run")
}

fn usable_key(key: PathBuf, name: &str) -> Result<PathBuf> {
    if key.is_file() {
        return Ok(key);
    }
    bail!("the key that is published with the image of {name} is not here: `cargo xtask smoke fetch {name}` gets both")
}

/// Whether packages for this machine or for illumos are tried.
pub fn runs_linux(nature: Nature) -> bool {
    nature != Nature::Illumos
}
