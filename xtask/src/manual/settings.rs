//! The table of settings as the templates of the manual want it.

use serde::Serialize;
use vboxsvc::settings::table::{self, BuiltIn, Domain, Row};

use crate::smf::render::settings::{level, without};

#[derive(Debug, Serialize)]
pub struct Subject {
    title: &'static str,
    settings: Vec<Setting>,
}

#[derive(Debug, Serialize)]
struct Setting {
    property: String,
    title: &'static str,
    /// The type, and the numbers that are right.
    values: String,
    /// Where nobody sets it.
    default: String,
    prose: &'static str,
    words: Vec<Word>,
    /// What else is to be known.
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Word {
    spellings: String,
    meaning: &'static str,
}

pub fn subjects() -> Vec<Subject> {
    let subject = |subject: &table::Subject| Subject {
        title: subject.title,
        settings: subject.rows.iter().map(setting).collect(),
    };
    table::SUBJECTS.iter().map(subject).collect()
}

fn setting(row: &Row) -> Setting {
    let word =
        |word: &table::Word| Word { spellings: word.spellings().collect::<Vec<_>>().join(", "), meaning: word.meaning };
    Setting {
        property: row.property(),
        title: row.title,
        values: values(row),
        default: default(row),
        prose: row.prose,
        words: row.domain.words().iter().map(word).collect(),
        notes: level(row).map(String::from).into_iter().chain(without(row)).collect(),
    }
}

fn values(row: &Row) -> String {
    let units = row.units.map(|units| format!(" {units}")).unwrap_or_default();
    let several = if row.domain.is_list() { ", may have several values" } else { "" };
    match row.domain {
        Domain::Integer { min, max } => format!("{}, {min} to {max}{units}", row.smf_type().word()),
        _ => format!("{}{units}{several}", row.smf_type().word()),
    }
}

fn default(row: &Row) -> String {
    match (row.manifest, row.built_in) {
        (Some(value), _) if !value.is_empty() => value.to_string(),
        (_, BuiltIn::Always("")) => "empty".to_string(),
        (_, BuiltIn::Always(value)) => value.to_string(),
        (_, BuiltIn::SameAs(other)) => format!("as {other}"),
        (_, BuiltIn::InstanceName) => "the name of the instance".to_string(),
        (_, BuiltIn::Unset(meaning)) => meaning.to_string(),
        (_, BuiltIn::ByKind { headless, interactive, dual_boot }) => {
            format!("{headless}; {interactive} of an interactive VM, {dual_boot} of a dual-boot VM")
        }
    }
}
