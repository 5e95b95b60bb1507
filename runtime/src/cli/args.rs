//! The commands and their options, in their modern spelling.

use std::ffi::OsString;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    /// Say what start, stop and the monitor would do now, and why
    Explain {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
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
