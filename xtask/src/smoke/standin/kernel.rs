//! Debian's kernel, unpacked from its package and kept: nothing is installed on this machine.

use std::fs;
use std::path::{Path, PathBuf};

use super::{StandinError, io_at};
use crate::payload::program::{Environment, ask, run};

/// The package that always depends on the newest kernel.
const META_PACKAGE: &str = "linux-image-cloud-amd64";
const UNPACKED: &str = "unpacked";

/// A kernel and the folder of its modules.
#[derive(Debug, Clone)]
pub struct Kernel {
    pub image: PathBuf,
    pub modules: PathBuf,
}

/// The kernel that is kept in a folder, got first where it is missing and that is allowed.
pub fn kernel(folder: &Path, bootstrap: bool) -> Result<Kernel, StandinError> {
    let unpacked = folder.join(UNPACKED);
    if !unpacked.is_dir() {
        if !bootstrap {
            let remedy = format!("unpack Debian's {META_PACKAGE} (what it depends on) into {}", unpacked.display());
            return Err(StandinError::Missing { what: "a kernel for the stand-in guest".to_string(), remedy });
        }
        fetch(folder, &unpacked)?;
    }
    in_folder(&unpacked)
}

fn fetch(folder: &Path, unpacked: &Path) -> Result<(), StandinError> {
    fs::create_dir_all(folder).map_err(io_at(folder))?;
    let env = Environment::system(std::env::vars_os());
    let told = ask(env.command(Path::new("apt-cache")).args(["depends", META_PACKAGE]))?;
    let package = dependency(&told).ok_or_else(|| StandinError::Archive(format!("apt knows no {META_PACKAGE}")))?;
    run(env.command(Path::new("apt-get")).args(["download", package]).current_dir(folder))?;
    let archive = entries(folder)?.into_iter().find(|path| is_package_file(path, package));
    let archive = archive.ok_or_else(|| StandinError::Archive(format!("apt-get left no file of {package}")))?;
    // It gets its name last: what was interrupted is not taken for a kernel.
    let unfinished = folder.join("unfinished");
    run(env.command(Path::new("dpkg-deb")).arg("-x").arg(&archive).arg(&unfinished))?;
    fs::rename(&unfinished, unpacked).map_err(io_at(unpacked))?;
    fs::remove_file(&archive).map_err(io_at(&archive))
}

/// The first dependency in what apt-cache says.
fn dependency(told: &str) -> Option<&str> {
    told.lines().find_map(|line| line.trim().strip_prefix("Depends: "))
}

fn is_package_file(path: &Path, package: &str) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(&format!("{package}_")) && name.ends_with(".deb")
}

fn in_folder(unpacked: &Path) -> Result<Kernel, StandinError> {
    let boot = unpacked.join("boot");
    let is_kernel = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"));
    let image = entries(&boot)?.into_iter().find(is_kernel);
    let modules = entries(&unpacked.join("lib/modules"))?.into_iter().next();
    match (image, modules) {
        (Some(image), Some(modules)) => Ok(Kernel { image, modules }),
        _ => Err(StandinError::Archive(format!("{} holds no kernel with modules; remove it", unpacked.display()))),
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StandinError> {
    let read = fs::read_dir(folder).map_err(io_at(folder))?;
    let mut paths: Vec<PathBuf> =
        read.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>().map_err(io_at(folder))?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_package_is_read_from_what_apt_says() {
        let told = "linux-image-cloud-amd64\n  Depends: linux-image-6.1.0-56-cloud-amd64\n";
        assert_eq!(dependency(told), Some("linux-image-6.1.0-56-cloud-amd64"));
        assert!(is_package_file(Path::new("/x/linux-6_6.1_amd64.deb"), "linux-6"));
        assert!(!is_package_file(Path::new("/x/linux-6.1_6.1_amd64.deb"), "linux-6"));
    }

    #[test]
    fn without_consent_nothing_is_fetched_and_the_way_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = kernel(&folder.path().join("kernel"), false).unwrap_err().to_string();
        assert!(error.contains("--bootstrap") && error.contains(META_PACKAGE), "{error}");
    }
}
