//! Why two files that should be the same are not: where their bytes differ, and, of packages, in what they hold.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::package_view::container::{self, Sink};
use crate::package_view::diff::{Change, Subject, What, changes};
use crate::package_view::{self, View};
use crate::shown::escaped;

/// Details of one file that are told; the first reason is mostly the reason of the others.
const MOST_DETAILS: usize = 10;
/// How much of both files is shown from the first difference on.
const SHOWN: usize = 24;

/// One file that is not the same.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub file: String,
    pub details: Vec<String>,
}

/// Compares two folders of files: the names of those that are the same, and what is different in the others.
pub fn compare(here: &Path, there: &Path) -> Result<(Vec<String>, Vec<Difference>)> {
    let (names_here, names_there) = (names(here)?, names(there)?);
    let (mut same, mut differences) = (Vec::new(), Vec::new());
    for name in names_here.union(&names_there) {
        let details = match (names_here.contains(name), names_there.contains(name)) {
            (true, true) => details(&here.join(name), &there.join(name))?,
            (true, false) => vec!["only the first build made it".to_owned()],
            _ => vec!["only the second build made it".to_owned()],
        };
        if details.is_empty() {
            same.push(name.clone());
        } else {
            differences.push(Difference { file: name.clone(), details });
        }
    }
    Ok((same, differences))
}

fn names(folder: &Path) -> Result<BTreeSet<String>> {
    let list = folder.read_dir().with_context(|| format!("cannot list {}", folder.display()))?;
    list.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// What is different; nothing if the files are the same.
fn details(here: &Path, there: &Path) -> Result<Vec<String>> {
    let Some(range) = first_difference(&mut File::open(here)?, &mut File::open(there)?)? else { return Ok(Vec::new()) };
    let mut details = vec![format!("the files: {range}")];
    let (read_here, read_there) = (package_view::read(here)?, package_view::read(there)?);
    for view in &read_here.packages {
        let Some(other) = read_there.packages.iter().find(|other| other.name == view.name) else { continue };
        for change in changes(view, other).into_iter().take(MOST_DETAILS) {
            details.push(words(&change));
            if let Some(range) = inside(here, there, view, other, &change)? {
                details.push(format!("  {range}"));
            }
        }
    }
    if details.len() == 1 && !read_here.packages.is_empty() {
        details.push("the packages hold the same: the files differ in times, order or compression".to_owned());
    }
    details.truncate(MOST_DETAILS);
    Ok(details)
}

fn words(change: &Change) -> String {
    let fields = match &change.what {
        What::Added => "only in the second build".to_owned(),
        What::Removed => "only in the first build".to_owned(),
        What::Changed(fields) => {
            fields.iter().map(|f| format!("{} {} / {}", f.field, f.old, f.new)).collect::<Vec<_>>().join("; ")
        }
    };
    format!("{}: {}", escaped(&change.name), escaped(&fields))
}

/// Where the bytes of an entry differ.
fn inside(here: &Path, there: &Path, view: &View, other: &View, change: &Change) -> Result<Option<String>> {
    let source = |view: &View| match change.subject {
        Subject::Entry => view.entries.iter().find(|entry| entry.path == change.name)?.source.clone(),
        Subject::InstallFile => view.install_files.get(&change.name).map(|file| file.source.clone()),
        Subject::Licence => view.licences.get(&change.name).map(|file| file.source.clone()),
        _ => None,
    };
    let (Some(source_here), Some(source_there)) = (source(view), source(other)) else { return Ok(None) };
    let mut one = bytes_of(here, &view.id, &source_here)?;
    let mut two = bytes_of(there, &other.id, &source_there)?;
    Ok(first_difference(&mut one, &mut two)?)
}

/// The bytes of one source, in a file without a name.
fn bytes_of(package: &Path, id: &str, source: &str) -> Result<File> {
    let file = tempfile::tempfile().context("cannot make a temporary file")?;
    let mut one = One { id, source, file, wanted: false };
    container::read(package, &mut one)?;
    Ok(one.file)
}

struct One<'a> {
    id: &'a str,
    source: &'a str,
    file: File,
    wanted: bool,
}

impl Sink for One<'_> {
    fn begin(&mut self, package: &str, source: &str) -> io::Result<()> {
        self.wanted = package == self.id && source == self.source;
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.wanted { self.file.write_all(bytes) } else { Ok(()) }
    }

    fn end(&mut self, _complete: bool) -> io::Result<()> {
        self.wanted = false;
        Ok(())
    }
}

