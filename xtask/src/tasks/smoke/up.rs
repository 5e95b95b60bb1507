//! How a guest comes up: it goes on from a snapshot of an earlier boot, or it boots, and a snapshot is made of that.
//!
//! A guest that was just kept goes on from its snapshot, too: every run has gone the same way, and a snapshot of no use
//! shows at once. Whatever fails about snapshots, the run still has its guest, by a boot.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use super::prepare::{Parts, Snapshots};
use crate::smoke::event::Event;
use crate::smoke::guest::booted::{BootError, Guest};
use crate::smoke::guest::disk::Base;
use crate::smoke::guest::migration::Sum;
use crate::smoke::guest::snapshot::{About, Found, Unfinished};

/// Tells whoever wants to know.
type Tell<'a> = &'a mut dyn FnMut(Event);

fn say(tell: Tell, text: String) {
    tell(Event::Host { text });
}

/// Brings the guest up and has it fetch the packages.
pub fn up(parts: &mut Parts, folder: &Path, tell: Tell) -> Result<Guest> {
    let mut guest = match parts.found.take() {
        Some(found) => resumed_or_booted(parts, found, folder, tell)?,
        None => booted(parts, folder, tell)?,
    };
    with_screen(guest.unpack(&parts.files))?;
    say(tell, "the packages are there".to_string());
    Ok(guest)
}

fn resumed_or_booted(parts: &Parts, found: Found, folder: &Path, tell: Tell) -> Result<Guest> {
    let error = match resumed(parts, &found, folder, tell) {
        Ok(guest) => return Ok(guest),
        Err(error) => error,
    };
    say(tell, format!("the snapshot of {} is of no use and is thrown away: {error:#}", found.about.taken));
    drop(found);
    parts.store.discard(&parts.key)?;
    booted(parts, folder, tell)
}

fn resumed(parts: &Parts, found: &Found, folder: &Path, tell: Tell) -> Result<Guest> {
    parts.disk_over(Base::Image { path: &found.disk(), format: "qcow2" })?;
    let start = parts.start_with(folder);
    let guest = with_screen(Guest::resume(start(&mut |text| say(tell, text.to_string())), found))?;
    tell(Event::Resumed { taken: found.about.taken.clone() });
    Ok(guest)
}

fn booted(parts: &Parts, folder: &Path, tell: Tell) -> Result<Guest> {
    let guest = boot(parts, folder, tell)?;
    if parts.snapshots == Snapshots::Unused { Ok(guest) } else { kept(parts, guest, folder, tell) }
}

fn boot(parts: &Parts, folder: &Path, tell: Tell) -> Result<Guest> {
    parts.fresh_disk()?;
    let start = parts.start_with(folder);
    with_screen(Guest::boot(start(&mut |text| say(tell, text.to_string()))))
}

/// Makes a snapshot of a guest that is up, and goes on from it.
fn kept(parts: &Parts, mut guest: Guest, folder: &Path, tell: Tell) -> Result<Guest> {
    let frozen = parts.store.begin(&parts.key).map_err(anyhow::Error::from).and_then(|made| {
        let state = guest.freeze(&made.state()).map_err(anyhow::Error::from);
        Ok((made, state?))
    });
    let (made, state) = match frozen {
        Ok(frozen) => frozen,
        Err(error) => {
            say(tell, format!("no snapshot of it can be made: {error:#}"));
            with_screen(guest.thaw())?;
            return Ok(guest);
        }
    };
    guest.end();
    let gone_on = published(parts, made, state).and_then(|found| {
        let size = (found.about.state.bytes + found.about.disk.bytes) / 1_000_000;
        say(tell, format!("a snapshot of it is kept, {size} MB"));
        resumed(parts, &found, folder, tell)
    });
    gone_on.or_else(|error| {
        say(tell, format!("the snapshot of it is of no use: {error:#}"));
        parts.store.discard(&parts.key)?;
        boot(parts, folder, tell)
    })
}

fn published(parts: &Parts, made: Unfinished, state: Sum) -> Result<Found> {
    move_file(&parts.disk, &made.disk())?;
    if let Some(key) = &parts.own_key {
        fs::copy(key, made.key()).with_context(|| format!("cannot copy {}", key.display()))?;
    }
    let disk = Sum::of_file(&made.disk()).context("cannot read the disk")?;
    let taken = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string();
    let found = parts.store.publish(&parts.key, made, &About { taken, state, disk })?;
    found.context("another run has taken the snapshot away")
}

/// Renames it, or copies it where that leads to another file system.
fn move_file(from: &Path, to: &Path) -> Result<()> {
    let moved = match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, to).and_then(|_| fs::remove_file(from))
        }
        other => other,
    };
    moved.with_context(|| format!("cannot move {} to {}", from.display(), to.display()))
}

/// The error with what the guest showed at last.
fn with_screen<T>(ended: Result<T, BootError>) -> Result<T> {
    ended.map_err(|error| {
        let screen = error.screen().to_string();
        let error = anyhow::Error::new(error);
        if screen.is_empty() { error } else { error.context(format!("the last screen of the guest:\n{screen}\n")) }
    })
}
