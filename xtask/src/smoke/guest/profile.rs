//! The machines that a guest can be, as data: `pkg/vm/NAME.toml` says where its image is, what hardware it works with, how
//! one logs in, and by which commands it gets a zone.
//!
//! QEMU's arguments may hold `${disk}` (the overlay over the image), `${files}` (a raw disk with the packages), and what
//! the kind of configuration adds. This module reads and checks; it knows no system by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::accel::Accel;
use super::login::Move;
use crate::hash::is_sha256;
use crate::smoke::target::{Feature, Nature};
use crate::smoke::variables::replaced;

/// Where the profiles are, below the workspace.
pub const FOLDER: &str = "pkg/vm";

#[derive(Debug, Error)]
pub enum ProfileError {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Toml { path: PathBuf, source: Box<toml::de::Error> },
    #[error("{}: {fault}", path.display())]
    Wrong { path: PathBuf, fault: String },
    #[error("no image {name:?}; there are {there}")]
    Unknown { name: String, there: String },
    #[error("the argument {argument:?} names ${{{name}}}, which this guest has not")]
    NoValue { argument: String, name: String },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    #[serde(skip)]
    pub name: String,
    /// The whole of it, as it was written.
    #[serde(skip)]
    pub text: String,
    pub title: String,
    pub nature: Nature,
    /// What it has for steps; all it takes must be in the image or made by `prepare` and `zone`.
    pub features: Vec<Feature>,
    pub image: Option<Image>,
    #[serde(default)]
    pub configuration: Configuration,
    pub machine: MachineData,
    pub console: ConsoleData,
    /// Steps run over ssh; on the console where it is missing.
    pub ssh: Option<SshData>,
    pub shell: ShellData,
    pub zone: Option<ZoneData>,
}

/// Where the image comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Image {
    pub url: String,
    /// How much the address gives, for people.
    pub megabytes: Option<u32>,
    /// The checksum of what the address gives, where it is known.
    pub sha256: Option<String>,
    /// The address of a file that holds the checksum, where one is published.
    pub sha256_url: Option<String>,
    /// How what the address gives is packed.
    #[serde(default)]
    pub packed: Packed,
    /// A private key that logs in, published with the image.
    pub key_url: Option<String>,
}

