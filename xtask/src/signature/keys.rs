//! Key files: made, and read with the care that ssh takes.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use ssh_key::rand_core::OsRng;
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};

use super::{SignatureError, text};

/// Makes a pair of keys: the private one at `path`, the public one beside it. Gives the public one and its path.
pub fn generate(path: &Path, comment: &str) -> Result<(PublicKey, PathBuf), SignatureError> {
    let beside = path.with_added_extension("pub");
    let mut key = PrivateKey::random(&mut OsRng, Algorithm::Ed25519).map_err(SignatureError::Sign)?;
    key.set_comment(comment);
    let private = key.to_openssh(LineEnding::LF).map_err(SignatureError::Sign)?;
    let public = key.public_key().to_openssh().map_err(SignatureError::Sign)? + "\n";
    new_file(path, 0o600, private.as_bytes())?;
    if let Err(error) = new_file(&beside, 0o644, public.as_bytes()) {
        // Half a pair would stand in the way of the next try.
        let _ = fs::remove_file(path);
        return Err(error);
    }
    Ok((key.public_key().clone(), beside))
}

fn new_file(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), SignatureError> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(bytes)).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => SignatureError::KeyThere { path: path.to_owned() },
        _ => SignatureError::Write { path: path.to_owned(), source },
    })
}

/// Reads a key to sign with.
pub fn private(path: &Path) -> Result<PrivateKey, SignatureError> {
    let about = fs::metadata(path).map_err(|source| SignatureError::Read { path: path.to_owned(), source })?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(SignatureError::OpenKey { path: path.to_owned() });
    }
    let key = PrivateKey::from_openssh(text(path)?);
    let key = key.map_err(|why| SignatureError::NoPrivateKey { path: path.to_owned(), why })?;
    of_our_kind(path, &key.algorithm())?;
    match key.is_encrypted() {
        true => Err(SignatureError::EncryptedKey { path: path.to_owned() }),
        false => Ok(key),
    }
}

/// Reads a key to verify with.
pub fn public(path: &Path) -> Result<PublicKey, SignatureError> {
    // What is no text has no place in a key, and is refused there.
    let text = String::from_utf8_lossy(&text(path)?).into_owned();
    let key = PublicKey::from_openssh(text.trim_end());
    let key = key.map_err(|why| SignatureError::NoPublicKey { path: path.to_owned(), why })?;
    of_our_kind(path, &key.algorithm())?;
    Ok(key)
}

fn of_our_kind(path: &Path, kind: &Algorithm) -> Result<(), SignatureError> {
    match kind {
        Algorithm::Ed25519 => Ok(()),
        other => Err(SignatureError::OtherKind { path: path.to_owned(), kind: other.to_string() }),
    }
}
