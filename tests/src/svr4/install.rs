//! Adds one package, which lies in a folder, to one root, in the order in which the real pkginstall does.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::admin::Admin;
use super::contents::Contents;
use super::map::{self, Object};
use super::parameters::Parameters;
use super::script::{Marks, judge, run};
use super::{FATAL, INSTALL_LOCK, INTERACTION, INTERNAL, Quit, REMOVE_LOCK, checks, depend, error};
use super::{package_folder, zone};

/// What pkgadd was told, for all packages of a call.
pub struct Order<'a> {
    /// The system whose programs run, and the root that is installed to: the same without `-R`.
    pub system: &'a Path,
    pub root: &'a Path,
    pub alternate: bool,
    pub admin: &'a Admin,
    pub response: Option<&'a Path>,
    pub global_only: bool,
    /// Only the database is told (a hollow package in a local zone).
    pub database_only: bool,
}

/// An object with its absolute path of the system to be.
pub struct Placed {
    pub object: Object,
    /// Where it lies in the package, if it is a file.
    pub source: PathBuf,
    /// Where it goes, seen from this system.
    pub path: PathBuf,
}

/// A package under way.
pub(super) struct Job<'a> {
    pub(super) order: &'a Order<'a>,
    pub(super) name: String,
    /// Where it lies.
    pub(super) source: PathBuf,
    pub(super) parameters: Parameters,
    /// The objects that are installed.
    pub(super) placed: Vec<Placed>,
    pub(super) marks: Marks,
    /// From here on something was changed.
    started: bool,
}

/// Adds it and says how that ended.
pub fn install(order: &Order, source: &Path, name: &str) -> u8 {
    let mut job = Job {
        order,
        name: name.into(),
        source: source.into(),
        parameters: Parameters::default(),
        placed: Vec::new(),
        marks: Marks::default(),
        started: false,
    };
    let status = match job.run() {
        Ok(()) => job.marks.status(),
        Err(Quit(status)) => status,
    };
    job.tell(status);
    status
}

/// The name of an instance without its number.
pub(super) fn abbreviation(instance: &str) -> &str {
    instance.split('.').next().unwrap_or(instance)
}

