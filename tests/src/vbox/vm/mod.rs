//! The stand-ins for VBoxHeadless and VirtualBoxVM: the processes that run a machine's guest.

mod failure;
mod options;
mod run;
mod session;
mod signals;
mod uart;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use self::options::Wish;
use self::session::{Denied, Session};
use self::signals::Signals;
use super::faults::{self, Effect, PowerUp};
use super::machine::Frontend;
use super::server::NoServer;
use super::store::Store;
use super::texts;

/// VBoxHeadless.
pub fn headless(root: &Path, args: &[OsString]) -> Result<ExitCode> {
    let store = Store::mine(root)?;
    let wish = options::headless(args);
    if let Wish::Start(vm) = &wish
        && let Some(exit) = ends_before_it_begins(&store, vm)?
    {
        return Ok(exit);
    }
    out(texts::HEADLESS_BANNER);
    let vm = match wish {
        Wish::Start(vm) => vm,
        Wish::Help => {
            out(options::usage());
            return Ok(ExitCode::SUCCESS);
        }
        Wish::Version => {
            out(texts::VERSION);
            return Ok(ExitCode::SUCCESS);
        }
        Wish::Nothing => {
            out(options::usage());
            return Ok(ExitCode::from(1));
        }
        Wish::Unknown(option) => {
            out(options::usage());
            err(&format!("VBoxHeadless: error: Unknown option: '{option}'\n"));
            return Ok(ExitCode::from(2));
        }
    };
    start(store, &vm, Frontend::Headless)
}

/// VirtualBoxVM. It takes many more options than it is given here; those it does not need are let pass.
pub fn gui(root: &Path, args: &[OsString]) -> Result<ExitCode> {
    let store = Store::mine(root)?;
    if std::env::var_os("DISPLAY").is_none_or(|display| display.is_empty()) {
        // Not recorded: a Qt program's usual last words.
        err("qt.qpa.xcb: could not connect to display \nVirtualBoxVM: could not open the X11 display\n");
        return Ok(ExitCode::from(1));
    }
    match options::gui(args) {
        Some(vm) => start(store, &vm, Frontend::Gui),
        None => {
            err("VirtualBoxVM: no machine to start was given\n");
            Ok(ExitCode::from(1))
        }
    }
}

fn start(store: Store, vm: &str, frontend: Frontend) -> Result<ExitCode> {
    let program = frontend.program();
    // Before anybody can see the session and send one.
    let signals = Signals::handle(frontend)?;
    let session = match Session::take(store, vm, frontend)? {
        Ok(session) => session,
        Err(denied) => {
            match denied {
                Denied::NotFound => out("Invalid machine name or UUID!\n\n"),
                Denied::Inaccessible => {}
                Denied::Locked(name) => err(&texts::locked(program, &name, texts::LOCK_HEADLESS)),
                Denied::Wedged => err(&texts::bare_failure(program, texts::LOCK_HEADLESS)),
                Denied::NoServer(NoServer::Terminating) => err(&texts::no_server(program)),
                Denied::NoServer(NoServer::HomeNotAccessible(home)) => err(&texts::home_not_accessible(program, &home)),
            }
            return Ok(ExitCode::from(1));
        }
    };
    run::Vm::new(session, signals)?.run()
}

/// Faults that strike before VBoxHeadless's own code runs.
fn ends_before_it_begins(store: &Store, vm: &str) -> Result<Option<ExitCode>> {
    let Some(uuid) = store.read()?.find(vm).map(|machine| machine.uuid.clone()) else { return Ok(None) };
    let found = faults::of_session(store.root(), &uuid, |effect| match effect {
        Effect::PowerUp(PowerUp::NoDriver) => Some(None),
        Effect::PowerUp(PowerUp::ExitsAtOnce(code)) => Some(Some(*code)),
        _ => None,
    })?;
    Ok(found.map(|code| {
        if code.is_none() {
            err(texts::NO_DRIVER);
        }
        ExitCode::from(code.unwrap_or(1))
    }))
}

/// Writes to standard output; that nobody reads it is no reason to end.
fn out(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// The same for standard error.
fn err(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
