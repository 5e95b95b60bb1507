//! `status`: what state the VM is in, by its own word, by SMF's, and by its processes.

use std::io::Write;
use std::time::Instant;

use serde::Serialize;

use super::bring_down;
use super::subject::{Instance, Selector, Subject, World};
use crate::decide::Sight;
use crate::decide::watch::NoKick;
use crate::exec::SystemRunner;
use crate::exit::told;
use crate::log::{self, printable};
use crate::monitor::step::Notes;
use crate::rundir::files::Held;
use crate::virtualbox::Group;
use crate::virtualbox::process::Process;

/// How long a VirtualBox that does not answer is asked again.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Report {
    instance: String,
    zone: String,
    user: String,
    smf_state: String,
    smf_next_state: Option<String>,
    vm: String,
    uuid: Option<String>,
    /// VirtualBox's word; null where it gave none.
    vm_state: Option<String>,
    /// What else is to be said of the state, as why it is not known.
    remark: Option<String>,
    vm_processes: Vec<i32>,
    monitor: Option<i32>,
    nokick: Option<String>,
    #[serde(flatten)]
    notes: Notes,
    #[serde(skip)]
    exit: u8,
}

/// Prints the report; the exit code is the state's own (0 live, 1 paused, 2 saving, 3 saved, 10 halted, 20 aborted …).
pub fn run(world: &World, selector: &Selector, json: bool) -> anyhow::Result<u8> {
    let report = report(Instance::open(world, selector)?)?;
    let text = if json { log::json(&report)? + "\n" } else { render(&report) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(report.exit)
}

fn report(instance: Instance) -> anyhow::Result<Report> {
    let (state, next) = instance.smf_words.clone();
    let notes = instance.files.told()?;
    let mut report = Report {
        instance: instance.fmri.to_string(),
        zone: instance.world.zone().to_string(),
        user: instance.user.name.clone(),
        smf_state: state,
        smf_next_state: Some(next).filter(|n| !matches!(n.as_str(), "" | "none")),
        vm: instance.settings.vm.clone(),
        uuid: None,
        vm_state: None,
        remark: None,
        vm_processes: Vec::new(),
        monitor: instance.files.monitor()?.map(|m| m.pid),
        nokick: match instance.files.held()? {
            Held::By(NoKick::None) => None,
            Held::By(NoKick::Command(pid)) => Some(format!("held by process {pid}")),
            Held::By(NoKick::Administrator) => Some("held by an administrator's file".to_string()),
            Held::Abandoned(pid) => Some(format!("left behind by process {pid}, which is dead: it counts for nothing")),
        },
        notes,
        exit: 126,
    };
    let start_under_way = instance.files.start_under_way()?;
    match instance.with_machine(Some(Instant::now() + PATIENCE)) {
        Ok(subject) => look(&subject, start_under_way, &mut report)?,
        Err(error) => report.remark = Some(told(&error)),
    }
    Ok(report)
}

fn look(subject: &Subject, start_under_way: bool, report: &mut Report) -> anyhow::Result<()> {
    report.vm = subject.machine.name.clone();
    report.uuid = Some(subject.machine.uuid.to_string());
    let sight = subject.sight(&SystemRunner, start_under_way);
    let processes = bring_down::processes(subject)?;
    report.vm_processes = processes.iter().map(|p| p.pid).collect();
    (report.exit, report.remark) = judge(&sight, &processes);
    report.vm_state = sight.state().map(|state| state.word().to_string());
    Ok(())
}

/// The exit code of a state, and what is to be said beside it.
fn judge(sight: &Sight, processes: &[Process]) -> (u8, Option<String>) {
    let state = match sight {
        Sight::State(state) => state,
        Sight::NotKnown(why) | Sight::Wedged(why) => return (126, Some(format!("the state is not known: {why}"))),
    };
    let resting = matches!(state.group(), Group::Saved | Group::Halted | Group::Aborted);
    if let (true, Some(process)) = (resting, processes.first()) {
        let remark =
            format!("VirtualBox says {state}, but process {} of the VM lives: VirtualBox has lost it", process.pid);
        return (126, Some(remark));
    }
    let code = match state.group() {
        Group::Live => 0,
        Group::Paused => 1,
        Group::Saving => 2,
        Group::Saved => 3,
        Group::Halted => 10,
        Group::Aborted => 20,
        Group::Empty => 125,
        Group::Stuck | Group::Passing | Group::Unknown => 126,
    };
    (code, None)
}

fn render(report: &Report) -> String {
    let mut lines: Vec<(&str, String)> = vec![
        ("instance", report.instance.clone()),
        ("zone", report.zone.clone()),
        ("user", report.user.clone()),
        ("vm", report.vm.clone()),
    ];
    lines.extend(report.uuid.clone().map(|uuid| ("uuid", uuid)));
    lines.push(("vm state", report.vm_state.clone().unwrap_or_else(|| "not known".to_string())));
    lines.extend(report.remark.clone().map(|remark| ("remark", remark)));
    let smf = match &report.smf_next_state {
        Some(next) => format!("{}, going {next}", report.smf_state),
        None => report.smf_state.clone(),
    };
    lines.push(("smf state", smf));
    let pids = report.vm_processes.iter().map(i32::to_string).collect::<Vec<_>>().join(" ");
    lines.push(("vm process", if pids.is_empty() { "none".to_string() } else { pids }));
    lines.push(("monitor", report.monitor.map_or("none".to_string(), |pid| format!("process {pid}"))));
    lines.extend(report.nokick.clone().map(|nokick| ("nokick", nokick)));
    lines.push(("restarts", report.notes.restarts.to_string()));
    lines.extend(report.notes.last_end.clone().map(|end| ("last end", end)));
    lines.extend(report.notes.last_hook.clone().map(|hook| ("last hook", hook)));
    lines.extend(report.notes.complaint.clone().map(|complaint| ("complaint", complaint)));
    lines.iter().map(|(name, value)| format!("{name:<11} {}\n", printable(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::virtualbox::State;

    #[test]
    fn every_state_has_its_documented_exit_code() {
        let codes = [
            ("running", 0),
            ("starting", 0),
            ("restoring", 0),
            ("livesnapshotting", 0),
            ("paused", 1),
            ("saving", 2),
            ("saved", 3),
            ("teleported", 3),
            ("poweroff", 10),
            ("aborted", 20),
            ("aborted-saved", 20),
            ("", 125),
            ("gurumeditation", 126),
            ("stuck", 126),
            ("unknown", 126),
            ("stopping", 126),
            ("hibernating", 126),
        ];
        for (word, code) in codes {
            assert_eq!(judge(&Sight::State(State::parse(word)), &[]).0, code, "{word}");
        }
        assert_eq!(judge(&Sight::NotKnown("late".into()), &[]).0, 126);
    }
}
