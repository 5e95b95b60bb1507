//! The command line as the templates of the manual want it, from its own definition.

use clap::builder::StyledStr;
use clap::{Arg, Command};
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Entry {
    /// The command with its options and words, as one would type it.
    synopsis: String,
    aliases: Vec<String>,
    paragraphs: Vec<String>,
    options: Vec<Opt>,
}

#[derive(Debug, Serialize)]
pub struct Opt {
    /// The option or word, with what may follow it.
    form: String,
    help: String,
}

/// Every command for people.
pub fn all() -> Vec<Entry> {
    let command = vboxsvc::cli::command();
    command.get_subcommands().filter(|command| !command.is_hide_set()).map(entry).collect()
}

/// The options that every command takes.
pub fn global_options() -> Vec<Opt> {
    let command = vboxsvc::cli::command();
    command.get_arguments().filter(|argument| argument.is_global_set()).map(option).collect()
}

fn entry(command: &Command) -> Entry {
    let arguments: Vec<&Arg> = command.get_arguments().filter(|argument| !argument.is_hide_set()).collect();
    let mut synopsis = command.get_name().to_string();
    for argument in &arguments {
        let form = form(argument, "|");
        let many = if argument.is_positional() && repeats(argument) { " ..." } else { "" };
        synopsis += &if argument.is_required_set() { format!(" {form}{many}") } else { format!(" [{form}{many}]") };
    }
    Entry {
        synopsis,
        aliases: command.get_visible_aliases().map(String::from).collect(),
        paragraphs: paragraphs(command),
        options: arguments.into_iter().map(option).collect(),
    }
}

/// What the command's help says of it, before and after its options.
fn paragraphs(command: &Command) -> Vec<String> {
    let about = command.get_long_about().or(command.get_about());
    let after = command.get_after_long_help().or(command.get_after_help());
    let texts = [about, after].into_iter().flatten().map(StyledStr::to_string);
    let paragraph = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    texts.flat_map(|text| text.split("\n\n").map(paragraph).collect::<Vec<_>>()).map(ended).collect()
}

fn option(argument: &Arg) -> Opt {
    let mut help = vec![ended(argument.get_help().map(StyledStr::to_string).unwrap_or_default())];
    for possible in argument.get_possible_values().iter().filter(|_| takes_value(argument)) {
        if let Some(meaning) = possible.get_help() {
            help.push(ended(format!("`{}`: {meaning}", possible.get_name())));
        }
    }
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if takes_value(argument) && !defaults.is_empty() {
        help.push(format!("Default: {}.", defaults.join(", ")));
    }
    help.retain(|sentence| !sentence.is_empty());
    Opt { form: form(argument, ", "), help: help.join(" ") }
}

/// Help is written without its full stop.
fn ended(mut text: String) -> String {
    if text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | ']' | '"' | '~')) {
        text.push('.');
    }
    text
}

fn form(argument: &Arg, between_names: &str) -> String {
    let names = [argument.get_short().map(|c| format!("-{c}")), argument.get_long().map(|name| format!("--{name}"))];
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(between_names);
    match (names.is_empty(), takes_value(argument)) {
        (true, _) => value(argument),
        (false, true) => format!("{names} {}", value(argument)),
        (false, false) => names,
    }
}

/// The words that are right, or the name of the value.
fn value(argument: &Arg) -> String {
    let words: Vec<String> =
        argument.get_possible_values().iter().map(|possible| possible.get_name().to_string()).collect();
    match (words.is_empty(), argument.get_value_names()) {
        (false, _) => words.join("|"),
        (true, Some(names)) => names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        (true, None) => argument.get_id().as_str().to_uppercase(),
    }
}

fn takes_value(argument: &Arg) -> bool {
    argument.is_positional() || argument.get_action().takes_values()
}

fn repeats(argument: &Arg) -> bool {
    matches!(argument.get_action(), clap::ArgAction::Append)
}
