//! `/var/sadm/install/contents`: every object that a package owns, with its owners.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::map::{Attributes, Facts, Object};

/// Before an owner's name: the object is being taken from it, by removef.
const LEAVING: char = '-';

/// An object and its owners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub object: Object,
    pub owners: Vec<String>,
}

/// The database of one root, by absolute paths.
#[derive(Debug, Default)]
pub struct Contents {
    file: PathBuf,
    rows: BTreeMap<String, Row>,
}

impl Contents {
    pub fn read(root: &Path) -> io::Result<Self> {
        let file = root.join("var/sadm/install/contents");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let rows = text.lines().filter(|line| !line.starts_with('#')).filter_map(parse);
        Ok(Contents { file, rows: rows.map(|row| (row.object.path.clone(), row)).collect() })
    }

    /// Replaces the file as a whole.
    pub fn write(&self) -> io::Result<()> {
        let mut text: String = self.rows.values().map(render).collect();
        text.push_str("# Last modified by a simulated pkgadd\n");
        let new = self.file.with_extension("new");
        self.file.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&new, text)?;
        fs::rename(new, &self.file)
    }

    pub fn get(&self, path: &str) -> Option<&Row> {
        self.rows.get(path)
    }

    /// The rows of a package, in the order of their paths.
    pub fn of(&self, package: &str) -> Vec<&Row> {
        self.rows.values().filter(|row| row.owners.iter().any(|owner| owner == package)).collect()
    }

    /// An object of the package: it is now what the package says it is.
    pub fn add(&mut self, object: Object, package: &str) {
        let mut owners = self.rows.remove(&object.path).map(|row| row.owners).unwrap_or_default();
        owners.retain(|owner| owner.trim_start_matches(LEAVING) != package);
        owners.push(package.into());
        self.rows.insert(object.path.clone(), Row { object, owners });
    }

    /// Takes a path from a package. True when nobody else has it.
    pub fn remove(&mut self, path: &str, package: &str) -> bool {
        let Some(row) = self.rows.get_mut(path) else { return false };
        row.owners.retain(|owner| owner.trim_start_matches(LEAVING) != package);
        let alone = row.owners.is_empty();
        if alone {
            self.rows.remove(path);
        }
        alone
    }

    /// Marks a path of a package for removal. Nothing when the package has no such path, else whether it is the only owner.
    pub fn mark(&mut self, path: &str, package: &str) -> Option<bool> {
        let row = self.rows.get_mut(path)?;
        let own = row.owners.iter_mut().find(|owner| owner.trim_start_matches(LEAVING) == package)?;
        *own = format!("{LEAVING}{package}");
        Some(row.owners.len() == 1)
    }

    /// Takes away what was marked.
    pub fn remove_marked(&mut self, package: &str) {
        let mark = format!("{LEAVING}{package}");
        for row in self.rows.values_mut() {
            row.owners.retain(|owner| *owner != mark);
        }
        self.rows.retain(|_, row| !row.owners.is_empty());
    }
}

fn render(row: &Row) -> String {
    let Object { letter, class, path, target, device, attributes, facts, .. } = &row.object;
    let named = target.as_ref().map_or(path.clone(), |target| format!("{path}={target}"));
    let mut line = format!("{named} {letter} {class}");
    if let Some((major, minor)) = device {
        line.push_str(&format!(" {major} {minor}"));
    }
    if let Some(Attributes { mode, owner, group }) = attributes {
        let mode = mode.map_or("?".into(), |mode| format!("{mode:04o}"));
        let name = |name: &Option<String>| name.clone().unwrap_or("?".into());
        line.push_str(&format!(" {mode} {} {}", name(owner), name(group)));
    }
    if let Some(Facts { size, cksum, mtime }) = facts {
        line.push_str(&format!(" {size} {cksum} {mtime}"));
    }
    format!("{line} {}\n", row.owners.join(" "))
}

fn parse(line: &str) -> Option<Row> {
    let words: Vec<&str> = line.split(' ').collect();
    let [named, letter, class, ..] = words[..] else { return None };
    // As many words as the letter has, then the owners.
    let own = match letter {
        "s" | "l" => 3,
        "d" | "x" | "p" => 6,
        "c" | "b" => 8,
        _ => 9,
    };
    let text = format!("{letter} {class} {named} {}", words.get(3..own)?.join(" "));
    let object = super::map::parse(text.trim_end())?.pop()?;
    Some(Row { object, owners: words.get(own..)?.iter().map(|owner| owner.to_string()).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_back_as_they_were_written() {
        let root = tempfile::tempdir().unwrap();
        let mut contents = Contents::read(root.path()).unwrap();
        let map =
            "1 f none /a 0755 root sys 6 641 7\n1 s none /b=a\n1 d none /opt ? ? ?\n1 c none /x 1 3 0600 root sys";
        for object in super::super::map::parse(map).unwrap() {
            contents.add(object.clone(), "ONE");
            contents.add(object, "TWO");
        }
        contents.write().unwrap();
        let mut read = Contents::read(root.path()).unwrap();
        assert_eq!(read.rows, contents.rows);
        assert_eq!(read.of("TWO").len(), 4);
        assert!(!read.remove("/a", "ONE") && read.remove("/a", "TWO"));
        assert_eq!(read.mark("/b", "ONE"), Some(false));
        assert_eq!((read.mark("/a", "ONE"), read.mark("/b", "NONE")), (None, None));
        read.remove_marked("ONE");
        assert_eq!(read.get("/b").unwrap().owners, ["TWO"]);
    }
}
