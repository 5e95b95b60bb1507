//! `cargo xtask extract`: unpacks packages to look at, wherever they come from, so that nothing they say can do harm.
//!
//! For each package a folder of its name, and in it `root/` with the files at their installed paths, `package/` with
//! its scripts and licences, and `entries.json` with everything the package says: owners, classes, links, devices.
//!
//! - A package with an error finding is not unpacked at all, nor is one whose sizes are beyond the limit.
//! - Everything is written into a new folder beside the wanted one, which nobody else may enter, and gets its name when
//!   all of it is there. After an error nothing is left.
//! - No link is made while files are written, so none can be followed; files are made, never opened. With `--links`
//!   symbolic links are made last, and only those that stay inside whatever they are joined with.
//! - Owners and set-uid bits are not set: what is unpacked is the caller's, and readable.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use tempfile::TempDir;

use crate::finding::Level;
use crate::ips::fmri::quote;
use crate::package_view::container::{self, Sink};
use crate::package_view::{self, Entry, Kind, View};
use crate::shown::{self, escaped};
use crate::tasks::verify::counted;

/// The longest path written below the folder.
const LONGEST_PATH: usize = 2048;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An SVR4 datastream, plain or gzipped, or an IPS archive
    file: PathBuf,
    /// The folder to unpack into: new, or empty
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Make the symbolic links that stay inside the folder; without this, links are listed in entries.json only
    #[arg(long)]
    links: bool,
    /// Refuse to write more than this many MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    limit: u64,
    /// Print what was unpacked as JSON
    #[arg(long)]
    json: bool,
}

/// What was unpacked of one package.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Unpacked {
    package: String,
    files: usize,
    bytes: u64,
    links: usize,
    /// Entries that are in entries.json only, each with the reason.
    listed_only: Vec<(String, &'static str)>,
}

pub fn run(args: &Args) -> Result<()> {
    let limit = args.limit.saturating_mul(1024 * 1024);
    let unpacked = extract(&args.file, &args.to, args.links, limit)?;
    if args.json {
        println!("{}", shown::json(&unpacked)?);
        return Ok(());
    }
    for package in &unpacked {
        for (path, reason) in &package.listed_only {
            eprintln!("{}: {}: listed only: {reason}", escaped(&package.package), escaped(path));
        }
        let (files, links) = (counted(package.files, "file"), counted(package.links, "link"));
        eprintln!("{}: {files} of {} bytes, {links}", escaped(&package.package), package.bytes);
    }
    println!("{}", args.to.display());
    Ok(())
}

fn extract(file: &Path, to: &Path, links: bool, limit: u64) -> Result<Vec<Unpacked>> {
    let name = escaped(&file.to_string_lossy());
    refuse_taken(to)?;
    let read = package_view::read(file).with_context(|| format!("cannot read {name}"))?;
    if let Some(error) = read.findings.iter().find(|finding| finding.level == Level::Error) {
        bail!("{name} is not unpacked, it is not right: {error}");
    }
    let plans: Vec<Plan> = read.packages.iter().map(Plan::of).collect::<Result<_>>()?;
    let total = plans.iter().try_fold(0u64, |total, plan| total.checked_add(plan.bytes())).unwrap_or(u64::MAX);
    if total > limit {
        bail!("{name} holds {total} bytes, more than the limit of {limit}: raise it with --limit");
    }
    let folders: BTreeSet<&str> = plans.iter().map(|plan| plan.folder.as_str()).collect();
    if folders.len() < plans.len() {
        bail!("{name} holds two packages of one name");
    }

    let parent = match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // Removed with all that is in it when this returns early.
    let making = private_folder(parent)?;
    let mut writer = Writer { root: making.path(), plans: BTreeMap::new(), current: None, written: BTreeSet::new() };
    for plan in &plans {
        plan.prepare(making.path())?;
        writer.plans.insert(plan.view.id.as_str(), plan);
    }
    container::read(file, &mut writer).with_context(|| format!("cannot unpack {name}"))?;
    let written = writer.written;
    let mut unpacked = Vec::new();
    for plan in &plans {
        if let Some(lost) = plan.files.values().flatten().find(|planned| !written.contains(&planned.path)) {
            bail!("{name} changed while it was read: {} is not there any more", lost.path.display());
        }
        unpacked.push(plan.finish(making.path(), links)?);
    }
    fs::set_permissions(making.path(), Permissions::from_mode(0o755))?;
    // An empty folder of that name is replaced; one that is not empty any more makes this fail.
    fs::rename(making.path(), to).with_context(|| format!("cannot name the folder {}", to.display()))?;
    // It has moved away: there is nothing to remove.
    let _ = making.keep();
    Ok(unpacked)
}

