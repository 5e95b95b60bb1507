//! What every command works on: the instance, its settings, its user, its run files, and the VM behind it.

use std::cell::OnceCell;
use std::env;
use std::ffi::OsString;
use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::decide::Sight;
use crate::decide::watch::SmfState;
use crate::environment::{self, Environment};
use crate::exec::{Call, InterruptibleRunner, Output, Runner, SystemRunner};
use crate::exit::{Exit, failure};
use crate::identity::Identity;
use crate::log::Log;
use crate::rundir::files::{Hold, RunFiles};
use crate::rundir::{Host, RunDir, RunDirError};
use crate::settings::Settings;
use crate::settings::effective::{self, Warning, effective, needs_own};
use crate::settings::table;
use crate::smf::svcprop::Properties;
use crate::smf::{Fmri, Smf, SmfError};
use crate::tools::Tools;
use crate::virtualbox::{AskError, Machine, Programs, Sighting, VirtualBox, process};

/// How long zonename may take: it asks the kernel and nobody else.
const ZONENAME_TIME: Duration = Duration::from_secs(5);
/// The longest gap between two questions that failed.
const WIDEST_GAP: Duration = Duration::from_secs(2);

/// What is outside, the same for every command.
pub struct World {
    pub tools: Tools,
    /// Set once a signal asks this command to end.
    pub ended: Arc<AtomicBool>,
    /// Root began this. The variables he came with may be those of somebody who is root by pfexec alone.
    as_root: bool,
    /// Settings that cannot be used were told already, by the start that left this monitor behind.
    settings_told: bool,
    zone: OnceCell<String>,
}

impl World {
    pub fn new() -> World {
        World {
            tools: Tools::from_environment(),
            ended: Arc::new(AtomicBool::new(false)),
            as_root: nix::unistd::Uid::effective().is_root(),
            settings_told: false,
            zone: OnceCell::new(),
        }
    }

    /// As a monitor sees it, which comes after a start.
    pub fn after_start(&self) -> World {
        World {
            tools: self.tools.clone(),
            ended: Arc::clone(&self.ended),
            as_root: self.as_root,
            settings_told: true,
            zone: self.zone.clone(),
        }
    }

    /// From now on TERM, INT and HUP end the command in order instead of at once.
    pub fn end_in_order(&self) -> io::Result<()> {
        for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&self.ended))?;
        }
        Ok(())
    }

    pub fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The zone this runs in: SMF tells its methods, a person's command asks.
    pub fn zone(&self) -> &str {
        self.zone.get_or_init(|| {
            let asked = || {
                let program = self.tools.find("zonename").ok()?;
                let output = SystemRunner.run(&Call::new(program, ZONENAME_TIME)).ok().filter(Output::success)?;
                let name = String::from_utf8_lossy(&output.stdout).trim().to_string();
                Some(name).filter(|name| !name.is_empty())
            };
            env::var("SMF_ZONENAME").ok().or_else(asked).unwrap_or_else(|| "global".to_string())
        })
    }

    /// What is said to VirtualBox besides what every call says: by the instance's method environment, and by the
    /// variables of a caller who is the VM's user himself.
    pub fn said_to_virtualbox(&self, settings: &Settings) -> Environment {
        let configured = settings.environment.iter().map(|(name, value)| (name.into(), value.into()));
        let own = if self.as_root { Vec::new() } else { environment::inherited() };
        configured.chain(own).collect()
    }

    pub fn smf(&self) -> Smf<'_> {
        Smf::new(&SystemRunner, &self.tools)
    }
}

impl Default for World {
    fn default() -> Self {
        World::new()
    }
}

/// Whether SMF runs this process as a method.
pub fn under_smf() -> bool {
    env::var_os("SMF_FMRI").is_some() && env::var_os("SMF_METHOD").is_some()
}

/// Which instance a command is about, as its caller says it.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    pub svc: Option<String>,
    pub vm: Option<String>,
}

