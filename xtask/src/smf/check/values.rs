//! Values of properties: right for their type, on one line, within SMF's limit.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use roxmltree::Node;

use super::{Findings, attribute, dtd, elements, name};

/// SMF's limit, without the byte that ends a string.
const LONGEST: usize = 4095;

pub fn check(node: Node, findings: &mut Findings) {
    for value in node.attributes() {
        one_line(node, value.name(), value.value(), findings);
    }
    match name(node) {
        "loctext" => one_line(node, "the text", node.text().unwrap_or_default(), findings),
        "propval" => of_type(node, attribute(node, "type"), attribute(node, "value"), findings),
        "property" => property(node, findings),
        _ => (),
    }
}

/// Texts of templates become values of properties as well. A newline in one breaks programs that read svcprop by lines.
fn one_line(node: Node, what: &str, value: &str, findings: &mut Findings) {
    if value.contains(['\n', '\r']) {
        findings.add(node, "value-newline", format!("{what} of <{}> goes over several lines", name(node)));
    }
    if value.len() > LONGEST {
        let message = format!("{what} of <{}> has {} bytes, SMF takes {LONGEST}", name(node), value.len());
        findings.add(node, "value-length", message);
    }
}

fn property(node: Node, findings: &mut Findings) {
    let kind = attribute(node, "type");
    for list in elements(node) {
        if name(list).strip_suffix("_list") != Some(kind) {
            findings.add(list, "list-type", format!("<{}> in a property of type {kind}", name(list)));
        }
        for value in elements(list) {
            of_type(value, kind, attribute(value, "value"), findings);
        }
    }
}

fn of_type(node: Node, kind: &str, value: &str, findings: &mut Findings) {
    if !fits(kind, value) {
        findings.add(node, "value-type", format!("{value:?} is no value of type {kind}"));
    }
}

/// Whether SMF takes `value` for a property of type `kind`. A type that there is not takes everything: it is told as that.
pub fn fits(kind: &str, value: &str) -> bool {
    match kind {
        "count" => number(value).is_some_and(|number| (0..=i128::from(u64::MAX)).contains(&number)),
        "integer" => number(value).is_some_and(|number| i64::try_from(number).is_ok()),
        "boolean" => ["true", "t", "1", "false", "f", "0"].contains(&value),
        "opaque" => value.len().is_multiple_of(2) && value.chars().all(|c| c.is_ascii_hexdigit()),
        "time" => time(value),
        "fmri" => value.starts_with("svc:") || value.starts_with("lrc:"),
        "uri" => value.split_once(':').is_some_and(|(scheme, rest)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
                && !rest.is_empty()
        }),
        "net_address_v4" => value.parse::<Ipv4Addr>().is_ok(),
        "net_address_v6" => value.parse::<Ipv6Addr>().is_ok(),
        "net_address" => value.parse::<IpAddr>().is_ok(),
        "hostname" => host_name(value),
        "host" => host_name(value) || value.parse::<IpAddr>().is_ok(),
        other => ["astring", "ustring"].contains(&other) || !dtd::TYPES.contains(&other),
    }
}

/// A number as strtoll(3C) reads it with base 0.
pub fn number(text: &str) -> Option<i128> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None => (rest, if rest.starts_with('0') { 8 } else { 10 }),
    };
    let all_digits = digits.chars().all(|c| c.is_digit(radix));
    i128::from_str_radix(digits, radix).ok().filter(|_| all_digits).map(|number| sign * number)
}

fn time(text: &str) -> bool {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    seconds.parse::<i64>().is_ok() && (1..=9).contains(&fraction.len()) && fraction.chars().all(|c| c.is_ascii_digit())
}

fn host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    text.len() <= 255 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fit_their_types() {
        let right = [
            ("count", "0x10"),
            ("integer", "-7"),
            ("boolean", "t"),
            ("opaque", "00fF"),
            ("time", "12.5"),
            ("fmri", "svc:/a:b"),
            ("uri", "file:///x"),
            ("net_address", "::1"),
            ("net_address_v4", "10.0.0.1"),
            ("net_address_v6", "fe80::1"),
            ("hostname", "a.example"),
            ("host", "10.0.0.1"),
            ("astring", "any thing"),
            ("ustring", "é"),
        ];
        for (kind, value) in right {
            assert!(fits(kind, value), "{kind} {value}");
        }
        let wrong = [
            ("count", "-1"),
            ("count", "18446744073709551616"),
            ("integer", "ten"),
            ("integer", "08"),
            ("integer", ""),
            ("boolean", "yes"),
            ("opaque", "0ff"),
            ("time", "1."),
            ("fmri", "/a"),
            ("uri", "x"),
            ("net_address", "10.0.0"),
            ("net_address_v4", "::1"),
            ("net_address_v6", "10.0.0.1"),
            ("hostname", "a..b"),
            ("host", "a b"),
        ];
        for (kind, value) in wrong {
            assert!(!fits(kind, value), "{kind} {value}");
        }
    }
}
