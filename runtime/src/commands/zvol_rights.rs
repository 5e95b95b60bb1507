//! `zvol-rights`: keeps the rights on volumes' device nodes in the volumes, and puts them back.
//!
//! It runs as its caller and needs no instance.

use std::io::{ErrorKind, Write};

use super::subject::World;
use crate::exec::SystemRunner;
use crate::exit::{Exit, failure};
use crate::log::{Log, printable};
use crate::zfs::parse::OwnedVolume;
use crate::zfs::{Zfs, ZfsError};
use crate::zvol::nodes::{NodeError, Nodes};
use crate::zvol::rights::{Rights, Saved, to_save};

/// Where the device nodes of all zones' volumes are.
const GLOBAL: &str = "global";
/// Volumes that are the system's own.
pub const SKIPPED: [&str; 2] = ["rpool/swap", "rpool/dump"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Save,
    Restore,
    List,
}

/// Which volumes are meant, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Volumes, or datasets above them; none = every volume.
    pub datasets: Vec<String>,
    /// Left out, unless `datasets` names them.
    pub skip: Vec<String>,
    /// Skips nothing, not even what zones have, and saves the rights of new nodes as well.
    pub all: bool,
    pub dry_run: bool,
}

struct Work<'a> {
    zfs: Zfs<'a>,
    nodes: Nodes<'a>,
    log: Log,
    choice: &'a Choice,
}

/// 95: all volumes failed; 126: some did.
pub fn run(world: &World, action: Action, choice: &Choice) -> anyhow::Result<Exit> {
    let missing = |error: crate::tools::NotFound| failure(Exit::Config, error.to_string());
    let work = Work {
        zfs: Zfs::new(&SystemRunner, &world.tools).map_err(missing)?,
        nodes: Nodes::new(&SystemRunner, &world.tools).map_err(missing)?,
        log: Log::new("zvol-rights", false),
        choice,
    };
    let (volumes, unknown) = choose(choice, work.zfs.owned_volumes()?);
    for name in &unknown {
        work.log.error(format!("{name} is no volume, and none is below it"));
    }
    let volumes = match action {
        Action::Restore if world.zone() == GLOBAL => work.without_those_of_zones(volumes)?,
        _ => volumes,
    };
    let (mut right, mut wrong) = (0, unknown.len());
    for volume in &volumes {
        let done = match action {
            Action::Save => work.save(volume),
            Action::Restore => work.restore(volume),
            Action::List => work.list(volume),
        };
        match done {
            Ok(()) => right += 1,
            Err(error) => {
                work.log.error(format!("{}: {error:#}", volume.name));
                wrong += 1;
            }
        }
    }
    Ok(match (right, wrong) {
        (_, 0) => Exit::Ok,
        (0, _) => Exit::Fatal,
        _ => Exit::Other,
    })
}

fn is_below(volume: &str, dataset: &str) -> bool {
    volume.strip_prefix(dataset).is_some_and(|rest| rest.starts_with('/'))
}

/// The volumes meant, and the names that mean none.
fn choose(choice: &Choice, volumes: Vec<OwnedVolume>) -> (Vec<OwnedVolume>, Vec<String>) {
    let named = |volume: &OwnedVolume| choice.datasets.contains(&volume.name);
    let meant = |volume: &OwnedVolume| {
        choice.datasets.is_empty() || named(volume) || choice.datasets.iter().any(|d| is_below(&volume.name, d))
    };
    let unknown = choice.datasets.iter().filter(|d| !volumes.iter().any(|v| v.name == **d || is_below(&v.name, d)));
    let unknown = unknown.cloned().collect();
    let skipped = |volume: &OwnedVolume| !choice.all && !named(volume) && choice.skip.contains(&volume.name);
    (volumes.into_iter().filter(|volume| meant(volume) && !skipped(volume)).collect(), unknown)
}

