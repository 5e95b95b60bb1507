//! What is struck, and what must come of it whatever the blow: an outcome that is documented, told in words, with no VM
//! started twice, none lost, no monitor leaked, and a next start and stop that work.

use std::time::Duration;

use super::calls::{Blow, Point, followed};
use super::stage::{PATIENCE, Stage, is_up, settled_in};

/// The exit codes of SMF's methods that `vboxsvc` has.
const METHOD: [i32; 5] = [0, 95, 96, 99, 100];
/// What `status` exits with beside those, by the VM's state.
const STATES: [i32; 8] = [0, 1, 2, 3, 10, 20, 125, 126];
/// A shell's word for a death by KILL.
const KILLED: i32 = 137;
/// How long the monitor may take to have a crashed VM back.
const BACK: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Start,
    Stop,
    Status,
    /// The monitor from its launch of the VM on, through a refresh and a crash.
    Launch,
    /// The monitor put beside a VM that runs, through a refresh and a crash.
    Attach,
}

impl Target {
    pub const ALL: [Target; 5] = [Target::Start, Target::Stop, Target::Status, Target::Launch, Target::Attach];

    pub fn name(self) -> &'static str {
        match self {
            Target::Start => "start",
            Target::Stop => "stop",
            Target::Status => "status",
            Target::Launch => "monitor, launching",
            Target::Attach => "monitor, attaching",
        }
    }
}

/// What came of one case.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// In a few words, for the table.
    pub told: String,
    /// Everything that is not as it must be.
    pub wrong: Vec<String>,
}

/// Runs the target once with nothing wrong; strace's account of it.
pub fn undisturbed(stage: &Stage, target: Target) -> Result<String, String> {
    let outcome = strike_with(stage, target, &[followed()], None);
    match outcome.wrong.as_slice() {
        [] => Ok(stage.trace(traced_as(target))),
        wrong => Err(format!("{} does not work undisturbed: {wrong:?}\n{}", target.name(), stage.log())),
    }
}

pub fn strike(stage: &Stage, target: Target, point: &Point) -> Outcome {
    strike_with(stage, target, &point.options(), Some(point))
}

fn traced_as(target: Target) -> &'static str {
    match target {
        Target::Start => "start",
        Target::Stop => "stop",
        Target::Status => "status",
        Target::Launch | Target::Attach => "monitor",
    }
}

fn strike_with(stage: &Stage, target: Target, options: &[String], point: Option<&Point>) -> Outcome {
    let mut outcome = match target {
        Target::Start => start(stage, options, point),
        Target::Stop => stop(stage, options, point),
        Target::Status => status(stage, options, point),
        Target::Launch | Target::Attach => monitor(stage, target, options, point),
    };
    // Whatever came of it, the next start and the next stop work.
    outcome.wrong.extend(stage.bring_up());
    outcome.wrong.extend(stage.bring_down());
    if stage.ran_twice() {
        outcome.wrong.push("two copies of the VM ran at a time".to_string());
    }
    outcome
}

fn start(stage: &Stage, options: &[String], point: Option<&Point>) -> Outcome {
    let mark = stage.log().len();
    stage.arm("start", options);
    stage.svcadm(&["enable"]);
    let (seen, settled) = stage.wait(PATIENCE, |s| settled_in(s, "online") || settled_in(s, "maintenance"));
    let codes = stage.disarm("start");
    let mut wrong = judge_method(&codes, point, stage.log().get(mark..).unwrap_or_default());
    if !settled {
        wrong.push(format!("the start does not end: {seen:?}"));
    }
    if codes.last() == Some(&0) && !stage.wait(BACK, is_up).1 {
        wrong.push(format!("the start succeeded and the VM is not up: {:?}", stage.seen()));
    }
    Outcome { told: told(&codes, stage.log().get(mark..).unwrap_or_default()), wrong }
}

fn stop(stage: &Stage, options: &[String], point: Option<&Point>) -> Outcome {
    let mut wrong = stage.bring_up();
    let mark = stage.log().len();
    stage.arm("stop", options);
    stage.svcadm(&["disable"]);
    let (_, settled) = stage.wait(PATIENCE, |s| settled_in(s, "disabled") || settled_in(s, "maintenance"));
    // Looked at anew: what was seen a moment before SMF's state may be older than that.
    let seen = stage.seen();
    let codes = stage.disarm("stop");
    wrong.extend(judge_method(&codes, point, stage.log().get(mark..).unwrap_or_default()));
    if !settled {
        wrong.push(format!("the stop does not end: {seen:?}"));
    }
    if codes.last() == Some(&0) && (seen.word != "saved" || !seen.processes.is_empty() || !seen.monitors.is_empty()) {
        wrong.push(format!("the stop succeeded and the VM is not down: {seen:?}"));
    }
    Outcome { told: told(&codes, stage.log().get(mark..).unwrap_or_default()), wrong }
}

