//! A simulated illumos host, for tests: stand-ins for SMF's and VirtualBox's programs. Not the real ones.
//!
//! [`Host`] makes one in a temporary directory and takes everything down again. `README.md` says what it simulates.

pub mod enclosure;
pub mod faults;
pub mod host;
pub mod invocation;
pub mod ips;
pub mod load;
pub mod rbac;
pub mod smf;
pub mod svr4;
mod system;
mod users;
pub mod vbox;
pub mod zfs;
pub mod zones;

pub use host::binaries::{simhost_exe, vbox_stub_exe, vboxsvc_exe};
pub use host::{Host, Ran};
