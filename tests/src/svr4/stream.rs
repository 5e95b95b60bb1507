//! Where packages come from: a datastream, which is spooled into a folder first, or a folder of packages.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::cpio::{Bad, Counted, unpack};
use super::{FATAL, INTERNAL, Quit, error, map};

pub const BLOCK: u64 = 512;
const MAGIC: &[u8] = b"# PaCkAgE DaTaStReAm";
const END: &str = "# end of header";
/// The buffer that a line of the header has to fit in.
const LONGEST_LINE: usize = 128;
/// Blocks of a header that are looked at before there must have been an end.
const MOST_BLOCKS: usize = 4096;

/// A device, as `-d` names it.
pub struct Source {
    folder: PathBuf,
    /// The spooled stream's, which goes with this.
    spool: Option<Spool>,
    names: Vec<String>,
}

struct Spool {
    folder: TempDir,
    input: Counted<BufReader<File>>,
    /// Names of the header and their numbers of parts, of archives that are still to come.
    listed: Vec<(String, u32)>,
}

/// Opens a device: reads the table of contents.
pub fn open(device: &Path, root: &Path) -> Result<Source, Quit> {
    let device = device.canonicalize().map_err(|failed| {
        error(format!("attempt to process datastream failed\n    - open of <{}> failed, {failed}", device.display()));
        INTERNAL
    })?;
    if device.is_dir() {
        let names = packages_in(&device);
        return Ok(Source { folder: device, spool: None, names });
    }
    let bad = |why: &str| {
        error(format!("attempt to process datastream failed\n    - bad format in datastream table-of-contents{why}"));
        INTERNAL
    };
    let file = File::open(&device).map_err(|_| bad(""))?;
    let mut input = Counted::new(BufReader::new(file));
    let listed = table(&mut input).ok_or_else(|| bad(""))?;
    let folder = tempfile::Builder::new().prefix("dstr").tempdir_in(root.join("var/tmp")).map_err(|failed| {
        error(format!("unable to make a temporary directory: {failed}"));
        INTERNAL
    })?;
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).map_err(|_| INTERNAL)?;
    let first = folder.path().join(".table");
    fs::create_dir(&first).map_err(|_| INTERNAL)?;
    unpack(&mut input, &first).map_err(|failed| bad(&format!("\n    - cpio: {failed}")))?;
    let names = packages_in(&first);
    if names.is_empty() {
        error(format!("no packages were found in <{}>", device.display()));
        return Err(FATAL);
    }
    Ok(Source { folder: folder.path().to_owned(), spool: Some(Spool { folder, input, listed }), names })
}

/// The folders that are packages.
pub fn packages_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("pkginfo").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Names and parts of the header.
fn table(input: &mut Counted<BufReader<File>>) -> Option<Vec<(String, u32)>> {
    let mut text = Vec::new();
    for _ in 0..MOST_BLOCKS {
        text.extend(input.exactly(BLOCK).ok()?);
        if !text.starts_with(MAGIC) {
            return None;
        }
        if String::from_utf8_lossy(&text).contains(END) {
            return listed(&String::from_utf8_lossy(&text));
        }
    }
    None
}

fn listed(text: &str) -> Option<Vec<(String, u32)>> {
    let mut packages = Vec::new();
    // A CR before the LF counts as text.
    for line in text.split('\n').skip(1) {
        if line.starts_with(END) {
            break;
        }
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        let [name, parts, size, ..] = words[..] else { return None };
        if line.len() > LONGEST_LINE || size.trim().parse::<u64>().is_err() || line.ends_with('\r') {
            return None;
        }
        packages.push((name.to_string(), parts.parse().ok()?));
    }
    (!packages.is_empty()).then_some(packages)
}

impl Source {
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Names in the order of the stream, and those that only its header has.
    pub fn listed(&self) -> Vec<String> {
        let Some(spool) = &self.spool else { return self.names.clone() };
        let header = spool.listed.iter().map(|(name, _)| name.clone());
        let others = self.names.iter().filter(|name| !spool.listed.iter().any(|(listed, _)| listed == *name)).cloned();
        header.chain(others).collect()
    }

    /// What the table says of a package before its archive is looked at.
    pub fn table_pkginfo(&self, package: &str) -> PathBuf {
        match &self.spool {
            Some(spool) => spool.folder.path().join(".table").join(package).join("pkginfo"),
            None => self.folder.join(package).join("pkginfo"),
        }
    }

    /// The package as a folder. Packages of a stream are to be asked for in the stream's order.
    pub fn package(&mut self, name: &str) -> Result<PathBuf, Quit> {
        let folder = self.folder.join(name);
        let Some(spool) = &mut self.spool else { return Ok(folder) };
        if !self.names.iter().any(|known| known == name) || !spool.listed.iter().any(|(listed, _)| listed == name) {
            error("attempt to process datastream failed\n    - unable to find archive");
            return Err(FATAL);
        }
        while let Some(at) = spool.listed.iter().position(|(listed, _)| listed == name) {
            let (next, parts) = spool.listed.remove(0);
            let to = spool.folder.path().join(&next);
            let unpacked = fs::create_dir_all(&to).map_err(Bad::Io).and_then(|()| {
                unpack(&mut spool.input, &to)?;
                // It is the map that asks for more parts; the real one takes each when it comes to its files.
                let map = fs::read_to_string(to.join("pkgmap")).unwrap_or_default();
                (1..map::parts(&map).min(parts)).try_for_each(|_| unpack(&mut spool.input, &to))
            });
            let complete = unpacked.is_ok() && ["pkginfo", "pkgmap"].iter().all(|file| to.join(file).is_file());
            if !complete {
                if let Err(failed) = unpacked {
                    eprintln!("cpio: {failed}");
                }
                error(format!(
                    "unable to unpack datastream\n    - process <cpio> failed, exit code 1\nInstallation of <{next}> failed (internal error)."
                ));
                return Err(FATAL);
            }
            if at == 0 {
                break;
            }
        }
        Ok(folder)
    }
}
