//! The VirtualBox client: asks and commands VBoxManage, and knows whose process is which VM.
//!
//! It knows VirtualBox's words, locks and lies. It must not know SMF, settings or decisions, and it keeps no time:
//! how often and how long to go on asking is its callers' business.

pub mod client;
pub mod error;
pub mod launch;
pub mod media;
pub mod parse;
pub mod process;
pub mod state;
pub mod uuid;

#[cfg(test)]
pub mod testing;

pub use client::{Machine, Overview, Programs, Sighting, Verb, VirtualBox, meant};
pub use error::AskError;
pub use parse::{Info, Medium, Uart, UartMode};
pub use state::{Group, State};
pub use uuid::Uuid;
