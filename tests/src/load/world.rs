//! The host of a load: made with all its VMs, and the one place where events happen to them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

use super::events::{Change, Disaster, Event};
use super::model::{HOOK_FAILURES_ALLOWED, Kicker, OnPause, Rules, StopMethod};
use super::seen::{Machine, Processes};
use crate::host::VBOX;
use crate::vbox::{Control, Settings, Spec};
use crate::{Host, vboxsvc_exe};

/// How long something that an event waits for may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct World {
    host: RwLock<Host>,
    pub root: PathBuf,
    pub vbox: Control,
    pub machines: Vec<Machine>,
}

impl World {
    /// A host with these manifests and one VM for each set of rules, registered and disabled.
    ///
    /// # Panics
    /// When the host cannot be made.
    pub fn new(manifests: &[String], all_rules: &[Rules]) -> World {
        let host = Host::new();
        host.install_method(&vboxsvc_exe());
        for manifest in manifests {
            host.import(manifest);
        }
        let vbox = Control::new(host.root());
        vbox.set_settings(&Settings {
            server_linger: Duration::from_millis(2500),
            server_term_linger: Duration::from_millis(500),
            orphan_life: Duration::from_secs(4),
            ..Settings::default()
        });
        let hook = make_hook(host.root());
        let mut machines = Vec::new();
        let mut commands = format!("select {VBOX}\n");
        for (number, rules) in all_rules.iter().enumerate() {
            let name = format!("vm{number:03}");
            let uuid = vbox.create_vm_with(Spec::named(&name));
            commands += &instance(&name, rules, &hook);
            machines.push(Machine { fmri: format!("{VBOX}:{name}"), name, uuid });
        }
        host.svccfg(&commands).expect_success();
        for machine in &machines {
            host.wait_state(&machine.fmri, "disabled", PATIENCE).expect("a new instance is disabled");
        }
        World { root: host.root().to_path_buf(), host: RwLock::new(host), vbox, machines }
    }

    /// The host, unless it is just going down or coming up.
    pub fn host(&self) -> RwLockReadGuard<'_, Host> {
        self.host.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has something happen to the whole host.
    pub fn strike(&self, disaster: Disaster) {
        match disaster {
            Disaster::ServerKilled => drop(self.vbox.kill_vboxsvc(Signal::SIGKILL as i32)),
            Disaster::ServerEnded => drop(self.vbox.kill_vboxsvc(Signal::SIGTERM as i32)),
            // Commands under way end first; what they have set going does not.
            Disaster::Reboot => self.host.write().unwrap_or_else(PoisonError::into_inner).reboot(),
            Disaster::Plug => self.host.write().unwrap_or_else(PoisonError::into_inner).power_cycle(),
        }
    }

