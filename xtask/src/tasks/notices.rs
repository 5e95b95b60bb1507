//! `cargo xtask notices`: the licences of everything that is linked into the program, as a file of the package.
//!
//! The file is committed, because the texts lie in the crates' sources, which a build of the packages may not have at
//! hand. CI checks that it is what the sources say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::payload;

/// The file, below the workspace.
const FILE: &str = "pkg/third-party.txt";
/// What begins the names of files with licences.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];
const HEAD: &str = "\
The program vboxsvc is linked with parts of others' making, each under its licence. Where an author gives a choice that
has the MIT licence in it, it is the one taken. This file is made by `cargo xtask notices`.

The Rust standard library and what it is made of: MIT OR Apache-2.0.
Copyright (c) The Rust Project Contributors. The text of the MIT licence is the same as below.
";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing: fail if the file is not what the sources of the crates say
    #[arg(long)]
    check: bool,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let notices = notices(&linked(workspace)?)?;
    let path = workspace.join(FILE);
    if args.check {
        if fs::read_to_string(&path).unwrap_or_default() != notices {
            bail!("{FILE} is not what the sources of the crates say: run cargo xtask notices");
        }
    } else {
        fs::write(&path, notices).with_context(|| format!("cannot write {}", path.display()))?;
    }
    println!("{}", path.display());
    Ok(())
}

/// What `cargo metadata` says, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Crate>,
    resolve: Resolve,
}

#[derive(Debug, Clone, Deserialize)]
struct Crate {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
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
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    /// None for a dependency of the program itself, rather than of its tests or its build.
    kind: Option<String>,
}

/// The crates that end up in the program for illumos, by name.
fn linked(workspace: &Path) -> Result<Vec<Crate>> {
    let args = ["metadata", "--format-version=1", "--locked", "--filter-platform", payload::TARGET];
    let output = Command::new("cargo").args(args).current_dir(workspace).output().context("cannot run cargo")?;
    if !output.status.success() {
        bail!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata = serde_json::from_slice(&output.stdout).context("cannot read what cargo metadata said")?;
    reached(&metadata, "vboxsvc")
}

fn reached(metadata: &Metadata, program: &str) -> Result<Vec<Crate>> {
    let by_id: BTreeMap<&str, &Crate> = metadata.packages.iter().map(|c| (c.id.as_str(), c)).collect();
    let node = |id: &str| metadata.resolve.nodes.iter().find(|node| node.id == id);
    let root = metadata.packages.iter().find(|c| c.name == program).with_context(|| format!("no crate {program}"))?;
    let mut seen = BTreeSet::new();
    let mut ahead = vec![root.id.as_str()];
    while let Some(id) = ahead.pop() {
        let linked = |d: &&Dependency| d.dep_kinds.iter().any(|kind| kind.kind.is_none());
        for dependency in node(id).into_iter().flat_map(|node| node.deps.iter()).filter(linked) {
            // A procedural macro and all it needs run in the compiler.
            let found = by_id.get(dependency.pkg.as_str()).filter(|c| !is_macro(c));
            if found.is_some() && seen.insert(dependency.pkg.as_str()) {
                ahead.push(&dependency.pkg);
            }
        }
    }
    let mut crates: Vec<Crate> = seen.iter().filter_map(|id| by_id.get(id)).map(|c| (*c).clone()).collect();
    crates.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(crates)
}

fn is_macro(c: &Crate) -> bool {
    c.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "proc-macro"))
}

fn notices(crates: &[Crate]) -> Result<String> {
    let mut list = String::new();
    // Who has each text, in the order in which the texts come up first.
    let mut texts: Vec<(String, Vec<&str>)> = Vec::new();
    for c in crates {
        let license = c.license.as_deref().with_context(|| format!("the crate {} states no licence", c.name))?;
        list.push_str(&format!("{} {}: {license}\n", c.name, c.version));
        for text in texts_of(c, license)? {
            match texts.iter_mut().find(|(known, _)| *known == text) {
                Some((_, users)) => users.push(&c.name),
                None => texts.push((text, vec![&c.name])),
            }
        }
    }
    let rule = "-".repeat(100);
    let sections = texts.iter().map(|(text, users)| format!("\n{rule}\n{}\n\n{text}\n", users.join(", ")));
    Ok(format!("{HEAD}\n{list}{}", sections.collect::<String>()))
}

