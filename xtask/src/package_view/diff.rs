//! What an upgrade from one package to another changes. Pure: two views in, differences out.
//!
//! Two packages of one format are compared in everything. Of two formats only what both say in the same terms is: the
//! release, and each entry's kind, mode, owner, group, bytes and target. Classes and actuators, the names of packages
//! depended on, parameters and scripts have no common terms, and no comparison of them would mean anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Entry, OwnFile, View};

/// One thing that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub subject: Subject,
    pub name: String,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    Package,
    Parameter,
    Dependency,
    InstallFile,
    Licence,
    Action,
    Entry,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", content = "fields", rename_all = "lowercase")]
pub enum What {
    Added,
    Removed,
    Changed(Vec<Field>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    pub field: String,
    pub old: String,
    pub new: String,
}

/// All changes, by subject and name.
pub fn changes(old: &View, new: &View) -> Vec<Change> {
    let alike = old.format == new.format;
    let mut changes = Vec::new();
    let versions = if alike { (old.version.as_str(), new.version.as_str()) } else { (old.release(), new.release()) };
    let mut package = vec![field("version", versions.0, versions.1)];
    if alike {
        package.push(field("name", &old.name, &new.name));
        compare_maps(Subject::Parameter, &parameters(old), &parameters(new), &mut changes, |a, b| {
            vec![field("value", &a.join(" | "), &b.join(" | "))]
        });
        let words = |view: &View| view.dependencies.iter().map(ToString::to_string).collect();
        compare_sets(Subject::Dependency, &words(old), &words(new), &mut changes);
        compare_maps(Subject::InstallFile, &old.install_files, &new.install_files, &mut changes, own_fields);
        compare_maps(Subject::Licence, &old.licences, &new.licences, &mut changes, own_fields);
        let words = |view: &View| view.other_actions.iter().cloned().collect();
        compare_sets(Subject::Action, &words(old), &words(new), &mut changes);
    }
    compare_maps(Subject::Entry, &by_name(old), &by_name(new), &mut changes, |a, b| entry_fields(a, b, alike));
    let package: Vec<Field> = package.into_iter().flatten().collect();
    if !package.is_empty() {
        let name = if alike { new.name.clone() } else { format!("{} -> {}", old.name, new.name) };
        changes.push(Change { subject: Subject::Package, name, what: What::Changed(package) });
    }
    changes.sort_by(|a, b| (a.subject, &a.name).cmp(&(b.subject, &b.name)));
    changes
}

/// The parameters but those that say the version and the name again.
fn parameters(view: &View) -> BTreeMap<String, Vec<String>> {
    let again = ["PKG", "VERSION", "pkg.fmri"];
    view.parameters
        .iter()
        .filter(|(name, _)| !again.contains(&name.as_str()))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Entries by path, and by their variants where a path has several.
fn by_name(view: &View) -> BTreeMap<String, &Entry> {
    let mut paths: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in &view.entries {
        *paths.entry(&entry.path).or_default() += 1;
    }
    let mut named = BTreeMap::new();
    for entry in &view.entries {
        let mut name = entry.path.clone();
        if paths.get(entry.path.as_str()).is_some_and(|count| *count > 1) {
            for (variant, values) in entry.attributes.iter().filter(|(name, _)| name.starts_with("variant.")) {
                name.push_str(&format!(" {variant}={}", values.join(",")));
            }
        }
        named.insert(name, entry);
    }
    named
}

fn entry_fields(old: &Entry, new: &Entry, alike: bool) -> Vec<Option<Field>> {
    let kind = |entry: &Entry| if alike { entry.kind } else { entry.kind.plain() }.to_string();
    let mode = |entry: &Entry| entry.mode.map_or_else(|| "?".to_owned(), |mode| format!("{mode:04o}"));
    let size = |entry: &Entry| entry.size.map_or_else(String::new, |size| format!(", {size} bytes"));
    let bytes = |entry: &Entry| {
        let sha256 = entry.sha256.as_deref().map(|sha256| sha256.get(..16).unwrap_or(sha256));
        sha256.map_or_else(String::new, |sha256| format!("sha256 {sha256}{}", size(entry)))
    };
    let mut fields = vec![
        field("kind", &kind(old), &kind(new)),
        field("mode", &mode(old), &mode(new)),
        field("owner", text(&old.owner), text(&new.owner)),
        field("group", text(&old.group), text(&new.group)),
        field("target", text(&old.target), text(&new.target)),
        // The whole hash decides, its beginning is shown.
        field("bytes", &bytes(old), &bytes(new)).filter(|_| old.sha256 != new.sha256),
    ];
    if alike {
        fields.push(field("class", text(&old.class), text(&new.class)));
        let names: BTreeSet<&String> = old.attributes.keys().chain(new.attributes.keys()).collect();
        let value =
            |entry: &Entry, name: &String| entry.attributes.get(name).map(|v| v.join(" | ")).unwrap_or_default();
        fields.extend(names.into_iter().map(|name| field(name, &value(old, name), &value(new, name))));
    }
    fields
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().unwrap_or_default()
}

fn own_fields(old: &OwnFile, new: &OwnFile) -> Vec<Option<Field>> {
    let words =
        |file: &OwnFile| format!("sha256 {}, {} bytes", file.sha256.get(..16).unwrap_or(&file.sha256), file.size);
    vec![field("bytes", &words(old), &words(new)).filter(|_| old.sha256 != new.sha256)]
}

fn field(name: &str, old: &str, new: &str) -> Option<Field> {
    (old != new).then(|| Field { field: name.to_owned(), old: old.to_owned(), new: new.to_owned() })
}

fn compare_maps<T>(
    subject: Subject,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    changes: &mut Vec<Change>,
    fields: impl Fn(&T, &T) -> Vec<Option<Field>>,
) {
    let mut add = |name: &String, what| changes.push(Change { subject, name: name.clone(), what });
    for (name, before) in old {
        match new.get(name).map(|after| fields(before, after).into_iter().flatten().collect::<Vec<Field>>()) {
            None => add(name, What::Removed),
            Some(fields) if !fields.is_empty() => add(name, What::Changed(fields)),
            Some(_) => {}
        }
    }
    new.keys().filter(|name| !old.contains_key(*name)).for_each(|name| add(name, What::Added));
}

fn compare_sets(subject: Subject, old: &BTreeSet<String>, new: &BTreeSet<String>, changes: &mut Vec<Change>) {
    let mut add = |name: &String, what| changes.push(Change { subject, name: name.clone(), what });
    old.difference(new).for_each(|name| add(name, What::Removed));
    new.difference(old).for_each(|name| add(name, What::Added));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package_view::Format;
    use crate::package_view::samples::{Sample, view};

    /// Changes as short words: `entry lib/web: mode`.
    fn words(old: &View, new: &View) -> Vec<String> {
        let word = |change: &Change| {
            let what = match &change.what {
                What::Added => "added".to_owned(),
                What::Removed => "removed".to_owned(),
                What::Changed(fields) => fields.iter().map(|f| f.field.as_str()).collect::<Vec<_>>().join(" "),
            };
            let subject = serde_json::to_value(change.subject).unwrap();
            format!("{} {}: {what}", subject.as_str().unwrap(), change.name)
        };
        changes(old, new).iter().map(word).collect()
    }

    #[test]
    fn a_package_does_not_differ_from_itself_in_either_format_nor_from_the_other() {
        let (svr4, ips) = (view(Format::Svr4, &Sample::new()), view(Format::Ips, &Sample::new()));
        assert_eq!(changes(&svr4, &svr4), []);
        assert_eq!(changes(&ips, &ips), []);
        assert_eq!(changes(&svr4, &ips), []);
    }

    #[test]
    fn every_kind_of_change_is_told() {
        type Edit = fn(&mut Sample);
        let table: [(Edit, &[&str], &[&str]); 9] = [
            (|s| s.version = "1.1", &["package ABCweb: version"], &["package service/web: version"]),
            (
                |s| s.file("lib/svc/method/web").mode = 0o500,
                &["entry lib/svc/method/web: mode"],
                &["entry lib/svc/method/web: mode"],
            ),
            (
                |s| s.file("lib/svc/method/web").owner = "daemon",
                &["entry lib/svc/method/web: owner"],
                &["entry lib/svc/method/web: owner"],
            ),
            (
                |s| s.file("lib/svc/method/web").bytes = b"other".to_vec(),
                &["entry lib/svc/method/web: bytes"],
                &["entry lib/svc/method/web: bytes"],
            ),
            (
                |s| s.file("lib/svc/method/web").class = "special",
                &["parameter CLASSES: value", "entry lib/svc/method/web: class"],
                &[],
            ),
            (
                |s| s.files.retain(|f| f.path != "lib/svc/method/web"),
                &["entry lib/svc/method/web: removed"],
                &["entry lib/svc/method/web: removed"],
            ),
            (|s| s.links[0].1 = "elsewhere", &["entry usr/bin/web: target"], &["entry usr/bin/web: target"]),
            (
                |s| s.dependency = None,
                &["dependency prerequisite ABCbase: removed"],
                &["dependency require pkg:/base: removed"],
            ),
            (|s| s.description = "Other words", &["parameter DESC: value"], &["parameter pkg.description: value"]),
        ];
        for (edit, svr4, ips) in table {
            let mut sample = Sample::new();
            edit(&mut sample);
            assert_eq!(words(&view(Format::Svr4, &Sample::new()), &view(Format::Svr4, &sample)), svr4);
            assert_eq!(words(&view(Format::Ips, &Sample::new()), &view(Format::Ips, &sample)), ips);
        }
    }

    #[test]
    fn a_script_and_an_actuator_are_changes_of_their_own_format() {
        let mut sample = Sample::new();
        sample.scripts.push(("postinstall", "exit 0\n"));
        sample.file("lib/svc/method/web").ips.push(("restart_fmri", "svc:/web:default"));
        assert_eq!(
            words(&view(Format::Svr4, &Sample::new()), &view(Format::Svr4, &sample)),
            ["install-file postinstall: added"]
        );
        assert_eq!(
            words(&view(Format::Ips, &Sample::new()), &view(Format::Ips, &sample)),
            ["entry lib/svc/method/web: restart_fmri"]
        );
    }

    #[test]
    fn formats_are_compared_in_what_they_share() {
        let mut sample = Sample::new();
        sample.version = "2.0";
        sample.file("lib/svc/method/web").mode = 0o755;
        sample.links.push(("usr/bin/more", "web"));
        assert_eq!(
            words(&view(Format::Svr4, &Sample::new()), &view(Format::Ips, &sample)),
            ["package ABCweb -> service/web: version", "entry lib/svc/method/web: mode", "entry usr/bin/more: added"]
        );
    }

    #[test]
    fn a_file_that_becomes_a_link_is_one_change() {
        let mut sample = Sample::new();
        sample.files.retain(|file| file.path != "lib/svc/method/web");
        sample.links.push(("lib/svc/method/web", "other"));
        let words = words(&view(Format::Svr4, &Sample::new()), &view(Format::Svr4, &sample));
        assert_eq!(words, ["entry lib/svc/method/web: kind mode owner group target bytes"]);
    }
}
