//! svc.startd: the restarter of a simulated host, one process for each.
//!
//! [`daemon`] hears requests and runs the [`graph`] of dependencies; every instance that has something to do gets a
//! thread (`instance`) that handles its events one after another, as the real one does; `method` runs one method
//! in a [`contract`].

mod context;
pub mod contract;
pub mod daemon;
pub mod graph;
mod instance;
mod log;
mod method;
pub mod states;
mod tokens;
