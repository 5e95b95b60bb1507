//! Following links, up to the node of a volume and no further: behind it there is only a device number.

use std::fs;
use std::path::{Path, PathBuf};

use super::discover::volume_name;

/// As many as the system follows itself.
const LINKS: usize = 20;
/// The table of mounted file systems.
const MNTTAB: &str = "/etc/mnttab";

/// Where a path leads to. Of one that does not exist, as much as does.
pub fn real(path: &Path) -> PathBuf {
    let mut at = path.to_path_buf();
    for _ in 0..LINKS {
        at = with_real_parent(&at);
        if volume_name(&at).is_some() {
            return at;
        }
        match (fs::read_link(&at), at.parent()) {
            (Ok(target), Some(parent)) => at = parent.join(target),
            _ => return at,
        }
    }
    at
}

/// The path with links followed in all but its last part, as far as there are folders.
fn with_real_parent(path: &Path) -> PathBuf {
    let mut missing = Vec::new();
    let mut at = path;
    while let (Some(parent), Some(name)) = (at.parent(), at.components().next_back()) {
        missing.push(name.as_os_str());
        if let Ok(mut real) = fs::canonicalize(parent) {
            for part in missing.iter().rev() {
                match *part {
                    name if name == ".." => drop(real.pop()),
                    name => real.push(name),
                }
            }
            return real;
        }
        at = parent;
    }
    path.to_path_buf()
}

/// What is mounted; `None` on a host without such a table.
pub fn mnttab() -> Option<Vec<u8>> {
    fs::read(MNTTAB).ok()
}

/// The folder that makes snapshots by `mkdir` and shows them as folders.
pub fn snapshot_folder(mount_point: &Path) -> PathBuf {
    mount_point.join(".zfs/snapshot")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_to_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("pool")).unwrap();
        fs::write(root.join("pool/disk.vdi"), "").unwrap();
        symlink("pool", root.join("vms")).unwrap();
        symlink("vms/disk.vdi", root.join("a.vdi")).unwrap();
        assert_eq!(real(&root.join("a.vdi")), root.join("pool/disk.vdi"));
        assert_eq!(real(&root.join("vms/../vms/disk.vdi")), root.join("pool/disk.vdi"));
    }

    #[test]
    fn of_what_does_not_exist_the_existing_part_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs::create_dir(root.join("pool")).unwrap();
        symlink("pool", root.join("vms")).unwrap();
        assert_eq!(real(&root.join("vms/gone/too.sav")), root.join("pool/gone/too.sav"));
    }

    #[test]
    fn a_link_to_a_volume_ends_at_its_name() {
        let dir = tempfile::tempdir().unwrap();
        symlink("/dev/zvol/rdsk/tank/disk", dir.path().join("disk")).unwrap();
        assert_eq!(real(&dir.path().join("disk")), Path::new("/dev/zvol/rdsk/tank/disk"));
    }

    #[test]
    fn links_in_a_circle_end() {
        let dir = tempfile::tempdir().unwrap();
        symlink("b", dir.path().join("a")).unwrap();
        symlink("a", dir.path().join("b")).unwrap();
        assert!(real(&dir.path().join("a")).is_absolute());
    }
}
