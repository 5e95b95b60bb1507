//! Counts programs: this executable, called by a stand-in's name, notes who called it how, and becomes the stand-in.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of links to this executable, below a host's root; the stand-ins are in `bin` beside it.
pub const FOLDER: &str = "counted";
/// The notes, a line a call.
pub const NOTES: &str = "calls";

/// A program that was started.
pub struct Call {
    pub parent: i32,
    /// Its name and arguments.
    pub words: String,
}

fn called() -> PathBuf {
    PathBuf::from(env::args_os().next().unwrap_or_default())
}

pub fn is_called() -> bool {
    called().parent().and_then(Path::file_name).is_some_and(|folder| folder == FOLDER)
}

pub fn main() {
    let called = called();
    let root = called.parent().and_then(Path::parent).unwrap();
    let name = called.file_name().unwrap();
    let words: Vec<String> = env::args().skip(1).collect();
    let line = format!("{} {} {}\n", std::os::unix::process::parent_id(), name.display(), words.join(" "));
    let notes = OpenOptions::new().append(true).open(root.join(NOTES));
    notes.unwrap().write_all(line.as_bytes()).unwrap();
    let error = Command::new(root.join("bin").join(name)).args(words).exec();
    panic!("{}: {error}", name.display());
}

/// What was noted so far.
pub fn read(root: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(root.join(NOTES)).unwrap();
    let call = |line: &str| {
        let (parent, words) = line.split_once(' ')?;
        Some(Call { parent: parent.parse().ok()?, words: words.to_owned() })
    };
    text.lines().filter_map(call).collect()
}

/// Runs this benchmark once more, with the stand-ins that cargo built for it; false if this is that run.
pub fn go_on_with_programs() -> bool {
    let variable = "SIMHOST_EXE";
    if env::var_os(variable).is_some() {
        return false;
    }
    let again = Command::new(env::current_exe().unwrap())
        .args(env::args_os().skip(1))
        .env(variable, env!("CARGO_BIN_EXE_simhost"))
        .status()
        .unwrap();
    assert!(again.success());
    true
}
