//! Class actions: which script puts the files of a class in place or takes them away, and the classes built in.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where the system has scripts for classes that many packages use.
const SYSTEM: &str = "usr/sadm/install/scripts";

/// How a class is dealt with.
pub enum Action {
    /// By pkgadd itself.
    Copy,
    Script(PathBuf),
    Sed,
    Awk,
    Build,
}

/// `i` to install, `r` to remove: the package's own script, the system's, or the class that is built in.
pub fn action(word: char, class: &str, own: &Path, root: &Path) -> Action {
    let name = format!("{word}.{class}");
    let places = [own.join(&name), root.join(SYSTEM).join(&name)];
    match places.into_iter().find(|place| place.is_file()) {
        Some(script) if class != "none" => Action::Script(script),
        _ => match class {
            "sed" => Action::Sed,
            "awk" => Action::Awk,
            "build" => Action::Build,
            _ => Action::Copy,
        },
    }
}

/// Runs a file of a class that is built in, on what is there, and replaces that by what comes out.
pub fn edit(action: &Action, source: &Path, path: &Path, word: &str) -> io::Result<()> {
    let section = section(&fs::read_to_string(source)?, word);
    let (program, args): (&str, Vec<&str>) = match action {
        Action::Build => ("/sbin/sh", vec!["-s", word]),
        Action::Awk => ("/usr/bin/awk", vec![&section]),
        _ => ("/usr/bin/sed", vec!["-e", &section]),
    };
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::piped());
    let input = if matches!(action, Action::Build) { source } else { path };
    let output = command.stdin(fs::File::open(input)?).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{program} ended with {}", output.status)));
    }
    fs::write(path, output.stdout)
}

/// The lines of a sed or awk file between `!install` or `!remove` and the next such line; all where there is none.
fn section(text: &str, word: &str) -> String {
    let mark = format!("!{word}");
    if !text.lines().any(|line| line.starts_with('!')) {
        return text.into();
    }
    let lines = text.lines().skip_while(|line| line.trim() != mark).skip(1);
    lines.take_while(|line| !line.starts_with('!')).map(|line| format!("{line}\n")).collect()
}
