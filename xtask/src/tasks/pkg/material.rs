//! The bytes that go into the packages: each file's, whatever it comes from.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::completion;
use crate::contents::{Contents, Database, SCRIPTS, Source};
use crate::manual;
use crate::tasks::manifest;

/// Every file of the package by its path, and what is no file of it: lines for databases, scripts, the licence.
pub struct Material {
    files: BTreeMap<String, Vec<u8>>,
    databases: BTreeMap<String, Vec<u8>>,
    /// By name, in the order in which they are run.
    pub scripts: Vec<(String, Vec<u8>)>,
    pub license: Vec<u8>,
}

impl Material {
    /// What a version of the package holds, with this executable in it.
    pub fn gather(
        workspace: &Path,
        contents: &Contents,
        executable: &Path,
        version: &str,
        epoch: u64,
    ) -> Result<Material> {
        let manifests = manifest::rendered(workspace, contents, version)?;
        let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let mut files = BTreeMap::new();
        for file in &contents.files {
            let bytes = match file.source()? {
                Source::Payload(_) => read(executable)?,
                Source::Man(name) => manual::render(workspace, name, version, epoch)?.into_bytes(),
                Source::Completion(shell) => completion::of(shell)?,
                Source::Workspace(path) => read(&workspace.join(path))?,
                Source::Manifest(name) => match manifests.iter().find(|m| m.file_name == name) {
                    Some(manifest) => manifest.text.clone().into_bytes(),
                    None => bail!("{}: there is no manifest {name}", file.path),
                },
            };
            files.insert(file.path.clone(), bytes);
        }
        let lines = |database: &Database| Ok((database.name.clone(), read(&workspace.join(&database.workspace))?));
        let script = |name: &String| Ok((name.clone(), read(&workspace.join(SCRIPTS).join(name))?));
        Ok(Material {
            files,
            databases: contents.rbac.databases.iter().map(lines).collect::<Result<_>>()?,
            scripts: contents.svr4.scripts.iter().map(script).collect::<Result<_>>()?,
            license: read(&workspace.join(&contents.license.workspace))?,
        })
    }

    /// The bytes of the file at this path.
    pub fn of(&self, path: &str) -> Result<&[u8]> {
        self.files.get(path).map(Vec::as_slice).with_context(|| format!("{path} is not in the package"))
    }

    /// The lines for the database of this name.
    pub fn lines(&self, database: &str) -> Result<&[u8]> {
        self.databases.get(database).map(Vec::as_slice).with_context(|| format!("there are no lines for {database}"))
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()))
    }
}
