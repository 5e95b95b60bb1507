//! The repository on disk: one directory of small JSON files, safe for many programs at once.
//!
//! A [`Store`] is the lock: shared for readers, exclusive for writers, held for one short piece of work. Each entity is
//! a file of its own, replaced by rename, so that a call that wants one instance among a thousand reads one file.
//! It knows files, not rules: what may be written by whom is decided elsewhere.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fmri::InstanceName;
use super::model::{Groups, Snapshot, composed, persistent};

/// The snapshots an instance can have, in the order `listsnap` shows them.
pub const SNAPSHOTS: [&str; 4] = ["initial", "last-import", "previous", "running"];

const LIVE: &str = "live";
const SERVICE_FILE: &str = "service.json";

/// The repository, locked.
pub struct Store {
    dir: PathBuf,
    _lock: Flock<File>,
    _held: Held,
}

thread_local! {
    static HELD: Cell<bool> = const { Cell::new(false) };
}

/// That this thread has the lock: asking for it once more would wait for ever, so it fails loudly.
struct Held;

impl Held {
    fn new() -> Held {
        assert!(!HELD.replace(true), "this thread has locked the repository already");
        Held
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.set(false);
    }
}

impl Store {
    /// Makes an empty repository.
    pub fn create(root: &Path) -> io::Result<()> {
        let dir = directory(root);
        fs::create_dir_all(&dir)?;
        // Methods run as other users, and their svcadm and svccfg write here: rights are checked by the programs.
        for path in [root.join("smf"), dir] {
            fs::set_permissions(path, Permissions::from_mode(0o777))?;
        }
        lock_file(root)?;
        fs::set_permissions(root.join("smf/lock"), Permissions::from_mode(0o666))
    }

    pub fn read(root: &Path) -> io::Result<Store> {
        Store::open(root, FlockArg::LockShared)
    }

    pub fn write(root: &Path) -> io::Result<Store> {
        Store::open(root, FlockArg::LockExclusive)
    }

    fn open(root: &Path, how: FlockArg) -> io::Result<Store> {
        let mut file = lock_file(root)?;
        let held = Held::new();
        loop {
            match Flock::lock(file, how) {
                Ok(lock) => return Ok(Store { dir: directory(root), _lock: lock, _held: held }),
                Err((again, nix::errno::Errno::EINTR)) => file = again,
                Err((_, errno)) => return Err(errno.into()),
            }
        }
    }

    pub fn services(&self) -> Vec<String> {
        names_in(&self.dir).into_iter().map(|n| n.replace('+', "/")).collect()
    }

    pub fn instances(&self, service: &str) -> Vec<String> {
        let mut names = names_in(&self.service_dir(service));
        names.retain(|n| n != SERVICE_FILE);
        names
    }

    pub fn all_instances(&self) -> Vec<InstanceName> {
        let of = |service: String| {
            let names = self.instances(&service);
            names.into_iter().map(move |name| InstanceName { service: service.clone(), instance: name })
        };
        self.services().into_iter().flat_map(of).collect()
    }

    pub fn has_service(&self, service: &str) -> bool {
        self.service_dir(service).join(SERVICE_FILE).exists()
    }

    pub fn has_instance(&self, name: &InstanceName) -> bool {
        self.file(name, LIVE).exists()
    }

    pub fn service(&self, service: &str) -> Option<Groups> {
        load(&self.service_dir(service).join(SERVICE_FILE))
    }

    pub fn instance(&self, name: &InstanceName) -> Option<Groups> {
        load(&self.file(name, LIVE))
    }

    pub fn snapshot(&self, name: &InstanceName, snapshot: &str) -> Option<Snapshot> {
        load(&self.file(name, snapshot))
    }

    pub fn put_service(&self, service: &str, groups: &Groups) -> io::Result<()> {
        let dir = self.service_dir(service);
        make_dir(&dir)?;
        save(&dir.join(SERVICE_FILE), groups)
    }

    pub fn put_instance(&self, name: &InstanceName, groups: &Groups) -> io::Result<()> {
        make_dir(&self.instance_dir(name))?;
        save(&self.file(name, LIVE), groups)
    }

    pub fn put_snapshot(&self, name: &InstanceName, snapshot: &str, data: &Snapshot) -> io::Result<()> {
        save(&self.file(name, snapshot), data)
    }

    pub fn delete_instance(&self, name: &InstanceName) -> io::Result<()> {
        fs::remove_dir_all(self.instance_dir(name))
    }

