//! The operations that change an image: install, update, uninstall, fix. Each makes a plan, gets what it takes, does it,
//! and only then writes down that it was done.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use xtask::ips::format::{CSIZE, SIZE};

use super::actuators::{self, Actuators, Smf};
use super::archive::Archive;
use super::base;
use super::execute::{Execution, Salvaged};
use super::image::Image;
use super::package::Package;
use super::pattern::Pattern;
use super::plan::{Plan, Step, plan};
use super::refused::Refused;
use super::solve::{Choice, Conflict, Set, solve};
use super::verify::verify;

/// How an operation is to be done.
#[derive(Debug, Clone, Default)]
pub struct Manner {
    /// Only say what would be done.
    pub dry: bool,
    pub verbose: bool,
    pub accept: bool,
}

/// An operation in progress on one image of a host.
pub struct Operation<'a> {
    pub host: &'a Path,
    pub image: Image,
    pub manner: Manner,
    /// Where packages come from: those given with the command, then those of the publishers.
    archives: Vec<Archive>,
}

impl<'a> Operation<'a> {
    pub fn new(host: &'a Path, image: Image, manner: Manner, given: &[PathBuf]) -> Result<Operation<'a>, Refused> {
        let configured = image.state.publishers.values().flat_map(|publisher| &publisher.origins);
        let mut paths: Vec<&PathBuf> = given.iter().chain(configured).collect();
        paths.dedup();
        let archives = paths.into_iter().map(|path| Archive::open(path)).collect::<Result<_, _>>()?;
        Ok(Operation { host, image, manner, archives })
    }

    /// Every package that can be had.
    pub fn available(&self) -> Vec<Package> {
        self.archives.iter().flat_map(|archive| archive.packages.iter().cloned()).collect()
    }

    pub fn install(&mut self, patterns: &[Pattern]) -> Result<String, Refused> {
        let available = self.available();
        let asked =
            patterns.iter().map(|pattern| self.candidates(pattern, &available)).collect::<Result<Vec<_>, _>>()?;
        // What says only that a package is gone, or gone elsewhere, brings nothing.
        let retired = |candidates: &Vec<Package>| {
            let marked = |p: &Package| p.is_marked("pkg.obsolete") || p.is_marked("pkg.renamed");
            candidates.first().is_some_and(marked)
        };
        if asked.iter().any(|c| c.first().is_some_and(|p| p.is_marked("pkg.renamed") && depends(p))) {
            return Err(Refused::not_simulated("a renamed package"));
        }
        let asked: Vec<Vec<Package>> = asked.into_iter().filter(|c| !retired(c)).collect();
        self.change_to(&asked, &available, "No updates necessary for this image.")
    }

    pub fn update(&mut self, patterns: &[Pattern]) -> Result<String, Refused> {
        let available = self.available();
        let mut asked = Vec::new();
        for pattern in patterns {
            self.installed(pattern)?;
            asked.push(self.candidates(pattern, &available)?);
        }
        if patterns.is_empty() {
            for package in self.image.state.installed.values() {
                let pattern = Pattern::parse(&format!("pkg:/{}", package.name))?;
                let candidates = self.candidates(&pattern, &available).unwrap_or_default();
                asked.extend((!candidates.is_empty()).then_some(candidates));
            }
        }
        self.change_to(&asked, &available, "No updates available for this image.")
    }

    fn change_to(&mut self, asked: &[Vec<Package>], available: &[Package], nothing: &str) -> Result<String, Refused> {
        let variants = self.image.variants.clone();
        let has_live_image = Image::is_at(self.host);
        let choice = Choice { installed: &self.image.state.installed, available, variants: &variants, has_live_image };
        let wanted = solve(&choice, asked).map_err(|conflict| unsolved(&conflict))?;
        if wanted == self.image.state.installed {
            return Err(Refused::nothing(nothing));
        }
        for package in wanted.values().filter(|p| self.image.state.installed.get(&p.name) != Some(p)) {
            self.source(package)?.check_manifest(package)?;
        }
        let plan = plan(&self.image.state.installed, &wanted, &variants)?;
        self.carry_out(plan, wanted)
    }

    pub fn uninstall(&mut self, patterns: &[Pattern]) -> Result<String, Refused> {
        let mut wanted = self.image.state.installed.clone();
        let mut gone = Vec::new();
        for pattern in patterns {
            let package = self.installed(pattern)?.clone();
            wanted.remove(&package.name);
            gone.push(package);
        }
        let choice = Choice {
            installed: &wanted,
            available: &[],
            variants: &self.image.variants,
            has_live_image: Image::is_at(self.host),
        };
        if let Err(Conflict::Unfit { .. }) = solve(&choice, &[]) {
            let needy = wanted.values().filter(|package| needs(package, &gone)).map(Package::shown);
            let needy = needy.collect::<Vec<_>>().join("\n  ");
            let named = gone.first().map(Package::shown).unwrap_or_default();
            return Err(Refused::oops(format!(
                "Unable to remove '{named}' due to the following packages that depend on it:\n  {needy}"
            )));
        }
        let plan = plan(&self.image.state.installed, &wanted, &self.image.variants.clone())?;
        self.carry_out(plan, wanted)
    }

    /// Puts right what `verify` objects to.
    pub fn fix(&mut self, patterns: &[Pattern]) -> Result<String, Refused> {
        let mut plan = Plan::default();
        for package in self.chosen(patterns)? {
            for broken in verify(&self.image, package) {
                let action = broken.action.clone();
                plan.updates.push(Step {
                    package: package.name.clone(),
                    old: Some(action.clone()),
                    new: Some(action),
                    is_initial: false,
                    is_last: false,
                    is_downgrade: false,
                    is_repair: true,
                });
            }
        }
        if plan.is_empty() {
            return Err(Refused::nothing("No repairs for this image."));
        }
        let same = self.image.state.installed.clone();
        self.carry_out(plan, same)
    }

    /// The installed packages that the patterns mean; without any, all.
    pub fn chosen(&self, patterns: &[Pattern]) -> Result<Vec<&Package>, Refused> {
        if patterns.is_empty() {
            return Ok(self.image.state.installed.values().collect());
        }
        patterns.iter().map(|pattern| self.installed(pattern)).collect()
    }

    fn installed(&self, pattern: &Pattern) -> Result<&Package, Refused> {
        self.image.state.installed.values().find(|package| pattern.matches(package)).ok_or_else(|| {
            Refused::oops(format!(
                "no packages matching the following patterns are installed on the system:\n\t{}",
                pattern.text()
            ))
        })
    }

    /// The packages that a pattern means and the image can have, the newest first.
    fn candidates(&self, pattern: &Pattern, available: &[Package]) -> Result<Vec<Package>, Refused> {
        let mut found: Vec<Package> = available.iter().filter(|p| pattern.matches(p)).cloned().collect();
        let installed = &self.image.state.installed;
        if found.is_empty() {
            // What is there already is no error to ask for.
            let there: Vec<Package> = installed.values().filter(|p| pattern.matches(p)).cloned().collect();
            let why = format!(
                "The following pattern(s) did not match any allowable packages. Try using a different matching \
                 pattern, or refreshing publisher information:\n\n\t{}",
                pattern.text()
            );
            return if there.is_empty() { Err(Refused::oops(why)) } else { Ok(there) };
        }
        let names: BTreeSet<String> = found.iter().map(|p| p.name.clone()).collect();
        if names.len() > 1 {
            let list = names.into_iter().collect::<Vec<_>>().join("\n\t");
            return Err(Refused::oops(format!("'{}' matches multiple packages\n\t{list}", pattern.text())));
        }
        if !found.iter().any(|p| p.fits(&self.image.variants)) {
            return Err(Refused::oops(format!(
                "The following pattern(s) only matched packages that are not available for the current image's \
                 architecture, zone type, and/or other variant:\n\t{}",
                pattern.text()
            )));
        }
        found.retain(|p| p.fits(&self.image.variants));
        let old = found.first().and_then(|p| installed.get(&p.name));
        if let Some(old) = old {
            if !found.iter().any(|p| p.publisher == old.publisher) {
                return Err(Refused::oops(format!(
                    "The following patterns only matched packages that are from publishers other than that which \
                     supplied the already installed version of this package\n\t{}",
                    pattern.text()
                )));
            }
            found.retain(|p| p.publisher == old.publisher);
            // It goes up, unless a version is asked for.
            if !pattern.has_version() {
                found.retain(|p| p.order() >= old.order());
                if found.iter().all(|p| p.order() == old.order()) {
                    return Ok(vec![old.clone()]);
                }
            }
        }
        found.sort_by_key(|p| std::cmp::Reverse(p.order()));
        Ok(found)
    }

    fn source(&self, package: &Package) -> Result<&Archive, Refused> {
        let has = |archive: &&Archive| archive.packages.contains(package);
        self.archives.iter().find(has).ok_or_else(|| {
            Refused::oops(format!("{}: no origin of publisher {} has it", package.fmri(), package.publisher))
        })
    }

    /// Everything that can fail without anything having happened comes first.
    fn carry_out(&mut self, plan: Plan, wanted: Set) -> Result<String, Refused> {
        self.check_accounts(&plan)?;
        let actuators = actuators::of(&plan);
        let mut said = self.describe(&plan, &actuators);
        if self.manner.dry {
            return Ok(said);
        }
        self.check_licenses(&plan)?;
        self.check_space(&plan)?;
        let fetched = self.fetch(&plan);
        let done = fetched.and_then(|()| self.execute(&plan, &actuators, wanted));
        // A cache that stays is no harm.
        let _ = fs::remove_dir_all(self.image.cache());
        let salvaged = done?;
        if !salvaged.is_empty() {
            said += "\nThe following unexpected or editable files and directories were\nsalvaged while executing the \
                     requested package operation; they\nhave been moved to the displayed location in the image:\n\n";
            said.extend(salvaged.into_iter().map(|(from, to)| format!("  {from} -> {to}\n")));
        }
        Ok(said)
    }

    fn execute(&mut self, plan: &Plan, actuators: &Actuators, wanted: Set) -> Result<Salvaged, Refused> {
        let smf = self.image.is_live.then_some(Smf { host: self.host });
        let suspended = smf.as_ref().map(|smf| smf.before(actuators)).transpose()?.unwrap_or_default();
        let mut execution = Execution::new(&self.image);
        if let Err(error) = execution.run(plan) {
            smf.iter().try_for_each(|smf| smf.failed(&suspended))?;
            return Err(error);
        }
        let salvaged = execution.salvaged;
        for package in wanted.values() {
            // A package given by hand leaves its publisher behind, without an origin.
            self.image.state.publishers.entry(package.publisher.clone()).or_default();
        }
        self.image.state.installed = wanted;
        self.image.save()?;
        smf.iter().try_for_each(|smf| smf.after(actuators, &suspended))?;
        Ok(salvaged)
    }

    fn fetch(&self, plan: &Plan) -> Result<(), Refused> {
        let cache = self.image.cache();
        fs::create_dir_all(&cache).map_err(Refused::at(cache.display()))?;
        let names: BTreeSet<&str> = plan.contents().map(|(step, _)| step.package.as_str()).collect();
        for name in names {
            let changed = plan.changes.get(name).and_then(|(_, new)| new.as_ref());
            let Some(package) = changed.or(self.image.state.installed.get(name)) else { continue };
            let actions = plan.contents().filter(|(step, _)| step.package == name).map(|(_, action)| action);
            self.source(package)?.fetch(package, actions, &cache)?;
        }
        Ok(())
    }

    fn check_accounts(&self, plan: &Plan) -> Result<(), Refused> {
        let root = &self.image.root;
        let placed = plan.updates.iter().chain(&plan.installs).filter_map(|step| step.new.as_ref());
        for action in placed.filter(|a| a.is_file() || a.is_dir()) {
            let (owner, group) = (action.value("owner").unwrap_or_default(), action.value("group").unwrap_or_default());
            for (is_known, what, name) in
                [(base::is_user(root, owner), "user", owner), (base::is_group(root, group), "group", group)]
            {
                if !is_known {
                    return Err(Refused::oops(format!("{}: {what} '{name}' is unknown or invalid", action.path())));
                }
            }
        }
        Ok(())
    }

    fn check_licenses(&self, plan: &Plan) -> Result<(), Refused> {
        let asks = |step: &&Step| {
            let must = step.new.as_ref().and_then(|new| new.value("must-accept"));
            must.is_some_and(|value| value.eq_ignore_ascii_case("true"))
        };
        match plan.installs.iter().chain(&plan.updates).find(asks) {
            Some(step) if !self.manner.accept => Err(Refused::license(format!(
                "The following packages require their licenses to be accepted before they can be installed or \
                 updated:\n  {}\nTo indicate that you agree to and accept the terms of the licenses of the packages \
                 listed above, use the --accept option.",
                step.package
            ))),
            _ => Ok(()),
        }
    }

    fn check_space(&self, plan: &Plan) -> Result<(), Refused> {
        let sum = |attribute: &str| -> u64 {
            plan.contents().filter_map(|(_, a)| a.value(attribute)?.parse::<u64>().ok()).sum()
        };
        let root = &self.image.root;
        let space = statvfs(root).map_err(|errno| Refused::oops(format!("{}: {errno}", root.display())))?;
        let available = space.blocks_available().saturating_mul(space.fragment_size());
        for (needed, what) in [(sum(CSIZE), "Download cache"), (sum(SIZE), "Root filesystem")] {
            if needed > available {
                return Err(Refused::oops(format!(
                    "Insufficient disk space available ({available} B) for estimated need ({needed} B) for {what}"
                )));
            }
        }
        Ok(())
    }

    fn describe(&self, plan: &Plan, actuators: &Actuators) -> String {
        let count = |wanted: fn(bool, bool) -> bool| {
            plan.changes.values().filter(|(old, new)| wanted(old.is_some(), new.is_some())).count()
        };
        let services = actuators.listed();
        let rows = [
            ("Packages to remove", count(|old, new| old && !new)),
            ("Packages to install", count(|old, new| !old && new)),
            ("Packages to update", count(|old, new| old && new)),
            ("Services to change", services.len()),
        ];
        let mut text = String::new();
        for (label, number) in rows.into_iter().filter(|(_, number)| *number > 0) {
            text += &format!("{label:>25}: {number:>3}\n");
        }
        text += &format!("{:>25}:  No\n", "Create boot environment");
        if self.manner.verbose {
            text += "\nChanged packages:\n";
            for (name, (old, new)) in &plan.changes {
                let version = |p: &Option<Package>| p.as_ref().map_or("None".to_string(), Package::shown_version);
                text += &format!("  {name}\n    {} -> {}\n", version(old), version(new));
            }
            text += "\nServices:\n";
            text.extend(services.iter().map(|(word, fmri)| format!("  {word}:\n    {fmri}\n")));
        }
        text
    }
}

fn depends(package: &Package) -> bool {
    package.actions.iter().any(|a| a.kind == "depend")
}

/// Whether a package names one of these in what it cannot do without.
fn needs(package: &Package, gone: &[Package]) -> bool {
    let hard = |a: &&super::package::Action| {
        a.kind == "depend" && matches!(a.value("type"), Some("require" | "require-any" | "conditional"))
    };
    package.actions.iter().filter(hard).any(|action| {
        action
            .values("fmri")
            .filter_map(|f| f.parse::<xtask::ips::Fmri>().ok())
            .any(|fmri| gone.iter().any(|package| package.name == fmri.name.as_str()))
    })
}

fn unsolved(conflict: &Conflict) -> Refused {
    match conflict {
        Conflict::NoLiveImage => Refused::oops("No image rooted at '/'"),
        Conflict::Unfit { package, reason } => Refused::oops(format!(
            "No matching version of {} can be installed:\n  Reject:  {package}\n  Reason:  {reason}",
            package
                .split('@')
                .next()
                .and_then(|p| p.strip_prefix("pkg://"))
                .and_then(|p| p.split_once('/'))
                .map_or("", |p| p.1)
        )),
    }
}