/// The texts that come with a crate; where there is a choice, the one of the MIT licence alone.
fn texts_of(c: &Crate, license: &str) -> Result<Vec<String>> {
    let folder = c.manifest_path.parent().with_context(|| format!("{} lies nowhere", c.name))?;
    let mut names: Vec<String> = fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| NAMES.iter().any(|begin| name.to_uppercase().starts_with(begin)))
        .collect();
    names.sort();
    let is_mit = |name: &String| name.to_uppercase().contains("MIT");
    if license.contains("MIT") && !license.contains("AND") && names.iter().any(is_mit) {
        names.retain(is_mit);
    }
    if names.is_empty() {
        bail!("the crate {} comes without the text of its licence", c.name);
    }
    let text = |name: &String| {
        let path = folder.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_string())
    };
    names.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crate_at(folder: &Path, name: &str, license: &str, files: &[(&str, &str)]) -> Crate {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        Crate {
            id: name.into(),
            name: name.into(),
            version: "1.0.0".into(),
            license: Some(license.into()),
            manifest_path: folder.join("Cargo.toml"),
            targets: Vec::new(),
        }
    }

    #[test]
    fn of_a_choice_only_the_mit_licence_is_printed_and_the_same_text_once() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("LICENSE-MIT", "mit \n"), ("LICENSE-APACHE", "apache"), ("README.md", "read")];
        let crates = [
            crate_at(folder.path(), "one", "MIT OR Apache-2.0", &files),
            crate_at(folder.path(), "two", "MIT/Apache-2.0", &files),
            crate_at(folder.path(), "both", "MIT AND Zlib", &[("LICENSE-MIT", "mit"), ("LICENSE-ZLIB", "zlib")]),
        ];
        let text = notices(&crates).unwrap();
        assert!(text.contains("one 1.0.0: MIT OR Apache-2.0\n"), "{text}");
        assert_eq!(text.matches("\none, two, both\n\nmit\n").count(), 1, "{text}");
        assert!(text.contains("\nboth\n\nzlib\n") && !text.contains("apache\n"), "{text}");
    }

    #[test]
    fn a_crate_without_a_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let bare = crate_at(folder.path(), "bare", "MIT", &[]);
        assert!(notices(&[bare]).unwrap_err().to_string().contains("bare"));
    }

    #[test]
    fn only_what_is_linked_counts() {
        let json = r#"{
            "packages": [
                {"id": "p", "name": "vboxsvc", "version": "1.0.0", "license": "MIT", "manifest_path": "p", "targets": []},
                {"id": "a", "name": "a", "version": "1.0.0", "license": "MIT", "manifest_path": "a", "targets": [{"kind": ["lib"]}]},
                {"id": "m", "name": "m", "version": "1.0.0", "license": "MIT", "manifest_path": "m", "targets": [{"kind": ["proc-macro"]}]},
                {"id": "s", "name": "s", "version": "1.0.0", "license": "MIT", "manifest_path": "s", "targets": []},
                {"id": "t", "name": "t", "version": "1.0.0", "license": "MIT", "manifest_path": "t", "targets": []},
                {"id": "b", "name": "b", "version": "1.0.0", "license": "MIT", "manifest_path": "b", "targets": []}
            ],
            "resolve": {"nodes": [
                {"id": "p", "deps": [
                    {"pkg": "a", "dep_kinds": [{"kind": null}, {"kind": "dev"}]},
                    {"pkg": "t", "dep_kinds": [{"kind": "dev"}]}]},
                {"id": "a", "deps": [{"pkg": "m", "dep_kinds": [{"kind": null}]}, {"pkg": "b", "dep_kinds": [{"kind": null}]}]},
                {"id": "m", "deps": [{"pkg": "s", "dep_kinds": [{"kind": null}]}]}
            ]}
        }"#;
        let crates = reached(&serde_json::from_str(json).unwrap(), "vboxsvc").unwrap();
        assert_eq!(crates.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    }
}
