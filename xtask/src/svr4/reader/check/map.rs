//! Checks of the map by itself: every line, their order, and names that must exist on the target.

use std::collections::{BTreeMap, BTreeSet};

use crate::svr4::pkginfo::PkgInfo;
use crate::svr4::pkgmap::parse::{first_line, row, unsafe_path};
use crate::svr4::pkgmap::{Entry, Facts, Item, Object, Problem, Row};
use crate::svr4::reader::finding::Findings;
use crate::svr4::reader::{Level, ReadPackage};

/// Users and groups every illumos has. Others may exist, or be made by another package.
const OWNERS: [&str; 19] = [
    "root", "daemon", "bin", "sys", "adm", "dladm", "netadm", "netcfg", "dhcpserv", "ftp", "sshd", "smmsp", "lp",
    "uucp", "nuucp", "webservd", "nobody", "noaccess", "nobody4",
];
const GROUPS: [&str; 20] = [
    "root", "other", "bin", "sys", "adm", "uucp", "mail", "tty", "lp", "nuucp", "staff", "daemon", "sysadmin", "games",
    "ftp", "smmsp", "netadm", "webservd", "nobody", "noaccess",
];

/// A readable line and where it stands.
pub struct Line {
    pub number: usize,
    pub row: Row,
}

pub fn check(package: &ReadPackage, findings: &mut Findings) -> Vec<Line> {
    let Some(text) = &package.pkgmap else {
        findings.error("pkgmap-missing", &package.name, "the package's archive holds no pkgmap");
        return Vec::new();
    };
    let text = String::from_utf8_lossy(text);
    let place = |number: usize| format!("{} pkgmap line {number}", package.name);
    let mut numbered = text.split_terminator('\n').zip(1..).peekable();
    let first = numbered.next_if(|(line, _)| line.starts_with(':'));
    check_first_line(package, first.map(|(line, _)| line), findings);
    let mut lines = Vec::new();
    for (line, number) in numbered {
        lines.extend(readable(line, &place(number), findings).map(|row| Line { number, row }));
    }
    if !text.ends_with('\n') {
        findings.warning("map-layout", format!("{} pkgmap", package.name), "the last line has no newline");
    }
    for Line { number, row } in &lines {
        check_row(package, row, &place(*number), findings);
    }
    check_together(package, &lines, findings);
    lines
}

fn check_first_line(package: &ReadPackage, line: Option<&str>, findings: &mut Findings) {
    let place = format!("{} pkgmap line 1", package.name);
    let line = line.map(|line| line.trim_end_matches('\r')).ok_or(Problem::NoFirstLine);
    match line.and_then(first_line) {
        Err(problem) => findings.warning("map-first-line", place, format!("{problem}; pkgtrans needs it")),
        Ok((parts, maxsize, compressed)) => {
            if parts != package.parts {
                let message = format!("states {parts} parts, the stream's header {}", package.parts);
                findings.error("map-parts", &place, message);
            }
            // With compressed class archives the header has the third number.
            if compressed.unwrap_or(maxsize) != package.maxsize {
                let message = format!("states another size than the {} of the stream's header", package.maxsize);
                findings.warning("map-maxsize", &place, message);
            }
        }
    }
}

/// Reads a line, mending what pkgadd overlooks so that the rest of the line is checked too.
fn readable(line: &str, place: &str, findings: &mut Findings) -> Option<Row> {
    let without_return = line.trim_end_matches('\r');
    if without_return != line {
        let message = "ends in a carriage return, which pkgadd takes for part of the last name";
        findings.error("map-crlf", place, message);
    }
    if without_return.is_empty() || without_return.starts_with(['#', ':']) {
        findings.warning("map-layout", place, "is a line that readers skip");
        return None;
    }
    let words: Vec<&str> = without_return.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    let mended = words.join(" ");
    if mended != without_return {
        findings.warning("map-layout", place, Problem::Spacing.to_string());
    }
    match row(&mended) {
        Ok(row) => Some(row),
        Err(problem) => {
            findings.error(id_of(&problem), place, problem.to_string());
            None
        }
    }
}