impl Selector {
    /// The one instance meant. `SMF_FMRI` wins, then `--svc`, then `--vm`.
    pub fn resolve(&self, smf: &Smf) -> Result<Fmri, SmfError> {
        if let Ok(fmri) = env::var("SMF_FMRI") {
            return fmri.parse();
        }
        match (&self.svc, &self.vm) {
            (Some(text), _) if text.starts_with("svc:/") && !text.contains(['*', '?', '[']) => text.parse(),
            (Some(pattern), _) => one(pattern, smf.instances(pattern)?),
            (None, Some(name)) => by_machine(name, smf),
            (None, None) => {
                Err(SmfError::BadFmri { text: String::new(), why: "say which VM is meant, by --svc FMRI or --vm NAME" })
            }
        }
    }
}

fn one(asked: &str, mut found: Vec<Fmri>) -> Result<Fmri, SmfError> {
    found.sort();
    found.dedup();
    match found.as_slice() {
        [] => Err(SmfError::NoInstance(asked.to_string())),
        [only] => Ok(only.clone()),
        several => Err(SmfError::SeveralInstances {
            pattern: asked.to_string(),
            found: several.iter().map(Fmri::to_string).collect(),
        }),
    }
}

/// The instance of that name, or the one whose `vm/name` says that name.
fn by_machine(name: &str, smf: &Smf) -> Result<Fmri, SmfError> {
    let mut found: Vec<Fmri> = Vec::new();
    if let Ok(fmri) = Fmri::of_instance(name) {
        found.extend(smf.instances(&fmri.to_string())?);
    }
    found.extend(smf.named_machines()?.into_iter().filter(|(_, vm)| vm == name).map(|(fmri, _)| fmri));
    one(name, found)
}

/// An instance with its settings, its user and its run files. This process has become that user.
pub struct Instance<'w> {
    pub world: &'w World,
    pub fmri: Fmri,
    pub settings: Settings,
    pub user: Identity,
    pub files: RunFiles,
    pub log: Log,
    pub smf_state: SmfState,
    /// SMF's own words for the state, as `status` shows them.
    pub smf_words: (String, String),
    /// Where SMF logs for the instance.
    pub logfile: Option<PathBuf>,
    dir: RunDir,
    composed: Properties,
    own: Properties,
    locale: String,
}

