//! The monitor: the process that `start` leaves behind, parent of the VM's process.
//!
//! [`step`] is its heart, pure: a state and an event give actions. [`driver`] is the loop around it: one poll(2), the
//! signals, the child, and the hands that carry the actions out. [`ready`] is the pipe on which it tells `start` that
//! the VM is live.

pub mod driver;
pub mod ready;
mod signals;
pub mod step;
mod vm_output;
