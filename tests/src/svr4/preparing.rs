//! What comes before a package is compared with the system: its parameters, the instance that is there already, and the
//! scripts that may not change anything.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::install::{Job, abbreviation};
use super::parameters::Parameters;
use super::script::{judge, run};
use super::{ADMINISTRATION, FATAL, INSTALL_LOCK, INTERACTION, INTERNAL, Quit, REMOVE_LOCK, error, package_folder};

impl Job<'_> {
    pub(super) fn pkginfo(&self) -> Result<Parameters, Quit> {
        let info = Parameters::read(&self.source.join("pkginfo")).map_err(|failed| {
            error(format!("unable to read pkginfo: {failed}"));
            FATAL
        })?;
        for name in ["PKG", "NAME", "ARCH", "VERSION", "CATEGORY"] {
            if info.get(name).is_none() {
                error(format!("parameter <{name}> is not defined in pkginfo"));
                return Err(FATAL);
            }
        }
        if info.get("PKG") != Some(abbreviation(&self.name)) {
            error(format!("PKG parameter is \"{}\" and not \"{}\"", info.get("PKG").unwrap_or_default(), self.name));
            return Err(FATAL);
        }
        if info.get("INTONLY").is_some() && self.order.admin.quiet {
            error("unable to install without user interaction");
            return Err(FATAL);
        }
        println!(
            "\n{}({}) {}",
            info.get("NAME").unwrap_or_default(),
            info.get("ARCH").unwrap_or_default(),
            info.get("VERSION").unwrap_or_default()
        );
        Ok(info)
    }

    /// Finds out what is installed already, and what is to be done about it. The parameters of what is overwritten.
    pub(super) fn instance(&mut self, info: &Parameters) -> Result<Option<Parameters>, Quit> {
        let Ok(old) = Parameters::read(&self.folder().join("pkginfo")) else { return Ok(None) };
        let same = ["ARCH", "VERSION"].iter().all(|name| old.get(name) == info.get(name));
        match self.order.admin.get("instance") {
            "overwrite" => {}
            "unique" => return self.second_instance(info).map(|()| None),
            "quit" => return Err(ADMINISTRATION),
            _ if self.order.admin.quiet => return Err(INTERACTION),
            _ => self
                .order
                .admin
                .decide("instance", &format!("An instance of <{}> is installed already.", self.name))
                .map(drop)?,
        }
        if same {
            println!(
                "This appears to be an attempt to install the same architecture and version of a package which is already installed."
            );
            for name in ["SUNW_PKG_ALLZONES", "SUNW_PKG_HOLLOW", "SUNW_PKG_THISZONE"] {
                if old.is_true(name) != info.is_true(name) {
                    error(format!(
                        "attempt to change package <{}> version <{}> attribute <{name}>",
                        self.name,
                        info.get("VERSION").unwrap_or_default()
                    ));
                    return Err(FATAL);
                }
            }
        }
        self.parameters.set("UPDATE", "yes");
        Ok(Some(old))
    }

    /// A new instance beside the old one, where MAXINST allows it.
    fn second_instance(&mut self, info: &Parameters) -> Result<(), Quit> {
        let most: u32 = info.get("MAXINST").and_then(|text| text.parse().ok()).unwrap_or(1);
        let mut names = (2..=most).map(|number| format!("{}.{number}", abbreviation(&self.name)));
        let free = names.find(|name| !package_folder(self.order.root, name).join("pkginfo").exists());
        self.name = free.ok_or_else(|| {
            eprintln!("An instance of <{}> is installed already, and there can be no other.", self.name);
            ADMINISTRATION
        })?;
        Ok(())
    }

    pub(super) fn partial(&self, installed: bool) -> Result<(), Quit> {
        let folder = self.folder();
        let what = match () {
            () if !installed => return Ok(()),
            () if folder.join(INSTALL_LOCK).exists() => "installation",
            () if folder.join(REMOVE_LOCK).exists() => "removal",
            () => return Ok(()),
        };
        let found =
            format!("The {what} of this package was previously terminated and was never successfully completed.");
        self.order.admin.decide("partial", &found).map(drop)
    }

    pub(super) fn request(&mut self) -> Result<(), Quit> {
        let script = self.source.join("install/request");
        if let Some(response) = self.order.response {
            let given = Parameters::read(response).map_err(|failed| {
                error(format!("cannot read response file <{}>: {failed}", response.display()));
                FATAL
            })?;
            given.iter().for_each(|(name, value)| self.parameters.set(name, value));
            return Ok(());
        }
        if !script.is_file() {
            return Ok(());
        }
        if self.order.admin.quiet {
            error("package requires interaction, and there is no response file");
            return Err(INTERACTION);
        }
        let response = self.source.join(".response");
        fs::write(&response, "").map_err(|_| INTERNAL)?;
        // The script is not root and writes it.
        fs::set_permissions(&response, fs::Permissions::from_mode(0o666)).map_err(|_| INTERNAL)?;
        let status = run(&script, &[&response.display().to_string()], &self.environment(), "", false);
        judge("request script", status, &mut self.marks)?;
        let given = Parameters::read(&response).map_err(|_| INTERNAL)?;
        given.iter().for_each(|(name, value)| self.parameters.set(name, value));
        Ok(())
    }

    pub(super) fn checkinstall(&mut self) -> Result<(), Quit> {
        let script = self.source.join("install/checkinstall");
        if !script.is_file() || self.order.database_only {
            return Ok(());
        }
        // Where the package goes is decided later.
        let own = self.parameters.clone();
        self.set_paths(self.parameters.get("BASEDIR").unwrap_or("/").to_string().as_str());
        println!("## Executing checkinstall script.");
        let status = run(&script, &[], &self.environment(), "", false);
        self.parameters = own;
        match status {
            3 => {
                eprintln!("\ncheckinstall script suspends");
                Err(ADMINISTRATION)
            }
            status => judge("checkinstall script", status, &mut self.marks),
        }
    }
}
