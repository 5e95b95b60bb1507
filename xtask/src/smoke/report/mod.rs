//! What a run told, for people and for programs: a list that grows on a terminal, JUnit's XML, and one HTML page.
//!
//! All of it is made of events; nothing here asks a host anything.

pub mod html;
pub mod junit;
pub mod live;
mod outcome;

pub use outcome::{StepOutcome, SuiteOutcome, outcomes};

/// How long something took, for people: in tenths of a second, or in thousandths where those would show nothing.
fn time_told(seconds: f64) -> String {
    if seconds < 0.1 { format!("{:.0} ms", seconds * 1000.0) } else { format!("{seconds:.1} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_is_not_told_as_none() {
        for (seconds, told) in [(0.0, "0 ms"), (0.0124, "12 ms"), (0.0499, "50 ms"), (0.1, "0.1 s"), (61.26, "61.3 s")]
        {
            assert_eq!(time_told(seconds), told);
        }
    }
}
