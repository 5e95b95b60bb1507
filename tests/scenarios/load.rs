//! The short form of the load: a simulated host full of VMs, anything at random, and the model beside it. The long form
//! is `cargo xtask load`.

// Test code, which may unwrap.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use simhost::load::{Plan, run};
use support::vm::{at_once, manifests};

#[test]
fn whatever_happens_to_many_vms_is_as_the_model_says() {
    // The same ones each time, so that what fails here fails again; the long form takes any seed.
    at_once([1, 2], |seed| {
        let plan = Plan { vms: 10, time: Duration::from_secs(40), seed, width: 3, disasters: 3 };
        match run(&plan, manifests(), &mut |line| println!("seed {seed}: {line}")) {
            Ok(summary) => println!("seed {seed}: {summary}"),
            Err(violation) => panic!("{violation}"),
        }
    });
}
