//! `list`: every instance in one table, at the cost of a few processes however many there are.
//!
//! SMF is asked once for all instances, and VirtualBox once for all machines of one user. Where root lists the VMs of
//! several users, this program runs itself once as each of them.

use std::collections::BTreeMap;
use std::env;
use std::io::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::subject::{World, asked, run_dir, smf_words, virtualbox_of};
use crate::environment::{Environment, handed_on};
use crate::exec::{Call, Runner, SystemRunner};
use crate::exit::{Exit, told};
use crate::identity::Identity;
use crate::log::{self, printable};
use crate::rundir::RunDir;
use crate::rundir::files::RunFiles;
use crate::settings::Settings;
use crate::settings::effective::{effective, needs_own};
use crate::settings::table::GROUP;
use crate::smf::Fmri;
use crate::smf::svcprop::Properties;
use crate::virtualbox::client::overview_deadline;
use crate::virtualbox::{Overview, meant};

/// How long another user's part of the list may take beside what VirtualBox may.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    instance: String,
    vm: String,
    user: String,
    smf_state: String,
    /// VirtualBox's word; null where it is not known.
    vm_state: Option<String>,
    uptime_seconds: Option<u64>,
    restarts: u32,
    monitor: Option<i32>,
    remark: Option<String>,
}

/// An instance as SMF knows it.
struct Known {
    fmri: Fmri,
    settings: Settings,
    smf_state: String,
}

impl Known {
    fn user(&self) -> &str {
        self.settings.user.as_deref().unwrap_or("root")
    }

    fn row(&self) -> Row {
        Row {
            instance: self.fmri.to_string(),
            vm: self.settings.vm.clone(),
            user: self.user().to_string(),
            smf_state: self.smf_state.clone(),
            vm_state: None,
            uptime_seconds: None,
            restarts: 0,
            monitor: None,
            remark: None,
        }
    }
}

/// `of_user`: only this user's, as this user; how this program asks itself.
pub fn run(world: &World, of_user: Option<&str>, json: bool) -> anyhow::Result<Exit> {
    let known = all_instances(world)?;
    let rows = match of_user {
        Some(name) => {
            let user = Identity::current()?.assume(Identity::named(name)?)?;
            let of_user: Vec<&Known> = known.iter().filter(|k| k.user() == name).collect();
            rows_as(world, &user, &of_user)?
        }
        None => all_rows(world, &known)?,
    };
    let text = if json { log::json(&rows)? + "\n" } else { render(&rows) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Ok)
}

fn all_instances(world: &World) -> anyhow::Result<Vec<Known>> {
    let smf = world.smf();
    let composed = smf.all_properties(false, &asked())?;
    let own = if composed.values().any(needs_own) { smf.all_properties(true, &[GROUP])? } else { BTreeMap::new() };
    let none = Properties::default();
    let known = |(fmri, composed): (&Fmri, &Properties)| {
        let own = own.get(fmri).unwrap_or(&none);
        let settings = effective(fmri.instance(), composed, own).settings;
        Known { fmri: fmri.clone(), settings, smf_state: shown_state(&smf_words(composed)) }
    };
    Ok(composed.iter().map(known).collect())
}

fn shown_state((state, next): &(String, String)) -> String {
    match next.as_str() {
        "" | "none" => state.clone(),
        _ => format!("{state}*"),
    }
}

/// The rows of all users, each asked as itself where this process may.
fn all_rows(world: &World, known: &[Known]) -> anyhow::Result<Vec<Row>> {
    let me = Identity::current()?;
    let mut by_user: BTreeMap<&str, Vec<&Known>> = BTreeMap::new();
    for instance in known {
        by_user.entry(instance.user()).or_default().push(instance);
    }
    let mut rows = Vec::new();
    for (user, instances) in by_user {
        let asked = if user == me.name {
            rows_as(world, &me, &instances)
        } else if me.is_root() {
            ask_as(user, instances.len())
        } else {
            Err(anyhow::anyhow!("only {user} and root can ask about this VM"))
        };
        match asked {
            Ok(more) => rows.extend(more),
            Err(error) => {
                let remark = Some(told(&error));
                rows.extend(instances.iter().map(|known| Row { remark: remark.clone(), ..known.row() }));
            }
        }
    }
    rows.sort_by(|a, b| a.instance.cmp(&b.instance));
    Ok(rows)
}

