//! The stand-in for VBoxManage: reads the command line, suffers the faults that are set for the call, and leaves the
//! work to one module a command.

mod controlvm;
mod list;
mod registry;
mod render;
mod showvminfo;
mod startvm;

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::Signal;

use super::events::What;
use super::faults::{self, Effect};
use super::locale;
use super::machine::{Machine, Registry};
use super::server::{self, Connection, NoServer};
use super::settings::Settings;
use super::store::Store;
use super::texts;

pub use registry::{new_uuid, write_settings_file};

/// A call being answered. Commands write here; it is printed when they are done.
pub struct Call {
    pub store: Store,
    pub settings: Settings,
    pub out: String,
    pub err: String,
}

/// What commands return: an exit code, as the real program's.
pub type Exit = Result<u8>;

pub fn main(root: &Path, args: &[OsString]) -> Result<ExitCode> {
    let store = Store::mine(root)?;
    let argv: Vec<String> = args.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let begun = Instant::now();
    store.log(None, What::CallStarted { argv: argv.clone() })?;
    let exit = answer(&store, args)?;
    store.log(None, What::CallEnded { argv, exit, millis: begun.elapsed().as_millis() as u64 })?;
    Ok(ExitCode::from(exit))
}

fn answer(store: &Store, args: &[OsString]) -> Exit {
    let settings = Settings::read(store.root());
    let utf8 = locale::is_utf8(settings.locales.as_deref());
    let Some(args) = translate(args, utf8) else {
        print("", texts::NO_TRANSLATION);
        return Ok(3);
    };
    let words: Vec<&str> =
        args.iter().map(String::as_str).skip_while(|word| matches!(*word, "-q" | "--nologo")).collect();
    let mut call = Call { store: store.clone(), settings, out: String::new(), err: String::new() };
    let effects = faults::of_call(store.root(), call.machine_meant(&words)?.as_deref(), &verb(&words))?;
    let mut exit = None;
    for effect in &effects {
        match effect {
            Effect::Slow(time) => sleep(*time),
            Effect::Hang => hang(store),
            Effect::Crash(signal) => {
                // Rust's own handler of SIGSEGV takes the first one, and itself away.
                for _ in 0..2 {
                    nix::sys::signal::raise(Signal::try_from(*signal)?)?;
                }
            }
            Effect::Fail { exit: code, stderr } => {
                call.err.clone_from(stderr);
                exit = Some(*code);
            }
            Effect::NoServer => {
                call.err = texts::no_server("VBoxManage");
                exit = Some(1);
            }
            _ => {}
        }
    }
    let mut exit = match exit {
        Some(exit) => exit,
        None => call.dispatch(&words)?,
    };
    for effect in &effects {
        match effect {
            Effect::CutOff { lines } => {
                call.cut_off(*lines);
                exit = 1;
            }
            Effect::Noise => call.out.insert_str(0, texts::WRAPPER_WARNING),
            _ => {}
        }
    }
    let out = call.out.as_bytes();
    let visible = if utf8 { out } else { locale::ascii_part(out) };
    print(std::str::from_utf8(visible)?, &call.err);
    Ok(exit)
}

/// The arguments as text, unless the locale cannot express them.
fn translate(args: &[OsString], utf8: bool) -> Option<Vec<String>> {
    args.iter().map(|arg| arg.to_str().filter(|text| utf8 || text.is_ascii()).map(str::to_owned)).collect()
}

/// What faults know the call by: the command, with the object or verb it is about.
fn verb(words: &[&str]) -> String {
    let second = match words.first() {
        Some(&"list") => words.iter().skip(1).find(|word| !word.starts_with('-')),
        Some(&"controlvm" | &"snapshot") => words.get(2),
        _ => None,
    };
    words.first().into_iter().chain(second).copied().collect::<Vec<_>>().join(" ")
}

/// Does nothing for as long as the simulated host exists.
fn hang(store: &Store) {
    while !store.is_gone() {
        sleep(Duration::from_millis(100));
    }
}

fn print(out: &str, err: &str) {
    // A caller that has closed its end does not care.
    let _ = std::io::stdout().write_all(out.as_bytes());
    let _ = std::io::stderr().write_all(err.as_bytes());
}

