//! The scripts of the SVR4 package, under every shell that this machine has, with stand-ins of SMF's and pkgadd's programs.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod install;
mod language;
mod removal;
mod sandbox;
mod upgrade;

/// An instance that an administrator made.
const WEB: &str = "svc:/site/xvm/vbox:web";
const WIN: &str = "svc:/site/xvm/vbox:win";
const SAMPLE: &str = "svc:/site/xvm/vbox:VM_NAME";
const RIGHTS: &str = "svc:/site/xvm/vbox-zvol-rights:default";
