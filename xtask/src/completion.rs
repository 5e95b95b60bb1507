//! Completions of the command line for shells, from the command line's own definition.

use anyhow::{Result, bail};
use clap_complete::{Shell, generate};

/// The completions for a shell, `bash` or `zsh`. Commands that are not for people are not offered.
pub fn of(shell: &str) -> Result<Vec<u8>> {
    let shell = match shell {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        other => bail!("no completions are made for the shell {other:?}, only for bash and zsh"),
    };
    let mut text = Vec::new();
    generate(shell, &mut for_people(vboxsvc::cli::command()), "vboxsvc", &mut text);
    Ok(text)
}

/// The command line without what is hidden: some of the generators offer that too.
fn for_people(command: clap::Command) -> clap::Command {
    let mut shown = clap::Command::new("vboxsvc")
        .about(command.get_about().cloned().unwrap_or_default())
        .args(command.get_arguments().filter(|argument| !argument.is_hide_set()).cloned())
        .version(env!("CARGO_PKG_VERSION"));
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        shown = shown.subcommand(subcommand.clone());
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(shell: &str) -> String {
        String::from_utf8(of(shell).unwrap()).unwrap()
    }

    #[test]
    fn every_command_and_option_for_people_is_completed() {
        for shell in ["bash", "zsh"] {
            let text = text(shell);
            for command in vboxsvc::cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
                assert!(text.contains(command.get_name()), "{shell}: {}", command.get_name());
                for alias in command.get_visible_aliases() {
                    assert!(text.contains(alias), "{shell}: {alias}");
                }
                let options = command.get_arguments().filter(|argument| !argument.is_hide_set());
                for long in options.filter_map(clap::Arg::get_long) {
                    assert!(text.contains(&format!("--{long}")), "{shell}: {} --{long}", command.get_name());
                }
            }
            for option in ["--svc", "--vm", "--dry-run"] {
                assert!(text.contains(option), "{shell}: {option}");
            }
        }
    }

    #[test]
    fn commands_that_are_not_for_people_are_not_offered() {
        for shell in ["bash", "zsh"] {
            assert!(!text(shell).contains("vboxsvc__monitor") && !text(shell).contains("(monitor)"), "{shell}");
        }
    }

    #[test]
    fn another_shell_is_refused() {
        assert!(of("csh").unwrap_err().to_string().contains("csh"));
    }
}
