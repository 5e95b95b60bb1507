//! The command lines of VBoxHeadless and VirtualBoxVM.

use std::ffi::OsString;

use crate::vbox::texts;

/// What a VBoxHeadless command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    Start(String),
    Help,
    Version,
    /// No machine.
    Nothing,
    /// An option that does not exist.
    Unknown(String),
}

/// The usage text, without the banner before it.
pub fn usage() -> &'static str {
    texts::HEADLESS_USAGE.strip_prefix(texts::HEADLESS_BANNER).unwrap_or(texts::HEADLESS_USAGE)
}

pub fn headless(args: &[OsString]) -> Wish {
    let mut vm = None;
    let mut words = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option.to_owned(), Some(value.to_owned())),
            _ => (word, None),
        };
        match option.as_str() {
            "-s" | "-startvm" | "--startvm" => vm = value.or_else(|| words.next()),
            "-v" | "-vrde" | "--vrde" | "-e" | "-vrdeproperty" | "--vrdeproperty" | "--comment" | "-comment"
            | "--settingspw" | "--settingspwfile" | "--password" | "--password-id" | "-w" | "--videowidth" | "-h"
            | "--videoheight" | "-r" | "--videobitrate" | "-f" | "--filename" => {
                let _ = value.or_else(|| words.next());
            }
            "-start-paused" | "--start-paused" | "-c" | "-record" | "--record" => {}
            "--help" | "-help" | "-?" => return Wish::Help,
            "--version" | "-V" => return Wish::Version,
            _ => return Wish::Unknown(option),
        }
    }
    vm.map_or(Wish::Nothing, Wish::Start)
}

/// The machine that a VirtualBoxVM command line starts.
pub fn gui(args: &[OsString]) -> Option<String> {
    let mut words = args.iter().map(|arg| arg.to_string_lossy().into_owned());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--startvm" | "-startvm" | "-s" => return words.next(),
            // Its value might look like an option.
            "--comment" | "-comment" => drop(words.next()),
            _ => {
                if let Some(vm) = word.strip_prefix("--startvm=") {
                    return Some(vm.to_owned());
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn headless_finds_the_machine_among_its_options() {
        for line in [
            "--startvm web",
            "-s web",
            "-startvm web",
            "--startvm=web",
            "--comment --startvm --startvm web --vrde config",
            "--comment x --startvm web --vrde off",
        ] {
            assert_eq!(headless(&words(line)), Wish::Start("web".into()), "{line}");
        }
        assert_eq!(headless(&[]), Wish::Nothing);
        assert_eq!(headless(&words("--startvm tiny --bogus")), Wish::Unknown("--bogus".into()));
    }

    #[test]
    fn the_gui_lets_other_options_pass() {
        assert_eq!(gui(&words("--comment --startvm --fullscreen --startvm web --scale")), Some("web".into()));
        assert_eq!(gui(&words("--fullscreen")), None);
    }

    #[test]
    fn the_usage_is_the_recorded_one_after_the_banner() {
        assert!(usage().starts_with("Usage:\n   -s, -startvm, --startvm <name|uuid>"));
    }
}
