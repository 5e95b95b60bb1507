//! The commands and their options, in their modern spelling.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::zvol_rights::{Action, Choice, SKIPPED};
use crate::commands::{power, startgui};
use crate::monitor::step::Mode;
use crate::settings::StopMethod;

#[derive(Debug, Parser)]
#[command(name = "vboxsvc", version, about = "Runs VirtualBox machines as SMF service instances")]
#[command(disable_help_subcommand = false)]
pub struct Cli {
    /// The service instance: its FMRI, in full or as much of it as is unambiguous
    #[arg(long, global = true, value_name = "FMRI")]
    pub svc: Option<String>,
    /// The VM: the name of its instance, or its vm/name
    #[arg(long, global = true, value_name = "NAME")]
    pub vm: Option<String>,
    /// Say what would be done and why, and do nothing
    #[arg(long, global = true)]
    pub dry_run: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start the VM as its settings say, and leave a monitor with it (SMF's start method)
    Start,
    /// Start the VM, headless, whatever its settings and its state say
    StartForce,
    /// Stop the VM as its settings say (SMF's stop method)
    Stop,
    /// Have the monitor read its settings again (SMF's refresh method)
    Refresh,
    /// Tell the state of the VM, of its service and of its processes
    #[command(visible_aliases = ["getstate", "state"])]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Take ZFS snapshots of all that is behind the VM, whatever vm/zfssnap_flag says
    ///
    /// Prints the names of the snapshots made. Exit codes: 0 all were made, 126 some were and some failed, 95 none was,
    /// 96 there is nothing to snapshot.
    Zfssnap {
        /// What it is taken for, as a part of the names [default: manual-zfssnap]
        comment: Vec<String>,
    },
    /// List the VM's files and disks, the ZFS datasets they are on, and what a snapshot would cover
    Dirlist {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what start, stop and the monitor would do now, and why
    Explain {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Keep owner, group, mode and ACL of volumes' device nodes in the volumes, and put them back
    ///
    /// They are kept in the ZFS properties owner:user, owner:group, owner:chmod and owner:acl. Needs no instance.
    /// Exit codes: 0 done, 126 some volumes failed, 95 all did.
    ZvolRights(ZvolRights),
    /// List every instance: its VM, its user, its states
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Only this user's, asked as this user
        #[arg(long, value_name = "USER", hide = true)]
        of_user: Option<String>,
    },
    /// Save the VM's state, whatever its stop method is
    #[command(visible_aliases = ["savestate", "save-state"])]
    Save,
    /// Power the VM off: by its ACPI button first, then hard (exit 0, 125 out of time, 126 down in another way)
    #[command(visible_alias = "poweroff-graceful")]
    Poweroff {
        #[command(flatten)]
        force: Force,
    },
    /// Power the VM off, gently first, and start it again
    Reboot {
        #[command(flatten)]
        force: Force,
        /// "ifruns": only if it runs
        #[arg(value_parser = ["ifruns"])]
        when: Option<String>,
    },
    /// Reset the VM, as by its reset button
    Reset,
    /// Show the VM in a window; once its user has saved it there, the monitor takes it back
    #[command(visible_alias = "start-gui")]
    Startgui(StartGui),
    /// Run the check inside the VM now (exit 0 okay, 1 one failure, 2 reboot, 3 maintenance)
    #[command(visible_alias = "hook")]
    Vmsvccheck,
    /// Show the serial console of the VM, and come back to it after each reboot
    #[command(after_help = CONSOLE_HELP)]
    Sercon {
        #[command(flatten)]
        port: Port,
        /// The longest wait between two tries to connect; the first ones come sooner
        #[arg(value_name = "RETRY_SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=86_400))]
        retry: u64,
    },
    /// Show the serial console of the VM until it closes
    #[command(after_help = CONSOLE_HELP)]
    SerconOnce {
        #[command(flatten)]
        port: Port,
    },
    /// End the sercon of this VM, wherever it runs
    #[command(visible_aliases = ["sercon-stop", "sercon-abort"], after_help = BREAK_HELP)]
    SerconBreak,
    /// Run a program in a session of its own; not for people
    #[command(hide = true)]
    OwnSession {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// What start leaves behind; not for people
    #[command(hide = true)]
    Monitor {
        #[arg(long)]
        uuid: String,
        #[arg(long, allow_hyphen_values = true)]
        name: String,
        #[arg(long)]
        mode: MonitorMode,
    },
}

#[derive(Debug, Args)]
pub struct ZvolRights {
    pub action: ZvolAction,
    /// Volumes, or datasets above them [default: every volume]
    #[arg(value_name = "DATASET")]
    pub datasets: Vec<String>,
    /// Leave this volume out, unless it is named; instead of those left out by default
    #[arg(long, value_name = "VOLUME", default_values = SKIPPED)]
    pub skip: Vec<String>,
    /// Leave none out, and save the rights of nodes that were never given any as well
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ZvolAction {
    /// From the nodes into the volumes; nodes that were never given rights leave a volume as it is
    Save,
    /// From the volumes to the nodes; in the global zone, what a zone has only where it is named
    Restore,
    /// Print both
    List,
}

impl ZvolRights {
    pub fn parts(self, dry_run: bool) -> (Action, Choice) {
        let action = match self.action {
            ZvolAction::Save => Action::Save,
            ZvolAction::Restore => Action::Restore,
            ZvolAction::List => Action::List,
        };
        (action, Choice { datasets: self.datasets, skip: self.skip, all: self.all, dry_run })
    }
}

#[derive(Debug, Args)]
pub struct Force {
    /// In the end kill the VM's process
    #[arg(short, long)]
    kill: bool,
    /// Seconds to wait for the VM, instead of vm/stop_timeout; 0 = for ever
    #[arg(short = 't', long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

impl From<Force> for power::Force {
    fn from(force: Force) -> Self {
        power::Force { kill: force.kill, timeout: force.timeout.map(time) }
    }
}
/// Which console; left out, the one serial port of the VM that listens.
#[derive(Debug, Clone, Args)]
pub struct Port {
    /// Connect to this unix socket, and do not ask VirtualBox
    #[arg(short = 'f', long = "file", value_name = "PATH", conflicts_with = "uart")]
    pub path: Option<PathBuf>,
    /// Connect to the VM's serial port of this number
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub uart: Option<u8>,
}

const CONSOLE_HELP: &str = "\
~. at the start of a line leaves, ~~ sends a tilde, ~? shows help. Where standard input is no terminal it is
passed on as it is, and its end ends the session.

Exit codes: 0 left by ~. or at the end of the input (sercon-once: or the console closed); 2 several serial ports
listen and -u does not say which, or a usage error; 95 the VM has no serial port that listens, another sercon has
the console, or (where there is no second try) no connection; 100 no right to connect; 128 + N ended by signal N.";

const BREAK_HELP: &str = "Exit codes: 0 ended; 1 there was none; 125 it did not end in time.";

#[derive(Debug, Args)]
pub struct StartGui {
    /// Stay until the window is gone; a signal of vm/startgui_fg_trap_signals stops the VM
    #[arg(long)]
    pub fg: bool,
    /// Return once the VM is live in its window (the default)
    #[arg(long, conflicts_with = "fg")]
    bg: bool,
    /// How to stop the VM on a signal, instead of vm/stop_method
    #[arg(long, value_name = "METHOD", value_parser = str::parse::<StopMethod>)]
    stop_method: Option<StopMethod>,
    /// Seconds to wait for the VM to be saved, or stopped, instead of vm/stop_timeout; 0 = for ever
    #[arg(short = 't', long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// One more option for VirtualBoxVM; may be repeated
    #[arg(long = "vbox-option", value_name = "OPTION", allow_hyphen_values = true)]
    vbox_options: Vec<OsString>,
    /// What started this command where it was no person at a terminal
    #[arg(long, hide = true)]
    pub opened_by: Option<Opener>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Opener {
    /// A launcher link.
    Link,
    /// The terminal opened for one.
    Xterm,
}

impl From<StartGui> for startgui::Request {
    fn from(args: StartGui) -> Self {
        startgui::Request {
            foreground: args.fg,
            stop_method: args.stop_method,
            timeout: args.timeout.map(time),
            options: args.vbox_options,
        }
    }
}

fn time(seconds: u64) -> Duration {
    if seconds == 0 { Duration::MAX } else { Duration::from_secs(seconds) }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum MonitorMode {
    Launch,
    Attach,
    Resume,
    Watch,
}

impl From<MonitorMode> for Mode {
    fn from(mode: MonitorMode) -> Mode {
        match mode {
            MonitorMode::Launch => Mode::Launch,
            MonitorMode::Attach => Mode::Attach { resume: false },
            MonitorMode::Resume => Mode::Attach { resume: true },
            MonitorMode::Watch => Mode::Watch,
        }
    }
}
