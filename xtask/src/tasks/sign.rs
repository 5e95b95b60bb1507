//! `cargo xtask sign`: a detached signature for each file, and keys to sign with.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::pkg::write_whole;
use crate::signature;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to sign; the signature of FILE is FILE.sig
    #[arg(required_unless_present = "generate", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The private key, an Ed25519 one of OpenSSH without a passphrase
    #[arg(long, value_name = "KEY", required_unless_present = "generate")]
    key: Option<PathBuf>,
    /// Make a pair of keys instead, KEY and KEY.pub
    #[arg(long, value_name = "KEY", conflicts_with_all = ["files", "key"])]
    generate: Option<PathBuf>,
    /// What the new key says of itself
    #[arg(long, value_name = "TEXT", default_value = "vboxsvc release", requires = "generate")]
    comment: String,
}

/// Prints the path of each file it made.
pub fn run(args: &Args) -> Result<()> {
    if let Some(path) = &args.generate {
        let (key, public) = signature::generate(path, &args.comment)?;
        eprintln!("the key {} ({})", signature::fingerprint(&key), key.comment());
        println!("{}\n{}", path.display(), public.display());
        return Ok(());
    }
    let key = args.key.as_deref().context("--key names the private key to sign with")?;
    for signature in files(key, &args.files)? {
        println!("{}", signature.display());
    }
    Ok(())
}

/// Signs files, and gives the signatures' paths.
pub fn files<P: AsRef<Path>>(key: &Path, files: &[P]) -> Result<Vec<PathBuf>> {
    let key = signature::private(key)?;
    let sign = |file: &P| {
        let file = file.as_ref();
        let text = signature::sign(&key, &signature::signed_bytes(file)?)?;
        let path = signature::beside(file);
        write_whole(&path, |out| Ok(out.write_all(text.as_bytes())?))?;
        Ok(path)
    };
    files.iter().map(sign).collect()
}
