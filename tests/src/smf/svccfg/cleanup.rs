//! `svccfg cleanup`: what happens to services and instances whose manifests are gone.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::manifest;
use crate::smf::fmri::InstanceName;
use crate::smf::model::{Groups, value};
use crate::smf::repository::Store;
use crate::smf::svcadm::set_enabled;
use crate::smf::tool::wake;

/// How long a running instance is given to stop before it is deleted all the same.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Only manifests below these count.
const TREES: [&str; 2] = ["/lib/svc/manifest/", "/var/svc/manifest/"];

pub fn cleanup(root: &Path) -> io::Result<()> {
    let services = Store::read(root)?.services();
    for service in services {
        cleanup_service(root, &service)?;
    }
    Ok(())
}

fn cleanup_service(root: &Path, service: &str) -> io::Result<()> {
    let store = Store::write(root)?;
    let mut groups = store.service(service).unwrap_or_default();
    let Some(files) = groups.get_mut("manifestfiles") else { return Ok(()) };
    let of = |property: &crate::smf::model::Property| property.values.first().cloned().unwrap_or_default();
    if files.properties.values().any(|p| !TREES.iter().any(|tree| of(p).starts_with(tree))) {
        return Ok(());
    }
    let before = files.properties.len();
    files.properties.retain(|_, p| on_host(root, &of(p)).exists());
    let left: Vec<PathBuf> = files.properties.values().map(|p| on_host(root, &of(p))).collect();
    if left.is_empty() {
        drop(store);
        return tear_down(root, service);
    }
    if left.len() != before {
        store.put_service(service, &groups)?;
    }
    let named = instances_named(&left, service);
    let imported = |name: &InstanceName| store.snapshot(name, "last-import").is_some();
    let orphans: Vec<InstanceName> = store
        .instances(service)
        .into_iter()
        .filter(|instance| !named.contains(instance))
        .map(|instance| InstanceName::new(service, &instance))
        .filter(imported)
        .collect();
    drop(store);
    orphans.iter().try_for_each(|name| {
        disable_and_wait(root, name)?;
        Store::write(root)?.delete_instance(name)?;
        wake(root, &name.to_string());
        Ok(())
    })
}

fn on_host(root: &Path, file: &str) -> PathBuf {
    root.join(file.trim_start_matches('/'))
}

fn instances_named(files: &[PathBuf], service: &str) -> BTreeSet<String> {
    let bundles = files.iter().filter_map(|file| manifest::load(file).ok());
    bundles
        .flat_map(|bundle| bundle.services)
        .filter(|s| s.name == service)
        .flat_map(|s| s.instances.into_iter().map(|(name, _)| name))
        .collect()
}

/// The whole service goes, instances made by hand included.
fn tear_down(root: &Path, service: &str) -> io::Result<()> {
    let names: Vec<InstanceName> =
        Store::read(root)?.instances(service).iter().map(|n| InstanceName::new(service, n)).collect();
    for name in &names {
        disable_and_wait(root, name)?;
    }
    Store::write(root)?.delete_service(service)?;
    for name in &names {
        wake(root, &name.to_string());
    }
    Ok(())
}

fn disable_and_wait(root: &Path, name: &InstanceName) -> io::Result<()> {
    let running = |groups: &Groups| matches!(value(groups, "restarter", "state"), Some("online" | "degraded"));
    if !Store::read(root)?.instance(name).is_some_and(|g| running(&g)) {
        return Ok(());
    }
    Store::write(root)?.edit(name, |groups| set_enabled(groups, false, false, None))?;
    wake(root, &name.to_string());
    let deadline = Instant::now() + STOP_LIMIT;
    while Instant::now() < deadline && Store::read(root)?.instance(name).is_some_and(|g| running(&g)) {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
