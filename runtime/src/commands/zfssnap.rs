//! `zfssnap`, and the snapshots around a start and a stop.

use std::io::Write;
use std::time::{Instant, SystemTime};

use super::backing::{self, PATIENCE};
use super::subject::{Instance, Selector, Subject, World};
use crate::exec::InterruptibleRunner;
use crate::exit::{Exit, failure, told};
use crate::zfs::take::{self, Order, Outcome, Verdict};
use crate::zfs::{Label, Targets, Zfs};

/// The stages a snapshot is taken at, as they have always been called.
pub mod stage {
    /// Before a VM is started.
    pub const PRESTART: &str = "prestart";
    /// Before a paused VM is resumed.
    pub const PRERESUME: &str = "preresume";
    /// Before and after the start of the GUI.
    pub const PRESTART_GUI: &str = "prestartGUI";
    pub const POSTSTART_GUI: &str = "poststartGUI";
    /// After `save`.
    pub const MANUAL_SAVE: &str = "manual-vmsave";
    /// `zfssnap` without a comment.
    pub const MANUAL: &str = "manual-zfssnap";

    /// After a stop by this method, with 0 for the wanted state and else the exit code that tells what came of it.
    pub fn poststop(method: &str, result: u8) -> String {
        format!("poststop-{method}-{result}")
    }
}

/// Snapshots now, whatever `zfssnap_flag` says, and prints the names. 95: no snapshot was made; 126: not all were.
pub fn run(world: &World, selector: &Selector, comment: &[String], dry_run: bool) -> anyhow::Result<Exit> {
    world.end_in_order()?;
    let subject = Instance::open(world, selector)?.with_machine(Some(Instant::now() + PATIENCE))?;
    let comment = comment.join(" ");
    let stage = if comment.trim().is_empty() { stage::MANUAL } else { comment.as_str() };
    let work = Work::of(&subject, stage)?;
    for remark in &work.targets.uncovered {
        subject.log.warn(remark);
    }
    if dry_run {
        for problem in &work.targets.wrong {
            subject.log.error(problem);
        }
        print(&take::plan(&work.order(&subject))?)?;
        return Ok(if work.targets.wrong.is_empty() { Exit::Ok } else { Exit::Fatal });
    }
    let outcome = work.take(&subject)?;
    print(&outcome.made)?;
    for name in &outcome.removed {
        subject.log.info(format!("removed {name}"));
    }
    for problem in &outcome.problems {
        subject.log.error(problem);
    }
    Ok(match outcome.verdict() {
        Verdict::Done => Exit::Ok,
        Verdict::Partly => Exit::Other,
        Verdict::Failed => Exit::Fatal,
    })
}

fn print(names: &[String]) -> std::io::Result<()> {
    let text: String = names.iter().map(|name| format!("{name}\n")).collect();
    std::io::stdout().write_all(text.as_bytes())
}

/// Snapshots before a start or after a stop where `zfssnap_flag` says so. What goes wrong is told as an error and is in
/// the verdict; it is no reason to leave a VM down.
pub fn around(subject: &Subject, stage: &str) -> Verdict {
    if !subject.settings.zfs.snapshot {
        return Verdict::Done;
    }
    let work = Work::of(subject, stage);
    let outcome = work.and_then(|work| {
        for remark in &work.targets.uncovered {
            subject.log.warn(remark);
        }
        work.take(subject)
    });
    match outcome {
        Ok(outcome) => {
            for name in &outcome.made {
                subject.log.info(format!("made the snapshot {name}"));
            }
            for name in &outcome.removed {
                subject.log.info(format!("removed the snapshot {name}"));
            }
            for problem in &outcome.problems {
                subject.log.error(problem);
            }
            outcome.verdict()
        }
        Err(error) => {
            subject.log.error(format!("no snapshot ({stage}): {}", told(&error)));
            Verdict::Failed
        }
    }
}

/// What is to be snapshot, and under which name.
struct Work {
    targets: Targets,
    label: Label,
    now: SystemTime,
}

impl Work {
    fn of(subject: &Subject, stage: &str) -> anyhow::Result<Work> {
        let interrupted = || subject.world.is_ended();
        let runner = InterruptibleRunner { interrupted: &interrupted };
        let settings = &subject.settings.zfs;
        let (info, backing) = backing::ask(subject, &runner)?;
        let datasets = zfs(subject, &runner)?.datasets()?;
        let targets = backing::survey(&backing, settings, &datasets).targets();
        if targets.is_empty() && targets.wrong.is_empty() {
            return Err(nothing(settings.datasets.is_none(), &targets.uncovered));
        }
        let label = Label {
            prefix: settings.prefix.clone(),
            vm: subject.machine.name.clone(),
            stage: stage.to_string(),
            state: info.state.word().to_string(),
        };
        Ok(Work { targets, label, now: SystemTime::now() })
    }

    fn order<'a>(&'a self, subject: &'a Subject) -> Order<'a> {
        Order {
            targets: &self.targets,
            label: &self.label,
            keep: subject.settings.zfs.keep,
            now: self.now,
            user: &subject.user.name,
        }
    }

    fn take(&self, subject: &Subject) -> anyhow::Result<Outcome> {
        let interrupted = || subject.world.is_ended();
        let runner = InterruptibleRunner { interrupted: &interrupted };
        Ok(take::take(&zfs(subject, &runner)?, &self.order(subject)))
    }
}

fn zfs<'a>(subject: &Subject, runner: &'a InterruptibleRunner) -> anyhow::Result<Zfs<'a>> {
    Zfs::new(runner, &subject.world.tools).map_err(|e| failure(Exit::Config, e.to_string()))
}

fn nothing(auto: bool, uncovered: &[String]) -> anyhow::Error {
    let why = if auto {
        format!("nothing of the VM is on ZFS: {}; name datasets in vm/zfssnap_dslist_append", uncovered.join("; "))
    } else {
        "vm/zfssnap_dslist and vm/zfssnap_dslist_append name no dataset".to_string()
    };
    failure(Exit::Config, format!("nothing to snapshot: {why}"))
}
