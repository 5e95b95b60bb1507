//! Manifests as people read and keep them: the second format of pkgfmt, wrapped to 80 columns.
//!
//! What it prints, `pkgfmt -c` accepts. It decides nothing about an action's meaning.

use super::action::{Action, Kind, Package};
use super::manifest::{quote_value, sort, stored_line};

/// Between an attribute and one that starts a new line.
const CONTINUE: &str = " \\\n    ";

/// A package's source manifest. `payload` gives the name below the proto area by which a file or licence action finds
/// its content; with `None` it is looked up by the action's path. The publisher is left out, as pkgsend puts in its own.
pub fn source_manifest(package: &Package, payload: impl Fn(&Action) -> Option<String>) -> String {
    let fmri = super::fmri::Fmri { publisher: None, ..package.fmri.clone() };
    let named = Action::set("pkg.fmri", &fmri.to_string());
    let mut entries: Vec<(&Action, Option<String>, String)> = std::iter::once(&named)
        .chain(&package.actions)
        .map(|action| {
            let name = if action.kind.has_payload() { payload(action) } else { None };
            let line = stored_line(action, name.as_deref());
            (action, name, line)
        })
        .collect();
    sort(&mut entries, |e| e.0, |e| &e.2);
    entries.iter().map(|(action, name, _)| format!("{}\n", wrapped(action, name.as_deref()))).collect()
}

/// One action, on as many lines as it needs. Only between values may a line end, so a long value makes a long line.
fn wrapped(action: &Action, payload: Option<&str>) -> String {
    let mut text = action.kind.name().to_owned();
    if let Some(payload) = payload {
        text.push(' ');
        text.push_str(payload);
    }
    let values = ordered_values(action);
    let mut on_first_line = if payload.is_some() { 1 } else { 0 };
    for (i, value) in values.iter().enumerate() {
        let last = i + 1 == values.len();
        if fits(&text, value, last) {
            text.push(' ');
            on_first_line += usize::from(!text.contains('\n'));
        } else {
            text.push_str(CONTINUE);
        }
        text.push_str(value);
    }
    // A lone value that does not fit stays beside its action rather than leaving the name alone on a line.
    if on_first_line == 0 && values.len() == 1 {
        text = text.replacen(CONTINUE, " ", 1);
    }
    match text.strip_prefix("dir ") {
        Some(rest) => format!("dir  {rest}"),
        None => text,
    }
}

/// Whether `value` may follow on the last line of `text`: room is kept for the continuation mark if more is to come.
/// Lines after the first count their leading newline in place of the space before the value, as pkgfmt does.
fn fits(text: &str, value: &str, last: bool) -> bool {
    let limit = if last { 80 } else { 78 };
    let line_start = text.rfind('\n').unwrap_or(0);
    let length = text.get(line_start..).unwrap_or(text).chars().count();
    length + value.chars().count() < limit
}

/// `key=value` for every value in reading order: the key attribute, target or owner, group, mode, other single ones,
/// lists, facets, variants; within each by name, and the values of a list sorted.
fn ordered_values(action: &Action) -> Vec<String> {
    let mut attributes: Vec<(&str, &[String])> = action.attributes().collect();
    attributes.sort_by_key(|(key, values)| (rank(action.kind, key, values.len() > 1), *key));
    let mut all = Vec::new();
    for (key, values) in attributes {
        let mut values: Vec<&String> = values.iter().collect();
        values.sort();
        all.extend(values.into_iter().map(|value| format!("{key}={}", quote_value(value))));
    }
    all
}

