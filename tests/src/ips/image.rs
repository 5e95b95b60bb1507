//! An image: a root directory and what is known of it, kept in `ROOT/var/pkg` in a form that is this stand-in's own.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use xtask::ips::fmri::quote;

use super::package::Package;
use super::refused::Refused;
use super::variants::Variants;

/// Below the image's root.
const FOLDER: &str = "var/pkg";
const STATE: &str = "simulated-image.json";

/// Who publishes packages, and the archives they are taken from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publisher {
    pub origins: Vec<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub struct State {
    pub publishers: BTreeMap<String, Publisher>,
    /// By name.
    pub installed: BTreeMap<String, Package>,
}

pub struct Image {
    pub root: PathBuf,
    pub state: State,
    pub variants: Variants,
    /// Whether it is the system that runs.
    pub is_live: bool,
    _lock: Flock<File>,
}

impl Image {
    /// Opens the image at a root, for the one process at a time that may use it.
    pub fn open(root: &Path, host: &Path) -> Result<Image, Refused> {
        let folder = root.join(FOLDER);
        if !Image::is_at(root) {
            return Err(Refused::oops(format!("No image rooted at '{}'", Image::seen(root, host))));
        }
        let lock = File::options().create(true).truncate(false).write(true).open(folder.join("lock"));
        let lock = lock.map_err(Refused::at(folder.join("lock").display()))?;
        let _lock = Flock::lock(lock, FlockArg::LockExclusive)
            .map_err(|(_, errno)| Refused::oops(format!("the image cannot be locked: {errno}")))?;
        let file = folder.join(STATE);
        let state = match fs::read(&file) {
            Ok(text) => serde_json::from_slice(&text).map_err(|e| Refused::at(file.display())(e.into()))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => State::default(),
            Err(error) => return Err(Refused::at(file.display())(error)),
        };
        let zone = fs::read_to_string(root.join("etc/zonename")).unwrap_or("global".into());
        let variants = Variants::of_zone(zone.trim());
        Ok(Image { root: root.to_path_buf(), state, variants, is_live: root == host, _lock })
    }

    pub fn is_at(root: &Path) -> bool {
        root.join(FOLDER).is_dir()
    }

    /// Makes an image without packages.
    pub fn create(root: &Path) -> Result<(), Refused> {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder).map_err(Refused::at(folder.display()))
    }

    /// A root as those who live on the host see it.
    fn seen(root: &Path, host: &Path) -> String {
        format!("/{}", root.strip_prefix(host).unwrap_or(root).display())
    }

    pub fn folder(&self) -> PathBuf {
        self.root.join(FOLDER)
    }

    /// Where payloads lie between their arrival and the end of the operation.
    pub fn cache(&self) -> PathBuf {
        self.folder().join("cache")
    }

    pub fn license_folder(&self, package: &str) -> PathBuf {
        self.folder().join("license").join(quote(package))
    }

    /// Writes the state down: from then on the operation has happened.
    pub fn save(&self) -> Result<(), Refused> {
        let (file, next) = (self.folder().join(STATE), self.folder().join("next"));
        let write = || {
            fs::write(&next, serde_json::to_vec_pretty(&self.state)?)?;
            fs::rename(&next, &file)
        };
        write().map_err(Refused::at(file.display()))
    }

    /// Moves what pkg did not expect out of its way. Gives the place, relative to the root.
    pub fn salvage(&self, path: &str) -> io::Result<String> {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let mut place = format!("{FOLDER}/lost+found/{path}-{now}");
        // The clock counts seconds; two within one must not meet.
        while self.root.join(&place).symlink_metadata().is_ok() {
            place.push('+');
        }
        let to = self.root.join(&place);
        fs::create_dir_all(to.parent().unwrap_or(&to))?;
        fs::rename(self.root.join(path), to)?;
        Ok(place)
    }
}
