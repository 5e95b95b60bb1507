//! The clock of this machine, for the engine.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::engine::Clock;

pub struct SystemClock(Instant);

impl SystemClock {
    pub fn start() -> Self {
        SystemClock(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, gap: Duration) {
        sleep(gap);
    }
}
