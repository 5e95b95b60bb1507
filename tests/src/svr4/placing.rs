//! Puts the objects of a package in place, class by class, and says what went wrong with which.

use std::path::PathBuf;

use super::class::{self, Action};
use super::install::{Job, Placed};
use super::map::Object;
use super::script::{judge, run};
use super::{Quit, files};

impl Job<'_> {
    /// Puts the objects of one class in place.
    pub(super) fn class(&mut self, class: &str) -> Result<(), Quit> {
        println!("## Installing part 1 of 1 (class <{class}>).");
        let action = class::action('i', class, &self.source.join("install"), self.order.system);
        let (here, others) =
            std::mem::take(&mut self.placed).into_iter().partition(|p: &Placed| p.object.class == class);
        self.placed = others;
        let mut lines = String::new();
        for placed in &here {
            match self.place(placed, &action) {
                Ok(Some(source)) => lines.push_str(&format!("{} {}\n", source.display(), placed.path.display())),
                Ok(None) => {}
                Err(why) => self.fault(&placed.object, &why),
            }
        }
        if let Action::Script(script) = &action {
            let environment = self.environment();
            // Called with nothing to do as well, and for the last time with a word that says so.
            let calls: &[&[&str]] = if lines.is_empty() { &[&["ENDOFCLASS"]] } else { &[&[], &["ENDOFCLASS"]] };
            for args in calls {
                let input = if args.is_empty() { lines.as_str() } else { "" };
                let status = run(script, args, &environment, input, true);
                judge(&format!("class action script for <{class}>"), status, &mut self.marks)?;
            }
            self.verify_attributes(&here);
        }
        Ok(())
    }

    /// After a class script, whose contents are its own affair.
    fn verify_attributes(&mut self, here: &[Placed]) {
        for Placed { object, path, .. } in here {
            if path.symlink_metadata().is_err() {
                self.fault(object, "pathname does not exist");
            } else if object.letter != 's'
                && let Err(failed) = files::set_attributes(object, path)
            {
                self.fault(object, &failed.to_string());
            }
        }
    }

    fn fault(&mut self, object: &Object, why: &str) {
        eprintln!("ERROR: attribute verification of <{}> failed\n    {why}", object.path);
        self.marks.warned = true;
    }

    /// Puts one object in place, or says from where a class script is to take it.
    fn place(&mut self, placed: &Placed, action: &Action) -> Result<Option<PathBuf>, String> {
        let Placed { object, source, path } = placed;
        let said = |failed: std::io::Error| format!("unable to create or copy {}: {failed}", path.display());
        if let Some(unknown) = object.attributes.as_ref().and_then(files::unknown_name) {
            return Err(unknown);
        }
        if !object.is_file() {
            let linked = self.on_disk(object.target.as_deref().unwrap_or_default());
            files::make(object, path, &linked).map_err(said)?;
            println!("{}", path.display());
            return files::set_attributes(object, path).map_err(said).map(|()| None);
        }
        if !source.is_file() {
            return Err(format!("source path <{}> is missing", source.display()));
        }
        let wanted = object.facts.ok_or("no size in pkgmap")?;
        let unchanged = path.symlink_metadata().is_ok_and(|meta| meta.is_file())
            && files::facts_of(path).is_ok_and(|found| found.size == wanted.size && found.cksum == wanted.cksum);
        if !unchanged {
            match action {
                Action::Script(_) => return Ok(Some(source.clone())),
                Action::Copy => files::put(source, path, wanted.mtime).map_err(said)?,
                edit => class::edit(edit, source, path, "install").map_err(said)?,
            }
        }
        println!("{}", path.display());
        files::set_attributes(object, path).map_err(said)?;
        let faults = if matches!(action, Action::Copy) { files::faults(object, path, true) } else { Vec::new() };
        if faults.is_empty() { Ok(None) } else { Err(faults.join("\n    ")) }
    }
}
