//! Giving an order to a VM process and waiting for its answer, for VBoxManage and for tests.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::machine::{Answer, Verb};
use super::process::Process;
use super::store::{Store, Watch};

const TICK: Duration = Duration::from_millis(5);

/// The answer of the process; none if it died first, or did not answer by the deadline. Without a deadline this waits
/// for ever, as VBoxManage does for a VM that hangs.
pub fn give(store: &Store, to: Process, verb: Verb, deadline: Option<Duration>) -> Result<Option<Answer>> {
    let begun = Instant::now();
    let id = store.update(|registry| registry.order(to, verb))?;
    let mut watch = Watch::new(store);
    let answer = loop {
        // Looked at before the registry: a process answers first and ends then.
        let alive = to.is_alive();
        if watch.changed() || !alive {
            let answer = store.read()?.orders.into_iter().find(|order| order.id == id).and_then(|order| order.answer);
            if answer.is_some() || !alive {
                break answer;
            }
        }
        if deadline.is_some_and(|deadline| begun.elapsed() >= deadline) {
            break None;
        }
        sleep(TICK);
    };
    store.update(|registry| registry.orders.retain(|order| order.id != id))?;
    Ok(answer)
}
