//! `svccfg validate`: of a file, whose errors are failures, and of an instance, whose errors are only shown.

use std::path::Path;

use super::manifest::{self, Bundle};
use super::templates;
use super::{Done, Engine, Failure};
use crate::smf::fmri::{Entity, InstanceName};
use crate::smf::model::composed;
use crate::smf::repository::Store;

impl Engine<'_, '_> {
    pub(super) fn validate(&mut self, what: &str) -> Done {
        if !Path::new(what).is_file() {
            let store = self.store()?;
            return match self.resolve(&store, what)? {
                Entity::Instance(name) => self.validate_instance(&store, &name),
                Entity::Service(_) => Err(format!("Could not open {what}").into()),
            };
        }
        let failed = || Failure("Validation failed.".into());
        let bundle = manifest::load(what.as_ref()).map_err(|error| {
            self.tool.complain(error);
            failed()
        })?;
        let errors = bundle_errors(&bundle);
        for error in &errors {
            self.tool.complain(error);
        }
        if errors.is_empty() { Ok(()) } else { Err(failed()) }
    }

    pub(super) fn validate_selected(&mut self) -> Done {
        match self.selection.clone() {
            Some(Entity::Instance(name)) => self.validate_instance(&self.store()?, &name),
            _ => Err("No instance selected".into()),
        }
    }

    /// Shows template errors of the running snapshot; they do not change the exit status.
    fn validate_instance(&self, store: &Store, name: &InstanceName) -> Done {
        let groups = store.running_composed(name).unwrap_or_default();
        for error in templates::errors(&name.to_string(), &groups, &["this", "instance"]) {
            self.tool.complain(error);
        }
        Ok(())
    }
}

/// What the templates of a bundle say against its own services and instances.
pub fn bundle_errors(bundle: &Bundle) -> Vec<String> {
    let mut errors = Vec::new();
    for service in &bundle.services {
        errors.extend(templates::errors(&format!("svc:/{}", service.name), &service.spec.groups, &["this"]));
        for (instance, spec) in &service.instances {
            let groups = composed(&spec.groups, &service.spec.groups);
            let fmri = format!("svc:/{}:{instance}", service.name);
            errors.extend(templates::errors(&fmri, &groups, &["instance"]));
        }
    }
    errors
}
