//! What is linked into the executable: the runtime and the crates it takes, as `cargo metadata` tells for illumos.
//!
//! Only normal dependencies are followed. Procedural macros are left out, and what only they take: they write code at
//! build time and are not in the executable.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::payload::TARGET;

const ROOT: &str = "vboxsvc";

/// The runtime and what is linked into it.
#[derive(Debug)]
pub struct Components {
    pub root: Component,
    /// Sorted by name and version.
    pub linked: Vec<Component>,
}

#[derive(Debug, Clone)]
pub struct Component {
    pub name: String,
    pub version: String,
    /// As an SPDX expression.
    pub licence: Option<String>,
    pub repository: Option<String>,
    pub description: Option<String>,
    /// SHA-256 of the crate's archive, of those from a registry.
    pub checksum: Option<String>,
    pub folder: PathBuf,
    /// References of what it takes.
    pub depends_on: BTreeSet<String>,
    pub is_from_registry: bool,
}

impl Component {
    pub fn purl(&self) -> String {
        let kind = if self.is_from_registry { "cargo" } else { "generic" };
        // What crates and versions are made of needs no quoting but for the plus sign.
        format!("pkg:{kind}/{}@{}", self.name, self.version.replace('+', "%2B"))
    }
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    description: Option<String>,
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Target {
    kind: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dep>,
}

#[derive(Debug, Deserialize)]
struct Dep {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Debug, Deserialize)]
struct DepKind {
    /// None for a normal dependency.
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Lock {
    #[serde(default)]
    package: Vec<Locked>,
}

#[derive(Debug, Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

impl Components {
    pub fn gather(workspace: &Path) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET])
            .current_dir(workspace)
            .output()
            .context("cannot run cargo metadata")?;
        if !output.status.success() {
            bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let path = workspace.join("Cargo.lock");
        let lock = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::of(&String::from_utf8_lossy(&output.stdout), &lock)
    }

    fn of(metadata: &str, lock: &str) -> Result<Self> {
        let metadata: Metadata =
            serde_json::from_str(metadata).context("cargo metadata says what is not understood")?;
        let lock: Lock = toml::from_str(lock).context("Cargo.lock is not right")?;
        let packages: BTreeMap<&str, &Package> = metadata.packages.iter().map(|p| (p.id.as_str(), p)).collect();
        let nodes: BTreeMap<&str, &Node> = metadata.resolve.nodes.iter().map(|n| (n.id.as_str(), n)).collect();
        let is_root = |package: &&Package| package.name == ROOT && package.source.is_none();
        let root = metadata.packages.iter().find(is_root).with_context(|| format!("the workspace has no {ROOT}"))?;
        let mut linked = BTreeMap::new();
        let mut to_do = vec![root.id.as_str()];
        while let Some(id) = to_do.pop() {
            if linked.contains_key(id) {
                continue;
            }
            let package = packages.get(id).with_context(|| format!("cargo metadata does not describe {id}"))?;
            let deps = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
            let taken: Vec<&Package> = deps
                .iter()
                .filter(|dep| dep.dep_kinds.iter().any(|kind| kind.kind.is_none()))
                .filter_map(|dep| packages.get(dep.pkg.as_str()).copied())
                .filter(|package| !package.targets.iter().any(|target| target.kind.iter().any(|k| k == "proc-macro")))
                .collect();
            to_do.extend(taken.iter().map(|package| package.id.as_str()));
            linked.insert(id, component(package, &taken, &lock));
        }
        let root = linked.remove(root.id.as_str()).context("the root is among what is linked")?;
        let mut linked: Vec<Component> = linked.into_values().collect();
        linked.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
        Ok(Self { root, linked })
    }
}

fn component(package: &Package, taken: &[&Package], lock: &Lock) -> Component {
    let is_locked = |locked: &&Locked| locked.name == package.name && locked.version == package.version;
    let bare = |package: &Package| Component {
        name: package.name.clone(),
        version: package.version.clone(),
        // What was written before there were expressions.
        licence: package.license.as_ref().map(|licence| licence.replace('/', " OR ")),
        repository: package.repository.clone(),
        description: package.description.as_ref().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" ")),
        checksum: None,
        folder: package.manifest_path.parent().map(Path::to_path_buf).unwrap_or_default(),
        depends_on: BTreeSet::new(),
        is_from_registry: package.source.as_deref().is_some_and(|source| source.starts_with("registry+")),
    };
    Component {
        checksum: lock.package.iter().find(is_locked).and_then(|locked| locked.checksum.clone()),
        depends_on: taken.iter().map(|package| bare(package).purl()).collect(),
        ..bare(package)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The root takes `one` normally, `dev` for tests, `build` to build and `derive`, a macro that takes `hidden`;
    /// `one` takes `two`.
    pub fn sample(folder: &Path) -> Components {
        let package = |name: &str, licence: &str, kind: &str| {
            serde_json::json!({
                "id": name, "name": name, "version": "1.0.0+x", "license": licence,
                "repository": "https://example.org", "description": "What\n it does",
                "source": if name == ROOT { None } else { Some("registry+https://example.org") },
                "manifest_path": folder.join(name).join("Cargo.toml"), "targets": [{"kind": [kind]}],
            })
        };
        let dep = |name: &str, kind: Option<&str>| serde_json::json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let metadata = serde_json::json!({
            "packages": [
                package(ROOT, "MIT", "bin"), package("one", "MIT/Apache-2.0", "lib"), package("two", "Unlicense OR MIT", "lib"),
                package("dev", "MIT", "lib"), package("build", "MIT", "lib"), package("derive", "MIT", "proc-macro"),
                package("hidden", "MIT", "lib"),
            ],
            "resolve": {"nodes": [
                {"id": ROOT, "deps": [dep("one", None), dep("dev", Some("dev")), dep("build", Some("build")), dep("derive", None)]},
                {"id": "one", "deps": [dep("two", None)]},
                {"id": "derive", "deps": [dep("hidden", None)]},
                {"id": "two", "deps": []},
            ]},
        });
        let lock = "[[package]]\nname = \"one\"\nversion = \"1.0.0+x\"\nchecksum = \"abc\"\n";
        Components::of(&metadata.to_string(), lock).unwrap()
    }

    #[test]
    fn what_is_linked_in_is_followed_and_nothing_else() {
        let components = sample(Path::new("/nowhere"));
        assert_eq!(components.root.name, ROOT);
        assert_eq!(components.linked.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
        let one = &components.linked[0];
        assert_eq!(one.licence.as_deref(), Some("MIT OR Apache-2.0"));
        assert_eq!(one.checksum.as_deref(), Some("abc"));
        assert_eq!(one.purl(), "pkg:cargo/one@1.0.0%2Bx");
        assert_eq!(one.depends_on, BTreeSet::from(["pkg:cargo/two@1.0.0%2Bx".to_owned()]));
        assert_eq!(one.description.as_deref(), Some("What it does"));
        assert_eq!(components.root.purl(), "pkg:generic/vboxsvc@1.0.0%2Bx");
    }

    #[test]
    fn the_crates_of_this_workspace_are_all_licensed() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let components = Components::gather(workspace).unwrap();
        assert!(components.linked.iter().any(|component| component.name == "nix"));
        assert!(
            !components.linked.iter().any(|component| ["proptest", "syn", "tera"].contains(&component.name.as_str()))
        );
        let without: Vec<&str> =
            components.linked.iter().filter(|c| c.licence.is_none()).map(|c| c.name.as_str()).collect();
        assert!(without.is_empty(), "{without:?}");
    }
}