    /// Has an event happen to a VM; gives what went wrong with the event itself. `rules` are those from now on.
    pub fn play(&self, machine: &Machine, event: Event, rules: &Rules, pause: Duration) -> Vec<String> {
        let Machine { fmri, uuid, .. } = machine;
        // Held to the end: the host does not go down in the middle of an event, but may in the middle of what it set going.
        let host = &*self.host();
        match event {
            Event::Crash => self.crash(machine),
            Event::CrashTwice => {
                let first = self.vbox.process(uuid);
                let mut wrong = self.crash(machine);
                if self.wait_for_another_process(host, machine, first) {
                    sleep(pause);
                    wrong.extend(self.crash(machine));
                }
                wrong
            }
            Event::GuestPowersOff => {
                self.vbox.guest_power_off(uuid);
                Vec::new()
            }
            Event::UserSaves => self.run(host, "VBoxManage", &["controlvm", uuid, "savestate"]),
            Event::Resume => self.run(host, "VBoxManage", &["controlvm", uuid, "resume"]),
            Event::Pause => {
                self.vbox.guest_pause(uuid);
                // No process ends: the monitor would see it at its next poll.
                self.svcadm(host, &["refresh", fmri])
            }
            Event::Enable => self.svcadm(host, &["enable", fmri]),
            Event::Disable => self.svcadm(host, &["disable", fmri]),
            Event::Restart => self.svcadm(host, &["restart", fmri]),
            Event::Refresh => self.svcadm(host, &["refresh", fmri]),
            Event::Clear => self.svcadm(host, &["clear", fmri]),
            Event::Maintenance => self.svcadm(host, &["mark", "-I", "maintenance", fmri]),
            Event::Change(change) => self.change(host, fmri, change, rules),
            Event::KillMonitor => self.signal_monitor(machine, Signal::SIGKILL),
            Event::EndMonitor => self.signal_monitor(machine, Signal::SIGTERM),
            Event::KillMonitorThenCrash => {
                [self.signal_monitor(machine, Signal::SIGKILL), self.crash(machine)].concat()
            }
            Event::CrashThenKillMonitor => {
                let wrong = self.crash(machine);
                sleep(pause);
                // It may have given the VM up by now, and be gone.
                drop(self.signal_monitor(machine, Signal::SIGKILL));
                wrong
            }
            Event::StartByHand => self.by_hand(host, machine, "start", &[0]),
            Event::SaveByHand => self.by_hand(host, machine, "save", &[0]),
            Event::PowerOffByHand => self.by_hand(host, machine, "poweroff", &[0]),
            Event::RebootByHand => self.by_hand(host, machine, "reboot", &[0]),
            Event::ResetByHand => self.by_hand(host, machine, "reset", &[0]),
            Event::HookFailsOnce => self.hook_says(host, machine, &["1", "0"]),
            Event::HookFailsTooOften => self.hook_says(host, machine, &vec!["1"; HOOK_FAILURES_ALLOWED as usize + 1]),
            Event::HookWantsReboot => self.hook_says(host, machine, &["2"]),
            Event::HookWantsMaintenance => self.hook_says(host, machine, &["3"]),
            Event::CrashWhileDisabling => [self.crash(machine), self.svcadm(host, &["disable", fmri])].concat(),
            Event::CrashWhileSaving => {
                let save = || self.by_hand(host, machine, "save", &[0, 95]);
                std::thread::scope(|scope| {
                    let save = scope.spawn(save);
                    sleep(pause);
                    // It may be saved by now.
                    drop(self.crash(machine));
                    save.join().unwrap_or_default()
                })
            }
            Event::DisableThenEnable => {
                let wrong = self.svcadm(host, &["disable", fmri]);
                sleep(pause);
                [wrong, self.svcadm(host, &["enable", fmri])].concat()
            }
            Event::EnableThenDisable => {
                let wrong = self.svcadm(host, &["enable", fmri]);
                sleep(pause);
                [wrong, self.svcadm(host, &["disable", fmri])].concat()
            }
        }
    }

    fn run(&self, host: &Host, tool: &str, words: &[&str]) -> Vec<String> {
        let ran = host.run(tool, words);
        match ran.code {
            0 => Vec::new(),
            code => vec![format!("{tool} {} exited {code}: {}", words.join(" "), ran.stderr.trim())],
        }
    }

    fn svcadm(&self, host: &Host, words: &[&str]) -> Vec<String> {
        self.run(host, "svcadm", words)
    }

    fn by_hand(&self, host: &Host, machine: &Machine, command: &str, right: &[i32]) -> Vec<String> {
        let ran = host.vboxsvc(["--svc", &machine.fmri, command]);
        match right.contains(&ran.code) {
            true => Vec::new(),
            false => vec![format!("vboxsvc {command} exited {}, not {right:?}: {}", ran.code, ran.stderr.trim())],
        }
    }

    fn crash(&self, machine: &Machine) -> Vec<String> {
        match self.vbox.kill_vm(&machine.uuid, Signal::SIGKILL as i32) {
            true => Vec::new(),
            false => vec!["the VM had no process to kill".to_string()],
        }
    }

    fn signal_monitor(&self, machine: &Machine, signal: Signal) -> Vec<String> {
        match Processes::now(&self.root).monitors_of(machine).as_slice() {
            [] => vec!["there was no monitor to end".to_string()],
            monitors => {
                // One that is gone by now is ended as well.
                for pid in monitors {
                    let _ = kill(Pid::from_raw(*pid), signal);
                }
                Vec::new()
            }
        }
    }

