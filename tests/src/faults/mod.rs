//! Faults: every system call of `vboxsvc` that can fail is made to fail in turn, and the program killed at each of them.
//!
//! strace does it from outside; the program is the real one and knows nothing of it. SMF and VirtualBox are stand-ins.

pub mod calls;
pub mod cli;
mod packages;
mod stage;
mod targets;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use calls::{Point, points};
use packages::Shelf;
use stage::Stage;
use targets::Outcome;
pub use targets::Target;

/// What to strike.
#[derive(Debug, Clone)]
pub struct Plan {
    pub targets: Vec<Target>,
    /// No more than so many points of each target, evenly chosen; all of them if not given.
    pub sample: Option<usize>,
    /// Only those whose name begins so.
    pub point: Option<String>,
    /// How many hosts at a time.
    pub width: usize,
    /// What writes packages, to be struck as well.
    pub writer: Option<PathBuf>,
}

/// The name of the package writers among the targets.
pub const PACKAGES: &str = "packages";

/// One case and what came of it.
pub struct Case {
    pub target: &'static str,
    pub point: Point,
    pub outcome: Outcome,
}

/// Whether strace is there and may be used.
pub fn strace_works() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// Strikes at every point of every target; `tell` gets each case.
///
/// # Errors
/// A target that does not work undisturbed.
pub fn run(plan: &Plan, manifests: &[String], tell: &(dyn Fn(&Case) + Sync)) -> Result<(), String> {
    if let Some(writer) = &plan.writer {
        let shelf = Shelf::new(writer)?;
        for point in sample(points(&shelf.undisturbed()), plan) {
            let outcome = shelf.strike(&point);
            tell(&Case { target: PACKAGES, point, outcome });
        }
    }
    if plan.targets.is_empty() {
        return Ok(());
    }
    let stages: Vec<Mutex<Stage>> = (0..plan.width.max(1)).map(|_| Mutex::new(Stage::new(manifests))).collect();
    for target in &plan.targets {
        let trace = {
            let stage = stages[0].lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            targets::undisturbed(&stage, *target)?
        };
        let points = sample(points(&trace), plan);
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for stage in &stages {
                let (points, next) = (&points, &next);
                scope.spawn(move || {
                    let stage = stage.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    while let Some(point) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = targets::strike(&stage, *target, point);
                        tell(&Case { target: target.name(), point: point.clone(), outcome });
                    }
                });
            }
        });
    }
    Ok(())
}

fn sample(mut all: Vec<Point>, plan: &Plan) -> Vec<Point> {
    all.retain(|point| plan.point.as_ref().is_none_or(|name| point.name().starts_with(name.as_str())));
    let step = plan.sample.map_or(1, |most| all.len().div_ceil(most.max(1)).max(1));
    // A step that shares nothing with the number of errors of a call, so that each of them has its turn.
    all.into_iter().step_by(step | 1).collect()
}