/// A folder that nobody else may enter while it is filled: what is in it is made by this program alone.
fn private_folder(parent: &Path) -> Result<TempDir> {
    let mut folder = tempfile::Builder::new();
    folder.prefix(".extracting-").permissions(Permissions::from_mode(0o700));
    folder.tempdir_in(parent).with_context(|| format!("cannot make a folder in {}", parent.display()))
}

fn refuse_taken(to: &Path) -> Result<()> {
    match fs::symlink_metadata(to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at {}", to.display())),
        Ok(metadata) if !metadata.is_dir() => bail!("{} is there and is no folder", to.display()),
        Ok(_) => match to.read_dir().with_context(|| format!("cannot list {}", to.display()))?.next() {
            None => Ok(()),
            Some(_) => bail!("{} is not empty: name a new folder", to.display()),
        },
    }
}

/// What is to be written of one package, and where.
struct Plan<'a> {
    view: &'a View,
    folder: String,
    /// By the source of their bytes; several where a map has one member at several paths.
    files: BTreeMap<&'a str, Vec<Planned>>,
    directories: BTreeSet<PathBuf>,
    /// Symbolic links and where they lead.
    links: Vec<(&'a str, &'a str)>,
    listed_only: Vec<(String, &'static str)>,
}

/// A file to be made.
#[derive(Debug, Clone)]
struct Planned {
    /// Below the folder of all packages.
    path: PathBuf,
    size: u64,
    mode: u32,
}

impl<'a> Plan<'a> {
    fn of(view: &'a View) -> Result<Self> {
        let folder = quote(&view.name);
        if safe(&folder).is_none() {
            bail!("{:?} cannot be the name of a folder", view.name);
        }
        let mut plan = Plan {
            view,
            folder,
            files: BTreeMap::new(),
            directories: BTreeSet::new(),
            links: Vec::new(),
            listed_only: Vec::new(),
        };
        let mut seen = BTreeSet::new();
        for entry in &view.entries {
            if entry.kind.is_directory() || seen.insert(entry.path.as_str()) {
                plan.entry(entry)?;
            } else {
                plan.listed_only.push((entry.path.clone(), "another variant of it is unpacked"));
            }
        }
        let own = view.install_files.iter().chain(&view.licences);
        for (number, (name, file)) in own.enumerate() {
            // A licence may have any name; two of them must not meet.
            let name = quote(name);
            let name = if safe(&name).is_some() { name } else { format!("{number}") };
            let path = Path::new(&plan.folder).join("package").join(name);
            let planned = Planned { path, size: file.size, mode: 0o644 };
            plan.files.entry(&file.source).or_default().push(planned);
        }
        Ok(plan)
    }

    fn entry(&mut self, entry: &'a Entry) -> Result<()> {
        let Some(below) = safe(&entry.path) else {
            bail!("the path {:?} of {} would leave the folder, or is no path", entry.path, self.view.name);
        };
        let path = Path::new(&self.folder).join("root").join(below);
        let reason = match (entry.kind, &entry.source, entry.size, &entry.sha256) {
            (Kind::Directory | Kind::ExclusiveDirectory, ..) => {
                self.directories.insert(path);
                return Ok(());
            }
            (Kind::File | Kind::EditableFile | Kind::VolatileFile, Some(source), Some(size), Some(_)) => {
                // Who may read and who may run it, and nothing else of the mode.
                let mode = 0o644 | (entry.mode.unwrap_or_default() & 0o111);
                self.files.entry(source).or_default().push(Planned { path, size, mode });
                return Ok(());
            }
            (Kind::File | Kind::EditableFile | Kind::VolatileFile, ..) => "its bytes are in an archive of its class",
            (Kind::Symlink, ..) => {
                self.links.push((&entry.path, entry.target.as_deref().unwrap_or_default()));
                return Ok(());
            }
            (Kind::Hardlink, ..) => "a hard link",
            (Kind::Fifo | Kind::CharacterDevice | Kind::BlockDevice, ..) => "no file, folder or link",
        };
        self.listed_only.push((entry.path.clone(), reason));
        Ok(())
    }

    fn bytes(&self) -> u64 {
        self.files.values().flatten().fold(0, |total, planned| total.saturating_add(planned.size))
    }

    fn prepare(&self, root: &Path) -> Result<()> {
        let own = ["root", "package"].map(|name| Path::new(&self.folder).join(name));
        for directory in self.directories.iter().chain(&own) {
            fs::create_dir_all(root.join(directory)).with_context(|| format!("cannot make {}", directory.display()))?;
        }
        Ok(())
    }

