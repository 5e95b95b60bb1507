//! The subcommands of svccfg that move about and make or delete entities; properties are in [`super::properties`].

use super::lex::Token;
use super::manifest;
use super::{DENIED, Done, Engine, Failure};
use crate::smf::fmri::{Entity, InstanceName, glob};
use crate::smf::model::{Groups, is_name, is_service_name, value};
use crate::smf::repository::SNAPSHOTS;
use crate::smf::svcadm::request;

const SYNTAX: &str = "Syntax error.";

/// Real subcommands that this stand-in does not have.
const NOT_SIMULATED: [&str; 16] = [
    "archive",
    "restore",
    "apply",
    "extract",
    "delhash",
    "repository",
    "set",
    "help",
    "editprop",
    "setenv",
    "unsetenv",
    "selectsnap",
    "revert",
    "listnotify",
    "setnotify",
    "delnotify",
];

impl Engine<'_, '_> {
    pub(super) fn execute(&mut self, command: &[Token]) -> Done {
        let Some((first, arguments)) = command.split_first() else { return Ok(()) };
        let Token::Word(verb) = first else { return Err(SYNTAX.into()) };
        if matches!(verb.as_str(), "setprop" | "addpropvalue" | "delpropvalue") {
            return self.change_values(verb, arguments);
        }
        let mut words = Vec::new();
        let mut redirect = None;
        let mut rest = arguments.iter();
        while let Some(token) = rest.next() {
            match token {
                Token::Word(word) => words.push(word.as_str()),
                Token::Text(text) if matches!(verb.as_str(), "import" | "setenv") => words.push(unquoted(text)),
                Token::Redirect => match (rest.next(), rest.next()) {
                    (Some(Token::Word(file)), None) => redirect = Some(file.as_str()),
                    _ => return Err(SYNTAX.into()),
                },
                _ => return Err(SYNTAX.into()),
            }
        }
        match (verb.as_str(), words.as_slice()) {
            ("select", [operand]) => self.select(operand),
            ("unselect", []) => self.unselect(),
            ("list", []) => self.list(None),
            ("list", [pattern]) => self.list(Some(pattern)),
            ("add", [name]) => self.add(name),
            ("delete", [name]) => self.delete(name, false),
            ("delete", ["-f", name]) => self.delete(name, true),
            ("refresh", []) => self.refresh(),
            ("listsnap", []) => self.list_snapshots(),
            ("listpg", []) => self.list_groups(None),
            ("listpg", [pattern]) => self.list_groups(Some(pattern)),
            ("addpg", [name, ty]) => self.add_group(name, ty, None),
            ("addpg", [name, ty, flags]) => self.add_group(name, ty, Some(flags)),
            ("delpg", [name]) => self.delete_group(name),
            ("delprop", [name]) => self.delete_property(name),
            ("listprop", []) => self.list_properties(None),
            ("listprop", [pattern]) => self.list_properties(Some(pattern)),
            ("describe", ["-v"]) => self.describe(None, true),
            ("describe", ["-v", pattern]) => self.describe(Some(pattern), true),
            ("describe", [option, ..]) if option.starts_with('-') => {
                Err(format!("this stand-in does not simulate \"describe {option}\".").into())
            }
            ("describe", []) => self.describe(None, false),
            ("describe", [pattern]) => self.describe(Some(pattern), false),
            ("import", files) if !files.is_empty() => self.import_command(files),
            ("validate", []) => self.validate_selected(),
            ("validate", [what]) => self.validate(what),
            ("inventory", [file]) => self.inventory(file),
            ("cleanup", [] | ["-a"]) => super::cleanup::cleanup(self.tool.root).map_err(|e| Failure(e.to_string())),
            ("export", [name] | ["-a", name]) => self.export(name, redirect),
            (known, _) if KNOWN.contains(&known) => Err(SYNTAX.into()),
            (known, _) if NOT_SIMULATED.contains(&known) => {
                Err(format!("this stand-in does not simulate \"{known}\".").into())
            }
            (unknown, _) => Err(format!("Unknown command \"{unknown}\".").into()),
        }
    }

    fn unselect(&mut self) -> Done {
        self.selection = match self.selected() {
            Err(_) => return Err("Cannot unselect at scope level.".into()),
            Ok(Entity::Service(_)) => None,
            Ok(Entity::Instance(name)) => Some(Entity::Service(name.service)),
        };
        Ok(())
    }

    fn list(&mut self, pattern: Option<&str>) -> Done {
        let store = self.store()?;
        let names = match &self.selection {
            None => store.services(),
            Some(Entity::Service(service)) => {
                std::iter::once(":properties".to_string()).chain(store.instances(service)).collect()
            }
            Some(Entity::Instance(_)) => vec![":properties".to_string()],
        };
        for name in names.iter().filter(|n| pattern.is_none_or(|p| glob(p.as_bytes(), n.as_bytes()))) {
            self.tool.print(name);
        }
        Ok(())
    }

