//! What our package is and holds, read from `pkg/contents.toml`: the one description that both formats are made from.
//!
//! It knows neither format; `tasks::pkg` turns it into each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Where the description is, below the workspace.
pub const FILE: &str = "pkg/contents.toml";
/// Where the SVR4 scripts are, below the workspace.
pub const SCRIPTS: &str = "pkg/svr4";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contents {
    /// Folders that every system has already.
    system_folders: Vec<String>,
    pub package: About,
    pub zones: Zones,
    pub virtualbox: VirtualBox,
    pub svr4: Svr4,
    pub rbac: Rbac,
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

/// Which zones the package is for, in each format's words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zones {
    pub svr4: BTreeMap<String, String>,
    pub ips: Vec<String>,
}

/// What only the SVR4 package has.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Svr4 {
    /// Their names, which are those of the files in [`SCRIPTS`] too.
    pub scripts: Vec<String>,
}

/// Lines for the system's databases of rights.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rbac {
    /// Where the databases are.
    pub folder: String,
    /// Attributes that only an IPS action has.
    #[serde(default)]
    pub ips: BTreeMap<String, String>,
    #[serde(rename = "database")]
    pub databases: Vec<Database>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub name: String,
    pub workspace: PathBuf,
}

impl Rbac {
    /// The database itself, which SVR4's class script merges into.
    pub fn database(&self, database: &Database) -> String {
        format!("{}/{}", self.folder, database.name)
    }

    /// The package's own fragment, which IPS delivers.
    pub fn fragment(&self, database: &Database) -> String {
        format!("{}/{}.d/vboxsvc", self.folder, database.name)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub path: String,
    payload: Option<String>,
    manifest: Option<String>,
    man: Option<String>,
    completion: Option<String>,
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
    /// A page of the manual, by its file name.
    Man(&'a str),
    /// Completions, by the shell's name.
    Completion(&'a str),
    Workspace(&'a Path),
}

impl File {
    pub fn source(&self) -> Result<Source<'_>> {
        let given = [
            self.payload.as_deref().map(Source::Payload),
            self.manifest.as_deref().map(Source::Manifest),
            self.man.as_deref().map(Source::Man),
            self.completion.as_deref().map(Source::Completion),
            self.workspace.as_deref().map(Source::Workspace),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (Some(source), None) => Ok(source),
            _ => bail!("{FILE}: {}: give one of payload, manifest, man, completion and workspace", self.path),
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

/// The description in a text.
pub fn parse(text: &str) -> Result<Contents> {
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
    fn every_script_is_one_that_pkgadd_or_pkgrm_runs_and_every_file_there_is_a_script() {
        let mut scripts = parse(&committed()).unwrap().svr4.scripts;
        let known = ["request", "checkinstall", "preinstall", "postinstall", "preremove", "postremove"];
        assert!(scripts.iter().all(|name| known.contains(&name.as_str())), "{scripts:?}");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(SCRIPTS);
        let mut there: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        scripts.sort();
        there.sort();
        assert_eq!(scripts, there);
    }

    /// The system's class script refuses other names.
    #[test]
    fn databases_of_rights_are_known_by_their_names_and_merged_in_their_place() {
        let rbac = parse(&committed()).unwrap().rbac;
        let names: Vec<&str> = rbac.databases.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["auth_attr", "prof_attr", "exec_attr"]);
        assert_eq!(rbac.database(&rbac.databases[0]), "etc/security/auth_attr");
        assert_eq!(rbac.fragment(&rbac.databases[0]), "etc/security/auth_attr.d/vboxsvc");
    }

    #[test]
    fn a_file_with_two_sources_is_refused() {
        let two = committed().replace("payload = \"vboxsvc\"", "payload = \"vboxsvc\"\nman = \"vboxsvc.8\"");
        assert!(parse(&two).unwrap_err().to_string().contains("lib/svc/method/vboxsvc"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        assert!(parse(&committed().replace("[license]", "[license]\ncolour = \"blue\"")).is_err());
    }
}