impl Image {
    fn urls(&self) -> impl Iterator<Item = &String> {
        [Some(&self.url), self.sha256_url.as_ref(), self.key_url.as_ref()].into_iter().flatten()
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Packed {
    #[default]
    No,
    Zst,
}

/// How a fresh image is told who may log in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Configuration {
    #[default]
    None,
    /// cloud-init's NoCloud, from a server whose address stands in SMBIOS: adds `${http-port}`.
    NocloudSmbios,
    /// illumos' metadata-agent, from a disk that is a cpio archive: adds `${metadata}`.
    CpioDisk,
    /// A kernel and an initramfs that are made here: adds `${kernel}` and `${initramfs}`.
    Standin,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MachineData {
    pub memory_mib: u32,
    pub processors: u32,
    pub arguments: Vec<String>,
    /// The size of a disk that begins empty, where there is no image.
    pub disk_mib: Option<u64>,
    /// How many times longer everything may take, by what runs the guest's instructions.
    pub patience: Patience,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patience {
    kvm: u32,
    tcg: u32,
}

impl Patience {
    pub fn with(self, accel: Accel) -> u32 {
        match accel {
            Accel::Kvm => self.kvm,
            Accel::Tcg => self.tcg,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConsoleData {
    /// How one logs in on it; nothing where ssh is the way in.
    #[serde(default)]
    pub login: Vec<Move>,
    /// What a dying kernel prints.
    pub crash: Vec<String>,
    /// From power-on to the first prompt, or until ssh lets somebody in.
    #[serde(deserialize_with = "time")]
    pub boot: Duration,
}

/// QEMU forwards `${ssh-port}` of this machine to the guest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SshData {
    pub user: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ShellData {
    /// Patterns of the disks one of which holds the files.
    pub disks: Vec<String>,
    /// Reboots the whole guest in an orderly way.
    pub reboot: Vec<String>,
    /// Done after the first boot, each until it succeeds or its time is up.
    #[serde(default)]
    pub prepare: Vec<Preparation>,
    /// Done after it has come back out of a snapshot: what it remembers of its disks may be of another run.
    #[serde(default)]
    pub resumed: Vec<Preparation>,
    /// Succeeds as soon as the services are up, after each boot.
    pub ready: Preparation,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Preparation {
    pub run: Vec<String>,
    #[serde(deserialize_with = "time")]
    pub bound: Duration,
    /// Tried again until it succeeds.
    #[serde(default)]
    pub poll: bool,
}

/// How the local zone "smoke" comes to be.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ZoneData {
    #[serde(default)]
    pub create: Vec<Preparation>,
    /// Its root, seen from the global zone.
    pub root: String,
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text).map_err(|error| serde::de::Error::custom(format!("{text:?}: {error}")))
}

impl Profile {
    pub fn parse(path: &Path, text: &str) -> Result<Profile, ProfileError> {
        let toml = |source| ProfileError::Toml { path: path.to_path_buf(), source: Box::new(source) };
        let mut profile: Profile = toml::from_str(text).map_err(toml)?;
        profile.name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        profile.text = text.to_string();
        match profile.fault() {
            Some(fault) => Err(ProfileError::Wrong { path: path.to_path_buf(), fault: fault.to_string() }),
            None => Ok(profile),
        }
    }

    fn fault(&self) -> Option<&'static str> {
        if self.image.is_none() == self.machine.disk_mib.is_none() {
            return Some("either an image or the size of an empty disk says what its disk is");
        }
        if self.image.as_ref().and_then(|image| image.sha256.as_ref()).is_some_and(|sum| !is_sha256(sum)) {
            return Some("sha256 is no SHA-256 in hexadecimal");
        }
        if self.image.iter().flat_map(Image::urls).any(|url| !url.starts_with("https://")) {
            return Some("an address that does not begin with https:// is not fetched from");
        }
        let has_key = self.image.as_ref().is_some_and(|image| image.key_url.is_some());
        let takes_key = matches!(self.configuration, Configuration::NocloudSmbios | Configuration::CpioDisk);
        if self.ssh.is_some() != (has_key || takes_key) {
            return Some("[ssh] belongs together with key-url or a configuration that brings a key");
        }
        if self.ssh.is_some() != self.console.login.is_empty() {
            return Some("either [ssh] or the console's login says how one gets in");
        }
        if self.features.contains(&Feature::Zone) != self.zone.is_some() {
            return Some("[zone] and the feature \"zone\" belong together");
        }
        if self.shell.reboot.is_empty() || self.shell.ready.run.is_empty() {
            return Some("reboot and ready must say something");
        }
        None
    }

    /// QEMU's arguments with every variable filled in.
    pub fn arguments(&self, values: &BTreeMap<&str, String>) -> Result<Vec<String>, ProfileError> {
        self.machine.arguments.iter().map(|argument| fill(argument, values)).collect()
    }
}

fn fill(argument: &str, values: &BTreeMap<&str, String>) -> Result<String, ProfileError> {
    let no_value = |name: &str| ProfileError::NoValue { argument: argument.to_string(), name: name.to_string() };
    let filled = replaced(argument, |name| values.get(name).cloned().ok_or_else(|| no_value(name)))?;
    filled.ok_or_else(|| no_value(argument))
}

/// Every profile there is, by name.
pub fn read_all(folder: &Path) -> Result<Vec<Profile>, ProfileError> {
    let failed = |source| ProfileError::Read { path: folder.to_path_buf(), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

fn read(path: &Path) -> Result<Profile, ProfileError> {
    let failed = |source| ProfileError::Read { path: path.to_path_buf(), source };
    Profile::parse(path, &fs::read_to_string(path).map_err(failed)?)
}

/// The profile of this name, or in this file where it is named like one.
pub fn find(folder: &Path, name: &str) -> Result<Profile, ProfileError> {
    if name.ends_with(".toml") {
        return read(Path::new(name));
    }
    let all = read_all(folder)?;
    let there = all.iter().map(|profile| profile.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = all.into_iter().find(|profile| profile.name == name);
    found.ok_or_else(|| ProfileError::Unknown { name: name.to_string(), there })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspaces_own() -> PathBuf {
        crate::flags::workspace().join(FOLDER)
    }

    #[test]
    fn the_profiles_of_this_project_are_right() {
        for profile in read_all(&workspaces_own()).unwrap() {
            let values: BTreeMap<&str, String> =
                ["disk", "files", "http-port", "ssh-port", "metadata", "kernel", "initramfs"]
                    .map(|name| (name, "x".into()))
                    .into();
            profile.arguments(&values).unwrap();
            assert!(profile.machine.patience.with(Accel::Tcg) >= profile.machine.patience.with(Accel::Kvm));
        }
    }

    #[test]
    fn an_image_that_is_not_there_is_told_with_those_that_are() {
        let error = find(&workspaces_own(), "beos").unwrap_err().to_string();
        assert!(error.contains("beos") && error.contains("standin"), "{error}");
    }

    #[test]
    fn arguments_are_filled_in_and_a_missing_value_is_told() {
        let values: BTreeMap<&str, String> = [("disk", "/d,1".to_string())].into();
        assert_eq!(fill("file=${disk},if=none", &values).unwrap(), "file=/d,1,if=none");
        let error = fill("file=${files}", &values).unwrap_err().to_string();
        assert!(error.contains("${files}"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_a_profile_is_told_with_its_file() {
        let standin = fs::read_to_string(workspaces_own().join("standin.toml")).unwrap();
        for (from, to, told) in [
            ("disk-mib", "disk-mb", "disk-mb"),
            ("tcg = ", "xen = ", "xen"),
            ("boot = \"", "boot = \"soon", "soon"),
            ("\"zone\", ", "", "belong together"),
        ] {
            let error =
                Profile::parse(Path::new("pkg/vm/x.toml"), &standin.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.starts_with("pkg/vm/x.toml") && error.contains(told), "{error}");
        }
    }
}
