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

/// The environment for this user's VM. `VBOX_*` variables that the method environment sets are kept.
pub fn of(user: &Identity, tools: &Tools, locale: &str, timezone: Option<&str>) -> Environment {
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
    vars.extend(env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("VBOX_")));
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
    fn the_timezone_of_the_vm_beats_the_hosts_and_nothing_else_leaks_in() {
        let user = Identity { uid: 7, gid: 7, name: "ann".into(), home: "/home/ann".into() };
        let vars = of(&user, &Tools::from_environment(), "C.UTF-8", Some("Europe/Paris"));
        let get = |name: &str| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_string_lossy().into_owned());
        assert_eq!(get("TZ").as_deref(), Some("Europe/Paris"));
        assert_eq!(get("HOME").as_deref(), Some("/home/ann"));
        assert_eq!(get("CARGO"), None, "the caller's environment leaked in");
    }
}
