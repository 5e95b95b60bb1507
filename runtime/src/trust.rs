//! Who could change what a path leads to.
//!
//! Permission bits of the last component say little: whoever may rename a folder above it, or plant a link on the way,
//! decides what is found. So every step is looked at, from the root on, links and what they lead to among them. It
//! looks and judges; what follows from that is its callers' business. An ACL that an administrator has added is not
//! seen: the bits do not tell of it.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// More links on one way than any system follows.
const MOST_LINKS: usize = 40;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// A place on the way that somebody else could change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weak {
    pub place: PathBuf,
    pub who: &'static str,
}

/// The first place on the way to `path`, or what is there itself, that somebody else than root and `owner` could
/// change. In a sticky folder such as /tmp everybody can make things, but nobody can replace another's.
pub fn weak_place(path: &Path, owner: u32) -> io::Result<Option<Weak>> {
    let mut rest: VecDeque<OsString> = steps(path);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    if let Some(weak) = judge(&at, &fs::symlink_metadata(&at)?, owner) {
        return Ok(Some(weak));
    }
    while let Some(step) = rest.pop_front() {
        if step == ".." {
            at.pop();
            continue;
        }
        let place = at.join(&step);
        let meta = fs::symlink_metadata(&place)?;
        if let Some(weak) = judge(&place, &meta, owner) {
            return Ok(Some(weak));
        }
        if !meta.is_symlink() {
            at = place;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(io::Error::other("too many symbolic links"));
        }
        let target = fs::read_link(&place)?;
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for step in steps(&target).into_iter().rev() {
            rest.push_front(step);
        }
    }
    Ok(None)
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let named = |component: Component| match component {
        Component::Normal(name) => Some(name.to_os_string()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(named).collect()
}

fn judge(place: &Path, meta: &fs::Metadata, owner: u32) -> Option<Weak> {
    let weak = |who| Some(Weak { place: place.to_path_buf(), who });
    let is_closed = meta.mode() & OTHERS_WRITE == 0
        || meta.is_symlink() // the bits of a link say nothing
        || (meta.is_dir() && meta.mode() & STICKY != 0);
    match meta.uid() {
        uid if uid != 0 && uid != owner => weak("its owner"),
        _ if is_closed => None,
        _ => weak("its group or everybody"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A folder `a/b` with the file `c`, all closed to others.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let tmp = tempfile::tempdir().unwrap();
        let base = tmp.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("a/b")).unwrap();
        fs::write(base.join("a/b/c"), "").unwrap();
        for (place, mode) in [("a", 0o755), ("a/b", 0o755), ("a/b/c", 0o644)] {
            chmod(&base.join(place), mode);
        }
        (tmp, base)
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn me() -> u32 {
        nix::unistd::geteuid().as_raw()
    }

    fn weak(path: &Path) -> Option<PathBuf> {
        weak_place(path, me()).unwrap().map(|weak| weak.place)
    }

    #[test]
    fn a_way_that_nobody_else_can_change_has_no_weak_place() {
        let (_tmp, base) = tree();
        assert_eq!(weak(&base.join("a/b/c")), None);
        assert_eq!(weak(&base.join("a/../a/./b/c")), None);
    }

    #[test]
    fn every_step_counts_and_the_first_weak_one_is_told() {
        for (place, mode) in [("a", 0o775), ("a/b", 0o757), ("a/b/c", 0o664)] {
            let (_tmp, base) = tree();
            chmod(&base.join(place), mode);
            assert_eq!(weak(&base.join("a/b/c")), Some(base.join(place)), "{place}");
        }
    }

    #[test]
    fn a_sticky_folder_is_no_weak_place() {
        let (_tmp, base) = tree();
        chmod(&base.join("a"), 0o1777);
        assert_eq!(weak(&base.join("a/b/c")), None);
    }

    #[test]
    fn where_a_link_leads_is_looked_at_step_by_step() {
        let (_tmp, base) = tree();
        fs::create_dir(base.join("open")).unwrap();
        symlink(base.join("a/b"), base.join("open/link")).unwrap();
        symlink("open/link/c", base.join("way")).unwrap();
        assert_eq!(weak(&base.join("way")), None);
        chmod(&base.join("open"), 0o777);
        assert_eq!(weak(&base.join("way")), Some(base.join("open")), "the folder of a link on the way");
        chmod(&base.join("open"), 0o755);
        chmod(&base.join("a"), 0o777);
        assert_eq!(weak(&base.join("way")), Some(base.join("a")), "above what the link leads to");
    }

    #[test]
    fn a_link_that_leads_to_itself_is_an_error_and_not_a_wait() {
        let (_tmp, base) = tree();
        symlink(base.join("loop"), base.join("loop")).unwrap();
        assert!(weak_place(&base.join("loop"), me()).is_err());
        assert!(weak_place(&base.join("nothing"), me()).is_err());
    }

    #[test]
    fn somebody_elses_place_is_weak_whatever_its_mode() {
        let (_tmp, base) = tree();
        let stranger = me().wrapping_add(1);
        let found = weak_place(&base.join("a/b/c"), stranger).unwrap();
        // Root's own places are everybody's to trust.
        assert_eq!(found.is_none(), me() == 0, "{found:?}");
        if me() == 0 {
            std::os::unix::fs::chown(base.join("a/b"), Some(12345), None).unwrap();
            let found = weak_place(&base.join("a/b/c"), 0).unwrap();
            assert_eq!(found, Some(Weak { place: base.join("a/b"), who: "its owner" }));
            assert_eq!(weak_place(&base.join("a/b/c"), 12345).unwrap(), None);
        }
    }
}
