//! The commands of `cargo xtask`, one file each: they put the library together and tell what they did.

pub mod manifest;
