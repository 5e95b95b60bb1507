//! Smoke tests: a list of steps, run on a host that has our package to prove.
//!
//! What is done and what is expected is data (`suite`, read from `pkg/smoke/`). `engine` runs it over a [`target::Target`]
//! and tells what happens in events; `expect` judges. None of the three knows what the host is: a simulated one, a guest
//! under QEMU (`guest`), or a real illumos there.

pub mod absent;
pub mod clock;
pub mod ending;
pub mod engine;
pub mod event;
pub mod expect;
pub mod guest;
pub mod image;
pub mod packages;
pub mod report;
pub mod sim;
pub mod standin;
pub mod suite;
pub mod target;
pub mod variables;
pub mod zone;
