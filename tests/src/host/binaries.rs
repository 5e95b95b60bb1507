//! Where the executables under test are: beside the running test, named in the environment, or built now.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The executable behind the stand-ins.
pub fn simhost_exe() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| find("simhost", "SIMHOST_EXE")).clone()
}

/// The runtime under test.
pub fn vboxsvc_exe() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| find("vboxsvc", "VBOXSVC_EXE")).clone()
}

/// The stub of VirtualBox that trial packages carry.
pub fn vbox_stub_exe() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| find("vbox-stub", "VBOX_STUB_EXE")).clone()
}

/// The writer of packages under test.
pub fn xtask_exe() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| find("xtask", "XTASK_EXE")).clone()
}

fn find(package: &str, variable: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return path.into();
    }
    let profile = profile_directory();
    // Cargo brings it up to date, or does nothing; its own lock serialises several tests that ask at once.
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--quiet", "--offline", "--package", package, "--bin", package]);
    cargo.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    if let Some(target) = profile.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    let built = cargo.stdin(Stdio::null()).status();
    let path = profile.join(package);
    match built {
        Ok(status) if status.success() && path.exists() => path,
        // Without cargo at hand what is there has to do.
        _ if path.exists() => path,
        other => panic!("cannot find or build {package}: set {variable}, or build it first ({other:?})"),
    }
}

/// The directory of this test's profile: `target/debug` for `target/debug/deps/test-0123`.
fn profile_directory() -> PathBuf {
    let own = env::current_exe().unwrap_or_default();
    let directory = own.parent().unwrap_or(Path::new("/"));
    match directory.file_name() {
        Some(name) if name == "deps" || name == "examples" => directory.parent().unwrap_or(directory).to_path_buf(),
        _ => directory.to_path_buf(),
    }
}
