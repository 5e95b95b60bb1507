//! Guests that were kept by `--keep`: how a person gets in, and how they end.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::place::out;
use super::shell::show;
use crate::smoke::guest::machine::running_in;
use crate::smoke::guest::qmp::Qmp;

/// How long QEMU may take to end.
const END: Duration = Duration::from_secs(20);
const GAP: Duration = Duration::from_millis(50);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The target whose guest was kept
    #[arg(value_name = "TARGET")]
    target: String,
    /// Where that run's reports went; target/smoke in the workspace if not given
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Args {
    fn folder(&self, workspace: &Path) -> Result<(PathBuf, u32)> {
        let folder = out(self.out.as_ref(), workspace).join(&self.target);
        match running_in(&folder) {
            Some(process) => Ok((folder, process)),
            None => bail!("no guest runs in {}: only a run with --keep leaves one", folder.display()),
        }
    }
}

/// What is told of a guest that was kept, if it still runs.
pub fn told(out: &Path, target: &str) -> Option<String> {
    let folder = out.join(target);
    let process = running_in(&folder)?;
    let (socket, out) = (folder.join("console.sock"), out.display());
    Some(format!(
        "the guest runs on as QEMU's process {process}; its console is {}\n\
         \x20  into it:  cargo xtask smoke attach {target} --out {out}\n\
         \x20  its end:  cargo xtask smoke end {target} --out {out}",
        socket.display()
    ))
}

/// Gives a person the console.
pub fn attach(args: &Args, workspace: &Path) -> Result<()> {
    let (folder, process) = args.folder(workspace)?;
    eprintln!("~. at the beginning of a line leaves; the guest (process {process}) runs on");
    show(folder.join("console.sock"), &args.target)
}

/// Ends the guest.
pub fn end(args: &Args, workspace: &Path) -> Result<()> {
    let (folder, process) = args.folder(workspace)?;
    let told = UnixStream::connect(folder.join("qmp.sock"))
        .map_err(anyhow::Error::from)
        .and_then(|stream| Ok(Qmp::new(stream)?.execute("quit", json!({}))?));
    told.with_context(|| format!("QEMU does not listen; `kill {process}` ends it"))?;
    let until = Instant::now() + END;
    while running_in(&folder).is_some() {
        if Instant::now() >= until {
            bail!("QEMU has not ended within {} s; `kill -9 {process}` ends it", END.as_secs());
        }
        sleep(GAP);
    }
    eprintln!("the guest has ended; what it left is in {}", folder.display());
    Ok(())
}
