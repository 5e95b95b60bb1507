//! Who runs this program, and becoming the VM's user.
//!
//! Only this module changes user. Root becomes the VM's user with all of that user's groups and none of root's;
//! nobody else becomes anybody.

use std::ffi::CString;
use std::path::PathBuf;

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User};

use crate::interrupted::uninterrupted;

/// A user as passwd knows him.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
    pub gid: u32,
    pub name: String,
    pub home: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("no user \"{0}\" on this host: set method_context/user of the instance to one that exists")]
    UnknownUser(String),
    #[error("no user with id {0} on this host")]
    UnknownUid(u32),
    #[error("cannot look up user \"{user}\": {source}")]
    Lookup { user: String, source: Errno },
    #[error(
        "this VM belongs to user \"{owner}\" and you are \"{caller}\": run it as that user or as root, for example by \
         pfexec with the \"VirtualBox VM Management\" profile"
    )]
    NotThatUser { owner: String, caller: String },
    #[error("cannot become user \"{user}\": {step}: {source}")]
    Refused { user: String, step: &'static str, source: Errno },
}

fn looked_up(look: impl Fn() -> nix::Result<Option<User>>) -> nix::Result<Option<User>> {
    uninterrupted(look, |found| *found == Err(Errno::EINTR))
}

impl Identity {
    /// The user this process runs as.
    pub fn current() -> Result<Identity, IdentityError> {
        let uid = Uid::effective();
        match looked_up(|| User::from_uid(uid)) {
            Ok(Some(user)) => Ok(user.into()),
            Ok(None) => Err(IdentityError::UnknownUid(uid.as_raw())),
            Err(source) => Err(IdentityError::Lookup { user: uid.to_string(), source }),
        }
    }

    /// The user of this name, or of this number where the name is one, as SMF's method credentials allow both.
    pub fn named(name: &str) -> Result<Identity, IdentityError> {
        let by_name = looked_up(|| User::from_name(name));
        let found = match (by_name, name.parse()) {
            (Ok(None), Ok(uid)) => looked_up(|| User::from_uid(Uid::from_raw(uid))),
            (by_name, _) => by_name,
        };
        match found {
            Ok(Some(user)) => Ok(user.into()),
            Ok(None) => Err(IdentityError::UnknownUser(name.to_string())),
            Err(source) => Err(IdentityError::Lookup { user: name.to_string(), source }),
        }
    }

    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Makes this process the given user's, for good. Does nothing where it is already.
    pub fn assume(self, owner: Identity) -> Result<Identity, IdentityError> {
        if self.uid == owner.uid {
            return Ok(owner);
        }
        if !self.is_root() {
            return Err(IdentityError::NotThatUser { owner: owner.name, caller: self.name });
        }
        let refused = |step: &'static str| {
            let user = owner.name.clone();
            move |source| IdentityError::Refused { user, step, source }
        };
        let name = CString::new(owner.name.as_str()).map_err(|_| IdentityError::UnknownUser(owner.name.clone()))?;
        let (uid, gid) = (Uid::from_raw(owner.uid), Gid::from_raw(owner.gid));
        nix::unistd::initgroups(&name, gid).map_err(refused("initgroups"))?;
        nix::unistd::setgid(gid).map_err(refused("setgid"))?;
        nix::unistd::setuid(uid).map_err(refused("setuid"))?;
        if Uid::current() != uid || Uid::effective() != uid {
            return Err(refused("setuid")(Errno::EPERM));
        }
        Ok(owner)
    }
}

impl From<User> for Identity {
    fn from(user: User) -> Self {
        Identity { uid: user.uid.as_raw(), gid: user.gid.as_raw(), name: user.name, home: user.dir }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_method_user_is_an_error_that_names_it() {
        let error = Identity::named("no-such-user-here").unwrap_err();
        assert!(error.to_string().contains("no-such-user-here"), "{error}");
    }

    #[test]
    fn a_user_may_be_given_by_number() {
        assert_eq!(Identity::named("0").unwrap().uid, 0);
    }

    #[test]
    fn becoming_oneself_changes_nothing() {
        let me = Identity::current().unwrap();
        assert_eq!(me.clone().assume(me.clone()).unwrap(), me);
    }

    #[test]
    fn an_ordinary_user_becomes_nobody_else() {
        let someone = Identity { uid: 12345, gid: 1, name: "ann".into(), home: "/".into() };
        let error = someone.assume(Identity::named("0").unwrap()).unwrap_err();
        assert!(matches!(error, IdentityError::NotThatUser { .. }), "{error}");
    }
}
