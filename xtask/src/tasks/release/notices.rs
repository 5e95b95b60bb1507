//! The licences of what is linked into the executable, with the texts that each crate brings. The same text is given
//! once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::components::{Component, Components};

const NAMES: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];
/// Longer than any licence.
const LONGEST: u64 = 1024 * 1024;

pub fn text(components: &Components) -> Result<String> {
    let root = &components.root;
    let mut texts: Vec<String> = Vec::new();
    let mut list = format!(
        "Software in the executable of {} {}\n\nEach is used under the licence named with it. The numbers are those of the \
         texts below.\n",
        root.name, root.version
    );
    for component in &components.linked {
        let mut numbers = Vec::new();
        for path in files(component)? {
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim_end().to_owned();
            let number = texts.iter().position(|known| *known == text).unwrap_or_else(|| {
                texts.push(text);
                texts.len() - 1
            });
            numbers.push((number + 1).to_string());
        }
        let licence = component.licence.as_deref().unwrap_or("says nothing of its licence");
        let source = component.repository.as_deref().map(|source| format!("\n    {source}")).unwrap_or_default();
        let numbers = if numbers.is_empty() { "none comes with it".to_owned() } else { numbers.join(", ") };
        list.push_str(&format!(
            "\n{} {}\n    {licence}{source}\n    texts: {numbers}\n",
            component.name, component.version
        ));
    }
    list.push_str(
        "\nthe Rust standard library\n    MIT OR Apache-2.0\n    https://github.com/rust-lang/rust\n    texts: in that \
         repository, with those of what it takes itself\n",
    );
    for (text, number) in texts.iter().zip(1..) {
        list.push_str(&format!("\n\n{} text {number} {}\n\n{text}\n", "=".repeat(30), "=".repeat(30)));
    }
    Ok(list)
}

/// The files with licences at the top of a crate, and the one that its manifest names.
fn files(component: &Component) -> Result<Vec<PathBuf>> {
    let folder = &component.folder;
    let mut files: Vec<PathBuf> = component.licence_file.iter().map(|file| folder.join(file)).collect();
    for entry in folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if is_licence(&path) && !files.contains(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_licence(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_uppercase()).unwrap_or_default();
    let is_short_file = path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() <= LONGEST);
    is_short_file && NAMES.iter().any(|known| name.starts_with(known)) && !name.ends_with(".RS")
}

#[cfg(test)]
mod tests {
    use super::super::components::tests::sample;
    use super::*;

    #[test]
    fn every_crate_is_named_with_its_texts_and_each_text_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        for (name, file, text) in [
            ("one", "LICENSE-MIT", "Permission is granted\r\n"),
            ("one", "license-apache.txt", "Version 2.0\n"),
            ("one", "licenses.rs", "code"),
            ("two", "COPYING", "Permission is granted\n\n"),
        ] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join(file), text).unwrap();
        }
        let text = text(&sample(folder.path())).unwrap();
        assert!(
            text.contains("\none 1.0.0+x\n    MIT OR Apache-2.0\n    https://example.org\n    texts: 1, 2\n"),
            "{text}"
        );
        assert!(
            text.contains("\ntwo 1.0.0+x\n    Unlicense OR MIT\n    https://example.org\n    texts: 1\n"),
            "{text}"
        );
        assert_eq!(text.matches("Permission is granted").count(), 1);
        assert!(text.contains("the Rust standard library") && !text.contains("code"));
    }

    #[test]
    fn a_crate_without_a_text_says_so() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["one", "two"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        assert_eq!(text(&sample(folder.path())).unwrap().matches("texts: none comes with it").count(), 2);
    }
}
