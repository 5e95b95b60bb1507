//! pkgchk: whether what is on disk is what the database says.

use std::path::{Path, PathBuf};

use super::contents::{Contents, Row};
use super::{FATAL, files};
use crate::smf::getopt;
use crate::smf::tool::Tool;

pub fn run(tool: &mut Tool, args: &[String]) -> u8 {
    let Some(parsed) = getopt::parse("acflnqvp:R:", args) else {
        eprintln!("usage: pkgchk [-l|-acfqv] [-n] [-p path,...] [-R root] [pkg ...]");
        return FATAL.0;
    };
    let root = parsed.value('R').map_or(tool.root.to_owned(), PathBuf::from);
    let Ok(contents) = Contents::read(&root) else {
        eprintln!("pkgchk: ERROR: unable to read the package database");
        return 99;
    };
    let packages = if parsed.operands.is_empty() { super::info::installed(&root) } else { parsed.operands.clone() };
    let paths: Vec<&str> = parsed.values('p').flat_map(|list| list.split([',', ' '])).collect();
    let mut status = 0;
    for package in &packages {
        let rows = contents.of(package);
        if rows.is_empty() {
            eprintln!("WARNING: no pathnames were associated with <{package}>");
            // Where none was asked for by name, packages without files are as they should be.
            status |= u8::from(!parsed.operands.is_empty());
        }
        for row in rows.into_iter().filter(|row| paths.is_empty() || paths.contains(&row.object.path.as_str())) {
            if parsed.has('l') {
                listed(tool, row);
                continue;
            }
            let faults = faults_of(row, &root, parsed.has('n'), parsed.has('a'), parsed.has('c'));
            if !faults.is_empty() {
                eprintln!("ERROR: {}\n    {}", row.object.path, faults.join("\n    "));
                status = FATAL.0;
            } else if parsed.has('v') {
                tool.print(&row.object.path);
            }
        }
    }
    status
}

fn faults_of(row: &Row, root: &Path, no_editable: bool, attributes_only: bool, contents_only: bool) -> Vec<String> {
    let object = &row.object;
    // With -n what may change is not looked at.
    let contents = !attributes_only && (!no_editable || object.letter == 'f');
    let mut object = object.clone();
    if contents_only {
        object.attributes = None;
    }
    files::faults(&object, &root.join(object.path.trim_start_matches('/')), contents)
}

fn listed(tool: &mut Tool, row: &Row) {
    tool.print(format!(
        "Pathname: {}\nType: {}\nReferenced by the following packages:\n\t{}\n",
        row.object.path,
        row.object.letter,
        row.owners.join(" ")
    ));
}
