//! What the scenarios about VMs share: a host with the rendered manifest and the real `vboxsvc`, and the VM `web` with
//! its instance.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use simhost::vbox::{Control, Event, Settings, Spec, What};
use simhost::{Host, Ran, vboxsvc_exe};

use super::{SERVICE, SOON, eventually};

pub const WEB: &str = "svc:/site/xvm/vbox:web";

/// A host, its VirtualBox, and the VM `web`: registered, powered off, with a disabled instance.
///
/// When it goes, it checks that no VM of the scenario ever ran twice at a time.
pub struct Scene {
    pub host: Host,
    pub vbox: Control,
    pub uuid: String,
}

impl Scene {
    /// The instance gets these values of property group `vm`.
    pub fn new(properties: &[(&str, &str)]) -> Scene {
        Scene::of(Spec::named("web"), properties)
    }

    pub fn of(spec: Spec, properties: &[(&str, &str)]) -> Scene {
        let host = Host::new();
        host.install_method(&vboxsvc_exe());
        for manifest in manifests() {
            host.import(manifest);
        }
        Scene::on(host, spec, properties)
    }

    /// The same on a host that has the service already.
    pub fn on(host: Host, spec: Spec, properties: &[(&str, &str)]) -> Scene {
        let vbox = Control::new(host.root());
        vbox.set_settings(&Settings {
            // More than the two seconds within which the monitor rules out that it went by itself.
            server_linger: Duration::from_millis(2500),
            server_term_linger: Duration::from_millis(400),
            orphan_life: Duration::from_millis(2500),
            ..Settings::default()
        });
        let uuid = vbox.create_vm_with(spec);
        host.add_instance("web");
        let scene = Scene { host, vbox, uuid };
        if !nix::unistd::geteuid().is_root() {
            scene.belongs_to_the_caller();
        }
        scene.set(properties);
        scene
    }

    /// Methods run as whoever runs the test, who may not be root.
    fn belongs_to_the_caller(&self) {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
        let context = "method_context";
        self.host.svccfg(&format!(
            "select {WEB}\naddpg {context} framework\nsetprop {context}/use_profile = boolean: false\n\
             setprop {context}/user = astring: {user}\nrefresh\n"
        ));
    }

    /// Sets values of the instance's property group `vm`, and refreshes it.
    pub fn set(&self, properties: &[(&str, &str)]) {
        if properties.is_empty() {
            return;
        }
        let has_group = self.host.run("svcprop", ["-q", "-C", "-p", "vm", WEB]).code == 0;
        let mut commands = format!("select {WEB}\n");
        if !has_group {
            commands += "addpg vm application\n";
        }
        for (name, value) in properties {
            commands += &format!("setprop vm/{name} = {}: \"{value}\"\n", type_of(name, value));
        }
        self.host.svccfg(&(commands + "refresh\n")).expect_success();
    }

    /// Sets SMF's own time-out of a method, in seconds.
    pub fn set_method_timeout(&self, method: &str, seconds: u32) {
        let commands =
            format!("select {SERVICE}\nsetprop {method}/timeout_seconds = count: {seconds}\nselect {WEB}\nrefresh\n");
        self.host.svccfg(&commands).expect_success();
    }

    // --- the service -------------------------------------------------------------------------------------------------

    pub fn svcadm(&self, words: &str) {
        self.host.run("svcadm", words.split(' ')).expect_success();
    }

    /// Enables the instance, which ends in this state.
    pub fn enable_to(&self, state: &str) {
        self.svcadm(&format!("enable {WEB}"));
        self.wait_service(state);
    }

    pub fn enable(&self) {
        self.enable_to("online");
    }

    pub fn disable_to(&self, state: &str) {
        self.svcadm(&format!("disable {WEB}"));
        self.wait_service(state);
    }

    pub fn disable(&self) {
        self.disable_to("disabled");
    }

