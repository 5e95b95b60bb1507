//! `cargo xtask inspect`: what a package is and holds, as text to read or as JSON.
//!
//! Everything shown comes from the package, so everything is escaped: no name can move the cursor or hide another.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::finding::Level;
use crate::package_view::{self, Entry, OwnFile, View};
use crate::shown::{self, escaped};
use crate::tasks::verify::counted;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An SVR4 datastream, plain or gzipped, or an IPS archive
    file: PathBuf,
    /// Print all of it as JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let file = escaped(&args.file.to_string_lossy());
    let read = package_view::read(&args.file).with_context(|| format!("cannot read {file}"))?;
    if args.json {
        println!("{}", shown::json(&read)?);
    } else {
        for view in &read.packages {
            println!("{}", Shown(view));
        }
        let findings = (read.count(Level::Error), read.count(Level::Warning));
        if findings != (0, 0) {
            let (errors, warnings) = (counted(findings.0, "error"), counted(findings.1, "warning"));
            eprintln!("{errors} and {warnings} were found: cargo xtask verify tells them");
        }
    }
    if read.container.is_none() {
        bail!("{file} is neither an SVR4 datastream nor an IPS archive");
    }
    Ok(())
}

/// A view as text.
struct Shown<'a>(&'a View);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.0;
        writeln!(f, "{} package {} {}", view.format, escaped(&view.name), escaped(&view.version))?;
        section(
            f,
            "parameters",
            view.parameters.iter().map(|(name, values)| format!("{name} = {}", values.join(" | "))),
        )?;
        section(f, "dependencies", view.dependencies.iter().map(ToString::to_string))?;
        section(f, "scripts and other files of the package", view.install_files.iter().map(own))?;
        section(f, "licences", view.licences.iter().map(own))?;
        section(f, "other actions", view.other_actions.iter().cloned())?;
        writeln!(f, "\ncontents ({})", counted(view.entries.len(), "entry"))?;
        let mut tree = Tree::default();
        view.entries.iter().for_each(|entry| tree.place(entry));
        tree.show(f, view, 1)
    }
}

fn section(f: &mut fmt::Formatter<'_>, title: &str, lines: impl Iterator<Item = String>) -> fmt::Result {
    let mut lines = lines.peekable();
    if lines.peek().is_some() {
        writeln!(f, "\n{title}")?;
    }
    lines.try_for_each(|line| writeln!(f, "  {}", escaped(&line)))
}

fn own((name, file): (&String, &OwnFile)) -> String {
    format!("{name}  {} bytes  sha256 {}", file.size, file.sha256)
}

/// Deeper than any path of a system; below it a hostile path goes on in one line.
const DEEPEST: usize = 64;

/// Entries by the components of their paths.
#[derive(Default)]
struct Tree<'a> {
    entries: Vec<&'a Entry>,
    below: BTreeMap<&'a str, Tree<'a>>,
}

impl<'a> Tree<'a> {
    fn place(&mut self, entry: &'a Entry) {
        let mut here = self;
        for component in entry.path.splitn(DEEPEST, '/') {
            here = here.below.entry(component).or_default();
        }
        here.entries.push(entry);
    }

    fn show(&self, f: &mut fmt::Formatter<'_>, view: &View, depth: usize) -> fmt::Result {
        for (name, tree) in &self.below {
            let slash = if tree.below.is_empty() { "" } else { "/" };
            let name = format!("{:indent$}{}{slash}", "", escaped(name), indent = depth * 2);
            match tree.entries.as_slice() {
                // A folder on the way, which the package does not own.
                [] => writeln!(f, "{name}")?,
                entries => entries.iter().try_for_each(|entry| writeln!(f, "{name:<44}  {}", facts(entry, view)))?,
            }
            tree.show(f, view, depth + 1)?;
        }
        Ok(())
    }
}

