//! The linker that rustc is given for illumos: a name of this executable, which turns a call of `cc` into one of lld.
//!
//! rustc calls the linker of this target as it would the C compiler of illumos. Here that call is answered under the
//! name [`LINKER_NAME`], a symbolic link to the running executable; a plan written beside the link says what to add.
//! What the call brings is the objects and the output: which libraries there are, the plan knows.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use serde::{Deserialize, Serialize};

/// The name under which this executable is a linker. By its ending rustc knows how to speak to it: as to a C compiler.
pub const LINKER_NAME: &str = "illumos-cc";
/// The plan's name, beside the link.
const PLAN_NAME: &str = "plan.json";

/// What makes an executable that illumos's runtime linker takes, whatever it is linked against.
const FLAGS: [&str; 19] = [
    "-dynamic-linker",
    "/lib/amd64/ld.so.1",
    "-e",
    "_start",
    "--image-base=0x400000",
    "--eh-frame-hdr",
    // illumos reads the System V hash table and no other.
    "--hash-style=sysv",
    "--gc-sections",
    "--strip-all",
    "-z",
    "norelro",
    "--no-rosegment",
    // A symbol that is missing on the target stops the program at its start, not in the middle of a machine's life.
    "-z",
    "now",
    // What libc looks for in the program must be seen from there.
    "--export-dynamic-symbol=environ",
    "--export-dynamic-symbol=_environ",
    "--export-dynamic-symbol=___Argv",
    "--export-dynamic-symbol=__xpg[46]",
    "--export-dynamic-symbol=_lib_version",
];

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("the linker cannot use {path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("cannot write the linker's plan: {0}")]
    Plan(#[from] serde_json::Error),
    #[error("{path} is not this linker's plan: {source}")]
    BadPlan { path: PathBuf, source: serde_json::Error },
    #[error("{0:?} is not something this linker can do: it links executables for illumos only")]
    Unsupported(OsString),
    #[error("no output file was named")]
    NoOutput,
    #[error("cannot run {path}: {source}")]
    Run { path: PathBuf, source: io::Error },
}

/// What is linked besides what rustc brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub lld: PathBuf,
    /// As it names itself: another version makes other bytes.
    pub lld_version: String,
    /// What comes first: the start of a program.
    pub before: Vec<PathBuf>,
    /// The shared libraries, in the order in which the program is to ask for them.
    pub libraries: Vec<PathBuf>,
    /// What comes last.
    pub after: Vec<PathBuf>,
    /// A digest of what the parts above were made of.
    pub made_of: String,
    pub flags: Vec<String>,
}

impl Plan {
    pub fn new(lld: &super::lld::Lld, made_of: String) -> Self {
        Plan {
            lld: lld.program.clone(),
            lld_version: lld.version.clone(),
            before: Vec::new(),
            libraries: Vec::new(),
            after: Vec::new(),
            made_of,
            flags: FLAGS.map(str::to_owned).to_vec(),
        }
    }

    /// True when what was linked by the plan in `dir`, if there is one, is what this plan would link.
    pub fn is_installed(&self, dir: &Path) -> Result<bool, LinkError> {
        let text = serde_json::to_vec_pretty(self)?;
        Ok(fs::read(dir.join(PLAN_NAME)).is_ok_and(|old| old == text))
    }

    /// Sets the linker up in `dir`; its path.
    pub fn install(&self, dir: &Path) -> Result<PathBuf, LinkError> {
        let plan = dir.join(PLAN_NAME);
        at(dir, fs::create_dir_all(dir))?;
        at(&plan, fs::write(&plan, serde_json::to_vec_pretty(self)?))?;
        let (link, new) = (dir.join(LINKER_NAME), dir.join("illumos-cc.new"));
        let myself = at(&link, std::env::current_exe())?;
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => at(&new, Err(error))?,
            _ => {}
        }
        at(&new, std::os::unix::fs::symlink(myself, &new))?;
        at(&link, fs::rename(&new, &link))?;
        Ok(link)
    }
}

/// True when this executable was called as a linker.
pub fn is_linker_name(argv0: &Path) -> bool {
    argv0.file_name().is_some_and(|name| name == LINKER_NAME)
}

/// The whole run of a linker: `args` with the name it was called by first.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let argv0 = PathBuf::from(args.next().unwrap_or_default());
    match link(&argv0, args.collect()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!(
                "{LINKER_NAME}: an undefined symbol above is one that pkg/illumos-imports.txt does not list; if \
                 illumos exports it, add it there"
            );
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{LINKER_NAME}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn link(argv0: &Path, args: Vec<OsString>) -> Result<bool, LinkError> {
    let path = argv0.with_file_name(PLAN_NAME);
    let text = at(&path, fs::read(&path))?;
    let plan: Plan = serde_json::from_slice(&text).map_err(|source| LinkError::BadPlan { path, source })?;
    let call = lld_arguments(&plan, &expanded(args)?)?;
    let status = Command::new(&plan.lld).args(call).status();
    status.map(|s| s.success()).map_err(|source| LinkError::Run { path: plan.lld.clone(), source })
}

/// The arguments with each `@file` replaced by what it holds: one a line, a backslash before what is to be taken as is.
fn expanded(args: Vec<OsString>) -> Result<Vec<OsString>, LinkError> {
    let mut all = Vec::new();
    for arg in args {
        let Some(path) = arg.as_bytes().strip_prefix(b"@") else {
            all.push(arg);
            continue;
        };
        let path = PathBuf::from(OsString::from_vec(path.to_vec()));
        let text = at(&path, fs::read(&path))?;
        all.extend(text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(unescaped));
    }
    Ok(all)
}

fn unescaped(line: &[u8]) -> OsString {
    let mut bytes = line.iter();
    let mut plain = Vec::with_capacity(line.len());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            _ => plain.push(*byte),
        }
    }
    OsString::from_vec(plain)
}

