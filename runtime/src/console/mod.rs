//! The serial console of a VM: this terminal, joined with the socket behind a UART of the guest.
//!
//! [`endpoint`] says where the socket is, [`terminal`] gives the keyboard over and takes it back, [`escape`] watches
//! what is typed, and [`session`] carries bytes until somebody has had enough. It asks neither SMF nor VirtualBox
//! anything: what they know is handed in.

mod buffer;
pub mod endpoint;
pub mod escape;
pub mod narrator;
pub mod pace;
pub mod session;
pub mod signals;
pub mod socket;
pub mod terminal;
