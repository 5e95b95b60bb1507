//! One object on disk: is it as the package says, and making it so.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use nix::unistd::{Gid, Group, Uid, User, chown, mkfifo};

use super::map::{Attributes, Facts, Object, cksum};
use crate::enclosure::enter::has_other_users;

/// What is known of a file on disk.
pub fn facts_of(path: &Path) -> io::Result<Facts> {
    let bytes = fs::read(path)?;
    Ok(Facts { size: bytes.len() as u64, cksum: cksum(&bytes), mtime: fs::metadata(path)?.mtime() })
}

/// An owner or a group that the system does not know.
pub fn unknown_name(attributes: &Attributes) -> Option<String> {
    let owner = attributes.owner.as_ref().filter(|name| !matches!(User::from_name(name), Ok(Some(_))));
    let group = attributes.group.as_ref().filter(|name| !matches!(Group::from_name(name), Ok(Some(_))));
    match (owner, group) {
        (Some(name), _) => Some(format!("owner name <{name}> not found in passwd table")),
        (_, Some(name)) => Some(format!("group name <{name}> not found in group table")),
        _ => None,
    }
}

/// What differs on disk, in words; the contents only if they are asked for.
pub fn faults(object: &Object, path: &Path, with_contents: bool) -> Vec<String> {
    let mut faults = Vec::new();
    let Ok(meta) = path.symlink_metadata() else { return vec!["pathname does not exist".into()] };
    match object.letter {
        's' => {
            let found = fs::read_link(path).map(|found| found.to_string_lossy().into_owned()).unwrap_or_default();
            if Some(&found) != object.target.as_ref() {
                faults.push("pathname not symbolically linked to the expected path".into());
            }
            return faults;
        }
        'd' | 'x' if !meta.is_dir() => faults.push("file type <d> expected".into()),
        'f' | 'e' | 'v' | 'l' if !meta.is_file() => faults.push(format!("file type <{}> expected", object.letter)),
        _ => {}
    }
    if faults.is_empty()
        && let Some(attributes) = &object.attributes
    {
        faults.extend(attribute_faults(attributes, &meta));
    }
    if let (true, true, Some(wanted)) =
        (faults.is_empty() || meta.is_file(), with_contents && meta.is_file(), object.facts)
    {
        let found = facts_of(path).unwrap_or(Facts { size: 0, cksum: 0, mtime: 0 });
        if found.size != wanted.size {
            faults.push(format!("file size <{}> expected <{}> actual", wanted.size, found.size));
        }
        if found.cksum != wanted.cksum {
            faults.push(format!("file cksum <{}> expected <{}> actual", wanted.cksum, found.cksum));
        }
    }
    faults
}

fn attribute_faults(attributes: &Attributes, meta: &fs::Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    let found = meta.mode() & 0o7777;
    if let Some(mode) = attributes.mode.filter(|mode| *mode != found) {
        faults.push(format!("permissions <{mode:04o}> expected <{found:04o}> actual"));
    }
    if !has_other_users() {
        return faults;
    }
    let user =
        User::from_uid(Uid::from_raw(meta.uid())).ok().flatten().map_or(meta.uid().to_string(), |user| user.name);
    let group =
        Group::from_gid(Gid::from_raw(meta.gid())).ok().flatten().map_or(meta.gid().to_string(), |group| group.name);
    for (what, wanted, found) in [("owner", &attributes.owner, user), ("group", &attributes.group, group)] {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| **wanted != found) {
            faults.push(format!("{what} name <{wanted}> expected <{found}> actual"));
        }
    }
    faults
}

/// Sets mode and owners. What a map leaves open stays.
pub fn set_attributes(object: &Object, path: &Path) -> io::Result<()> {
    let Some(attributes) = &object.attributes else { return Ok(()) };
    let id = |found: Option<u32>| found.filter(|_| has_other_users());
    let owner = attributes.owner.as_ref().and_then(|name| User::from_name(name).ok().flatten());
    let group = attributes.group.as_ref().and_then(|name| Group::from_name(name).ok().flatten());
    let owner = id(owner.map(|user| user.uid.as_raw())).map(Uid::from_raw);
    chown(path, owner, id(group.map(|group| group.gid.as_raw())).map(Gid::from_raw))?;
    match attributes.mode {
        Some(mode) => fs::set_permissions(path, Permissions::from_mode(mode)),
        None => Ok(()),
    }
}

/// Copies a file into its place: beside it first, then over it.
pub fn put(source: &Path, path: &Path, mtime: i64) -> io::Result<()> {
    make_parents(path)?;
    if path.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    io::copy(&mut fs::File::open(source)?, &mut new)?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(mtime.try_into().unwrap_or_default());
    new.as_file().set_modified(time)?;
    new.persist(path).map(drop).map_err(|failed| failed.error)
}

/// Folders that no package has are made all the same, and owned by nobody.
fn make_parents(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Makes what is no file. The parent of a link is not made.
pub fn make(object: &Object, path: &Path, linked: &Path) -> io::Result<()> {
    let there = path.symlink_metadata();
    let mode = Mode::from_bits_truncate(object.attributes.as_ref().and_then(|a| a.mode).unwrap_or(0o755) as _);
    match object.letter {
        'd' | 'x' if there.as_ref().is_ok_and(fs::Metadata::is_dir) => Ok(()),
        'd' | 'x' => fs::create_dir_all(path),
        _ if there.as_ref().is_ok_and(fs::Metadata::is_dir) => Err(io::ErrorKind::IsADirectory.into()),
        letter => {
            let replace = || if path.symlink_metadata().is_ok() { fs::remove_file(path) } else { Ok(()) };
            match letter {
                's' => {
                    let target = object.target.clone().unwrap_or_default();
                    if fs::read_link(path).is_ok_and(|found| found == Path::new(&target)) {
                        return Ok(());
                    }
                    replace()?;
                    symlink(target, path)
                }
                'l' => {
                    replace()?;
                    fs::hard_link(linked, path)
                }
                'p' => {
                    make_parents(path)?;
                    replace()?;
                    Ok(mkfifo(path, mode)?)
                }
                _ => {
                    let (major, minor) = object.device.unwrap_or_default();
                    let kind = if letter == 'c' { SFlag::S_IFCHR } else { SFlag::S_IFBLK };
                    make_parents(path)?;
                    replace()?;
                    Ok(mknod(path, kind, mode, makedev(major.into(), minor.into()))?)
                }
            }
        }
    }
}
