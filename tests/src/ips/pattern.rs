//! What a person writes for a package: its whole name, its end, with or without publisher and version.

use xtask::ips::fmri::{Fmri, Version};

use super::package::Package;
use super::refused::Refused;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    publisher: Option<String>,
    name: String,
    /// The name is whole, and not its end.
    is_exact: bool,
    version: Option<Version>,
    /// The words of the version that were given: what is not said matches anything.
    given: Option<String>,
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Pattern, Refused> {
        let illegal = |why: &dyn std::fmt::Display| Refused::oops(format!("Illegal FMRI '{text}': {why}"));
        if text.contains(['*', '?']) {
            return Err(Refused::not_simulated("a pattern with wildcards"));
        }
        // `@latest` means what is meant without it.
        let fmri: Fmri = text.strip_suffix("@latest").unwrap_or(text).parse().map_err(|e| illegal(&e))?;
        let given = text.rsplit_once('@').map(|(_, version)| version.to_string()).filter(|v| v != "latest");
        Ok(Pattern {
            text: text.to_string(),
            publisher: fmri.publisher.map(|p| p.as_str().to_string()),
            name: fmri.name.as_str().to_string(),
            is_exact: text.starts_with("pkg:") || text.starts_with('/'),
            version: fmri.version,
            given,
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn has_version(&self) -> bool {
        self.given.is_some()
    }

    pub fn matches(&self, package: &Package) -> bool {
        self.matches_name(&package.name)
            && self.publisher.as_ref().is_none_or(|publisher| *publisher == package.publisher)
            && self.matches_version(package)
    }

    fn matches_name(&self, name: &str) -> bool {
        let is_end = || !self.is_exact && name.strip_suffix(&self.name).is_some_and(|rest| rest.ends_with('/'));
        name == self.name || is_end()
    }

    fn matches_version(&self, package: &Package) -> bool {
        let (Some(wanted), Some(given)) = (&self.version, &self.given) else { return true };
        let Some(has) = package.order() else { return false };
        begins(&has.release.to_string(), &wanted.release.to_string())
            && (!given.contains(',') || has.build == wanted.build)
            && wanted.branch.as_ref().is_none_or(|branch| has.branch.as_ref() == Some(branch))
            && wanted.timestamp.as_ref().is_none_or(|time| has.timestamp.as_ref() == Some(time))
    }
}

/// Whether a dotted number begins with these parts.
fn begins(whole: &str, start: &str) -> bool {
    whole == start || whole.strip_prefix(start).is_some_and(|rest| rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str, version: &str) -> bool {
        let package = Package {
            publisher: "vboxsvc".into(),
            name: name.into(),
            version: version.into(),
            manifest: String::new(),
            actions: Vec::new(),
        };
        Pattern::parse(pattern).unwrap().matches(&package)
    }

    #[test]
    fn an_end_of_a_name_is_enough_unless_it_is_said_to_be_whole() {
        let version = "0.20.0,5.11:20260101T000000Z";
        for pattern in ["vboxsvc", "service/vboxsvc", "pkg:/service/vboxsvc", "pkg://vboxsvc/service/vboxsvc"] {
            assert!(matches(pattern, "service/vboxsvc", version), "{pattern}");
        }
        for pattern in ["svc", "pkg:/vboxsvc", "pkg://other/service/vboxsvc", "service"] {
            assert!(!matches(pattern, "service/vboxsvc", version), "{pattern}");
        }
    }

    #[test]
    fn a_version_matches_as_far_as_it_goes() {
        let version = "0.20.1,5.11-7:20260101T000000Z";
        for end in ["0", "0.20", "0.20.1", "0.20.1,5.11", "0.20.1-7", "0.20:20260101T000000Z", "latest"] {
            assert!(matches(&format!("vboxsvc@{end}"), "vboxsvc", version), "{end}");
        }
        for end in ["0.2", "0.20.1.0", "0.20.1,5.12", "0.20.1-8", "0.20:20260102T000000Z"] {
            assert!(!matches(&format!("vboxsvc@{end}"), "vboxsvc", version), "{end}");
        }
        assert!(Pattern::parse("a b").is_err() && Pattern::parse("x*").is_err());
    }
}
