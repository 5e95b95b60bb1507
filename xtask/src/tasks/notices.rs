//! `cargo xtask notices`: the licences of everything that is linked into the program, as a file of the package.
//!
//! The file is committed, because the texts lie in the crates' sources, which a build of the packages may not have at
//! hand. CI checks that it is what the sources say.

use std::fs;
use std::path::Path;

use crate::linked::{Component, Components};
use anyhow::{Context, Result, bail};

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
    let notices = text(&Components::gather(workspace)?)?;
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

/// The notices of everything that is linked into the program.
pub fn text(components: &Components) -> Result<String> {
    notices(&components.linked)
}

fn notices(crates: &[Component]) -> Result<String> {
    let mut list = String::new();
    // Who has each text, in the order in which the texts come up first.
    let mut texts: Vec<(String, Vec<&str>)> = Vec::new();
    for c in crates {
        let license = c.licence.as_deref().with_context(|| format!("the crate {} states no licence", c.name))?;
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
fn texts_of(c: &Component, license: &str) -> Result<Vec<String>> {
    let folder = &c.folder;
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
    use crate::linked::tests::sample;

    /// A crate with these files at its top.
    fn crate_at(folder: &Path, name: &str, licence: &str, files: &[(&str, &str)]) -> Component {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        let any = sample(&folder).linked.remove(0);
        Component { name: name.into(), version: "1.0.0".into(), licence: Some(licence.into()), folder, ..any }
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
}
