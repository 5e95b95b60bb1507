//! The VirtualBox client: asks and commands VBoxManage, and knows whose process is which VM.
//!
//! It knows VirtualBox's words, locks and lies. It must not know SMF, settings or decisions.

pub mod client;
pub mod parse;
pub mod process;
pub mod state;

pub use state::{Group, State};
