//! What of ZFS is behind files, devices and settings. Pure: paths come with links followed, and lists as they were read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::parse::{Dataset, Kind, Mount};

/// Where the nodes of volumes are.
const ZVOLS: [&str; 2] = ["/dev/zvol/dsk", "/dev/zvol/rdsk"];
/// Loopback mounts on loopback mounts: no host has more.
const LOOPBACKS: usize = 8;

/// Where something is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The file system or volume of this name.
    Dataset(String),
    /// Another host's ZFS, by NFS: this mount point has a `.zfs/snapshot`.
    Remote(PathBuf),
    /// Where no snapshot reaches it, and why.
    Elsewhere(String),
}

/// One file or device, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub path: PathBuf,
    pub place: Place,
}

/// One entry of a setting, and what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// `vm/zfssnap_dslist` or `vm/zfssnap_dslist_append`
    pub property: &'static str,
    pub entry: String,
    pub place: Place,
}

/// All there is to know of what a snapshot of a VM covers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    pub files: Vec<Part>,
    /// What the VM's raw-disk descriptors stand for.
    pub raw_disks: Vec<Part>,
    /// Images that could not be looked into, and why: they may stand for more than their file.
    pub unread: Vec<(PathBuf, std::io::ErrorKind)>,
    /// Whether the places of files and raw disks are snapshot: `zfssnap_dslist` is `auto`.
    pub auto: bool,
    pub named: Vec<Named>,
}

/// What to snapshot, and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Targets {
    pub datasets: BTreeSet<String>,
    /// Mount points of other hosts' datasets.
    pub remote: BTreeSet<PathBuf>,
    /// Entries of settings that name nothing: errors.
    pub wrong: Vec<String>,
    /// Parts of the VM that no snapshot covers: worth a word.
    pub uncovered: Vec<String>,
}

impl Survey {
    pub fn targets(&self) -> Targets {
        let mut targets = Targets::default();
        if self.auto {
            for Part { path, place } in self.files.iter().chain(&self.raw_disks) {
                if let Some(why) = targets.add(place) {
                    targets.uncovered.push(format!("{} {why}: no snapshot covers it", path.display()));
                }
            }
            let unread = self.unread.iter();
            targets.uncovered.extend(unread.map(|(path, why)| {
                format!("{} could not be looked into ({why}): a disk it may stand for is not covered", path.display())
            }));
        }
        for Named { property, entry, place } in &self.named {
            if let Some(why) = targets.add(place) {
                targets.wrong.push(format!("{property}: \"{entry}\" {why}"));
            }
        }
        targets
    }
}

impl Targets {
    pub fn is_empty(&self) -> bool {
        self.datasets.is_empty() && self.remote.is_empty()
    }

    /// Takes a place in; why not, where it cannot be.
    fn add<'p>(&mut self, place: &'p Place) -> Option<&'p str> {
        match place {
            Place::Dataset(name) => {
                self.datasets.insert(name.clone());
                None
            }
            Place::Remote(point) => {
                self.remote.insert(point.clone());
                None
            }
            Place::Elsewhere(why) => Some(why),
        }
    }
}

/// What this host has.
pub struct Map<'a> {
    datasets: &'a [Dataset],
    mounts: Vec<Mount>,
    has_snapshots: &'a dyn Fn(&Path) -> bool,
}

impl<'a> Map<'a> {
    /// `mnttab`: all that is mounted; where a host has no such table, what ZFS says of its own file systems is all
    /// there is. `has_snapshots` tells whether a mount point has a folder `.zfs/snapshot`.
    pub fn new(datasets: &'a [Dataset], mnttab: Option<Vec<Mount>>, has_snapshots: &'a dyn Fn(&Path) -> bool) -> Self {
        let own = |d: &Dataset| {
            let point = d.mountpoint.clone().filter(|_| d.mounted)?;
            Some(Mount { special: d.name.clone().into(), point, fstype: "zfs".to_string() })
        };
        let mounts = mnttab.unwrap_or_else(|| datasets.iter().filter_map(own).collect());
        Map { datasets, mounts, has_snapshots }
    }

