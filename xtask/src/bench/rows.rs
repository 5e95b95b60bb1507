//! The table of what is measured: the goals, how each number comes about, and why a goal is missed where it is.

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// As the benchmark calls it.
    pub id: &'static str,
    pub what: &'static str,
    /// What the shell script, or the system's own tool, took for the same.
    pub before: &'static str,
    pub unit: &'static str,
    /// The goal: not more than this.
    pub most: Option<f64>,
    /// Stand-ins were around it: nothing of theirs is counted, and yet they are no VirtualBox and no SMF.
    pub simulated: bool,
    /// Not measured everywhere.
    pub optional: bool,
    /// What to know where the goal is missed.
    pub why: &'static str,
}

const PLAIN: Row =
    Row { id: "", what: "", before: "–", unit: "", most: None, simulated: false, optional: false, why: "" };
const RUNTIME: Row = Row { simulated: true, ..PLAIN };
pub static ROWS: [Row; 26] = [
    Row {
        id: "restart-median",
        what: "a VM's process dies → its next start is issued, median",
        before: "30 s (mean)",
        unit: "ms",
        most: Some(50.0),
        ..RUNTIME
    },
    Row {
        id: "restart-p99",
        what: "the same, 99th percentile, 100 VMs on the host",
        before: "61 s (worst)",
        unit: "ms",
        most: Some(200.0),
        ..RUNTIME
    },
    Row {
        id: "idle-processes",
        what: "processes a second while idle, per VM",
        before: "2",
        unit: "",
        most: Some(0.0),
        why: "Every `vm/kicker_freq` seconds (50) a monitor looks at its VM, as it must for states that no process tells \
              of. Such looks of some of the VMs fell into the time that was measured; between them there is nothing.",
        ..RUNTIME
    },
    Row { id: "check-processes", what: "processes of one check", before: "22", unit: "", most: Some(3.0), ..RUNTIME },
    Row { id: "check-cpu", what: "own CPU of one check", before: "42 ms", unit: "ms", most: Some(3.0), ..RUNTIME },
    Row {
        id: "start-cpu",
        what: "own CPU of `start`, its monitor included",
        before: "101 ms",
        unit: "ms",
        most: Some(10.0),
        ..RUNTIME
    },
    Row {
        id: "start-cpu-few",
        what: "the same, 100 VMs on the host, whose processes it looks through",
        unit: "ms",
        ..RUNTIME
    },
    Row { id: "stop-cpu", what: "own CPU of `stop`", before: "86 ms", unit: "ms", most: Some(10.0), ..RUNTIME },
    Row {
        id: "stop-cpu-few",
        what: "the same, 100 VMs on the host, whose processes it looks through",
        unit: "ms",
        ..RUNTIME
    },
    Row { id: "status-cpu", what: "own CPU of `status`", before: "83 ms", unit: "ms", most: Some(10.0), ..RUNTIME },
    Row {
        id: "status-cpu-few",
        what: "the same, 100 VMs on the host, whose processes it looks through",
        unit: "ms",
        ..RUNTIME
    },
    Row {
        id: "status-instructions",
        what: "instructions of `status`, in millions",
        unit: "",
        optional: true,
        ..RUNTIME
    },
    Row {
        id: "monitor-memory",
        what: "private memory of an idle monitor",
        before: "5 MiB (bash and sleep)",
        unit: "KiB",
        most: Some(2560.0),
        ..RUNTIME
    },
    Row {
        id: "many-cpu",
        what: "CPU of 1,000 idle monitors, of one core",
        unit: "%",
        most: Some(1.0),
        why: "All of it is the check that each monitor makes every `vm/kicker_freq` seconds (50): twenty of them a second, \
              each of which starts the processes told above and reads a list of 1,000 running VMs. Starting a process \
              and reading its answer is nearly all that is left of a check; for the goal it would have to cost half a \
              millisecond with everything. Between checks the monitors use nothing. A longer `kicker_freq` lowers it in \
              proportion, and costs nothing in the restart of crashed VMs.",
        ..RUNTIME
    },
    Row { id: "many-memory", what: "private memory per monitor, of 1,000", unit: "KiB", most: Some(2560.0), ..RUNTIME },
    Row { id: "list-processes", what: "processes of `list`, 1,000 instances", unit: "", most: Some(4.0), ..RUNTIME },
    Row { id: "list-cpu", what: "own CPU of `list`, 1,000 instances", unit: "ms", most: Some(300.0), ..RUNTIME },
    Row {
        id: "write-svr4",
        what: "write an SVR4 datastream, payload given",
        before: "15 ms (pkgmk, pkgtrans)",
        unit: "ms",
        most: Some(15.0),
        ..PLAIN
    },
    Row {
        id: "write-p5p",
        what: "write a .p5p of the same files",
        before: "1.9 s (pkgrepo, pkgsend, pkgrecv)",
        unit: "ms",
        most: Some(60.0),
        ..PLAIN
    },
    Row { id: "verify-svr4", what: "verify our datastream", unit: "ms", most: Some(60.0), ..PLAIN },
    Row { id: "verify-p5p", what: "verify our .p5p", unit: "ms", most: Some(60.0), ..PLAIN },
    Row {
        id: "gib-write-p5p",
        what: "write a .p5p of 1 GiB, in times of what compressing and hashing alone cost",
        unit: "×",
        most: Some(1.3),
        ..PLAIN
    },
    Row {
        id: "gib-verify-p5p",
        what: "verify it, in times of expanding and hashing",
        unit: "×",
        most: Some(1.3),
        ..PLAIN
    },
    Row {
        id: "gib-verify-svr4",
        what: "verify a datastream of 1 GiB, in times of hashing",
        unit: "×",
        most: Some(1.3),
        ..PLAIN
    },
    Row { id: "gib-memory", what: "memory while doing so", unit: "MiB", most: Some(64.0), ..PLAIN },
    Row {
        id: "size",
        what: "the executable, stripped",
        before: "112 kB of script, and its tools",
        unit: "MB",
        most: Some(1.5),
        ..PLAIN
    },
];
