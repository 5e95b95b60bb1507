//! svc:/system/rbac: merges the fragments that packages leave beside the databases of rights into the databases.
//!
//! As illumos's method does, it goes by times: a fragment that is not newer than its database counts as merged. Nothing
//! takes a fragment's lines out again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The program that is the service's method.
pub const METHOD: &str = "svc-rbac";
pub const SERVICE: &str = "system/rbac";

/// The databases, below the root.
const DATABASES: [&str; 4] =
    ["etc/user_attr", "etc/security/auth_attr", "etc/security/exec_attr", "etc/security/prof_attr"];
/// Attributes whose values are lists, which are joined.
const LISTS: [&str; 3] = ["auths", "profiles", "privs"];

/// The method: `svc-rbac start|refresh`.
pub fn run(root: &Path) -> u8 {
    let merge = |name: &&str| match merge_newer(&root.join(name)) {
        Ok(()) => true,
        Err(error) => {
            println!("{name}: {error}");
            false
        }
    };
    u8::from(DATABASES.iter().filter(|name| !merge(name)).count() > 0)
}

fn merge_newer(database: &Path) -> io::Result<()> {
    let of_time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified());
    let merged_at = of_time(database).unwrap_or(SystemTime::UNIX_EPOCH);
    let folder = PathBuf::from(format!("{}.d", database.display()));
    let mut fragments = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry?.path();
        fragments.push((of_time(&path)?, path));
    }
    fragments.sort();
    let mut text = fs::read_to_string(database).unwrap_or_default();
    let newer: Vec<PathBuf> =
        fragments.into_iter().filter(|(time, _)| *time > merged_at).map(|(_, path)| path).collect();
    if newer.is_empty() {
        return Ok(());
    }
    let replaces = database.ends_with("exec_attr");
    for fragment in newer {
        text = merged(&text, &fs::read_to_string(fragment)?, replaces);
    }
    // In its place and with a new time, even where it says the same.
    let next = database.with_extension("new");
    fs::write(&next, text)?;
    fs::rename(next, database)
}

/// A database with a fragment's lines. Where lines are about the same name their attributes are joined; in `exec_attr` a
/// profile's old lines go when it gets new ones.
pub fn merged(database: &str, fragment: &str, replaces: bool) -> String {
    let key = |line: &str| line.split(':').next().unwrap_or_default().to_string();
    let is_entry = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let new: Vec<&str> = fragment.lines().filter(is_entry).collect();
    let named: BTreeSet<String> = new.iter().map(|line| key(line)).collect();
    let mut lines: Vec<String> = Vec::new();
    for line in database.lines() {
        let about = is_entry(&line).then(|| key(line)).filter(|key| named.contains(key));
        match about {
            Some(_) if replaces => {}
            Some(about) => {
                let joined =
                    new.iter().filter(|new| key(new) == about).fold(line.to_string(), |old, new| joined(&old, new));
                lines.push(joined);
            }
            None => lines.push(line.to_string()),
        }
    }
    let known: BTreeSet<String> = lines.iter().map(|line| key(line)).collect();
    lines.extend(new.into_iter().filter(|line| replaces || !known.contains(&key(line))).map(str::to_string));
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Two lines about one name: the new one's words, and of lists what either has.
fn joined(old: &str, new: &str) -> String {
    let (old_stem, old_attributes) = old.rsplit_once(':').unwrap_or((old, ""));
    let (new_stem, new_attributes) = new.rsplit_once(':').unwrap_or((new, ""));
    let stem = if new_stem.is_empty() { old_stem } else { new_stem };
    let mut attributes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for attribute in old_attributes.split(';').chain(new_attributes.split(';')).filter(|a| !a.is_empty()) {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let values = attributes.entry(name).or_default();
        if LISTS.contains(&name) {
            let known = values.clone();
            values.extend(value.split(',').filter(|v| !known.contains(v)));
        } else {
            *values = vec![value];
        }
    }
    let attributes: Vec<String> =
        attributes.into_iter().map(|(name, values)| format!("{name}={}", values.join(","))).collect();
    format!("{stem}:{}", attributes.join(";"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_names_are_added_and_lists_of_known_ones_joined() {
        let database = "# rights\nA:::a:auths=x\nB:::b:help=b.html\n";
        let fragment = "A:::a:auths=y,x\nC:::c:auths=z\n";
        assert_eq!(merged(database, fragment, false), "# rights\nA:::a:auths=x,y\nB:::b:help=b.html\nC:::c:auths=z\n");
    }

    #[test]
    fn what_a_profile_may_run_is_replaced_as_a_whole() {
        let database = "P:solaris:cmd:::/old:uid=0\nQ:solaris:cmd:::/q:uid=0\n";
        let fragment = "P:solaris:cmd:::/a:uid=0\nP:solaris:cmd:::/b:uid=0\n";
        assert_eq!(
            merged(database, fragment, true),
            "Q:solaris:cmd:::/q:uid=0\nP:solaris:cmd:::/a:uid=0\nP:solaris:cmd:::/b:uid=0\n"
        );
    }

    #[test]
    fn a_fragment_older_than_its_database_counts_as_merged() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("etc/security/auth_attr.d")).unwrap();
        let (database, fragment) =
            (root.path().join("etc/security/auth_attr"), root.path().join("etc/security/auth_attr.d/x"));
        fs::write(&database, "").unwrap();
        fs::write(&fragment, "a.b:::A::\n").unwrap();
        let old = fs::File::options().write(true).open(&fragment).unwrap();
        old.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(run(root.path()), 0);
        assert_eq!(fs::read_to_string(&database).unwrap(), "");
        old.set_modified(SystemTime::now() + std::time::Duration::from_secs(60)).unwrap();
        assert_eq!(run(root.path()), 0);
        assert_eq!(fs::read_to_string(&database).unwrap(), "a.b:::A::\n");
    }
}
