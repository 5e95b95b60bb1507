//! ZFS: what of it is behind a VM, and snapshots of that.
//!
//! [`client`] runs `zfs`, [`parse`] reads what it prints, [`paths`] follows links,
//! [`discover`] finds the datasets behind files and devices,
//! [`snapshot`] knows the names of snapshots and which of them are too many, [`take`] makes and removes them. Nothing
//! here knows VirtualBox or SMF.

pub mod client;
pub mod discover;
pub mod parse;
pub mod paths;
pub mod snapshot;
pub mod take;

#[cfg(test)]
pub(crate) mod testing;

pub use client::{Zfs, ZfsError};
pub use discover::{Place, Survey, Targets};
pub use snapshot::Label;
pub use take::{Outcome, Verdict};
