//! The historic spellings of `vbox.sh`, rewritten to the modern ones. Nothing else knows them.

use std::ffi::OsString;

/// Rewrites the arguments, the program's name first, into the modern spelling.
pub fn modern(args: Vec<OsString>) -> Vec<OsString> {
    args.into_iter().enumerate().map(|(i, arg)| if i == 0 { arg } else { word(arg) }).collect()
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
    fn modern_arguments_stay_as_they_are() {
        assert_eq!(modern_words("vboxsvc --vm web status --json"), "vboxsvc --vm web status --json");
    }
}
