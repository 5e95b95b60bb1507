//! The method context: whose rights a method has, where it runs, what its environment is.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{Group as UnixGroup, User};
use serde::{Deserialize, Serialize};

use crate::smf::fmri::InstanceName;
use crate::smf::model::{Group, Groups};
use crate::zones;

/// The identity a method gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    pub user: String,
    pub uid: u32,
    pub gid: u32,
    /// The supplementary groups; those of the user when none are named.
    pub groups: Option<Vec<u32>>,
}

#[derive(Debug)]
pub struct Context {
    pub environment: Vec<(String, String)>,
    pub directory: PathBuf,
    pub credentials: Option<Credentials>,
    /// Variables that were refused.
    pub refused: Vec<String>,
}

/// A user, group or such that is not there: the method's child exits with a configuration error.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ContextError(String);

/// Looks a property up in the method's own group, then in `method_context`.
fn look<'g>(method: &'g Group, groups: &'g Groups, prop: &str) -> Option<&'g str> {
    method.value(prop).or_else(|| groups.get("method_context")?.value(prop))
}

pub fn of(root: &Path, name: &InstanceName, method: &str, groups: &Groups) -> Result<Context, ContextError> {
    let empty = Group::new("method");
    let own = groups.get(method).unwrap_or(&empty);
    let mut context =
        Context { environment: Vec::new(), directory: "/".into(), credentials: None, refused: Vec::new() };
    set_environment(root, name, method, own, groups, &mut context);
    // Without this boolean the user is not even looked at.
    let mut home = None;
    if look(own, groups, "use_profile") == Some("false") {
        let (credentials, user) = credentials(own, groups)?;
        home = Some(user.dir);
        context.credentials = Some(credentials);
    }
    context.directory = match (look(own, groups, "working_directory"), home) {
        (None | Some(":default" | ":home"), Some(home)) => home,
        (None | Some(":default" | ":home"), None) => "/".into(),
        (Some(directory), _) => directory.into(),
    };
    Ok(context)
}

fn credentials(own: &Group, groups: &Groups) -> Result<(Credentials, User), ContextError> {
    let name = look(own, groups, "user").unwrap_or("root");
    let found = match name.parse() {
        Ok(uid) => User::from_uid(nix::unistd::Uid::from_raw(uid)),
        Err(_) => User::from_name(name),
    };
    let user =
        found.ok().flatten().ok_or_else(|| ContextError(format!("Could not get passwd entry for user \"{name}\".")))?;
    let gid = match look(own, groups, "group") {
        None | Some(":default") => user.gid.as_raw(),
        Some(group) => group_id(group)?,
    };
    let supplementary = match look(own, groups, "supp_groups") {
        None | Some(":default") => None,
        Some(list) => {
            let words = list.split([',', ' ']).filter(|w| !w.is_empty());
            Some(words.map(group_id).collect::<Result<Vec<u32>, _>>()?)
        }
    };
    let made = Credentials { user: user.name.clone(), uid: user.uid.as_raw(), gid, groups: supplementary };
    Ok((made, user))
}

fn group_id(word: &str) -> Result<u32, ContextError> {
    if let Ok(gid) = word.parse() {
        return Ok(gid);
    }
    let found = UnixGroup::from_name(word).ok().flatten();
    found.map(|g| g.gid.as_raw()).ok_or_else(|| ContextError(format!("Could not get group entry for \"{word}\".")))
}

fn set_environment(
    root: &Path,
    name: &InstanceName,
    method: &str,
    own: &Group,
    groups: &Groups,
    context: &mut Context,
) {
    let mut set = |key: &str, value: &str| {
        context.environment.retain(|(k, _)| k != key);
        context.environment.push((key.into(), value.into()));
    };
    set("SMF_FMRI", &name.to_string());
    set("SMF_METHOD", method);
    set("SMF_RESTARTER", "svc:/system/svc/restarter:default");
    set("SMF_ZONENAME", &zones::name_of(root));
    set("PATH", "/usr/sbin:/usr/bin");
    let defaults = fs::read_to_string(root.join("etc/default/init")).unwrap_or_default();
    for (key, value) in defaults.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('=')) {
        if key != "CMASK" && !key.starts_with("SMF_") {
            set(key.trim(), value.trim_matches('"'));
        }
    }
    let variables = match own.values("environment") {
        [] => groups.get("method_context").map_or(&[][..], |g| g.values("environment")),
        own => own,
    };
    for (key, value) in variables.iter().filter_map(|v| v.split_once('=')) {
        if key.starts_with("SMF_") {
            context.refused.push(key.into());
        } else {
            set(key, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smf::model::{Property, Type};

    fn groups(with_use_profile: bool) -> Groups {
        let mut start = Group::new("method");
        start.set("user", Type::Astring, "nobody");
        if with_use_profile {
            start.set("use_profile", Type::Boolean, "false");
        }
        let values = vec!["A=b c".to_string(), "SMF_FMRI=x".to_string(), "PATH=/p".to_string()];
        start.properties.insert("environment".into(), Property { ty: Type::Astring, values });
        Groups::from([("start".into(), start)])
    }

    #[test]
    fn a_user_without_use_profile_is_ignored() {
        let root = tempfile::tempdir().unwrap();
        let name = InstanceName::new("site/a", "b");
        assert_eq!(of(root.path(), &name, "start", &groups(false)).unwrap().credentials, None);
        let context = of(root.path(), &name, "start", &groups(true)).unwrap();
        assert_eq!(context.credentials.unwrap().user, "nobody");
    }

    #[test]
    fn the_environment_is_smfs_then_the_hosts_then_the_methods() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/default")).unwrap();
        fs::write(root.path().join("etc/default/init"), "# no\nTZ=UTC\nCMASK=022\nSMF_METHOD=x\n").unwrap();
        let name = InstanceName::new("site/a", "b");
        let context = of(root.path(), &name, "start", &groups(false)).unwrap();
        let get = |key: &str| context.environment.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        assert_eq!(get("SMF_FMRI"), Some("svc:/site/a:b"));
        assert_eq!((get("SMF_METHOD"), get("TZ"), get("CMASK")), (Some("start"), Some("UTC"), None));
        assert_eq!((get("A"), get("PATH"), get("HOME")), (Some("b c"), Some("/p"), None));
        assert_eq!(context.refused, ["SMF_FMRI"]);
    }

    #[test]
    fn an_unknown_user_is_an_error() {
        let mut groups = groups(true);
        groups.get_mut("start").unwrap().set("user", Type::Astring, "no-such-user-here");
        let root = tempfile::tempdir().unwrap();
        let error = of(root.path(), &InstanceName::new("site/a", "b"), "start", &groups).unwrap_err();
        assert!(error.to_string().contains("no-such-user-here"));
    }
}
