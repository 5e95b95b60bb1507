//! The scripts keep to what the oldest /sbin/sh they may meet can read, which no shell here is.

use crate::sandbox::text_of;

const SCRIPTS: [&str; 5] = ["checkinstall", "preinstall", "postinstall", "preremove", "postremove"];

/// The lines of a script that are code.
fn code(script: &str) -> Vec<(usize, String)> {
    let text = text_of(script);
    let numbered = (1..).zip(text.lines()).filter(|(_, line)| !line.trim_start().starts_with('#'));
    numbered.map(|(number, line)| (number, line.to_string())).collect()
}

#[test]
fn nothing_is_used_that_the_bourne_shell_has_not() {
    let foreign = [
        "$(",
        "[[",
        "((",
        " -e ",
        "! ",
        "if !",
        "local ",
        "function ",
        "declare ",
        "==",
        "${",
        "&>",
        "<<<",
        "~",
        "grep -q",
    ];
    for script in SCRIPTS {
        for (number, line) in code(script) {
            let found = foreign.iter().find(|mark| line.contains(**mark));
            // In test(1) it is as old as the shell.
            assert!(found.is_none() || line.contains("-a ! -d"), "{script}:{number}: {found:?} in {line}");
            assert!(!line.trim_start().starts_with("export "), "{script}:{number}: {line}");
        }
    }
}

/// In the Bourne shell it is a pipe.
#[test]
fn a_circumflex_stands_in_quotes_only() {
    for script in SCRIPTS {
        for (number, line) in code(script) {
            if let Some((before, _)) = line.split_once('^') {
                assert_eq!(before.matches('"').count() % 2, 1, "{script}:{number}: {line}");
            }
        }
    }
}

/// `set -e` and `exit` in a subshell would not end the script everywhere alike.
#[test]
fn every_script_says_its_exit_code_at_its_end() {
    for script in SCRIPTS {
        let last = code(script).pop().unwrap().1;
        assert!(last == "exit 0" || last == "exit $status", "{script}: {last}");
        assert!(!code(script).iter().any(|(_, line)| line.contains("set -e")), "{script}");
    }
}

/// What stands at a root that is not the running system's must be reached through it.
#[test]
fn paths_begin_at_the_root_that_is_installed_to() {
    for script in SCRIPTS {
        for (number, line) in code(script).iter().filter(|(_, line)| !line.trim_start().starts_with("echo ")) {
            for folder in ["/var/", "/lib/", "/usr/share", "/etc/"] {
                for (at, _) in line.match_indices(folder) {
                    let before = line.get(..at).unwrap_or_default();
                    let is_rooted = before.ends_with("$root");
                    // SMF's own door, and a script that never runs for another root.
                    let is_running = folder == "/etc/" || (script == "preremove" && before == "state=");
                    let is_inside = before.ends_with(|c: char| c.is_ascii_alphanumeric());
                    assert!(
                        is_rooted || is_running || is_inside || script == "checkinstall",
                        "{script}:{number}: {line}"
                    );
                }
            }
        }
    }
}
