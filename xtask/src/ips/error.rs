//! What keeps a package from being written. Each error names the package, the action and what would mend it.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::fmri::FmriError;
use super::validate::{ActionError, ConflictError};

#[derive(Debug, Error)]
pub enum IpsError {
    #[error(transparent)]
    Fmri(#[from] FmriError),
    #[error("package {package}: name its version with a timestamp, by which pkg orders updates")]
    NoTimestamp { package: String },
    #[error("package {package} belongs to another publisher than the archive's, {publisher}")]
    OtherPublisher { package: String, publisher: String },
    #[error("package {package} is given twice")]
    DuplicatePackage { package: String },
    #[error("package {package}: {action}: {source}")]
    Action { package: String, action: String, source: Box<ActionError> },
    #[error("package {package}: {source}")]
    Conflict { package: String, source: Box<ConflictError> },
    #[error("cannot read the content of {action} from {path}")]
    Content { action: String, path: PathBuf, source: io::Error },
    #[error("{action}: another content has the same SHA-1, {sha1}, under which both would be stored")]
    Collision { action: String, sha1: String },
    #[error("archive member {name}: too long for a ustar header; shorten the package's name")]
    MemberName { name: String, source: io::Error },
    #[error("cannot set payloads aside in a temporary file")]
    Spool(#[source] io::Error),
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
}
