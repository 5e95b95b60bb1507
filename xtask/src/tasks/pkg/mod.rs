//! `cargo xtask pkg`: builds the runtime for illumos and writes the packages, then reads them back.

mod material;
mod readback;
mod record;
#[cfg(test)]
mod tests;
mod to_ips;
mod to_svr4;

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use serde::Serialize;

use crate::contents::{self, Contents};
use crate::payload::{self, Program, StdChoice};
use crate::shown;
use crate::tasks::reproduce;
use crate::time;

pub use material::Material;
pub use record::{Record, made};

/// The format to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Svr4,
    Ips,
    All,
}

impl Format {
    /// The word that asks for it on a command line.
    pub fn word(self) -> &'static str {
        match self {
            Format::Svr4 => "svr4",
            Format::Ips => "ips",
            Format::All => "all",
        }
    }
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which packages to write
    #[arg(long, value_enum, default_value = "all")]
    format: Format,
    /// Where to write them; target/pkg in the workspace if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    toolchain: Toolchain,
    /// Build all of it a second time, elsewhere, and explain the first difference
    #[arg(long)]
    check_reproducible: bool,
    /// Print the build record on standard output instead of the paths
    #[arg(long)]
    json: bool,
}

/// What builds for illumos.
#[derive(Debug, clap::Args)]
pub struct Toolchain {
    /// Where the illumos standard library comes from
    #[arg(long, value_enum, default_value = "auto")]
    std: StdChoice,
    /// Install what is missing: this is the consent to do so
    #[arg(long)]
    pub bootstrap: bool,
    /// Link against this illumos sysroot instead of stubs (ILLUMOS_SYSROOT)
    #[arg(long, value_name = "DIR")]
    sysroot: Option<PathBuf>,
}

impl Toolchain {
    /// The options that ask another `cargo xtask` for the same.
    pub fn options(&self) -> Vec<OsString> {
        let mut options: Vec<OsString> = vec!["--std".into(), self.std.word().into()];
        options.extend(self.bootstrap.then(|| "--bootstrap".into()));
        options.extend(self.sysroot.iter().flat_map(|sysroot| ["--sysroot".into(), sysroot.into()]));
        options
    }

    pub fn request(&self, program: Program, workspace: &Path, source_date_epoch: u64) -> payload::Request {
        payload::Request {
            program,
            workspace: workspace.to_path_buf(),
            out_dir: workspace.join("target"),
            std: self.std,
            bootstrap: self.bootstrap,
            sysroot: self.sysroot.clone().or_else(|| std::env::var_os("ILLUMOS_SYSROOT").map(PathBuf::from)),
            source_date_epoch,
        }
    }
}

/// One file that was made.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    pub file: String,
    pub bytes: u64,
    pub sha256: String,
    pub what: String,
}

/// What one run made.
pub struct Packages {
    pub made: Vec<Made>,
    pub record: Record,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| workspace.join("target/pkg"));
    if !args.check_reproducible {
        let packages = make(workspace, args.format, &args.toolchain, &out)?;
        return tell(args.json, &out, &packages.made, &packages.record);
    }
    reproduce::refuse_changes(workspace)?;
    // In a folder of its own: there may be other files where the packages go.
    fs::create_dir_all(&out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let first = tempfile::Builder::new().prefix(".building-").tempdir_in(&out)?;
    let packages = make(workspace, args.format, &args.toolchain, first.path())?;
    reproduce::check(workspace, args.format, &args.toolchain, first.path())?;
    for made in &packages.made {
        let place = out.join(&made.file);
        fs::rename(first.path().join(&made.file), &place)
            .with_context(|| format!("cannot name {}", place.display()))?;
    }
    tell(args.json, &out, &packages.made, &packages.record)
}

/// Builds, writes packages and their record into a folder, and reads them back.
pub fn make(workspace: &Path, format: Format, toolchain: &Toolchain, out: &Path) -> Result<Packages> {
    let epoch = time::source_date_epoch(workspace)?;
    let contents = contents::read(workspace)?;
    let request = toolchain.request(Program::Runtime, workspace, epoch);
    let payload = payload::build(&request, &mut |text| eprintln!("{text}"))?;
    let version = env!("CARGO_PKG_VERSION");
    let material = Material::gather(workspace, &contents, &payload.executable, version, epoch)?;
    let plan = Plan { contents: &contents, material: &material, version, epoch };
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let mut packages = Vec::new();
    if format != Format::Ips {
        let path = plan.svr4(out)?;
        packages.push(made(&path, "SVR4 datastream")?);
        packages.push(made(&zipped(&path)?, "the same, gzipped")?);
    }
    if format != Format::Svr4 {
        packages.push(made(&plan.ips(out)?, "IPS archive")?);
        packages.push(made(&plan.bridge(out)?, "IPS bridge to the SVR4 VirtualBox")?);
    }
    let record = Record::new(workspace, version, epoch, &payload, &contents, &material, &packages)?;
    packages.extend(record::write(out, &record, &packages)?);
    Ok(Packages { made: packages, record })
}

