//! The data svc.configd keeps: typed values, property groups, snapshots, and how an instance is composed over its service.
//!
//! Plain data and pure functions. Nothing here knows files, locks or programs.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest value, without its NUL.
const VALUE_LIMIT: usize = 4095;
/// The longest name, without its NUL.
const NAME_LIMIT: usize = 119;

/// The type of a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    Count,
    Integer,
    Opaque,
    Host,
    Hostname,
    NetAddress,
    NetAddressV4,
    NetAddressV6,
    Time,
    Astring,
    Ustring,
    Boolean,
    Fmri,
    Uri,
}

impl Type {
    pub const ALL: [Type; 14] = [
        Type::Count,
        Type::Integer,
        Type::Opaque,
        Type::Host,
        Type::Hostname,
        Type::NetAddress,
        Type::NetAddressV4,
        Type::NetAddressV6,
        Type::Time,
        Type::Astring,
        Type::Ustring,
        Type::Boolean,
        Type::Fmri,
        Type::Uri,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Type::Count => "count",
            Type::Integer => "integer",
            Type::Opaque => "opaque",
            Type::Host => "host",
            Type::Hostname => "hostname",
            Type::NetAddress => "net_address",
            Type::NetAddressV4 => "net_address_v4",
            Type::NetAddressV6 => "net_address_v6",
            Type::Time => "time",
            Type::Astring => "astring",
            Type::Ustring => "ustring",
            Type::Boolean => "boolean",
            Type::Fmri => "fmri",
            Type::Uri => "uri",
        }
    }

    pub fn from_word(word: &str) -> Option<Type> {
        Type::ALL.into_iter().find(|t| t.word() == word)
    }

    /// The value as the repository keeps and prints it, or nothing when the text is not of this type.
    pub fn canonical(self, text: &str) -> Option<String> {
        if text.len() > VALUE_LIMIT {
            return None;
        }
        match self {
            Type::Boolean => match text {
                "true" | "t" | "1" => Some("true".into()),
                "false" | "f" | "0" => Some("false".into()),
                _ => None,
            },
            Type::Integer => {
                let (negative, magnitude) = c_number(text)?;
                let value = if negative { 0i128 - i128::from(magnitude) } else { i128::from(magnitude) };
                i64::try_from(value).ok().map(|v| v.to_string())
            }
            // strtoull takes a sign and wraps: -1 is how people write "for ever".
            Type::Count => {
                let (negative, magnitude) = c_number(text)?;
                Some(if negative { magnitude.wrapping_neg() } else { magnitude }.to_string())
            }
            Type::Time => canonical_time(text),
            Type::Opaque => {
                let hex = text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit());
                hex.then(|| text.to_ascii_lowercase())
            }
            _ => Some(text.into()),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What strtoll and strtoull make of a whole text with base 0: sign and magnitude.
fn c_number(text: &str) -> Option<(bool, u64)> {
    let text = text.trim_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (16, hex),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    // from_str_radix would take another sign.
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    Some((negative, u64::from_str_radix(digits, radix).ok()?))
}

fn canonical_time(text: &str) -> Option<String> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = seconds.parse().ok()?;
    if fraction.len() > 9 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}");
    Some(if nanoseconds == "000000000" { seconds.to_string() } else { format!("{seconds}.{nanoseconds}") })
}

/// A property: its type and its values, each in the repository's own form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Property {
    #[serde(rename = "type")]
    pub ty: Type,
    pub values: Vec<String>,
}

impl Property {
    pub fn one(ty: Type, value: impl Into<String>) -> Self {
        Property { ty, values: vec![value.into()] }
    }
}

/// A property group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    #[serde(rename = "type")]
    pub ty: String,
    /// Lost at a reboot, and never part of a snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nonpersistent: bool,
    #[serde(default)]
    pub properties: BTreeMap<String, Property>,
}

impl Group {
    pub fn new(ty: impl Into<String>) -> Self {
        Group { ty: ty.into(), nonpersistent: false, properties: BTreeMap::new() }
    }

    pub fn nonpersistent(ty: impl Into<String>) -> Self {
        Group { nonpersistent: true, ..Group::new(ty) }
    }

    pub fn set(&mut self, name: &str, ty: Type, value: impl Into<String>) {
        self.properties.insert(name.into(), Property::one(ty, value));
    }

    /// The only value of a property.
    pub fn value(&self, name: &str) -> Option<&str> {
        match self.properties.get(name)?.values.as_slice() {
            [one] => Some(one),
            _ => None,
        }
    }

