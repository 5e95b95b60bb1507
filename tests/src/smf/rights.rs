//! Who may do what: the caller's authorisations against those an entity or a property group names.
//!
//! The user who made the host is its root, unless `ROOT/etc/superuser` names another uid or says `none`. Everyone else
//! has what `ROOT/etc/user_attr` grants: by itself (`name::::auths=a,b`), and by the profiles it names (`profiles=X,Y`),
//! which `ROOT/etc/security/prof_attr` explains. The rules are those of smf_security(7).

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{User, geteuid};

use super::model::{Group, Groups};

const MODIFY: &str = "solaris.smf.modify";
const MANAGE: &str = "solaris.smf.manage";

pub struct Caller {
    superuser: bool,
    authorisations: Vec<String>,
}

impl Caller {
    pub fn of(root: &Path) -> Caller {
        let uid = geteuid();
        let superuser = match fs::read_to_string(root.join("etc/superuser")) {
            Ok(text) => text.trim().parse() == Ok(uid.as_raw()),
            Err(_) => fs::metadata(root).is_ok_and(|m| m.uid() == uid.as_raw()),
        };
        let name = match User::from_uid(uid) {
            Ok(Some(user)) => user.name,
            _ => String::new(),
        };
        let table = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        Caller { superuser, authorisations: granted(&table("etc/user_attr"), &table("etc/security/prof_attr"), &name) }
    }

    fn has(&self, wanted: &str) -> bool {
        self.superuser || self.authorisations.iter().any(|granted| grants(granted, wanted))
    }

    fn has_one_of(&self, pg: Option<&Group>, property: &str) -> bool {
        pg.is_some_and(|pg| pg.values(property).iter().any(|auth| self.has(auth)))
    }

    /// Restart, refresh, clear, mark, and temporary enable and disable.
    pub fn may_act(&self, instance: &Groups, service: &Groups) -> bool {
        let named = |groups: &Groups| self.has_one_of(groups.get("general"), "action_authorization");
        self.has(MODIFY) || self.has(MANAGE) || named(instance) || named(service)
    }

    /// Persistent enable and disable: the right to act, and the right to write `general/enabled`.
    pub fn may_enable(&self, instance: &Groups, service: &Groups) -> bool {
        let named = |groups: &Groups| self.may_change(groups.get("general"), "framework");
        self.may_act(instance, service) && (named(instance) || named(service))
    }

    /// New values for properties that exist.
    pub fn may_change(&self, pg: Option<&Group>, ty: &str) -> bool {
        self.may_reshape(pg, ty) || self.has_one_of(pg, "value_authorization")
    }

    /// Adding and deleting properties of a group.
    pub fn may_reshape(&self, pg: Option<&Group>, ty: &str) -> bool {
        self.may_add_group(ty) || self.has_one_of(pg, "modify_authorization")
    }

    /// Adding and deleting a whole group of this type.
    pub fn may_add_group(&self, ty: &str) -> bool {
        self.has(MODIFY) || self.has(&format!("{MODIFY}.{ty}"))
    }

    /// Creating and deleting services and instances, importing.
    pub fn may_modify(&self) -> bool {
        self.has(MODIFY)
    }

    /// Values of a group that names a `read_authorization`; framework groups cannot be hidden.
    pub fn may_read(&self, pg: &Group) -> bool {
        pg.ty == "framework"
            || !pg.properties.contains_key("read_authorization")
            || self.may_change(Some(pg), &pg.ty)
            || self.has_one_of(Some(pg), "read_authorization")
    }
}

/// The authorisations of a user: his own, and those of his profiles and of the profiles that these name.
fn granted(user_attr: &str, prof_attr: &str, user: &str) -> Vec<String> {
    let mut all = listed(user_attr, user, "auths");
    let mut profiles = listed(user_attr, user, "profiles");
    let mut seen = BTreeSet::new();
    while let Some(profile) = profiles.pop() {
        all.extend(listed(prof_attr, &profile, "auths"));
        let further = listed(prof_attr, &profile, "profiles");
        if seen.insert(profile) {
            profiles.extend(further);
        }
    }
    all
}

/// The values of a list among the attributes of all lines about a name. Both databases have five fields, these last.
fn listed(table: &str, name: &str, list: &str) -> Vec<String> {
    let mut all = Vec::new();
    for line in table.lines() {
        let mut fields = line.splitn(5, ':');
        if fields.next() != Some(name) || name.is_empty() {
            continue;
        }
        let attributes = fields.nth(3).unwrap_or_default();
        let lists = attributes.split(';').filter_map(|a| a.trim().strip_prefix(list)?.strip_prefix('='));
        all.extend(lists.flat_map(|values| values.split(',')).map(|value| value.trim().to_string()));
    }
    all
}

fn grants(granted: &str, wanted: &str) -> bool {
    match granted.strip_suffix('*') {
        Some(stem) => stem.ends_with('.') && wanted.starts_with(stem),
        None => granted == wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::Type;

    fn caller(auths: &[&str]) -> Caller {
        Caller { superuser: false, authorisations: auths.iter().map(|a| a.to_string()).collect() }
    }

    fn guarded() -> Groups {
        let mut general = Group::new("framework");
        general.set("action_authorization", Type::Astring, "solaris.smf.manage.vbox");
        Groups::from([("general".into(), general)])
    }

    #[test]
    fn the_authorisation_to_act_is_not_enough_for_a_persistent_enable() {
        let operator = caller(&["solaris.smf.manage.vbox"]);
        let mut service = guarded();
        assert!(operator.may_act(&Groups::new(), &service));
        assert!(!operator.may_enable(&Groups::new(), &service));
        let general = service.get_mut("general").unwrap();
        general.set("value_authorization", Type::Astring, "solaris.smf.manage.vbox");
        assert!(operator.may_enable(&Groups::new(), &service));
    }

    #[test]
    fn a_value_authorisation_does_not_add_properties() {
        let mut vm = Group::new("application");
        vm.set("value_authorization", Type::Astring, "a.b");
        let operator = caller(&["a.b"]);
        assert!(operator.may_change(Some(&vm), "application") && !operator.may_reshape(Some(&vm), "application"));
        assert!(caller(&["solaris.smf.modify.application"]).may_reshape(Some(&vm), "application"));
        assert!(!caller(&[]).may_change(Some(&vm), "application"));
    }

    #[test]
    fn user_attr_lines_and_wildcards_are_read() {
        let table = "root::::auths=solaris.*\nbob::::type=normal;auths=solaris.smf.manage.*,x.y\nbo::::auths=z\n";
        assert_eq!(granted(table, "", "bob"), ["solaris.smf.manage.*", "x.y"]);
        assert!(grants("solaris.smf.manage.*", "solaris.smf.manage.vbox"));
        assert!(!grants("solaris.smf.manage.*", "solaris.smf.managevbox") && !grants("*", "x"));
    }

    #[test]
    fn a_profile_gives_what_it_says_and_what_the_profiles_in_it_say() {
        let users = "ann::::profiles=VM Operator\nben::::type=normal;profiles=All of it,No Such;auths=x.y\n";
        let profiles =
            "VM Operator:::Text:auths=a.b;help=h.html\nAll of it:::Text:profiles=VM Operator,All of it;auths=c\n";
        assert_eq!(granted(users, profiles, "ann"), ["a.b"]);
        assert_eq!(granted(users, profiles, "ben"), ["x.y", "c", "c", "a.b"]);
        assert_eq!(granted(users, profiles, "VM Operator"), [""; 0]);
    }
}
