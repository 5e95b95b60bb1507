//! The historic spellings of `vbox.sh`, rewritten to the modern ones. Nothing else knows them.
//!
//! There, every option had one dash, and options of a command could stand before it.

use std::ffi::{OsStr, OsString};

/// Rewrites the arguments, the program's name first, into the modern spelling.
pub fn modern(args: Vec<OsString>) -> Vec<OsString> {
    let mut args = args.into_iter();
    let mut before: Vec<OsString> = args.next().into_iter().collect();
    let mut moved = Vec::new();
    let mut rest = Vec::new();
    while let Some(arg) = args.next() {
        let first = rest.is_empty();
        let place = if first { &mut moved } else { &mut rest };
        if let Some(count) = taken_as_it_is(&arg) {
            place.push(arg);
            place.extend(args.by_ref().take(count));
            continue;
        }
        match arg.to_str().and_then(option) {
            Some(Historic::Global(word)) => before.push(word.into()),
            Some(Historic::GlobalValue(word)) => {
                before.push(word.into());
                before.extend(args.next());
            }
            Some(Historic::OfCommand(word)) => place.push(word.into()),
            Some(Historic::OfCommandValue(word)) => {
                place.push(word.into());
                place.extend(args.next());
            }
            None if first && arg == "version" => before.push("--version".into()),
            None if joined(&arg).is_some() => place.extend(joined(&arg)),
            // A modern option, or the value of one.
            None if first && arg.to_string_lossy().starts_with('-') => {
                let takes_value = matches!(arg.to_str(), Some("--svc" | "--vm"));
                before.push(arg);
                if takes_value {
                    before.extend(args.next());
                }
            }
            None => rest.push(arg),
        }
    }
    if rest.is_empty() {
        before.extend(moved);
        return before;
    }
    // The options that stood before the command belong behind it.
    let mut rest = rest.into_iter();
    before.extend(rest.next());
    before.extend(moved);
    before.extend(rest);
    before
}

/// A historic option, by where it belongs and whether a value follows.
enum Historic {
    Global(&'static str),
    GlobalValue(&'static str),
    OfCommand(&'static str),
    OfCommandValue(&'static str),
}

fn option(word: &str) -> Option<Historic> {
    Some(match word {
        "-s" | "-svc" => Historic::GlobalValue("--svc"),
        "-vm" => Historic::GlobalValue("--vm"),
        "-help" | "-h" | "-?" | "/?" => Historic::Global("--help"),
        "-k" => Historic::OfCommand("--kill"),
        "-fg" => Historic::OfCommand("--fg"),
        "-bg" => Historic::OfCommand("--bg"),
        "-t" => Historic::OfCommandValue("--timeout"),
        "-stop_method" => Historic::OfCommandValue("--stop-method"),
        "-f" => Historic::OfCommandValue("--file"),
        "-u" => Historic::OfCommandValue("--uart"),
        _ => return None,
    })
}

/// How many words behind this one are none of this program's options: VirtualBox's own, or a whole command line.
fn taken_as_it_is(word: &OsStr) -> Option<usize> {
    match word.to_str() {
        Some("--vbox-option") => Some(1),
        Some("--") => Some(usize::MAX),
        _ => None,
    }
}

/// `-stop_method=X`.
fn joined(arg: &OsStr) -> Option<OsString> {
    let value = arg.to_str()?.strip_prefix("-stop_method=")?;
    Some(format!("--stop-method={value}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modern_words(line: &str) -> String {
        let args = line.split(' ').map(OsString::from).collect();
        modern(args).iter().map(|a| a.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn historic_options_become_modern_ones() {
        for (historic, wanted) in [
            ("vbox.sh -s svc:/site/xvm/vbox:web getstate", "vbox.sh --svc svc:/site/xvm/vbox:web getstate"),
            ("vbox.sh getstate -svc vbox:web", "vbox.sh --svc vbox:web getstate"),
            ("vbox.sh -vm web status", "vbox.sh --vm web status"),
            ("vbox.sh -vm web reboot ifruns", "vbox.sh --vm web reboot ifruns"),
            ("vbox.sh -vm web -k -t 60 poweroff", "vbox.sh --vm web poweroff --kill --timeout 60"),
            ("vbox.sh -vm web reboot -t 60 -k ifruns", "vbox.sh --vm web reboot --timeout 60 --kill ifruns"),
            (
                "vbox.sh -stop_method=poweroff -fg startgui -vm web",
                "vbox.sh --vm web startgui --stop-method=poweroff --fg",
            ),
            ("vbox.sh startgui -stop_method poweroff -bg", "vbox.sh startgui --stop-method poweroff --bg"),
            ("vbox.sh -vm web sercon -f /tmp/s 5", "vbox.sh --vm web sercon --file /tmp/s 5"),
            ("vbox.sh -vm web -u 2 sercon", "vbox.sh --vm web sercon --uart 2"),
        ] {
            assert_eq!(modern_words(historic), wanted, "{historic}");
        }
    }

    #[test]
    fn every_cry_for_help_is_heard() {
        for help in ["-help", "-h", "-?", "/?"] {
            assert_eq!(modern_words(&format!("vbox.sh {help}")), "vbox.sh --help");
        }
    }

    #[test]
    fn the_version_may_be_asked_for_by_a_command() {
        assert_eq!(modern_words("vbox.sh version"), "vbox.sh --version");
        assert_eq!(modern_words("vboxsvc --vm version status"), "vboxsvc --vm version status");
    }

    #[test]
    fn an_option_with_its_value_joined_swallows_no_other_argument() {
        assert_eq!(modern_words("vbox.sh -stop_method=reset startgui x"), "vbox.sh startgui --stop-method=reset x");
    }

    #[test]
    fn words_for_other_programs_are_not_read_as_ours() {
        assert_eq!(
            modern_words("vbox.sh startgui --vbox-option -fg -bg --vbox-option=-k"),
            "vbox.sh startgui --vbox-option -fg --bg --vbox-option=-k"
        );
        assert_eq!(modern_words("vboxsvc own-session -- prog -k -t"), "vboxsvc own-session -- prog -k -t");
    }

    #[test]
    fn modern_arguments_stay_as_they_are() {
        for line in
            ["vboxsvc --vm web status --json", "vboxsvc status --json", "vboxsvc --dry-run --svc web start", "vboxsvc"]
        {
            assert_eq!(modern_words(line), line);
        }
    }

    #[test]
    fn the_value_of_an_option_is_never_taken_for_a_command_or_an_option() {
        assert_eq!(modern_words("vbox.sh -vm stop status"), "vbox.sh --vm stop status");
        assert_eq!(modern_words("vboxsvc --vm -k status"), "vboxsvc --vm -k status");
    }
}
