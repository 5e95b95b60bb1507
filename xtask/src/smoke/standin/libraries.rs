//! The shared libraries that an executable needs, found by reading it: its interpreter, and the libraries it names, and
//! theirs.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64, PT_INTERP};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};

use super::{StandinError, io_at};

/// Where a Debian for x86-64 has its libraries.
const FOLDERS: [&str; 4] = ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/lib"];
/// More libraries than any of our programs needs.
const MOST: usize = 200;

/// What one file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    interpreter: Option<String>,
    libraries: Vec<String>,
}

/// Every library that the programs need, by the path that the dynamic linker will look at.
pub fn of(programs: &[PathBuf]) -> Result<BTreeSet<PathBuf>, StandinError> {
    let mut found = BTreeSet::new();
    let mut queue: VecDeque<PathBuf> = programs.iter().cloned().collect();
    while let Some(file) = queue.pop_front() {
        let bytes = fs::read(&file).map_err(io_at(&file))?;
        let needs = needs(&bytes)
            .map_err(|error| StandinError::Executable { path: file.clone(), reason: error.to_string() })?;
        let libraries = needs.libraries.iter().map(|name| find(name, &file)).collect::<Result<Vec<_>, _>>()?;
        for path in needs.interpreter.map(PathBuf::from).into_iter().chain(libraries) {
            if found.len() < MOST && found.insert(path.clone()) {
                queue.push_back(path);
            }
        }
    }
    Ok(found)
}

fn find(name: &str, program: &Path) -> Result<PathBuf, StandinError> {
    let places = FOLDERS.iter().map(|folder| Path::new(folder).join(name));
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| StandinError::Library {
        program: program.to_path_buf(),
        library: name.to_string(),
        searched: FOLDERS.join(", "),
    })
}

fn needs(bytes: &[u8]) -> object::Result<Needs> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let mut needs = Needs::default();
    for segment in header.program_headers(endian, bytes)? {
        if segment.p_type(endian) == PT_INTERP
            && let Ok(path) = segment.data(endian, bytes)
        {
            let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
            needs.interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
    }
    let sections = header.sections(endian, bytes)?;
    for section in sections.iter() {
        let Some((entries, strings)) = section.dynamic(endian, bytes)? else { continue };
        let strings = sections.strings(endian, bytes, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag32(endian) == Some(DT_NEEDED)) {
            let name = entry.string(endian, strings)?;
            needs.libraries.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(needs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_needs_a_linker_and_libc() {
        let found = of(&[std::env::current_exe().unwrap()]).unwrap();
        let ends_with = |name: &str| found.iter().any(|path| path.to_string_lossy().contains(name));
        assert!(ends_with("/ld-linux") && ends_with("/libc.so"), "{found:?}");
    }

    #[test]
    fn what_is_no_executable_is_told_with_its_path() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = of(&[file.path().to_path_buf()]).unwrap_err().to_string();
        assert!(error.starts_with(&file.path().display().to_string()), "{error}");
    }

    #[test]
    fn a_library_that_is_nowhere_is_told_with_who_needs_it() {
        let error = find("libnowhere.so.1", Path::new("/bin/x")).unwrap_err().to_string();
        assert!(error.starts_with("/bin/x needs libnowhere.so.1"), "{error}");
    }
}