/// The first range of bytes that differ, and what both have there; `None` if all are the same.
fn first_difference(one: &mut File, two: &mut File) -> io::Result<Option<String>> {
    let lengths = (one.seek(SeekFrom::End(0))?, two.seek(SeekFrom::End(0))?);
    one.seek(SeekFrom::Start(0))?;
    two.seek(SeekFrom::Start(0))?;
    let mut bytes_one = BufReader::new(&mut *one).bytes();
    let mut bytes_two = BufReader::new(&mut *two).bytes();
    let (mut at, mut start) = (0u64, None);
    loop {
        match (bytes_one.next().transpose()?, bytes_two.next().transpose()?, start) {
            (None, None, None) => return Ok(None),
            (Some(a), Some(b), None) if a != b => start = Some(at),
            (Some(a), Some(b), Some(_)) if a == b => break,
            (None, None, _) => break,
            (None, _, _) | (_, None, _) => {
                start = start.or(Some(at));
                at = lengths.0.max(lengths.1);
                break;
            }
            _ => {}
        }
        at += 1;
    }
    let start = start.unwrap_or_default();
    let of = if lengths.0 == lengths.1 { format!("{}", lengths.0) } else { format!("{} and {}", lengths.0, lengths.1) };
    let (a, b) = (excerpt(one, start)?, excerpt(two, start)?);
    Ok(Some(format!("bytes {start}..{at} of {of} are the first to differ: \"{a}\" / \"{b}\"")))
}

fn excerpt(file: &mut File, from: u64) -> io::Result<String> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    Read::take(file, SHOWN as u64).read_to_end(&mut bytes)?;
    Ok(bytes.escape_ascii().to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::package_view::Format;
    use crate::package_view::samples::Sample;

    /// Two folders with a file of the same name.
    fn compared(one: &[u8], two: &[u8]) -> (Vec<String>, Vec<Difference>) {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        for (path, bytes) in [(&here, one), (&there, two)] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("x.pkg"), bytes).unwrap();
        }
        compare(&here, &there).unwrap()
    }

    #[test]
    fn the_same_bytes_are_the_same() {
        assert_eq!(compared(b"abc", b"abc"), (vec!["x.pkg".to_owned()], vec![]));
        assert_eq!(compared(b"", b""), (vec!["x.pkg".to_owned()], vec![]));
    }

    #[test]
    fn the_first_range_that_differs_is_told() {
        let ranges = [
            (b"abcdef".as_slice(), b"abXYef".as_slice(), "bytes 2..4 of 6"),
            (b"abc", b"abd", "bytes 2..3 of 3"),
            (b"abc", b"abcde", "bytes 3..5 of 3 and 5"),
            (b"Xbc", b"Yb", "bytes 0..1 of 3 and 2"),
            (b"", b"a", "bytes 0..1 of 0 and 1"),
        ];
        for (one, two, range) in ranges {
            let details = &compared(one, two).1[0].details;
            assert_eq!(details.len(), 1);
            assert!(details[0].starts_with(&format!("the files: {range} are the first")), "{details:?}");
        }
    }

    #[test]
    fn of_packages_the_entry_and_the_range_in_it_are_told() {
        let mut other = Sample::new();
        other.file("usr/share/doc/web/README").bytes = b"Read it\n".to_vec();
        for format in [Format::Svr4, Format::Ips] {
            let details = &compared(&Sample::new().bytes(format), &other.bytes(format)).1[0].details;
            assert!(details[1].starts_with("usr/share/doc/web/README: bytes sha256 "), "{details:#?}");
            assert_eq!(details[2], "  bytes 5..7 of 8 are the first to differ: \"me\\n\" / \"it\\n\"", "{details:#?}");
        }
    }

    #[test]
    fn packages_that_hold_the_same_differ_in_how_they_are_made() {
        let one = Sample::new().bytes(Format::Svr4);
        let mut two = one.clone();
        two.extend([0; 512]);
        let details = &compared(&one, &two).1[0].details;
        assert!(details[1].contains("hold the same"), "{details:#?}");
    }

    #[test]
    fn a_file_that_one_build_made_alone_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here"), folder.path().join("there"));
        fs::create_dir(&here).unwrap();
        fs::create_dir(&there).unwrap();
        fs::write(here.join("a"), "").unwrap();
        fs::write(there.join("b"), "").unwrap();
        let differences = compare(&here, &there).unwrap().1;
        assert!(
            differences[0].details[0].contains("only the first")
                && differences[1].details[0].contains("only the second")
        );
    }
}