fn id_of(problem: &Problem) -> &'static str {
    match problem {
        Problem::NoFirstLine => "map-first-line",
        Problem::CarriageReturn => "map-crlf",
        Problem::Spacing | Problem::NoFinalNewline => "map-layout",
        Problem::VolumeMissing | Problem::VolumeOutOfRange { .. } => "map-volume",
        Problem::UnknownType(_) => "map-type",
        Problem::Mode(_) => "map-mode",
        Problem::Missing(_) | Problem::NotANumber { .. } | Problem::Extra(_) => "map-fields",
        Problem::NoTarget | Problem::UnexpectedTarget => "map-link",
        Problem::UnsafePath { .. } => "map-path",
        Problem::Duplicate(_) => "map-duplicate",
        Problem::Unsorted(_) => "map-unsorted",
    }
}

fn check_row(package: &ReadPackage, row: &Row, place: &str, findings: &mut Findings) {
    if row.volume == 0 || row.volume > package.parts {
        let message = format!("part {} is not among the package's {}", row.volume, package.parts);
        findings.error("map-volume", place, message);
    }
    let path = row.item.path();
    if let Some(problem) = unsafe_path(path) {
        findings.error("map-path", place, format!("the path {path:?} {problem}"));
    }
    let Item::Object(entry) = &row.item else { return };
    let classes = package.info.as_ref().and_then(PkgInfo::classes);
    if classes.is_some_and(|classes| !classes.contains(&entry.class.as_str())) {
        let message =
            format!("class {} of {path} is not in CLASSES: pkgadd would not install it and not say so", entry.class);
        findings.error("class-unknown", place, message);
    }
    if !path.starts_with('/') && package.info.as_ref().is_some_and(|info| info.get("BASEDIR").is_none()) {
        findings.error("basedir-missing", place, format!("{path} is relative, and pkginfo has no BASEDIR"));
    }
    let Some(attributes) = entry.object.attributes() else { return };
    for (id, what, name, known) in [
        ("owner-unknown", "user", &attributes.owner, OWNERS.as_slice()),
        ("group-unknown", "group", &attributes.group, GROUPS.as_slice()),
    ] {
        if let Some(name) = name.as_deref().filter(|name| !known.contains(name)) {
            findings.warning(id, place, format!("{what} {name:?} of {path} is not one that every illumos has"));
        }
    }
}

fn check_together(package: &ReadPackage, lines: &[Line], findings: &mut Findings) {
    let place = |line: &Line| format!("{} pkgmap line {}", package.name, line.number);
    let below = |pair: &(&Line, &Line)| pair.0.row.item.path() > pair.1.row.item.path();
    if let Some((_, line)) = lines.iter().zip(lines.iter().skip(1)).find(below) {
        findings.warning("map-unsorted", place(line), "sorts before the line above it, and maybe others do");
    }
    let mut seen: BTreeMap<&str, &Line> = BTreeMap::new();
    for line in lines {
        let path = line.row.item.path();
        let Some(first) = seen.insert(path, line) else { continue };
        let folder = matches!(&line.row.item, Item::Object(entry) if is_folder(entry));
        let level = if folder && first.row == line.row { Level::Warning } else { Level::Error };
        findings.add("map-duplicate", level, place(line), format!("{path:?} is in line {} already", first.number));
    }
    let objects: BTreeMap<&str, &Entry<Facts>> =
        entries(lines).map(|(_, entry)| (entry.path.as_str(), entry)).collect();
    let mut missing = BTreeSet::new();
    for (line, entry) in entries(lines) {
        let Some((parent, _)) = entry.path.rsplit_once('/').filter(|(parent, _)| !parent.is_empty()) else { continue };
        match objects.get(parent) {
            Some(parent) if is_folder(parent) => {}
            Some(parent) => {
                let message = format!("{} is below {}, which is no directory", entry.path, parent.path);
                findings.error("parent-not-directory", place(line), message);
            }
            None if missing.insert(parent) => {
                let message = format!(
                    "no line has the folder {parent}, so nobody owns it, and for a link pkgadd does not make it"
                );
                findings.warning("parent-missing", place(line), message);
            }
            None => {}
        }
    }
}

fn entries(lines: &[Line]) -> impl Iterator<Item = (&Line, &Entry<Facts>)> {
    lines.iter().filter_map(|line| match &line.row.item {
        Item::Object(entry) => Some((line, entry)),
        Item::Info { .. } => None,
    })
}

fn is_folder(entry: &Entry<Facts>) -> bool {
    matches!(entry.object, Object::Directory { .. })
}