impl<'w> Instance<'w> {
    pub fn open(world: &'w World, selector: &Selector) -> anyhow::Result<Instance<'w>> {
        let smf = world.smf();
        let fmri = selector.resolve(&smf)?;
        let composed = smf.properties(&fmri, &asked())?;
        let own = own_properties(&smf, &fmri, &composed)?;
        let effective = effective(fmri.instance(), &composed, &own);
        let settings = effective.settings;
        let log = Log::new(fmri.instance(), settings.debug);
        if !world.settings_told {
            tell(&log, &effective.warnings);
        }
        let user = become_owner(&settings)?;
        let dir = run_dir(world, &user)?;
        let files = RunFiles::of(&dir, fmri.instance(), &settings)?;
        let locale = environment::utf8_locale(&SystemRunner, &world.tools);
        let logfile = first(&composed, "restarter/logfile").map(PathBuf::from);
        Ok(Instance {
            world,
            smf_state: smf_state(&composed),
            smf_words: smf_words(&composed),
            fmri,
            settings,
            user,
            files,
            log,
            logfile,
            dir,
            composed,
            own,
            locale,
        })
    }

    /// Reads the settings and SMF's state again. What only the instance itself can say is read again where `all`, or
    /// where what SMF composes has changed.
    pub fn reread(&mut self, all: bool) -> anyhow::Result<SmfState> {
        let smf = self.world.smf();
        let composed = smf.properties(&self.fmri, &asked())?;
        self.smf_state = smf_state(&composed);
        self.smf_words = smf_words(&composed);
        let changed = all || !same_settings(&composed, &self.composed);
        if changed {
            self.own = own_properties(&smf, &self.fmri, &composed)?;
            let effective = effective(self.fmri.instance(), &composed, &self.own);
            tell(&self.log, &effective.warnings);
            self.settings = effective.settings;
            self.log.set_debug(self.settings.debug);
            let files = RunFiles::of(&self.dir, self.fmri.instance(), &self.settings)?;
            // The pid file is the monitor's lock: it stays what it was when the lock was taken.
            self.files = RunFiles { pid: self.files.pid.clone(), ..files };
        }
        self.composed = composed;
        Ok(self.smf_state.clone())
    }

    /// Keeps the monitor off for an acting command; an error where another one is at work.
    pub fn hold(&self) -> anyhow::Result<Hold> {
        let hold = self.files.hold()?;
        match hold.other {
            Some(pid) => {
                Err(failure(Exit::Fatal, format!("process {pid} is at work on this VM: wait for it, or end it")))
            }
            None => Ok(hold),
        }
    }

    /// Removes what was left unfinished beside the run files by processes that were killed.
    pub fn remove_unfinished(&self) {
        let is_dead = |pid| matches!(process::look(pid), Ok(None));
        if let Err(error) = self.dir.remove_unfinished(self.fmri.instance(), is_dead) {
            self.log.warn(error);
        }
    }

    pub fn environment(&self) -> Environment {
        let said = self.world.said_to_virtualbox(&self.settings);
        environment::of(&self.user, &self.world.tools, &self.locale, self.settings.timezone.as_deref(), said)
    }

    fn virtualbox<'a>(&self, runner: &'a dyn Runner) -> anyhow::Result<VirtualBox<'a>> {
        Ok(VirtualBox::new(runner, programs(&self.world.tools)?, self.environment()))
    }

    /// The VM behind the instance, asked for until the deadline where VirtualBox does not answer.
    pub fn with_machine(self, deadline: Option<Instant>) -> anyhow::Result<Subject<'w>> {
        let mut gap = Duration::from_millis(50);
        let machine = loop {
            let interrupted = || self.world.is_ended();
            let runner = InterruptibleRunner { interrupted: &interrupted };
            match self.virtualbox(&runner)?.find(&self.settings.vm) {
                Ok(machine) => break machine,
                Err(error) if error.is_transient() && !out_of_time(deadline, gap) && !self.world.is_ended() => {
                    self.log.debug(format!("asking VirtualBox again: {error}"));
                    std::thread::sleep(gap);
                    gap = (gap * 2).min(WIDEST_GAP);
                }
                Err(error) => return Err(error.into()),
            }
        };
        Subject::known(self, machine)
    }
}

fn programs(tools: &Tools) -> anyhow::Result<Programs> {
    Ok(Programs {
        manage: tools.find("VBoxManage").map_err(|e| failure(Exit::Config, e.to_string()))?,
        headless: tools.find("VBoxHeadless").map_err(|e| failure(Exit::Config, e.to_string()))?,
        gui: tools.find("VirtualBoxVM").ok(),
    })
}

/// The VirtualBox of a user this process runs as, apart from any instance; `said` as instances of his say it.
pub fn virtualbox_of<'a>(
    world: &World,
    user: &Identity,
    said: Environment,
    runner: &'a dyn Runner,
) -> anyhow::Result<VirtualBox<'a>> {
    let locale = environment::utf8_locale(runner, &world.tools);
    Ok(VirtualBox::new(runner, programs(&world.tools)?, environment::of(user, &world.tools, &locale, None, said)))
}

/// The folder of this user's run files on this host.
pub fn run_dir(world: &World, user: &Identity) -> Result<RunDir, RunDirError> {
    let place = env::var_os("VBOXSVC_RUN_DIR").map(PathBuf::from);
    RunDir::open(user, place.as_deref(), &this_host(world))
}

fn out_of_time(deadline: Option<Instant>, gap: Duration) -> bool {
    deadline.is_some_and(|d| Instant::now() + gap >= d)
}

fn tell(log: &Log, warnings: &[Warning]) {
    for warning in warnings {
        log.warn(format!("{}: {}", warning.property, warning.message));
    }
}

/// Becomes the user the VM belongs to. Under SMF that is whoever SMF runs the method as.
fn become_owner(settings: &Settings) -> anyhow::Result<Identity> {
    let me = Identity::current()?;
    let owner = match &settings.user {
        Some(name) => Identity::named(name)?,
        None if under_smf() => return Ok(me),
        None => Identity::named("root")?,
    };
    Ok(me.assume(owner)?)
}

