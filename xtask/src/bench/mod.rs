//! What is measured, what it should come to, and the page that tells how it went.
//!
//! The benchmarks themselves are programs of their own (`tests/benches`, `xtask/benches`), which print numbers and know
//! no goals. Here is no measuring: `rows` is the table of goals, [`Outcome`] a number held against one.

pub mod page;
mod rows;

use serde::{Deserialize, Serialize};

pub use rows::{ROWS, Row};

/// One number, as a benchmark prints it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// The id of a [`Row`].
    pub row: String,
    pub value: f64,
    /// Of what the number is, in words.
    pub how: String,
}

/// The machine that it was measured on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub cpu: String,
    pub cores: usize,
    pub kernel: String,
    /// How busy it was with other things: the load of the minute before.
    pub load: String,
}

/// Everything of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The day, `2026-11-25`.
    pub day: String,
    pub commit: String,
    pub machine: Machine,
    pub measured: Vec<Measured>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Met,
    Missed,
    /// There is no goal; the number says more of another row.
    Told,
}

/// A row and its number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome<'a> {
    pub row: &'static Row,
    pub measured: &'a Measured,
}

impl Outcome<'_> {
    pub fn verdict(&self) -> Verdict {
        match self.row.most {
            None => Verdict::Told,
            Some(most) if self.measured.value <= most => Verdict::Met,
            Some(_) => Verdict::Missed,
        }
    }

    /// How many times the goal it is.
    pub fn times(&self) -> Option<f64> {
        self.row.most.filter(|most| *most > 0.0).map(|most| self.measured.value / most)
    }
}

impl Run {
    /// The numbers in the order of the table. A number that no row asks for, or a row without one, is an error.
    pub fn outcomes(&self) -> Result<Vec<Outcome<'_>>, String> {
        if let Some(stray) = self.measured.iter().find(|m| !ROWS.iter().any(|row| row.id == m.row)) {
            return Err(format!("a benchmark measured {:?}, which is no row of the table", stray.row));
        }
        let outcome = |row: &'static Row| match self.measured.iter().find(|m| m.row == row.id) {
            Some(measured) => Some(Ok(Outcome { row, measured })),
            None if row.optional => None,
            None => Some(Err(format!("nothing measured {:?}", row.id))),
        };
        ROWS.iter().filter_map(outcome).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn run() -> Run {
        let measured = |row: &Row| Measured { row: row.id.to_string(), value: 1.0, how: "once".to_string() };
        let machine = Machine { cpu: "a CPU".into(), cores: 2, kernel: "Linux 6".into(), load: "0.10".into() };
        Run { day: "2026-11-25".into(), commit: "abc".into(), machine, measured: ROWS.iter().map(measured).collect() }
    }

    #[test]
    fn every_row_has_an_id_of_its_own() {
        let mut ids: Vec<&str> = ROWS.iter().map(|row| row.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), ROWS.len());
    }

    #[test]
    fn a_number_is_held_against_its_goal() {
        let run = run();
        let row = |most| Row { most, ..ROWS[0] };
        let verdict = |most| {
            let row: &'static Row = Box::leak(Box::new(row(most)));
            Outcome { row, measured: &run.measured[0] }.verdict()
        };
        assert_eq!(
            (verdict(Some(1.0)), verdict(Some(0.9)), verdict(None)),
            (Verdict::Met, Verdict::Missed, Verdict::Told)
        );
    }

    #[test]
    fn what_was_not_measured_or_not_asked_for_is_an_error() {
        let mut run = run();
        assert_eq!(run.outcomes().unwrap().len(), ROWS.len());
        let first = run.measured.remove(0);
        assert!(run.outcomes().unwrap_err().contains(&first.row));
        run.measured.push(first);
        run.measured.push(Measured { row: "colour".into(), value: 1.0, how: String::new() });
        assert!(run.outcomes().unwrap_err().contains("colour"));
    }
}
