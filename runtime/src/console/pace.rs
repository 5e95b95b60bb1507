//! How long to wait between two tries: short at first, then longer, never longer than was asked for.

use std::time::Duration;

/// A VM that reboots is back in seconds: the first tries come quickly.
const FIRST: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub struct Pace {
    next: Duration,
    longest: Duration,
}

impl Pace {
    pub fn new(longest: Duration) -> Self {
        Pace { next: FIRST.min(longest), longest }
    }

    /// The wait before the next try.
    pub fn gap(&mut self) -> Duration {
        let now = self.next;
        self.next = now.saturating_mul(2).min(self.longest);
        now
    }

    /// A connection of this length is over. One that hardly lived is no reason to hurry.
    pub fn ended_after(&mut self, lived: Duration) {
        if lived >= self.longest {
            self.next = FIRST.min(self.longest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(pace: &mut Pace, n: usize) -> Vec<u128> {
        (0..n).map(|_| pace.gap().as_millis()).collect()
    }

    #[test]
    fn gaps_double_up_to_the_longest() {
        assert_eq!(waits(&mut Pace::new(Duration::from_secs(5)), 7), [250, 500, 1000, 2000, 4000, 5000, 5000]);
    }

    #[test]
    fn only_a_connection_that_lasted_begins_the_gaps_anew() {
        let mut pace = Pace::new(Duration::from_secs(2));
        waits(&mut pace, 5);
        pace.ended_after(Duration::from_secs(1));
        assert_eq!(pace.gap().as_millis(), 2000);
        pace.ended_after(Duration::from_secs(2));
        assert_eq!(pace.gap().as_millis(), 250);
    }
}