    /// Has SMF run the start method on a VM as it is: into maintenance without a stop, and out again.
    pub fn start_again_to(&self, state: &str) {
        self.svcadm(&format!("mark -I maintenance {WEB}"));
        self.wait_service("maintenance");
        let starts = self.started_methods();
        self.svcadm(&format!("clear {WEB}"));
        eventually("the start method runs", || self.started_methods() > starts);
        self.wait_service(state);
    }

    fn started_methods(&self) -> usize {
        self.log().matches("Executing start method").count()
    }

    #[track_caller]
    pub fn wait_service(&self, state: &str) {
        if let Err(error) = self.host.wait_state(WEB, state, SOON) {
            panic!("{error}");
        }
    }

    pub fn service(&self) -> String {
        self.host.state(WEB).unwrap_or_default()
    }

    pub fn log(&self) -> String {
        self.host.log(WEB)
    }

    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        let began = Instant::now();
        while !self.log().contains(text) {
            assert!(began.elapsed() < SOON, "the log never says {text:?}:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    pub fn expect_log(&self, text: &str) {
        assert!(self.log().contains(text), "the log does not say {text:?}:\n{}", self.log());
    }

    // --- the runtime by hand ---------------------------------------------------------------------------------------

    /// `vboxsvc --vm web WORDS`
    pub fn run(&self, words: &str) -> Ran {
        self.host.vboxsvc(["--vm", "web"].into_iter().chain(words.split(' ')))
    }

    /// Starts `vboxsvc --vm web WORDS` and lets it run.
    pub fn spawn(&self, words: &str) -> Running {
        let mut command = Command::new(self.host.root().join("usr/bin/vboxsvc"));
        command.args(["--vm", "web"]).args(words.split(' '));
        self.in_background(command)
    }

    /// Starts VBoxManage and lets it run.
    pub fn spawn_manage(&self, words: &[&str]) -> Running {
        let mut command = Command::new(self.host.bin().join("VBoxManage"));
        command.args(words);
        self.in_background(command)
    }

    fn in_background(&self, mut command: Command) -> Running {
        command.env_clear().envs(self.host.env_for_person()).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    }

    /// A file of the run directory.
    pub fn run_file(&self, kind: &str) -> PathBuf {
        self.host.run_dir().join(format!("web.{kind}"))
    }

    /// The monitor's pid as its pid file has it.
    pub fn monitor(&self) -> i32 {
        let text = fs::read_to_string(self.run_file("pid")).unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    }

    // --- the VM ------------------------------------------------------------------------------------------------------

    pub fn manage(&self, words: &[&str]) -> Ran {
        self.host.run("VBoxManage", words)
    }

    pub fn state(&self) -> String {
        self.vbox.state(&self.uuid)
    }

    pub fn pid(&self) -> Option<i32> {
        self.vbox.process(&self.uuid)
    }

    /// The pid of the VM, which must have one.
    #[track_caller]
    pub fn live_pid(&self) -> i32 {
        self.pid().unwrap_or_else(|| panic!("the VM has no process\n{}", self.log()))
    }

    #[track_caller]
    pub fn wait_vm(&self, word: &str) {
        let began = Instant::now();
        while self.state() != word {
            assert!(began.elapsed() < SOON, "the VM is {}, not {word}\n{}", self.state(), self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the VM runs in another process than this; how long that took.
    #[track_caller]
    pub fn wait_new_process(&self, old: i32) -> Duration {
        let began = Instant::now();
        loop {
            match self.pid() {
                Some(pid) if pid != old => return began.elapsed(),
                _ if began.elapsed() > SOON => panic!("no new process of the VM\n{}", self.log()),
                _ => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Waits until the monitor has found the VM live so many times in all: what happens to it from then on is no failed
    /// start.
    #[track_caller]
    pub fn wait_live(&self, times: usize) {
        let began = Instant::now();
        while self.log().matches("the VM is live\n").count() < times {
            assert!(began.elapsed() < SOON, "the VM is not live for the {times}. time\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
        self.wait_vm("running");
    }

    /// The VM's process is killed.
    pub fn crash(&self) -> i32 {
        let pid = self.live_pid();
        assert!(self.vbox.kill_vm(&self.uuid, 9));
        pid
    }

    /// Somebody else starts the VM, outside the service.
    pub fn start_outside(&self) -> i32 {
        self.manage(&["startvm", &self.uuid, "--type", "headless"]).expect_success();
        self.live_pid()
    }

    /// Brings the VM into this state by somebody else's hand; its pid if it has a process there.
    pub fn bring_outside(&self, word: &str) -> Option<i32> {
        match word {
            "running" => drop(self.start_outside()),
            "paused" => {
                self.start_outside();
                self.manage(&["controlvm", &self.uuid, "pause"]).expect_success();
            }
            "gurumeditation" => {
                self.start_outside();
                self.vbox.guru(&self.uuid);
            }
            rest => self.vbox.set_rest(&self.uuid, rest),
        }
        assert_eq!(self.state(), word);
        self.pid()
    }

    /// The orders that VBoxManage was given for VMs, in order.
    pub fn orders(&self) -> Vec<String> {
        let order = |event: Event| match event.what {
            What::CallStarted { argv } if argv.first().is_some_and(|word| word == "controlvm") => argv.get(2).cloned(),
            _ => None,
        };
        self.vbox.events().into_iter().filter_map(order).collect()
    }

    /// How often a process of the VM came up so far.
    pub fn starts(&self) -> usize {
        let mine = |event: &&Event| event.vm.as_ref() == Some(&self.uuid);
        self.vbox.events().iter().filter(mine).filter(|event| matches!(event.what, What::Started { .. })).count()
    }

    /// Puts a script where root may trust it, as a check inside the VM; `$R` is the host's root. Gives its path.
    pub fn hook(&self, body: &str) -> String {
        let path = self.host.root().join("lib/svc/method/check");
        // Its PATH is the host's own directory.
        let text = format!("#!/bin/sh\nPATH=$PATH:/usr/bin:/bin R={}\n{body}\n", self.host.root().display());
        // A new file in its place: a running script must not change.
        let new = path.with_extension("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, Permissions::from_mode(0o755)).unwrap();
        fs::rename(&new, &path).unwrap();
        path.display().to_string()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if !thread::panicking() {
            assert!(!self.vbox.ran_twice(&self.uuid), "two copies of the VM ran\n{}", self.log());
        }
    }
}

/// Plays the cases at the same time: most of every scenario is waiting.
pub fn at_once<T: Send>(cases: impl IntoIterator<Item = T>, play: impl Fn(T) + Sync) {
    let play = &play;
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(move || play(case));
        }
    });
}

/// A program in the background; killed if the test is done with it.
pub struct Running(Child);

impl Running {
    pub fn pid(&self) -> i32 {
        self.0.id() as i32
    }

    pub fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Waits for its exit status.
    #[track_caller]
    pub fn code(&mut self) -> i32 {
        let began = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            assert!(began.elapsed() < SOON, "process {} does not end", self.pid());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it is over, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The package's own manifests.
pub fn manifests() -> &'static [String] {
    static RENDERED: OnceLock<Vec<String>> = OnceLock::new();
    RENDERED.get_or_init(|| {
        use xtask::smf::render::{Variables, render_all};
        let rendered = render_all(&xtask::flags::workspace(), env!("CARGO_PKG_VERSION"), &Variables::default());
        rendered.unwrap().into_iter().map(|manifest| manifest.text).collect()
    })
}

/// The type that the manifest gives this property.
fn type_of(name: &str, value: &str) -> &'static str {
    match value {
        "true" | "false" if name != "kicker_restart" => "boolean",
        _ if !name.contains("exitcode") && value.parse::<i64>().is_ok() => "integer",
        _ => "astring",
    }
}

pub fn kill(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

pub fn is_alive(pid: i32) -> bool {
    super::is_alive(&pid.to_string())
}