    fn add(&mut self, name: &str) -> Done {
        let store = self.store()?;
        match &self.selection {
            Some(Entity::Instance(_)) => Err("Cannot add entities to an instance.".into()),
            Some(Entity::Service(_)) if !is_name(name) => Err("Invalid name.".into()),
            None if !is_service_name(name) => Err("Invalid name.".into()),
            _ if !self.caller.may_modify() => Err(DENIED.into()),
            Some(Entity::Service(service)) => {
                let instance = InstanceName::new(service, name);
                if store.has_instance(&instance) {
                    return Err("Already exists.".into());
                }
                Ok(store.put_instance(&instance, &Groups::new()).map_err(io)?)
            }
            None if store.has_service(name) => Err("Already exists.".into()),
            None => Ok(store.put_service(name, &Groups::new()).map_err(io)?),
        }
    }

    fn delete(&mut self, operand: &str, force: bool) -> Done {
        let store = self.store()?;
        let entity = self.resolve(&store, operand)?;
        if !self.caller.may_modify() {
            return Err(DENIED.into());
        }
        let running = |name: &InstanceName| {
            let groups = store.instance(name).unwrap_or_default();
            matches!(value(&groups, "restarter", "state"), Some("online" | "degraded"))
        };
        match &entity {
            Entity::Instance(name) => {
                if !force && running(name) {
                    return Err(format!("Instance {name} may be running.  Use delete -f if it is not.").into());
                }
                store.delete_instance(name).map_err(io)?;
                self.touched.push(name.clone());
            }
            Entity::Service(service) => {
                let names = store.instances(service);
                if !force && !names.is_empty() {
                    return Err(format!("Cannot delete {entity}: it has instances.  Use delete -f.").into());
                }
                self.touched.extend(names.iter().map(|n| InstanceName::new(service, n)));
                store.delete_service(service).map_err(io)?;
            }
        }
        self.selection = match (self.selection.take(), entity) {
            (Some(Entity::Instance(selected)), Entity::Instance(gone)) if selected == gone => {
                Some(Entity::Service(gone.service))
            }
            (Some(Entity::Instance(selected)), Entity::Service(gone)) if selected.service == gone => None,
            (Some(Entity::Service(selected)), Entity::Service(gone)) if selected == gone => None,
            (selection, _) => selection,
        };
        Ok(())
    }

    /// Takes the running snapshot and asks for the refresh method; a service refreshes all its instances.
    fn refresh(&mut self) -> Done {
        let store = self.store()?;
        let names = match self.selected()? {
            Entity::Instance(name) => vec![name],
            Entity::Service(service) => {
                store.instances(&service).iter().map(|n| InstanceName::new(&service, n)).collect()
            }
        };
        for name in names {
            let instance = store.instance(&name).unwrap_or_default();
            let service = store.service(&name.service).unwrap_or_default();
            if !self.caller.may_act(&instance, &service) {
                return Err(DENIED.into());
            }
            store.take_snapshot(&name, "running").map_err(io)?;
            store.edit(&name, |groups| request(groups, "refresh")).map_err(io)?;
            self.touched.push(name);
        }
        Ok(())
    }

    fn list_snapshots(&mut self) -> Done {
        let Entity::Instance(name) = self.selected()? else { return Err("No instance selected.".into()) };
        let store = self.store()?;
        for snapshot in SNAPSHOTS.iter().filter(|s| store.snapshot(&name, s).is_some()) {
            self.tool.print(snapshot);
        }
        Ok(())
    }

    fn inventory(&mut self, file: &str) -> Done {
        let bundle = manifest::load(file.as_ref()).map_err(|e| Failure(e.to_string()))?;
        for service in &bundle.services {
            for (instance, _) in &service.instances {
                self.tool.print(format!("svc:/{}:{instance}", service.name));
            }
            self.tool.print(format!("svc:/{}", service.name));
        }
        Ok(())
    }
}

const KNOWN: [&str; 21] = [
    "select",
    "unselect",
    "list",
    "add",
    "delete",
    "refresh",
    "listsnap",
    "listpg",
    "addpg",
    "delpg",
    "delprop",
    "listprop",
    "import",
    "validate",
    "inventory",
    "cleanup",
    "export",
    "describe",
    "end",
    "exit",
    "quit",
];

pub(super) fn io(error: std::io::Error) -> Failure {
    Failure(format!("Could not write the repository: {error}"))
}

/// A string without its quotes.
pub(super) fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)
}