impl Call {
    fn dispatch(&mut self, words: &[&str]) -> Exit {
        let (Some(&command), rest) = (words.first(), words.get(1..).unwrap_or_default()) else {
            self.out.push_str(texts::USAGE);
            return Ok(1);
        };
        match command {
            "--version" | "-v" | "-V" => {
                self.out.push_str(texts::VERSION);
                Ok(0)
            }
            "list" => list::run(self, rest),
            "showvminfo" => showvminfo::run(self, rest),
            "controlvm" => controlvm::run(self, rest),
            "startvm" => startvm::run(self, rest),
            "createvm" => registry::createvm(self, rest),
            "registervm" => registry::registervm(self, rest),
            "unregistervm" => registry::unregistervm(self, rest),
            "modifyvm" => registry::modifyvm(self, rest),
            "discardstate" => registry::discardstate(self, rest),
            "adoptstate" => registry::adoptstate(self, rest),
            "snapshot" => registry::snapshot(self, rest),
            _ => Ok(self.syntax_error(&format!("Invalid command '{command}'"), texts::USAGE, 2)),
        }
    }

    /// The UUID of the machine that the call is about, for the faults bound to one.
    fn machine_meant(&self, words: &[&str]) -> Result<Option<String>> {
        let registry = self.store.read()?;
        let mut found = words.iter().skip(1).filter_map(|word| registry.find(word));
        Ok(found.next().filter(|_| words.first() != Some(&"list")).map(|machine| machine.uuid.clone()))
    }

    /// Connects to VBoxSVC, or says why not.
    fn connect(&mut self) -> Result<Option<Connection>> {
        match server::connect(&self.store)? {
            Ok(connection) => return Ok(Some(connection)),
            Err(NoServer::Terminating) => self.err.push_str(&texts::no_server("VBoxManage")),
            Err(NoServer::HomeNotAccessible(home)) => {
                self.err.push_str(&texts::home_not_accessible("VBoxManage", &home));
            }
        }
        Ok(None)
    }

    /// Prints the error and the command's usage; then the error again where the usage is so long that it scrolls away.
    fn syntax_error(&mut self, message: &str, usage: &str, exit: u8) -> u8 {
        self.err.push_str(&format!("{}VBoxManage: error: {message}\n\n{usage}", texts::MANAGE_BANNER));
        if usage.lines().count() > 30 || usage == texts::USAGE {
            self.err.push_str(&format!("\nVBoxManage: error: {message}\n"));
        }
        exit
    }

    fn fail(&mut self, text: &str) -> Exit {
        self.err.push_str(text);
        Ok(1)
    }

    /// Loses all output after so many lines, as when the session goes away.
    fn cut_off(&mut self, lines: usize) {
        self.out = self.out.split_inclusive('\n').take(lines).collect();
        self.err.push_str(&texts::not_ready());
    }
}

/// The machine, or the error text. `find` and `lock` are the contexts of the COM calls that fail.
fn accessible<'a>(registry: &'a Registry, asked: &str, find: &str, lock: &str) -> Result<&'a Machine, String> {
    match registry.find(asked) {
        Some(machine) if machine.inaccessible => Err(texts::inaccessible(lock)),
        Some(machine) => Ok(machine),
        None => Err(texts::not_found(asked, find)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_know_a_call_by_its_command_and_object() {
        for (line, known) in [
            ("list -l vms", "list vms"),
            ("list runningvms", "list runningvms"),
            ("controlvm x savestate", "controlvm savestate"),
            ("showvminfo x --machinereadable", "showvminfo"),
            ("snapshot x list", "snapshot list"),
            ("--version", "--version"),
        ] {
            assert_eq!(verb(&line.split(' ').collect::<Vec<_>>()), known);
        }
    }

    #[test]
    fn arguments_that_the_locale_cannot_express_are_refused() {
        use std::os::unix::ffi::OsStringExt;
        let unicode = [OsString::from("ü")];
        assert!(translate(&unicode, true).is_some());
        assert!(translate(&unicode, false).is_none());
        assert!(translate(&[OsString::from_vec(b"latin1-\xe9".to_vec())], true).is_none());
    }
}
