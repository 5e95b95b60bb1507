//! Does what a plan says: takes away, changes and puts in place, and moves out of the way what pkg did not expect.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::archive;
use super::base;
use super::digest;
use super::image::Image;
use super::judge::failed_action;
use super::package::Action;
use super::plan::{Plan, Step};
use super::preserve::{self, Facts, OnDisk, Treatment};
use super::refused::Refused;

/// The mode of directories that nobody delivers.
const IMPLICIT_MODE: u32 = 0o755;

/// What went to `lost+found`: from where, and where to.
pub type Salvaged = Vec<(String, String)>;

pub struct Execution<'a> {
    image: &'a Image,
    pub salvaged: Salvaged,
}

impl<'a> Execution<'a> {
    pub fn new(image: &'a Image) -> Execution<'a> {
        Execution { image, salvaged: Vec::new() }
    }

    pub fn run(&mut self, plan: &Plan) -> Result<(), Refused> {
        for step in &plan.removals {
            self.remove(step)?;
        }
        plan.updates.iter().chain(&plan.installs).try_for_each(|step| self.install(step))
    }

    fn at(&self, path: &str) -> PathBuf {
        self.image.root.join(path)
    }

    fn salvage(&mut self, path: &str) -> io::Result<()> {
        let place = self.image.salvage(path)?;
        self.salvaged.push((path.to_string(), place));
        Ok(())
    }

    fn remove(&mut self, step: &Step) -> Result<(), Refused> {
        let Some(old) = &step.old else { return Ok(()) };
        let (path, place) = (old.path(), self.at(&old.path()));
        let done = match old.kind.as_str() {
            "dir" => self.remove_directory(&path, &place),
            "license" => gone(fs::remove_file(self.license(step, old))),
            "legacy" => self.remove_legacy(old),
            "file" if old.value("preserve") == Some("abandon") => Ok(()),
            "file" if step.is_last && old.value("preserve").is_some() && state(&place, Some(old)) == OnDisk::Other => {
                self.salvage(&path)
            }
            _ => self.remove_file(&path, &place),
        };
        done.map_err(Refused::at(place.display()))
    }

    fn remove_directory(&mut self, path: &str, place: &Path) -> io::Result<()> {
        match fs::remove_dir(place) {
            Ok(()) => Ok(()),
            Err(error) => match error.kind() {
                ErrorKind::NotFound => Ok(()),
                ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory => self.salvage(path),
                _ => Err(error),
            },
        }
    }

    fn remove_file(&mut self, path: &str, place: &Path) -> io::Result<()> {
        match place.symlink_metadata() {
            Ok(meta) if meta.is_dir() => self.salvage(path),
            Ok(_) => fs::remove_file(place),
            Err(_) => Ok(()),
        }
    }

    fn license(&self, step: &Step, action: &Action) -> PathBuf {
        let name = xtask::ips::fmri::quote(action.value("license").unwrap_or_default());
        self.image.license_folder(&step.package).join(format!("license.{name}"))
    }

    fn remove_legacy(&self, action: &Action) -> io::Result<()> {
        let folder = self.legacy_folder(action);
        gone(fs::remove_file(folder.join("pkginfo")))?;
        // Not empty where a real SVR4 package of this name is there.
        let _ = fs::remove_dir(folder);
        Ok(())
    }

    fn legacy_folder(&self, action: &Action) -> PathBuf {
        // The name becomes one part of a path.
        let name: String = action.key().chars().filter(|c| *c != '/').collect();
        self.at("var/sadm/pkg").join(name.trim_start_matches('.'))
    }

    fn install(&mut self, step: &Step) -> Result<(), Refused> {
        let Some(new) = &step.new else { return Ok(()) };
        let (path, place) = (new.path(), self.at(&new.path()));
        if new.has_place() {
            self.refuse_link_above(&path)?;
        }
        match new.kind.as_str() {
            "file" => self.install_file(step, new, &path, &place),
            "license" => {
                let to = self.license(step, new);
                self.parents(&to).map_err(Refused::at(to.display()))?;
                self.write(new, &to, 0o444)
            }
            "dir" => self.install_directory(new, &path, &place).map_err(Refused::at(place.display())),
            "link" | "hardlink" => self.install_link(new, &path, &place).map_err(Refused::at(place.display())),
            "legacy" => self.install_legacy(step, new).map_err(Refused::at(place.display())),
            _ => Ok(()),
        }
    }

    /// Nothing is installed through a link that took a directory's place.
    fn refuse_link_above(&self, path: &str) -> Result<(), Refused> {
        let parents = path.match_indices('/').map(|(at, _)| self.at(&path[..at]));
        let is_link = |p: &PathBuf| p.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        match parents.into_iter().find(is_link) {
            Some(link) => {
                let target = fs::read_link(&link).unwrap_or_default();
                Err(Refused::oops(format!(
                    "Cannot install '{}'; parent directory {} is a link to {}. To continue, move the directory to its \
                     original location and try again.",
                    self.at(path).display(),
                    link.display(),
                    target.display()
                )))
            }
            None => Ok(()),
        }
    }

    /// Makes the directories above a place that are missing.
    fn parents(&self, place: &Path) -> io::Result<()> {
        let missing: Vec<&Path> = place.ancestors().skip(1).take_while(|above| !above.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder)?;
            fs::set_permissions(folder, Permissions::from_mode(IMPLICIT_MODE))?;
        }
        Ok(())
    }

