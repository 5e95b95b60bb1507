//! The registry on disk: one JSON file per user, changed under a lock and replaced as a whole.
//!
//! Stands in for VBoxSVC's memory and for the `.vbox` files alike; `machine` says which part is which.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::unistd::{Uid, chown, geteuid};

use super::events::{self, What};
use super::machine::Registry;

/// What concerns every VM process.
const TO_ALL: &str = "all";

/// One user's registry.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    dir: PathBuf,
}

impl Store {
    /// The registry of the user that this process runs as. Nothing in the environment has a say in it.
    pub fn mine(root: &Path) -> Result<Self> {
        Self::of(root, geteuid())
    }

    /// The registry of a user.
    pub fn of(root: &Path, uid: Uid) -> Result<Self> {
        let top = root.join("vbox");
        // Every user of the host keeps a registry here and replaces the fault list.
        make_dir(&top, 0o777, None)?;
        let dir = top.join(uid.to_string());
        make_dir(&dir, 0o755, Some(uid))?;
        Ok(Self { root: root.to_owned(), dir })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the user's machines have their files unless told otherwise.
    pub fn machine_folder(&self) -> PathBuf {
        self.dir.join("VirtualBox VMs")
    }

    /// The file whose shared lock every client of VBoxSVC holds for its life.
    pub fn clients_file(&self) -> PathBuf {
        self.dir.join("clients")
    }

    /// The file whose lock is held while VBoxSVC is being started.
    pub fn startup_file(&self) -> PathBuf {
        self.dir.join("startup")
    }

    /// One line for each order to a VM process, its pid, and one for each change of VBoxSVC.
    fn news_file(&self) -> PathBuf {
        self.dir.join("news")
    }

    fn registry_file(&self) -> PathBuf {
        self.dir.join("registry.json")
    }

    /// Whether the simulated host has been taken down: whoever serves it should end.
    pub fn is_gone(&self) -> bool {
        !self.dir.exists()
    }

    /// The registry as it is now. Needs no lock, since the file is only ever replaced as a whole.
    pub fn read(&self) -> Result<Registry> {
        let path = self.registry_file();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Registry::default()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        }
    }

    /// Changes the registry: nobody else does meanwhile, and readers see all of the change or none.
    pub fn update<T>(&self, change: impl FnOnce(&mut Registry) -> T) -> Result<T> {
        let _lock = lock_file(&self.dir.join("lock"))?;
        let mut registry = self.read()?;
        let before = serde_json::to_vec(&registry)?;
        let (server, order) = (registry.server, registry.next_order);
        let result = change(&mut registry);
        // Logged first: whoever sees the change finds its event.
        for (vm, what) in registry.take_notes() {
            self.log(vm.as_deref(), what)?;
        }
        let after = serde_json::to_vec(&registry)?;
        if before != after {
            write_atomically(&self.registry_file(), &after, 0o644)?;
        }
        let to_processes = registry.orders.iter().filter(|o| o.id > order).map(|o| format!("{}\n", o.to.pid));
        let to_all = (registry.server != server).then(|| format!("{TO_ALL}\n"));
        let news: String = to_processes.chain(to_all).collect();
        if !news.is_empty() {
            let mut file = open_shared(&self.news_file())?;
            file.seek(SeekFrom::End(0))?;
            file.write_all(news.as_bytes())?;
        }
        Ok(result)
    }

    /// Adds to the host's event log.
    pub fn log(&self, vm: Option<&str>, what: What) -> Result<()> {
        events::append(&self.root, vm, what)
    }
}

/// Tells cheaply whether the registry may have changed, for processes that look at it many times a second.
pub struct Watch {
    file: PathBuf,
    seen: Option<(u64, i64, i64, u64)>,
    read_at: Instant,
}

impl Watch {
    /// Two replacements within one clock tick could look alike: look anyway after this long.
    const AT_LEAST_EVERY: Duration = Duration::from_millis(100);

    pub fn new(store: &Store) -> Self {
        Self { file: store.registry_file(), seen: None, read_at: Instant::now() }
    }

    pub fn changed(&mut self) -> bool {
        let stamp = fs::metadata(&self.file).ok().map(|m| (m.ino(), m.mtime(), m.mtime_nsec(), m.len()));
        let changed = stamp.is_none() || stamp != self.seen || self.read_at.elapsed() > Self::AT_LEAST_EVERY;
        if changed {
            self.seen = stamp;
            self.read_at = Instant::now();
        }
        changed
    }
}

