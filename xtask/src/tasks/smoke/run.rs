//! One run: every target on a thread of its own, the events told as they come, and the reports at the end.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::Args;
use super::kept;
use super::place::{self, RunFolder};
use super::prepare::{Need, Pace, Parts, Programs, Snapshots, base, illumos_packages, runs_linux};
use super::up::up;
use crate::smoke::absent::{Absence, tell_of};
use crate::smoke::clock::SystemClock;
use crate::smoke::ending;
use crate::smoke::engine::{Clock, Engine};
use crate::smoke::event::{Count, Event, Record};
use crate::smoke::guest::booted::{BootError, CONSOLE_LOG, shown};
use crate::smoke::guest::profile::{self, Profile};
use crate::smoke::report::html::{self, Page};
use crate::smoke::report::live::Live;
use crate::smoke::report::{junit, outcomes};
use crate::smoke::sim::Simulated;
use crate::smoke::suite::{self, Suite};
use crate::smoke::target::{Nature, Target};

/// The name of the simulated host, which has no profile.
const SIM: &str = "sim";

/// Where a run goes to.
enum Where {
    Sim,
    Guest(Box<Profile>),
}

impl Where {
    fn nature(&self) -> Nature {
        match self {
            Where::Sim => Nature::Simulated,
            Where::Guest(profile) => profile.nature,
        }
    }
}

/// What a target gave.
struct Done {
    record: Record,
    folder: RunFolder,
    /// Why it could not be run to its end.
    error: Option<anyhow::Error>,
}

pub fn run(args: &Args, workspace: &Path) -> Result<()> {
    let folder = args.suites.clone().unwrap_or_else(|| workspace.join(suite::FOLDER));
    let suites = suite::chosen(suite::read_all(&folder)?, &args.suite)?;
    let out = place::out(args.out.as_ref(), workspace);
    ending::catch().context("cannot catch signals")?;
    let mut targets: Vec<(String, Where)> = Vec::new();
    for name in &args.target {
        let (name, place) = match name.as_str() {
            SIM => (SIM.to_string(), Where::Sim),
            name => {
                let profile = profile::find(&workspace.join(profile::FOLDER), name)?;
                (profile.name.clone(), Where::Guest(Box::new(profile)))
            }
        };
        if targets.iter().all(|(other, _)| *other != name) {
            targets.push((name, place));
        }
    }
    // Before anything is built for a guest that cannot be.
    for (_, place) in &targets {
        if let Where::Guest(profile) = place {
            base(profile, &args.image_file, workspace)?;
        }
    }
    // Once for all: cargo would have them wait for each other anyway.
    let linux = targets.iter().any(|(_, place)| runs_linux(place.nature()));
    let guest = targets.iter().any(|(_, place)| place.nature() == Nature::StandIn);
    let pace = if guest { Pace::Guest } else { Pace::Native };
    let programs = if linux { Some(Programs::build(workspace, pace)?) } else { None };
    let alone = targets.len() == 1;
    let (suites, programs, out) = (&suites, programs.as_ref(), &out);
    let done: Vec<Result<Done>> = thread::scope(|scope| {
        let begin = |(name, place)| {
            let job = Job { args, workspace, name, place, suites, programs, out, alone };
            scope.spawn(move || one(job))
        };
        let threads: Vec<_> = targets.into_iter().map(begin).collect();
        let end = |thread: thread::ScopedJoinHandle<'_, _>| thread.join();
        threads.into_iter().map(|t| end(t).unwrap_or_else(|_| bail!("the thread of a target panicked"))).collect()
    });
    let done = done.into_iter().collect::<Result<Vec<Done>>>()?;
    let report = reports(&done, out)?;
    if !args.json {
        println!("{}", report.display());
    }
    judge(done)
}

struct Job<'a> {
    args: &'a Args,
    workspace: &'a Path,
    name: String,
    place: Where,
    suites: &'a [Suite],
    programs: Option<&'a Programs>,
    out: &'a Path,
    alone: bool,
}

