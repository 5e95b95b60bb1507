//! The bytes that go into the package: each file's, whatever it comes from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::contents::{Contents, Source};
use crate::tasks::manifest;

/// Every file of the package by its path, and the licence's text.
pub struct Material {
    files: BTreeMap<String, Vec<u8>>,
    pub license: Vec<u8>,
}

impl Material {
    pub fn gather(workspace: &Path, contents: &Contents, executable: &Path) -> Result<Material> {
        let manifests = manifest::rendered(workspace, contents)?;
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let mut files = BTreeMap::new();
        for file in &contents.files {
            let bytes = match file.source()? {
                Source::Payload(_) => read(executable)?,
                Source::Workspace(path) => read(&workspace.join(path))?,
                Source::Manifest(name) => match manifests.iter().find(|m| m.file_name == name) {
                    Some(manifest) => manifest.text.clone().into_bytes(),
                    None => bail!("{}: there is no manifest {name}", file.path),
                },
            };
            files.insert(file.path.clone(), bytes);
        }
        Ok(Material { files, license: read(&workspace.join(&contents.license.workspace))? })
    }

    /// The bytes of the file at this path.
    pub fn of(&self, path: &str) -> Result<&[u8]> {
        self.files.get(path).map(Vec::as_slice).with_context(|| format!("{path} is not in the package"))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }
}
