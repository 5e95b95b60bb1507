//! What a run told, for people and for programs: a list that grows on a terminal, JUnit's XML, and one HTML page.
//!
//! All of it is made of events; nothing here asks a host anything.

pub mod html;
pub mod junit;
pub mod live;
mod outcome;

pub use outcome::{StepOutcome, SuiteOutcome, outcomes};