impl Work<'_> {
    /// What a volume's properties say below a file system that a zone has, its administrator says: that is nobody to
    /// give rights in the global zone.
    fn without_those_of_zones(&self, volumes: Vec<OwnedVolume>) -> anyhow::Result<Vec<OwnedVolume>> {
        if self.choice.all || volumes.is_empty() {
            return Ok(volumes);
        }
        let delegated = self.zfs.delegated()?;
        let (theirs, ours): (Vec<_>, Vec<_>) = volumes.into_iter().partition(|volume| {
            !self.choice.datasets.contains(&volume.name) && delegated.iter().any(|d| is_below(&volume.name, d))
        });
        for volume in theirs {
            self.log.info(format!("{} is left to its zone; name it to have its rights restored here", volume.name));
        }
        Ok(ours)
    }

    fn save(&self, volume: &OwnedVolume) -> anyhow::Result<()> {
        let [dsk, rdsk] = self.rights(volume)?;
        let Some(rights) = to_save(dsk.as_ref(), rdsk.as_ref(), self.choice.all)? else { return Ok(()) };
        // What cannot be used is written anew.
        let saved = Saved::of(volume).unwrap_or_default();
        for (property, value) in saved.changes_to(rights) {
            self.log.info(format!("{}{}: {property}={value}", self.would(), volume.name));
            if !self.choice.dry_run {
                self.zfs.set(property, &value, &volume.name).map_err(with_remedy)?;
            }
        }
        Ok(())
    }

    fn restore(&self, volume: &OwnedVolume) -> anyhow::Result<()> {
        let saved = Saved::of(volume)?;
        if saved.is_empty() {
            return Ok(());
        }
        for (path, rights) in self.nodes.of(&volume.name).iter().zip(self.rights(volume)?) {
            let shown = path.display();
            let Some(rights) = rights else {
                self.log.warn(format!("{shown} does not exist"));
                continue;
            };
            if rights.acl.is_some() && saved.acl.is_none() {
                // Nodes are numbered as they come up, and an ACL may be left from the one that had the number before.
                self.log.warn(format!("{shown} has an ACL that was not saved with it: chmod A- {shown} removes it"));
            }
            if self.choice.dry_run {
                self.log.info(format!("would give {shown} ({rights}) what was saved ({saved})"));
                continue;
            }
            for done in self.nodes.restore(path, &rights, &saved).map_err(as_root)? {
                self.log.info(format!("{shown}: {done}"));
            }
        }
        Ok(())
    }

    fn list(&self, volume: &OwnedVolume) -> anyhow::Result<()> {
        let saved = match Saved::of(volume) {
            Ok(saved) => saved.to_string(),
            Err(error) => format!("of no use: {error}"),
        };
        let text = |rights: Result<Option<Rights>, NodeError>| match rights {
            Ok(Some(rights)) => rights.to_string(),
            Ok(None) => "no node".to_string(),
            Err(error) => format!("not known: {error}"),
        };
        let [dsk, rdsk] = self.nodes.of(&volume.name).map(|path| text(self.nodes.look(&path)));
        let lines = [("saved", saved), ("dsk", dsk), ("rdsk", rdsk)];
        let lines: String = lines.iter().map(|(what, text)| format!("  {what:<6} {}\n", printable(text))).collect();
        std::io::stdout().write_all(format!("{}\n{lines}", volume.name).as_bytes())?;
        Ok(())
    }

    fn rights(&self, volume: &OwnedVolume) -> Result<[Option<Rights>; 2], NodeError> {
        let [dsk, rdsk] = self.nodes.of(&volume.name);
        Ok([self.nodes.look(&dsk)?, self.nodes.look(&rdsk)?])
    }

    fn would(&self) -> &'static str {
        if self.choice.dry_run { "would set " } else { "" }
    }
}

fn with_remedy(error: ZfsError) -> anyhow::Error {
    match error {
        ZfsError::Denied { .. } => anyhow::anyhow!("{error}: run it as root, or zfs allow -u YOU userprop the volume"),
        error => error.into(),
    }
}

fn as_root(error: NodeError) -> anyhow::Error {
    match &error {
        NodeError::Give { source, .. } | NodeError::Mode { source, .. }
            if source.kind() == ErrorKind::PermissionDenied =>
        {
            anyhow::anyhow!("{error}: run it as root, for example by pfexec")
        }
        _ => error.into(),
    }
}

#[cfg(test)]
mod tests;
