//! How a guest gets at the packages: a script for its shell that finds their disk, unpacks it, and checks what came.

use super::disk::{Files, MARK, UNIT};
use super::profile::Profile;
use crate::smoke::target::FILES;

/// The command, with copies for the zone where there is one.
pub fn command(profile: &Profile, files: &Files) -> Vec<String> {
    let zone = profile.zone.as_ref().map(|zone| format!("{}{FILES}", zone.root));
    let script = script(&profile.shell.disks.join(" "), files, FILES, zone.as_deref());
    ["/bin/sh", "-c", script.as_str()].map(String::from).into()
}

fn script(disks: &str, files: &Files, folder: &str, zone: Option<&str>) -> String {
    let units = files.units;
    let mut script = format!(
        "mkdir -p {folder} && cd {folder} || exit 1\n\
         found=\n\
         for disk in {disks}; do\n\
             case \"`dd if=$disk bs=512 count=1 2>/dev/null | tr -d '\\000'`\" in {MARK}*) found=$disk; break;; esac\n\
         done\n\
         [ -n \"$found\" ] || {{ echo 'no disk of {disks} holds the packages'; exit 1; }}\n\
         dd if=\"$found\" bs={UNIT} count={units} 2>/dev/null | tar xf - || exit 1\n"
    );
    let (names, sums): (Vec<&str>, Vec<&str>) =
        files.sums.iter().map(|(name, sum)| (name.as_str(), sum.as_str())).unzip();
    if !names.is_empty() {
        // Split into words and put together again: what stands between the numbers differs from one system to the next.
        script.push_str(&format!(
            "set -- `cksum {}`\n\
             [ \"$*\" = \"{}\" ] || {{ echo \"the packages are not those of this run: $*\"; exit 1; }}\n",
            names.join(" "),
            sums.join(" ")
        ));
    }
    if let Some(zone) = zone {
        script.push_str(&format!("mkdir -p {zone} && cp {folder}/* {zone}/\n"));
    }
    script
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::process::{Command, Output};

    use super::super::disk;
    use super::*;

    fn run(script: &str) -> Output {
        Command::new("sh").args(["-c", script]).output().unwrap()
    }

    #[test]
    fn what_is_on_the_disk_comes_into_both_zones_and_only_as_it_should_be() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("package"), "content").unwrap();
        fs::write(path("disk0"), [0; 2048]).unwrap();
        let mut files = disk::of_files(
            &folder.path().join("disk1"),
            &[("svr4.pkg".to_string(), folder.path().join("package").as_path())],
        )
        .unwrap();
        let disks = format!("{}?", path("disk"));
        let output = run(&script(&disks, &files, &path("global"), Some(&path("local"))));
        assert!(output.status.success(), "{output:?}");
        for zone in ["global", "local"] {
            assert_eq!(fs::read_to_string(folder.path().join(zone).join("svr4.pkg")).unwrap(), "content");
        }
        // Another run's disk, or what a guest remembers of one.
        files.sums[0].1 = "1 7 svr4.pkg".to_string();
        let output = run(&script(&disks, &files, &path("global"), None));
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "the packages are not those of this run: 1579075118 7 svr4.pkg\n");
        let output = run(&script(&path("disk0"), &files, &path("global"), None));
        assert!(String::from_utf8(output.stdout).unwrap().ends_with("holds the packages\n"));
    }
}