fn status(stage: &Stage, options: &[String], point: Option<&Point>) -> Outcome {
    let mut wrong = stage.bring_up();
    let before = stage.seen();
    let mut run = stage.traced("status", options, &["--svc", &stage.machine.fmri, "status", "--json"]);
    let code = run.end();
    let (out, err) = run.said();
    let is_killed = point.is_some_and(|p| p.blow == Blow::Kill);
    let Some(code) = code else {
        wrong.push("status does not end".to_string());
        return Outcome { told: "hangs".to_string(), wrong };
    };
    if !(STATES.contains(&code) || METHOD.contains(&code) || (is_killed && code == KILLED)) {
        wrong.push(format!("status exits {code}, which is not documented: {err}"));
    }
    if code == 0 && !out.contains("\"vm_state\": \"running\"") && !point.is_some_and(writes_to(1)) {
        wrong.push(format!("status exits 0 and tells: {out}"));
    }
    if METHOD.contains(&code) && code != 0 && !err.contains(" error ") && !point.is_some_and(writes_to(2)) {
        wrong.push(format!("status exits {code} without a word of why: {err}"));
    }
    if code != 0 && point.is_some_and(interrupts) {
        wrong.push(format!("an interruption makes status exit {code}: {err}"));
    }
    let after = stage.seen();
    if (&after.processes, &after.monitors) != (&before.processes, &before.monitors) {
        wrong.push(format!("status disturbed the VM: {before:?}, then {after:?}"));
    }
    Outcome { told: told(&[code], &(out + &err)), wrong }
}

fn monitor(stage: &Stage, target: Target, options: &[String], point: Option<&Point>) -> Outcome {
    let mut wrong = stage.bring_up();
    let (fmri, uuid) = (stage.machine.fmri.as_str(), stage.machine.uuid.as_str());
    stage.without_monitor();
    if target == Target::Launch {
        stage.host.run("VBoxManage", ["controlvm", uuid, "poweroff"]).expect_success();
        stage.wait(PATIENCE, |seen| seen.processes.is_empty());
    }
    let before = stage.seen();
    let mode = if target == Target::Launch { "launch" } else { "attach" };
    let mut run =
        stage.traced("monitor", options, &["monitor", "--svc", fmri, "--uuid", uuid, "--name=web", "--mode", mode]);
    let began = std::time::Instant::now();
    while run.said().0.is_empty() && run.code().is_none() && began.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    let is_killed = point.is_some_and(|p| p.blow == Blow::Kill);
    let word = run.said().0;
    if word.starts_with("ready") {
        stage.svcadm(&["refresh"]);
        std::thread::sleep(Duration::from_millis(150));
        stage.vbox.kill_vm(uuid, 9);
        let starts = stage.seen().starts;
        let (_, back) = stage.wait(BACK, |seen| (seen.starts > starts && is_up(seen)) || seen.monitors.is_empty());
        if !back {
            wrong.push(format!("a monitor stands by and its VM is down: {:?}", stage.seen()));
        }
    } else if target == Target::Attach {
        let after = stage.seen();
        if after.processes != before.processes {
            wrong.push(format!("a monitor that could not begin cost the VM its process: {before:?}, then {after:?}"));
        }
    }
    let ended = run.code();
    let (out, err) = run.said();
    match ended {
        Some(code) if point.is_some_and(interrupts) => {
            wrong.push(format!("an interruption ends the monitor with {code}: {word:?}; its log: {err}"));
        }
        Some(KILLED) if is_killed => {}
        Some(0 | 95) if word.starts_with("failed") => {}
        Some(code) if point.is_some_and(writes_to(1)) && METHOD.contains(&code) => {}
        Some(code) => wrong.push(format!("the monitor ended with {code}; it had said {word:?}; its log: {err}")),
        None => {}
    }
    // It goes with the service.
    stage.svcadm(&["disable"]);
    stage.wait(PATIENCE, |s| settled_in(s, "disabled") || settled_in(s, "maintenance"));
    if run.end().is_none() {
        wrong.push("the monitor outlives its service".to_string());
    }
    let told = match ended {
        None => "goes on".to_string(),
        Some(code) => told(&[code], &(out + &err)),
    };
    Outcome { told, wrong }
}

fn judge_method(codes: &[i32], point: Option<&Point>, log: &str) -> Vec<String> {
    let is_killed = point.is_some_and(|p| p.blow == Blow::Kill);
    let mut wrong = Vec::new();
    if codes.is_empty() {
        wrong.push("the method was not run".to_string());
    }
    for code in codes {
        if !(METHOD.contains(code) || (is_killed && *code == KILLED)) {
            wrong.push(format!("the method exits {code}, which is not documented: {log}"));
        }
        if METHOD.contains(code) && *code != 0 && !log.contains(" error ") && !point.is_some_and(writes_to(2)) {
            wrong.push(format!("the method exits {code} without a word of why: {log}"));
        }
        if *code != 0 && point.is_some_and(interrupts) {
            wrong.push(format!("an interruption makes the method exit {code}: {log}"));
        }
    }
    wrong
}

/// Whether the call is only to be made again: that fails nothing.
fn interrupts(point: &Point) -> bool {
    point.blow == Blow::Error("EINTR")
}

/// Whether the blow hits what the program says itself.
fn writes_to(descriptor: i32) -> impl Fn(&Point) -> bool {
    move |point| point.shown.starts_with(&format!("write({descriptor},"))
}

fn told(codes: &[i32], log: &str) -> String {
    let codes: Vec<String> = codes.iter().map(i32::to_string).collect();
    let error = log.lines().rev().find(|line| line.contains(" error "));
    let error =
        error.and_then(|line| line.split_once(" error ")).map_or(String::new(), |(_, text)| format!(": {text}"));
    format!("exit {}{error}", codes.join(" "))
}
