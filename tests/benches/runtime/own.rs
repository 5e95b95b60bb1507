//! What the kernel says of one process: its own CPU time, memory, wake-ups and children.

use std::fs;

fn read(pid: i32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default()
}

/// CPU time in milliseconds, of the process without its children. It has one thread, or none that counts.
pub fn cpu_ms(pid: i32) -> f64 {
    let nanoseconds = read(pid, "schedstat").split(' ').next().and_then(|n| n.parse::<f64>().ok());
    nanoseconds.unwrap_or(0.0) / 1e6
}

/// Memory that it shares with no other process.
pub fn private_kib(pid: i32) -> f64 {
    let text = read(pid, "smaps_rollup");
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<f64>().ok()
    };
    field("Private_Clean:").unwrap_or(0.0) + field("Private_Dirty:").unwrap_or(0.0)
}

/// How often it has gone to sleep by itself.
pub fn waits(pid: i32) -> u64 {
    let text = read(pid, "status");
    let count = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

/// A child of the process that is not this one.
pub fn child(pid: i32, other_than: Option<i32>) -> Option<i32> {
    let text = read(pid, &format!("task/{pid}/children"));
    text.split_whitespace().filter_map(|word| word.parse().ok()).find(|child| Some(*child) != other_than)
}
