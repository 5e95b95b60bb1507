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

    /// A file in the folder, or at a path of the administrator's choice.
    pub fn file(&self, name: &str, chosen: Option<&Path>) -> Result<RunFile, RunDirError> {
        let (dir, name, path) = match chosen {
            None => (Rc::clone(&self.fd), PathBuf::from(name), self.path.join(name)),
            Some(path) => {
                let wrong = || RunDirError::WrongKind { path: path.to_path_buf(), wanted: "a file name" };
                let (parent, name) = (path.parent().ok_or_else(wrong)?, path.file_name().ok_or_else(wrong)?);
                let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let fd = open(parent, flags, Mode::empty()).map_err(io_error("open", parent))?;
                (Rc::new(fd), PathBuf::from(name), path.to_path_buf())
            }
        };
        Ok(RunFile { dir, name, path, owner: self.owner })
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
        let path = user.home.join(".vboxsvc/run").join(format!("{}-{}", host.node, host.zone));
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
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { file })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(source)) => Err(self.io("lock", source)),
        }
    }

    /// Whether some process holds the lock.
    pub fn is_locked(&self) -> Result<bool, RunDirError> {
        let Some(file) = self.open(OFlag::O_RDWR)? else { return Ok(false) };
        match file.try_lock() {
            Ok(()) => Ok(false),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(source)) => Err(self.io("lock", source)),
        }
    }

    fn io(&self, what: &'static str, source: io::Error) -> RunDirError {
        RunDirError::Io { what, path: self.path.clone(), source }
    }
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
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn host() -> Host {
        Host { node: "node".into(), zone: "global".into() }
    }

    /// The folder of the user who runs the test.
    fn own(place: &Path) -> PathBuf {
        place.join(Identity::current().unwrap().uid.to_string())
    }

    fn run_dir(place: &Path) -> Result<RunDir, RunDirError> {
        RunDir::open(&Identity::current().unwrap(), Some(place), &host())
    }

    #[test]
    fn a_missing_folder_is_made_closed_to_others() {
        let tmp = tempfile::tempdir().unwrap();
        run_dir(tmp.path()).unwrap();
        assert_eq!(fs::metadata(own(tmp.path())).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_others_can_write_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(own(tmp.path())).unwrap();
        fs::set_permissions(own(tmp.path()), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(run_dir(tmp.path()), Err(RunDirError::Open { .. })));
    }

    #[test]
    fn a_link_in_place_of_the_folder_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        symlink(tmp.path(), own(tmp.path())).unwrap();
        assert!(matches!(run_dir(tmp.path()), Err(RunDirError::WrongKind { .. })));
    }

    #[test]
    fn a_planted_link_is_not_followed_and_its_target_stays_as_it_was() {
        let tmp = tempfile::tempdir().unwrap();
        let victim = tmp.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        let dir = run_dir(tmp.path()).unwrap();
        symlink(&victim, dir.path().join("web.pid")).unwrap();
        let file = dir.file("web.pid", None).unwrap();
        assert!(matches!(file.write("1", false), Err(RunDirError::WrongKind { .. })));
        assert!(matches!(file.read(), Err(RunDirError::WrongKind { .. })));
        assert!(matches!(file.lock(), Err(RunDirError::WrongKind { .. })));
        file.remove().unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn a_fifo_or_a_folder_in_place_of_a_file_is_refused_at_once() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = run_dir(tmp.path()).unwrap();
        nix::unistd::mkfifo(&dir.path().join("web.block"), PRIVATE).unwrap();
        fs::create_dir(dir.path().join("web.pid")).unwrap();
        for name in ["web.block", "web.pid"] {
            let file = dir.file(name, None).unwrap();
            assert!(file.read().is_err(), "{name}");
            assert!(file.write("x", false).is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_of_another_owner_is_not_trusted() {
        let tmp = tempfile::tempdir().unwrap();
        let mut dir = run_dir(tmp.path()).unwrap();
        fs::write(dir.path().join("web.block"), "1").unwrap();
        dir.owner = dir.owner.wrapping_add(1); // as if the file were somebody else's
        assert!(matches!(dir.file("web.block", None).unwrap().read(), Err(RunDirError::Squatted { .. })));
    }

    #[test]
    fn what_was_written_is_read_and_a_shorter_text_replaces_a_longer_one() {
        let tmp = tempfile::tempdir().unwrap();
        let file = run_dir(tmp.path()).unwrap().file("web.nokick", None).unwrap();
        assert_eq!(file.read().unwrap(), None);
        assert!(file.write("a longer text", true).unwrap());
        assert!(!file.write("another", true).unwrap(), "an exclusive write must not replace a file");
        assert!(file.write("short", false).unwrap());
        assert_eq!(file.read().unwrap().unwrap().text, "short");
        file.remove().unwrap();
        file.remove().unwrap();
        assert_eq!(file.read().unwrap(), None);
    }

    #[test]
    fn nobody_sees_a_file_half_written() {
        let tmp = tempfile::tempdir().unwrap();
        let file = run_dir(tmp.path()).unwrap().file("web.nokick", None).unwrap();
        let reader = file.path().to_path_buf();
        let (stop, told) = std::sync::mpsc::channel::<()>();
        let watch = std::thread::spawn(move || {
            let mut seen = 0;
            while told.try_recv().is_err() {
                if let Ok(text) = fs::read_to_string(&reader) {
                    assert_eq!(text, "1234 5678");
                    seen += 1;
                }
            }
            seen
        });
        for round in 0..500 {
            assert!(file.write("1234 5678", round % 2 == 0).unwrap());
            if round % 2 == 1 {
                file.remove().unwrap();
            }
        }
        stop.send(()).unwrap();
        watch.join().unwrap();
        let left: Vec<_> = fs::read_dir(file.path().parent().unwrap()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }

    #[test]
    fn a_lock_excludes_a_second_one_until_it_is_dropped() {
        let tmp = tempfile::tempdir().unwrap();
        let file = run_dir(tmp.path()).unwrap().file("web.pid", None).unwrap();
        assert!(!file.is_locked().unwrap());
        let lock = file.lock().unwrap().unwrap();
        assert!(file.is_locked().unwrap());
        assert!(file.lock().unwrap().is_none());
        drop(lock);
        assert!(file.lock().unwrap().is_some());
    }

    #[test]
    fn a_path_of_the_administrators_choice_is_held_to_the_same_rules() {
        let tmp = tempfile::tempdir().unwrap();
        let dir = run_dir(tmp.path()).unwrap();
        let chosen = tmp.path().join("own name");
        let file = dir.file("web.pid", Some(&chosen)).unwrap();
        file.write("1", false).unwrap();
        assert_eq!(fs::read_to_string(&chosen).unwrap(), "1");
        let link = tmp.path().join("link");
        symlink(&chosen, &link).unwrap();
        assert!(dir.file("web.pid", Some(&link)).unwrap().read().is_err());
    }
}
