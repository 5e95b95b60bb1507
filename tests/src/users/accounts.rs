//! useradd(8), usermod(8), userdel(8), and of passwd(1) only `-N`, which opens an account without giving it a password.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::database::{self, Account};
use crate::smf::getopt::{self, Parsed};
use crate::smf::tool::Tool;

const PASSWD: &str = "etc/passwd";
const USER_ATTR: &str = "etc/user_attr";
const PROF_ATTR: &str = "etc/security/prof_attr";

// The exit statuses that the man pages give.
const DENIED: u8 = 1;
const INVALID: u8 = 3;
const NO_SUCH: u8 = 6;
const TAKEN: u8 = 9;
const FAILED: u8 = 10;

/// Why nothing was done.
struct Refused(u8, String);

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Refused(FAILED, format!("cannot update system files: {error}"))
    }
}

pub fn add(tool: &Tool, args: &[String]) -> u8 {
    let usage = "usage: useradd [-c comment] [-d dir [-m]] [-g group] [-s shell] [-u uid] [-A authorization,...] \
                 [-P profile,...] login";
    let Some((options, name)) = parsed("c:d:g:ms:u:A:P:", args) else { return tool.usage(usage) };
    told(tool, added(tool.root, &options, &name))
}

pub fn modify(tool: &Tool, args: &[String]) -> u8 {
    let usage = "usage: usermod [-A authorization,...] [-P profile,...] login";
    let Some((options, name)) = parsed("A:P:", args) else { return tool.usage(usage) };
    told(tool, account(tool.root, &name).and_then(|_| give_rights(tool.root, &options, &name)))
}

pub fn delete(tool: &Tool, args: &[String]) -> u8 {
    let Some((options, name)) = parsed("r", args) else { return tool.usage("usage: userdel [-r] login") };
    told(tool, deleted(tool.root, &name, options.has('r')))
}

pub fn password(tool: &mut Tool, args: &[String]) -> u8 {
    let Some((_, name)) = parsed("N", args).filter(|(options, _)| options.has('N')) else {
        return tool.usage("usage: passwd -N login (simulated: nothing else is)");
    };
    match account(tool.root, &name) {
        Ok(_) => {
            tool.print(format!("passwd: password information changed for {name}"));
            0
        }
        Err(refused) => told(tool, Err(refused)),
    }
}

/// The options, and the one operand.
fn parsed(known: &str, args: &[String]) -> Option<(Parsed, String)> {
    let mut options = getopt::parse(known, args)?;
    let name = options.operands.pop()?;
    options.operands.is_empty().then_some((options, name))
}

fn told(tool: &Tool, done: Result<(), Refused>) -> u8 {
    match done {
        Ok(()) => 0,
        Err(Refused(status, why)) => {
            tool.complain(format!("ERROR: {why}"));
            status
        }
    }
}

fn account(root: &Path, name: &str) -> Result<Account, Refused> {
    if !geteuid().is_root() {
        return Err(Refused(DENIED, "Permission denied.".into()));
    }
    let found = database::find(&text(root, PASSWD), name);
    found.ok_or_else(|| Refused(NO_SUCH, format!("{name} does not exist.")))
}

fn added(root: &Path, options: &Parsed, name: &str) -> Result<(), Refused> {
    match account(root, name) {
        Ok(_) => return Err(Refused(TAKEN, format!("{name} is already in use.  Choose another."))),
        Err(Refused(NO_SUCH, _)) => {}
        Err(refused) => return Err(refused),
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.".contains(c);
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(plain) {
        return Err(Refused(INVALID, format!("{name} is not a valid login name.")));
    }
    let passwd = text(root, PASSWD);
    let wrong = |what: &str, value: &str| Refused(INVALID, format!("{value} is not a valid {what}.  Choose another."));
    let uid = match options.value('u') {
        Some(uid) => uid.parse().map_err(|_| wrong("uid", uid))?,
        None => database::next_uid(&passwd).ok_or_else(|| Refused(FAILED, "there are no more uids.".into()))?,
    };
    let group = options.value('g').unwrap_or("staff");
    let gid = database::gid(&text(root, "etc/group"), group)
        .ok_or_else(|| Refused(NO_SUCH, format!("{group} does not exist.  Choose another.")))?;
    let home = options.value('d').map_or_else(|| format!("/home/{name}"), str::to_string);
    let shell = options.value('s').unwrap_or("/bin/sh").to_string();
    let comment = options.value('c').unwrap_or_default().to_string();
    let account = Account { name: name.to_string(), uid, gid, comment, home, shell };
    let fields = [&account.comment, &account.home, &account.shell];
    if let Some(field) = fields.iter().find(|field| field.contains([':', '\n'])) {
        return Err(wrong("field", field));
    }
    if options.has('m') {
        let home = inside(root, &account.home);
        fs::create_dir_all(&home)?;
        fs::set_permissions(&home, Permissions::from_mode(0o755))?;
        chown(&home, Some(uid), Some(gid))?;
    }
    replace(root, PASSWD, &format!("{passwd}{}\n", account.line()))?;
    give_rights(root, options, name)
}

/// Sets what `-A` and `-P` give. A profile has to be one that there is.
fn give_rights(root: &Path, options: &Parsed, name: &str) -> Result<(), Refused> {
    let profiles = text(root, PROF_ATTR);
    let is_there = |profile: &&str| profiles.lines().any(|line| line.split(':').next() == Some(profile));
    let named = options.value('P').unwrap_or_default().split(',').filter(|p| !p.is_empty());
    if let Some(unknown) = named.clone().find(|profile| !is_there(profile)) {
        return Err(Refused(INVALID, format!("{unknown} is not a valid profile name.")));
    }
    let mut users = text(root, USER_ATTR);
    for (letter, key) in [('A', "auths"), ('P', "profiles")] {
        if let Some(value) = options.value(letter) {
            users = database::with_attribute(&users, name, key, value);
        }
    }
    Ok(replace(root, USER_ATTR, &users)?)
}

fn deleted(root: &Path, name: &str, with_home: bool) -> Result<(), Refused> {
    let account = account(root, name)?;
    for database in [PASSWD, USER_ATTR] {
        replace(root, database, &database::without(&text(root, database), name))?;
    }
    // Never the root or a folder of the system: a home lies at least two names deep, and is the user's own.
    if with_home && Path::new(&account.home).components().count() > 2 {
        let home = inside(root, &account.home);
        if fs::symlink_metadata(&home).is_ok_and(|meta| std::os::unix::fs::MetadataExt::uid(&meta) == account.uid) {
            fs::remove_dir_all(home)?;
        }
    }
    Ok(())
}

fn text(root: &Path, database: &str) -> String {
    fs::read_to_string(root.join(database)).unwrap_or_default()
}

fn replace(root: &Path, database: &str, text: &str) -> io::Result<()> {
    let path = root.join(database);
    let next = path.with_extension("new");
    fs::write(&next, text)?;
    fs::set_permissions(&next, Permissions::from_mode(0o644))?;
    fs::rename(next, path)
}

fn inside(root: &Path, path: &str) -> PathBuf {
    root.join(path.trim_start_matches('/'))
}
