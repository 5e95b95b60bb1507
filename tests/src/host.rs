//! A host in a temporary directory: made, used, rebooted, and taken down with every process it ever had.

pub mod binaries;
mod command;
pub(crate) mod leftovers;

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use tempfile::TempDir;

pub use command::Ran;

use crate::enclosure::enter::LINUX;
use crate::enclosure::{self, layout, power};
use crate::invocation::{ENTER, UNTIL_STDIN_CLOSES, names};
use crate::rbac;
use crate::smf::builtin;
use crate::smf::fmri::InstanceName;
use crate::smf::model::value;
use crate::smf::repository::Store;
use crate::smf::startd::daemon::SHUTDOWN;
use crate::smf::tool::wake;
use crate::{vbox, zones};
use binaries::simhost_exe;

/// The service whose instances [`Host::add_instance`] makes.
pub const VBOX: &str = "svc:/site/xvm/vbox";
/// How long a host may take to come up or to go down: far more than any machine needs, with hundreds of VMs on it.
const PATIENCE: Duration = Duration::from_secs(600);

/// A simulated host. Dropping it kills everything that runs on it.
pub struct Host {
    directory: TempDir,
    /// The directory's real path.
    root: PathBuf,
    startd: Option<Child>,
    /// ROOT is the whole system for the programs that run on it.
    enclosed: bool,
}

/// A wait that was in vain.
#[derive(Debug, thiserror::Error)]
#[error("{fmri} is {found} after {waited:?}, not {wanted}; its log:\n{log}")]
pub struct NotReached {
    fmri: String,
    found: String,
    wanted: String,
    waited: Duration,
    log: String,
}

impl Default for Host {
    fn default() -> Self {
        Host::new()
    }
}

impl Host {
    /// Makes a host and boots it; returns when its milestones are online.
    ///
    /// # Panics
    /// When the host cannot be made: a test has nothing better to do.
    pub fn new() -> Host {
        let mut host = Host::in_new_folder(false);
        host.furnish().expect("a furnished host");
        host.boot().expect("a booted host");
        host
    }

    /// Makes and boots a host that is the whole system for its programs: see [`crate::enclosure`].
    ///
    /// # Panics
    /// When it cannot be made; above all where the kernel allows no namespaces.
    pub fn enclosed() -> Host {
        Host::enclosed_with(&[])
    }

    /// The same with local zones, each as `NAME` or `NAME=BRAND`, booted as well.
    ///
    /// # Panics
    /// Like [`Host::enclosed`].
    pub fn enclosed_with(zones: &[&str]) -> Host {
        let mut host = Host::in_new_folder(true);
        enclosure::commands::create(&host.root, zones, &simhost_exe()).expect("a furnished host");
        host.boot().expect("a booted host");
        host
    }

    fn in_new_folder(enclosed: bool) -> Host {
        let directory = tempfile::Builder::new().prefix("simhost-").tempdir().expect("a temporary directory");
        let root = directory.path().canonicalize().expect("the real path of the temporary directory");
        fs::set_permissions(&root, Permissions::from_mode(0o755)).expect("a directory for all users");
        Host { directory, root, startd: None, enclosed }
    }

    fn furnish(&self) -> io::Result<()> {
        let root = &self.root;
        for directory in ["bin", "run", "home", "tmp", "usr/bin", "usr/sbin", "sbin", "lib/svc/method", "etc/default"] {
            fs::create_dir_all(root.join(directory))?;
        }
        for directory in ["lib/svc/manifest/site", "var/svc/manifest/site", "var/svc/log"] {
            fs::create_dir_all(root.join(directory))?;
        }
        for open in ["tmp", "run"] {
            fs::set_permissions(root.join(open), Permissions::from_mode(0o1777))?;
        }
        for name in names() {
            symlink(simhost_exe(), root.join("bin").join(name))?;
        }
        for method in [builtin::MANIFEST_IMPORT, rbac::METHOD] {
            symlink(simhost_exe(), root.join("lib/svc/method").join(method))?;
        }
        let run = root.join("run");
        fs::write(
            root.join("etc/default/init"),
            format!("TZ=UTC\nVBOXSVC_TOOL_PATH={}\nVBOXSVC_RUN_DIR={}\n", self.bin().display(), run.display()),
        )?;
        fs::create_dir_all(root.join("smf"))?;
        // The image that pkg keeps.
        fs::create_dir_all(root.join("var/pkg"))?;
        Store::create(root)?;
        builtin::install(root)
    }

