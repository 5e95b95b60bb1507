//! The table of settings as the templates want it: plain words, nothing left to decide.

use serde::Serialize;
use vboxsvc::settings::table::{self, BuiltIn, Domain, Level, Row};

#[derive(Debug, Serialize)]
pub struct Subject {
    title: &'static str,
    settings: Vec<Setting>,
}

#[derive(Debug, Serialize)]
struct Setting {
    name: &'static str,
    r#type: &'static str,
    /// Paragraphs for the comment above it.
    comment: Vec<String>,
    in_manifest: bool,
    value: &'static str,
    title: &'static str,
    /// For `svccfg describe`: one line, as it becomes the value of a property.
    description: String,
    units: Option<&'static str>,
    /// May have several values.
    list: bool,
    range: Option<Range>,
    words: Vec<Word>,
    /// No other words are right, in exactly these spellings.
    closed: bool,
}

#[derive(Debug, Serialize)]
struct Range {
    min: i64,
    max: i64,
}

#[derive(Debug, Serialize)]
struct Word {
    name: &'static str,
    meaning: String,
}

pub fn subjects() -> Vec<Subject> {
    let subject = |subject: &table::Subject| Subject {
        title: subject.title,
        settings: subject.rows.iter().map(setting).collect(),
    };
    table::SUBJECTS.iter().map(subject).collect()
}

fn setting(row: &Row) -> Setting {
    let level = level(row);
    Setting {
        name: row.name,
        r#type: row.smf_type().word(),
        comment: comment(row, level),
        in_manifest: row.manifest.is_some(),
        value: row.manifest.unwrap_or_default(),
        title: row.title,
        description: std::iter::once(row.prose).chain(level).collect::<Vec<_>>().join(" "),
        units: row.units,
        list: row.domain.is_list(),
        range: range(row),
        words: words(row),
        // A spelling in other case is right where any case is, and a list cannot say that.
        closed: matches!(row.domain, Domain::Words { any_case: false, .. }),
    }
}

/// What is special about where a setting is looked up.
pub(crate) fn level(row: &Row) -> Option<&'static str> {
    match row.level {
        Level::Normal => None,
        Level::Own => Some("An interactive or dual-boot VM has it from its own instance only."),
        Level::Instance => Some("It counts on an instance only."),
    }
}

fn comment(row: &Row, level: Option<&str>) -> Vec<String> {
    let mut paragraphs = Vec::new();
    if row.manifest.is_none() {
        paragraphs.push(format!("{} ({}), not set here.", row.name, row.smf_type().word()));
    }
    paragraphs.push(format!("{}.", row.title));
    paragraphs.push(row.prose.to_string());
    for word in row.domain.words() {
        let spellings: Vec<&str> = word.spellings().collect();
        paragraphs.push(format!("{}: {}.", spellings.join(", "), word.meaning));
    }
    if let Some(range) = range(row) {
        let units = row.units.map(|units| format!(" {units}")).unwrap_or_default();
        paragraphs.push(format!("{} to {}{units}.", range.min, range.max));
    }
    paragraphs.extend(level.map(String::from));
    paragraphs.extend(without(row));
    paragraphs
}

/// The defaults that are not what the manifest sets.
pub(crate) fn without(row: &Row) -> Option<String> {
    match (row.built_in, row.manifest) {
        // An empty value means the built-in.
        (_, None | Some("")) => None,
        (BuiltIn::Always(value), Some(manifest)) if manifest != value => {
            Some(format!("Without this property: {value}."))
        }
        (BuiltIn::SameAs(other), _) => Some(format!("Without this property: as {other}.")),
        (BuiltIn::ByKind { interactive, dual_boot, .. }, _) if interactive == dual_boot => {
            Some(format!("Such a VM has {interactive} by itself."))
        }
        (BuiltIn::ByKind { interactive, dual_boot, .. }, _) => {
            Some(format!("By itself an interactive VM has {interactive}, a dual-boot VM {dual_boot}."))
        }
        _ => None,
    }
}

fn range(row: &Row) -> Option<Range> {
    match row.domain {
        Domain::Integer { min, max } => Some(Range { min, max }),
        _ => None,
    }
}

/// Every spelling, so that `svccfg describe` explains each and `svccfg validate` takes each.
fn words(row: &Row) -> Vec<Word> {
    let spelled = |word: &'static table::Word| {
        word.spellings().map(move |name| {
            let meaning =
                if name == word.canonical { word.meaning.to_string() } else { format!("as {}", word.canonical) };
            Word { name, meaning }
        })
    };
    row.domain.words().iter().flat_map(spelled).collect()
}
