//! What our package is and holds, read from `pkg/contents.toml`: the one description that both formats are made from.
//!
//! It knows neither format; `tasks::pkg` turns it into each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Where the description is, below the workspace.
pub const FILE: &str = "pkg/contents.toml";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Folders that every system has already.
    system_folders: Vec<String>,
    pub package: About,
    pub virtualbox: VirtualBox,
    #[serde(rename = "file")]
    pub files: Vec<File>,
    #[serde(rename = "directory")]
    pub directories: Vec<Directory>,
    #[serde(rename = "link")]
    pub links: Vec<Link>,
    pub license: License,
}

/// What the package says of itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    pub svr4: String,
    pub ips: String,
    pub publisher: String,
    pub arch: String,
    pub name: String,
    pub summary: String,
    pub description: String,
    pub vendor: String,
    pub url: String,
    pub classification: String,
    pub fmris: Vec<String>,
}

/// The dependency, and the bridge that meets it where IPS cannot see VirtualBox.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualBox {
    pub svr4: String,
    pub svr4_name: String,
    pub ips: Vec<String>,
    pub bridge: String,
    pub bridge_summary: String,
    pub bridge_description: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub path: String,
    payload: Option<String>,
    manifest: Option<String>,
    workspace: Option<PathBuf>,
    pub mode: String,
    #[serde(default = "root")]
    pub owner: String,
    pub group: String,
    /// The SVR4 class: which script puts the file in its place.
    #[serde(default = "none")]
    pub class: String,
    /// Attributes that only an IPS action has.
    #[serde(default)]
    pub ips: BTreeMap<String, String>,
}

/// Where a file's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source<'a> {
    Payload(&'a str),
    Manifest(&'a str),
    Workspace(&'a Path),
}

impl File {
    pub fn source(&self) -> Result<Source<'_>> {
        match (&self.payload, &self.manifest, &self.workspace) {
            (Some(name), None, None) => Ok(Source::Payload(name)),
            (None, Some(name), None) => Ok(Source::Manifest(name)),
            (None, None, Some(path)) => Ok(Source::Workspace(path)),
            _ => bail!("{FILE}: {}: give one of payload, manifest and workspace", self.path),
        }
    }

    pub fn mode(&self) -> Result<u32> {
        octal(&self.path, &self.mode)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    pub path: String,
    pub mode: String,
    #[serde(default = "root")]
    pub owner: String,
    pub group: String,
}

impl Directory {
    pub fn mode(&self) -> Result<u32> {
        octal(&self.path, &self.mode)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub path: String,
    pub target: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct License {
    pub name: String,
    pub workspace: PathBuf,
}

fn root() -> String {
    "root".to_string()
}

fn none() -> String {
    "none".to_string()
}

fn octal(path: &str, mode: &str) -> Result<u32> {
    u32::from_str_radix(mode, 8)
        .ok()
        .filter(|m| *m <= 0o7777)
        .with_context(|| format!("{FILE}: {path}: mode {mode:?} is not octal"))
}

impl Contents {
    /// The installed path of the program, which SMF runs as the method: the manifests name it.
    pub fn method(&self) -> Result<String> {
        let payload = self.files.iter().find(|file| file.payload.is_some());
        Ok(format!("/{}", payload.with_context(|| format!("{FILE}: no file is the payload"))?.path))
    }
}

/// Reads the description of the workspace's package.
pub fn read(workspace: &Path) -> Result<Contents> {
    let path = workspace.join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text)
}

fn parse(text: &str) -> Result<Contents> {
    let contents: Contents = toml::from_str(text).with_context(|| format!("{FILE} is not right"))?;
    let mut paths: Vec<&str> = contents.files.iter().map(|f| f.path.as_str()).collect();
    paths.extend(contents.directories.iter().map(|d| d.path.as_str()));
    paths.extend(contents.links.iter().map(|l| l.path.as_str()));
    paths.sort_unstable();
    if let Some(twice) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
        bail!("{FILE}: {} is given twice", twice[0]);
    }
    let homeless = |path: &&str| {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        !contents.system_folders.iter().any(|f| f == parent) && !contents.directories.iter().any(|d| d.path == parent)
    };
    if let Some(path) = paths.iter().find(|path| homeless(path)) {
        bail!("{FILE}: the folder of {path} is neither one of system_folders nor a directory of the package");
    }
    for file in &contents.files {
        file.source()?;
        file.mode()?;
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn committed() -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE)).unwrap()
    }

    #[test]
    fn the_committed_description_is_right() {
        let contents = parse(&committed()).unwrap();
        assert_eq!(contents.package.svr4, "COSvboxsvc");
        assert_eq!(contents.method().unwrap(), "/lib/svc/method/vboxsvc");
        assert!(contents.links.iter().any(|l| l.path == "lib/svc/method/vbox.sh"), "the historic path must stay");
    }

    #[test]
    fn a_path_given_twice_is_refused() {
        let twice = committed().replace("usr/bin/vboxsvc", "lib/svc/method/vboxsvc");
        assert!(parse(&twice).unwrap_err().to_string().contains("twice"));
    }

    #[test]
    fn a_file_without_a_source_or_with_a_bad_mode_is_refused() {
        let without = committed().replace("payload = \"vboxsvc\"\n", "");
        assert!(parse(&without).unwrap_err().to_string().contains("lib/svc/method/vboxsvc"));
        let bad_mode = committed().replace("mode = \"0555\"", "mode = \"rwx\"");
        assert!(parse(&bad_mode).unwrap_err().to_string().contains("octal"));
    }

    #[test]
    fn a_file_in_a_folder_that_nobody_delivers_is_refused() {
        let lost = committed().replace("path = \"usr/bin/vboxsvc\"", "path = \"opt/none/vboxsvc\"");
        assert!(parse(&lost).unwrap_err().to_string().contains("opt/none/vboxsvc"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(parse(&committed().replace("[license]", "[license]\ncolour = \"blue\"")).is_err());
    }
}
