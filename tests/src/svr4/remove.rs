//! Removes one package from one root, in the order in which the real pkgremove does.

use std::fs;
use std::path::{Path, PathBuf};

use super::admin::Admin;
use super::class::{self, Action};
use super::contents::Contents;
use super::map::Object;
use super::parameters::Parameters;
use super::script::{Marks, judge, run};
use super::{FATAL, INTERNAL, Quit, REMOVE_LOCK, checks, depend, error, package_folder, zone};

pub struct Order<'a> {
    pub system: &'a Path,
    pub root: &'a Path,
    pub alternate: bool,
    pub admin: &'a Admin,
}

/// Removes it and says how that ended.
pub fn remove(order: &Order, name: &str) -> u8 {
    let mut marks = Marks::default();
    let status = match remove_with(order, name, &mut marks) {
        // Unlike pkgadd, pkgrm never asks for a reboot at once.
        Ok(()) => Marks { reboot: marks.reboot.min(10), ..marks }.status(),
        Err(Quit(status)) => status,
    };
    match status {
        0 | 10 => eprintln!("\nRemoval of <{name}> was successful."),
        2 | 12 => eprintln!("\nRemoval of <{name}> partially failed."),
        3 => eprintln!("\nRemoval of <{name}> was terminated due to user request."),
        4 => eprintln!("\nRemoval of <{name}> was suspended (administration)."),
        5 => eprintln!("\nRemoval of <{name}> was suspended (interaction required)."),
        _ => eprintln!("\nRemoval of <{name}> failed."),
    }
    status
}

fn remove_with(order: &Order, name: &str, marks: &mut Marks) -> Result<(), Quit> {
    let folder = package_folder(order.root, name);
    let Ok(mut parameters) = Parameters::read(&folder.join("pkginfo")) else {
        error(format!("no package associated with <{name}>"));
        return Err(FATAL);
    };
    let dependents = depend::dependents(order.root, name);
    if !dependents.is_empty() && order.admin.get("rdepend") != "nocheck" {
        let found = format!(
            "WARNING:\n    The <{}> package depends on the package currently being removed.",
            dependents.join(">, <")
        );
        order.admin.decide("rdepend", &found)?;
    }
    checks::privileged_scripts(order.admin, &folder.join("install"), &["preremove", "postremove"], 'r')?;
    println!("\n## Removing installed package instance <{name}>");
    let failed = |failed: std::io::Error| {
        error(format!("unable to write the package database: {failed}"));
        INTERNAL
    };
    fs::write(folder.join(REMOVE_LOCK), "").map_err(failed)?;
    environment(order, name, &mut parameters);
    procedure("preremove", &folder, &parameters, marks)?;
    let mut contents = Contents::read(order.root).map_err(failed)?;
    let objects: Vec<Object> = contents.of(name).into_iter().map(|row| row.object.clone()).collect();
    // Only what is nobody else's goes; the database forgets all of it.
    let alone: Vec<Object> = objects.into_iter().filter(|object| contents.remove(&object.path, name)).collect();
    let mut classes = parameters.classes();
    classes.reverse();
    for class in classes {
        println!("## Removing pathnames in class <{class}>");
        let mut here: Vec<&Object> = alone.iter().filter(|object| object.class == class).collect();
        here.reverse();
        remove_class(order, class, &here, &folder, &parameters, marks)?;
    }
    procedure("postremove", &folder, &parameters, marks)?;
    println!("## Updating system information.");
    contents.write().map_err(failed)?;
    zone::set_listed(order.root, name, false).map_err(failed)?;
    fs::remove_dir_all(&folder).map_err(failed)
}

fn environment(order: &Order, name: &str, parameters: &mut Parameters) {
    let base = parameters.get("BASEDIR").unwrap_or("/").to_string();
    parameters.set("CLIENT_BASEDIR", base.clone());
    if order.alternate {
        let root = order.root.display().to_string();
        parameters.set("BASEDIR", format!("{}/{}", root.trim_end_matches('/'), base.trim_start_matches('/')));
        parameters.set("PKG_INSTALL_ROOT", root);
    }
    parameters.set("PKGINST", name);
    parameters.set("PATH", "/sbin:/usr/sbin:/usr/bin:/usr/sadm/install/bin");
    parameters.set("TMPDIR", "/var/tmp");
}

fn procedure(word: &str, folder: &Path, parameters: &Parameters, marks: &mut Marks) -> Result<(), Quit> {
    let script = folder.join("install").join(word);
    if !script.is_file() {
        return Ok(());
    }
    println!("## Executing {word} script.");
    let mut environment = parameters.clone();
    environment.set("PKG_PROC_SCRIPT", word);
    judge(&format!("{word} script"), run(&script, &[], &environment, "", true), marks)
}

fn remove_class(
    order: &Order,
    class: &str,
    objects: &[&Object],
    folder: &Path,
    parameters: &Parameters,
    marks: &mut Marks,
) -> Result<(), Quit> {
    let on_disk = |object: &Object| -> PathBuf { order.root.join(object.path.trim_start_matches('/')) };
    match class::action('r', class, &folder.join("install"), order.system) {
        Action::Script(script) => {
            let lines: String = objects.iter().map(|object| format!("{}\n", on_disk(object).display())).collect();
            judge(&format!("class action script for <{class}>"), run(&script, &[], parameters, &lines, true), marks)
        }
        _ => {
            for object in objects {
                let path = on_disk(object);
                // A folder that others have put something in stays, and what is gone is gone.
                let done = if object.is_directory() { fs::remove_dir(&path) } else { fs::remove_file(&path) };
                if done.is_ok() {
                    println!("{}", path.display());
                }
            }
            Ok(())
        }
    }
}