    pub fn values(&self, name: &str) -> &[String] {
        self.properties.get(name).map_or(&[], |p| &p.values)
    }
}

/// The property groups of one service, one instance, or one level of a snapshot.
pub type Groups = BTreeMap<String, Group>;

/// The only value of `pg/prop`.
pub fn value<'a>(groups: &'a Groups, pg: &str, prop: &str) -> Option<&'a str> {
    groups.get(pg)?.value(prop)
}

/// What was recorded of an instance and of its service at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub instance: Groups,
    pub service: Groups,
}

impl Snapshot {
    pub fn take(instance: &Groups, service: &Groups) -> Self {
        Snapshot { instance: persistent(instance), service: persistent(service) }
    }

    pub fn composed(&self) -> Groups {
        composed(&self.instance, &self.service)
    }
}

pub fn persistent(groups: &Groups) -> Groups {
    groups.iter().filter(|(_, g)| !g.nonpersistent).map(|(n, g)| (n.clone(), g.clone())).collect()
}

/// The instance over its service, property by property. Groups of one name but different types are not composed.
pub fn composed(instance: &Groups, service: &Groups) -> Groups {
    let mut all = service.clone();
    for (name, own) in instance {
        match all.get_mut(name) {
            Some(group) if group.ty == own.ty => {
                group.nonpersistent = own.nonpersistent;
                group.properties.extend(own.properties.iter().map(|(n, p)| (n.clone(), p.clone())));
            }
            _ => {
                all.insert(name.clone(), own.clone());
            }
        }
    }
    all
}

/// Names of instances, property groups and properties: `[provider,]identifier`, ASCII only.
pub fn is_name(name: &str) -> bool {
    let (provider, identifier) = match name.split_once(',') {
        Some((provider, identifier)) => (Some(provider), identifier),
        None => (None, name),
    };
    name.len() <= NAME_LIMIT
        && is_identifier(identifier, false)
        && provider.is_none_or(|p| p.split('.').all(|part| is_identifier(part, true)))
}

pub fn is_service_name(name: &str) -> bool {
    name.len() <= NAME_LIMIT && name.split('/').all(is_name)
}

fn is_identifier(text: &str, in_provider: bool) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' && !in_provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_in_the_form_of_their_type() {
        let cases = [
            (Type::Boolean, "t", Some("true")),
            (Type::Boolean, "yes", None),
            (Type::Integer, "010", Some("8")),
            (Type::Integer, "0x10", Some("16")),
            (Type::Integer, "-9223372036854775808", Some("-9223372036854775808")),
            (Type::Integer, "9223372036854775808", None),
            (Type::Integer, "1 2", None),
            (Type::Integer, "", None),
            (Type::Integer, "--1", None),
            (Type::Count, "-1", Some("18446744073709551615")),
            (Type::Time, "5", Some("5")),
            (Type::Time, "5.25", Some("5.250000000")),
            (Type::Opaque, "0AfF", Some("0aff")),
            (Type::Opaque, "0af", None),
            (Type::Astring, "", Some("")),
        ];
        for (ty, text, expected) in cases {
            assert_eq!(ty.canonical(text).as_deref(), expected, "{ty} {text:?}");
        }
        assert_eq!(Type::Astring.canonical(&"x".repeat(4096)), None);
    }

    #[test]
    fn composition_merges_single_properties_and_only_groups_of_one_type() {
        let mut service = Groups::new();
        let mut vm = Group::new("application");
        vm.set("a", Type::Astring, "service");
        vm.set("b", Type::Astring, "service");
        service.insert("vm".into(), vm);
        service.insert("odd".into(), {
            let mut g = Group::new("application");
            g.set("only", Type::Astring, "service");
            g
        });
        let mut instance = Groups::new();
        let mut own = Group::new("application");
        own.set("b", Type::Astring, "instance");
        instance.insert("vm".into(), own);
        instance.insert("odd".into(), Group::new("framework"));
        let all = composed(&instance, &service);
        assert_eq!(value(&all, "vm", "a"), Some("service"));
        assert_eq!(value(&all, "vm", "b"), Some("instance"));
        assert_eq!(value(&all, "odd", "only"), None);
    }

    #[test]
    fn names_follow_the_rules_of_libuutil() {
        for good in ["a", "A-b_9", "com.sun,name"] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["", "9a", "_a", "a.b", "a b", "a@b", "é", "a,", ",a"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(is_name(&"a".repeat(119)) && !is_name(&"a".repeat(120)));
        assert!(is_service_name("site/xvm/vbox") && !is_service_name("site//vbox"));
    }
}