    /// Where a file is; its path is absolute and leads through no link.
    pub fn of_file(&self, real: &Path) -> Place {
        if let Some(place) = self.of_volume(real) {
            return place;
        }
        if real.starts_with("/dev") || real.starts_with("/devices") {
            return Place::Elsewhere("is a device that is no volume of ZFS".to_string());
        }
        let mut path = real.to_path_buf();
        for _ in 0..LOOPBACKS {
            let Some(mount) = self.mount_of(&path) else {
                return Place::Elsewhere("is on no ZFS file system".to_string());
            };
            if mount.fstype != "lofs" {
                return self.of_mount(mount);
            }
            let source = Path::new(&mount.special);
            // A zone that cannot see the source is told the mount point in its place.
            let below = path.strip_prefix(&mount.point).ok().filter(|_| source.is_absolute() && source != mount.point);
            let Some(below) = below else { break };
            path = if below.as_os_str().is_empty() { source.to_path_buf() } else { source.join(below) };
        }
        Place::Elsewhere("is reached by a loopback mount from a place this zone does not see".to_string())
    }

    /// The volume that a device is, or a partition or slice of it; `None` where it is in another place.
    pub fn of_volume(&self, device: &Path) -> Option<Place> {
        let name = volume_name(device)?;
        let volume = |name: &str| self.datasets.iter().find(|d| d.kind == Kind::Volume && d.name == name);
        // A volume may itself be called as if it were a partition.
        let found = volume(&name).or_else(|| volume(without_partition(&name)?));
        Some(match found {
            Some(volume) => Place::Dataset(volume.name.clone()),
            None => Place::Elsewhere("stands for a volume that does not exist".to_string()),
        })
    }

    /// What an entry of a setting names: a dataset, or exactly a mount point, `real` with links followed.
    pub fn of_setting(&self, name: &str, real: &Path) -> Place {
        if !name.starts_with('/') {
            return match self.datasets.iter().find(|d| d.name == name) {
                Some(dataset) => Place::Dataset(dataset.name.clone()),
                None => Place::Elsewhere("is no dataset of this host".to_string()),
            };
        }
        if let Some(place) = self.of_volume(real) {
            return place;
        }
        match self.mount_of(real) {
            Some(mount) if mount.point == real => self.of_mount(mount),
            Some(mount) => Place::Elsewhere(format!("is no mount point; it is on {}", mount.special.display())),
            None => Place::Elsewhere("is no mount point of ZFS".to_string()),
        }
    }

    fn of_mount(&self, mount: &Mount) -> Place {
        let special = mount.special.to_string_lossy();
        match mount.fstype.as_str() {
            "zfs" if special.contains('@') => Place::Elsewhere(format!("is in a snapshot, {special}")),
            "zfs" if self.datasets.iter().any(|d| d.name == special) => Place::Dataset(special.into_owned()),
            "zfs" => Place::Elsewhere(format!("is on {special}, a dataset that is not seen from here")),
            // NFS of any version.
            nfs if nfs.starts_with("nfs") && (self.has_snapshots)(&mount.point) => Place::Remote(mount.point.clone()),
            nfs if nfs.starts_with("nfs") => {
                Place::Elsewhere(format!("is on {special} by NFS, and {} has no .zfs/snapshot", mount.point.display()))
            }
            other => Place::Elsewhere(format!("is on {special}, a file system of type {other}")),
        }
    }

    /// The file system that a path is on: of the mount points above it the deepest, of several there the last.
    fn mount_of(&self, path: &Path) -> Option<&Mount> {
        let above = self.mounts.iter().filter(|m| path.starts_with(&m.point));
        above.max_by_key(|m| m.point.components().count())
    }
}

/// The name behind a path below `/dev/zvol`, which may have a partition or a slice at its end.
pub fn volume_name(device: &Path) -> Option<String> {
    let name = ZVOLS.iter().find_map(|root| device.strip_prefix(root).ok())?;
    name.to_str().filter(|n| !n.is_empty()).map(str::to_string)
}

/// `tank/disk` for `tank/diskp1` and `tank/disks0`.
fn without_partition(name: &str) -> Option<&str> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == name.len() {
        return None;
    }
    stem.strip_suffix(['p', 's']).filter(|stem| !stem.ends_with('/'))
}

#[cfg(test)]
mod tests;
