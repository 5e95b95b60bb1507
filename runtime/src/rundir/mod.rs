//! The files an instance leaves between its commands: pid, nokick, block, restart-once.
//!
//! Only this module opens them. Nobody else can trick us with them: the folder is the user's own and closed to others,
//! no symbolic link is followed, and a file of another owner is never trusted.

pub mod files;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, UtimensatFlags, fstat, fstatat, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use crate::identity::Identity;
use crate::interrupted::uninterrupted;
use crate::trust::{Weak, weak_place};

/// More than any of these files needs.
const LARGEST: u64 = 64 << 10;
const PRIVATE: Mode = Mode::S_IRWXU;
const FILE_MODE: Mode = Mode::from_bits_truncate(0o644);

#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    #[error("{path} belongs to user id {owner}, not to {expected}: have it removed, it may be there to mislead")]
    Squatted { path: PathBuf, owner: u32, expected: u32 },
    #[error("{path} can be written by others (mode {mode:o}): chmod go-w it")]
    Open { path: PathBuf, mode: u32 },
    #[error("{path} is not {wanted}: have it removed, it may be there to mislead")]
    WrongKind { path: PathBuf, wanted: &'static str },
    #[error(
        "{path} is not used, because {who} could change {place}: chown it to root or the VM's user and chmod go-w it"
    )]
    Weak { path: PathBuf, who: &'static str, place: PathBuf },
    #[error("{path} has another name elsewhere (a hard link): have it removed, it may be there to mislead")]
    Linked { path: PathBuf },
    #[error("{path} holds something else than what this program writes there: name another file, or remove it")]
    Foreign { path: PathBuf },
    #[error("cannot {what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: io::Error },
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(nix::Error) -> RunDirError {
    let path = path.to_path_buf();
    move |errno| RunDirError::Io { what, path, source: errno.into() }
}

/// The folder of one user's run files, open and found to be his own.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    fd: Rc<OwnedFd>,
    owner: u32,
}

impl RunDir {
    /// Opens the folder for this user, making it where it is missing. `place`, where given, is used instead of the
    /// usual ones: a folder that is there, in which each user has one of his own, named by his number.
    pub fn open(user: &Identity, place: Option<&Path>, host: &Host) -> Result<RunDir, RunDirError> {
        let path = match place {
            Some(place) => {
                closed_way(place, place, user.uid)?;
                let path = place.join(user.uid.to_string());
                make_private(&path)?;
                path
            }
            None => usual_place(user, host)?,
        };
        let fd = open_directory(&path, user.uid)?;
        Ok(RunDir { path, fd: Rc::new(fd), owner: user.uid })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes what processes that were killed while they wrote a file of this instance have left beside it.
    pub fn remove_unfinished(&self, instance: &str, is_dead: impl Fn(i32) -> bool) -> Result<(), RunDirError> {
        let entries = fs::read_dir(&self.path);
        let io = |source| RunDirError::Io { what: "list", path: self.path.clone(), source };
        for entry in entries.map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let writer = name
                .to_str()
                .and_then(|n| n.strip_prefix(instance)?.strip_prefix('.')?.split_once('.')?.1.parse().ok());
            if writer.is_some_and(&is_dead) {
                self.file(&name.to_string_lossy(), None)?.remove()?;
            }
        }
        Ok(())
    }

    /// A file in the folder, or at a path of the administrator's choice.
    pub fn file(&self, name: &str, chosen: Option<&Path>) -> Result<RunFile, RunDirError> {
        let (dir, name, path) = match chosen {
            None => (Rc::clone(&self.fd), PathBuf::from(name), self.path.join(name)),
            Some(path) => {
                let wrong = || RunDirError::WrongKind { path: path.to_path_buf(), wanted: "a file name" };
                let (parent, name) = (path.parent().ok_or_else(wrong)?, path.file_name().ok_or_else(wrong)?);
                closed_way(parent, path, self.owner)?;
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let fd = open(parent, flags, Mode::empty()).map_err(io_error("open", parent))?;
                (Rc::new(fd), PathBuf::from(name), path.to_path_buf())
            }
        };
        Ok(RunFile { dir, name, path, owner: self.owner })
    }
}

/// That nobody else can change what `folder` leads to; `path` is what is wanted there.
fn closed_way(folder: &Path, path: &Path, owner: u32) -> Result<(), RunDirError> {
    let look = |source| RunDirError::Io { what: "look at", path: folder.to_path_buf(), source };
    match weak_place(folder, owner).map_err(look)? {
        None => Ok(()),
        Some(Weak { place, who }) => Err(RunDirError::Weak { path: path.to_path_buf(), who, place }),
    }
}

