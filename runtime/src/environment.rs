//! The environment of VirtualBox's programs and of the hook: a clean one.
//!
//! Under a locale that is not UTF-8 VBoxManage cuts its output at the first other character and still exits 0, so a
//! UTF-8 locale that this host has is always set.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use crate::exec::{Call, Runner};
use crate::identity::Identity;
use crate::tools::Tools;

pub type Environment = Vec<(OsString, OsString)>;

/// How the names of VirtualBox's variables begin.
pub const VIRTUALBOX: &str = "VBOX_";

/// Where systems keep their locales, one folder each.
const LOCALES: &str = "/usr/lib/locale";
/// Locales to look for, each with the spellings its folder may have.
const PREFERRED: &[(&str, &[&str])] =
    &[("C.UTF-8", &["C.UTF-8", "C.utf8"]), ("en_US.UTF-8", &["en_US.UTF-8", "en_US.utf8"])];

/// Finds the UTF-8 locale to use: C.UTF-8, else en_US.UTF-8, else the first that `locale -a` names.
pub fn utf8_locale(runner: &dyn Runner, tools: &Tools) -> String {
    for (name, spellings) in PREFERRED {
        if spellings.iter().any(|s| Path::new(LOCALES).join(s).is_dir()) {
            return (*name).to_string();
        }
    }
    let listed = tools.find("locale").ok().and_then(|program| {
        let env = [("PATH".into(), tools.path())];
        let output = runner.run(&Call::new(program, Duration::from_secs(5)).args(["-a"]).env(&env)).ok()?;
        first_utf8(&String::from_utf8_lossy(&output.stdout))
    });
    listed.unwrap_or_else(|| "C.UTF-8".to_string())
}

fn first_utf8(listing: &str) -> Option<String> {
    let is_utf8 = |name: &&str| {
        let name = name.to_ascii_lowercase();
        name.ends_with(".utf-8") || name.ends_with(".utf8")
    };
    listing.lines().map(str::trim).find(is_utf8).map(str::to_string)
}

/// The `VBOX_*` variables of this process.
pub fn inherited() -> Environment {
    variables(|name| name.starts_with(VIRTUALBOX))
}

/// What another copy of this program is given of this one's variables: what SMF says, and what is meant for it. The
/// caller of a command is not always the user it goes on as, and has no business in that user's processes.
pub fn handed_on() -> Environment {
    variables(|name| name.starts_with("SMF_") || name.starts_with("VBOXSVC_") || name == "TZ")
}

fn variables(wanted: impl Fn(&str) -> bool) -> Environment {
    env::vars_os().filter(|(name, _)| name.to_str().is_some_and(&wanted)).collect()
}

/// The environment for this user's VM; `more` is what is said to VirtualBox besides.
pub fn of(user: &Identity, tools: &Tools, locale: &str, timezone: Option<&str>, more: Environment) -> Environment {
    let mut vars: Environment = vec![
        ("HOME".into(), user.home.clone().into()),
        ("USER".into(), user.name.clone().into()),
        ("LOGNAME".into(), user.name.clone().into()),
        ("PATH".into(), tools.path()),
        ("LC_ALL".into(), locale.into()),
        ("LANG".into(), locale.into()),
    ];
    if let Some(zone) = timezone.map(OsString::from).or_else(|| env::var_os("TZ")) {
        vars.push(("TZ".into(), zone));
    }
    vars.extend(more);
    vars
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_utf8_locale_of_a_listing_is_taken() {
        assert_eq!(first_utf8("C\nPOSIX\nde_DE.ISO8859-1\nde_DE.UTF-8\nfr_FR.UTF-8\n").as_deref(), Some("de_DE.UTF-8"));
        assert_eq!(first_utf8("C\nPOSIX\n"), None);
    }

    #[test]
    fn another_copy_of_this_program_is_given_nothing_of_the_callers() {
        let meant = |name: &str| name == "TZ" || name.starts_with("SMF_") || name.starts_with("VBOXSVC_");
        assert!(env::var_os("PATH").is_some());
        assert!(handed_on().iter().all(|(name, _)| meant(&name.to_string_lossy())));
    }

    #[test]
    fn the_timezone_of_the_vm_beats_the_hosts_and_nothing_else_leaks_in() {
        let user = Identity { uid: 7, gid: 7, name: "ann".into(), home: "/home/ann".into() };
        let vars =
            of(&user, &Tools::from_environment(), "C.UTF-8", Some("Europe/Paris"), vec![("VBOX_X".into(), "1".into())]);
        let get = |name: &str| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_string_lossy().into_owned());
        assert_eq!(get("TZ").as_deref(), Some("Europe/Paris"));
        assert_eq!(get("HOME").as_deref(), Some("/home/ann"));
        assert_eq!(get("VBOX_X").as_deref(), Some("1"));
        assert_eq!(get("CARGO"), None, "the caller's environment leaked in");
    }
}
