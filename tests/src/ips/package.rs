//! A package as an archive or an image has it: its name, its manifest, its actions. Plain data and questions to it.

use std::fmt;

use serde::{Deserialize, Serialize};
use xtask::ips::fmri::Version;
use xtask::ips::reader::{ReadAction, ReadPackage};

use super::variants::Variants;

/// One line of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    pub kind: String,
    /// The name of its payload.
    pub hash: Option<String>,
    /// A list has its attribute once for each value.
    pub attributes: Vec<(String, String)>,
}

impl Action {
    pub fn values<'a>(&'a self, attribute: &'a str) -> impl Iterator<Item = &'a str> {
        self.attributes.iter().filter(move |(key, _)| key == attribute).map(|(_, value)| value.as_str())
    }

    pub fn value(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == attribute).map(|(_, value)| value.as_str())
    }

    pub fn is_file(&self) -> bool {
        self.kind == "file"
    }

    pub fn is_dir(&self) -> bool {
        self.kind == "dir"
    }

    /// Whether it puts something into the file system, at [`Action::path`].
    pub fn has_place(&self) -> bool {
        matches!(self.kind.as_str(), "dir" | "file" | "link" | "hardlink")
    }

    /// Where it puts it, relative to the image's root, with `.` and `..` resolved: nothing leads out.
    pub fn path(&self) -> String {
        let mut parts = Vec::new();
        for part in self.value("path").unwrap_or_default().split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        parts.join("/")
    }

    pub fn mode(&self) -> u32 {
        self.value("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or_default()
    }

    /// What tells actions of a kind from each other in messages.
    pub fn key(&self) -> String {
        match self.kind.as_str() {
            "license" => self.value("license").unwrap_or_default().to_string(),
            "legacy" => self.value("pkg").unwrap_or_default().to_string(),
            _ => self.path(),
        }
    }

    /// Whether two actions say the same, in whatever order.
    pub fn same_as(&self, other: &Action) -> bool {
        let sorted = |action: &Action| {
            let mut attributes = action.attributes.clone();
            attributes.sort();
            attributes
        };
        self.kind == other.kind && self.hash == other.hash && sorted(self) == sorted(other)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind)?;
        if let Some(hash) = &self.hash {
            write!(f, " {hash}")?;
        }
        self.attributes.iter().try_for_each(|(key, value)| write!(f, " {key}={value}"))
    }
}

impl From<&ReadAction> for Action {
    fn from(read: &ReadAction) -> Action {
        Action { kind: read.kind.clone(), hash: read.hash.clone(), attributes: read.attributes.clone() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    pub publisher: String,
    pub name: String,
    /// As the archive's path has it.
    pub version: String,
    pub manifest: String,
    pub actions: Vec<Action>,
}

impl From<ReadPackage> for Package {
    fn from(read: ReadPackage) -> Package {
        let actions = read.actions.iter().map(Action::from).collect();
        let ReadPackage { publisher, name, version, manifest, .. } = read;
        Package { publisher, name, version, manifest, actions }
    }
}

impl Package {
    /// The version in its order; nothing is older than one that cannot be read.
    pub fn order(&self) -> Option<Version> {
        self.version.parse().ok()
    }

    pub fn fmri(&self) -> String {
        format!("pkg://{}/{}@{}", self.publisher, self.name, self.version)
    }

    /// The name as pkg shows it: without the build release.
    pub fn shown(&self) -> String {
        let time = self.order().and_then(|v| v.timestamp).map(|t| format!(":{t}")).unwrap_or_default();
        format!("pkg://{}/{}@{}{time}", self.publisher, self.name, self.shown_version())
    }

    pub fn shown_version(&self) -> String {
        let Some(version) = self.order() else { return self.version.clone() };
        let branch = version.branch.map(|b| format!("-{b}")).unwrap_or_default();
        format!("{}{branch}", version.release)
    }

    pub fn setting(&self, name: &str) -> Option<&str> {
        self.actions.iter().find(|a| a.kind == "set" && a.value("name") == Some(name)).and_then(|a| a.value("value"))
    }

    pub fn is_marked(&self, name: &str) -> bool {
        self.setting(name) == Some("true")
    }

    pub fn fits(&self, image: &Variants) -> bool {
        let tags = self.actions.iter().filter(|a| a.kind == "set");
        tags.filter_map(|a| Some((a.value("name").filter(|n| n.starts_with("variant."))?, a)))
            .all(|(name, action)| image.allows(name, action.values("value")))
    }

    /// The actions that an image of these variants gets.
    pub fn actions_for<'a>(&'a self, image: &'a Variants) -> impl Iterator<Item = &'a Action> {
        self.actions.iter().filter(|action| image.delivers(action))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> String {
        let attributes = vec![("path".to_string(), path.to_string())];
        Action { kind: "file".into(), hash: None, attributes }.path()
    }

    #[test]
    fn no_path_leads_out_of_the_image() {
        assert_eq!(at("/usr/bin/x"), "usr/bin/x");
        assert_eq!(at("usr/../../../etc/./x"), "etc/x");
        assert_eq!(at(".."), "");
    }
}