/// Runs this program as another user, for that user's rows.
fn ask_as(user: &str, instances: usize) -> anyhow::Result<Vec<Row>> {
    let program = env::current_exe().context("cannot find this program's own file")?;
    let patience = PATIENCE.saturating_add(overview_deadline(instances));
    let call = Call::new(program, patience).args(["list", "--json", "--of-user", user]).env(&handed_on());
    let output = SystemRunner.run(&call)?;
    if !output.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the VMs of {user} cannot be listed: {}", said.lines().last().unwrap_or("no message"));
    }
    serde_json::from_slice(&output.stdout).context("another copy of this program made no sense")
}

fn rows_as(world: &World, user: &Identity, instances: &[&Known]) -> anyhow::Result<Vec<Row>> {
    let dir = run_dir(world, user);
    // Mostly one: what instances say to VirtualBox can mean another registry of machines.
    let mut registries: BTreeMap<Environment, Result<Vec<Overview>, String>> = BTreeMap::new();
    for known in instances {
        registries.entry(world.said_to_virtualbox(&known.settings)).or_insert_with_key(|said| {
            let virtualbox = virtualbox_of(world, user, said.clone(), &SystemRunner);
            virtualbox.and_then(|virtualbox| Ok(virtualbox.overview(instances.len())?)).map_err(|error| told(&error))
        });
    }
    let row = |known: &&Known| {
        let mut row = known.row();
        let overview = registries.get(&world.said_to_virtualbox(&known.settings));
        match overview.unwrap_or(&Ok(Vec::new())) {
            Ok(machines) => add_state(&mut row, machines, known),
            Err(error) => row.remark = Some(error.clone()),
        }
        match &dir {
            Ok(dir) => add_files(&mut row, dir, known),
            Err(error) => row.remark = Some(error.to_string()),
        }
        row
    };
    Ok(instances.iter().map(row).collect())
}

fn add_state(row: &mut Row, machines: &[Overview], known: &Known) {
    match meant(machines, |overview| &overview.machine, &known.settings.vm).as_slice() {
        [] => row.remark = Some(format!("VirtualBox of user {} does not know this VM", row.user)),
        [found] => {
            row.vm = found.machine.name.clone();
            row.vm_state = found.state.as_ref().map(|s| s.word().to_string());
            row.remark = found.inaccessible.then(|| "VirtualBox cannot read the VM's settings".to_string());
        }
        _ => row.remark = Some("several VMs have this name: set vm/name to the UUID of one".to_string()),
    }
}

fn add_files(row: &mut Row, dir: &RunDir, known: &Known) {
    let Ok(files) = RunFiles::of(dir, known.fmri.instance(), &known.settings) else { return };
    let Ok(Some(monitor)) = files.monitor() else { return };
    row.monitor = Some(monitor.pid);
    let Ok(notes) = files.told() else { return };
    row.restarts = notes.restarts;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    row.uptime_seconds = notes.up_since.map(|since| now.saturating_sub(since));
}

fn render(rows: &[Row]) -> String {
    let mut table =
        vec![["INSTANCE", "VM", "USER", "SMF", "VM STATE", "UPTIME", "RESTARTS", "REMARK"].map(String::from)];
    table.extend(rows.iter().map(|row| {
        let instance = row.instance.rsplit(':').next().unwrap_or_default();
        [
            instance.to_string(),
            printable(&row.vm),
            printable(&row.user),
            printable(&row.smf_state),
            row.vm_state.as_deref().map_or("-".to_string(), printable),
            row.uptime_seconds
                .map_or("-".to_string(), |s| humantime::format_duration(Duration::from_secs(s)).to_string()),
            row.restarts.to_string(),
            row.remark.as_deref().map_or(String::new(), printable),
        ]
    }));
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 8] = std::array::from_fn(width);
    let line = |row: &[String; 8]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_string() + "\n"
    };
    table.iter().map(line).collect()
}