    /// Makes the links, now that nothing else is written, and the list.
    fn finish(&self, root: &Path, links: bool) -> Result<Unpacked> {
        let mut unpacked = Unpacked {
            package: self.view.id.clone(),
            files: self.files.values().map(Vec::len).sum(),
            bytes: self.bytes(),
            links: 0,
            listed_only: self.listed_only.clone(),
        };
        let folder = root.join(&self.folder);
        let list = serde_json::to_string_pretty(self.view)?;
        fs::write(folder.join("entries.json"), list + "\n").context("cannot write entries.json")?;
        let mut made: BTreeSet<&str> = BTreeSet::new();
        for (path, target) in &self.links {
            let behind_another =
                || path.match_indices('/').any(|(end, _)| path.get(..end).is_some_and(|p| made.contains(p)));
            let reason = match () {
                () if !links => "a symbolic link",
                () if !stays_inside(path, target) => "a symbolic link that leads out of the folder",
                () if behind_another() => "a symbolic link behind another one",
                () => {
                    let at = folder.join("root").join(path);
                    let linked = at.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| symlink(target, &at));
                    linked.with_context(|| format!("cannot make the link {}", escaped(path)))?;
                    made.insert(path);
                    continue;
                }
            };
            unpacked.listed_only.push(((*path).to_owned(), reason));
        }
        unpacked.links = made.len();
        Ok(unpacked)
    }
}

/// A foreign path as one below a folder; `None` if it could be anything else.
fn safe(path: &str) -> Option<&Path> {
    let plain = |part: &str| !matches!(part, "" | "." | "..") && !part.contains('\0');
    (path.len() <= LONGEST_PATH && path.split('/').all(plain)).then(|| Path::new(path))
}

/// Whether a link can be made: it is relative, climbs no higher than the folder, and climbs before it descends. Only
/// then do several such links in a row stay inside too, as the folders climbed through are real ones.
fn stays_inside(path: &str, target: &str) -> bool {
    let depth = path.split('/').count().saturating_sub(1);
    let parts: Vec<&str> = target.split('/').collect();
    let climbs = parts.iter().take_while(|part| **part == "..").count();
    let descends = parts.get(climbs..).unwrap_or_default();
    !parts.is_empty()
        && climbs <= depth
        && descends.iter().all(|part| !matches!(*part, "" | "..") && !part.contains('\0'))
}

/// Writes what the plans have, with their sizes and no more.
struct Writer<'a> {
    root: &'a Path,
    plans: BTreeMap<&'a str, &'a Plan<'a>>,
    current: Option<Open>,
    written: BTreeSet<PathBuf>,
}

struct Open {
    planned: Planned,
    file: File,
    left: u64,
    /// Further files of the same bytes.
    copies: Vec<Planned>,
}

impl Writer<'_> {
    fn create(&self, planned: &Planned) -> io::Result<File> {
        let path = self.root.join(&planned.path);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        OpenOptions::new().write(true).create_new(true).open(path)
    }
}

impl Sink for Writer<'_> {
    fn begin(&mut self, package: &str, source: &str) -> io::Result<()> {
        let planned = self.plans.get(package).and_then(|plan| plan.files.get(source));
        let Some((first, copies)) = planned.and_then(|planned| planned.split_first()) else { return Ok(()) };
        let file = self.create(first)?;
        self.current = Some(Open { planned: first.clone(), file, left: first.size, copies: copies.to_vec() });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(open) = &mut self.current else { return Ok(()) };
        // The sizes were counted in an earlier pass: more than that is another file under the same name.
        open.left = open.left.checked_sub(bytes.len() as u64).ok_or_else(changed)?;
        open.file.write_all(bytes)
    }

    fn end(&mut self, complete: bool) -> io::Result<()> {
        let Some(open) = self.current.take() else { return Ok(()) };
        if !complete || open.left > 0 {
            return Err(changed());
        }
        open.file.set_permissions(Permissions::from_mode(open.planned.mode))?;
        for copy in &open.copies {
            let mut from = File::open(self.root.join(&open.planned.path))?;
            let mut to = self.create(copy)?;
            io::copy(&mut from, &mut to)?;
            to.set_permissions(Permissions::from_mode(copy.mode))?;
        }
        self.written.extend(open.copies.into_iter().chain([open.planned]).map(|planned| planned.path));
        Ok(())
    }
}

fn changed() -> io::Error {
    io::Error::other("the file changed while it was read")
}

#[cfg(test)]
mod tests;
