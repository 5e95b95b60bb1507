//! `svccfg import`: a manifest's entities into the repository, merged with what is there.

use std::fs;
use std::path::Path;

use super::commands::io;
pub use super::manifest::load;
use super::manifest::{Bundle, EntitySpec, ServiceSpec};
use super::merge::upgrade;
use super::validate::bundle_errors;
use super::{DENIED, Done, Engine, Failure};
use crate::smf::fmri::{Fmri, InstanceName};
use crate::smf::model::{Group, Groups, Property, Snapshot, Type, value};
use crate::smf::repository::Store;
use crate::smf::svcadm::request;

/// What an import did besides.
#[derive(Debug, Default)]
pub struct Imported {
    /// Conflicts, each a whole message.
    pub conflicts: Vec<String>,
    /// Instances that svc.startd has to look at.
    pub touched: Vec<InstanceName>,
}

impl Engine<'_, '_> {
    pub(super) fn import_command(&mut self, words: &[&str]) -> Done {
        let strict = words.contains(&"-V");
        let paths: Vec<&str> = words.iter().copied().filter(|w| *w != "-V").collect();
        let mut files = Vec::new();
        let mut directory = false;
        for path in &paths {
            let path = Path::new(path);
            match fs::metadata(path) {
                Ok(m) if m.is_dir() => {
                    directory = true;
                    files.extend(manifests_below(path));
                }
                Ok(_) => files.push(path.to_path_buf()),
                Err(error) => return Err(format!("Unable to stat file {}.  {error}", path.display()).into()),
            }
        }
        // With several files a failure is told and the rest goes on; the exit status stays 0.
        let go_on = files.len() > 1;
        let mut failed = 0;
        for file in &files {
            if let Err(failure) = self.import_one(file, strict) {
                if !go_on {
                    return Err(failure);
                }
                failed += 1;
                self.tool.complain(failure.0);
            }
        }
        if directory {
            self.tool.complain(format!("Loaded {} smf(7) service descriptions", files.len()));
            if failed > 0 {
                self.tool.complain(format!("{failed} smf(7) service descriptions failed to load"));
            }
        }
        if failed == 0 {
            self.note("Successful import.");
        }
        Ok(())
    }

    fn import_one(&mut self, file: &Path, strict: bool) -> Done {
        let failed = || Failure(format!("Import of {} failed.", file.display()));
        let bundle = load(file).map_err(|e| Failure(e.to_string()))?;
        let errors = bundle_errors(&bundle);
        for error in &errors {
            self.tool.complain(format!("{}{error}", if strict { "" } else { "Warning: " }));
        }
        if strict && !errors.is_empty() {
            return Err(failed());
        }
        if !self.caller.may_modify() {
            self.tool.complain(DENIED);
            return Err(failed());
        }
        let store = self.store()?;
        let done = import(&store, self.tool.root, file, &bundle).map_err(io)?;
        for conflict in &done.conflicts {
            self.tool.complain(conflict);
        }
        self.touched.extend(done.touched);
        Ok(())
    }
}

fn manifests_below(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|e| e.path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| match path.is_dir() {
            true => manifests_below(&path),
            false => Some(path).filter(|p| p.extension().is_some_and(|e| e == "xml")).into_iter().collect(),
        })
        .collect()
}

/// Imports a whole bundle that was read from `file`.
pub fn import(store: &Store, root: &Path, file: &Path, bundle: &Bundle) -> std::io::Result<Imported> {
    let mut done = Imported::default();
    let absolute = fs::canonicalize(file).unwrap_or_else(|_| file.to_path_buf());
    // The host's own paths are recorded without the directory it lives in.
    let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
    let recorded = match absolute.strip_prefix(&root) {
        Ok(inside) => format!("/{}", inside.display()),
        Err(_) => absolute.display().to_string(),
    };
    for service in &bundle.services {
        import_service(store, service, &recorded, &mut done)?;
    }
    Ok(done)
}

