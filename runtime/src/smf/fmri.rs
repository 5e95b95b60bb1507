//! Names of service instances.

use std::fmt;
use std::str::FromStr;

use super::SmfError;

/// The service every VM is an instance of, unless a customised manifest says otherwise.
pub const SERVICE: &str = "site/xvm/vbox";
/// The longest name of a service or instance in bytes.
const LONGEST: usize = 119;

/// A full instance FMRI, `svc:/SERVICE:INSTANCE`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fmri {
    service: String,
    instance: String,
}

impl Fmri {
    /// The instance of this name of the VirtualBox service.
    pub fn of_instance(name: &str) -> Result<Fmri, SmfError> {
        format!("svc:/{SERVICE}:{name}").parse()
    }

    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The FMRI of the service.
    pub fn service(&self) -> String {
        format!("svc:/{}", self.service)
    }
}

impl fmt::Display for Fmri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "svc:/{}:{}", self.service, self.instance)
    }
}

impl FromStr for Fmri {
    type Err = SmfError;

    fn from_str(text: &str) -> Result<Self, SmfError> {
        let bad = |why: &'static str| SmfError::BadFmri { text: text.to_string(), why };
        let rest = text.strip_prefix("svc:/").ok_or_else(|| bad("it does not begin with svc:/"))?;
        // A scope, as in svc://localhost/…, adds nothing: SMF knows no other.
        let rest = rest.strip_prefix("/localhost/").unwrap_or(rest);
        let (service, instance) = rest.split_once(':').ok_or_else(|| bad("it names no instance"))?;
        if !service.split('/').all(is_name) {
            return Err(bad("its service is not a name that SMF allows"));
        }
        if !is_name(instance) {
            return Err(bad("its instance is not a name that SMF allows: a letter, then letters, digits, - and _"));
        }
        Ok(Fmri { service: service.to_string(), instance: instance.to_string() })
    }
}

/// `[provider,]identifier`, as SMF has it.
fn is_name(name: &str) -> bool {
    let identifier = match name.split_once(',') {
        Some((provider, identifier)) if provider.split('.').all(is_identifier) => identifier,
        Some(_) => return false,
        None => name,
    };
    name.len() <= LONGEST && is_identifier(identifier)
}

fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_fmri_comes_back_as_it_was() {
        let text = "svc:/site/xvm/vbox:win-10_x";
        let fmri: Fmri = text.parse().unwrap();
        assert_eq!(
            (fmri.to_string().as_str(), fmri.instance(), fmri.service().as_str()),
            (text, "win-10_x", "svc:/site/xvm/vbox")
        );
    }

    #[test]
    fn names_smf_forbids_are_refused() {
        for name in ["", "9lives", "a.b", "a b", "_x", "a:b", "ü", "../../etc", "a/b", &"x".repeat(120)] {
            assert!(Fmri::of_instance(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_provider_may_have_dots() {
        assert!("svc:/site/com.sun,vbox:default".parse::<Fmri>().is_ok());
    }

    #[test]
    fn other_schemes_and_services_alone_are_refused() {
        for text in ["lrc:/etc/rc2_d/S99x", "svc:/site/xvm/vbox", "vbox:win", "svc:/site/xvm/vbox:"] {
            assert!(text.parse::<Fmri>().is_err(), "{text}");
        }
    }
}
