//! The images of real systems that are kept here: fetched once, checked, unpacked, and never written to afterwards.
//!
//! A folder each: `image`, `key` where one is published with it, and `source`, which says what `image` was made from and
//! is written last. `fetch` fills it.

pub mod fetch;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::guest::profile;

/// Where they are, below the workspace.
pub const FOLDER: &str = "target/smoke/images";

#[derive(Debug, Error)]
pub enum ImageError {
    #[error(
        "the image of {name} is not here: `cargo xtask smoke fetch {name}` gets it, or name a file with --image-file {name}=PATH"
    )]
    NotFetched { name: String },
    #[error("{0:?} is not of the form NAME=PATH")]
    NoOverride(String),
    #[error("{} is no image: neither qcow2 nor a raw disk with a boot sector (a packed one is to be unpacked first)", path.display())]
    NoImage { path: PathBuf },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

/// The folder of one image.
#[derive(Debug, Clone)]
pub struct Kept {
    name: String,
    folder: PathBuf,
}

impl Kept {
    pub fn of(images: &Path, name: &str) -> Self {
        Kept { name: name.to_string(), folder: images.join(name) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub fn key(&self) -> PathBuf {
        self.file("key")
    }

    /// The image, if it was made whole and from where the profile says now.
    pub fn image(&self, wanted: &profile::Image) -> Result<PathBuf, ImageError> {
        let source = fs::read_to_string(self.file("source")).unwrap_or_default();
        let image = self.file("image");
        if source.lines().next() != Some(wanted.url.as_str()) || !image.is_file() {
            return Err(ImageError::NotFetched { name: self.name.clone() });
        }
        Ok(image)
    }

    /// The bytes of a download that was interrupted.
    pub fn begun(&self) -> Option<u64> {
        fs::metadata(self.file("download.part")).ok().map(|data| data.len())
    }
}

/// An image that somebody has already: `NAME=PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    pub name: String,
    pub path: PathBuf,
}

impl std::str::FromStr for Override {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok(Override { name: name.to_string(), path: PathBuf::from(path) })
            }
            _ => Err(ImageError::NoOverride(text.to_string())),
        }
    }
}

/// QEMU's word for an image's format, by its first bytes. Anything could be a raw disk; one to boot from begins with a boot
/// sector, also where its table of partitions is a GPT.
pub fn format(path: &Path) -> Result<&'static str, ImageError> {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    read.map_err(|source| ImageError::Read { path: path.to_path_buf(), source })?;
    match head.as_slice() {
        [b'Q', b'F', b'I', 0xfb, ..] => Ok("qcow2"),
        [.., 0x55, 0xaa] if head.len() == 512 => Ok("raw"),
        _ => Err(ImageError::NoImage { path: path.to_path_buf() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_a_name_and_a_path() {
        let given: Override = "omnios=/a=b".parse().unwrap();
        assert_eq!(given, Override { name: "omnios".into(), path: "/a=b".into() });
        for wrong in ["omnios", "=x", "omnios="] {
            let error = wrong.parse::<Override>().unwrap_err().to_string();
            assert!(error.contains("NAME=PATH"), "{error}");
        }
    }

    #[test]
    fn the_format_is_told_by_the_first_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        assert_eq!(format(&file("a", b"QFI\xfb\0\0\0\x03")).unwrap(), "qcow2");
        let mut boots = [0; 1024];
        boots[510..512].copy_from_slice(b"\x55\xaa");
        assert_eq!(format(&file("b", &boots)).unwrap(), "raw");
        for (name, wrong) in
            [("c", b"QF".as_slice()), ("d", &boots[..511]), ("e", &[0; 512]), ("f", b"\x28\xb5\x2f\xfd")]
        {
            let error = format(&file(name, wrong)).unwrap_err().to_string();
            assert!(error.contains("is no image"), "{error}");
        }
        assert!(format(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
