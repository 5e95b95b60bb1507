//! `dirlist`: the VM's files and disks, where they are, and what a snapshot of the VM would cover.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;

use super::backing::{self, PATIENCE};
use super::subject::{Instance, Selector, World};
use crate::exec::SystemRunner;
use crate::exit::told;
use crate::log::{self, printable};
use crate::zfs::discover::Part;
use crate::zfs::{Place, Survey, Zfs};

#[derive(Debug, Serialize)]
struct Report {
    instance: String,
    vm: String,
    files: Vec<Line>,
    /// The devices that raw-disk descriptors among the files stand for.
    raw_disks: Vec<Line>,
    /// What zfssnap_dslist and zfssnap_dslist_append name.
    settings: Vec<Line>,
    /// Whether zfssnap_dslist is `auto`, so that what files and disks are on is snapshot.
    auto: bool,
    /// What a snapshot would be taken of: datasets, and mount points of other hosts' ones.
    snapshot: Vec<String>,
    remarks: Vec<String>,
}

#[derive(Debug, Default, Serialize)]
struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<&'static str>,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<String>,
    /// The mount point of another host's dataset.
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
}

pub fn run(world: &World, selector: &Selector, json: bool) -> anyhow::Result<()> {
    let subject = Instance::open(world, selector)?.with_machine(Some(Instant::now() + PATIENCE))?;
    let (_, backing) = backing::ask(&subject, &SystemRunner)?;
    let mut remarks = Vec::new();
    // Without ZFS there still are files to tell of.
    let listed = Zfs::new(&SystemRunner, &world.tools).map_err(anyhow::Error::from);
    let datasets = listed.and_then(|zfs| Ok(zfs.datasets()?)).unwrap_or_else(|error| {
        remarks.push(format!("the datasets of this host are not known: {}", told(&error)));
        Vec::new()
    });
    let survey = backing::survey(&backing, &subject.settings.zfs, &datasets);
    let report = report(subject.fmri.to_string(), subject.machine.name.clone(), &survey, remarks);
    let text = if json { log::json(&report)? + "\n" } else { render(&report) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn report(instance: String, vm: String, survey: &Survey, mut remarks: Vec<String>) -> Report {
    let targets = survey.targets();
    let remote = targets.remote.iter().map(|point| shown(point));
    let snapshot = targets.datasets.iter().cloned().chain(remote).collect();
    // Of the uncovered parts only what their own lines do not say.
    remarks.extend(survey.unread.iter().map(|(path, why)| format!("{} could not be looked into: {why}", shown(path))));
    Report {
        instance,
        vm,
        files: survey.files.iter().map(line_of_part).collect(),
        raw_disks: survey.raw_disks.iter().map(line_of_part).collect(),
        settings: survey
            .named
            .iter()
            .map(|named| Line { property: Some(named.property), ..line(named.entry.clone(), &named.place) })
            .collect(),
        auto: survey.auto,
        snapshot,
        remarks,
    }
}

fn line_of_part(part: &Part) -> Line {
    line(shown(&part.path), &part.place)
}

fn line(name: String, place: &Place) -> Line {
    let line = Line { name, ..Line::default() };
    match place.clone() {
        Place::Dataset(dataset) => Line { dataset: Some(dataset), ..line },
        Place::Remote(point) => Line { remote: Some(shown(&point)), ..line },
        Place::Elsewhere(remark) => Line { remark: Some(remark), ..line },
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn render(report: &Report) -> String {
    let mut out = String::new();
    section(&mut out, "files", &report.files);
    section(&mut out, "raw disks", &report.raw_disks);
    let dslist = if report.auto { "auto: what the files and raw disks above are on" } else { "as listed" };
    section(&mut out, &format!("settings (vm/zfssnap_dslist: {dslist})"), &report.settings);
    let snapshot: Vec<Line> =
        report.snapshot.iter().map(|name| Line { name: name.clone(), ..Line::default() }).collect();
    section(&mut out, "snapshot", &snapshot);
    for remark in &report.remarks {
        let _ = writeln!(out, "note: {}", printable(remark));
    }
    out
}

fn section(out: &mut String, title: &str, lines: &[Line]) {
    let _ = writeln!(out, "{title}:{}", if lines.is_empty() { " none" } else { "" });
    for line in lines {
        let place = line.dataset.as_ref().or(line.remote.as_ref()).map(|place| format!(" -> {place}"));
        let remark = line.remark.as_ref().map(|remark| format!(" {remark}"));
        let property = line.property.map(|property| format!(" ({property})"));
        let parts = [Some(line.name.clone()), property, place, remark];
        let _ = writeln!(out, "  {}", printable(&parts.into_iter().flatten().collect::<String>()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zfs::discover::Named;

    fn survey() -> Survey {
        let part = |path: &str, place| Part { path: path.into(), place };
        Survey {
            files: vec![
                part("/vm/web.vbox", Place::Dataset("tank/vm".into())),
                part("/net/srv/web\u{1b}.vdi", Place::Remote("/net/srv".into())),
                part("/data/a.iso", Place::Elsewhere("is on ufs".into())),
            ],
            raw_disks: vec![part("/dev/zvol/rdsk/tank/disk", Place::Dataset("tank/disk".into()))],
            unread: vec![("/vm/raw.vmdk".into(), std::io::ErrorKind::PermissionDenied)],
            auto: true,
            named: vec![Named {
                property: "vm/zfssnap_dslist_append",
                entry: "tank/gone".into(),
                place: Place::Elsewhere("is no dataset of this host".into()),
            }],
        }
    }

    fn of(survey: &Survey) -> Report {
        report("svc:/site/xvm/vbox:web".into(), "web".into(), survey, Vec::new())
    }

    #[test]
    fn the_text_tells_files_disks_settings_and_what_is_snapshot() {
        let wanted = "files:\n  /vm/web.vbox -> tank/vm\n  /net/srv/web\\u{1b}.vdi -> /net/srv\n  /data/a.iso is on ufs\n\
            raw disks:\n  /dev/zvol/rdsk/tank/disk -> tank/disk\n\
            settings (vm/zfssnap_dslist: auto: what the files and raw disks above are on):\n  \
            tank/gone (vm/zfssnap_dslist_append) is no dataset of this host\n\
            snapshot:\n  tank/disk\n  tank/vm\n  /net/srv\n\
            note: /vm/raw.vmdk could not be looked into: permission denied\n";
        assert_eq!(render(&of(&survey())), wanted);
    }

    #[test]
    fn json_has_a_field_only_where_there_is_something_to_say() {
        let json = serde_json::to_value(of(&survey())).unwrap();
        assert_eq!(json["files"][0], serde_json::json!({"name": "/vm/web.vbox", "dataset": "tank/vm"}));
        assert_eq!(json["settings"][0]["property"], "vm/zfssnap_dslist_append");
        assert_eq!(json["snapshot"], serde_json::json!(["tank/disk", "tank/vm", "/net/srv"]));
    }

    #[test]
    fn nothing_is_said_as_none() {
        assert!(render(&of(&Survey::default())).contains("snapshot: none\n"));
    }
}
