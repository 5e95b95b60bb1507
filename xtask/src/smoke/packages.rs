//! The packages that a run tries: ours of this version and of one before, a look-alike of the old one, and the stub of
//! VirtualBox. Built for whatever runs on the target.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::target::FILES;
use super::variables::{VariableError, Variables};
use crate::trial;

/// What is upgraded from: higher than every release of the old package, lower than any of ours.
pub const PREVIOUS: &str = "0.19.99";

/// The executables that go into packages.
#[derive(Debug, Clone)]
pub struct Executables {
    pub vboxsvc: PathBuf,
    pub stub: PathBuf,
}

/// Package files with the variable that names each in a step.
#[derive(Debug, Clone)]
pub struct Packages(Vec<(&'static str, PathBuf)>);

impl Packages {
    pub fn make(workspace: &Path, executables: &Executables, epoch: u64, out: &Path) -> Result<Packages> {
        let version = env!("CARGO_PKG_VERSION");
        let ours = trial::ours(workspace, &executables.vboxsvc, version, epoch, &out.join("ours"))?;
        let previous = trial::ours(workspace, &executables.vboxsvc, PREVIOUS, epoch, &out.join("previous"))?;
        let old = trial::historic(trial::Release::V0_19, epoch, &out.join("old"))?;
        let stub = trial::virtualbox(&executables.stub, epoch, &out.join("stub"))?;
        Ok(Packages(vec![
            ("svr4", ours.svr4),
            ("svr4-previous", previous.svr4),
            ("svr4-0.19", old),
            ("svr4-stub", stub.svr4),
            ("ips", ours.ips),
            ("ips-previous", previous.ips),
            ("ips-bridge", ours.bridge),
            ("ips-stub", stub.system_ips),
            ("ips-stub-ooce", stub.ooce_ips),
        ]))
    }

    /// Each file with the name that it gets on the target.
    pub fn files(&self) -> Vec<(String, &Path)> {
        self.0.iter().map(|(variable, path)| (file_name(variable, path), path.as_path())).collect()
    }

    /// What steps may name.
    pub fn variables(&self) -> Result<Variables, VariableError> {
        let mut variables = Variables::default();
        variables.set("version", env!("CARGO_PKG_VERSION"))?;
        variables.set("previous", PREVIOUS)?;
        for (variable, path) in &self.0 {
            variables.set(variable, format!("{FILES}/{}", file_name(variable, path)))?;
        }
        Ok(variables)
    }
}

/// By its variable: two packages may have files of the same name.
fn file_name(variable: &str, path: &Path) -> String {
    format!("{variable}.{}", path.extension().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_has_a_variable_and_a_name_of_its_own() {
        let packages = Packages(vec![("svr4", "/o/x-0.20.0.pkg".into()), ("svr4-previous", "/p/x-0.20.0.pkg".into())]);
        let names: Vec<String> = packages.files().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["svr4.pkg", "svr4-previous.pkg"]);
        let variables = packages.variables().unwrap();
        assert_eq!(variables.fill("${svr4-previous} ${previous}").unwrap(), "/var/tmp/smoke/svr4-previous.pkg 0.19.99");
    }
}
