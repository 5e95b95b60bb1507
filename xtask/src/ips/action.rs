//! The action model: what a package consists of, as its author gives it.
//!
//! An action is a kind and attributes, each with one or more values; attributes pkg does not know are as good as any
//! other. Files and licences carry their content. Nothing is checked here: `validate` does that for a whole package.

use crate::content::Content;
use std::collections::BTreeMap;
use std::fmt;

use super::fmri::Fmri;

/// One package, to be written.
#[derive(Debug, Clone)]
pub struct Package {
    pub fmri: Fmri,
    /// In any order; without `set name=pkg.fmri`, which is made from `fmri`.
    pub actions: Vec<Action>,
}

/// The kinds of actions this toolkit writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Set,
    Dir,
    File,
    Link,
    Hardlink,
    License,
    Legacy,
    Depend,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Dir => "dir",
            Self::File => "file",
            Self::Link => "link",
            Self::Hardlink => "hardlink",
            Self::License => "license",
            Self::Legacy => "legacy",
            Self::Depend => "depend",
        }
    }

    /// Whether actions of this kind bring content along.
    pub fn has_payload(self) -> bool {
        matches!(self, Self::File | Self::License)
    }

    /// The attribute that tells actions of this kind from each other.
    pub fn key_attribute(self) -> &'static str {
        match self {
            Self::Set => "name",
            Self::Dir | Self::File | Self::Link | Self::Hardlink => "path",
            Self::License => "license",
            Self::Legacy => "pkg",
            Self::Depend => "fmri",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Action {
    pub kind: Kind,
    pub content: Option<Content>,
    attributes: BTreeMap<String, Vec<String>>,
}

impl Action {
    pub fn new(kind: Kind) -> Self {
        Self { kind, content: None, attributes: BTreeMap::new() }
    }

    pub fn set(name: &str, value: &str) -> Self {
        Self::new(Kind::Set).with("name", name).with("value", value)
    }

    pub fn dir(path: &str, owner: &str, group: &str, mode: &str) -> Self {
        Self::new(Kind::Dir).placed(path, owner, group, mode)
    }

    pub fn file(path: &str, owner: &str, group: &str, mode: &str, content: Content) -> Self {
        Self::new(Kind::File).placed(path, owner, group, mode).containing(content)
    }

    pub fn link(path: &str, target: &str) -> Self {
        Self::new(Kind::Link).with("path", path).with("target", target)
    }

    pub fn hardlink(path: &str, target: &str) -> Self {
        Self::new(Kind::Hardlink).with("path", path).with("target", target)
    }

    pub fn license(name: &str, content: Content) -> Self {
        Self::new(Kind::License).with("license", name).containing(content)
    }

    pub fn legacy(package: &str) -> Self {
        Self::new(Kind::Legacy).with("pkg", package)
    }

    pub fn depend(dependency: &str, fmri: &str) -> Self {
        Self::new(Kind::Depend).with("type", dependency).with("fmri", fmri)
    }

    /// Adds one value to an attribute. Giving an attribute several times makes it a list, in that order.
    #[must_use]
    pub fn with(mut self, attribute: &str, value: &str) -> Self {
        self.attributes.entry(attribute.to_owned()).or_default().push(value.to_owned());
        self
    }

    /// All attributes and their values, sorted by attribute.
    pub fn attributes(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.attributes.iter().map(|(key, values)| (key.as_str(), values.as_slice()))
    }

    pub fn values(&self, attribute: &str) -> &[String] {
        self.attributes.get(attribute).map_or(&[], Vec::as_slice)
    }

    /// An attribute's first value.
    pub fn value(&self, attribute: &str) -> Option<&str> {
        self.values(attribute).first().map(String::as_str)
    }

    fn placed(self, path: &str, owner: &str, group: &str, mode: &str) -> Self {
        self.with("path", path).with("owner", owner).with("group", group).with("mode", mode)
    }

    fn containing(mut self, content: Content) -> Self {
        self.content = Some(content);
        self
    }
}

impl fmt::Display for Action {
    /// Enough to find the action by: its kind and what tells it from others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.kind.key_attribute();
        write!(f, "{} {key}={}", self.kind.name(), self.value(key).unwrap_or("(none)"))
    }
}