fn import_service(store: &Store, service: &ServiceSpec, file: &str, done: &mut Imported) -> std::io::Result<()> {
    let fmri = format!("svc:/{}", service.name);
    let fresh = !store.has_service(&service.name);
    let mut properties_too = true;
    let mut groups = store.service(&service.name).unwrap_or_default();
    if fresh {
        groups = service.spec.groups.clone();
    } else {
        let present: Vec<InstanceName> =
            store.instances(&service.name).iter().map(|n| InstanceName::new(&service.name, n)).collect();
        for name in &present {
            store.take_snapshot(name, "previous")?;
        }
        match present.iter().find_map(|name| store.snapshot(name, "last-import")) {
            Some(last) => {
                let conflicts = upgrade(&mut groups, &last.service, &service.spec);
                done.conflicts.extend(conflicts.iter().map(|c| format!("Conflict upgrading {fmri} {c}.")));
            }
            // Without any last-import snapshot the manifest wins, unless an instance is in use (it has
            // general/enabled): then the service's properties stay as they are.
            None => {
                let in_use = |name: &InstanceName| {
                    store.instance(name).is_some_and(|g| value(&g, "general", "enabled").is_some())
                };
                properties_too = !present.iter().any(in_use);
                if properties_too {
                    force(&mut groups, &service.spec);
                }
            }
        }
    }
    record_file(&mut groups, file);
    store.put_service(&service.name, &groups)?;
    for (instance, spec) in &service.instances {
        let name = InstanceName::new(&service.name, instance);
        import_instance(store, &name, spec, service, properties_too, done)?;
    }
    let dependents = service.instances.iter().flat_map(|(_, s)| &s.dependents).chain(&service.spec.dependents);
    for (target, name, group) in dependents {
        place_dependent(store, target, name, group, &fmri, done)?;
    }
    Ok(())
}

fn import_instance(
    store: &Store,
    name: &InstanceName,
    spec: &EntitySpec,
    service: &ServiceSpec,
    properties_too: bool,
    done: &mut Imported,
) -> std::io::Result<()> {
    let mut groups = store.instance(name).unwrap_or_default();
    match store.snapshot(name, "last-import") {
        Some(last) => {
            let conflicts = upgrade(&mut groups, &last.instance, spec);
            done.conflicts.extend(conflicts.iter().map(|c| format!("Conflict upgrading {name} {c}.")));
        }
        None if properties_too || groups.is_empty() => force(&mut groups, spec),
        None => {}
    }
    store.put_instance(name, &groups)?;
    if store.snapshot(name, "initial").is_none() {
        store.take_snapshot(name, "initial")?;
    }
    store.put_snapshot(name, "last-import", &Snapshot::take(&spec.groups, &service.spec.groups))?;
    // Only the instances that the manifest names are refreshed.
    store.take_snapshot(name, "running")?;
    store.edit(name, |groups| request(groups, "refresh"))?;
    done.touched.push(name.clone());
    Ok(())
}

fn force(groups: &mut Groups, spec: &EntitySpec) {
    for name in &spec.deletes {
        groups.remove(name);
    }
    for (name, wanted) in &spec.groups {
        let group = groups.entry(name.clone()).or_insert_with(|| Group::new(wanted.ty.clone()));
        for (prop, property) in &wanted.properties {
            // An instance that exists has been enabled or disabled by somebody.
            if (name.as_str(), prop.as_str()) == ("general", "enabled") && group.properties.contains_key(prop) {
                continue;
            }
            group.properties.insert(prop.clone(), property.clone());
        }
    }
}

fn record_file(groups: &mut Groups, file: &str) {
    let key: String = file.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let key = key.trim_start_matches('_').to_string();
    let files = groups.entry("manifestfiles".into()).or_insert_with(|| Group::new("framework"));
    files.properties.insert(key, Property::one(Type::Astring, file));
}

/// Puts a dependency on us into another entity, which is made when it is not there yet.
fn place_dependent(
    store: &Store,
    target: &str,
    name: &str,
    group: &Group,
    fmri: &str,
    done: &mut Imported,
) -> std::io::Result<()> {
    let mut group = group.clone();
    group.properties.insert("entities".into(), Property::one(Type::Fmri, fmri));
    match Fmri::parse(target) {
        Some(Fmri { service, instance: Some(instance), .. }) => {
            let other = InstanceName { service, instance };
            if !store.has_service(&other.service) {
                store.put_service(&other.service, &Groups::new())?;
            }
            let mut groups = store.instance(&other).unwrap_or_default();
            groups.insert(name.into(), group);
            store.put_instance(&other, &groups)?;
            store.take_snapshot(&other, "running")?;
            done.touched.push(other);
        }
        Some(Fmri { service, instance: None, .. }) => {
            let mut groups = store.service(&service).unwrap_or_default();
            groups.insert(name.into(), group);
            store.put_service(&service, &groups)?;
            for instance in store.instances(&service) {
                let other = InstanceName::new(&service, &instance);
                store.take_snapshot(&other, "running")?;
                done.touched.push(other);
            }
        }
        None => {}
    }
    Ok(())
}
