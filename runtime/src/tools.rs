//! Where external programs are found: a fixed list of trusted directories.
//!
//! `VBOXSVC_TOOL_PATH` (colon separated) replaces the whole list, for odd layouts and for tests. Root takes no folder
//! from it that somebody else could change: the variable may come from a caller who is root by pfexec alone.

use std::env;
use std::path::{Path, PathBuf};

use crate::exec;
use crate::trust::weak_place;

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
    /// Those of the variable that were not taken, each with the reason.
    left_out: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
#[error("{name} is in none of the trusted directories {searched}: install it, or set VBOXSVC_TOOL_PATH{left_out}")]
pub struct NotFound {
    pub name: String,
    pub searched: String,
    left_out: String,
}

impl Tools {
    pub fn from_environment() -> Self {
        match env::var_os("VBOXSVC_TOOL_PATH") {
            Some(path) if !path.is_empty() => {
                Tools::of(env::split_paths(&path), nix::unistd::Uid::effective().is_root())
            }
            _ => Tools { directories: TRUSTED.iter().map(PathBuf::from).collect(), left_out: Vec::new() },
        }
    }

    fn of(asked: impl Iterator<Item = PathBuf>, is_root: bool) -> Self {
        let mut tools = Tools { directories: Vec::new(), left_out: Vec::new() };
        for directory in asked {
            let why_not = if !directory.is_absolute() {
                Some(format!("{} is not an absolute path", directory.display()))
            } else {
                is_root.then(|| distrusted(&directory)).flatten()
            };
            match why_not {
                Some(why) => tools.left_out.push(why),
                None => tools.directories.push(directory),
            }
        }
        tools
    }

    pub fn find(&self, name: &str) -> Result<PathBuf, NotFound> {
        exec::find_in(&self.directories, name).ok_or_else(|| NotFound {
            name: name.to_string(),
            searched: self.path().to_string_lossy().into_owned(),
            left_out: self.left_out.iter().map(|why| format!(" ({why})")).collect(),
        })
    }

    /// The list as a PATH.
    pub fn path(&self) -> std::ffi::OsString {
        env::join_paths(&self.directories).unwrap_or_default()
    }
}

/// Why root does not look for programs there.
fn distrusted(directory: &Path) -> Option<String> {
    let shown = directory.display();
    match weak_place(directory, 0) {
        Ok(None) => None,
        Ok(Some(weak)) => {
            Some(format!("{shown} is not for root, because {} could change {}", weak.who, weak.place.display()))
        }
        Err(error) => Some(format!("{shown} cannot be looked at: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn root_takes_no_folder_from_the_environment_that_others_can_change() {
        let folder = tempfile::tempdir().unwrap();
        let open = folder.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        let asked = || [PathBuf::from("relative"), open.clone(), PathBuf::from("/")].into_iter();
        let of_root = Tools::of(asked(), true);
        assert_eq!(of_root.directories, [PathBuf::from("/")]);
        let told = of_root.find("VBoxManage").unwrap_err().to_string();
        assert!(told.contains("is not for root") && told.contains("relative is not"), "{told}");
        assert_eq!(Tools::of(asked(), false).directories, [open, PathBuf::from("/")]);
    }
}
