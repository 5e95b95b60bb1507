//! Compiling the illumos standard library from its sources into a sysroot folder of our own.
//!
//! Done once for a compiler, about a minute; later builds find the folder finished and use it. The folder appears under
//! its name only when it is complete, so an interrupted run leaves nothing that could be taken for a library.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::TARGET;
use super::program::{Environment, ProgramError, run};
use super::remap;
use super::toolchain::{Toolchain, has_std};

/// Names the way the library is compiled below; a folder made another way is made anew.
const RECIPE: &str = "recipe 1";
/// The file that says what a finished folder was made with.
const MARKER: &str = "made-with.txt";

/// A crate that needs nothing: the standard library is compiled on its account. The panic runtime that aborts must itself
/// be compiled to abort, which cargo can say for one package only through a profile.
const CRATE: &str = r#"cargo-features = ["profile-rustflags"]

[package]
name = "std-for-illumos"
version = "0.0.0"
edition = "2021"

[lib]
path = "lib.rs"

[profile.release]
opt-level = 3
codegen-units = 1
debug = false

[profile.release.package.panic_abort]
rustflags = ["-Cpanic=abort"]

[workspace]
"#;

#[derive(Debug, thiserror::Error)]
pub enum SysrootError {
    #[error("cannot compile the illumos standard library: {0}")]
    Program(#[from] ProgramError),
    #[error("cannot keep the illumos standard library in {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("cargo compiled the illumos standard library, but {path} does not hold it")]
    Incomplete { path: PathBuf },
}

/// The sysroot for this compiler, and whether it was made just now.
pub fn provide(
    toolchain: &Toolchain,
    sources: &Path,
    out_dir: &Path,
    say: &mut dyn FnMut(&str),
) -> Result<(PathBuf, bool), SysrootError> {
    let name = format!("illumos-sysroot-{}", toolchain.version.release);
    let (finished, work) = (out_dir.join(&name), out_dir.join(format!("{name}.partial")));
    at(out_dir, fs::create_dir_all(out_dir))?;
    // Two builds at once: the second waits, then finds the first one's result.
    let lock_path = out_dir.join(format!("{name}.lock"));
    let lock = at(&lock_path, fs::File::create(&lock_path))?;
    at(&lock_path, lock.lock())?;

    let made_with = format!("{}{RECIPE}\n", toolchain.version.whole);
    if is_finished(&finished, &made_with) {
        return Ok((finished, false));
    }
    say(&format!("compiling the illumos standard library of Rust {} (about a minute)", toolchain.version.release));
    remove(&finished)?;
    // Nor is anything taken over from a run that did not finish: it may have been another compiler's.
    remove(&work)?;
    compile(toolchain, sources, &work)?;
    let staged = work.join("sysroot");
    collect(&work.join("target").join(TARGET).join("release/deps"), &staged)?;
    at(&staged, fs::write(staged.join(MARKER), made_with))?;
    at(&finished, fs::rename(&staged, &finished))?;
    remove(&work)?;
    Ok((finished, true))
}

fn is_finished(folder: &Path, made_with: &str) -> bool {
    fs::read_to_string(folder.join(MARKER)).is_ok_and(|found| found == made_with) && has_std(folder)
}

/// Has cargo compile the standard library on account of the empty crate.
fn compile(toolchain: &Toolchain, sources: &Path, work: &Path) -> Result<(), SysrootError> {
    at(work, fs::create_dir_all(work))?;
    at(work, fs::write(work.join("Cargo.toml"), CRATE))?;
    at(work, fs::write(work.join("lib.rs"), "#![no_std]\n"))?;
    let mut env = toolchain.env.clone();
    env.set("CARGO_INCREMENTAL", "0");
    // Compiling the standard library oneself is an unstable feature; this lets a stable compiler do it.
    env.set("RUSTC_BOOTSTRAP", "1");
    // First all is fetched: where it is kept is known only then, and must not show in what is compiled.
    run(&mut cargo(toolchain, &env, "fetch", work))?;
    let mut flags = remap::of_std_sources(sources, &toolchain.version.commit);
    flags.extend(remap::of_cargo_home(&env));
    // The payload is optimized as a whole, for which the libraries must carry what the optimizer reads.
    flags.extend(["-Cembed-bitcode=yes".into(), "-Cforce-unwind-tables=yes".into()]);
    env.set("CARGO_ENCODED_RUSTFLAGS", remap::encoded(&flags));
    let mut build = cargo(toolchain, &env, "build", work);
    Ok(run(build.arg("--release").arg("--target-dir").arg(work.join("target")))?)
}

fn cargo(toolchain: &Toolchain, env: &Environment, verb: &str, work: &Path) -> Command {
    let mut cargo = env.command(&toolchain.cargo);
    cargo.args([verb, "--target", TARGET, "-Zbuild-std=std,panic_abort,proc_macro,test"]).current_dir(work);
    cargo
}

/// Moves the compiled libraries to where a compiler looks for them in a sysroot.
fn collect(compiled: &Path, sysroot: &Path) -> Result<(), SysrootError> {
    remove(sysroot)?;
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    at(&libraries, fs::create_dir_all(&libraries))?;
    for entry in at(compiled, fs::read_dir(compiled))? {
        let entry = at(compiled, entry)?;
        let name = entry.file_name();
        let library = name.to_str().is_some_and(|n| n.ends_with(".rlib") && !n.starts_with("libstd_for_illumos-"));
        if library {
            at(&libraries, fs::rename(entry.path(), libraries.join(name)))?;
        }
    }
    if !has_std(sysroot) {
        return Err(SysrootError::Incomplete { path: compiled.to_owned() });
    }
    Ok(())
}

/// Removes a folder with all that is in it; it need not be there.
fn remove(folder: &Path) -> Result<(), SysrootError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => at(folder, Err(error)),
        _ => Ok(()),
    }
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, SysrootError> {
    result.map_err(|source| SysrootError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(dir.path().join(name), name).unwrap();
        }
        dir
    }

    #[test]
    fn only_the_compiled_libraries_are_collected() {
        let from =
            compiled(&["libstd-1.rlib", "libcore-2.rlib", "libcore-2.rmeta", "libstd_for_illumos-3.rlib", "x.d"]);
        let to = tempfile::tempdir().unwrap();
        let sysroot = to.path().join("sysroot");
        collect(from.path(), &sysroot).unwrap();
        let mut names: Vec<_> = fs::read_dir(sysroot.join("lib/rustlib/x86_64-unknown-illumos/lib"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["libcore-2.rlib", "libstd-1.rlib"]);
    }

    #[test]
    fn a_compilation_that_made_no_std_is_not_taken_for_one() {
        let from = compiled(&["libcore-2.rlib"]);
        let to = tempfile::tempdir().unwrap();
        let error = collect(from.path(), &to.path().join("sysroot")).unwrap_err();
        assert!(matches!(error, SysrootError::Incomplete { .. }), "{error}");
    }

    #[test]
    fn a_folder_counts_only_with_its_marker_and_for_the_compiler_that_made_it() {
        let from = compiled(&["libstd-1.rlib"]);
        let to = tempfile::tempdir().unwrap();
        let sysroot = to.path().join("sysroot");
        collect(from.path(), &sysroot).unwrap();
        assert!(!is_finished(&sysroot, "rustc 1.96.0\n"));
        fs::write(sysroot.join(MARKER), "rustc 1.96.0\n").unwrap();
        assert!(is_finished(&sysroot, "rustc 1.96.0\n"));
        assert!(!is_finished(&sysroot, "rustc 1.97.0\n"));
    }
}
