//! Detached signatures, in the format of OpenSSH.
//!
//! That format and not another, because whoever gets a package can check it with `ssh-keygen -Y verify`, which every
//! illumos and Linux has, and whoever signs can do so with a key in an agent or a token (`ssh-keygen -Y sign`). Keys are
//! Ed25519, in OpenSSH's files. The cryptography is all in the crate `ssh-key`; here is when it is asked, and what is
//! said. This module knows nothing of packages.

mod keys;
mod sums;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ssh_key::{HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use thiserror::Error;

pub use keys::{generate, private, public};
pub use sums::{Sum, compare, parse};

/// What these signatures are for. One of the same key for something else is none of ours.
pub const NAMESPACE: &str = "vboxsvc-release";
/// What the signature of a file is called, behind the file's name.
pub const EXTENSION: &str = "sig";

/// Keys and signatures are some hundred bytes.
const MAX_TEXT: u64 = 64 << 10;
/// The format wants the whole of what is signed at once.
const MAX_SIGNED: u64 = 1 << 30;

#[derive(Debug, Error)]
pub enum SignatureError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} is larger than {limit} bytes, the most that is read here")]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{path} is too large to be signed by itself: sign the checksums that name it")]
    TooLargeToSign { path: PathBuf },
    #[error("{path} is there already: a key is never replaced")]
    KeyThere { path: PathBuf },
    #[error("{path} is no private key of OpenSSH ({why}); cargo xtask sign --generate makes one")]
    NoPrivateKey { path: PathBuf, why: ssh_key::Error },
    #[error("others than its owner can use the private key {path}: chmod 600 it")]
    OpenKey { path: PathBuf },
    #[error(
        "the private key {path} has a passphrase, which is not asked for here: sign by \
         ssh-keygen -Y sign -n {NAMESPACE} -f {path} FILE"
    )]
    EncryptedKey { path: PathBuf },
    #[error("{path} is a key of the kind {kind}, and only ssh-ed25519 is taken here")]
    OtherKind { path: PathBuf, kind: String },
    #[error("{path} is no public key of OpenSSH ({why})")]
    NoPublicKey { path: PathBuf, why: ssh_key::Error },
    #[error("the key does not sign: {0}")]
    Sign(ssh_key::Error),
    #[error("{path} is no signature: {why}")]
    NoSignature { path: PathBuf, why: ssh_key::Error },
    #[error("it is signed by another key: {by}, not {wanted}")]
    OtherSigner { by: String, wanted: String },
    #[error("the signature is for {found:?} and not for {NAMESPACE:?}: it was made for something else")]
    OtherPurpose { found: String },
    #[error("the file is not the one that was signed: it was changed, or the signature is another file's")]
    Mismatch,
}

/// The signature of these bytes, as text.
pub fn sign(key: &PrivateKey, bytes: &[u8]) -> Result<String, SignatureError> {
    let signature = key.sign(NAMESPACE, HashAlg::Sha512, bytes).map_err(SignatureError::Sign)?;
    signature.to_pem(LineEnding::LF).map_err(SignatureError::Sign)
}

/// Reads a signature that anybody may have written.
pub fn read(path: &Path) -> Result<SshSig, SignatureError> {
    let text = text(path)?;
    let parsed = SshSig::from_pem(text).and_then(|signature| match signature.version() {
        // The version is the one thing in it that nobody signs, and the crate takes those before the first.
        SshSig::VERSION => Ok(signature),
        number => Err(ssh_key::Error::Version { number }),
    });
    parsed.map_err(|why| SignatureError::NoSignature { path: path.to_owned(), why })
}

/// Whether the key signed exactly these bytes, for this purpose.
pub fn verify(key: &PublicKey, bytes: &[u8], signature: &SshSig) -> Result<(), SignatureError> {
    match key.verify(NAMESPACE, bytes, signature) {
        Ok(()) => Ok(()),
        Err(ssh_key::Error::PublicKey) => {
            let by = PublicKey::from(signature.public_key().clone()).fingerprint(HashAlg::Sha256);
            Err(SignatureError::OtherSigner { by: by.to_string(), wanted: fingerprint(key) })
        }
        Err(ssh_key::Error::Namespace) => Err(SignatureError::OtherPurpose { found: signature.namespace().to_owned() }),
        Err(_) => Err(SignatureError::Mismatch),
    }
}

/// The key as people compare it.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Where the signature of a file is, unless something else is said.
pub fn beside(file: &Path) -> PathBuf {
    file.with_added_extension(EXTENSION)
}

/// A file that is to be signed, or was.
pub fn signed_bytes(path: &Path) -> Result<Vec<u8>, SignatureError> {
    bounded(path, MAX_SIGNED).map_err(|error| match error {
        SignatureError::TooLarge { path, .. } => SignatureError::TooLargeToSign { path },
        other => other,
    })
}

fn text(path: &Path) -> Result<Vec<u8>, SignatureError> {
    bounded(path, MAX_TEXT)
}

fn bounded(path: &Path, limit: u64) -> Result<Vec<u8>, SignatureError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes));
    read.map_err(|source| SignatureError::Read { path: path.to_owned(), source })?;
    match bytes.len() as u64 > limit {
        true => Err(SignatureError::TooLarge { path: path.to_owned(), limit }),
        false => Ok(bytes),
    }
}
