//! Where external programs are found: a fixed list of trusted directories.
//!
//! `VBOXSVC_TOOL_PATH` (colon separated) replaces the whole list, for odd layouts and for tests.

use std::env;
use std::path::PathBuf;

use crate::exec;

const TRUSTED: &[&str] = &[
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/opt/VirtualBox",
    "/opt/VirtualBox/amd64",
    "/opt/ooce/virtualbox",
    "/opt/ooce/bin",
    "/usr/lib/virtualbox",
    "/usr/X11/bin",
    "/usr/openwin/bin",
];

#[derive(Debug, Clone)]
pub struct Tools {
    directories: Vec<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
#[error("{name} is in none of the trusted directories {searched}: install it, or set VBOXSVC_TOOL_PATH")]
pub struct NotFound {
    pub name: String,
    pub searched: String,
}

impl Tools {
    pub fn from_environment() -> Self {
        let directories = match env::var_os("VBOXSVC_TOOL_PATH") {
            Some(path) if !path.is_empty() => env::split_paths(&path).filter(|p| p.is_absolute()).collect(),
            _ => TRUSTED.iter().map(PathBuf::from).collect(),
        };
        Tools { directories }
    }

    pub fn find(&self, name: &str) -> Result<PathBuf, NotFound> {
        exec::find_in(&self.directories, name)
            .ok_or_else(|| NotFound { name: name.to_string(), searched: self.path().to_string_lossy().into_owned() })
    }

    /// The list as a PATH.
    pub fn path(&self) -> std::ffi::OsString {
        env::join_paths(&self.directories).unwrap_or_default()
    }
}
