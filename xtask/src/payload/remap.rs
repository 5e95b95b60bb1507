//! Keeping this machine's paths out of what is compiled, so that two builds in different folders are the same bytes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::program::Environment;

/// The workspace's own sources.
pub fn of_workspace(workspace: &Path) -> Vec<OsString> {
    real(workspace).iter().map(|p| flag(p, "/vboxsvc")).collect()
}

/// What cargo fetched. The folder of each registry is named after where it was reached, which must not show either.
pub fn of_cargo_home(env: &Environment) -> Vec<OsString> {
    let Some(home) = env.cargo_home() else { return Vec::new() };
    let sources = home.join("registry/src");
    let mut registries: Vec<PathBuf> =
        std::fs::read_dir(&sources).into_iter().flatten().flatten().map(|e| e.path()).collect();
    registries.sort();
    // The last match wins: the general one first, for registries that are not there yet.
    let mut flags = vec![flag(&home, "/cargo")];
    flags.extend(registries.iter().map(|r| flag(r, "/cargo/crates")));
    flags
}

/// The standard library's sources, under the name that the published libraries have for them.
pub fn of_std_sources(sources: &Path, commit: &str) -> Vec<OsString> {
    let shown = format!("/rustc/{commit}");
    real(sources).iter().map(|p| flag(p, &shown)).collect()
}

/// The path as given and as it is without symbolic links: compilers are told either.
fn real(path: &Path) -> Vec<PathBuf> {
    let mut paths = vec![path.to_owned()];
    paths.extend(path.canonicalize().ok().filter(|real| real != path));
    paths
}

fn flag(path: &Path, shown: &str) -> OsString {
    let mut flag = OsString::from("--remap-path-prefix=");
    flag.push(path);
    flag.push("=");
    flag.push(shown);
    flag
}

/// Flags in the form in which cargo takes them from the environment: the only one that survives blanks in paths.
pub fn encoded(flags: &[OsString]) -> OsString {
    flags.join(OsStr::new("\u{1f}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_registry_is_hidden_after_the_general_rule() {
        let home = tempfile::tempdir().unwrap();
        let registry = home.path().join("registry/src/mirror-0123");
        std::fs::create_dir_all(&registry).unwrap();
        let mut env = Environment::default();
        env.set("CARGO_HOME", home.path());
        let expected = [
            format!("--remap-path-prefix={}=/cargo", home.path().display()),
            format!("--remap-path-prefix={}=/cargo/crates", registry.display()),
        ];
        assert_eq!(of_cargo_home(&env), expected.map(OsString::from));
    }

    #[test]
    fn sources_behind_a_symbolic_link_are_hidden_under_both_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        std::fs::create_dir(root.join("rustc-1.96.0")).unwrap();
        std::os::unix::fs::symlink("rustc-1.96.0", root.join("rust")).unwrap();
        let flags = of_std_sources(&root.join("rust"), "abc");
        let shown = |name: &str| OsString::from(format!("--remap-path-prefix={}/{name}=/rustc/abc", root.display()));
        assert_eq!(flags, [shown("rust"), shown("rustc-1.96.0")]);
    }

    #[test]
    fn flags_with_blanks_stay_one_flag() {
        assert_eq!(encoded(&["-a b".into(), "-c".into()]), "-a b\u{1f}-c");
    }
}