fn rank(kind: Kind, key: &str, list: bool) -> u8 {
    match key {
        _ if key.starts_with("variant.") => 7,
        _ if key.starts_with("facet.") => 6,
        _ if list => 5,
        "type" if kind == Kind::Depend => 0,
        "fmri" if kind == Kind::Depend => 1,
        "owner" | "target" if kind != Kind::Depend => 1,
        "group" if kind != Kind::Depend => 2,
        "mode" if kind != Kind::Depend => 3,
        _ if key == kind.key_attribute() => 0,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Content;

    fn file(path: &str) -> Action {
        Action::file(path, "root", "sys", "0444", Content::Bytes(Vec::new()))
    }

    #[test]
    fn a_package_is_printed_sorted_aligned_and_wrapped() {
        let package = Package {
            fmri: "pkg://example/service/web@1.0,5.11:20260101T000000Z".parse().unwrap(),
            actions: vec![
                Action::depend("require-any", "pkg:/web/nginx").with("fmri", "pkg:/web/apache"),
                Action::license("MIT", Content::Bytes(Vec::new())),
                Action::dir("usr/share/doc/web", "root", "sys", "0755"),
                file("lib/svc/manifest/site/web.xml")
                    .with("restart_fmri", "svc:/system/manifest-import:default")
                    .with("disable_fmri", "svc:/site/web:*"),
                Action::set("pkg.summary", "Serves pages"),
                Action::set("variant.arch", "i386"),
            ],
        };
        let names = |a: &Action| a.value("license").map(|_| "LICENSE".to_owned());
        assert_eq!(
            source_manifest(&package, names),
            "set name=pkg.fmri value=pkg:/service/web@1.0,5.11:20260101T000000Z\n\
             set name=pkg.summary value=\"Serves pages\"\n\
             set name=variant.arch value=i386\n\
             file path=lib/svc/manifest/site/web.xml owner=root group=sys mode=0444 \\\n    \
             disable_fmri=svc:/site/web:* \\\n    \
             restart_fmri=svc:/system/manifest-import:default\n\
             dir  path=usr/share/doc/web owner=root group=sys mode=0755\n\
             license LICENSE license=MIT\n\
             depend type=require-any fmri=pkg:/web/apache fmri=pkg:/web/nginx\n"
        );
    }

    #[test]
    fn a_line_takes_what_pkgfmt_lets_it_take_and_no_more() {
        // "set name=x" and a last value of 69 make 80 columns with the space between them; one more wraps.
        let last = |length: usize| wrapped(&Action::set("x", &"v".repeat(length - "value=".len())), None);
        assert_eq!(last(69).lines().map(str::len).collect::<Vec<_>>(), [80]);
        assert_eq!(last(70).lines().map(str::len).collect::<Vec<_>>(), [12, 74]);
        // A value with more to come leaves room for the mark: 78 columns before it.
        let more = |length: usize| {
            let action = Action::link("p", "t").with("aa", &"v".repeat(length - "aa=".len())).with("b", "x");
            wrapped(&action, None).lines().map(str::len).collect::<Vec<_>>()
        };
        let first = "link path=p target=t".len();
        assert_eq!(more(77 - first), [80, 7]);
        assert_eq!(more(78 - first), [22, 4 + 78 - first + 4]);
    }

    #[test]
    fn a_value_is_never_split_and_a_lone_one_stays_with_its_action() {
        let long = "x".repeat(100);
        assert_eq!(wrapped(&Action::set("a", &long), None), format!("set name=a \\\n    value={long}"));
        assert_eq!(wrapped(&Action::legacy(&long), None), format!("legacy pkg={long}"));
        let licence = Action::license(&long, Content::Bytes(Vec::new()));
        assert_eq!(wrapped(&licence, Some("COPYING")), format!("license COPYING \\\n    license={long}"));
    }

    #[test]
    fn lists_facets_and_variants_come_last_and_lists_are_sorted() {
        let action = file("p")
            .with("zeta", "1")
            .with("alpha", "b")
            .with("alpha", "a")
            .with("variant.arch", "i386")
            .with("facet.doc", "true");
        assert_eq!(
            ordered_values(&action),
            [
                "path=p",
                "owner=root",
                "group=sys",
                "mode=0444",
                "zeta=1",
                "alpha=a",
                "alpha=b",
                "facet.doc=true",
                "variant.arch=i386"
            ]
        );
    }

    #[test]
    fn columns_are_counted_in_characters() {
        let summary = "\u{e9}".repeat(60);
        let text = wrapped(&Action::set("pkg.summary", &format!("{summary}_")), None);
        assert_eq!(text.lines().count(), 2, "{text}");
        let text = wrapped(&Action::set("x", &"\u{e9}".repeat(63)), None);
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