/// Which system and zone this is: homes may be shared between hosts.
#[derive(Debug, Clone)]
pub struct Host {
    pub node: String,
    pub zone: String,
}

fn usual_place(user: &Identity, host: &Host) -> Result<PathBuf, RunDirError> {
    if user.is_root() {
        let path = PathBuf::from("/var/run/vboxsvc");
        make_private(&path)?;
        return Ok(path);
    }
    let of_user = PathBuf::from(format!("/var/run/user/{}", user.uid));
    if is_own_directory(&of_user, user.uid) {
        let path = of_user.join("vboxsvc");
        make_private(&path)?;
        return Ok(path);
    }
    if is_own_directory(&user.home, user.uid) {
        // Both names come from outside, and neither may lead elsewhere.
        let own = format!("{}-{}", host.node, host.zone).replace('/', "_");
        let path = user.home.join(".vboxsvc/run").join(own);
        for folder in [user.home.join(".vboxsvc"), user.home.join(".vboxsvc/run"), path.clone()] {
            make_private(&folder)?;
            open_directory(&folder, user.uid)?;
        }
        return Ok(path);
    }
    let path = PathBuf::from(format!("/tmp/vboxsvc-{}", user.uid));
    make_private(&path)?;
    Ok(path)
}

fn is_own_directory(path: &Path, uid: u32) -> bool {
    fs::symlink_metadata(path).is_ok_and(|m| m.is_dir() && m.uid() == uid)
}

/// Makes the folder, 0700, if nothing is there; what is there is judged on opening it.
fn make_private(path: &Path) -> Result<(), RunDirError> {
    match mkdirat(nix::fcntl::AT_FDCWD, path, PRIVATE) {
        Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
        Err(errno) => Err(io_error("make", path)(errno)),
    }
}

fn open_directory(path: &Path, uid: u32) -> Result<OwnedFd, RunDirError> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let fd = match open(path, flags, Mode::empty()) {
        Err(nix::Error::ELOOP | nix::Error::ENOTDIR) => {
            return Err(RunDirError::WrongKind { path: path.to_path_buf(), wanted: "a folder" });
        }
        opened => opened.map_err(io_error("open", path))?,
    };
    let stat = fstat(&fd).map_err(io_error("look at", path))?;
    if stat.st_uid != uid {
        return Err(RunDirError::Squatted { path: path.to_path_buf(), owner: stat.st_uid, expected: uid });
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(RunDirError::Open { path: path.to_path_buf(), mode: stat.st_mode & 0o7777 });
    }
    Ok(fd)
}

/// What a run file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub text: String,
    pub modified: SystemTime,
}

/// One run file, there or not.
#[derive(Debug, Clone)]
pub struct RunFile {
    dir: Rc<OwnedFd>,
    name: PathBuf,
    path: PathBuf,
    owner: u32,
}

