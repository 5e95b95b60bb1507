//! svccfg(8): the command language, its selection, and what errors do to it.

mod cleanup;
mod commands;
mod describe;
mod dtd;
mod export;
pub mod import;
mod lex;
mod manifest;
mod merge;
mod properties;
mod templates;
mod validate;

pub use cleanup::cleanup;

use std::fs;
use std::io::{self, Read};

use lex::Token;

use super::fmri::{Entity, Fmri, InstanceName, instances, services};
use super::getopt;
use super::repository::Store;
use super::rights::Caller;
use super::tool::Tool;

/// A command that failed, and the end of the whole run: nothing here is interactive.
pub struct Failure(pub String);

impl<T: Into<String>> From<T> for Failure {
    fn from(message: T) -> Self {
        Failure(message.into())
    }
}

type Done = Result<(), Failure>;

const DENIED: &str = "Permission denied.";
const NOTHING_SELECTED: &str = "An entity is not selected.";

/// The state of one run.
pub struct Engine<'t, 'r> {
    tool: &'t mut Tool<'r>,
    caller: Caller,
    verbose: bool,
    selection: Option<Entity>,
    /// Instances svc.startd has to hear about once the repository is unlocked.
    touched: Vec<InstanceName>,
}

pub fn run(tool: &mut Tool, args: &[String]) -> u8 {
    let usage = "Usage:\tsvccfg [-v] [-z zone] [-s FMRI] [-f file]\n\tsvccfg [-v] [-z zone] [-s FMRI] <command> [args]";
    let Some(options) = getopt::parse("?f:s:vz:", args) else { return tool.usage(usage) };
    if options.has('?') {
        return tool.usage(usage);
    }
    let caller = Caller::of(tool.root);
    let mut engine = Engine { tool, caller, verbose: options.has('v'), selection: None, touched: Vec::new() };
    if let Some(fmri) = options.value('s')
        && let Err(Failure(message)) = engine.select(fmri)
    {
        engine.tool.complain(message);
        return 1;
    }
    let (source, input) = match (options.value('f'), options.operands.as_slice()) {
        (Some("-"), _) | (None, []) => (Some("<stdin>".to_string()), read_all(&mut io::stdin())),
        (Some(path), _) => (Some(path.to_string()), fs::read(path)),
        (None, words) => (None, Ok(lex::join(words))),
    };
    let status = match input {
        Ok(input) => engine.interpret(source.as_deref(), &String::from_utf8_lossy(&input)),
        Err(error) => {
            engine.tool.complain(format!("Could not open {}: {error}", source.unwrap_or_default()));
            1
        }
    };
    engine.tell_startd();
    status
}

fn read_all(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.read_to_end(&mut all)?;
    Ok(all)
}

impl Engine<'_, '_> {
    fn interpret(&mut self, source: Option<&str>, input: &str) -> u8 {
        let (tokens, trouble) = lex::lex(input);
        let mut command: Vec<Token> = Vec::new();
        let mut depth = 0usize;
        for (token, line) in tokens {
            match token {
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            if token != Token::Newline {
                command.push(token);
                continue;
            }
            // A list of values may go on over several lines.
            if depth > 0 && matches!(command.first(), Some(Token::Word(w)) if w == "setprop") {
                continue;
            }
            depth = 0;
            let words = std::mem::take(&mut command);
            if matches!(words.as_slice(), [Token::Word(end)] if matches!(end.as_str(), "end" | "exit" | "quit")) {
                return 0;
            }
            if let Err(Failure(message)) = self.execute(&words) {
                match source {
                    Some(file) => self.tool.complain_as(&format!("{} ({file}, line {line})", self.tool.name), message),
                    None => self.tool.complain(message),
                }
                return 1;
            }
        }
        match trouble {
            Some(error) => {
                self.tool.complain(error);
                1
            }
            None => 0,
        }
    }

    fn store(&self) -> Result<Store, Failure> {
        Store::write(self.tool.root)
            .map_err(|_| "Could not connect to configuration repository: repository server unavailable.".into())
    }

    /// svc.startd is told only when the lock is gone.
    fn tell_startd(&mut self) {
        for name in std::mem::take(&mut self.touched) {
            self.tool.wake(name);
        }
    }

    fn select(&mut self, operand: &str) -> Done {
        let store = self.store()?;
        self.selection = Some(self.resolve(&store, operand)?);
        Ok(())
    }

    /// An entity by a name relative to the selection, an FMRI, or an abbreviation that fits just one.
    fn resolve(&self, store: &Store, operand: &str) -> Result<Entity, Failure> {
        let no_match = || Failure(format!("Pattern '{operand}' doesn't match any instances or services"));
        if let Some(Entity::Service(service)) = &self.selection {
            let name = InstanceName::new(service, operand);
            if store.has_instance(&name) {
                return Ok(Entity::Instance(name));
            }
        }
        let complete = if operand.starts_with("svc:/") { operand.to_string() } else { format!("svc:/{operand}") };
        match Fmri::parse(&complete) {
            Some(Fmri { service, instance: None, pg: None, .. }) if store.has_service(&service) => {
                return Ok(Entity::Service(service));
            }
            Some(Fmri { service, instance: Some(instance), pg: None, .. }) => {
                let name = InstanceName { service, instance };
                if store.has_instance(&name) {
                    return Ok(Entity::Instance(name));
                }
            }
            _ => {}
        }
        let mut found: Vec<Entity> = services(store, operand).into_iter().map(Entity::Service).collect();
        if found.is_empty() {
            found = instances(store, operand).1.into_iter().map(Entity::Instance).collect();
        }
        match found.as_slice() {
            [] => Err(no_match()),
            [one] => Ok(one.clone()),
            several => {
                let list: String = several.iter().map(|e| format!("\n\t{e}")).collect();
                Err(format!("Pattern '{operand}' matches multiple instances:{list}").into())
            }
        }
    }

    fn selected(&self) -> Result<Entity, Failure> {
        self.selection.clone().ok_or_else(|| NOTHING_SELECTED.into())
    }

    fn note(&self, message: impl std::fmt::Display) {
        if self.verbose {
            self.tool.complain(message);
        }
    }
}
