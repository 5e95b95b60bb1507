//! Our own rules for what a package should be, beyond what would be refused. A rule judges a view, whatever its format.
//!
//! | id | level | what it says |
//! |---|---|---|
//! | `setuid-file` | error | a file runs with another user's or group's rights |
//! | `world-writable` | error | anybody may change a file, or what is in a folder that is not sticky |
//! | `path-forbidden` | error | an entry lies where no package may put anything |
//! | `executable-without-x` | error | a program or method that nobody may run |
//! | `manifest-class` | error | SVR4: an SMF manifest outside the class whose script imports it |
//! | `manifest-restart` | error | IPS: an SMF manifest without the actuator that imports it |
//! | `owner-not-root` | warning | somebody other than root may change an entry's mode |
//! | `system-folder-owned` | warning | a folder of the system's is delivered, and its owner and mode with it |
//! | `data-with-x` | warning | documentation or a manifest that may be run |
//! | `link-absolute` | warning | a link that leads out of an alternate root |
//! | `link-outside` | warning | a link to what the package does not hold |
//! | `install-script` | warning | a script that runs as root when the package is installed or removed |
//! | `documentation-missing` | warning | nothing below usr/share/doc or usr/share/man |
//! | `licence-missing` | warning | no licence action, copyright file or LICENSE among the documentation |
//! | `dependency-none` | warning | depends on nothing |
//! | `description-empty` | warning | does not say what it is |
//! | `pstamp-machine` | warning | PSTAMP is not the package's name and a time: it may name the building machine |
//! | `times-vary` | warning | files' times differ, so the bytes depend on when they were made |

pub mod allow;
mod entries;
mod package;
#[cfg(test)]
mod tests;

use serde::Serialize;

use crate::finding::Level;
use crate::package_view::View;

/// One rule broken in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    pub id: &'static str,
    pub level: Level,
    pub package: String,
    /// None where it is about the package as a whole.
    pub path: Option<String>,
    pub message: String,
}

/// Collects what breaks the rules of one package.
struct Breaches<'a> {
    view: &'a View,
    found: Vec<Breach>,
}

impl Breaches<'_> {
    fn add(&mut self, id: &'static str, level: Level, path: Option<&str>, message: String) {
        let (package, path) = (self.view.name.clone(), path.map(str::to_owned));
        self.found.push(Breach { id, level, package, path, message });
    }
}

/// Judges a package by every rule.
pub fn check(view: &View) -> Vec<Breach> {
    let mut breaches = Breaches { view, found: Vec::new() };
    package::check(view, &mut breaches);
    view.entries.iter().for_each(|entry| entries::check(entry, view, &mut breaches));
    breaches.found
}

/// Whether a path is the folder, or below it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