/// What lld is called with, for what `cc` was called with.
fn lld_arguments(plan: &Plan, args: &[OsString]) -> Result<Vec<OsString>, LinkError> {
    let (mut inputs, mut output) = (Vec::new(), None);
    let mut rest = args.iter();
    while let Some(arg) = rest.next() {
        match arg.as_bytes() {
            b"-o" => output = Some(rest.next().ok_or(LinkError::NoOutput)?.clone()),
            // Folders to look for libraries in: the plan has the libraries.
            b"-L" => drop(rest.next()),
            b"-m64" | b"-nodefaultlibs" | b"-no-pie" => {}
            // Making a shared library, or a program that is loaded anywhere.
            b"-shared" | b"-pie" | b"-static" | b"-static-pie" | b"-r" => {
                return Err(LinkError::Unsupported(arg.clone()));
            }
            b if b.starts_with(b"-std=") || b.starts_with(b"-Wl,") || b.starts_with(b"-l") || b.starts_with(b"-L") => {}
            b if b.starts_with(b"-") => return Err(LinkError::Unsupported(arg.clone())),
            _ => inputs.push(arg.clone()),
        }
    }
    let paths = |paths: &[PathBuf]| paths.iter().map(|p| p.clone().into_os_string()).collect::<Vec<_>>();
    let mut call: Vec<OsString> = vec!["-flavor".into(), "gnu".into(), "-o".into(), output.ok_or(LinkError::NoOutput)?];
    call.extend(plan.flags.iter().map(OsString::from));
    call.extend(paths(&plan.before));
    call.extend(inputs);
    // What a library itself asks for is not this program's business: its stub asks for nothing, the real one for much.
    call.extend(["--as-needed".into(), "--allow-shlib-undefined".into()]);
    call.extend(paths(&plan.libraries));
    call.extend(paths(&plan.after));
    Ok(call)
}

fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, LinkError> {
    result.map_err(|source| LinkError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::lld::Lld;

    fn plan() -> Plan {
        let lld = Lld { program: "/tc/rust-lld".into(), version: "LLD 22".into() };
        Plan {
            before: vec!["/w/crt1.o".into()],
            libraries: vec!["/w/libgcc_s.so.1".into(), "/w/libc.so.1".into()],
            ..Plan::new(&lld, "x".into())
        }
    }

    fn call(args: &[&str]) -> Result<Vec<String>, LinkError> {
        let args: Vec<_> = args.iter().map(OsString::from).collect();
        let call = lld_arguments(&plan(), &args)?;
        Ok(call.into_iter().map(|a| a.into_string().unwrap()).collect())
    }

    #[test]
    fn a_call_of_the_c_compiler_becomes_one_of_lld() {
        let got = call(&[
            "-m64",
            "-std=c99",
            "/t/a.o",
            "-Wl,-z,ignore",
            "-Wl,-Bstatic",
            "/t/libcore.rlib",
            "-Wl,-Bdynamic",
            "-lsendfile",
            "-lumem",
            "-L",
            "/t/raw-dylibs",
            "-L/more",
            "-lc",
            "-lssp",
            "-o",
            "/t/out",
            "-Wl,--strip-all",
            "-nodefaultlibs",
        ])
        .unwrap();
        assert_eq!(got[..4], ["-flavor", "gnu", "-o", "/t/out"]);
        let files: Vec<_> =
            got.iter().filter(|a| a.ends_with(".o") || a.contains(".so.1") || a.ends_with(".rlib")).collect();
        assert_eq!(
            files,
            ["/lib/amd64/ld.so.1", "/w/crt1.o", "/t/a.o", "/t/libcore.rlib", "/w/libgcc_s.so.1", "/w/libc.so.1"]
        );
        assert!(
            !got.iter().any(|a| a.starts_with("-l") || a.starts_with("-Wl") || a.contains("raw-dylibs")),
            "{got:?}"
        );
    }

    #[test]
    fn what_it_cannot_do_is_refused_by_name() {
        assert!(call(&["-shared", "-o", "x"]).unwrap_err().to_string().contains("-shared"));
        assert!(call(&["-fuse-ld=mold", "-o", "x"]).unwrap_err().to_string().contains("-fuse-ld=mold"));
        assert!(matches!(call(&["a.o"]), Err(LinkError::NoOutput)));
        assert!(matches!(call(&["a.o", "-o"]), Err(LinkError::NoOutput)));
    }

    #[test]
    fn a_file_of_arguments_is_read_with_its_escapes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("args");
        fs::write(&file, "-o\n/t/with\\ blank\n/t/a.o\n").unwrap();
        let at = OsString::from(format!("@{}", file.display()));
        assert_eq!(expanded(vec!["-m64".into(), at]).unwrap(), ["-m64", "-o", "/t/with blank", "/t/a.o"]);
    }

    #[test]
    fn a_plan_is_installed_until_anything_about_it_changes() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!plan().is_installed(dir.path()).unwrap());
        let linker = plan().install(dir.path()).unwrap();
        assert!(is_linker_name(&linker) && linker.exists());
        assert!(plan().is_installed(dir.path()).unwrap());
        assert!(!Plan { made_of: "y".into(), ..plan() }.is_installed(dir.path()).unwrap());
        plan().install(dir.path()).unwrap();
    }

    #[test]
    fn only_its_own_name_makes_it_a_linker() {
        assert!(is_linker_name(Path::new("/t/illumos/linker/illumos-cc")));
        assert!(!is_linker_name(Path::new("/t/debug/xtask")));
    }
}
