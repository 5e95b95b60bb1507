//! A simulated illumos host, for tests: stand-ins for SMF's and VirtualBox's programs. Not the real ones.

pub mod smf;
pub mod vbox;
