//! SVR4 packages and the datastreams that carry them: writers, and a reader that checks what was written.
//!
//! Writing goes from a [`datastream::Package`] to bytes; reading goes from bytes to a [`reader::Report`] with findings.
//! The two directions share vocabulary only: the constants here and the types of [`pkginfo`] and [`pkgmap`]. No function
//! that makes bytes is used to judge them, so a mistake in a writer is not repeated by the reader.
//!
//! Nothing here knows which package it handles.

pub mod cksum;
pub mod content;
pub mod cpio;
pub mod datastream;
pub mod depend;
pub mod pkginfo;
pub mod pkgmap;
pub mod reader;

/// Datastreams and their archives are made of blocks of this many bytes.
pub const BLOCK: usize = 512;

/// The first line of a datastream. Readers compare exactly these 20 bytes.
pub const STREAM_MAGIC: &str = "# PaCkAgE DaTaStReAm";

/// The line that ends the datastream's header.
pub const STREAM_END: &str = "# end of header";

/// The name of the member that ends a cpio archive.
pub const TRAILER: &str = "TRAILER!!!";

/// Longest header line pkgadd's fixed buffer takes.
pub const MAX_HEADER_LINE: usize = 128;

/// Longest package name that every pkgadd finds in a stream: older ones keep it in `char[32]` with its NUL.
pub const MAX_PACKAGE_NAME: usize = 31;

/// Names that pkgadd takes for something else than a package.
pub const RESERVED_PACKAGE_NAMES: [&str; 3] = ["all", "install", "new"];

/// The parameters without which pkgadd refuses a package.
pub const REQUIRED_PARAMETERS: [&str; 5] = ["PKG", "NAME", "ARCH", "VERSION", "CATEGORY"];

/// Type bits of a mode: a directory.
pub const S_IFDIR: u32 = 0o040_000;

/// Type bits of a mode: a regular file.
pub const S_IFREG: u32 = 0o100_000;

/// The part of a mode that tells the type.
pub const S_IFMT: u32 = 0o170_000;
