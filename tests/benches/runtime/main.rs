//! What vboxsvc costs on a simulated host: times, processes, CPU and memory of its own, each number printed as a line of
//! JSON as soon as there is one.
//!
//! SMF is the simulated one, and the stub that trial packages carry stands in for VirtualBox, because its VM processes
//! sleep while they live. Of neither is anything counted. `cargo xtask bench` runs this and tells what the goals are.

// A benchmark has nothing better to do than to panic.
#![allow(clippy::unwrap_used)]

mod counted;
mod own;
mod rig;

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use rig::{Rig, at};

const FEW: usize = 100;
const MANY: usize = 1000;

/// One number, for a row that `cargo xtask bench` knows.
struct Measured {
    row: &'static str,
    value: f64,
    how: String,
}

fn main() {
    if counted::is_called() {
        return counted::main();
    }
    // Cargo asks a benchmark for its tests, too.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    if counted::go_on_with_programs() {
        return;
    }
    tell(&[size()]);
    let mut rig = Rig::new();
    rig.grow(1);
    let [start, stop, status] = commands(&rig, 1);
    let instructions = rig.instructions(&rig::name(0), &["status"]);
    tell(&[named("start-cpu", start), named("stop-cpu", stop), named("status-cpu", status)]);
    tell(&instructions.map(status_instructions).into_iter().collect::<Vec<_>>());
    rig.grow(FEW);
    eprintln!("{FEW} VMs run");
    tell(&idle(&rig));
    let [start, stop, status] = commands(&rig, FEW);
    tell(&[named("start-cpu-few", start), named("stop-cpu-few", stop), named("status-cpu-few", status)]);
    tell(&one_check(&rig));
    tell(&restarts(&rig));
    let few = memory(&rig);
    rig.grow(MANY);
    eprintln!("{MANY} VMs run");
    tell(&many(&rig, few));
}

fn tell(rows: &[Measured]) {
    for Measured { row, value, how } in rows {
        println!("{}", serde_json::json!({"row": row, "value": value, "how": how}));
    }
}

/// Between two checks nothing of ours is to happen.
fn idle(rig: &Rig) -> Vec<Measured> {
    rig.settle();
    let monitors = rig.monitors();
    let window = Duration::from_secs(10);
    let woken = || monitors.iter().map(|pid| own::waits(*pid)).sum::<u64>();
    let (calls, before) = (rig.calls().len(), woken());
    std::thread::sleep(window);
    let (calls, woken) = (rig.calls().len() - calls, woken() - before);
    let private: Vec<f64> = monitors.iter().map(|pid| own::private_kib(*pid)).collect();
    let value = calls as f64 / (FEW as f64 * window.as_secs_f64());
    let how = format!("{FEW} VMs for {window:?} between their checks: {calls} processes, {woken} wake-ups");
    let memory = format!("median of {FEW} monitors, the largest {:.0} KiB", at(&private, 1.0));
    vec![
        Measured { row: "idle-processes", value, how },
        Measured { row: "monitor-memory", value: at(&private, 0.5), how: memory },
    ]
}

/// Start, stop and status of one VM, by hand, on a host with so many: the value and how it came about.
fn commands(rig: &Rig, vms: usize) -> [(f64, String); 3] {
    let vm = "vm0";
    rig.svcadm(&["disable", "-s", &rig::fmri(vm)]);
    let (mut start, mut stop) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        let starting = rig.own_cpu(vm, &["start"]);
        // What it left behind is ours as well.
        start.push(starting + rig.monitor(vm).map_or(0.0, own::cpu_ms));
        stop.push(rig.own_cpu(vm, &["stop"]));
    }
    rig.svcadm(&["enable", "-s", &rig::fmri(vm)]);
    rig.wait_running(vm);
    let status: Vec<f64> = (0..15).map(|_| rig.own_cpu(vm, &["status"])).collect();
    [start, stop, status].map(|values| {
        let how = format!("median of {}, the dearest {:.1} ms; VMs on the host: {vms}", values.len(), at(&values, 1.0));
        (at(&values, 0.5), how)
    })
}

fn named(row: &'static str, (value, how): (f64, String)) -> Measured {
    Measured { row, value, how }
}

fn status_instructions(instructions: f64) -> Measured {
    let how = "callgrind, of the process itself, one VM on the host".to_owned();
    named("status-instructions", (instructions / 1e6, how))
}

