//! What stands in for an illumos sysroot: the start of a program, and shared libraries that hold names and no code.
//!
//! A stub library offers the names that the committed list has for it, so a link against it yields the same requests to
//! the runtime linker as one against the real library, and a name not on the list fails the link.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::TARGET;
use super::imports::{Imports, Kind, Library};
use super::lld::Lld;
use super::program::{ProgramError, run};
use super::toolchain::Toolchain;

/// The source of the start of a program.
pub const CRT1: &str = include_str!("crt1.rs");

#[derive(Debug, thiserror::Error)]
pub enum StubError {
    #[error("cannot make the parts to link with: {0}")]
    Program(#[from] ProgramError),
    #[error("cannot make the parts to link with in {path}: {source}")]
    File { path: PathBuf, source: io::Error },
}

/// The parts, in the order in which they are linked.
#[derive(Debug)]
pub struct Stubs {
    pub crt1: PathBuf,
    pub libraries: Vec<PathBuf>,
}

/// Makes all parts in `dir`.
pub fn make(dir: &Path, imports: &Imports, toolchain: &Toolchain, lld: &Lld) -> Result<Stubs, StubError> {
    fs::create_dir_all(dir).map_err(|source| StubError::File { path: dir.to_owned(), source })?;
    let crt1 = assemble(dir, "crt1", CRT1, toolchain)?;
    let mut libraries = Vec::new();
    for library in &imports.libraries {
        let crate_name = library.name.replace(['.', '-'], "_");
        let object = assemble(dir, &crate_name, &source(library), toolchain)?;
        let path = dir.join(&library.name);
        let mut link = toolchain.env.command(&lld.program);
        link.args(["-flavor", "gnu", "-shared", "--hash-style=sysv", "-z", "norelro", "-soname", &library.name, "-o"]);
        run(link.arg(&path).arg(&object))?;
        libraries.push(path);
    }
    Ok(Stubs { crt1, libraries })
}

/// Has the compiler assemble one source file for the target.
fn assemble(dir: &Path, name: &str, text: &str, toolchain: &Toolchain) -> Result<PathBuf, StubError> {
    let (source, object) = (dir.join(format!("{name}.rs")), dir.join(format!("{name}.o")));
    fs::write(&source, text).map_err(|error| StubError::File { path: source.clone(), source: error })?;
    let mut rustc = toolchain.env.command(&toolchain.rustc);
    rustc.args(["--crate-type", "lib", "--edition", "2024", "--target", TARGET, "--crate-name", name]);
    rustc.args(["-C", "panic=abort", "-C", "opt-level=s", "-C", "codegen-units=1"]);
    rustc.args(sysroot_flag(toolchain));
    let mut emit = OsString::from("--emit=obj=");
    emit.push(&object);
    run(rustc.arg(emit).arg(&source))?;
    Ok(object)
}

/// Tells the compiler of the standard library, when it is not in its own sysroot.
pub fn sysroot_flag(toolchain: &Toolchain) -> Option<OsString> {
    toolchain.sysroot.as_ref().map(|s| {
        let mut flag = OsString::from("--sysroot=");
        flag.push(s);
        flag
    })
}

/// A library's names as assembler source: code that stops, data that is zero.
fn source(library: &Library) -> String {
    let mut text = String::from("#![no_std]\ncore::arch::global_asm!(r#\"\n");
    for (name, kind) in &library.symbols {
        let (section, what, body) = match kind {
            Kind::Function | Kind::WeakFunction => (".text", "function", "ud2"),
            Kind::Object => (".data", "object", ".quad 0"),
        };
        text += &format!("{section}\n.globl {name}\n.type {name}, @{what}\n{name}: {body}\n.size {name}, . - {name}\n");
    }
    text + ".text\n\"#, options(att_syntax));\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_listed_name_is_defined_with_its_type() {
        let imports = Imports::parse("[libc.so.1]\nopen\nnewer weak\nenviron object\n").unwrap();
        let text = source(&imports.libraries[0]);
        assert!(text.contains(".text\n.globl open\n.type open, @function\nopen: ud2\n"), "{text}");
        assert!(text.contains(".type newer, @function\n"), "{text}");
        assert!(text.contains(".data\n.globl environ\n.type environ, @object\nenviron: .quad 0\n"), "{text}");
    }

    #[test]
    fn the_start_defines_what_libc_looks_for_in_the_program() {
        for name in ["_start", "_environ", "environ", "___Argv", "__xpg4", "__xpg6", "_lib_version"] {
            assert!(CRT1.contains(&format!("\n{name}:")), "{name}");
        }
    }

    /// A program of no library, for this machine, that is started by the same instructions: its main says by its exit
    /// status what it was handed.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn the_start_hands_over_arguments_environment_and_an_aligned_stack() {
        let dir = tempfile::tempdir().unwrap();
        let (source, program) = (dir.path().join("start.rs"), dir.path().join("start"));
        fs::write(dir.path().join("crt1.rs"), CRT1.replace("#![no_std]", "")).unwrap();
        fs::write(&source, include_str!("start_test.rs")).unwrap();
        let caller: Vec<_> = std::env::vars_os().collect();
        let host = Toolchain::running(&caller).unwrap();
        let mut rustc = host.env.command(&host.rustc);
        rustc
            .args([
                "--edition",
                "2024",
                "-C",
                "panic=abort",
                "-C",
                "opt-level=1",
                "-C",
                "relocation-model=static",
                "-o",
            ])
            .arg(&program);
        rustc.args(["-C", "link-args=-nostartfiles -nostdlib -static -no-pie"]).arg(&source);
        run(&mut rustc).unwrap();
        let mut start = std::process::Command::new(&program);
        let status = start.args(["one", "two words"]).env_clear().env("A", "1").status().unwrap();
        assert_eq!(status.code(), Some(42), "another code is the line of start_test.rs that failed");
    }
}
