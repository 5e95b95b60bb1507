//! `cargo xtask release`: everything that is published of a version, in one folder. A dry run unless told otherwise.
//!
//! The packages and their build record, an SBOM, the licences of what is linked in, the release notes, and the
//! checksums of all of it. The folder gets its name when all is there and found right: the packages are verified and
//! linted, and an error of either ends it. Given a key, it signs the packages and the checksums. Nothing is uploaded or
//! tagged.
//!
//! `--for-real` refuses what a dry run only warns of: a tree with changes, a version that the changelog does not have,
//! a tag of the version on another commit, and a folder that is there already.

mod notes;
mod sbom;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::finding::Level;
use crate::linked::Components;
use crate::lint::allow::{self, AllowList};
use crate::package_view;
use crate::shown;
use crate::signature;
use crate::tasks::pkg::{self, Format, Made, Record, Toolchain};
use crate::tasks::{lint, notices, sign};

const CHANGELOG: &str = "CHANGELOG.md";
const SUMS: &str = "SHA256SUMS";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Refuse what a dry run only warns of
    #[arg(long)]
    for_real: bool,
    /// The folder to make; target/dist/VERSION, or target/dist/VERSION-dry-run, if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Sign the packages and the checksums with this private key
    #[arg(long, value_name = "KEY")]
    key: Option<PathBuf>,
    #[command(flatten)]
    toolchain: Toolchain,
    /// Print what was made as JSON
    #[arg(long)]
    json: bool,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Release {
    version: &'static str,
    for_real: bool,
    folder: PathBuf,
    /// What `--for-real` would have refused.
    warnings: Vec<String>,
    made: Vec<Made>,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    // A key that does not sign is better known before an hour of building.
    args.key.as_deref().map(signature::private).transpose()?;
    let notes = notes::cut(&fs::read_to_string(workspace.join(CHANGELOG)).unwrap_or_default(), version);
    let warnings = objections(workspace, version, notes.as_deref());
    if args.for_real && !warnings.is_empty() {
        bail!("{version} cannot be released:\n  {}", warnings.join("\n  "));
    }
    for warning in &warnings {
        eprintln!("a release for real would be refused: {warning}");
    }
    let folder = match &args.out {
        Some(out) => free(out)?,
        None if args.for_real => free(&workspace.join("target/dist").join(version))?,
        None => {
            let folder = workspace.join("target/dist").join(format!("{version}-dry-run"));
            // That of an earlier dry run, which is nobody's work.
            fs::remove_dir_all(&folder).or_else(|e| if folder.exists() { Err(e) } else { Ok(()) })?;
            folder
        }
    };
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    // Beside its place, and removed if anything goes wrong.
    let making = tempfile::Builder::new().prefix(".releasing-").tempdir_in(parent)?;
    let packages = pkg::make(workspace, Format::All, &args.toolchain, making.path())?;
    judge(making.path(), workspace)?;
    let mut made = packages.made;
    made.retain(|made| made.file != SUMS);
    made.extend(documents(workspace, version, &packages.record, notes, making.path())?);
    made.sort_by(|a, b| a.file.cmp(&b.file));
    let sums: String = made.iter().map(|made| format!("{}  {}\n", made.sha256, made.file)).collect();
    made.push(write(making.path(), SUMS, &sums, "the checksums of all of it")?);
    if let Some(key) = &args.key {
        let signatures = signed(key, making.path(), &made)?;
        made.extend(signatures);
    }
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(making.path(), fs::Permissions::from_mode(0o755))?;
    fs::rename(making.path(), &folder).with_context(|| format!("cannot name the folder {}", folder.display()))?;
    let _ = making.keep();
    tell(args, Release { version, for_real: args.for_real, folder, warnings, made })
}

/// Everything that speaks against a release.
fn objections(workspace: &Path, version: &str, notes: Option<&str>) -> Vec<String> {
    let mut objections = Vec::new();
    if notes.is_none() {
        objections.push(format!("{CHANGELOG} has no section \"## {version}\", or nothing in it"));
    }
    match git(workspace, &["status", "--porcelain"]) {
        Ok(changes) if changes.is_empty() => {}
        Ok(changes) => {
            let first = changes.lines().next().unwrap_or_default().trim();
            objections.push(format!(
                "{} not committed, as {first}",
                crate::tasks::verify::counted(changes.lines().count(), "change")
            ));
        }
        Err(error) => objections.push(format!("git does not say whether everything is committed: {error:#}")),
    }
    let tag = format!("refs/tags/v{version}^{{commit}}");
    let tagged = git(workspace, &["rev-parse", "--quiet", "--verify", &tag]);
    if let (Ok(tagged), Ok(head)) = (tagged, git(workspace, &["rev-parse", "HEAD"]))
        && tagged != head
    {
        objections.push(format!("the tag v{version} is on another commit: raise the version in Cargo.toml"));
    }
    objections
}