    fn boot(&mut self) -> io::Result<()> {
        let mut daemon = Command::new(simhost_exe());
        match self.enclosed {
            true => daemon.arg(ENTER).arg(&self.root).arg(power::STARTD),
            false => daemon.arg("svc.startd").arg(&self.root),
        };
        daemon.arg(UNTIL_STDIN_CLOSES).env_clear().stdin(Stdio::piped()).stdout(Stdio::null());
        self.startd = Some(daemon.spawn()?);
        self.wait_state(builtin::MANIFEST_IMPORT_FMRI, "online", PATIENCE).map_err(io::Error::other)?;
        self.wait_state(builtin::ZONES_FMRI, "online", PATIENCE).map_err(io::Error::other)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the stand-ins are.
    pub fn bin(&self) -> PathBuf {
        self.root.join("bin")
    }

    /// `restarter/state`, or nothing when the instance has none.
    pub fn state(&self, fmri: &str) -> Option<String> {
        Some(self.status(fmri)?.0)
    }

    /// State and next state.
    pub fn status(&self, fmri: &str) -> Option<(String, String)> {
        status(&self.root, fmri)
    }

    /// A single value of the live, composed instance.
    pub fn property(&self, fmri: &str, pg: &str, prop: &str) -> Option<String> {
        let groups = Store::read(&self.root).ok()?.live_composed(&InstanceName::parse(fmri)?)?;
        value(&groups, pg, prop).map(str::to_string)
    }

    /// Waits until the instance is in the state, and on its way to no other.
    pub fn wait_state(&self, fmri: &str, state: &str, limit: Duration) -> Result<(), NotReached> {
        let started = Instant::now();
        loop {
            let found = self.status(fmri);
            if found.as_ref().is_some_and(|(now, next)| now == state && next == "none") {
                return Ok(());
            }
            if started.elapsed() >= limit {
                let found = found.map_or("absent".into(), |(now, next)| format!("{now} (next {next})"));
                let (fmri, wanted, log) = (fmri.into(), state.into(), self.log(fmri));
                return Err(NotReached { fmri, found, wanted, waited: limit, log });
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The instance's log.
    pub fn log(&self, fmri: &str) -> String {
        let Some(name) = InstanceName::parse(fmri) else { return String::new() };
        let log = fs::read(self.root.join("var/svc/log").join(name.log_name())).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Imports a manifest: the path of a file, or the XML itself.
    ///
    /// # Panics
    /// When svccfg refuses it.
    pub fn import(&self, manifest: &str) {
        let path = if manifest.trim_start().starts_with('<') {
            // Where packages put it, so that cleaning up works as on a real host.
            let path = self.root.join("var/svc/manifest/site/imported.xml");
            fs::write(&path, manifest).expect("the manifest's file");
            path
        } else {
            manifest.into()
        };
        self.run("svccfg", ["import".as_ref(), path.as_os_str()]).expect_success();
    }

    /// Sets one value, makes its property group (type application) when need be, and refreshes an instance.
    ///
    /// # Panics
    /// When svccfg refuses it.
    pub fn setprop(&self, fmri: &str, prop: &str, ty: &str, value: &str) {
        let group = prop.split('/').next().unwrap_or_default();
        let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
        let has_group = self.run("svcprop", ["-q", "-C", "-p", group, fmri]).code == 0;
        let addpg = if has_group { String::new() } else { format!("addpg {group} application\n") };
        let refresh = if InstanceName::parse(fmri).is_some() { "refresh\n" } else { "" };
        self.svccfg(&format!("select {fmri}\n{addpg}setprop {prop} = {ty}: \"{quoted}\"\n{refresh}")).expect_success();
    }

    /// Makes a disabled instance of the VM service, as `svccfg add` and a first `svcadm disable` do.
    ///
    /// # Panics
    /// When svccfg refuses it.
    pub fn add_instance(&self, name: &str) -> String {
        let fmri = format!("{VBOX}:{name}");
        self.svccfg(&format!(
            "select {VBOX}\nadd {name}\nselect {name}\naddpg general framework\nsetprop general/enabled = boolean: false\nrefresh\n"
        ))
        .expect_success();
        self.wait_state(&fmri, "disabled", PATIENCE).expect("a new instance is disabled");
        fmri
    }

    /// Shuts down as init does, loses what a reboot loses, and boots again.
    ///
    /// # Panics
    /// When the host does not come up again.
    pub fn reboot(&mut self) {
        self.shut_down();
        layout::lose_volatile(&self.root).expect("a host without what a reboot loses");
        for zone in zones::all(&self.root) {
            layout::lose_volatile(&zone.root(&self.root)).expect("a zone without what a reboot loses");
        }
        self.boot().expect("a booted host");
    }

    /// The folder of the caller's run files; made as `vboxsvc` would where it is missing.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn run_dir(&self) -> PathBuf {
        let own = self.root.join("run").join(geteuid().to_string());
        if !own.exists() {
            fs::create_dir(&own).expect("a folder for run files");
            fs::set_permissions(&own, Permissions::from_mode(0o700)).expect("a private folder");
        }
        own
    }

    /// Loses power: nothing is stopped in an orderly way.
    ///
    /// # Panics
    /// When the host does not come up again.
    pub fn power_cycle(&mut self) {
        self.pull_the_plug();
        self.reboot();
    }

    fn shut_down(&mut self) {
        if let Some(mut startd) = self.startd.take() {
            wake(&self.root, SHUTDOWN);
            wait_for_end(&mut startd);
        }
        leftovers::kill_all(&self.root);
    }

    fn pull_the_plug(&mut self) {
        if let Some(mut startd) = self.startd.take() {
            // Its standard input closes: it kills what it started and ends.
            drop(startd.stdin.take());
            wait_for_end(&mut startd);
        }
        leftovers::kill_all(&self.root);
    }

    /// The pids of everything that runs on this host.
    pub fn processes(&self) -> Vec<i32> {
        leftovers::processes(&self.root)
    }

    /// Puts the runtime where the manifest and the package want it.
    ///
    /// # Panics
    /// When it cannot be linked.
    pub fn install_method(&self, vboxsvc: &Path) {
        for place in ["lib/svc/method/vboxsvc", "usr/bin/vboxsvc"] {
            symlink(vboxsvc, self.root.join(place)).expect("a link to the runtime");
        }
    }

    /// Puts the simulated VirtualBox on an enclosed host, where VirtualBox's package would.
    ///
    /// # Panics
    /// When it cannot be linked.
    pub fn add_virtualbox(&self) {
        let folder = self.root.join(vbox::FOLDER);
        fs::create_dir_all(&folder).expect("a folder for VirtualBox");
        for name in vbox::NAMES {
            symlink(simhost_exe(), folder.join(name)).expect("a link to the simulated VirtualBox");
        }
    }

    /// Says who is root here: a uid, or nobody.
    ///
    /// # Panics
    /// When the host's `etc` cannot be written.
    pub fn set_superuser(&self, uid: Option<u32>) {
        let text = uid.map_or("none".into(), |uid| uid.to_string());
        fs::write(self.root.join("etc/superuser"), text).expect("etc/superuser");
    }

    /// Gives a user exactly these authorisations.
    ///
    /// # Panics
    /// When the host's `etc` cannot be written.
    pub fn grant(&self, user: &str, authorisations: &[&str]) {
        let line = format!("{user}::::auths={}\n", authorisations.join(","));
        fs::write(self.root.join("etc/user_attr"), line).expect("etc/user_attr");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.pull_the_plug();
        let linux = self.root.join(LINUX.trim_start_matches('/'));
        // A mount that spread here would make the removal of this folder that of the machine.
        if fs::read_dir(&linux).is_ok_and(|mut entries| entries.next().is_some()) {
            self.directory.disable_cleanup(true);
        }
    }
}

/// State and next state of an instance of the host at `root`.
pub(crate) fn status(root: &Path, fmri: &str) -> Option<(String, String)> {
    let groups = Store::read(root).ok()?.instance(&InstanceName::parse(fmri)?)?;
    let of = |prop| value(&groups, "restarter", prop).map(str::to_string);
    Some((of("state")?, of("next_state")?))
}

fn wait_for_end(child: &mut Child) {
    let started = Instant::now();
    while matches!(child.try_wait(), Ok(None)) {
        if started.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}