/// Our packages before they are written: all that goes into them.
pub struct Plan<'a> {
    pub contents: &'a Contents,
    pub material: &'a Material,
    pub version: &'a str,
    pub epoch: u64,
}

/// Each writes one package into a folder, reads it back, and gives its path.
impl Plan<'_> {
    pub fn svr4(&self, out: &Path) -> Result<PathBuf> {
        let package = to_svr4::package(self.contents, self.material, self.version, self.epoch)?;
        let path = out.join(format!("{}-{}.pkg", self.contents.package.svr4, self.version));
        write_whole(&path, |file| Ok(crate::svr4::datastream::write(&[package], file).map(drop)?))?;
        readback::svr4(&path, self.contents, self.material)?;
        Ok(path)
    }

    pub fn ips(&self, out: &Path) -> Result<PathBuf> {
        let package = to_ips::package(self.contents, self.material, self.version, self.epoch)?;
        let path = out.join(format!("vboxsvc-{}.p5p", self.version));
        self.archive(package, &path)?;
        readback::ips(&path, self.contents, self.material)?;
        Ok(path)
    }

    pub fn bridge(&self, out: &Path) -> Result<PathBuf> {
        let package = to_ips::bridge(self.contents, self.version, self.epoch)?;
        let path = out.join(format!("{}-{}.p5p", self.contents.virtualbox.bridge, self.version));
        self.archive(package, &path)?;
        readback::bridge(&path, self.contents)?;
        Ok(path)
    }

    fn archive(&self, package: crate::ips::Package, path: &Path) -> Result<()> {
        let publisher = &self.contents.package.publisher;
        write_whole(path, |file| Ok(crate::ips::write(publisher, &[package], self.epoch, file).map(drop)?))
    }
}

/// The same file gzipped beside it, read back.
fn zipped(path: &Path) -> Result<PathBuf> {
    let zipped = path.with_added_extension("gz");
    write_whole(&zipped, |file| gzip(path, file))?;
    readback::gzip(&zipped, path)?;
    Ok(zipped)
}

/// Writes a file under another name first: what stands under its own name is always whole.
pub fn write_whole(path: &Path, write: impl FnOnce(&mut BufWriter<fs::File>) -> Result<()>) -> Result<()> {
    let folder = path.parent().context("a package needs a folder")?;
    let file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder)?;
    let mut out = BufWriter::new(file.reopen()?);
    write(&mut out).and_then(|()| Ok(out.flush()?)).with_context(|| format!("cannot write {}", path.display()))?;
    // A temporary file is private; a package is for everybody.
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644))?;
    file.persist(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

/// No name and no time in the header, so that the same bytes always give the same bytes.
fn gzip(from: &Path, to: &mut impl Write) -> Result<()> {
    let mut encoder = GzBuilder::new().mtime(0).write(to, Compression::best());
    io::copy(&mut fs::File::open(from)?, &mut encoder)?;
    encoder.finish()?;
    Ok(())
}

fn tell(json: bool, out: &Path, made: &[Made], record: &Record) -> Result<()> {
    let width = made.iter().map(|m| m.file.len()).max().unwrap_or_default();
    let mut table = format!("\n{:width$}  {:>9}  {:16}  what\n", "file", "bytes", "sha256");
    for m in made {
        let short = m.sha256.get(..16).unwrap_or(&m.sha256);
        table.push_str(&format!("{:width$}  {:>9}  {short}  {}\n", m.file, m.bytes, m.what));
    }
    eprint!("{table}\nthe executable inside: {}\n", record.standing());
    let paths = || made.iter().map(|m| out.join(&m.file).display().to_string()).collect::<Vec<_>>().join("\n");
    let text = if json { shown::json(record)? } else { paths() };
    writeln!(io::stdout(), "{text}").context("cannot tell what was made")
}
