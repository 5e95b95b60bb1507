//! The two device nodes of a volume: looking at their rights and setting them.
//!
//! Owner and mode are the system's calls; ACLs have no portable one, so `ls -V` shows and `chmod A=` sets them.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};

use super::rights::{Rights, RightsError, Saved, acl_of_listing, mode_text};
use crate::exec::{Call, ExecError, Output, Runner};
use crate::log::printable;
use crate::tools::{NotFound, Tools};

/// Where the nodes are.
pub const ZVOLS: &str = "/dev/zvol";
/// Looking at a node may make the system create it.
const DEADLINE: Duration = Duration::from_secs(20);
const PERMISSIONS: u32 = 0o777;

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("cannot look at {path}: {source}")]
    Look { path: String, source: io::Error },
    #[error("cannot give {path} to {to}: {source}")]
    Give { path: String, to: String, source: io::Error },
    #[error("cannot set the mode of {path}: {source}")]
    Mode { path: String, source: io::Error },
    #[error("{path}: no {kind} \"{name}\" on this host")]
    Unknown { path: String, kind: &'static str, name: String },
    #[error("{path}: {source}")]
    Rights { path: String, source: RightsError },
    #[error(transparent)]
    CannotRun(#[from] ExecError),
    #[error("{call}: {said}")]
    Failed { call: String, said: String },
}

pub struct Nodes<'a> {
    runner: &'a dyn Runner,
    ls: PathBuf,
    chmod: PathBuf,
    env: Vec<(OsString, OsString)>,
    folder: PathBuf,
}

impl<'a> Nodes<'a> {
    pub fn new(runner: &'a dyn Runner, tools: &Tools) -> Result<Nodes<'a>, NotFound> {
        let env = vec![("LC_ALL".into(), "C".into()), ("PATH".into(), tools.path())];
        Ok(Nodes { runner, ls: tools.find("ls")?, chmod: tools.find("chmod")?, env, folder: ZVOLS.into() })
    }

    /// Below another folder than the system's.
    #[cfg(test)]
    pub(crate) fn below(runner: &'a dyn Runner, folder: &Path) -> Nodes<'a> {
        let (ls, chmod) = ("/usr/bin/ls".into(), "/usr/bin/chmod".into());
        Nodes { runner, ls, chmod, env: Vec::new(), folder: folder.into() }
    }

    /// The block node and the raw node of a volume, whether they exist or not.
    pub fn of(&self, volume: &str) -> [PathBuf; 2] {
        ["dsk", "rdsk"].map(|kind| self.folder.join(kind).join(volume))
    }

    /// The rights on a node; `None` where there is none.
    pub fn look(&self, path: &Path) -> Result<Option<Rights>, NodeError> {
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(|source| NodeError::Look { path: shown(path), source })?,
        };
        let listing = self.ask(Call::new(&self.ls, DEADLINE).args(["-dVL"]).args([path]))?;
        let acl = acl_of_listing(&String::from_utf8_lossy(&listing.stdout))
            .map_err(|source| NodeError::Rights { path: shown(path), source })?;
        // Owners without a name are kept by number.
        let user = User::from_uid(Uid::from_raw(found.uid())).ok().flatten();
        let group = Group::from_gid(Gid::from_raw(found.gid())).ok().flatten();
        Ok(Some(Rights {
            user: user.map_or(found.uid().to_string(), |user| user.name),
            group: group.map_or(found.gid().to_string(), |group| group.name),
            mode: found.mode() & PERMISSIONS,
            acl,
        }))
    }

    /// Gives a node the rights that were saved, where it has others; what was done. The mode comes after the owner, so
    /// that it opens the node to the new one, and the ACL last, because the mode changes it.
    pub fn restore(&self, path: &Path, now: &Rights, saved: &Saved) -> Result<Vec<String>, NodeError> {
        let mut done = Vec::new();
        let user = saved.user.as_ref().filter(|user| **user != now.user);
        let group = saved.group.as_ref().filter(|group| **group != now.group);
        if user.is_some() || group.is_some() {
            let uid = user.map(|name| uid(path, name)).transpose()?;
            let gid = group.map(|name| gid(path, name)).transpose()?;
            let to = format!("{}:{}", user.unwrap_or(&now.user), group.unwrap_or(&now.group));
            chown(path, uid, gid).map_err(|source| NodeError::Give { path: shown(path), to: to.clone(), source })?;
            done.push(to);
        }
        let mode = saved.mode.filter(|mode| *mode != now.mode);
        if let Some(mode) = mode {
            fs::set_permissions(path, Permissions::from_mode(mode))
                .map_err(|source| NodeError::Mode { path: shown(path), source })?;
            done.push(mode_text(mode));
        }
        if let Some(acl) = &saved.acl
            && (now.acl.as_ref() != Some(acl) || mode.is_some())
        {
            self.ask(Call::new(&self.chmod, DEADLINE).args([&format!("A={acl}")]).args([path]))?;
            done.push(format!("A={acl}"));
        }
        Ok(done)
    }

    fn ask(&self, call: Call) -> Result<Output, NodeError> {
        let call = call.env(&self.env);
        let output = self.runner.run(&call)?;
        if output.success() {
            return Ok(output);
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = text.lines().map(str::trim).find(|l| !l.is_empty()).map(printable);
        Err(NodeError::Failed { call: call.shown(), said: said.unwrap_or(format!("{:?}, no message", output.ended)) })
    }
}

fn uid(path: &Path, name: &str) -> Result<u32, NodeError> {
    let found = User::from_name(name).ok().flatten().map(|user| user.uid.as_raw()).or_else(|| name.parse().ok());
    found.ok_or_else(|| NodeError::Unknown { path: shown(path), kind: "user", name: name.to_string() })
}

fn gid(path: &Path, name: &str) -> Result<u32, NodeError> {
    let found = Group::from_name(name).ok().flatten().map(|group| group.gid.as_raw()).or_else(|| name.parse().ok());
    found.ok_or_else(|| NodeError::Unknown { path: shown(path), kind: "group", name: name.to_string() })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests;
