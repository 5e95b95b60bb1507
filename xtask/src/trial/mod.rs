//! Packages to try things with: ours of any version with any executable inside, look-alikes of the package that ours
//! replaces, and a stub of VirtualBox in each of its packages.
//!
//! They are for tests and smoke runs and never part of a release. The look-alikes hold nothing of the old package but
//! its names, and the stub's packages say in their descriptions that they are no VirtualBox.

mod historic;
#[cfg(test)]
mod tests;
mod virtualbox;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::contents;
use crate::finding::Level;
use crate::ips;
use crate::package_view;
use crate::svr4::datastream;
use crate::tasks::pkg::{Material, Plan, write_whole};

pub use historic::{Release, historic};
pub use virtualbox::{VirtualBox, virtualbox};

/// Our packages of one version.
#[derive(Debug, Clone)]
pub struct Ours {
    pub svr4: PathBuf,
    pub ips: PathBuf,
    /// Tells IPS of a VirtualBox that came as an SVR4 package.
    pub bridge: PathBuf,
}

/// Makes our packages from what the workspace holds, as the version that is given and with any executable inside.
pub fn ours(workspace: &Path, executable: &Path, version: &str, epoch: u64, out: &Path) -> Result<Ours> {
    let contents = contents::read(workspace)?;
    let material = Material::gather(workspace, &contents, executable, version, epoch)?;
    let plan = Plan { contents: &contents, material: &material, version, epoch };
    make_folder(out)?;
    Ok(Ours { svr4: plan.svr4(out)?, ips: plan.ips(out)?, bridge: plan.bridge(out)? })
}

fn make_folder(out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))
}

fn write_svr4(package: datastream::Package, path: PathBuf) -> Result<PathBuf> {
    write_checked(path, |file| Ok(datastream::write(&[package], file).map(drop)?))
}

fn write_ips(publisher: &str, package: ips::Package, epoch: u64, path: PathBuf) -> Result<PathBuf> {
    write_checked(path, |file| Ok(ips::write(publisher, &[package], epoch, file).map(drop)?))
}

/// Writes a package and reads it back: one that would not install is no help to a trial.
fn write_checked(path: PathBuf, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<PathBuf> {
    write_whole(&path, write)?;
    let read = package_view::read(&path).with_context(|| format!("cannot read {} back", path.display()))?;
    let first = read.findings.iter().find(|finding| finding.level == Level::Error);
    ensure!(first.is_none(), "{} reads back wrong: {}", path.display(), first.map_or(String::new(), |f| f.to_string()));
    Ok(path)
}
