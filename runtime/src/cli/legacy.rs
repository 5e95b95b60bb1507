//! The historic spellings of `vbox.sh`, rewritten to the modern ones. Nothing else knows them.

use std::ffi::OsString;

/// Rewrites the arguments, the program's name first, into the modern spelling.
pub fn modern(args: Vec<OsString>) -> Vec<OsString> {
    let words = args.into_iter().enumerate().map(|(i, arg)| if i == 0 { arg } else { word(arg) }).collect();
    behind_the_command(words)
}

/// `-f FILE` and `-u NUMBER` could stand before the command that they are for: they go to the end.
fn behind_the_command(args: Vec<OsString>) -> Vec<OsString> {
    let (mut kept, mut moved) = (Vec::new(), Vec::new());
    let mut args = args.into_iter();
    kept.extend(args.next());
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("-f" | "-u") => moved.extend([arg].into_iter().chain(args.next())),
            Some("--svc" | "--vm") => kept.extend([arg].into_iter().chain(args.next())),
            Some(option) if option.starts_with('-') => kept.push(arg),
            // The command: what follows is in its place already.
            _ => {
                kept.push(arg);
                break;
            }
        }
    }
    kept.into_iter().chain(args).chain(moved).collect()
}

fn word(arg: OsString) -> OsString {
    match arg.to_str() {
        Some("-s" | "-svc") => "--svc".into(),
        Some("-vm") => "--vm".into(),
        Some("-help" | "-?" | "/?") => "--help".into(),
        Some("version") => "--version".into(),
        _ => arg,
    }
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
        assert_eq!(
            modern_words("vbox.sh -s svc:/site/xvm/vbox:web getstate"),
            "vbox.sh --svc svc:/site/xvm/vbox:web getstate"
        );
        assert_eq!(modern_words("vbox.sh -vm web status"), "vbox.sh --vm web status");
        for help in ["-help", "-?", "/?"] {
            assert_eq!(modern_words(&format!("vbox.sh {help}")), "vbox.sh --help");
        }
    }

    #[test]
    fn options_of_the_console_may_stand_before_the_command() {
        assert_eq!(modern_words("vbox.sh -u 2 -vm web sercon 10"), "vbox.sh --vm web sercon 10 -u 2");
        assert_eq!(modern_words("vbox.sh -vm -f -f /a sercon"), "vbox.sh --vm -f sercon -f /a");
        assert_eq!(modern_words("vbox.sh -vm web sercon -f /a"), "vbox.sh --vm web sercon -f /a");
        assert_eq!(modern_words("vbox.sh sercon -u"), "vbox.sh sercon -u");
    }

    #[test]
    fn modern_arguments_stay_as_they_are() {
        assert_eq!(modern_words("vboxsvc --vm web status --json"), "vboxsvc --vm web status --json");
    }
}
