//! The third tier: `vboxsvc` and the tests, built here, run in the laboratory with the real VirtualBox.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::built::Built;
use crate::smf::render::{Variables, render_all};
use crate::virtualbox_lab::{Lab, Site, USER, prerequisites};

/// Where the tests' programs lie in the laboratory.
const PROGRAMS: &str = "/opt/vboxsvc-tests";
/// The tests: a `[[test]]` of the package simhost. All of them are marked as ignored, for they can run nowhere else.
const TESTS: &str = "virtualbox_real";
/// Tells the tests that they run in the laboratory, and who its ordinary user is.
const VARIABLE: &str = "VBOXSVC_REAL_VIRTUALBOX";
/// Far more than all the tests take, far less than a CI job may.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Why the tier cannot be run here.
pub struct Skipped(pub String);

/// The laboratory; built first where `build` says so and it is missing.
pub fn laboratory(workspace: &Path, build: bool, bootstrap: bool) -> Result<Lab, Skipped> {
    let missing = prerequisites::of_running();
    if !missing.is_empty() {
        return Err(Skipped(prerequisites::told(&missing)));
    }
    let folder = workspace.join("target/virtualbox-lab");
    let site = Site::open(&folder, &workspace.join("tests/virtualbox/launcher.c"));
    let site = site.map_err(|error| Skipped(error.to_string()))?;
    if !site.is_built() {
        if !build {
            let how = "cargo xtask test --tier virtualbox --bootstrap";
            return Err(Skipped(format!("missing: its laboratory (1.1 GB); build it, as root, by {how}")));
        }
        eprintln!("== building the laboratory, a Debian sid chroot, in {}: this takes minutes", folder.display());
    }
    site.lab(bootstrap).map_err(|error| Skipped(error.to_string()))
}

/// Runs the tests. `name` becomes the tier's full name once the version of VirtualBox is known.
pub fn run(workspace: &Path, lab: &Lab, name: &mut String) -> Result<()> {
    *name = format!(
        "tier 3: real VirtualBox {}, driverless, in a Debian sid chroot; the SMF around it is simulated",
        lab.virtualbox_version()?
    );
    eprintln!("== {name}");
    let programs = Programs::build(workspace)?;
    let folder = Path::new(PROGRAMS);
    let tests = bring(lab, &programs.tests, &folder.join(TESTS))?;
    let simhost = bring(lab, &programs.simhost, &folder.join("simhost"))?;
    let vboxsvc = bring(lab, &programs.vboxsvc, &folder.join("vboxsvc"))?;
    let manifest = folder.join("vbox-svc.xml");
    write_manifest(workspace, &lab.inside(&manifest))?;

    let mut command = lab.command(&tests);
    command
        // All VMs of a user share one VirtualBox, which some of the tests kill.
        .args(["--ignored", "--test-threads=1"])
        .env(VARIABLE, USER)
        .env("SIMHOST_EXE", &simhost)
        .env("VBOXSVC_EXE", &vboxsvc)
        .env("VBOXSVC_MANIFEST", &manifest)
        .env("RUST_BACKTRACE", "1")
        .stdin(Stdio::null());
    match lab.run(command, LIMIT).context("cannot run the tests in the laboratory")? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("the tests ended with {status}"),
        None => bail!("the tests did not end within {} s", LIMIT.as_secs()),
    }
}

fn bring(lab: &Lab, program: &Path, place: &Path) -> Result<PathBuf> {
    lab.bring(program, place)?;
    Ok(place.to_path_buf())
}

/// The manifest as the package has it.
fn write_manifest(workspace: &Path, file: &Path) -> Result<()> {
    let rendered = render_all(workspace, env!("CARGO_PKG_VERSION"), &Variables::default())?;
    let service = rendered.iter().find(|manifest| Some(manifest.file_name.as_ref()) == file.file_name());
    let service = service.with_context(|| format!("no manifest is called {}", file.display()))?;
    fs::write(file, &service.text).with_context(|| format!("cannot write {}", file.display()))
}

/// The executables that are brought into the laboratory.
struct Programs {
    vboxsvc: PathBuf,
    simhost: PathBuf,
    tests: PathBuf,
}

impl Programs {
    /// Builds them: the host's libc is no newer than sid's, so that they run there too.
    fn build(workspace: &Path) -> Result<Programs> {
        let programs = Built::by(workspace, &["build", "--bins", "--package=vboxsvc", "--package=simhost"])?;
        let tests = Built::by(workspace, &["test", "--no-run", "--package=simhost", "--test", TESTS])?;
        Ok(Programs {
            vboxsvc: programs.executable("bin", "vboxsvc")?,
            simhost: programs.executable("bin", "simhost")?,
            tests: tests.executable("test", TESTS)?,
        })
    }
}