fn this_host(world: &World) -> Host {
    let node = nix::unistd::gethostname().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Host { node, zone: world.zone().to_string() }
}

fn first<'p>(properties: &'p Properties, name: &str) -> Option<&'p str> {
    properties.single(name)
}

/// The property groups of which SMF is asked about an instance.
pub fn asked() -> Vec<&'static str> {
    effective::GROUPS.into_iter().chain(["restarter"]).collect()
}

/// What only the instance itself can say, where there is a need to ask.
fn own_properties(smf: &Smf, fmri: &Fmri, composed: &Properties) -> Result<Properties, SmfError> {
    if needs_own(composed) { smf.own_properties(fmri, &[table::GROUP]) } else { Ok(Properties::default()) }
}

pub fn smf_words(properties: &Properties) -> (String, String) {
    let word = |name: &str| first(properties, name).unwrap_or_default().to_string();
    (word("restarter/state"), word("restarter/next_state"))
}

fn smf_state(properties: &Properties) -> SmfState {
    let (state, next) = smf_words(properties);
    SmfState::from_words(&state, &next)
}

/// Whether two readings agree in all but the restarter's own bookkeeping.
fn same_settings(one: &Properties, other: &Properties) -> bool {
    fn settings(properties: &Properties) -> impl Iterator<Item = (&str, &[String])> {
        let all = properties.iter().filter(|(name, _)| !name.starts_with("restarter"));
        all.map(|(name, property)| (name, property.values.as_slice()))
    }
    settings(one).eq(settings(other))
}

/// An instance and the VM behind it.
pub struct Subject<'w> {
    instance: Instance<'w>,
    pub machine: Machine,
    pub programs: Programs,
}

impl<'w> Deref for Subject<'w> {
    type Target = Instance<'w>;

    fn deref(&self) -> &Instance<'w> {
        &self.instance
    }
}

impl<'w> Subject<'w> {
    /// For a monitor, whose start method has found the VM already.
    pub fn known(instance: Instance<'w>, machine: Machine) -> anyhow::Result<Subject<'w>> {
        let programs = programs(&instance.world.tools)?;
        Ok(Subject { instance, machine, programs })
    }

    pub fn reread(&mut self, all: bool) -> anyhow::Result<SmfState> {
        self.instance.reread(all)
    }

    pub fn virtualbox<'a>(&self, runner: &'a dyn Runner) -> VirtualBox<'a> {
        VirtualBox::new(runner, self.programs.clone(), self.environment())
    }

    /// One look at the VM, without trying again.
    pub fn sight(&self, runner: &dyn Runner, start_under_way: bool) -> Sight {
        match self.virtualbox(runner).probe(&self.machine.uuid, start_under_way) {
            Ok(Sighting::State(state)) => Sight::State(state),
            Ok(Sighting::NotListed) => Sight::NotKnown("a start is under way".to_string()),
            Err(error @ AskError::Wedged { .. }) => Sight::Wedged(error.to_string()),
            Err(error) => Sight::NotKnown(error.to_string()),
        }
    }

    /// Gives the VM's process its priority. A child runs for a moment with ours; nobody minds.
    pub fn set_priority(&self, pid: i32) {
        let nice = self.settings.nice;
        if nice == 0 {
            return;
        }
        let renice = self.world.tools.find("renice").map_err(anyhow::Error::from).and_then(|program| {
            let args = ["-n".to_string(), nice.to_string(), "-p".to_string(), pid.to_string()];
            let call = Call::new(program, Duration::from_secs(5)).args(args);
            Ok(SystemRunner.run(&call.env(&[(OsString::from("PATH"), self.world.tools.path())]))?)
        });
        match renice {
            Ok(output) if output.success() => {}
            Ok(output) => self.log.warn(format!(
                "the priority {nice} (vm/nice) was not given: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            )),
            Err(error) => self.log.warn(format!("the priority {nice} (vm/nice) was not given: {error}")),
        }
    }
}

/// The error of a question to VirtualBox, where it says that the VM does not exist.
pub fn is_unregistered(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<AskError>(), Some(AskError::NotRegistered { .. }))
}
