//! FMRIs, and which entities an operand of svcs, svcprop, svcadm or svccfg means.
//!
//! The rules are those of `scf_walk_fmri`: an exact FMRI first, then a glob, then a partial name. It asks a
//! [`Store`] what exists and decides nothing else.

use std::fmt;

use super::model::{is_name, is_service_name};
use super::repository::Store;

/// An instance, by the two names that make its FMRI.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceName {
    pub service: String,
    pub instance: String,
}

impl InstanceName {
    pub fn new(service: &str, instance: &str) -> Self {
        InstanceName { service: service.into(), instance: instance.into() }
    }

    pub fn parse(fmri: &str) -> Option<Self> {
        match Fmri::parse(fmri)? {
            Fmri { service, instance: Some(instance), pg: None, .. } => Some(InstanceName { service, instance }),
            _ => None,
        }
    }

    /// The stem of its log file.
    pub fn log_name(&self) -> String {
        format!("{}:{}.log", self.service.replace('/', "-"), self.instance)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "svc:/{}:{}", self.service, self.instance)
    }
}

/// A complete FMRI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fmri {
    pub service: String,
    pub instance: Option<String>,
    pub pg: Option<String>,
    pub prop: Option<String>,
}

impl Fmri {
    /// Parses `svc:/service[:instance][/:properties/pg[/prop]]`; nothing when it is not a complete, legal FMRI.
    pub fn parse(text: &str) -> Option<Fmri> {
        let rest = text.strip_prefix("svc:/")?;
        let rest = rest.strip_prefix("/localhost/").unwrap_or(rest);
        let (entity, properties) = match rest.split_once("/:properties") {
            Some((entity, properties)) => (entity, Some(properties.strip_prefix('/')?)),
            None => (rest, None),
        };
        let (service, instance) = match entity.split_once(':') {
            Some((service, instance)) => (service, Some(instance)),
            None => (entity, None),
        };
        let (pg, prop) = match properties.map(|p| p.split_once('/')) {
            None => (None, None),
            Some(None) => (properties, None),
            Some(Some((pg, prop))) => (Some(pg), Some(prop)),
        };
        let legal = is_service_name(service) && [instance, pg, prop].into_iter().flatten().all(is_name);
        let own = |part: Option<&str>| part.map(str::to_string);
        legal.then(|| Fmri { service: service.into(), instance: own(instance), pg: own(pg), prop: own(prop) })
    }
}

/// A service or an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    Service(String),
    Instance(InstanceName),
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entity::Service(service) => write!(f, "svc:/{service}"),
            Entity::Instance(name) => name.fmt(f),
        }
    }
}

/// How an operand found what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Exact,
    Glob,
    Partial,
}

/// The instances an operand means. A service's own FMRI means all of them.
pub fn instances(store: &Store, operand: &str) -> (How, Vec<InstanceName>) {
    if let Some(Fmri { service, instance, pg: None, .. }) = Fmri::parse(operand) {
        let found = match instance {
            Some(instance) => {
                let name = InstanceName { service, instance };
                if store.has_instance(&name) { vec![name] } else { Vec::new() }
            }
            None => {
                let names = store.instances(&service);
                names.into_iter().map(|instance| InstanceName { service: service.clone(), instance }).collect()
            }
        };
        if !found.is_empty() {
            return (How::Exact, found);
        }
    }
    let (how, matches) = matcher(operand);
    (how, store.all_instances().into_iter().filter(|name| matches(&name.to_string())).collect())
}

/// The entities an operand of svcprop means: a service only when it is named in full or has no instance to show.
pub fn entities(store: &Store, operand: &str) -> Vec<Entity> {
    match Fmri::parse(operand) {
        Some(Fmri { service, instance: None, .. }) if store.has_service(&service) => {
            return vec![Entity::Service(service)];
        }
        Some(Fmri { service, instance: Some(instance), .. }) => {
            let name = InstanceName { service, instance };
            if store.has_instance(&name) {
                return vec![Entity::Instance(name)];
            }
        }
        _ => {}
    }
    let (_, found) = instances(store, operand);
    if !found.is_empty() {
        return found.into_iter().map(Entity::Instance).collect();
    }
    services(store, operand).into_iter().map(Entity::Service).collect()
}

/// The services whose own FMRI an abbreviated operand matches.
pub fn services(store: &Store, operand: &str) -> Vec<String> {
    let (_, matches) = matcher(operand);
    store.services().into_iter().filter(|service| matches(&format!("svc:/{service}"))).collect()
}