    pub fn delete_service(&self, service: &str) -> io::Result<()> {
        fs::remove_dir_all(self.service_dir(service))
    }

    /// The live instance over its live service.
    pub fn live_composed(&self, name: &InstanceName) -> Option<Groups> {
        let instance = self.instance(name)?;
        Some(composed(&instance, &self.service(&name.service).unwrap_or_default()))
    }

    /// What a running method is meant to see: the running snapshot, or the live data where there is none.
    pub fn running_composed(&self, name: &InstanceName) -> Option<Groups> {
        match self.snapshot(name, "running") {
            Some(snapshot) => Some(snapshot.composed()),
            None => self.live_composed(name),
        }
    }

    /// Records the instance as it is now under a snapshot's name.
    pub fn take_snapshot(&self, name: &InstanceName, snapshot: &str) -> io::Result<()> {
        let instance = self.instance(name).unwrap_or_default();
        let service = self.service(&name.service).unwrap_or_default();
        self.put_snapshot(name, snapshot, &Snapshot::take(&instance, &service))
    }

    /// Reads an instance, lets `change` work on it, and writes it back when something changed.
    pub fn edit(&self, name: &InstanceName, change: impl FnOnce(&mut Groups)) -> io::Result<()> {
        let mut groups = self.instance(name).ok_or(io::ErrorKind::NotFound)?;
        let before = groups.clone();
        change(&mut groups);
        if groups == before { Ok(()) } else { self.put_instance(name, &groups) }
    }

    /// What a reboot does to the data.
    pub fn forget_nonpersistent(&self) -> io::Result<()> {
        self.all_instances().iter().try_for_each(|name| self.edit(name, |groups| *groups = persistent(groups)))
    }

    fn service_dir(&self, service: &str) -> PathBuf {
        self.dir.join(service.replace('/', "+"))
    }

    fn instance_dir(&self, name: &InstanceName) -> PathBuf {
        self.service_dir(&name.service).join(&name.instance)
    }

    fn file(&self, name: &InstanceName, what: &str) -> PathBuf {
        self.instance_dir(name).join(format!("{what}.json"))
    }
}

fn directory(root: &Path) -> PathBuf {
    root.join("smf/repository")
}

fn lock_file(root: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).mode(0o666).open(root.join("smf/lock"))
}

fn names_in(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn make_dir(dir: &Path) -> io::Result<()> {
    if !dir.exists() {
        fs::create_dir(dir)?;
        fs::set_permissions(dir, Permissions::from_mode(0o777))?;
    }
    Ok(())
}

fn load<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn save<T: Serialize>(path: &Path, data: &T) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(&serde_json::to_vec(data)?)?;
    drop(file);
    fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::{Group, Type, value};

    #[test]
    fn writers_that_overlap_lose_nothing() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("smf")).unwrap();
        Store::create(root.path()).unwrap();
        let name = InstanceName::parse("svc:/site/a:b").unwrap();
        {
            let store = Store::write(root.path()).unwrap();
            store.put_service("site/a", &Groups::new()).unwrap();
            store.put_instance(&name, &Groups::from([("n".into(), Group::new("application"))])).unwrap();
        }
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let (root, name) = (root.path(), &name);
                scope.spawn(move || {
                    for i in 0..10 {
                        let store = Store::write(root).unwrap();
                        let set = |g: &mut Groups| {
                            g.get_mut("n").unwrap().set(&format!("w{writer}-{i}"), Type::Integer, "1");
                        };
                        store.edit(name, set).unwrap();
                    }
                });
            }
        });
        let store = Store::read(root.path()).unwrap();
        assert_eq!(store.instance(&name).unwrap()["n"].properties.len(), 80);
        assert_eq!(store.services(), ["site/a"]);
    }

    #[test]
    fn a_reboot_forgets_nonpersistent_groups_only() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("smf")).unwrap();
        Store::create(root.path()).unwrap();
        let name = InstanceName::parse("svc:/site/a:b").unwrap();
        let store = Store::write(root.path()).unwrap();
        let mut general = Group::new("framework");
        general.set("enabled", Type::Boolean, "true");
        let groups =
            Groups::from([("general".into(), general), ("restarter".into(), Group::nonpersistent("framework"))]);
        store.put_service("site/a", &Groups::new()).unwrap();
        store.put_instance(&name, &groups).unwrap();
        store.forget_nonpersistent().unwrap();
        let after = store.instance(&name).unwrap();
        assert_eq!(value(&after, "general", "enabled"), Some("true"));
        assert!(!after.contains_key("restarter"));
    }
}
