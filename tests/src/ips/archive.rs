//! Package archives as pkg takes them: what is in one, and its payloads.
//!
//! The toolkit's reader finds what is wrong with an archive; `judge` says which of it makes pkg fail, when and how.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use xtask::finding::Finding;
use xtask::ips::fmri::quote;
use xtask::ips::format::{CSIZE, FILE_DIR, PKG_DIR, PUBLISHER_DIR, SIZE};
use xtask::ips::reader;

use super::digest;
use super::judge;
use super::package::{Action, Package};
use super::refused::Refused;

/// No payload of a test is larger.
const LARGEST_PAYLOAD: u64 = 4 << 30;

pub struct Archive {
    path: PathBuf,
    pub packages: Vec<Package>,
    findings: Vec<Finding>,
}

impl Archive {
    pub fn open(path: &Path) -> Result<Archive, Refused> {
        let mut file = File::open(path).map_err(|_| judge::unusable(path))?;
        if !file.metadata().is_ok_and(|meta| meta.is_file()) {
            return Err(Refused::not_simulated("an origin that is no package archive"));
        }
        let report = reader::read(&mut file, &mut |_, _| Ok(())).map_err(|_| judge::unusable(path))?;
        judge::archive(path, &report.findings)?;
        let packages = report.packages.into_iter().map(Package::from).collect();
        Ok(Archive { path: path.to_path_buf(), packages, findings: report.findings })
    }

    /// Whether pkg can make a plan with a package: its manifest is there and every action of it makes sense.
    pub fn check_manifest(&self, package: &Package) -> Result<(), Refused> {
        judge::manifest(&self.path, package, &member(package), &self.findings)
    }

    /// Puts the payloads of these actions into a folder, as they are in the archive, by their hashes.
    pub fn fetch<'a>(
        &self,
        package: &Package,
        actions: impl Iterator<Item = &'a Action>,
        to: &Path,
    ) -> Result<(), Refused> {
        for action in actions {
            if action.value(CSIZE).is_none() && action.value(SIZE).is_none() {
                return Err(judge::nothing_to_transfer(&self.path, package));
            }
            let hash = action.hash.as_deref().unwrap_or("NOHASH");
            let fan = hash.get(..2).unwrap_or_default();
            let name = format!("{PUBLISHER_DIR}/{}/{FILE_DIR}/{fan}/{hash}", package.publisher);
            let file = to.join(hash);
            let found = self.extract(&name, &file).map_err(Refused::at(file.display()))?;
            if !found {
                return Err(judge::payload_missing(&self.path, &name));
            }
            // Only what comes over is held against a hash here; whether it can be unpacked shows when it is.
            if let Some(expected) = digest::of_gzip(action) {
                let actual = expected.algorithm.sum_of(&file).map_err(Refused::at(file.display()))?;
                if actual != expected.hex {
                    fs::remove_file(&file).map_err(Refused::at(file.display()))?;
                    return Err(judge::payload_damaged(package, action, &expected.hex, &actual));
                }
            }
        }
        Ok(())
    }

    /// Copies the last member of this name into a file; false where there is none.
    fn extract(&self, name: &str, to: &Path) -> io::Result<bool> {
        let mut found = false;
        for entry in tar::Archive::new(File::open(&self.path)?).entries()? {
            let mut entry = entry?;
            if entry.path_bytes().as_ref() == name.as_bytes() {
                io::copy(&mut entry.by_ref().take(LARGEST_PAYLOAD), &mut File::create(to)?)?;
                found = true;
            }
        }
        Ok(found)
    }
}

/// Unpacks a fetched payload into an open file and tells the hash of what came out, or why it cannot be unpacked.
pub fn unpack(fetched: &Path, to: &mut File, algorithm: digest::Algorithm) -> io::Result<Result<String, String>> {
    let mut content = MultiGzDecoder::new(File::open(fetched)?).take(LARGEST_PAYLOAD);
    let mut bytes = Copying { from: &mut content, to, failed: None };
    let sum = algorithm.sum(&mut bytes);
    match (bytes.failed.take(), sum) {
        (Some(error), _) => Err(error),
        (None, Ok(sum)) => Ok(Ok(sum)),
        (None, Err(_)) => Ok(Err("Not a gzipped file".to_string())),
    }
}

/// Passes on what is read, and writes it; tells failures to write from failures to read.
struct Copying<'a, R> {
    from: &'a mut R,
    to: &'a mut File,
    failed: Option<io::Error>,
}

impl<R: Read> Read for Copying<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.from.read(buffer)?;
        io::Write::write_all(self.to, &buffer[..length]).map_err(|error| {
            let shown = io::Error::other(error.to_string());
            self.failed = Some(error);
            shown
        })?;
        Ok(length)
    }
}

/// Where an archive has a package's manifest.
fn member(package: &Package) -> String {
    let Package { publisher, name, version, .. } = package;
    format!("{PUBLISHER_DIR}/{publisher}/{PKG_DIR}/{}/{}", quote(name), quote(version))
}
