//! The administration file: what pkgadd and pkgrm do where they would ask.

use std::fs;
use std::io::{self, BufRead};
use std::path::Path;

use super::{ADMINISTRATION, FATAL, INTERACTION, Quit, USER_QUIT, error};
use crate::svr4::parameters::Parameters;

/// The file that the system is delivered with.
pub const DEFAULT: &str = "mail=\ninstance=unique\npartial=ask\nrunlevel=ask\nidepend=ask\nrdepend=ask\nspace=ask\n\
                           setuid=ask\nconflict=ask\naction=ask\nbasedir=default\n";

pub struct Admin {
    settings: Parameters,
    /// Nobody is there to answer.
    pub quiet: bool,
}

/// What a setting wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    GoOn,
    NoChange,
}

impl Admin {
    /// A file by its path, or by its name in this folder or the system's; `none` asks for everything.
    pub fn read(root: &Path, named: Option<&str>, quiet: bool) -> Result<Admin, Quit> {
        let folder = root.join("var/sadm/install/admin");
        let text = match named.unwrap_or("default") {
            "none" => String::new(),
            name => {
                // A file of the current folder comes before those of the system.
                let here = std::path::PathBuf::from(name);
                let path = if name.contains('/') || here.is_file() { here } else { folder.join(name) };
                match fs::read_to_string(&path) {
                    Ok(text) => text,
                    Err(_) if named.is_none() => DEFAULT.into(),
                    Err(failed) => {
                        error(format!("unable to open admin file <{}>: {failed}", path.display()));
                        return Err(FATAL);
                    }
                }
            }
        };
        let settings = Parameters::parse(&text);
        if settings.get("rscriptalt").is_some_and(|user| user != "noaccess") {
            error("this stand-in runs request scripts as an ordinary user only, whatever rscriptalt says");
            return Err(FATAL);
        }
        Ok(Admin { settings, quiet })
    }

    pub fn get(&self, name: &str) -> &str {
        self.settings.get(name).unwrap_or("ask")
    }

    /// Something that a setting decides about was found.
    pub fn decide(&self, name: &str, found: &str) -> Result<Wish, Quit> {
        match self.get(name) {
            "nocheck" => Ok(Wish::GoOn),
            "nochange" => Ok(Wish::NoChange),
            "quit" => {
                eprintln!("{found}");
                Err(ADMINISTRATION)
            }
            _ => {
                eprintln!("{found}");
                self.ask().map(|()| Wish::GoOn)
            }
        }
    }

    /// Asks a person.
    fn ask(&self) -> Result<(), Quit> {
        if self.quiet {
            return Err(INTERACTION);
        }
        eprint!("\nDo you want to continue with the installation [y,n,?] ");
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        match answer.trim() {
            "y" | "yes" if read.is_ok() => Ok(()),
            _ => Err(USER_QUIT),
        }
    }
}
