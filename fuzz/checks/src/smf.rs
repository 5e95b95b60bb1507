//! SMF's words, and the settings that are made of them.

use vboxsvc::log::printable;
use vboxsvc::settings::effective::effective;
use vboxsvc::settings::value::shell_words;
use vboxsvc::smf::Fmri;
use vboxsvc::smf::client::listed;
use vboxsvc::smf::svcprop::{self, Properties};

use crate::{shows_only, text};

/// What was read, printed as svcprop prints it, is read the same, alone or among others.
pub fn svcprop(data: &[u8]) {
    let read = svcprop::parse(data);
    for bad in &read.malformed {
        shows_only(&printable(&bad.to_string()));
    }
    let again = svcprop::parse(printed("", &read.found).as_bytes());
    assert_eq!((again.found, again.malformed), (read.found, vec![]));

    let many = svcprop::parse_many(data).found;
    let all: String = many.iter().map(|(entity, properties)| printed(entity, properties)).collect();
    let again = svcprop::parse_many(all.as_bytes());
    assert_eq!((again.found, again.malformed), (many, vec![]));
}

fn printed(entity: &str, properties: &Properties) -> String {
    let place = if entity.is_empty() { String::new() } else { format!("{entity}/:properties/") };
    properties
        .iter()
        .map(|(name, property)| {
            let values: Vec<String> = property.values.iter().map(|value| quoted(value)).collect();
            format!("{place}{name} {} {}\n", property.kind, values.join(" "))
        })
        .collect()
}

/// A value as svcprop prints it: a backslash before what a shell would heed.
fn quoted(value: &str) -> String {
    if value.is_empty() {
        return "\"\"".to_string();
    }
    let mut out = String::new();
    for c in value.chars() {
        if ";&()|^<>\n \t\\\"'`".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Every instance listed is one that would be listed again under the same name.
pub fn svcs(data: &[u8]) {
    let instances = listed(data);
    let lines: String = instances.iter().map(|fmri| format!("{fmri}\n")).collect();
    assert_eq!(listed(lines.as_bytes()), instances);
}

/// An instance's name is a plain file name and reads back as itself.
pub fn fmri(data: &[u8]) {
    let Some(fmri) = text(data).and_then(|text| text.parse::<Fmri>().ok()) else { return };
    assert_eq!(fmri.to_string().parse::<Fmri>().ok().as_ref(), Some(&fmri));
    let instance = fmri.instance();
    assert!(!instance.is_empty() && !instance.contains(['/', '\0']) && !instance.starts_with(['.', '-']));
    shows_only(instance);
}

/// Whatever the properties are, there are settings, and they are within their bounds.
pub fn settings(data: &[u8]) {
    let own = svcprop::parse(data).found;
    let found = effective("web", &own, &own);
    let settings = &found.settings;
    assert!((-20..=19).contains(&settings.nice));
    assert!(!settings.poll.is_zero() && !settings.hook.timeout.is_zero());
    let codes = &settings.hook.codes;
    let all = [&codes.okay, &codes.failonce, &codes.doreboot, &codes.maintenance];
    assert!(all.iter().all(|list| list.iter().all(|code| (0..=255).contains(code))));
    let paths = [&settings.hook.method, &settings.pidfile, &settings.nokick_file, &settings.blockfile];
    assert!(paths.iter().all(|path| path.as_ref().is_none_or(|path| path.is_absolute())));
    assert!(!settings.vm.contains(char::is_control), "VMs with control characters in their names are refused");
    for warning in &found.warnings {
        shows_only(&printable(&format!("{}: {}", warning.property, warning.message)));
    }
}

/// The words, each in quotes, are the same words.
pub fn hook_params(data: &[u8]) {
    let Some(Ok(words)) = text(data).map(shell_words) else { return };
    let again: Vec<String> = words.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    assert_eq!(shell_words(&again.join(" ")), Ok(words));
}
