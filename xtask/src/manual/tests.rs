use std::path::Path;

use super::*;

const DAY: u64 = 1_763_820_000;

fn page(name: &str) -> String {
    render(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), name, "1.2.3", DAY).unwrap()
}

/// The page as a reader sees it, as far as that can be had without troff.
fn plain(name: &str) -> String {
    let fonts = ["\\fB", "\\fI", "\\fR"].iter().fold(page(name), |text, font| text.replace(font, ""));
    fonts.replace("\\-", "-").replace("\\&", "").replace("\\(ti", "~").replace("\\(ha", "^").replace("\\e", "\\")
}

#[test]
fn no_placeholder_is_left_and_every_request_is_one_of_man() {
    let known = ["TH", "SH", "SS", "TP", "LP", "RS", "RE", "nf", "fi", "BR", "I"];
    for name in PAGES {
        let text = page(name);
        assert!(!text.contains("{{") && !text.contains("{%"), "{name}");
        for (number, line) in text.lines().enumerate() {
            let place = format!("{name}:{}: {line}", number + 1);
            if let Some(request) = line.strip_prefix('.') {
                let word = request.split(' ').next().unwrap_or_default();
                assert!(known.contains(&word), "{place}");
            }
            assert!(!line.starts_with('\'') && !line.is_empty(), "{place}");
            assert!(line.is_ascii() && !line.contains('\t') && line.trim_end() == line, "{place}");
        }
        assert!(text.ends_with('\n'));
    }
}

#[test]
fn pages_say_their_name_section_version_and_day() {
    for (name, section) in [("vboxsvc.5", "5"), ("vboxsvc.7", "7"), ("vboxsvc.8", "8")] {
        let head = format!(".TH VBOXSVC {section} \"November 22, 2025\" \"vboxsvc 1.2.3\"");
        assert!(page(name).starts_with(&head), "{name}");
    }
}

#[test]
fn every_setting_is_told_with_its_meaning_and_words() {
    let text = plain("vboxsvc.5");
    for row in table::rows() {
        assert!(text.contains(&format!("\n{}\n{}.\n", row.property(), row.title)), "{}", row.name);
        assert!(text.contains(&row.prose.replace('`', "")), "{}", row.name);
        for spelling in row.domain.words().iter().flat_map(table::Word::spellings) {
            assert!(text.contains(spelling), "{}: {spelling}", row.name);
        }
    }
    for subject in &table::SUBJECTS {
        assert!(text.contains(&format!(".SH \"{}\"", subject.title.to_uppercase())), "{}", subject.title);
    }
}

#[test]
fn every_command_is_told_with_its_options_and_aliases() {
    let text = plain("vboxsvc.8");
    for command in vboxsvc::cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        assert!(text.contains(&format!(".SS \"{name}")), "{name}");
        for alias in command.get_visible_aliases() {
            assert!(text.contains(alias), "{name}: {alias}");
        }
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            let meanings = argument.get_possible_values();
            let meanings = meanings.iter().filter_map(|value| value.get_help()).map(ToString::to_string);
            let told: Vec<String> = argument.get_help().map(ToString::to_string).into_iter().chain(meanings).collect();
            assert!(!told.is_empty(), "{name}: {argument} has no help");
            assert!(told.iter().all(|help| text.contains(help)), "{name}: {argument}: {told:?}");
        }
    }
    assert!(!text.contains(".SS \"monitor"), "it is not for people");
    assert!(text.contains("--svc FMRI"), "an option of every command");
}

#[test]
fn a_repeated_word_and_a_default_are_shown_in_the_synopsis() {
    let text = plain("vboxsvc.8");
    assert!(text.contains(".SS \"zvol-rights save|restore|list [DATASET ...] [--skip VOLUME]"), "{text}");
    assert!(text.contains("Default: 5."));
}

#[test]
fn every_exit_code_of_the_program_is_told() {
    use vboxsvc::exit::Exit;
    let text = plain("vboxsvc.8");
    let codes = [
        Exit::Ok,
        Exit::NoneThere,
        Exit::Usage,
        Exit::Fatal,
        Exit::Config,
        Exit::NoSmf,
        Exit::Permission,
        Exit::TimedOut,
        Exit::Other,
    ];
    for code in codes {
        assert!(text.contains(&format!(".TP\n{}\n", code as u8)), "{code:?}");
    }
}

#[test]
fn a_page_that_there_is_not_is_named() {
    let error = render(Path::new("/nowhere"), "vboxsvc.8", "1.2.3", DAY).unwrap_err().to_string();
    assert!(error.contains("/nowhere/pkg/man/vboxsvc.8.tera"), "{error}");
}
