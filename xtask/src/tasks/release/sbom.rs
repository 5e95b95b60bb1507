//! The bill of materials in CycloneDX's JSON, version 1.5: what is in the executable, for whom it was resolved.
//!
//! The same inputs give the same document: its time is the build's, its serial number comes from its contents.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::hash::sha256;
use crate::linked::{Component, Components};
use crate::payload::TARGET;

/// The standard library is no crate of a registry, but it is in there.
const STD: &str = "pkg:generic/rust-std";

/// `toolchain` is the standard library and the compiler, as the build record names them.
pub fn bom(components: &Components, toolchain: (&str, &str), epoch: u64) -> Result<Value> {
    let std = std_component(toolchain);
    let std_ref = std.get("bom-ref").cloned().unwrap_or_default();
    let root = &components.root;
    let mut listed: Vec<Value> = components.linked.iter().map(|linked| component(linked, "library")).collect();
    listed.push(std);
    let mut dependencies: Vec<Value> = vec![];
    for from in std::iter::once(root).chain(&components.linked) {
        let mut on: Vec<Value> = from.depends_on.iter().map(|purl| json!(purl)).collect();
        on.push(std_ref.clone());
        dependencies.push(json!({"ref": from.purl(), "dependsOn": on}));
    }
    dependencies.push(json!({"ref": std_ref, "dependsOn": []}));
    let seconds = i64::try_from(epoch).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let time = seconds.with_context(|| format!("the time {epoch} is beyond the calendar"))?;
    let mut described = component(root, "application");
    if let Some(described) = described.as_object_mut() {
        described.insert("properties".into(), json!([{"name": "target", "value": TARGET}]));
    }
    let serial = serial(&json!([described, listed, dependencies, epoch]).to_string());
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": serial,
        "version": 1,
        "metadata": {
            "timestamp": time.to_string(),
            "tools": {"components": [{"type": "application", "name": "xtask", "version": env!("CARGO_PKG_VERSION")}]},
            "component": described,
        },
        "components": listed,
        "dependencies": dependencies,
    }))
}

fn component(of: &Component, kind: &str) -> Value {
    let purl = of.purl();
    let mut value = json!({"type": kind, "bom-ref": purl, "name": of.name, "version": of.version, "purl": purl});
    let Some(object) = value.as_object_mut() else { return value };
    if let Some(description) = &of.description {
        object.insert("description".into(), json!(description));
    }
    if let Some(licence) = &of.licence {
        object.insert("licenses".into(), json!([{"expression": licence}]));
    }
    if let Some(checksum) = &of.checksum {
        object.insert("hashes".into(), json!([{"alg": "SHA-256", "content": checksum}]));
    }
    if let Some(repository) = &of.repository {
        object.insert("externalReferences".into(), json!([{"type": "vcs", "url": repository}]));
    }
    value
}

fn std_component((std, rustc): (&str, &str)) -> Value {
    // As in "debian rust-web-src 1.96.0", or else the version of "rustc 1.95.0 (...)".
    let is_version = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    let version = std.split_whitespace().rev().find(is_version).or_else(|| rustc.split_whitespace().find(is_version));
    let version = version.unwrap_or("unknown");
    let purl = format!("{STD}@{version}");
    json!({
        "type": "library", "bom-ref": purl, "name": "rust-std", "version": version, "purl": purl,
        "description": format!("The Rust standard library ({std}), compiled by {rustc}"),
        "licenses": [{"expression": "MIT OR Apache-2.0"}],
    })
}

/// A UUID of the contents, marked as one made in a way of our own (version 8).
fn serial(text: &str) -> String {
    let hex = sha256(text.as_bytes());
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    let [a, b, c, d, e] = [part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32)];
    format!("urn:uuid:{a}-{b}-8{c}-a{d}-{e}")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::linked::tests::sample;

    fn document() -> Value {
        bom(&sample(Path::new("/nowhere")), ("debian rust-web-src 1.96.0", "rustc 1.95.0 (x)"), 1_767_225_600).unwrap()
    }

    #[test]
    fn every_component_has_name_version_purl_and_licence() {
        let document = document();
        assert_eq!((&document["bomFormat"], &document["specVersion"]), (&json!("CycloneDX"), &json!("1.5")));
        let names: Vec<&str> =
            document["components"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["one", "two", "rust-std"]);
        for component in document["components"].as_array().unwrap() {
            assert!(component["purl"].is_string() && component["licenses"][0]["expression"].is_string(), "{component}");
        }
        assert_eq!(document["components"][0]["hashes"][0]["content"], "abc");
        assert_eq!(document["components"][2]["version"], "1.96.0");
        assert_eq!(document["metadata"]["component"]["type"], "application");
        assert_eq!(document["metadata"]["timestamp"], "2026-01-01T00:00:00Z");
    }

    #[test]
    fn every_reference_is_of_something_listed_and_none_is_there_twice() {
        let document = document();
        let mut known: BTreeSet<&str> =
            BTreeSet::from([document["metadata"]["component"]["bom-ref"].as_str().unwrap()]);
        for component in document["components"].as_array().unwrap() {
            assert!(known.insert(component["bom-ref"].as_str().unwrap()), "{component}");
        }
        let dependencies = document["dependencies"].as_array().unwrap();
        assert_eq!(dependencies.len(), known.len());
        for dependency in dependencies {
            let on = dependency["dependsOn"].as_array().unwrap();
            assert!(
                on.iter().chain([&dependency["ref"]]).all(|to| known.contains(to.as_str().unwrap())),
                "{dependency}"
            );
        }
    }

    #[test]
    fn the_same_contents_give_the_same_document_and_others_another_serial() {
        assert_eq!(document(), document());
        let other = bom(&sample(Path::new("/nowhere")), ("installed", "rustc 1.95.0 (x)"), 1_767_225_600).unwrap();
        assert_ne!(document()["serialNumber"], other["serialNumber"]);
        assert_eq!(other["components"][2]["version"], "1.95.0");
        let serial = document()["serialNumber"].as_str().unwrap().to_owned();
        assert_eq!(serial.len(), "urn:uuid:".len() + 36);
        assert_eq!((&serial[23..24], &serial[28..29]), ("8", "a"), "{serial}");
    }
}
