//! Building a program for illumos, and checking it without linking.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::linker::{self, Linker, Wanted, read_imports};
use super::program::{Environment, run};
use super::toolchain::Toolchain;
use super::{Payload, PayloadError, Request, TARGET, elf, remap, stdlib, stubs};

/// What a check was made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub std: String,
    pub rustc: String,
    /// True when clippy ran; without it installed for that toolchain, the compiler alone.
    pub clippy: bool,
}

/// Builds the program's executable in release form and verifies it.
pub fn build(request: &Request, say: &mut dyn FnMut(&str)) -> Result<Payload, PayloadError> {
    let setup = Setup::open(request, say)?;
    let (toolchain, folder) = (&setup.toolchain, &setup.folder);
    let package = request.program.package();
    let release = folder.join(TARGET).join("release");
    let list = request.workspace.join("pkg/illumos-imports.txt");
    let linker = if cfg!(target_os = "illumos") {
        linker::native()
    } else {
        let dir = folder.join("linker");
        // The linker runs in another folder than the caller.
        let sysroot = request.sysroot.as_ref().map(|s| at(s, s.canonicalize())).transpose()?;
        let (sysroot, may_install) = (sysroot.as_deref(), request.bootstrap);
        let wanted = Wanted { dir: &dir, imports: &list, linked: &release, sysroot, may_install };
        linker::cross(wanted, toolchain, say)?
    };
    say(&format!(
        "building {package} for {TARGET} with {}, {}, {}",
        toolchain.std,
        toolchain.version.line(),
        linker.shown
    ));
    // First all is fetched: where it is kept is known only then, and must not show in what is compiled.
    run(&mut cargo(&toolchain.cargo, &setup.env(), "fetch", request))?;
    run(&mut compile(request, &setup, &linker))?;
    let executable = release.join(package);
    let bytes = at(&executable, fs::read(&executable))?;
    let (report, findings) = elf::inspect(&bytes, &read_imports(&list)?.1);
    if !findings.is_empty() {
        return Err(PayloadError::Refused { path: executable, findings });
    }
    say(&format!("verified {} ({} bytes, {} imports)", executable.display(), report.size, report.imports.len()));
    Ok(Payload {
        executable,
        target: TARGET,
        std: toolchain.std.clone(),
        rustc: toolchain.version.line().to_owned(),
        linker: linker.shown,
        sysroot: request.sysroot.clone(),
        stub_linked: linker.stub_linked,
        elf: report,
    })
}

/// Checks every target of the program's crate for illumos, with warnings as errors; nothing is linked.
pub fn check(request: &Request, say: &mut dyn FnMut(&str)) -> Result<Checked, PayloadError> {
    let setup = Setup::open(request, say)?;
    let (toolchain, package) = (&setup.toolchain, request.program.package());
    let driver = toolchain.cargo.with_file_name("cargo-clippy");
    let clippy = driver.is_file();
    let verb = if clippy { "clippy" } else { "check" };
    say(&format!("checking {package} for {TARGET} with {} ({verb})", toolchain.std));
    let mut flags: Vec<OsString> = stubs::sysroot_flag(toolchain).into_iter().collect();
    flags.push("-Dwarnings".into());
    let mut env = setup.env();
    env.set("CARGO_ENCODED_RUSTFLAGS", remap::encoded(&flags));
    // Not `cargo clippy`: cargo would look for it in its home first, where another toolchain's may be.
    env.set("CARGO", &toolchain.cargo);
    let mut check = cargo(if clippy { &driver } else { &toolchain.cargo }, &env, verb, request);
    check.args(["--package", package, "--all-targets", "--target-dir"]).arg(setup.folder.join("check"));
    run(&mut check)?;
    Ok(Checked { std: toolchain.std.clone(), rustc: toolchain.version.line().to_owned(), clippy })
}

/// What building and checking have in common.
struct Setup {
    toolchain: Toolchain,
    /// The folder for all that is compiled for illumos.
    folder: PathBuf,
    epoch: u64,
}

impl Setup {
    fn open(request: &Request, say: &mut dyn FnMut(&str)) -> Result<Self, PayloadError> {
        // cargo and the linker run in other folders than the caller.
        let out_dir = at(&request.out_dir, std::path::absolute(&request.out_dir))?;
        let (toolchain, fresh) = stdlib::provide(request.std, request.bootstrap, &out_dir, say)?;
        let folder = out_dir.join("illumos");
        if fresh {
            // cargo goes by the compiler's version: it would not notice that the library under it is another.
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => at(&folder, Err(error))?,
                _ => {}
            }
        }
        at(&folder, fs::create_dir_all(&folder))?;
        Ok(Setup { toolchain, folder, epoch: request.source_date_epoch })
    }

    fn env(&self) -> Environment {
        let mut env = self.toolchain.env.clone();
        env.set("CARGO_INCREMENTAL", "0");
        env.set("SOURCE_DATE_EPOCH", self.epoch.to_string());
        env
    }
}

/// The call of cargo that makes the executable.
fn compile(request: &Request, setup: &Setup, linker: &Linker) -> Command {
    let toolchain = &setup.toolchain;
    let mut env = setup.env();
    let mut flags: Vec<OsString> = remap::of_workspace(&request.workspace);
    flags.extend(remap::of_cargo_home(&env));
    // A standard library that comes compiled calls its sources by this name; where they are installed, the compiler
    // knows them under their real one.
    flags.extend(remap::of_std_sources(&toolchain.home.join("lib/rustlib/src/rust"), &toolchain.version.commit));
    flags.extend(stubs::sysroot_flag(toolchain));
    flags.extend(linker.arguments.iter().map(|a| OsString::from(format!("-Clink-arg={a}"))));
    env.set("CARGO_ENCODED_RUSTFLAGS", remap::encoded(&flags));
    if let Some(program) = &linker.program {
        env.set("CARGO_TARGET_X86_64_UNKNOWN_ILLUMOS_LINKER", program);
    }
    let mut cargo = cargo(&toolchain.cargo, &env, "build", request);
    let package = request.program.package();
    cargo.args(["--release", "--package", package, "--bin", package, "--target-dir"]).arg(&setup.folder);
    cargo
}

fn cargo(program: &Path, env: &Environment, verb: &str, request: &Request) -> Command {
    let mut cargo = env.command(program);
    cargo.args([verb, "--locked", "--target", TARGET]).current_dir(&request.workspace);
    cargo
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, PayloadError> {
    result.map_err(|source| PayloadError::File { path: path.to_owned(), source })
}