/// Runs one target, to an end of one kind or another.
fn one(job: Job) -> Result<Done> {
    let place = RunFolder::take(job.out, &job.name)?;
    let folder = place.path();
    let nature = job.place.nature();
    let live = Live::new(&job.name, job.alone);
    let mut events = Vec::new();
    let mut tell = |event: Event| {
        live.tell(&event);
        if job.args.json {
            let mut line = json!(event);
            line["target"] = json!(job.name);
            line["nature"] = json!(nature);
            // Whoever does not read on does not want to be told.
            let _ = writeln!(stdout(), "{line}");
        }
        events.push(event);
    };
    let clock = SystemClock::start();
    let error = target(&job, folder, &mut tell).err();
    if let Some(error) = &error {
        tell_of(absence(error, folder, clock.now()), job.suites, &mut tell);
    }
    if let Some(text) = kept::told(job.out, &job.name) {
        tell(Event::Host { text });
    }
    Ok(Done { record: Record { target: job.name.clone(), nature, events }, folder: place, error })
}

fn target(job: &Job, folder: &Path, tell: &mut dyn FnMut(Event)) -> Result<()> {
    let made = folder.join("packages");
    let packages = match job.programs {
        Some(programs) if runs_linux(job.place.nature()) => programs.packages(job.workspace, &made)?,
        _ => illumos_packages(&job.args.toolchain, job.workspace, &made)?,
    };
    let mut say = |text: &str| tell(Event::Host { text: text.to_string() });
    // What a guest was booted from outlives it: its server and its key are used until the end.
    let mut parts = None;
    let mut guest = None;
    let mut sim = None;
    let target: &mut dyn Target = match &job.place {
        Where::Sim => {
            say(Nature::Simulated.told());
            let programs = job.programs.context("the simulated host was not built")?;
            sim.insert(Simulated::boot(&programs.simhost, &packages)?)
        }
        Where::Guest(profile) => {
            let need = Need {
                toolchain: &job.args.toolchain,
                images: &job.args.image_file,
                workspace: job.workspace,
                profile,
                programs: job.programs,
                keep: job.args.keep,
                snapshots: if job.args.fresh { Snapshots::Renewed } else { Snapshots::Used },
            };
            let parts = parts.insert(Parts::gather(need, Some(&packages), folder, &mut say)?);
            say(&parts.told());
            if let (Some(ssh), true) = (&parts.ssh, job.args.keep) {
                say(&format!("into it by ssh: {}", ssh.command_line()));
            }
            guest.insert(up(parts, folder, tell)?)
        }
    };
    let (clock, variables) = (SystemClock::start(), packages.variables()?);
    Engine { target, clock: &clock, variables: &variables, tell }.run(job.suites);
    if job.args.keep {
        if let Some(mut guest) = guest {
            guest.leave_to_a_person();
        }
        if let Some(sim) = sim {
            tell(Event::Host { text: sim.keep() });
        }
    }
    Ok(())
}

/// Why there is no host; a guest that has booted, but not well, has shown something.
fn absence(error: &anyhow::Error, folder: &Path, time: Duration) -> Absence {
    let (fault, screen) = match error.downcast_ref::<BootError>() {
        Some(boot) => (boot.to_string(), boot.screen()),
        None => (format!("{error:#}"), ""),
    };
    Absence { fault, evidence: shown(&folder.join(CONSOLE_LOG), screen), seconds: time.as_secs_f64() }
}

fn count(record: &Record) -> Count {
    outcomes(&record.events).iter().fold(Count::default(), |total, suite| total.and(suite.count))
}

/// Writes the reports and gives the page for people.
fn reports(done: &[Done], out: &Path) -> Result<PathBuf> {
    let write = |name: &str, text: String| {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok::<_, anyhow::Error>(path)
    };
    let records: Vec<Record> = done.iter().map(|done| done.record.clone()).collect();
    write("junit.xml", junit::render(&records)?)?;
    let log = |done: &Done| fs::read(done.folder.path().join(CONSOLE_LOG)).unwrap_or_default();
    let pages: Vec<_> = done.iter().map(|done| Page::new(&done.record, &log(done))).collect();
    let when = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M %Z").to_string();
    write("report.html", html::render(&pages, env!("CARGO_PKG_VERSION"), &when)?)
}

fn judge(done: Vec<Done>) -> Result<()> {
    let mut wrong = Vec::new();
    for Done { record, error, .. } in done {
        let count = count(&record);
        let told = match error {
            Some(error) => format!("{error:#}"),
            None if count.failed > 0 => count.told(),
            // A run of nothing proves nothing.
            None if count.passed == 0 => "no step was run".to_string(),
            None => continue,
        };
        wrong.push(format!("{}: {told}", record.target));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}", wrong.join("\n"));
}
