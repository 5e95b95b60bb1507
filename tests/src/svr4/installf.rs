//! installf and removef: objects that a package's scripts add to the database, or take from it.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

use super::contents::Contents;
use super::map::{Attributes, Object};
use super::{FATAL, error, files, package_folder};
use crate::smf::getopt;
use crate::smf::tool::Tool;

const INSTALLF: &str = "usage: installf [-R root] [-c class] pkginst path [type [major minor] [mode owner group]]\n       \
                        installf [-R root] [-c class] pkginst -\n       installf -f [-R root] pkginst";
const REMOVEF: &str = "usage: removef [-R root] pkginst path ...\n       removef [-R root] pkginst -\n       removef -f [-R root] pkginst";

pub fn installf(tool: &Tool, args: &[String]) -> u8 {
    let parsed = getopt::parse("fc:R:M", args).filter(|parsed| !parsed.operands.is_empty());
    let Some(parsed) = parsed else { return usage(INSTALLF) };
    let root = parsed.value('R').map_or(tool.root.to_owned(), PathBuf::from);
    let package = &parsed.operands[0];
    let Some(mut contents) = database(&root, package) else { return FATAL.0 };
    let class = parsed.value('c').unwrap_or("none");
    let lines: Vec<String> = match &parsed.operands[1..] {
        // What was added is there already, as it is on disk.
        [] if parsed.has('f') => return 0,
        [] => return usage(INSTALLF),
        [dash] if dash == "-" => io::stdin().lock().lines().map_while(Result::ok).collect::<Vec<String>>(),
        words => vec![words.join(" ")],
    };
    for line in lines {
        if let Err(why) = add(&root, &mut contents, package, class, &line) {
            error(format!("installf: {line}: {why}"));
            return FATAL.0;
        }
    }
    written(&contents)
}

fn add(root: &Path, contents: &mut Contents, package: &str, class: &str, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (named, rest) = words.split_first().ok_or("no path")?;
    let (path, target) =
        named.split_once('=').map_or((*named, None), |(path, target)| (path, Some(target.to_string())));
    if !path.starts_with('/') {
        return Err("the path is not absolute".into());
    }
    let letter = rest.first().map_or("f", |word| *word).chars().next().unwrap_or('f');
    let device =
        matches!(letter, 'c' | 'b').then(|| Some((rest.get(1)?.parse().ok()?, rest.get(2)?.parse().ok()?))).flatten();
    let at = if device.is_some() { 3 } else { 1 };
    let attributes = (!matches!(letter, 's' | 'l')).then(|| {
        let word = |number: usize| rest.get(at + number).filter(|word| **word != "?").map(|word| word.to_string());
        Attributes { mode: word(0).and_then(|mode| u32::from_str_radix(&mode, 8).ok()), owner: word(1), group: word(2) }
    });
    let mut object =
        Object { letter, class: class.into(), path: path.into(), target, device, attributes, facts: None, volume: 1 };
    let on_disk = root.join(path.trim_start_matches('/'));
    let said = |failed: io::Error| failed.to_string();
    if object.is_file() {
        object.facts = Some(files::facts_of(&on_disk).map_err(said)?);
    } else {
        let linked = root.join(object.target.as_deref().unwrap_or_default().trim_start_matches('/'));
        files::make(&object, &on_disk, &linked).map_err(said)?;
    }
    files::set_attributes(&object, &on_disk).map_err(said)?;
    contents.add(object, package);
    Ok(())
}

pub fn removef(tool: &mut Tool, args: &[String]) -> u8 {
    let parsed = getopt::parse("fR:M", args).filter(|parsed| !parsed.operands.is_empty());
    let Some(parsed) = parsed else { return usage(REMOVEF) };
    let root = parsed.value('R').map_or(tool.root.to_owned(), PathBuf::from);
    let package = &parsed.operands[0];
    let Some(mut contents) = database(&root, package) else { return FATAL.0 };
    let paths: Vec<String> = match &parsed.operands[1..] {
        [] if parsed.has('f') => {
            contents.remove_marked(package);
            return written(&contents);
        }
        [] => return usage(REMOVEF),
        [dash] if dash == "-" => io::stdin().lock().lines().map_while(Result::ok).collect::<Vec<String>>(),
        paths => paths.to_vec(),
    };
    for path in paths {
        // What other packages have as well is not to be removed, and not told.
        if contents.mark(&path, package) == Some(true) {
            tool.print(&path);
        }
    }
    written(&contents)
}

fn database(root: &Path, package: &str) -> Option<Contents> {
    if !package_folder(root, package).join("pkginfo").is_file() {
        error(format!("package instance <{package}> is invalid"));
        return None;
    }
    Contents::read(root).map_err(|failed| error(format!("unable to read the package database: {failed}"))).ok()
}

fn written(contents: &Contents) -> u8 {
    match contents.write() {
        Ok(()) => 0,
        Err(failed) => {
            error(format!("unable to write the package database: {failed}"));
            99
        }
    }
}

fn usage(text: &str) -> u8 {
    eprintln!("{text}");
    FATAL.0
}