/// Tells a VM process whether the registry has something for it, at the cost of one fstat(2): with hundreds of VMs most
/// changes concern others, and each of them reading all would keep a machine busy.
pub struct News {
    file: File,
    read: u64,
    mine: String,
    first: bool,
}

impl News {
    /// For the calling process.
    pub fn new(store: &Store) -> Result<Self> {
        let file = open_shared(&store.news_file())?;
        let read = file.metadata()?.len();
        Ok(Self { file, read, mine: std::process::id().to_string(), first: true })
    }

    /// Whether something came since the last time, and always the first time.
    pub fn came(&mut self) -> Result<bool> {
        let there = self.file.metadata()?.len();
        let mut came = std::mem::take(&mut self.first);
        if there > self.read {
            let mut lines = vec![0; (there - self.read) as usize];
            self.file.read_exact_at(&mut lines, self.read)?;
            self.read = there;
            came |= String::from_utf8_lossy(&lines).lines().any(|line| line == self.mine || line == TO_ALL);
        }
        Ok(came)
    }
}

/// Opens a file that several users lock, and takes its exclusive lock; dropping the file gives the lock back.
pub fn lock_file(path: &Path) -> Result<File> {
    let file = open_shared(path)?;
    file.lock().with_context(|| format!("locking {}", path.display()))?;
    Ok(file)
}

/// Opens, or creates for everybody, a file that is only there to be locked.
pub fn open_shared(path: &Path) -> Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o666)
        .open(path)
        .with_context(|| format!("opening {}", path.display()))?;
    // Fails for all but the owner, who has done it already.
    let _ = file.set_permissions(fs::Permissions::from_mode(0o666));
    Ok(file)
}

/// Replaces a file as a whole. The caller holds a lock that keeps others from doing the same.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let temporary = path.with_extension(format!("new{}", std::process::id()));
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temporary)?;
        file.write_all(content)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        fs::rename(&temporary, path)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

fn make_dir(path: &Path, mode: u32, owner: Option<Uid>) -> Result<()> {
    match fs::create_dir(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made.with_context(|| format!("creating {}", path.display()))?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    if let Some(uid) = owner.filter(|&uid| uid != geteuid()) {
        chown(path, Some(uid), None).with_context(|| format!("giving {} to user {uid}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concurrent_updates_are_all_kept() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::mine(root.path()).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        store.update(|registry| registry.next_order += 1).unwrap();
                    }
                });
            }
        });
        assert_eq!(store.read().unwrap().next_order, 200);
    }

    #[test]
    fn users_have_registries_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::mine(root.path()).unwrap();
        store.update(|registry| registry.next_order = 5).unwrap();
        if geteuid().is_root() {
            let other = Store::of(root.path(), Uid::from_raw(4242)).unwrap();
            assert_eq!(other.read().unwrap().next_order, 0);
            assert_eq!(fs::metadata(root.path().join("vbox/4242")).unwrap().uid(), 4242);
        }
    }

    #[test]
    fn news_are_of_this_process_or_of_vboxsvc() {
        use super::super::machine::{Server, Verb};
        use super::super::process::Process;
        let root = tempfile::tempdir().unwrap();
        let store = Store::mine(root.path()).unwrap();
        let mut news = News::new(&store).unwrap();
        let me = Process::me();
        assert!(news.came().unwrap(), "always the first time");
        let other = Process { pid: me.pid + 1, started: 1 };
        store.update(|registry| registry.order(other, Verb::Ask)).unwrap();
        assert!(!news.came().unwrap());
        store.update(|registry| registry.order(me, Verb::Ask)).unwrap();
        assert!(news.came().unwrap());
        store.update(|registry| registry.server = Some(Server { process: me, terminating: false })).unwrap();
        assert!(news.came().unwrap());
        store.update(|registry| registry.orders.clear()).unwrap();
        assert!(!news.came().unwrap());
    }

    #[test]
    fn a_watch_sees_every_change() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::mine(root.path()).unwrap();
        let mut watch = Watch::new(&store);
        for order in 1..50 {
            store.update(|registry| registry.next_order = order).unwrap();
            assert!(watch.changed());
        }
    }
}
