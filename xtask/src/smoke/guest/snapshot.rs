//! The kept states of guests that have booted: a folder for each, named by the guest and by all that it is made of.
//!
//! ```text
//! NAME-KEY/about.json   when it was taken, and the sums of the others; written last
//! NAME-KEY/state        the machine, as `migration` writes it
//! NAME-KEY/disk.qcow2   the disk as it was then: what lies under the overlays of later runs
//! NAME-KEY/key          what logs in by ssh, where a run has made it
//! NAME-KEY/lock         locked (shared) by whoever uses the folder, so that nobody takes it away
//! ```
//!
//! A folder has another name until it is whole. It knows no QEMU and starts nothing.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use thiserror::Error;

use super::migration::Sum;
use crate::hash;

/// Where they are, below the workspace.
pub const FOLDER: &str = "target/smoke/snapshots";
/// What this project makes of a guest before its state is kept; another way of it is another number.
const WAY: &str = "1";
const ABOUT: &str = "about.json";
const LOCK: &str = "lock";
const UNFINISHED: &str = ".new-";
/// How often a lock is tried, and how long lies between.
const TRIES: u32 = 25;
const GAP: Duration = Duration::from_millis(20);
/// How much of a key's SHA-256 names a folder.
const DIGITS: usize = 16;

#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{} is damaged: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error("the note of a snapshot: {0}")]
    Note(#[from] serde_json::Error),
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SnapshotError + '_ {
    |source| SnapshotError::Io { path: path.to_path_buf(), source }
}

/// What a guest is made of, as one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key(String);

/// Gathers what a guest is made of.
pub struct Ingredients(Sha256);

impl Ingredients {
    /// Before anything of the guest's own there is what is done with every guest.
    pub fn begin() -> Self {
        Ingredients(Sha256::new()).text("way", WAY)
    }

    /// Anything that can be told in words.
    pub fn text(mut self, name: &str, text: &str) -> Self {
        for part in [name, text] {
            self.0.update((part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
        self
    }

    /// A file, by its content.
    pub fn file(self, name: &str, path: &Path) -> Result<Self, SnapshotError> {
        let (sum, _) = hash::sha256_of_file(path).map_err(at(path))?;
        Ok(self.text(name, &sum))
    }

    /// A file of gigabytes, by where it is, its size and its time: to read it would take longer than many a boot.
    pub fn large_file(self, name: &str, path: &Path) -> Result<Self, SnapshotError> {
        let data = fs::metadata(path).map_err(at(path))?;
        let told = format!("{} {} {} {}", path.display(), data.size(), data.mtime(), data.mtime_nsec());
        Ok(self.text(name, &told))
    }

    pub fn key(self) -> Key {
        Key(hash::hex(&self.0.finalize()).chars().take(DIGITS).collect())
    }
}

/// What is told of a snapshot beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// For people.
    pub taken: String,
    pub state: Sum,
    pub disk: Sum,
}

/// A snapshot that is there, and stays for as long as this value does.
#[derive(Debug)]
pub struct Found {
    folder: PathBuf,
    pub about: About,
    _lock: File,
}

impl Found {
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    pub fn disk(&self) -> PathBuf {
        self.folder.join("disk.qcow2")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.join("key")
    }
}

/// A folder that becomes a snapshot, or goes with this value.
#[derive(Debug)]
pub struct Unfinished {
    folder: TempDir,
    lock: File,
}

impl Unfinished {
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn disk(&self) -> PathBuf {
        self.folder.path().join("disk.qcow2")
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key")
    }
}

/// The snapshots of one guest.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    name: String,
}

impl Store {
    pub fn of(folder: &Path, name: &str) -> Self {
        Store { folder: folder.to_path_buf(), name: name.to_string() }
    }

    fn place(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}-{}", self.name, key.0))
    }

