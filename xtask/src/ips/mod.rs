//! IPS packages: writes and reads package archives (.p5p), for `pkg install -g`.
//!
//! Writing: `action` models what a package holds, `validate` refuses what pkg would, `manifest` and `pkgfmt` print it,
//! `payload` compresses and hashes, `index` and `p5p` lay out the archive. Reading: `reader` judges an archive from its
//! bytes alone and shares only `format`'s constants with the writer. Neither knows which package it handles.

pub mod action;
mod error;
pub mod fmri;
pub mod format;
mod index;
pub mod manifest;
pub mod p5p;
mod payload;
pub mod pkgfmt;
pub mod reader;
mod validate;

pub use crate::content::Content;
pub use action::{Action, Kind, Package};
pub use error::IpsError;
pub use fmri::Fmri;
pub use p5p::{Written, WrittenPackage, write};
pub use payload::Payload;
pub use validate::{ActionError, ConflictError};
