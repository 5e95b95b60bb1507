//! The initramfs of the stand-in guest, written by our own cpio writer: what boots, logs in and shuts down.
//!
//! The simulated host lies on the guest's disk and so outlives a reboot; everything else is new at every boot.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::kernel::Kernel;
use super::{StandinError, io_at, libraries};
use crate::svr4::cpio::Archive;

/// Where the simulated host is in the guest.
const HOST: &str = "/host";

/// The modules that a disk and a source of entropy take, each after those it needs.
const MODULES: [&str; 7] = [
    "drivers/virtio/virtio_ring.ko",
    "drivers/virtio/virtio.ko",
    "drivers/virtio/virtio_pci_legacy_dev.ko",
    "drivers/virtio/virtio_pci_modern_dev.ko",
    "drivers/virtio/virtio_pci.ko",
    "drivers/block/virtio_blk.ko",
    "drivers/char/hw_random/virtio-rng.ko",
];

/// Programs that busybox has not, or not as the harness and package scripts need them.
const PROGRAMS: [&str; 3] = ["/usr/bin/cksum", "/usr/bin/dash", "/usr/bin/od"];

/// The first process: mounts what everything needs and becomes init.
const INIT: &str = "#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp /root /run /host
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mkdir -p /dev/pts /dev/shm
/bin/busybox mount -t devpts devpts /dev/pts
/bin/busybox mount -t tmpfs tmpfs /dev/shm
/bin/busybox mount -t tmpfs tmpfs /tmp
# Our own programs first: busybox links only names that are still free.
for program in /real/*; do /bin/busybox ln -s \"$program\" /usr/bin/; done
/bin/busybox ln -s dash /usr/bin/sh
/bin/busybox --install -s /usr/bin 2>/dev/null
exec /bin/busybox init </dev/console >/dev/console 2>&1
";

const INITTAB: &str = "\
::sysinit:/etc/rc.boot
ttyS0::respawn:/usr/bin/getty -L -l /usr/bin/login 115200 ttyS0 vt100
::shutdown:/etc/rc.halt
::ctrlaltdel:/usr/bin/reboot
";

/// Makes the disk at the first boot, and switches the simulated host on.
const BOOT: &str = "#!/bin/busybox sh
export PATH=/usr/bin:/bin
hostname standin
for module in /modules/*; do insmod $module; done
n=0
while [ ! -b /dev/vda ] && [ $n -lt 50 ]; do usleep 100000; n=$((n + 1)); done
if ! mount -t ext4 /dev/vda /host 2>/dev/null; then
    echo 'standin: an empty disk: making its file system'
    mke2fs -q /dev/vda 2>&1 && mount -t ext4 /dev/vda /host || exit 1
fi
# As on illumos /tmp is in memory: a full disk leaves the harness its room there.
simhost host create /host --zone smoke && mount -t tmpfs tmpfs /host/tmp && simhost host boot /host && echo 'standin: the simulated host is up'
";

const HALT: &str = "#!/bin/busybox sh
export PATH=/usr/bin:/bin
echo 'standin: the simulated host goes down'
timeout 60 simhost host halt /host
sync
umount /host/tmp
umount /host 2>/dev/null || mount -o remount,ro /host
";

/// What root gets when he logs in: a shell of the simulated host.
const SHELL: &str = "#!/bin/busybox sh
exec /bin/simhost enter /host /bin/sh
";

const FILES: [(&str, u32, &str); 8] = [
    ("init", 0o755, INIT),
    ("etc/inittab", 0o644, INITTAB),
    ("etc/rc.boot", 0o755, BOOT),
    ("etc/rc.halt", 0o755, HALT),
    ("etc/session", 0o755, SHELL),
    ("etc/passwd", 0o644, "root::0:0:root:/root:/etc/session\n"),
    ("etc/group", 0o644, "root:x:0:\ntty:x:5:\n"),
    ("etc/securetty", 0o644, "ttyS0\n"),
];

/// What goes into the guest that is made by whoever calls.
#[derive(Debug, Clone)]
pub struct Parts {
    pub kernel: Kernel,
    /// A statically linked busybox.
    pub busybox: PathBuf,
    pub simhost: PathBuf,
}

/// Writes the initramfs; the kernel takes it as it is, not packed: unpacking costs an emulated processor seconds.
pub fn write(parts: &Parts, path: &Path) -> Result<(), StandinError> {
    let mut files: Vec<(String, u32, PathBuf)> = vec![
        ("bin/busybox".to_string(), 0o755, parts.busybox.clone()),
        ("bin/simhost".to_string(), 0o755, parts.simhost.clone()),
    ];
    let real: Vec<PathBuf> = PROGRAMS.iter().map(PathBuf::from).filter(|program| program.is_file()).collect();
    for program in &real {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        files.push((format!("real/{name}"), 0o755, program.clone()));
    }
    let linked: Vec<PathBuf> = real.iter().chain([&parts.simhost]).cloned().collect();
    for library in libraries::of(&linked)? {
        files.push((library.to_string_lossy().trim_start_matches('/').to_string(), 0o755, library));
    }
    for (number, module) in MODULES.iter().enumerate() {
        let source = parts.kernel.modules.join("kernel").join(module);
        let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((format!("modules/{number}-{name}"), 0o644, source));
    }
    archive(&files, path)
}

fn archive(files: &[(String, u32, PathBuf)], path: &Path) -> Result<(), StandinError> {
    let mut out = BufWriter::new(File::create(path).map_err(io_at(path))?);
    let mut archive = Archive::new(&mut out);
    let names = files.iter().map(|(name, _, _)| name.as_str()).chain(FILES.iter().map(|(name, _, _)| *name));
    for folder in folders(names) {
        archive.directory(&folder, 0o755, 0)?;
    }
    for (name, mode, text) in FILES {
        archive.file(name, mode, 0, text.len() as u64, &mut text.as_bytes())?;
    }
    for (name, mode, source) in files {
        let mut file = File::open(source).map_err(io_at(source))?;
        let size = file.metadata().map_err(io_at(source))?.len();
        archive.file(name, *mode, 0, size, &mut file)?;
    }
    archive.finish()?;
    out.flush().map_err(io_at(path))
}

/// Every folder that the names lie in, each after the one it lies in, and those that the boot needs.
fn folders<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    let mut folders: BTreeSet<String> = ["usr", "usr/bin", HOST.trim_start_matches('/')].map(String::from).into();
    for name in names {
        for ancestor in Path::new(name).ancestors().skip(1) {
            let folder = ancestor.to_string_lossy();
            if !folder.is_empty() {
                folders.insert(folder.into_owned());
            }
        }
    }
    folders
}

/// A statically linked busybox of this machine.
pub fn busybox() -> Result<PathBuf, StandinError> {
    let places = ["/bin/busybox", "/usr/bin/busybox"].map(PathBuf::from);
    let is_static = |path: &&PathBuf| libraries::of(&[(*path).clone()]).is_ok_and(|needed| needed.is_empty());
    places.iter().find(is_static).cloned().ok_or_else(|| StandinError::Missing {
        what: "a static busybox".to_string(),
        remedy: "apt-get install busybox-static".to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_folder_comes_before_what_lies_in_it() {
        let folders: Vec<String> =
            folders(["lib/x86_64-linux-gnu/libc.so.6", "etc/rc"].into_iter()).into_iter().collect();
        assert_eq!(folders, ["etc", "host", "lib", "lib/x86_64-linux-gnu", "usr", "usr/bin"]);
    }

    #[test]
    fn the_archive_is_one_that_cpio_reads() {
        let folder = tempfile::tempdir().unwrap();
        let (file, path) = (folder.path().join("f"), folder.path().join("archive"));
        fs::write(&file, "content").unwrap();
        archive(&[("bin/f".to_string(), 0o755, file)], &path).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.starts_with(b"070701") && bytes.len() % 512 == 0);
        let text = String::from_utf8_lossy(&bytes);
        for name in ["bin/f\0", "etc/inittab\0", "init\0", "TRAILER!!!"] {
            assert!(text.contains(name), "{name}");
        }
    }
}
