//! Compares what a package says of itself with what the stream holds.

mod map;
mod parameters;
mod payload;

use super::ReadPackage;
use super::finding::Findings;
use super::header::Listed;
use super::stream::{Contents, Texts};
use crate::svr4::depend::Depend;

/// Checks a package whose archives were read to their ends.
pub fn package(listed: Listed, table: &Texts, contents: Contents, findings: &mut Findings) -> ReadPackage {
    compare_table(&listed.name, table, &contents.texts, findings);
    if let Some(depend) = &contents.depend
        && let Err(error) = Depend::parse(&String::from_utf8_lossy(depend))
    {
        findings.error("depend-syntax", &listed.name, error.to_string());
    }
    let mut package = unchecked(listed, contents);
    package.info = parameters::check(&package, findings);
    let lines = map::check(&package, findings);
    payload::check(&package, &lines, findings);
    package.rows = lines.into_iter().map(|line| line.row).collect();
    package
}

/// A package as far as it was read, for a stream that is cut or damaged within it.
pub fn unchecked(listed: Listed, contents: Contents) -> ReadPackage {
    let Listed { name, parts, maxsize } = listed;
    let Contents { texts: Texts { pkginfo, pkgmap }, files, .. } = contents;
    ReadPackage { name, parts, maxsize, info: None, pkginfo, pkgmap, rows: Vec::new(), files }
}

/// pkginfo and pkgadd choose a package by the copies in archive 0 and install by those in the package's own.
fn compare_table(name: &str, table: &Texts, own: &Texts, findings: &mut Findings) {
    for (file, in_table, in_package) in
        [("pkginfo", &table.pkginfo, &own.pkginfo), ("pkgmap", &table.pkgmap, &own.pkgmap)]
    {
        match (in_table, in_package) {
            (None, _) => findings.error("table-missing", "archive 0", format!("holds no {name}/{file}")),
            (Some(a), Some(b)) if a != b => {
                let message = format!("{name}/{file} is not that of the package's own archive");
                findings.error("table-differs", "archive 0", message);
            }
            _ => {}
        }
    }
}
