//! Which linker an executable is made with: illumos's own, a cross compiler's, or lld with a sysroot or with stubs.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Program;
use super::bootstrap::on_path;
use super::imports::{Imports, ImportsError};
use super::link::{LinkError, Plan};
use super::lld::{self, Lld, LldError};
use super::stubs::{self, CRT1, StubError};
use super::toolchain::Toolchain;
use crate::hash::hex;

/// The C compilers that link for illumos, by the names which the illumos project's cross toolchain has for them.
const CROSS_COMPILERS: [&str; 2] = ["x86_64-illumos-gcc", "x86_64-unknown-illumos-gcc"];
/// Where a sysroot keeps what 64-bit programs are linked with.
const SYSROOT_LIBRARIES: [&str; 2] = ["usr/lib/amd64", "lib/amd64"];

#[derive(Debug, thiserror::Error)]
pub enum LinkerError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot remove what was linked before, {path}: {source}")]
    Forget { path: PathBuf, source: io::Error },
    #[error("{path}: {source}")]
    Imports { path: PathBuf, source: ImportsError },
    #[error("the sysroot {sysroot} has no {name} in usr/lib/amd64 or lib/amd64")]
    NotInSysroot { sysroot: PathBuf, name: String },
    #[error(transparent)]
    Lld(#[from] LldError),
    #[error(transparent)]
    Stub(#[from] StubError),
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// A linker, ready for cargo.
#[derive(Debug)]
pub struct Linker {
    /// What rustc is to call; `None` is its own default.
    pub program: Option<PathBuf>,
    /// What rustc is to add to its calls.
    pub arguments: Vec<String>,
    /// In words, for the build record.
    pub shown: String,
    pub stub_linked: bool,
}

/// What decides on the linker.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The folder for the linker's own files.
    pub dir: &'a Path,
    pub imports: &'a Path,
    /// The folder of what was linked before.
    pub linked: &'a Path,
    pub sysroot: Option<&'a Path>,
    pub may_install: bool,
}

/// Reads the committed list.
pub fn read_imports(path: &Path) -> Result<(String, Imports), LinkerError> {
    let text = fs::read_to_string(path).map_err(|source| LinkerError::Read { path: path.to_owned(), source })?;
    let imports = Imports::parse(&text).map_err(|source| LinkerError::Imports { path: path.to_owned(), source })?;
    Ok((text, imports))
}

/// The linker of illumos itself.
pub fn native() -> Linker {
    let shown = "cc of this illumos system".to_owned();
    Linker { program: None, arguments: Vec::new(), shown, stub_linked: false }
}

/// A linker for illumos on another system.
pub fn cross(wanted: Wanted, toolchain: &Toolchain, say: &mut dyn FnMut(&str)) -> Result<Linker, LinkerError> {
    let caller: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    let compiler = || CROSS_COMPILERS.iter().find_map(|name| on_path(name, &caller));
    if let (Some(sysroot), Some(gcc)) = (wanted.sysroot, compiler()) {
        // What is in its sysroot, or the compiler itself, may be another than last time; and no plan of another linker
        // may claim later what this one is about to make.
        forget(wanted.linked)?;
        remove(wanted.dir, fs::remove_dir_all)?;
        return Ok(with_compiler(gcc, sysroot));
    }
    let (text, imports) = read_imports(wanted.imports)?;
    let lld = lld::find(toolchain, &caller, wanted.may_install, say)?;
    let plan = match wanted.sysroot {
        Some(sysroot) => sysroot_plan(sysroot, &imports, &lld)?,
        None => stub_plan(&wanted.dir.join("stubs"), &text, &imports, toolchain, &lld)?,
    };
    if !plan.is_installed(wanted.dir)? {
        // cargo does not see the linker: what an earlier one made must go, or it would be taken for up to date.
        forget(wanted.linked)?;
    }
    let program = Some(plan.install(wanted.dir)?);
    Ok(Linker { program, arguments: Vec::new(), shown: lld.version, stub_linked: wanted.sysroot.is_none() })
}

/// Removes what was linked, every program of it, so that cargo links again.
fn forget(release: &Path) -> Result<(), LinkerError> {
    let deps = release.join("deps");
    for entry in fs::read_dir(&deps).into_iter().flatten().flatten() {
        let name = entry.file_name();
        // As the compiler names them.
        let mut programs = Program::ALL.iter().map(|program| format!("{}-", program.package().replace('-', "_")));
        if name.to_str().is_some_and(|n| programs.any(|program| n.starts_with(&program))) {
            remove(&entry.path(), fs::remove_file)?;
        }
    }
    Ok(())
}

/// Removes something that need not be there.
fn remove<'p>(path: &'p Path, how: impl Fn(&'p Path) -> io::Result<()>) -> Result<(), LinkerError> {
    match how(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(LinkerError::Forget { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

fn with_compiler(gcc: PathBuf, sysroot: &Path) -> Linker {
    let arguments = vec![format!("--sysroot={}", sysroot.display())];
    let shown = gcc.file_name().unwrap_or(gcc.as_os_str()).to_string_lossy().into_owned();
    Linker { program: Some(gcc), arguments, shown, stub_linked: false }
}

fn stub_plan(dir: &Path, text: &str, imports: &Imports, toolchain: &Toolchain, lld: &Lld) -> Result<Plan, LinkerError> {
    let parts = stubs::make(dir, imports, toolchain, lld)?;
    Ok(Plan { before: vec![parts.crt1], libraries: parts.libraries, ..Plan::new(lld, digest(&[CRT1, text])) })
}

/// The start, the standards asked for and the end of a program are the sysroot's own; the libraries are those of the
/// list, each by its path, so that none comes in by rustc's longer list.
fn sysroot_plan(sysroot: &Path, imports: &Imports, lld: &Lld) -> Result<Plan, LinkerError> {
    let find = |name: &str| {
        let paths = SYSROOT_LIBRARIES.iter().map(|d| sysroot.join(d).join(name));
        let missing = || LinkerError::NotInSysroot { sysroot: sysroot.to_owned(), name: name.to_owned() };
        paths.into_iter().find(|p| p.is_file()).ok_or_else(missing)
    };
    let all = |names: &[&str]| names.iter().map(|n| find(n)).collect::<Result<Vec<_>, _>>();
    let names: Vec<&str> = imports.libraries.iter().map(|l| l.name.as_str()).collect();
    let before = all(&["crt1.o", "crti.o", "values-Xc.o", "values-xpg6.o"])?;
    let (libraries, after) = (all(&names)?, all(&["crtn.o"])?);
    let mut contents = Vec::new();
    for path in before.iter().chain(&libraries).chain(&after) {
        contents.push(fs::read(path).map_err(|source| LinkerError::Read { path: path.clone(), source })?);
    }
    Ok(Plan { before, libraries, after, ..Plan::new(lld, digest(&contents)) })
}

fn digest(parts: &[impl AsRef<[u8]>]) -> String {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    hex(&digest.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysroot(names: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        dir
    }

    fn lld() -> Lld {
        Lld { program: "/tc/rust-lld".into(), version: "LLD 22".into() }
    }

    #[test]
    fn a_sysroot_gives_its_own_start_and_the_listed_libraries_in_order() {
        let root = sysroot(&[
            "usr/lib/amd64/crt1.o",
            "usr/lib/amd64/crti.o",
            "usr/lib/amd64/crtn.o",
            "usr/lib/amd64/values-Xc.o",
            "usr/lib/amd64/values-xpg6.o",
            "usr/lib/amd64/libgcc_s.so.1",
            "lib/amd64/libc.so.1",
            "usr/lib/amd64/libumem.so.1",
        ]);
        let imports = Imports::parse("[libgcc_s.so.1]\n_Unwind_Resume\n[libc.so.1]\nopen\n").unwrap();
        let plan = sysroot_plan(root.path(), &imports, &lld()).unwrap();
        let names = |paths: &[PathBuf]| -> Vec<String> {
            paths.iter().map(|p| p.strip_prefix(root.path()).unwrap().display().to_string()).collect()
        };
        assert_eq!(names(&plan.libraries), ["usr/lib/amd64/libgcc_s.so.1", "lib/amd64/libc.so.1"]);
        assert_eq!(names(&plan.before)[0], "usr/lib/amd64/crt1.o");
        assert_eq!(names(&plan.after), ["usr/lib/amd64/crtn.o"]);
    }

    #[test]
    fn a_sysroot_that_lacks_a_part_is_refused_by_the_parts_name() {
        let root = sysroot(&["usr/lib/amd64/crt1.o"]);
        let error = sysroot_plan(root.path(), &Imports::default(), &lld()).unwrap_err().to_string();
        assert!(error.contains("crti.o"), "{error}");
    }

    #[test]
    fn a_cross_compiler_is_told_of_the_sysroot() {
        let linker = with_compiler("/opt/bin/x86_64-illumos-gcc".into(), Path::new("/sr"));
        assert_eq!((linker.shown.as_str(), linker.stub_linked), ("x86_64-illumos-gcc", false));
        assert_eq!(linker.arguments, ["--sysroot=/sr"]);
    }

    #[test]
    fn only_linked_executables_are_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let deps = dir.path().join("deps");
        fs::create_dir(&deps).unwrap();
        for name in ["vboxsvc-0123", "vboxsvc-0123.d", "vbox_stub-45", "libvboxsvc-0123.rlib"] {
            fs::write(deps.join(name), "").unwrap();
        }
        forget(dir.path()).unwrap();
        let left: Vec<_> = fs::read_dir(&deps).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["libvboxsvc-0123.rlib"]);
        forget(&dir.path().join("nothing here")).unwrap();
    }
}
