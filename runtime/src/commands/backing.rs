//! What is behind a VM and where this host keeps it: VirtualBox's answer, ZFS's and the settings', put together.

use std::path::Path;
use std::time::{Duration, Instant};

use super::subject::Subject;
use crate::exec::Runner;
use crate::settings::ZfsSettings;
use crate::virtualbox::media::{self, Backing};
use crate::virtualbox::{AskError, Info};
use crate::zfs::discover::{Map, Named, Part};
use crate::zfs::parse::{self, Dataset};
use crate::zfs::{Survey, paths};

/// How long a VirtualBox that does not answer, or has the VM locked for a moment, is asked again.
pub const PATIENCE: Duration = Duration::from_secs(10);
const GAP: Duration = Duration::from_millis(200);

/// The VM as VirtualBox knows it, and its files and disks.
pub fn ask(subject: &Subject, runner: &dyn Runner) -> anyhow::Result<(Info, Backing)> {
    let virtualbox = subject.virtualbox(runner);
    let info = patiently(subject, || virtualbox.info(&subject.machine.uuid))?;
    let disks = patiently(subject, || virtualbox.hard_disks())?;
    let backing = media::backing(&info, &disks);
    Ok((info, backing))
}

fn patiently<T>(subject: &Subject, ask: impl Fn() -> Result<T, AskError>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask() {
            Ok(answer) => return Ok(answer),
            Err(error) if error.is_transient() && Instant::now() + GAP < deadline && !subject.world.is_ended() => {
                subject.log.debug(format!("asking VirtualBox again: {error}"));
                std::thread::sleep(GAP);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Where all of it is, and what the settings name.
pub fn survey(backing: &Backing, settings: &ZfsSettings, datasets: &[Dataset]) -> Survey {
    // Links are followed first: that mounts what an automounter has to, and only then is the table complete.
    let real = |names: &[std::path::PathBuf]| -> Vec<_> { names.iter().map(|p| (p.clone(), paths::real(p))).collect() };
    let (files, raw_disks) = (real(&backing.files), real(&backing.raw_disks));
    let listed = settings.datasets.iter().flatten().map(|entry| ("vm/zfssnap_dslist", entry));
    let appended = settings.append.iter().map(|entry| ("vm/zfssnap_dslist_append", entry));
    let named: Vec<_> = listed.chain(appended).map(|(p, entry)| (p, entry, paths::real(Path::new(entry)))).collect();
    let has_snapshots = |point: &Path| paths::snapshot_folder(point).is_dir();
    let map = Map::new(datasets, paths::mnttab().map(|table| parse::mnttab(&table)), &has_snapshots);
    let part = |(path, real): (_, std::path::PathBuf)| Part { path, place: map.of_file(&real) };
    Survey {
        files: files.into_iter().map(part).collect(),
        raw_disks: raw_disks.into_iter().map(part).collect(),
        unread: backing.unread.clone(),
        auto: settings.datasets.is_none(),
        named: named
            .into_iter()
            .map(|(property, entry, real)| Named {
                property,
                entry: entry.clone(),
                place: map.of_setting(entry, &real),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::parse::Kind;

    fn settings(datasets: Option<&[&str]>, append: &[&str]) -> ZfsSettings {
        let words = |list: &[&str]| list.iter().map(|w| w.to_string()).collect();
        ZfsSettings {
            snapshot: true,
            datasets: datasets.map(words),
            append: words(append),
            prefix: "snap".into(),
            keep: 0,
        }
    }

    /// A temporary folder as if it were a mounted file system, with a volume beside it.
    fn host(dir: &Path) -> Vec<Dataset> {
        let at = dir.canonicalize().unwrap();
        let dataset = |name: &str, kind, at: Option<_>| Dataset {
            name: name.to_string(),
            kind,
            mounted: at.is_some(),
            mountpoint: at,
        };
        vec![dataset("tank/vm", Kind::Filesystem, Some(at)), dataset("tank/disk", Kind::Volume, None)]
    }

    #[test]
    fn files_volumes_and_settings_come_together() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("web.vbox"), "").unwrap();
        let backing = Backing {
            files: vec![dir.path().join("web.vbox")],
            raw_disks: vec!["/dev/zvol/rdsk/tank/disk".into()],
            unread: Vec::new(),
        };
        let targets = survey(&backing, &settings(None, &["tank/gone"]), &host(dir.path())).targets();
        assert_eq!(targets.datasets.into_iter().collect::<Vec<_>>(), ["tank/disk", "tank/vm"]);
        assert_eq!(targets.wrong, ["vm/zfssnap_dslist_append: \"tank/gone\" is no dataset of this host"]);
    }

    #[test]
    fn a_list_takes_the_place_of_what_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let backing = Backing { files: vec![dir.path().join("web.vbox")], ..Backing::default() };
        let mount_point = dir.path().to_str().unwrap();
        for (listed, wanted) in [(&["tank/disk"][..], "tank/disk"), (&[mount_point][..], "tank/vm")] {
            let survey = survey(&backing, &settings(Some(listed), &[]), &host(dir.path()));
            assert_eq!(survey.targets().datasets.into_iter().collect::<Vec<_>>(), [wanted]);
        }
        assert!(survey(&backing, &settings(Some(&[]), &[]), &host(dir.path())).targets().is_empty());
    }
}
