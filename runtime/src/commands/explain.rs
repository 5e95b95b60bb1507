//! `explain`, and `--dry-run` of every acting command: what would be done now, and why, with nothing done.

use std::io::Write;

use serde::Serialize;

use super::start::vm_process;
use super::startgui;
use super::subject::{Instance, Selector, Subject, World};
use crate::decide::Sight;
use crate::decide::start::{self, Block, VmProcess};
use crate::decide::stop;
use crate::decide::watch::{self, Evidence, NoKick};
use crate::exec::SystemRunner;
use crate::exit::Exit;
use crate::log::{self, printable};
use crate::rundir::files::Held;
use crate::settings::StopMethod;
use crate::virtualbox::Verb;

/// What would act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    Start {
        force: bool,
    },
    /// `None`: by the VM's own stop method.
    Stop(Option<StopMethod>),
    Monitor,
    Reboot,
    Reset,
    StartGui,
}

#[derive(Debug, Serialize)]
struct Said {
    who: &'static str,
    action: String,
    reason: String,
}

/// One look at the VM, for all that is explained by it.
struct Look {
    sight: Sight,
    process: VmProcess,
}

/// What `start`, `stop` and the monitor would do.
pub fn run(world: &World, selector: &Selector, json: bool) -> anyhow::Result<Exit> {
    tell(world, selector, &[Actor::Start { force: false }, Actor::Stop(None), Actor::Monitor], json)
}

/// What one command would do.
pub fn dry_run(world: &World, selector: &Selector, actor: Actor) -> anyhow::Result<Exit> {
    tell(world, selector, &[actor], false)
}

fn tell(world: &World, selector: &Selector, actors: &[Actor], json: bool) -> anyhow::Result<Exit> {
    let subject = Instance::open(world, selector)?.with_machine(None)?;
    let look = Look { sight: subject.sight(&SystemRunner, false), process: vm_process(&subject)? };
    let said = actors.iter().map(|actor| explain(&subject, &look, *actor)).collect::<anyhow::Result<Vec<Said>>>()?;
    let text = if json {
        log::json(&said)? + "\n"
    } else {
        said.iter().map(|s| format!("{:<8} {}: {}\n", s.who, s.action, printable(&s.reason))).collect()
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

fn explain(subject: &Subject, look: &Look, actor: Actor) -> anyhow::Result<Said> {
    match actor {
        Actor::Start { force } => explain_start(subject, look, force),
        Actor::Stop(method) => explain_stop(subject, look, method.unwrap_or(subject.settings.stop_method), "stop"),
        Actor::Monitor => explain_watch(subject, look),
        Actor::Reboot => {
            let mut said = explain_stop(subject, look, StopMethod::PowerOffGraceful, "reboot")?;
            said.reason += "; then it is started again";
            Ok(said)
        }
        Actor::Reset => {
            let reason = format!("the VM is {}", look.sight);
            Ok(Said { who: "reset", action: stop::Stop::Give(Verb::Reset).to_string(), reason })
        }
        Actor::StartGui => {
            let decision = startgui::decide(subject)?;
            Ok(Said { who: "startgui", action: decision.action.to_string(), reason: decision.reason })
        }
    }
}

fn explain_start(subject: &Subject, look: &Look, force: bool) -> anyhow::Result<Said> {
    let block = start::block(subject.files.block(subject.user.uid)?, force, &subject.settings);
    if block.action == Block::Hold {
        return Ok(Said { who: "start", action: start::Start::Refuse.to_string(), reason: block.reason });
    }
    let facts = start::Facts { sight: look.sight.clone(), process: look.process, force, took_over: false };
    let decision = start::start(&facts, &subject.settings);
    Ok(Said { who: "start", action: decision.action.to_string(), reason: decision.reason })
}

fn explain_stop(subject: &Subject, look: &Look, method: StopMethod, who: &'static str) -> anyhow::Result<Said> {
    let given = subject.settings.stop_timeout;
    let facts = stop::Facts {
        sight: look.sight.clone(),
        process: look.process != VmProcess::None,
        method,
        accepted: Vec::new(),
        refused: None,
        was_up: false,
        left: given,
        given,
    };
    let decision = stop::stop(&facts);
    Ok(Said { who, action: decision.action.to_string(), reason: decision.reason })
}

fn explain_watch(subject: &Subject, look: &Look) -> anyhow::Result<Said> {
    let nokick = match subject.files.held()? {
        Held::By(who) => who,
        Held::Abandoned(_) => NoKick::None,
    };
    let facts = watch::Facts {
        smf: subject.smf_state.clone(),
        nokick,
        sight: look.sight.clone(),
        process: look.process != VmProcess::None,
        evidence: Evidence::None,
        restart_once: match &subject.files.restart_once {
            Some(file) => file.read()?.is_some(),
            None => false,
        },
        hook_due: false,
        aborts: 1,
        unknown_in_a_row: 1,
    };
    let decision = watch::watch(&facts, &subject.settings);
    let mut reason = decision.reason;
    if subject.files.monitor()?.is_none() {
        reason += "; but no monitor runs: it comes with the next start";
    }
    Ok(Said { who: "monitor", action: decision.action.to_string(), reason })
}
