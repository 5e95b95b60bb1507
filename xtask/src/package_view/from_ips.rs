//! An IPS package as a view.

use std::collections::BTreeMap;

use super::container::source_of_line;
use super::digest::{Digest, Digests};
use super::{Dependency, Entry, Format, Kind, OwnFile, View};
use crate::ips::format::{CHASH, CONTENT_HASH, CSIZE, SIZE};
use crate::ips::reader::{ReadAction, ReadPackage};

/// Attributes that have a place of their own in an entry, or tell of the payload what its bytes tell.
const PLACED: [&str; 9] = ["path", "owner", "group", "mode", "target", CHASH, CONTENT_HASH, CSIZE, SIZE];

pub fn view(package: &ReadPackage, digests: &Digests) -> View {
    let id = package.fmri();
    let mut view = View {
        format: Format::Ips,
        name: package.name.clone(),
        version: package.version.clone(),
        parameters: BTreeMap::new(),
        entries: Vec::new(),
        install_files: BTreeMap::new(),
        licences: BTreeMap::new(),
        dependencies: Vec::new(),
        other_actions: Vec::new(),
        id,
    };
    for action in &package.actions {
        let source = source_of_line(action.line);
        let digest = digests.get(&view.id, &source);
        let kind = match action.kind.as_str() {
            "dir" => Kind::Directory,
            "file" => Kind::File,
            "link" => Kind::Symlink,
            "hardlink" => Kind::Hardlink,
            "set" => {
                let name = format!("{}{}", action.value("name").unwrap_or_default(), variants(action));
                view.parameters.entry(name).or_default().extend(action.values("value").map(str::to_owned));
                continue;
            }
            "license" => {
                let name = format!("{}{}", action.value("license").unwrap_or_default(), variants(action));
                if let Some(Digest { size, sha256, .. }) = digest.cloned() {
                    view.licences.insert(name, OwnFile { size, sha256, source });
                }
                continue;
            }
            "depend" => {
                view.dependencies.push(dependency(action));
                continue;
            }
            _ => {
                view.other_actions.push(words(action));
                continue;
            }
        };
        view.entries.push(entry(action, kind, source, digest));
    }
    view.entries.sort_by(|a, b| a.path.cmp(&b.path));
    view
}

fn entry(action: &ReadAction, kind: Kind, source: String, digest: Option<&Digest>) -> Entry {
    let value = |name: &str| action.value(name).map(str::to_owned);
    let mut attributes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in action.attributes.iter().filter(|(name, _)| !PLACED.contains(&name.as_str())) {
        attributes.entry(name.clone()).or_default().push(value.clone());
    }
    let stated = || action.value(SIZE).and_then(|size| size.parse().ok());
    Entry {
        path: action.value("path").unwrap_or_default().trim_start_matches('/').to_owned(),
        kind,
        mode: action.value("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok()),
        owner: value("owner"),
        group: value("group"),
        class: None,
        size: if kind.is_file() { digest.map(|digest| digest.size).or_else(stated) } else { None },
        sha256: digest.map(|digest| digest.sha256.clone()),
        mtime: None,
        target: value("target"),
        attributes,
        source: kind.is_file().then_some(source),
    }
}

fn dependency(action: &ReadAction) -> Dependency {
    let known = |name: &str| matches!(name, "type" | "fmri");
    Dependency {
        kind: action.value("type").unwrap_or_default().to_owned(),
        packages: action.values("fmri").map(str::to_owned).collect(),
        detail: action
            .attributes
            .iter()
            .filter(|(name, _)| !known(name))
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
    }
}

/// What keeps two actions of one name apart.
fn variants(action: &ReadAction) -> String {
    let of_variants = action.attributes.iter().filter(|(name, _)| name.starts_with("variant."));
    of_variants.fold(String::new(), |text, (name, value)| format!("{text} {name}={value}"))
}

fn words(action: &ReadAction) -> String {
    let attributes = action.attributes.iter().filter(|(name, _)| !PLACED.contains(&name.as_str()) || name == "group");
    attributes.fold(action.kind.clone(), |text, (name, value)| format!("{text} {name}={value}"))
}