fn git(workspace: &Path, args: &[&str]) -> Result<String> {
    let output = Command::new("git").args(args).current_dir(workspace).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn free(folder: &Path) -> Result<PathBuf> {
    let taken = folder.read_dir().map_or_else(|_| folder.symlink_metadata().is_ok(), |mut list| list.next().is_some());
    if taken {
        bail!("{} is there already: a release is not made over another one", folder.display());
    }
    Ok(folder.to_path_buf())
}

/// The packages as anybody would judge them.
fn judge(folder: &Path, workspace: &Path) -> Result<()> {
    let files = lint::made(folder)?;
    for file in &files {
        let read = package_view::read(file)?;
        if let Some(error) = read.findings.iter().find(|finding| finding.level == Level::Error) {
            bail!("{} is not right: {error}", file.display());
        }
    }
    let outcome = lint::judge(&files, &AllowList::read(&workspace.join(allow::FILE))?)?;
    if outcome.count(Level::Error) > 0 {
        bail!("the packages break our own rules: cargo xtask lint tells which");
    }
    Ok(())
}

fn documents(workspace: &Path, version: &str, record: &Record, notes: Option<String>, out: &Path) -> Result<Vec<Made>> {
    let components = Components::gather(workspace)?;
    let bom = serde_json::to_string_pretty(&sbom::bom(&components, record.toolchain(), record.epoch())?)? + "\n";
    let mut made = vec![
        write(out, &format!("vboxsvc-{version}.cdx.json"), &bom, "SBOM (CycloneDX)")?,
        write(out, "THIRD-PARTY-NOTICES.txt", &notices::text(&components)?, "licences of what is linked in")?,
    ];
    if let Some(notes) = notes {
        made.push(write(out, "RELEASE-NOTES.md", &notes, "release notes")?);
    }
    Ok(made)
}

/// Signs what is installed from, and the list that vouches for the rest.
fn signed(key: &Path, folder: &Path, made: &[Made]) -> Result<Vec<Made>> {
    let is_signed = |file: &str| file == SUMS || [".pkg", ".pkg.gz", ".p5p"].iter().any(|end| file.ends_with(end));
    let files: Vec<PathBuf> =
        made.iter().filter(|made| is_signed(&made.file)).map(|made| folder.join(&made.file)).collect();
    sign::files(key, &files)?.iter().map(|signature| pkg::made(signature, "its signature")).collect()
}

fn write(folder: &Path, name: &str, text: &str, what: &str) -> Result<Made> {
    let path = folder.join(name);
    pkg::write_whole(&path, |file| Ok(file.write_all(text.as_bytes())?))?;
    pkg::made(&path, what)
}

fn tell(args: &Args, release: Release) -> Result<()> {
    if args.json {
        println!("{}", shown::json(&release)?);
        return Ok(());
    }
    let width = release.made.iter().map(|made| made.file.len()).max().unwrap_or_default();
    for made in &release.made {
        eprintln!("{:width$}  {:>9}  {}", made.file, made.bytes, made.what);
    }
    if args.key.is_none() {
        eprintln!("not signed: cargo xtask sign --key KEY, or --key here");
    }
    if args.for_real {
        eprintln!("next: git tag v{}, and publish the folder", release.version);
    }
    println!("{}", release.folder.display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with one commit.
    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "one").unwrap();
        git(folder.path(), &["init", "--quiet"]).unwrap();
        git(folder.path(), &["add", "file"]).unwrap();
        commit(folder.path(), "one");
        folder
    }

    /// Commits what git knows of, as somebody.
    fn commit(path: &Path, message: &str) {
        let somebody = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"];
        git(path, &[&somebody[..], &["commit", "--quiet", "-am", message]].concat()).unwrap();
    }

    #[test]
    fn nothing_speaks_against_a_clean_tree_with_notes() {
        assert_eq!(objections(repository().path(), "1.0", Some("notes")), [] as [&str; 0]);
    }

    #[test]
    fn changes_missing_notes_and_a_tag_elsewhere_speak_against_it() {
        let folder = repository();
        let path = folder.path();
        git(path, &["tag", "v1.0"]).unwrap();
        assert_eq!(objections(path, "1.0", Some("notes")), [] as [&str; 0], "the tag of this commit");
        fs::write(path.join("file"), "two").unwrap();
        commit(path, "two");
        fs::write(path.join("more"), "").unwrap();
        let objections = objections(path, "1.0", None);
        assert_eq!(objections.len(), 3, "{objections:?}");
        assert!(
            objections[0].contains("## 1.0") && objections[1].contains("?? more") && objections[2].contains("v1.0"),
            "{objections:?}"
        );
    }

    #[test]
    fn without_git_nothing_is_taken_for_committed() {
        let folder = tempfile::tempdir().unwrap();
        // Not one above this folder either.
        let objections = objections(folder.path(), "1.0", Some("notes"));
        assert!(objections.iter().any(|o| o.contains("git does not say")), "{objections:?}");
    }

    #[test]
    fn a_release_is_not_made_over_another_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free(folder.path()).is_ok() && free(&folder.path().join("new")).is_ok());
        fs::write(folder.path().join("x"), "").unwrap();
        assert!(free(folder.path()).is_err() && free(&folder.path().join("x")).is_err());
    }
}