/// What the monitor does every `vm/kicker_freq` seconds, made to come every second.
fn one_check(rig: &Rig) -> Vec<Measured> {
    let vm = "vm2";
    rig.set(vm, "kicker_freq", 1);
    std::thread::sleep(Duration::from_secs(2));
    let pid = rig.monitor(vm).unwrap();
    let of_monitor =
        || -> Vec<String> { rig.calls().into_iter().filter(|c| c.parent == pid).map(|c| c.words).collect() };
    let (calls, cpu) = (of_monitor().len(), own::cpu_ms(pid));
    std::thread::sleep(Duration::from_secs(12));
    let calls = of_monitor().split_off(calls);
    let cpu = own::cpu_ms(pid) - cpu;
    rig.set(vm, "kicker_freq", 50);
    let mut kinds = calls.clone();
    kinds.sort();
    kinds.dedup();
    let checks = (calls.len() as f64 / kinds.len().max(1) as f64).max(1.0);
    let names: Vec<&str> = kinds.iter().map(|words| words.split(' ').next().unwrap_or_default()).collect();
    vec![
        Measured {
            row: "check-processes",
            value: kinds.len() as f64,
            how: format!("each check ran {}", names.join(", ")),
        },
        Measured { row: "check-cpu", value: cpu / checks, how: format!("mean of {checks:.0} checks") },
    ]
}

/// VM processes killed one after the other, each until the monitor has a new one.
fn restarts(rig: &Rig) -> Vec<Measured> {
    let mut took = Vec::new();
    for n in 3..FEW {
        let monitor = rig.monitor(&rig::name(n)).unwrap();
        let Some(vm) = own::child(monitor, None) else { continue };
        let began = Instant::now();
        rig::kill(vm, Signal::SIGKILL);
        while own::child(monitor, Some(vm)).is_none() {
            assert!(began.elapsed() < rig::PATIENCE, "{} does not come back", rig::name(n));
            std::thread::sleep(Duration::from_micros(100));
        }
        took.push(began.elapsed().as_secs_f64() * 1e3);
        // The next one dies on a host that has settled.
        rig.wait_running(&rig::name(n));
    }
    let how =
        |what: &str| format!("{what} of {} deaths by KILL, one at a time, with {FEW} VMs on the host", took.len());
    vec![
        Measured { row: "restart-median", value: at(&took, 0.5), how: how("median") },
        Measured { row: "restart-p99", value: at(&took, 0.99), how: how("99th percentile") },
    ]
}

fn memory(rig: &Rig) -> f64 {
    let private: Vec<f64> = rig.monitors().iter().map(|pid| own::private_kib(*pid)).collect();
    private.iter().sum::<f64>() / private.len() as f64
}

fn many(rig: &Rig, few: f64) -> Vec<Measured> {
    rig.settle();
    let monitors = rig.monitors();
    let cpu = || monitors.iter().map(|pid| own::cpu_ms(*pid)).sum::<f64>();
    // As long as all of them need to have looked once.
    let window = Duration::from_secs(50);
    let (before, calls) = (cpu(), rig.calls().len());
    std::thread::sleep(window);
    let (used, calls) = (cpu() - before, rig.calls().len() - calls);
    let percent = used / (window.as_secs_f64() * 1e3) * 100.0;
    let many = memory(rig);
    let listed: Vec<rig::Listed> = (0..5).map(|_| rig.list()).collect();
    let own: Vec<f64> = listed.iter().map(|listed| listed.own_ms).collect();
    let wall: Vec<f64> = listed.iter().map(|listed| listed.wall_ms).collect();
    let processes = listed.iter().map(|listed| listed.processes.len()).max().unwrap_or_default();
    vec![
        Measured {
            row: "many-cpu",
            value: percent,
            how: format!("{MANY} monitors for {window:?}, their checks included: {used:.0} ms, {calls} processes"),
        },
        Measured {
            row: "many-memory",
            value: many,
            how: format!("mean of {MANY} monitors; of {FEW} it was {few:.0} KiB, so the sum grows linearly"),
        },
        Measured {
            row: "list-processes",
            value: processes as f64,
            how: format!("{MANY} instances; it ran {}", listed[0].processes.join(", ")),
        },
        Measured {
            row: "list-cpu",
            value: at(&own, 0.5),
            how: format!("median of 5, {MANY} instances; {:.0} ms by the clock with the stand-ins", at(&wall, 0.5)),
        },
    ]
}

fn size() -> Measured {
    let bytes = std::fs::metadata(rig::vboxsvc()).unwrap().len();
    let how = format!("built for this machine: {bytes} bytes");
    Measured { row: "size", value: bytes as f64 / 1e6, how }
}