/// Whether a whole FMRI is what an operand means.
type Matcher<'a> = Box<dyn Fn(&str) -> bool + 'a>;

fn matcher(operand: &str) -> (How, Matcher<'_>) {
    if operand.contains(['*', '?', '[']) {
        let whole = operand.starts_with('*') || operand.as_bytes().get(3) == Some(&b':');
        let pattern = if whole { operand.to_string() } else { format!("svc:/{operand}") };
        return (How::Glob, Box::new(move |fmri| glob(pattern.as_bytes(), fmri.as_bytes())));
    }
    (How::Partial, Box::new(move |fmri| is_partial(operand, fmri)))
}

/// Only the first place where the operand occurs is looked at.
fn is_partial(operand: &str, fmri: &str) -> bool {
    if operand.is_empty() {
        return false;
    }
    let Some(at) = fmri.find(operand) else { return false };
    let before = fmri.as_bytes().get(..at).and_then(<[u8]>::last);
    let after = fmri.as_bytes().get(at + operand.len());
    let starts = operand.starts_with(':') || matches!(before, None | Some(b'/' | b':'));
    starts && matches!(after, None | Some(b':'))
}

/// fnmatch(3) with no flags: `*` crosses slashes.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|skip| text.get(skip..).is_some_and(|tail| glob(rest, tail))),
        [b'?', rest @ ..] => matches!(text, [_, tail @ ..] if glob(rest, tail)),
        [b'[', rest @ ..] => match (bracket(rest), text) {
            (Some((set, negated, rest)), [c, tail @ ..]) => (in_set(set, *c) != negated) && glob(rest, tail),
            (None, [b'[', tail @ ..]) => glob(rest, tail),
            _ => false,
        },
        [b'\\', c, rest @ ..] | [c, rest @ ..] => matches!(text, [d, tail @ ..] if c == d && glob(rest, tail)),
    }
}

/// Splits what follows `[` into the set, whether it is negated, and what follows `]`.
fn bracket(pattern: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let negated = pattern.first() == Some(&b'!');
    let set = pattern.get(usize::from(negated)..)?;
    // A `]` that comes first belongs to the set.
    let end = set.iter().skip(1).position(|&c| c == b']')? + 1;
    Some((set.get(..end)?, negated, set.get(end + 1..)?))
}

fn in_set(set: &[u8], c: u8) -> bool {
    match set {
        [from, b'-', to, rest @ ..] => (from..=to).contains(&&c) || in_set(rest, c),
        [one, rest @ ..] => *one == c || in_set(rest, c),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fmris_are_taken_apart() {
        let full = Fmri::parse("svc:/site/xvm/vbox:win/:properties/vm/name").unwrap();
        assert_eq!((full.service.as_str(), full.instance.as_deref()), ("site/xvm/vbox", Some("win")));
        assert_eq!((full.pg.as_deref(), full.prop.as_deref()), (Some("vm"), Some("name")));
        assert_eq!(Fmri::parse("svc:/site/xvm/vbox/:properties/vm").unwrap().pg.as_deref(), Some("vm"));
        for bad in ["site/xvm/vbox", "svc:/", "svc:/a:", "svc:/a:9", "svc:/a//b", "svc:/a:b/:properties"] {
            assert_eq!(Fmri::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_partial_name_starts_and_ends_at_element_boundaries() {
        let fmri = "svc:/site/xvm/vbox:web";
        for good in ["vbox", "vbox:web", "web", ":web", "xvm/vbox", "site/xvm/vbox:web", fmri] {
            assert!(is_partial(good, fmri), "{good}");
        }
        for bad in ["box", "vbo", "eb", "xvm", "we", ""] {
            assert!(!is_partial(bad, fmri), "{bad}");
        }
        assert!(!is_partial("web", "svc:/site/xvm/vbox:web2"));
        // The first hit alone is tried, as in libscf.
        assert!(!is_partial("a", "svc:/aa/b:a"));
    }

    #[test]
    fn globs_cross_slashes_and_know_brackets() {
        for (pattern, text, expected) in [
            ("svc:/*:win", "svc:/site/xvm/vbox:win", true),
            ("*vbox:*", "svc:/site/xvm/vbox:win", true),
            ("svc:/site/xvm/vbox:w?n", "svc:/site/xvm/vbox:win", true),
            ("*:[a-w]in", "svc:/site/xvm/vbox:win", true),
            ("*:[!w]in", "svc:/site/xvm/vbox:win", false),
            ("*:[x", "svc:/a:[x", true),
            ("svc:/site", "svc:/site/xvm", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }
}