impl Job<'_> {
    fn tell(&self, status: u8) {
        let name = &self.name;
        match status {
            0 | 10 | 20 => eprintln!("\nInstallation of <{name}> was successful."),
            2 | 12 | 22 => eprintln!("\nInstallation of <{name}> partially failed."),
            3 => eprintln!("\nInstallation of <{name}> was terminated due to user request."),
            4 => eprintln!("\nInstallation of <{name}> was suspended (administration)."),
            5 => eprintln!("\nInstallation of <{name}> was suspended (interaction required)."),
            99 => eprintln!("\nInstallation of <{name}> failed (internal error)."),
            _ => eprintln!("\nInstallation of <{name}> failed."),
        }
        if status != 0 && !self.started {
            eprintln!("No changes were made to the system.");
        }
        if status % 100 >= 10 && status != 99 {
            let when = if status >= 20 { "immediately" } else { "after the installation of all packages" };
            eprintln!("*** IMPORTANT NOTICE ***\n    This machine must now be rebooted {when}.");
        }
    }

    fn run(&mut self) -> Result<(), Quit> {
        let info = self.pkginfo()?;
        self.parameters = info.clone();
        let map = fs::read(self.source.join("pkgmap")).map_err(|_| FATAL)?;
        let map = String::from_utf8_lossy(&map);
        let Some(objects) = map::parse(&map) else {
            error("unable to process pkgmap");
            return Err(FATAL);
        };
        let previous = self.instance(&info)?;
        self.partial(previous.is_some())?;
        self.request()?;
        self.checkinstall()?;
        let base = self.base_folder(&objects, previous.as_ref())?;
        self.set_paths(&base);
        checks::package_files(&self.source, &objects)?;
        self.prerequisites()?;
        self.take_objects(objects, &base, map::parts(&map));
        checks::space(self.order.admin, &self.placed, self.order.root)?;
        let mut contents = Contents::read(self.order.root).map_err(|_| INTERNAL)?;
        self.settle_with_admin(&contents)?;
        self.begin(&mut contents)?;
        if !self.order.database_only {
            self.procedure("preinstall")?;
            let classes: Vec<String> = self.parameters.classes().iter().map(|class| class.to_string()).collect();
            for class in &classes {
                self.class(class)?;
            }
            self.forget_class_scripts();
        }
        if self.order.global_only && zone::set_listed(self.order.root, &self.name, true).is_err() {
            return Err(FATAL);
        }
        if !self.order.database_only {
            self.procedure("postinstall")?;
        }
        if !self.marks.warned {
            let _ = fs::remove_file(self.folder().join(INSTALL_LOCK));
            let _ = fs::remove_file(self.folder().join(REMOVE_LOCK));
        }
        Ok(())
    }

    pub(super) fn folder(&self) -> PathBuf {
        package_folder(self.order.root, &self.name)
    }

    /// The folder below which relative paths go.
    fn base_folder(&self, objects: &[Object], previous: Option<&Parameters>) -> Result<String, Quit> {
        let relocatable = objects.iter().any(|object| object.letter != 'i' && !object.path.starts_with('/'));
        let own = self.parameters.get("BASEDIR").or(previous.and_then(|old| old.get("BASEDIR")));
        match (self.order.admin.get("basedir"), own) {
            _ if !relocatable => Ok(own.unwrap_or("/").into()),
            (path, _) if path.starts_with('/') => Ok(path.into()),
            ("default", Some(own)) => Ok(own.into()),
            ("$PKGINST", _) => Ok(format!("/{}", self.name)),
            ("ask", Some(own)) if !self.order.admin.quiet => Ok(own.into()),
            _ => {
                error("the package has no base folder (BASEDIR), and nobody can be asked for one");
                Err(INTERACTION)
            }
        }
    }

    pub(super) fn set_paths(&mut self, base: &str) {
        let root = self.order.root.display().to_string();
        self.parameters.set("CLIENT_BASEDIR", base);
        let below = if self.order.alternate {
            format!("{}/{}", root.trim_end_matches('/'), base.trim_start_matches('/'))
        } else {
            base.into()
        };
        self.parameters.set("BASEDIR", below);
        if self.order.alternate {
            self.parameters.set("PKG_INSTALL_ROOT", root);
        }
        self.parameters.set("PKGINST", self.name.clone());
        self.parameters.set("PKGSAV", self.folder().join("save").display().to_string());
        self.parameters.set("INST_DATADIR", self.source.parent().unwrap_or(Path::new("/")).display().to_string());
    }

    /// What scripts have around them.
    pub(super) fn environment(&self) -> Parameters {
        let mut environment = self.parameters.clone();
        environment.set("PATH", "/sbin:/usr/sbin:/usr/bin:/usr/sadm/install/bin");
        environment.set("OAMBASE", "/usr/sadm/sysadm");
        environment.set("TMPDIR", "/var/tmp");
        environment.set("PKG_NO_UNIFIED", "TRUE");
        environment
    }

    fn prerequisites(&self) -> Result<(), Quit> {
        let unmet = depend::unmet(self.order.root, &self.source.join("install/depend"));
        if unmet.is_empty() || self.order.admin.get("idepend") == "nocheck" {
            return Ok(());
        }
        self.order.admin.decide("idepend", &unmet.join("\n")).map(drop)
    }

    /// Objects of the classes that are installed, with absolute paths.
    fn take_objects(&mut self, objects: Vec<Object>, base: &str, parts: u32) {
        let classes = self.parameters.classes();
        let kept: Vec<Object> = objects
            .into_iter()
            .filter(|o| o.letter != 'i' && classes.contains(&o.class.as_str()) && o.volume <= parts)
            .collect();
        let absolute = |path: &str| match path.starts_with('/') {
            true => path.to_string(),
            false => format!("{}/{path}", base.trim_end_matches('/')),
        };
        for mut object in kept {
            let tree = if object.path.starts_with('/') { "root" } else { "reloc" };
            let numbered = if parts > 1 { format!("{tree}.{}", object.volume) } else { tree.to_string() };
            let source = self.source.join(numbered).join(object.path.trim_start_matches('/'));
            object.path = absolute(&object.path);
            if object.letter == 'l' {
                object.target = object.target.as_deref().map(absolute);
            }
            self.placed.push(Placed { path: self.on_disk(&object.path), object, source });
        }
    }

    /// The path of an object on this system.
    pub(super) fn on_disk(&self, path: &str) -> PathBuf {
        self.order.root.join(path.trim_start_matches('/'))
    }

    fn settle_with_admin(&mut self, contents: &Contents) -> Result<(), Quit> {
        let admin = self.order.admin;
        if self.order.database_only {
            return Ok(());
        }
        let untouched = checks::conflicts(admin, &self.placed, contents, &self.name)?;
        self.placed.retain(|placed| !untouched.contains(&placed.object.path));
        if checks::set_id(admin, &self.placed)? {
            let files = self.placed.iter_mut().map(|placed| &mut placed.object).filter(|object| !object.is_directory());
            let modes = files.filter_map(|object| object.attributes.as_mut()?.mode.as_mut());
            modes.for_each(|mode| *mode &= 0o1777);
        }
        checks::privileged_scripts(
            admin,
            &self.source.join("install"),
            &["preinstall", "postinstall", "preremove", "postremove"],
            'i',
        )
    }

    /// The point of no return: database and package folder are the new package's from here on.
    fn begin(&mut self, contents: &mut Contents) -> Result<(), Quit> {
        println!("\nInstalling {} as <{}>\n", self.parameters.get("NAME").unwrap_or_default(), self.name);
        self.started = true;
        for placed in &self.placed {
            contents.add(placed.object.clone(), &self.name);
        }
        let failed = |failed: std::io::Error| {
            error(format!("unable to write the package database: {failed}"));
            INTERNAL
        };
        contents.write().map_err(failed)?;
        let folder = self.folder();
        let updated = self.parameters.get("UPDATE").is_some();
        if updated {
            fs::remove_dir_all(&folder).map_err(failed)?;
        }
        fs::create_dir_all(folder.join("save")).map_err(failed)?;
        fs::create_dir_all(folder.join("install")).map_err(failed)?;
        fs::write(folder.join(INSTALL_LOCK), "").map_err(failed)?;
        for entry in fs::read_dir(self.source.join("install")).into_iter().flatten().flatten() {
            fs::copy(entry.path(), folder.join("install").join(entry.file_name())).map_err(failed)?;
        }
        self.parameters.set("INSTDATE", Timestamp::now().strftime("%b %d %Y %H:%M").to_string());
        let mut info = self.parameters.clone();
        info.set("BASEDIR", info.get("CLIENT_BASEDIR").unwrap_or("/").to_string());
        fs::write(folder.join("pkginfo"), info.render()).map_err(failed)
    }

    fn procedure(&mut self, word: &str) -> Result<(), Quit> {
        let script = self.folder().join("install").join(word);
        // What an earlier version left does not count.
        if !self.source.join("install").join(word).is_file() {
            return Ok(());
        }
        println!("## Executing {word} script.");
        let mut environment = self.environment();
        let name = if word == "preinstall" { "PKG_PROC_script" } else { "PKG_PROC_SCRIPT" };
        environment.set(name, word);
        let status = run(&script, &[], &environment, "", true);
        judge(&format!("{word} script"), status, &mut self.marks)?;
        let _ = fs::remove_file(script);
        Ok(())
    }

    fn forget_class_scripts(&self) {
        let folder = self.folder().join("install");
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("i.") {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