    fn install_directory(&mut self, new: &Action, path: &str, place: &Path) -> io::Result<()> {
        self.parents(place)?;
        match place.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {}
            Ok(meta) if meta.is_symlink() => {
                return Err(io::Error::other("unable to create the directory; it has been replaced with a link"));
            }
            Ok(_) => {
                self.salvage(path)?;
                fs::create_dir(place)?;
            }
            Err(_) => fs::create_dir(place)?,
        }
        self.give(new, place)?;
        fs::set_permissions(place, Permissions::from_mode(new.mode()))
    }

    /// Gives it to its owner. Who may not is no worse off than with pkg, which lets that pass.
    fn give(&self, action: &Action, place: &Path) -> io::Result<()> {
        let names = action.value("owner").zip(action.value("group"));
        let numbers = names.and_then(|(user, group)| base::numbers(&self.image.root, user, group));
        let Some((user, group)) = numbers else { return Ok(()) };
        match chown(place, Some(user), Some(group)) {
            // What a user namespace of a single user knows nothing of is an invalid argument.
            Err(error) if !matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => Err(error),
            _ => Ok(()),
        }
    }

    fn install_link(&mut self, new: &Action, path: &str, place: &Path) -> io::Result<()> {
        self.parents(place)?;
        self.remove_file(path, place)?;
        let target = new.value("target").unwrap_or_default();
        if new.kind == "link" {
            return symlink(target, place);
        }
        // A hard link's target is relative to the link's directory, or to the root.
        let from = match target.strip_prefix('/') {
            Some(inside) => self.at(inside),
            None => place.parent().unwrap_or(place).join(target),
        };
        fs::hard_link(from, place)
    }

    fn install_legacy(&self, step: &Step, new: &Action) -> io::Result<()> {
        let folder = self.legacy_folder(new);
        fs::create_dir_all(&folder)?;
        let value = |name: &str| new.value(name).map(str::to_string);
        let now = jiff::Timestamp::now().strftime("%b %d %Y %H:%M").to_string();
        let lines = [
            ("PKG", value("pkg")),
            ("NAME", value("name").or(Some(step.package.clone()))),
            ("ARCH", value("arch").or(Some(self.image.variants.arch.clone()))),
            ("VERSION", value("version")),
            ("BASEDIR", value("basedir").or(Some("/".into()))),
            ("CATEGORY", value("category").or(Some("system".into()))),
            ("DESC", value("desc")),
            ("HOTLINE", value("hotline")),
            ("VENDOR", value("vendor")),
            ("PKGINST", value("pkginst").or(value("pkg"))),
            ("INSTDATE", Some(now)),
        ];
        let text: String = lines.into_iter().filter_map(|(key, value)| Some(format!("{key}={}\n", value?))).collect();
        fs::write(folder.join("pkginfo"), text)
    }

    fn install_file(&mut self, step: &Step, new: &Action, path: &str, place: &Path) -> Result<(), Refused> {
        let failed = |error: io::Error| Refused::at(place.display())(error);
        self.parents(place).map_err(failed)?;
        let mut facts = facts(step, new, place);
        if preserve::is_salvaged(&facts) && place.is_file() {
            self.salvage(path).map_err(failed)?;
            facts.on_disk = OnDisk::Missing;
        }
        let treatment = match (step.is_repair, new.value("preserve").is_some()) {
            (true, true) if place.is_file() => Treatment::Keep,
            (true, _) => Treatment::Replace,
            _ => preserve::treatment(&facts),
        };
        let aside = |ending: &str| place.with_file_name(format!("{}{ending}", name_of(place)));
        match treatment {
            Treatment::Leave => Ok(()),
            Treatment::Keep => match fs::set_permissions(place, Permissions::from_mode(new.mode())) {
                Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
                _ => Ok(()),
            },
            Treatment::RenameNew(ending) => self.write(new, &aside(ending), new.mode()),
            Treatment::RenameOld(ending) => {
                let fresh = aside(".pkg-new");
                self.write(new, &fresh, new.mode())?;
                gone(fs::rename(place, aside(ending))).and_then(|()| fs::rename(&fresh, place)).map_err(failed)
            }
            Treatment::Replace => {
                if place.symlink_metadata().is_ok_and(|meta| meta.is_dir()) && fs::remove_dir(place).is_err() {
                    self.salvage(path).map_err(failed)?;
                }
                self.write(new, place, new.mode())
            }
        }
    }

    /// Unpacks an action's payload beside its place, and puts it there when it is whole.
    fn write(&self, action: &Action, place: &Path, mode: u32) -> Result<(), Refused> {
        let failed = |error: io::Error| Refused::at(place.display())(error);
        let Some(expected) = digest::of_content(action) else {
            return Err(failed_action(action, "no hash names its payload"));
        };
        let fetched = self.image.cache().join(action.hash.as_deref().unwrap_or_default());
        let folder = place.parent().unwrap_or(place);
        let mut file = tempfile::Builder::new().prefix(".pkg-").tempfile_in(folder).map_err(failed)?;
        match archive::unpack(&fetched, file.as_file_mut(), expected.algorithm).map_err(failed)? {
            Err(why) => return Err(failed_action(action, &format!("Error decompressing payload: {why}"))),
            Ok(actual) if actual != expected.hex => {
                let details =
                    format!("Action data hash verification failure: expected: {} computed: {actual}", expected.hex);
                return Err(failed_action(action, &details));
            }
            Ok(_) => {}
        }
        self.give(action, file.path()).map_err(failed)?;
        fs::set_permissions(file.path(), Permissions::from_mode(mode)).map_err(failed)?;
        file.persist(place).map_err(|error| failed(error.error))?;
        Ok(())
    }
}

fn name_of(place: &Path) -> String {
    place.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What is not there any more need not be removed.
fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// How the file in a place stands to what a package delivered there.
pub fn state(place: &Path, delivered: Option<&Action>) -> OnDisk {
    let Ok(meta) = place.symlink_metadata() else { return OnDisk::Missing };
    let same = delivered.filter(|_| meta.is_file()).and_then(digest::of_content).is_some_and(|expected| {
        File::open(place).and_then(|mut file| expected.algorithm.sum(&mut file)).is_ok_and(|sum| sum == expected.hex)
    });
    if same { OnDisk::AsDelivered } else { OnDisk::Other }
}

fn facts<'a>(step: &'a Step, new: &'a Action, place: &Path) -> Facts<'a> {
    let old = step.old.as_ref();
    let content_changed = old.map(digest::of_content) != Some(digest::of_content(new));
    Facts {
        preserve: new.value("preserve"),
        had: old.is_some(),
        had_preserve: old.and_then(|old| old.value("preserve")),
        on_disk: state(place, old),
        content_changed,
        is_downgrade: step.is_downgrade,
        is_initial: step.is_initial,
    }
}
