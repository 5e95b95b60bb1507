//! Gets an image by curl: what was interrupted goes on where it ended, and nothing gets its name before it was checked
//! and unpacked. Afterwards no network is needed.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use thiserror::Error;

use super::Kept;
use crate::bounded;
use crate::hash::{is_sha256, sha256_of_file};
use crate::smoke::guest::profile::{self, Packed};

/// No image comes packed in more than this.
const LARGEST: u64 = 16 << 30;
/// What lies beside an image, a checksum or a key, is small.
const SMALL: u64 = 64 << 10;
/// One try may take so long; what has come by then is kept.
const DOWNLOAD: Duration = Duration::from_secs(6 * 3600);
const UNPACK: Duration = Duration::from_secs(3600);

#[derive(Debug, Error)]
pub enum FetchError {
    #[error("cannot run {program}: {source}; install it (Debian: apt-get install {program})")]
    Program { program: String, source: io::Error },
    #[error("{url} was not fetched: {reason}")]
    Download { url: String, reason: String },
    #[error("{url} holds no SHA-256")]
    NoChecksum { url: String },
    #[error("what came from {url} has the SHA-256 {found}, not {wanted}; it lies in {} now", aside.display())]
    WrongChecksum { url: String, found: String, wanted: String, aside: PathBuf },
    #[error("cannot unpack {}: {reason}", path.display())]
    Unpack { path: PathBuf, reason: String },
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FetchError + '_ {
    |source| FetchError::Io { path: path.to_path_buf(), source }
}

/// What was got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub image: PathBuf,
    pub sha256: String,
    /// Whether somebody has published that checksum.
    pub is_published: bool,
}

/// Gets an image with all that belongs to it.
pub fn fetch(curl: &Path, kept: &Kept, wanted: &profile::Image) -> Result<Fetched, FetchError> {
    fs::create_dir_all(&kept.folder).map_err(at(&kept.folder))?;
    let published = match (&wanted.sha256, &wanted.sha256_url) {
        (Some(sum), _) => Some(sum.to_ascii_lowercase()),
        (None, Some(url)) => {
            let told = small(curl, url, &kept.file("sha256"))?;
            let sum = checksum_in(&String::from_utf8_lossy(&told));
            Some(sum.ok_or_else(|| FetchError::NoChecksum { url: url.clone() })?)
        }
        (None, None) => None,
    };
    let part = kept.file("download.part");
    begin(&wanted.url, &kept.file("download.url"), &part)?;
    download(curl, &wanted.url, &part, LARGEST)?;
    let (sha256, _) = sha256_of_file(&part).map_err(at(&part))?;
    if let Some(sum) = published.as_ref().filter(|sum| **sum != sha256) {
        let (aside, wanted_sum) = (kept.file("download.wrong"), sum.clone());
        fs::rename(&part, &aside).map_err(at(&aside))?;
        return Err(FetchError::WrongChecksum { url: wanted.url.clone(), found: sha256, wanted: wanted_sum, aside });
    }
    if let Some(url) = &wanted.key_url {
        let key = small(curl, url, &kept.file("key.part"))?;
        private(&kept.key(), &key)?;
    }
    let (source, image) = (kept.file("source"), kept.file("image"));
    // While the image changes, nothing says that it is whole.
    remove(&source)?;
    match wanted.packed {
        Packed::No => fs::rename(&part, &image).map_err(at(&image))?,
        Packed::Zst => {
            unpack(&part, &image)?;
            remove(&part)?;
        }
    }
    fs::set_permissions(&image, fs::Permissions::from_mode(0o444)).map_err(at(&image))?;
    fs::write(&source, format!("{}\n{sha256}\n", wanted.url)).map_err(at(&source))?;
    Ok(Fetched { image, sha256, is_published: published.is_some() })
}

/// Half of another address's file is no beginning of this one's.
fn begin(url: &str, note: &Path, part: &Path) -> Result<(), FetchError> {
    if fs::read_to_string(note).is_ok_and(|of| of == url) {
        return Ok(());
    }
    remove(part)?;
    fs::write(note, url).map_err(at(note))
}