fn facts(entry: &Entry, view: &View) -> String {
    let mut words = entry.kind.to_string();
    let mode = entry.mode.map(|mode| format!("{mode:04o}"));
    let lacking = if entry.target.is_some() { "" } else { "?" };
    for value in [mode.as_deref(), entry.owner.as_deref(), entry.group.as_deref()] {
        let value = value.unwrap_or(lacking);
        if !value.is_empty() {
            let _ = write!(words, " {}", escaped(value));
        }
    }
    if let Some(size) = entry.size {
        let _ = write!(words, " {size}");
    }
    if let Some(target) = &entry.target {
        let _ = write!(words, " -> {}", escaped(target));
    }
    if let Some(class) = entry.class.as_deref().filter(|class| *class != "none") {
        let _ = write!(words, " class={}", escaped(class));
    }
    for (name, values) in &entry.attributes {
        let _ = write!(words, " {}={}", escaped(name), escaped(&values.join(",")));
    }
    if entry.source.is_some() && entry.sha256.is_none() {
        let _ = write!(words, " (its bytes are not in this {} package, or damaged)", view.format);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package_view::Format;
    use crate::package_view::samples::{Sample, view};

    fn shown(view: &View) -> String {
        Shown(view).to_string()
    }

    fn line<'a>(text: &'a str, start: &str) -> &'a str {
        text.lines()
            .find(|line| line.trim_start().starts_with(start))
            .unwrap_or_else(|| panic!("{start} is not in:\n{text}"))
    }

    #[test]
    fn everything_the_package_says_is_shown() {
        let mut sample = Sample::new();
        sample.scripts.push(("postinstall", "exit 0\n"));
        let text = shown(&view(Format::Svr4, &sample));
        assert!(text.starts_with("SVR4 package ABCweb 1.0\n"), "{text}");
        assert!(line(&text, "README").ends_with("file 0444 root bin 8"), "{text}");
        assert!(line(&text, "web.xml").ends_with("file 0444 root bin 18 class=manifest"), "{text}");
        assert!(text.contains("-> ../../lib/svc/method/web"), "{text}");
        assert!(line(&text, "postinstall").contains("7 bytes"), "{text}");
        assert!(line(&text, "prerequisite").ends_with("ABCbase"), "{text}");
        assert!(line(&text, "DESC").ends_with("Serves pages to whoever asks"), "{text}");
        let text = shown(&view(Format::Ips, &sample));
        assert!(line(&text, "web.xml").ends_with("restart_fmri=svc:/system/manifest-import:default"), "{text}");
        assert!(line(&text, "MIT").contains("15 bytes"), "{text}");
    }

    #[test]
    fn a_folder_that_nobody_owns_has_no_facts() {
        let text = shown(&view(Format::Svr4, &Sample::new()));
        assert_eq!(line(&text, "usr/"), "  usr/");
        assert!(line(&text, "web/").ends_with("dir 0755 root bin"), "{text}");
    }

    #[test]
    fn nothing_foreign_reaches_the_terminal_as_it_is() {
        let mut view = view(Format::Svr4, &Sample::new());
        let evil = "\u{1b}]0;x\u{7}\u{202e}".to_owned();
        for entry in &mut view.entries {
            entry.path = format!("{}/{evil}", entry.path);
            (entry.owner, entry.class, entry.target) = (Some(evil.clone()), Some(evil.clone()), Some(evil.clone()));
            entry.attributes.insert(evil.clone(), vec![evil.clone()]);
        }
        view.parameters.insert(evil.clone(), vec![evil.clone()]);
        (view.name, view.version) = (evil.clone(), evil.clone());
        view.dependencies[0].detail.push(evil.clone());
        view.other_actions.push(evil.clone());
        let own = view.licences.pop_first().unwrap().1;
        view.licences.insert(evil.clone(), own.clone());
        view.install_files.insert(evil, own);
        let text = shown(&view);
        assert!(!text.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{text:?}");
    }

    #[test]
    fn a_path_of_very_many_components_is_shown() {
        let mut view = view(Format::Svr4, &Sample::new());
        view.entries[0].path = "a/".repeat(100_000);
        assert!(shown(&view).contains("a/a/a/"));
    }
}