    /// Whether the VM comes back in another process; not where its service gives it up.
    fn wait_for_another_process(&self, host: &Host, machine: &Machine, first: Option<i32>) -> bool {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            match self.vbox.process(&machine.uuid) {
                Some(pid) if Some(pid) != first => return true,
                _ if host.state(&machine.fmri).as_deref() == Some("maintenance") => return false,
                _ => sleep(Duration::from_millis(20)),
            }
        }
        false
    }

    fn change(&self, host: &Host, fmri: &str, change: Change, rules: &Rules) -> Vec<String> {
        let property = match change {
            Change::RestartHalted => boolean("restart_halted_vm", rules.restart_halted),
            Change::RestartSaved => boolean("restart_saved_vm", rules.restart_saved),
            Change::Stop => word("stop_method", stop_word(rules.stop)),
        };
        let ran = host.svccfg(&format!("select {fmri}\n{property}refresh\n"));
        if ran.code != 0 {
            return vec![format!("svccfg exited {}: {}", ran.code, ran.stderr.trim())];
        }
        self.svcadm(host, &["refresh", fmri])
    }

    /// Has the check inside the VM exit with these codes, one after the other. Each refresh has the monitor look, and run
    /// it.
    fn hook_says(&self, host: &Host, machine: &Machine, codes: &[&str]) -> Vec<String> {
        let file = codes_of(&self.root, &machine.name);
        let new = file.with_extension("new");
        fs::write(&new, codes.join("\n") + "\n").and_then(|()| fs::rename(&new, &file)).expect("a writable host");
        let began = Instant::now();
        while fs::metadata(&file).is_ok_and(|m| m.len() > 0) {
            if began.elapsed() > PATIENCE {
                return vec!["the check inside the VM was not run".to_string()];
            }
            if let wrong @ [_, ..] = self.svcadm(host, &["refresh", &machine.fmri]).as_slice() {
                return wrong.to_vec();
            }
            sleep(Duration::from_millis(300));
        }
        Vec::new()
    }
}

fn codes_of(root: &Path, name: &str) -> PathBuf {
    root.join("codes").join(name)
}

/// A check inside the VM that takes its exit codes from a file, one each time, and is okay where there is none.
fn make_hook(root: &Path) -> PathBuf {
    fs::create_dir(root.join("codes")).expect("a writable host");
    let path = root.join("lib/svc/method/check");
    let text = format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin\nf={}/$1\n[ -s \"$f\" ] || exit 0\ncode=$(head -n 1 \"$f\")\nsed -i 1d \"$f\"\n\
         exit \"$code\"\n",
        root.join("codes").display()
    );
    fs::write(&path, text).expect("a writable host");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a script that can be run");
    path
}

/// The commands of svccfg that make an instance with these rules.
fn instance(name: &str, rules: &Rules, hook: &Path) -> String {
    let Rules { restart_halted, restart_saved, paused, kicker, offline_is_maint, stop, aborts_allowed, hook: hooked } =
        *rules;
    let kicker = match kicker {
        Kicker::AsSet => "",
        Kicker::None => "none",
        Kicker::All => "all",
    };
    let mut text = format!(
        "add {name}\nselect {name}\naddpg general framework\nsetprop general/enabled = boolean: false\n\
         addpg vm application\n"
    );
    text += &boolean("restart_halted_vm", restart_halted);
    text += &boolean("restart_saved_vm", restart_saved);
    text += &boolean("ignore_paused_vm", paused == OnPause::Ignore);
    text += &boolean("restart_paused_vm", paused == OnPause::Resume);
    text += &boolean("offline_is_maint", offline_is_maint);
    text += &word("kicker_restart", kicker);
    text += &word("stop_method", stop_word(stop));
    text += &integer("restart_aborted_vm_failures_maxcount", aborts_allowed.unwrap_or(0));
    text += &integer("restart_aborted_vm_failures_timeframe", 86_400);
    text += &integer("kicker_vmsvccheck_failures_maxcount", HOOK_FAILURES_ALLOWED);
    if hooked {
        text += &boolean("kicker_vmsvccheck_enabled", true);
        text += &word("kicker_vmsvccheck_method", &hook.display().to_string());
        text += &word("kicker_vmsvccheck_method_params", name);
        text += &integer("kicker_vmsvccheck_startdelay", 0);
    }
    let user = User::from_uid(geteuid()).ok().flatten().map(|user| user.name);
    if let Some(user) = user.filter(|_| !geteuid().is_root()) {
        text += &format!(
            "addpg method_context framework\nsetprop method_context/use_profile = boolean: false\n\
             setprop method_context/user = astring: {user}\n"
        );
    }
    text + "refresh\nunselect\n"
}

fn boolean(name: &str, value: bool) -> String {
    format!("setprop vm/{name} = boolean: {value}\n")
}

fn integer(name: &str, value: u32) -> String {
    format!("setprop vm/{name} = integer: {value}\n")
}

fn word(name: &str, value: &str) -> String {
    format!("setprop vm/{name} = astring: \"{value}\"\n")
}

fn stop_word(stop: StopMethod) -> &'static str {
    match stop {
        StopMethod::SaveState => "savestate",
        StopMethod::PowerOff => "poweroff",
        StopMethod::PowerOffGraceful => "poweroff-graceful",
    }
}
