//! `cargo xtask manifest`: renders the SMF manifests, checks them, writes them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::contents::{self, Contents};
use crate::smf::check;
use crate::smf::render::{Rendered, Variables, render_all};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write the manifests; target/manifest in the workspace if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the path of each manifest written. A manifest that our own checker finds fault with is not written.
pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| workspace.join("target/manifest"));
    for path in write_to(workspace, &out)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// Writes them into a folder; gives their paths.
pub fn write_to(workspace: &Path, out: &Path) -> Result<Vec<PathBuf>> {
    let rendered = rendered(workspace, &contents::read(workspace)?, env!("CARGO_PKG_VERSION"))?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make the directory {}", out.display()))?;
    let write = |manifest: &Rendered| {
        let path = out.join(&manifest.file_name);
        std::fs::write(&path, &manifest.text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    };
    rendered.iter().map(write).collect()
}

/// The manifests of a version of the package, found right.
pub fn rendered(workspace: &Path, contents: &Contents, version: &str) -> Result<Vec<Rendered>> {
    let variables = Variables { method: contents.method()?, ..Variables::default() };
    let rendered = render_all(workspace, version, &variables)?;
    checked(&rendered)?;
    Ok(rendered)
}

/// Refuses manifests that are not right, naming every fault of all of them.
fn checked(rendered: &[Rendered]) -> Result<()> {
    let faults: Vec<String> = rendered
        .iter()
        .flat_map(|manifest| {
            check::check(&manifest.text).into_iter().map(|finding| format!("{}:{finding}", manifest.file_name))
        })
        .collect();
    if !faults.is_empty() {
        bail!("the rendered manifests are not right:\n{}", faults.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::render::MANIFESTS;

    fn workspace() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn all_manifests_are_written_as_they_were_rendered() {
        let out = tempfile::tempdir().unwrap();
        let paths = write_to(workspace(), &out.path().join("deep/er")).unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, MANIFESTS);
        let rendered = render_all(workspace(), env!("CARGO_PKG_VERSION"), &Variables::default()).unwrap();
        for (path, manifest) in paths.iter().zip(rendered) {
            assert_eq!(std::fs::read_to_string(path).unwrap(), manifest.text);
        }
    }

    #[test]
    fn a_manifest_with_faults_is_refused_with_its_file_and_line() {
        let bad = Rendered { file_name: "x.xml".into(), text: "<?xml version=\"1.0\"?>\n<service/>".into() };
        let error = checked(&[bad]).unwrap_err().to_string();
        assert!(error.contains("x.xml:2:"), "{error}");
    }
}
