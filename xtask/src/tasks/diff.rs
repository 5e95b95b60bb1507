//! `cargo xtask diff`: what an upgrade from one file of packages to another changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::finding::Level;
use crate::package_view::diff::{Change, Subject, What, changes};
use crate::package_view::{self, View};
use crate::shown::{self, escaped};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file of packages that is installed
    old: PathBuf,
    /// The file of packages that is to be; of either format, whatever the old one's is
    new: PathBuf,
    /// Print the changes as JSON
    #[arg(long)]
    json: bool,
}

/// Two packages side by side; one of them is missing where a package comes or goes.
#[derive(Debug, Serialize)]
struct Pair {
    old: Option<String>,
    new: Option<String>,
    /// Classes, actuators, dependencies, parameters and scripts were left out: the formats say them differently.
    formats_differ: bool,
    changes: Vec<Change>,
}

pub fn run(args: &Args) -> Result<()> {
    let pairs = pairs(&packages(&args.old)?, &packages(&args.new)?);
    if args.json {
        println!("{}", shown::json(&pairs)?);
    } else {
        pairs.iter().for_each(|pair| print!("{}", text(pair)));
    }
    Ok(())
}

fn packages(path: &Path) -> Result<Vec<View>> {
    let file = escaped(&path.to_string_lossy());
    let read = package_view::read(path).with_context(|| format!("cannot read {file}"))?;
    if read.packages.is_empty() {
        bail!("{file} holds no package that can be read");
    }
    if read.count(Level::Error) > 0 {
        eprintln!("{file} is not right: cargo xtask verify tells why, and what is damaged is not compared");
    }
    Ok(read.packages)
}

/// The packages by name; a single one with a single one, whatever they are called.
fn pairs(old: &[View], new: &[View]) -> Vec<Pair> {
    if let ([old], [new]) = (old, new) {
        return vec![pair(Some(old), Some(new))];
    }
    let named =
        |views| -> BTreeMap<String, &View> { Iterator::map(<[View]>::iter(views), |v| (v.name.clone(), v)).collect() };
    let (old, new) = (named(old), named(new));
    let gone_or_changed = old.iter().map(|(name, view)| pair(Some(view), new.get(name).copied()));
    let come = new.iter().filter(|(name, _)| !old.contains_key(*name)).map(|(_, view)| pair(None, Some(view)));
    gone_or_changed.chain(come).collect()
}

fn pair(old: Option<&View>, new: Option<&View>) -> Pair {
    let (formats_differ, changes) = match (old, new) {
        (Some(old), Some(new)) => (old.format != new.format, changes(old, new)),
        _ => (false, Vec::new()),
    };
    let id = |view: &View| format!("{} {}", view.name, view.version);
    Pair { old: old.map(id), new: new.map(id), formats_differ, changes }
}

fn text(pair: &Pair) -> String {
    let (old, new) = match (&pair.old, &pair.new) {
        (Some(old), Some(new)) => (escaped(old), escaped(new)),
        (Some(gone), None) => return format!("- package {}\n", escaped(gone)),
        (None, Some(come)) => return format!("+ package {}\n", escaped(come)),
        (None, None) => return String::new(),
    };
    let mut text = format!("{old} -> {new}\n");
    if pair.formats_differ {
        text.push_str(
            "(of different formats: classes, actuators, dependencies, parameters, scripts, licences not compared)\n",
        );
    }
    if pair.changes.is_empty() {
        text.push_str("no changes\n");
    }
    for change in &pair.changes {
        let subject = match change.subject {
            Subject::Package => "package ",
            Subject::Parameter => "parameter ",
            Subject::Dependency => "dependency ",
            Subject::InstallFile => "install/",
            Subject::Licence => "licence ",
            Subject::Action => "action ",
            Subject::Entry => "",
        };
        let name = format!("{subject}{}", escaped(&change.name));
        match &change.what {
            What::Added => text.push_str(&format!("+ {name}\n")),
            What::Removed => text.push_str(&format!("- {name}\n")),
            What::Changed(fields) => {
                text.push_str(&format!("~ {name}\n"));
                for field in fields {
                    let value = |value: &str| if value.is_empty() { "(none)".to_owned() } else { escaped(value) };
                    let (old, new) = (value(&field.old), value(&field.new));
                    text.push_str(&format!("    {}: {old} -> {new}\n", escaped(&field.field)));
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package_view::Format;
    use crate::package_view::samples::{Sample, view};

    #[test]
    fn an_upgrade_reads_as_a_list_of_what_it_does() {
        let mut sample = Sample::new();
        sample.version = "1.1";
        sample.file("lib/svc/method/web").mode = 0o500;
        sample.links = vec![("usr/bin/web2", "web")];
        let pairs = pairs(&[view(Format::Svr4, &Sample::new())], &[view(Format::Svr4, &sample)]);
        assert_eq!(
            text(&pairs[0]),
            "ABCweb 1.0 -> ABCweb 1.1\n\
             ~ package ABCweb\n    version: 1.0 -> 1.1\n\
             ~ lib/svc/method/web\n    mode: 0555 -> 0500\n\
             - usr/bin/web\n\
             + usr/bin/web2\n"
        );
    }

    #[test]
    fn the_same_in_another_format_says_what_was_not_compared() {
        let pairs = pairs(&[view(Format::Svr4, &Sample::new())], &[view(Format::Ips, &Sample::new())]);
        let text = text(&pairs[0]);
        assert!(text.contains("of different formats") && text.ends_with("no changes\n"), "{text}");
    }

    #[test]
    fn packages_of_files_with_several_are_paired_by_name() {
        let one = view(Format::Svr4, &Sample::new());
        let named = |name: &str| View { name: name.to_owned(), ..one.clone() };
        let pairs = pairs(&[named("A"), named("B")], &[named("B"), named("C")]);
        let texts: Vec<String> = pairs.iter().map(text).collect();
        assert_eq!(texts, ["- package A 1.0\n", "B 1.0 -> B 1.0\nno changes\n", "+ package C 1.0\n"]);
    }
}
