//! The load: many VMs on a simulated host, to which anything happens at random for a long time, and a model beside them
//! that says what must hold.
//!
//! Whatever is not as the model says ends the run with the VM's history. The choice of events comes from a seed; their
//! exact moments come from the machine, so a seed gives the same kind of run again and not the same interleaving.

mod check;
pub mod cli;
mod events;
mod model;
mod report;
pub mod seen;
mod world;

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope, sleep};
use std::time::{Duration, Instant};

use fastrand::Rng;

use check::differences;
use events::Disaster;
use model::{Service, State, Vm};
pub use report::{Summary, Violation};
use seen::{Chronicle, Processes, Seen, look};
use world::World;

/// Between two looks at everything.
const TICK: Duration = Duration::from_millis(150);
/// How long a VM must be as it should before that counts.
const SETTLED: Duration = Duration::from_millis(600);
/// How long one VM may take to get there: repeated crashes wait up to a minute.
const PATIENCE: Duration = Duration::from_secs(150);
/// The same after something happened to all of them.
const PATIENCE_ALL: Duration = Duration::from_secs(400);
/// How often VMs to which nothing happens are looked at.
const AUDIT: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

/// What to do, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub vms: usize,
    pub time: Duration,
    pub seed: u64,
    /// How many VMs have something happen to them at a time.
    pub width: usize,
    /// How often something happens to the whole host.
    pub disasters: u32,
}

/// One VM of the run.
struct Track {
    vm: Vm,
    history: Vec<String>,
    pending: Option<Pending>,
}

/// A VM on its way.
struct Pending {
    what: String,
    outcomes: Vec<Vm>,
    since: Instant,
    patience: Duration,
    /// The event itself is over; what it has set going may not be.
    over: bool,
    right_since: Option<Instant>,
}

impl Pending {
    fn new(what: String, outcomes: Vec<Vm>, patience: Duration, over: bool) -> Pending {
        Pending { what, outcomes, since: Instant::now(), patience, over, right_since: None }
    }
}

/// What an event's thread says when it is over: the VM's number, and what went wrong with the event itself.
type Word = (usize, Vec<String>);

struct Run<'w> {
    plan: Plan,
    world: &'w World,
    random: Rng,
    began: Instant,
    tracks: Vec<Track>,
    chronicle: Chronicle,
    words: (Sender<Word>, Receiver<Word>),
    summary: Summary,
    last_audit: Instant,
    last_line: Instant,
    struck: u32,
}

/// Runs it; `tell` gets a line a minute.
///
/// # Errors
/// What is not as it must be.
pub fn run(plan: &Plan, manifests: &[String], tell: &mut dyn FnMut(&str)) -> Result<Summary, Box<Violation>> {
    let mut random = Rng::with_seed(plan.seed);
    let rules: Vec<_> = (0..plan.vms).map(|_| events::rules(&mut random)).collect();
    let world = World::new(manifests, &rules);
    tell(&format!("seed {}: {} VMs registered (SMF and VirtualBox are stand-ins)", plan.seed, plan.vms));
    let track = |rules| Track { vm: Vm::new(rules), history: Vec::new(), pending: None };
    let now = Instant::now();
    let run = Run {
        plan: *plan,
        chronicle: Chronicle::new(&world.root),
        tracks: rules.into_iter().map(track).collect(),
        world: &world,
        random,
        began: now,
        words: channel(),
        summary: Summary::default(),
        last_audit: now,
        last_line: now,
        struck: 0,
    };
    thread::scope(|scope| run.go(scope, tell))
}

