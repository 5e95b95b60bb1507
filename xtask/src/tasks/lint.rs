//! `cargo xtask lint`: our own rules for packages, beyond what would be refused, and what is allowed to break them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::finding::Level;
use crate::lint::allow::{self, AllowList};
use crate::lint::{Breach, check};
use crate::package_view;
use crate::shown::{self, escaped};
use crate::tasks::verify::counted;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Packages of either format; those in target/pkg if none is given
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What is allowed to break a rule; pkg/lint-allow.toml in the workspace if not given
    #[arg(long, value_name = "FILE")]
    allow: Option<PathBuf>,
    /// Fail for warnings too
    #[arg(long)]
    deny_warnings: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
}

/// One rule broken in one package of one file.
#[derive(Debug, Serialize)]
struct Finding {
    file: String,
    #[serde(flatten)]
    breach: Breach,
    /// The reason, if it is allowed.
    allowed: Option<String>,
}

/// All that was found.
#[derive(Debug, Serialize)]
pub struct Outcome {
    findings: Vec<Finding>,
    /// Entries of the list that allow nothing that is there: left over from what was mended.
    unused: Vec<String>,
}

impl Outcome {
    /// How many are not allowed.
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.allowed.is_none() && finding.breach.level == level).count()
    }
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let own = args.files.is_empty();
    let files = if own { made(&workspace.join("target/pkg"))? } else { args.files.clone() };
    let list = AllowList::read(&args.allow.clone().unwrap_or_else(|| workspace.join(allow::FILE)))?;
    let mut outcome = judge(&files, &list)?;
    // The list is about our own packages: of others' it need not allow anything.
    if !own && args.allow.is_none() {
        outcome.unused.clear();
    }
    if args.json {
        println!("{}", shown::json(&outcome)?);
    } else {
        print!("{}", text(&outcome));
    }
    let (errors, warnings) = (outcome.count(Level::Error), outcome.count(Level::Warning));
    eprintln!("{}: {}, {}", counted(files.len(), "file"), counted(errors, "error"), counted(warnings, "warning"));
    if errors > 0 || (args.deny_warnings && (warnings > 0 || !outcome.unused.is_empty())) {
        bail!("the packages break rules that nothing in {} allows them to break", allow::FILE);
    }
    Ok(())
}

/// The packages in a folder.
pub fn made(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mend = "make packages with cargo xtask pkg, or name files";
    for entry in folder.read_dir().with_context(|| format!("cannot list {}; {mend}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| ["pkg", "p5p"].iter().any(|known| end == *known)) {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!("no package in {}; {mend}", folder.display());
    }
    files.sort();
    Ok(files)
}

/// Judges every package of every file. A file that would be refused is not judged at all.
pub fn judge(files: &[PathBuf], list: &AllowList) -> Result<Outcome> {
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    for path in files {
        let file = escaped(&path.to_string_lossy());
        let read = package_view::read(path).with_context(|| format!("cannot read {file}"))?;
        if read.count(Level::Error) > 0 {
            bail!("{file} would be refused: cargo xtask verify tells why");
        }
        for breach in read.packages.iter().flat_map(check) {
            let place = list.allows(&breach);
            used.extend(place);
            let allowed = place.and_then(|place| list.entries().get(place)).map(|allowed| allowed.reason.clone());
            findings.push(Finding { file: file.clone(), breach, allowed });
        }
    }
    let left_over = list.entries().iter().enumerate().filter(|(place, _)| !used.contains(place));
    let words = |(_, allowed): (_, &allow::Allowed)| {
        format!("{} {}", allowed.id, allowed.path.as_deref().unwrap_or("(the package)"))
    };
    Ok(Outcome { findings, unused: left_over.map(words).collect() })
}

fn text(outcome: &Outcome) -> String {
    let mut text = String::new();
    for Finding { file, breach, allowed } in &outcome.findings {
        let level = match (allowed, breach.level) {
            (Some(_), _) => "allowed",
            (None, Level::Warning) => "warning",
            (None, Level::Error) => "error",
        };
        let place =
            breach.path.as_deref().map_or_else(|| breach.package.clone(), |path| format!("{}: {path}", breach.package));
        let reason = allowed.as_ref().map_or_else(String::new, |reason| format!(" (allowed: {reason})"));
        let (place, message) = (escaped(&place), escaped(&breach.message));
        text.push_str(&format!("{file}: {level}: {place}: {message} [{}]{reason}\n", breach.id));
    }
    for unused in &outcome.unused {
        text.push_str(&format!("{}: warning: {unused} allows nothing that is there; take it out\n", allow::FILE));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package_view::Format;
    use crate::package_view::samples::{Sample, file};

    fn outcome(edit: impl Fn(&mut Sample), list: &str) -> Outcome {
        let mut sample = Sample::new();
        edit(&mut sample);
        let file = file(&sample.bytes(Format::Svr4));
        judge(&[file.path().to_path_buf()], &AllowList::parse(list).unwrap()).unwrap()
    }

    const OWNER: &str = "[[allow]]\nid = \"owner-not-root\"\npath = \"lib/**\"\nreason = \"it updates itself\"\n";

    #[test]
    fn what_is_allowed_is_shown_with_its_reason_and_does_not_count() {
        let edit = |s: &mut Sample| s.file("lib/svc/method/web").owner = "daemon";
        let free = outcome(edit, "");
        assert_eq!((free.count(Level::Warning), free.unused.len()), (1, 0));
        let allowed = outcome(edit, OWNER);
        assert_eq!((allowed.count(Level::Warning), allowed.unused.len()), (0, 0));
        let text = text(&allowed);
        assert!(
            text.contains(": allowed: ABCweb: lib/svc/method/web: ") && text.contains("it updates itself"),
            "{text}"
        );
    }

    #[test]
    fn what_the_list_allows_for_nothing_is_told() {
        let outcome = outcome(|_| (), OWNER);
        assert_eq!(outcome.unused, ["owner-not-root lib/**"]);
        assert!(text(&outcome).contains("take it out"));
    }

    #[test]
    fn a_package_that_would_be_refused_is_not_judged() {
        let whole = Sample::new().bytes(Format::Svr4);
        let cut = file(&whole[..whole.len() - 600]);
        let error = judge(&[cut.path().to_path_buf()], &AllowList::default()).unwrap_err().to_string();
        assert!(error.contains("would be refused"), "{error}");
    }

    #[test]
    fn the_committed_list_can_be_read() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        assert!(workspace.join(allow::FILE).exists());
        AllowList::read(&workspace.join(allow::FILE)).unwrap();
    }
}
