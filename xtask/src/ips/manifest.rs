//! Manifests as a repository stores them: one action a line, attributes sorted, actions in pkgfmt's order.
//!
//! Knows how values are quoted and lines are built; the wrapped form people read is `pkgfmt`'s.

use super::action::{Action, Kind};

/// An attribute's value as a manifest holds it. Only spaces and quotes make it need quotes, as does being empty; with
/// both kinds of quotes inside, the double ones are escaped. A value this cannot carry is refused by `validate`.
pub fn quote_value(value: &str) -> String {
    if !needs_quotes(value) {
        value.to_owned()
    } else if !value.contains('"') {
        format!("\"{value}\"")
    } else if !value.contains('\'') {
        format!("'{value}'")
    } else {
        format!("\"{}\"", value.replace('"', "\\\""))
    }
}

pub(super) fn needs_quotes(value: &str) -> bool {
    value.is_empty() || value.contains([' ', '\'', '"'])
}

/// An action's stored line, without its newline. `hash` is the payload's positional hash.
pub fn stored_line(action: &Action, hash: Option<&str>) -> String {
    let mut line = action.kind.name().to_owned();
    if let Some(hash) = hash {
        line.push(' ');
        line.push_str(hash);
    }
    for (key, values) in action.attributes() {
        for value in values {
            line.push_str(&format!(" {key}={}", quote_value(value)));
        }
    }
    line
}

/// Puts actions into the order of pkgfmt's second format. Each comes with its stored line, which decides between
/// actions that are otherwise equal.
pub fn sort<T>(entries: &mut [T], action: impl Fn(&T) -> &Action, line: impl Fn(&T) -> &str) {
    entries.sort_by(|a, b| sort_key(action(a)).cmp(&sort_key(action(b))).then_with(|| line(a).cmp(line(b))));
}

/// Attributes of the package first, then what goes into the file system by path, legacy and licence actions, and
/// dependencies by type and package. A list of packages comes after a single one of the same type.
fn sort_key(action: &Action) -> (u8, u8, Vec<&str>) {
    let value = |attribute| action.value(attribute).unwrap_or_default();
    match action.kind {
        Kind::Set => {
            let name = value("name");
            let class = match name {
                "pkg.fmri" => 0,
                "pkg.summary" => 1,
                "pkg.description" => 2,
                _ if name.starts_with("pkg.") => 3,
                _ => 4,
            };
            (0, class, vec![name])
        }
        Kind::Dir | Kind::File | Kind::Link | Kind::Hardlink => (1, 0, vec![value("path"), value("target")]),
        Kind::Legacy => (2, 0, vec![value("pkg")]),
        Kind::License => (2, 1, vec![value("license")]),
        Kind::Depend => {
            let fmris = action.values("fmri");
            let list = if fmris.len() > 1 { "list" } else { "" };
            let mut key = vec![value("type"), list];
            key.extend(fmris.iter().map(String::as_str));
            (3, 0, key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::Content;

    #[test]
    fn values_are_quoted_only_when_a_space_a_quote_or_emptiness_asks_for_it() {
        assert_eq!(quote_value("svc:/a:b?*[x]=,#"), "svc:/a:b?*[x]=,#");
        assert_eq!(quote_value(""), "\"\"");
        assert_eq!(quote_value("two words"), "\"two words\"");
        assert_eq!(quote_value("it's"), "\"it's\"");
        assert_eq!(quote_value("a \"b\""), "'a \"b\"'");
        assert_eq!(quote_value("it's a \"b\""), "\"it's a \\\"b\\\"\"");
    }

    #[test]
    fn a_stored_line_has_the_hash_first_and_sorted_attributes() {
        let action = Action::file("etc/web.conf", "root", "sys", "0644", Content::Bytes(Vec::new()))
            .with("preserve", "renamenew")
            .with("pkg.content-hash", "file:x")
            .with("pkg.content-hash", "gzip:a")
            .with("custom", "two words");
        assert_eq!(
            stored_line(&action, Some("da39a3ee")),
            "file da39a3ee custom=\"two words\" group=sys mode=0644 owner=root path=etc/web.conf \
             pkg.content-hash=file:x pkg.content-hash=gzip:a preserve=renamenew"
        );
    }

    #[test]
    fn actions_are_ordered_as_pkgfmt_orders_them() {
        let empty = || Content::Bytes(Vec::new());
        let wanted = [
            Action::set("pkg.fmri", "pkg:/web@1"),
            Action::set("pkg.summary", "s"),
            Action::set("pkg.description", "d"),
            Action::set("pkg.human-version", "1"),
            Action::set("info.classification", "c"),
            Action::set("variant.arch", "i386"),
            Action::file("lib/svc/method/web", "root", "bin", "0555", empty()),
            Action::dir("usr/share/doc/web", "root", "sys", "0755"),
            Action::link("usr/share/doc/web/a", "b"),
            Action::legacy("EXweb"),
            Action::license("Apache-2.0", empty()),
            Action::license("MIT", empty()),
            Action::depend("optional", "pkg:/c"),
            Action::depend("require", "pkg:/b"),
            Action::depend("require", "pkg:/c"),
            Action::depend("require-any", "pkg:/z"),
            Action::depend("require-any", "pkg:/a").with("fmri", "pkg:/b"),
        ];
        let lines: Vec<String> = wanted.iter().map(|a| stored_line(a, None)).collect();
        let mut shuffled: Vec<(Action, String)> = wanted.into_iter().zip(lines.clone()).rev().collect();
        sort(&mut shuffled, |e| &e.0, |e| &e.1);
        assert_eq!(shuffled.into_iter().map(|e| e.1).collect::<Vec<_>>(), lines);
    }
}