impl RunFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file without following links, and only if it is a plain file of our own.
    fn open(&self, flags: OFlag) -> Result<Option<File>, RunDirError> {
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let fd = match openat(self.dir.as_fd(), &self.name, flags, FILE_MODE) {
            Ok(fd) => fd,
            Err(nix::Error::ENOENT) => return Ok(None),
            Err(nix::Error::ELOOP | nix::Error::EISDIR | nix::Error::ENXIO) => {
                return Err(RunDirError::WrongKind { path: self.path.clone(), wanted: "a plain file" });
            }
            Err(errno) => return Err(io_error("open", &self.path)(errno)),
        };
        let file = File::from(fd);
        let meta = file.metadata().map_err(|source| self.io("look at", source))?;
        if !meta.is_file() {
            return Err(RunDirError::WrongKind { path: self.path.clone(), wanted: "a plain file" });
        }
        if meta.uid() != self.owner {
            return Err(RunDirError::Squatted { path: self.path.clone(), owner: meta.uid(), expected: self.owner });
        }
        Ok(Some(file))
    }

    pub fn read(&self) -> Result<Option<Found>, RunDirError> {
        let Some(file) = self.open(OFlag::O_RDONLY)? else { return Ok(None) };
        let modified = file.metadata().and_then(|m| m.modified()).map_err(|source| self.io("look at", source))?;
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes).map_err(|source| self.io("read", source))?;
        Ok(Some(Found { text: String::from_utf8_lossy(&bytes).into_owned(), modified }))
    }

    /// The owner of whatever is there under this name.
    pub fn owner(&self) -> Result<Option<u32>, RunDirError> {
        match fstatat(self.dir.as_fd(), &self.name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat.st_uid)),
            Err(nix::Error::ENOENT) => Ok(None),
            Err(errno) => Err(io_error("look at", &self.path)(errno)),
        }
    }

    /// Writes the file anew; false when it had to be new and was there already. Whoever reads it finds all of the text
    /// or none: it is written beside its place and put there whole.
    pub fn write(&self, text: &str, must_be_new: bool) -> Result<bool, RunDirError> {
        if !must_be_new {
            // What is there must be ours to replace.
            self.open(OFlag::O_WRONLY)?;
        }
        let mut name = self.name.clone().into_os_string();
        name.push(format!(".{}", std::process::id()));
        let beside = RunFile { name: name.into(), ..self.clone() };
        beside.remove()?;
        let file = beside.open(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL)?;
        let mut file = file.ok_or_else(|| io_error("make", &self.path)(nix::Error::ENOENT))?;
        let placed = rewrite(&mut file, text).map_err(|source| self.io("write", source)).and_then(|()| {
            let (dir, from, to) = (self.dir.as_fd(), &beside.name, &self.name);
            if must_be_new {
                match linkat(dir, from, dir, to, AtFlags::empty()) {
                    Ok(()) => Ok(true),
                    Err(nix::Error::EEXIST) => Ok(false),
                    Err(errno) => Err(io_error("make", &self.path)(errno)),
                }
            } else {
                renameat(dir, from, dir, to).map(|()| true).map_err(io_error("write", &self.path))
            }
        });
        beside.remove()?;
        placed
    }

    /// Opens the file, emptied, for a program to append its output and for us to read it.
    pub fn open_output(&self) -> Result<File, RunDirError> {
        let file = self.open(OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_APPEND)?;
        let file = file.ok_or_else(|| io_error("make", &self.path)(nix::Error::ENOENT))?;
        self.only_name(&file)?;
        file.set_len(0).map_err(|source| self.io("write", source))?;
        Ok(file)
    }

    /// Sets the file's time to now.
    pub fn touch(&self) -> Result<(), RunDirError> {
        let now = TimeSpec::UTIME_NOW;
        utimensat(self.dir.as_fd(), &self.name, &now, &now, UtimensatFlags::NoFollowSymlink)
            .map_err(io_error("touch", &self.path))
    }

    /// Removes whatever is there under this name; nothing is no error.
    pub fn remove(&self) -> Result<(), RunDirError> {
        match unlinkat(self.dir.as_fd(), &self.name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(nix::Error::ENOENT) => Ok(()),
            Err(errno) => Err(io_error("remove", &self.path)(errno)),
        }
    }

    /// Takes the lock on the file, making it where it is missing; `None` when another process holds it.
    pub fn lock(&self) -> Result<Option<Lock>, RunDirError> {
        let file = self.open(OFlag::O_RDWR | OFlag::O_CREAT)?;
        let file = file.ok_or_else(|| io_error("make", &self.path)(nix::Error::ENOENT))?;
        self.only_name(&file)?;
        match locked(|| file.try_lock()) {
            Ok(()) => Ok(Some(Lock { file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(self.io("lock", source)),
        }
    }

    /// Whether some process holds the lock. Those who ask share it for a moment, so that none of them takes another for
    /// the holder; and to ask, nobody needs to be able to write here.
    pub fn is_locked(&self) -> Result<bool, RunDirError> {
        let Some(file) = self.open(OFlag::O_RDONLY)? else { return Ok(false) };
        match locked(|| file.try_lock_shared()) {
            Ok(()) => Ok(false),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(source)) => Err(self.io("lock", source)),
        }
    }

    /// What is written in place must be here alone: in a folder for all, others can give a file of ours a second name.
    fn only_name(&self, file: &File) -> Result<(), RunDirError> {
        match file.metadata().map_err(|source| self.io("look at", source))?.nlink() {
            0 | 1 => Ok(()),
            _ => Err(RunDirError::Linked { path: self.path.clone() }),
        }
    }

    fn io(&self, what: &'static str, source: io::Error) -> RunDirError {
        RunDirError::Io { what, path: self.path.clone(), source }
    }
}

fn locked(lock: impl Fn() -> Result<(), fs::TryLockError>) -> Result<(), fs::TryLockError> {
    let interrupted = |source: &io::Error| source.kind() == io::ErrorKind::Interrupted;
    uninterrupted(lock, |tried| matches!(tried, Err(fs::TryLockError::Error(source)) if interrupted(source)))
}

/// A lock held for as long as this value, or the process, lives.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Replaces the text of the locked file.
    pub fn write(&mut self, text: &str) -> io::Result<()> {
        rewrite(&mut self.file, text)
    }
}

fn rewrite(file: &mut File, text: &str) -> io::Result<()> {
    use std::io::Seek;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}

#[cfg(test)]
mod tests;