    /// The snapshot of this guest as it is made now, where there is one. The state itself is summed when it is read.
    pub fn find(&self, key: &Key) -> Result<Option<Found>, SnapshotError> {
        let folder = self.place(key);
        let Some(lock) = shared(&folder.join(LOCK))? else { return Ok(None) };
        let path = folder.join(ABOUT);
        // It can have been taken away before it was locked.
        let Some(about) = there(fs::read_to_string(&path)).map_err(at(&path))? else { return Ok(None) };
        let damaged = |reason: String| SnapshotError::Damaged { path: folder.clone(), reason };
        let about: About = serde_json::from_str(&about).map_err(|error| damaged(format!("{ABOUT}: {error}")))?;
        let found = Found { folder: folder.clone(), about, _lock: lock };
        let size = fs::metadata(found.state()).map_or(0, |data| data.len());
        if size != found.about.state.bytes {
            return Err(damaged("the state is not whole".to_string()));
        }
        match Sum::of_file(&found.disk()) {
            Ok(sum) if sum == found.about.disk => Ok(Some(found)),
            Ok(_) => Err(damaged("the disk is not what it was".to_string())),
            Err(error) => Err(damaged(format!("the disk: {error}"))),
        }
    }

    pub fn begin(&self, key: &Key) -> Result<Unfinished, SnapshotError> {
        fs::create_dir_all(&self.folder).map_err(at(&self.folder))?;
        let name = format!("{}-{}{UNFINISHED}", self.name, key.0);
        let folder = tempfile::Builder::new().prefix(&name).tempdir_in(&self.folder).map_err(at(&self.folder))?;
        let path = folder.path().join(LOCK);
        let lock = File::create(&path).map_err(at(&path))?;
        lock.lock_shared().map_err(at(&path))?;
        Ok(Unfinished { folder, lock })
    }

    /// Gives a folder that holds all there must be its name, and takes away what is of no more use. Where another run was
    /// faster, its snapshot is as good.
    pub fn publish(&self, key: &Key, made: Unfinished, about: &About) -> Result<Option<Found>, SnapshotError> {
        let path = made.folder.path().join(ABOUT);
        let text = serde_json::to_string_pretty(about)?;
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        written.map_err(at(&path))?;
        let folder = self.place(key);
        let found = match fs::rename(made.folder.path(), &folder) {
            Ok(()) => {
                // It has another name now: nothing is left to be taken away.
                let _ = made.folder.keep();
                Some(Found { folder, about: about.clone(), _lock: made.lock })
            }
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => self.find(key)?,
            Err(source) => return Err(SnapshotError::Io { path: folder, source }),
        };
        self.tidy(key)?;
        Ok(found)
    }

    /// Takes a snapshot away, unless somebody else uses it now.
    pub fn discard(&self, key: &Key) -> Result<(), SnapshotError> {
        remove_unused(&self.place(key))
    }

    /// Takes away what was kept of this guest when it was made of something else, and what was never finished.
    fn tidy(&self, key: &Key) -> Result<(), SnapshotError> {
        for entry in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let entry = entry.map_err(at(&self.folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let rest = name.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix('-'));
            if rest.is_some_and(|rest| is_key(rest) && rest != key.0) {
                remove_unused(&entry.path())?;
            }
        }
        Ok(())
    }
}

/// Whether the rest of a folder's name is a key, of a snapshot that is finished or not: another guest's name can begin
/// like this one's.
fn is_key(rest: &str) -> bool {
    let key = rest.split_once(UNFINISHED).map_or(rest, |(key, _)| key);
    key.len() == DIGITS && key.chars().all(|c| c.is_ascii_hexdigit())
}

/// A lock that holds others off from removing; nothing where there is nothing to lock.
fn shared(path: &Path) -> Result<Option<File>, SnapshotError> {
    let Some(lock) = there(File::open(path)).map_err(at(path))? else { return Ok(None) };
    match lock.try_lock_shared() {
        Ok(()) => Ok(Some(lock)),
        // Somebody takes it away just now.
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(at(path)(error)),
    }
}

/// Whether nobody else has it locked. A program that is just being started has everything of ours for a moment.
fn is_free(lock: &File) -> io::Result<bool> {
    for _ in 0..TRIES {
        match lock.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => sleep(GAP),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

fn remove_unused(folder: &Path) -> Result<(), SnapshotError> {
    let path = folder.join(LOCK);
    // Without a lock nobody can use it.
    let lock = there(File::open(&path)).map_err(at(&path))?;
    if let Some(lock) = &lock
        && !is_free(lock).map_err(at(&path))?
    {
        return Ok(());
    }
    // The note first: half of a folder is not taken for a snapshot.
    there(fs::remove_file(folder.join(ABOUT))).map_err(at(folder))?;
    there(fs::remove_dir_all(folder)).map_err(at(folder))?;
    Ok(())
}

/// Nothing where it is not there.
fn there<T>(tried: io::Result<T>) -> io::Result<Option<T>> {
    match tried {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests;
