//! The constants of the format: names, versions and fixed bytes of a package archive.
//!
//! The only thing the writer and the reader share. It must not grow functions: what one side computes the other has
//! to compute by itself, or a mistake would confirm itself.

/// Name of the archive's index, its first member.
pub const INDEX_NAME: &str = "pkg5.index.0.gz";
/// What every index is called, whatever its version: `pkg5.index.<version>.gz`.
pub const INDEX_PREFIX: &str = "pkg5.index.";
pub const INDEX_SUFFIX: &str = ".gz";
/// The pax `comment` of the index member, without which pkg ignores the index.
pub const INDEX_COMMENT: &str = "pkg5.archive.version.0";
pub const INDEX_COMMENT_PREFIX: &str = "pkg5.archive.version.";

/// The repository's configuration, the archive's last member.
pub const REPOSITORY_NAME: &str = "pkg5.repository";

/// Top directory of the archive; a directory member just below it is how pkg discovers a publisher.
pub const PUBLISHER_DIR: &str = "publisher";
/// Directory of the manifests below the publisher's.
pub const PKG_DIR: &str = "pkg";
/// Directory of the payloads below the publisher's, fanned out by the first two digits of their name.
pub const FILE_DIR: &str = "file";

/// Tar's block, and Python tarfile's record, to a multiple of which an archive is padded.
pub const BLOCK: u64 = 512;
pub const RECORD: u64 = 10240;

/// The build release a version gets that names none.
pub const DEFAULT_BUILD: &str = "5.11";

/// Attributes that describe a payload. A publisher adds them, an author must not.
pub const CHASH: &str = "chash";
pub const CONTENT_HASH: &str = "pkg.content-hash";
pub const CSIZE: &str = "pkg.csize";
pub const SIZE: &str = "pkg.size";

/// Every dependency type pkg knows.
pub const DEPEND_TYPES: [&str; 10] = [
    "conditional",
    "exclude",
    "group",
    "group-any",
    "incorporate",
    "optional",
    "origin",
    "parent",
    "require",
    "require-any",
];
/// The dependency types that may name several packages, any of which will do.
pub const DEPEND_ANY_TYPES: [&str; 2] = ["group-any", "require-any"];
