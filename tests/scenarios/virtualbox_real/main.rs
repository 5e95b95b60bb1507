//! `vboxsvc` with the real VirtualBox 7.2 and real VMs. Only the SMF around it is simulated.
//!
//! VirtualBox runs without its kernel driver, in a chroot of its own that `cargo xtask test --tier virtualbox` builds
//! and enters; anywhere else these tests are ignored. What is asserted is VirtualBox's own word for the state of a VM
//! (asked beside `vboxsvc`, never through it), SMF's state of the instance, exit codes, and the processes that live.

// All of it is test code, the parts outside of #[test] functions too: where one of them fails, so has the test.
#![allow(clippy::unwrap_used)]

mod guests;
mod names_and_users;
mod start;
mod stop;
mod trouble;
mod watch;
mod world;
