//! The services every simulated host has: milestones and the like, online without methods, manifest-import and rbac.

use std::io;
use std::path::Path;

use super::fmri::InstanceName;
use super::model::{Group, Groups, Property, Type};
use super::repository::Store;
use crate::{rbac, zones};

/// The program, and the service, that imports manifests.
pub const MANIFEST_IMPORT: &str = "manifest-import";
pub const MANIFEST_IMPORT_FMRI: &str = "svc:/system/manifest-import:default";
pub const ZONES_FMRI: &str = "svc:/system/zones:default";
/// The service whose groups hold the hashes of imported files.
pub const HASHES: &str = "smf/manifest";

const PLAIN: [&str; 13] = [
    "milestone/multi-user",
    "milestone/multi-user-server",
    "milestone/name-services",
    "milestone/network",
    "milestone/single-user",
    "network/loopback",
    "network/physical",
    "system/cron",
    "system/filesystem/local",
    "system/filesystem/minimal",
    "system/filesystem/root",
    "system/filesystem/usr",
    "system/zones",
];

/// Writes them into an empty repository.
pub fn install(root: &Path) -> io::Result<()> {
    let store = Store::write(root)?;
    for service in PLAIN {
        put(&store, service, &Groups::new())?;
    }
    let mut needs = Group::new("dependency");
    needs.set("type", Type::Astring, "service");
    needs.set("grouping", Type::Astring, "require_all");
    needs.set("restart_on", Type::Astring, "none");
    needs.properties.insert("entities".into(), Property::one(Type::Fmri, "svc:/system/filesystem/minimal"));
    let groups = Groups::from([("start".into(), method(MANIFEST_IMPORT)), ("fs-minimal".into(), needs)]);
    put(&store, "system/manifest-import", &groups)?;
    put(&store, rbac::SERVICE, &Groups::from(["start", "refresh"].map(|word| (word.into(), method(rbac::METHOD)))))?;
    store.put_service(HASHES, &Groups::new())
}

/// Gives svc:/system/zones the methods that switch zones on and off.
pub fn install_zones(root: &Path) -> io::Result<()> {
    let groups = Groups::from(["start", "stop"].map(|word| (word.into(), method(zones::METHOD))));
    put(&Store::write(root)?, "system/zones", &groups)
}

fn method(program: &str) -> Group {
    let mut method = Group::new("method");
    method.set("type", Type::Astring, "method");
    method.set("exec", Type::Astring, format!("/lib/svc/method/{program} %m"));
    method.set("timeout_seconds", Type::Count, "0");
    method
}

fn put(store: &Store, service: &str, groups: &Groups) -> io::Result<()> {
    let mut groups = groups.clone();
    let mut startd = Group::new("framework");
    startd.set("duration", Type::Astring, "transient");
    groups.insert("startd".into(), startd);
    store.put_service(service, &groups)?;
    let name = InstanceName::new(service, "default");
    let mut general = Group::new("framework");
    general.set("enabled", Type::Boolean, "true");
    store.put_instance(&name, &Groups::from([("general".into(), general)]))?;
    store.take_snapshot(&name, "running")
}