fn remove(path: &Path) -> Result<(), FetchError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// curl's arguments for one file. No redirection leads away from https.
fn arguments(url: &str, out: &Path, largest: u64, progress: bool) -> Vec<String> {
    let protocols = if url.starts_with("https://") { "=https" } else { "=http,https" };
    let mut all: Vec<String> = ["--disable", "--fail", "--location", "--max-redirs", "10"].map(String::from).into();
    all.extend(["--proto", protocols, "--proto-redir", protocols].map(String::from));
    all.extend(["--connect-timeout", "30", "--speed-limit", "1024", "--speed-time", "60"].map(String::from));
    all.extend(["--max-filesize".to_string(), largest.to_string()]);
    let shown: &[&str] = if progress { &["--progress-bar"] } else { &["--silent", "--show-error"] };
    all.extend(shown.iter().map(|word| word.to_string()));
    all.extend(["--continue-at", "-", "--output"].map(String::from));
    all.extend([out.display().to_string(), "--url".to_string(), url.to_string()]);
    all
}

fn download(curl: &Path, url: &str, out: &Path, largest: u64) -> Result<(), FetchError> {
    let failed = |reason: String| FetchError::Download { url: url.to_string(), reason };
    let mut command = Command::new(curl);
    command.args(arguments(url, out, largest, io::stderr().is_terminal())).stdin(Stdio::null()).stdout(Stdio::null());
    match run(&mut command, DOWNLOAD)? {
        None => Err(failed(format!("it took more than {} s; run this again to go on", DOWNLOAD.as_secs()))),
        Some(status) if !status.success() => {
            // 22 is curl's word for an answer of 400 and above, which it has told by itself.
            let again = if status.code() == Some(22) { "" } else { "; run this again to go on where it ended" };
            Err(failed(format!("curl says why above ({status}){again}")))
        }
        // The server may not have told the size beforehand.
        Some(_) if fs::metadata(out).map_err(at(out))?.len() > largest => Err(failed("it is too large".to_string())),
        Some(_) => Ok(()),
    }
}

fn run(command: &mut Command, limit: Duration) -> Result<Option<std::process::ExitStatus>, FetchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    bounded::status(command, limit).map_err(|source| FetchError::Program { program, source })
}

/// A small file, got anew.
fn small(curl: &Path, url: &str, out: &Path) -> Result<Vec<u8>, FetchError> {
    remove(out)?;
    download(curl, url, out, SMALL)?;
    let content = fs::read(out).map_err(at(out))?;
    remove(out)?;
    Ok(content)
}

/// The first word that is a SHA-256: files of checksums have it alone, before a name, or after `SHA256 (name) =`.
fn checksum_in(text: &str) -> Option<String> {
    text.split_whitespace().find(|word| is_sha256(word)).map(str::to_ascii_lowercase)
}

/// Writes a key as ssh wants it: for nobody else to read.
fn private(path: &Path, content: &[u8]) -> Result<(), FetchError> {
    remove(path)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(content)).map_err(at(path))
}

/// By zstd(1), with holes where the image is empty.
fn unpack(packed: &Path, image: &Path) -> Result<(), FetchError> {
    let unfinished = image.with_extension("part");
    remove(&unfinished)?;
    remove(image)?;
    let failed = |reason: String| FetchError::Unpack { path: packed.to_path_buf(), reason };
    let mut command = Command::new("zstd");
    command.args(["--decompress", "--quiet", "--sparse", "-o"]).arg(&unfinished).arg("--").arg(packed);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    match run(&mut command, UNPACK)? {
        Some(status) if status.success() => fs::rename(&unfinished, image).map_err(at(image)),
        Some(status) => Err(failed(format!("zstd says why above ({status})"))),
        None => Err(failed(format!("it took more than {} s", UNPACK.as_secs()))),
    }
}

#[cfg(test)]
mod tests;