impl<'w> Run<'w> {
    fn go<'s>(mut self, scope: &'s Scope<'s, '_>, tell: &mut dyn FnMut(&str)) -> Result<Summary, Box<Violation>>
    where
        'w: 's,
    {
        let mut list_due = false;
        loop {
            self.hear()?;
            self.judge()?;
            let left = self.plan.time.saturating_sub(self.began.elapsed());
            let pending = self.tracks.iter().filter(|t| t.pending.is_some()).count();
            if left.is_zero() && pending == 0 {
                break;
            }
            if !left.is_zero() {
                match self.next_disaster() {
                    Some(disaster) if pending == 0 || matches!(disaster, Disaster::Reboot | Disaster::Plug) => {
                        self.strike(disaster);
                    }
                    // VirtualBox's server dies between events: what its death does to one under way is nobody's promise.
                    Some(_) => {}
                    None => (pending..self.plan.width).for_each(|_| self.begin(scope)),
                }
            }
            if self.last_audit.elapsed() > AUDIT {
                self.last_audit = Instant::now();
                self.audit();
            }
            if self.last_line.elapsed() > MINUTE {
                self.last_line = Instant::now();
                tell(&self.line());
                list_due = true;
            }
            // Not in the middle of a disaster, when VirtualBox may have no answer.
            if list_due && self.tracks.iter().all(|t| t.pending.as_ref().is_none_or(|p| p.patience != PATIENCE_ALL)) {
                list_due = false;
                self.compare_list()?;
            }
            sleep(TICK);
        }
        self.audit();
        while self.tracks.iter().any(|t| t.pending.is_some()) {
            self.judge()?;
            sleep(TICK);
        }
        self.compare_list()?;
        self.summary.starts = self.chronicle.all_starts();
        self.summary.seconds = self.began.elapsed().as_secs();
        tell(&self.line());
        Ok(self.summary)
    }

    // --- what happens ------------------------------------------------------------------------------------------------

    /// Has something happen to a VM to which nothing happens yet.
    fn begin<'s>(&mut self, scope: &'s Scope<'s, '_>)
    where
        'w: 's,
    {
        let number = self.random.usize(..self.tracks.len());
        if self.tracks[number].pending.is_some() {
            return;
        }
        let event = events::choose(&self.tracks[number].vm, &mut self.random);
        let outcomes = self.tracks[number].vm.after(event);
        let rules = outcomes.first().map_or(self.tracks[number].vm.rules, |vm| vm.rules);
        let pause = Duration::from_millis(self.random.u64(..400));
        *self.summary.events.entry(format!("{event:?}")).or_default() += 1;
        self.expect(number, format!("{event:?}"), outcomes, PATIENCE, false);
        let (world, say) = (self.world, self.words.0.clone());
        scope.spawn(move || {
            let played = std::panic::catch_unwind(|| world.play(&world.machines[number], event, &rules, pause));
            let wrong = played.unwrap_or_else(|_| vec!["the event itself failed".to_string()]);
            // Where nobody listens any more, the run is over.
            let _ = say.send((number, wrong));
        });
    }

    fn expect(&mut self, number: usize, what: String, outcomes: Vec<Vm>, patience: Duration, over: bool) {
        let at = self.began.elapsed().as_secs_f32();
        let track = &mut self.tracks[number];
        track.history.push(format!("{at:8.1} s  {what}"));
        track.pending = Some(Pending::new(what, outcomes, patience, over));
    }

    /// The next disaster, when it is time for one; evenly over the run, each kind in turn.
    fn next_disaster(&self) -> Option<Disaster> {
        let share = self.plan.time / (self.plan.disasters + 1);
        let due = self.struck < self.plan.disasters && self.began.elapsed() > share * (self.struck + 1);
        let first = self.plan.seed as usize;
        due.then(|| Disaster::ALL[(first + self.struck as usize) % Disaster::ALL.len()])
    }

    fn strike(&mut self, disaster: Disaster) {
        self.struck += 1;
        *self.summary.events.entry(format!("{disaster:?}")).or_default() += 1;
        self.world.strike(disaster);
        for number in 0..self.tracks.len() {
            let track = &self.tracks[number];
            let outcomes = match disaster {
                Disaster::ServerKilled | Disaster::ServerEnded => track.vm.after_server_death(),
                Disaster::Reboot | Disaster::Plug => after_boot(track, disaster == Disaster::Reboot),
            };
            let over = track.pending.as_ref().is_none_or(|pending| pending.over);
            self.expect(number, format!("{disaster:?}"), outcomes, PATIENCE_ALL, over);
        }
    }

    // --- what must hold ----------------------------------------------------------------------------------------------

    /// Takes in which events are over.
    fn hear(&mut self) -> Result<(), Box<Violation>> {
        while let Ok((number, wrong)) = self.words.1.try_recv() {
            if !wrong.is_empty() {
                return Err(self.violation(number, wrong));
            }
            if let Some(pending) = &mut self.tracks[number].pending {
                pending.over = true;
            }
        }
        Ok(())
    }

    /// Looks at every VM on its way, and takes those as settled that are where they should be.
    fn judge(&mut self) -> Result<(), Box<Violation>> {
        let processes = Processes::now(&self.world.root);
        let words = self.world.vbox.words();
        self.chronicle.read_on();
        self.summary.most_processes = self.summary.most_processes.max(processes.count);
        if let Some(uuid) = self.chronicle.second_copies.first() {
            let number = self.world.machines.iter().position(|m| m.uuid == *uuid).unwrap_or_default();
            return Err(self.violation(number, vec!["two copies of the VM ran at a time".to_string()]));
        }
        for number in 0..self.tracks.len() {
            let Some(pending) = &self.tracks[number].pending else { continue };
            if !pending.over {
                continue;
            }
            let seen = self.look(number, &processes, &words);
            let right = pending.outcomes.iter().find(|vm| differences(vm, &seen).is_empty()).cloned();
            let waited = pending.since.elapsed();
            if right.is_none() && waited > pending.patience {
                let closest = pending.outcomes.iter().map(|vm| differences(vm, &seen)).min_by_key(Vec::len);
                let mut wrong = closest.unwrap_or_default();
                wrong.push(format!("after {waited:?}; seen: {seen:?}; right would be: {:?}", pending.outcomes));
                return Err(self.violation(number, wrong));
            }
            let Some(pending) = &mut self.tracks[number].pending else { continue };
            match (right, pending.right_since) {
                (None, _) => pending.right_since = None,
                (Some(_), None) => pending.right_since = Some(Instant::now()),
                (Some(vm), Some(since)) if since.elapsed() >= SETTLED => {
                    self.summary.took(waited, &pending.what, &self.world.machines[number].name);
                    self.tracks[number].vm = vm;
                    self.tracks[number].pending = None;
                }
                (Some(_), Some(_)) => {}
            }
        }
        Ok(())
    }

    fn look(&self, number: usize, processes: &Processes, words: &BTreeMap<String, String>) -> Seen {
        look(&self.world.host(), &self.world.machines[number], processes, &self.chronicle, words)
    }

    /// VMs to which nothing happens must still be as they were.
    fn audit(&mut self) {
        for track in self.tracks.iter_mut().filter(|t| t.pending.is_none()) {
            let same = vec![track.vm.clone()];
            track.pending = Some(Pending::new("nothing: looked at".to_string(), same, MINUTE / 4, true));
        }
    }

    /// `list --json` must tell of every VM that is settled what the model says.
    fn compare_list(&mut self) -> Result<(), Box<Violation>> {
        let before: Vec<bool> = self.tracks.iter().map(Track::is_settled).collect();
        let listed = report::listed(&self.world.host());
        for (number, track) in self.tracks.iter().enumerate().filter(|(number, _)| before[*number]) {
            let machine = &self.world.machines[number];
            let wrong = report::differences(&track.vm, listed.get(&machine.fmri));
            if !wrong.is_empty() {
                return Err(self.violation(number, wrong));
            }
        }
        self.summary.lists += 1;
        Ok(())
    }

    // --- telling -----------------------------------------------------------------------------------------------------

    fn line(&self) -> String {
        let of = |service| self.tracks.iter().filter(|t| t.vm.service == service).count();
        let running = self.tracks.iter().filter(|t| t.vm.state == State::Running).count();
        format!(
            "{:5.1} min: {} events, {} starts; {running} running, {} online, {} disabled, {} in maintenance",
            self.began.elapsed().as_secs_f32() / 60.0,
            self.summary.events.values().sum::<u32>(),
            self.chronicle.all_starts(),
            of(Service::Online),
            of(Service::Disabled),
            of(Service::Maintenance),
        )
    }

    fn violation(&self, number: usize, wrong: Vec<String>) -> Box<Violation> {
        let (machine, track) = (&self.world.machines[number], &self.tracks[number]);
        Box::new(Violation {
            seed: self.plan.seed,
            machine: machine.clone(),
            during: track.pending.as_ref().map_or("nothing".to_string(), |pending| pending.what.clone()),
            rules: format!("{:?}", track.vm.rules),
            wrong,
            history: track.history.clone(),
            log: self.world.host().log(&machine.fmri),
        })
    }
}

impl Track {
    fn is_settled(&self) -> bool {
        self.pending
            .as_ref()
            .is_none_or(|p| p.outcomes.len() == 1 && p.outcomes[0] == self.vm && p.right_since.is_some())
    }
}

/// What is right after a boot: for a VM on its way, whatever part of the way it had gone.
fn after_boot(track: &Track, orderly: bool) -> Vec<Vm> {
    let Some(pending) = &track.pending else { return track.vm.after_boot(orderly) };
    let all = pending.outcomes.iter().chain([&track.vm]);
    let ends: Vec<Vm> = all.flat_map(|vm| vm.after_boot(orderly)).collect();
    let fewest = ends.iter().map(|vm| vm.starts).min().unwrap_or_default();
    let most = ends.iter().map(|vm| vm.starts).max().unwrap_or_default();
    let anyhow = |vm: Vm, starts| match vm.state.is_up() {
        true => Vm { starts, ..vm },
        false => Vm { starts, state: State::Lost, ..vm },
    };
    ends.into_iter().flat_map(|vm| (fewest..=most).map(move |starts| anyhow(vm.clone(), starts))).collect()
}
