//! The files and devices behind a machine: what a snapshot of it would have to cover.
//!
//! Which file systems they are on is not asked here.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::parse::HardDisk;
use super::{Info, Uuid};

/// Descriptors of hand are well below 2 kB; one with many extents is still far below this.
const DESCRIPTOR_LIMIT: u64 = 64 << 10;
/// The first line of a descriptor that is a file of its own. Others are embedded in binary images.
const SIGNATURE: &[u8] = b"# Disk DescriptorFile";

/// What a machine is made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Backing {
    /// Settings, saved state, folder of snapshots, images.
    pub files: Vec<PathBuf>,
    /// What raw-disk descriptors among the images stand for: as a rule devices.
    pub raw_disks: Vec<PathBuf>,
    /// Images that could not be looked into.
    pub unread: Vec<(PathBuf, io::ErrorKind)>,
}

/// What is behind this machine. After a snapshot a drive holds a difference image only; `disks` (all that VirtualBox
/// knows) leads from there to the images it is based on.
pub fn backing(info: &Info, disks: &[HardDisk]) -> Backing {
    let mut backing = Backing::default();
    for path in [&info.config_file, &info.state_file, &info.snapshot_folder].into_iter().flatten() {
        backing.add_file(path.clone());
    }
    for medium in &info.media {
        backing.add_image(&medium.path);
        for base in bases(medium.uuid, disks) {
            backing.add_image(&base.location);
        }
    }
    backing
}

/// The media that this one is a difference to, the nearest first.
fn bases(medium: Option<Uuid>, disks: &[HardDisk]) -> Vec<&HardDisk> {
    let mut bases: Vec<&HardDisk> = Vec::new();
    let find = |uuid: Uuid| disks.iter().find(|d| d.uuid == uuid);
    let mut next = medium.and_then(find).and_then(|d| d.parent).and_then(find);
    // A chain is no longer than there are media, even if it runs in a circle.
    while let Some(base) = next.filter(|_| bases.len() < disks.len()) {
        bases.push(base);
        next = base.parent.and_then(find);
    }
    bases
}

impl Backing {
    fn add_file(&mut self, path: PathBuf) {
        if !self.files.contains(&path) {
            self.files.push(path);
        }
    }

    fn add_image(&mut self, path: &Path) {
        if self.files.iter().any(|known| known == path) {
            return;
        }
        self.add_file(path.to_path_buf());
        match read_descriptor(path) {
            Ok(None) => {}
            Ok(Some(descriptor)) => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                for extent in descriptor.extents.iter().filter_map(|e| Some((e, e.path.as_ref()?))) {
                    let (extent, file) = (extent.0, folder.join(extent.1));
                    // Beside the device, a partitioned disk has a file of its own for the partition table.
                    let raw = descriptor.is_raw() && extent.kind == "FLAT" && file.parent() != Some(folder);
                    if !raw {
                        self.add_file(file);
                    } else if !self.raw_disks.contains(&file) {
                        self.raw_disks.push(file);
                    }
                }
            }
            Err(error) => self.unread.push((path.to_path_buf(), error.kind())),
        }
    }
}

/// The text that makes a disk out of extents: a VMDK descriptor.
#[derive(Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// `fullDevice`, `partitionedDevice`, `monolithicFlat`, ...
    pub create_type: String,
    pub extents: Vec<Extent>,
}

/// `RW 20971520 FLAT "/dev/zvol/rdsk/tank/disk" 0`, `RW 63 ZERO`
#[derive(Debug, PartialEq, Eq)]
pub struct Extent {
    pub sectors: u64,
    pub kind: String,
    pub path: Option<PathBuf>,
    /// In sectors from the beginning of `path`.
    pub offset: u64,
}

impl Descriptor {
    /// Reads the text; None when it is none, or one without an extent.
    pub fn parse(text: &[u8]) -> Option<Descriptor> {
        let mut create_type = String::new();
        let mut extents = Vec::new();
        for line in text.strip_prefix(SIGNATURE)?.split(|&b| b == b'\n').map(<[u8]>::trim_ascii) {
            if let Some(value) = line.strip_prefix(b"createType") {
                let value = value.trim_ascii_start().strip_prefix(b"=").unwrap_or_default().trim_ascii();
                let value = value.strip_prefix(b"\"").and_then(|v| v.strip_suffix(b"\"")).unwrap_or(value);
                create_type = String::from_utf8_lossy(value).into_owned();
            } else if let Some(extent) = Extent::parse(line) {
                extents.push(extent);
            }
        }
        (!extents.is_empty()).then_some(Descriptor { create_type, extents })
    }

    /// Whether its extents stand for a device, or partitions of one.
    pub fn is_raw(&self) -> bool {
        matches!(self.create_type.as_str(), "fullDevice" | "partitionedDevice")
    }
}

impl Extent {
    fn parse(line: &[u8]) -> Option<Extent> {
        // The path is the only part with quotes, and may hold blanks.
        let open = line.iter().position(|&b| b == b'"');
        let (head, rest) = line.split_at_checked(open.unwrap_or(line.len()))?;
        let mut words = std::str::from_utf8(head).ok()?.split_ascii_whitespace();
        if !matches!(words.next()?, "RW" | "RDONLY" | "NOACCESS") {
            return None;
        }
        let sectors = words.next()?.parse().ok()?;
        let kind = words.next()?.to_string();
        let Some(quoted) = rest.strip_prefix(b"\"") else {
            return Some(Extent { sectors, kind, path: None, offset: 0 });
        };
        let close = quoted.iter().rposition(|&b| b == b'"')?;
        let path = PathBuf::from(OsString::from_vec(quoted.get(..close)?.to_vec()));
        let offset = std::str::from_utf8(quoted.get(close + 1..)?).ok()?.trim();
        let offset = if offset.is_empty() { 0 } else { offset.split_ascii_whitespace().next()?.parse().ok()? };
        Some(Extent { sectors, kind, path: Some(path), offset })
    }
}

/// The descriptor in this file; None when the file is an image of another form, or no file but a device. Reads no
/// more than the beginning.
pub fn read_descriptor(path: &Path) -> io::Result<Option<Descriptor>> {
    // Opening a device may wait, or do something.
    if !std::fs::metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut text = Vec::new();
    File::open(path)?.take(DESCRIPTOR_LIMIT).read_to_end(&mut text)?;
    Ok(Descriptor::parse(&text))
}

#[cfg(test)]
mod tests;
