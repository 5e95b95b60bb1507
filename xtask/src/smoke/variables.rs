//! What a step's text may name that is known only when it runs: the package files as the host sees them, and versions.
//!
//! It is written `${svr4}`. Everything else that a shell would make something of stays as it is.

use std::collections::BTreeMap;

use thiserror::Error;

/// Every variable and what it stands for.
pub const KNOWN: [(&str, &str); 11] = [
    ("version", "the version under test"),
    ("previous", "the version before it"),
    ("svr4", "our SVR4 package"),
    ("svr4-previous", "our SVR4 package of the version before"),
    ("svr4-0.19", "a look-alike of COSvboxsvc 0.19"),
    ("svr4-stub", "the stub SUNWvbox for pkgadd"),
    ("ips", "our IPS archive"),
    ("ips-previous", "our IPS archive of the version before"),
    ("ips-bridge", "our IPS archive of the bridge to a VirtualBox that pkgadd installed"),
    ("ips-stub", "the stub system/virtualbox for pkg"),
    ("ips-stub-ooce", "the same as OmniOS names it, ooce/virtualization/virtualbox"),
];

#[derive(Debug, Error, PartialEq, Eq)]
pub enum VariableError {
    #[error("${{{0}}} is no variable; known are {known}. In a script write ${0} without braces", known = known())]
    Unknown(String),
    #[error("`${{` without `}}`")]
    Open,
    #[error("${{{0}}} is not available in this run")]
    NotGiven(String),
}

fn known() -> String {
    KNOWN.map(|(name, _)| name).join(", ")
}

/// The values of one run.
#[derive(Debug, Clone, Default)]
pub struct Variables(BTreeMap<&'static str, String>);

impl Variables {
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> Result<(), VariableError> {
        self.0.insert(canonical(name)?, value.into());
        Ok(())
    }

    /// The text with every variable replaced by its value.
    pub fn fill(&self, text: &str) -> Result<String, VariableError> {
        replace(text, |name| self.0.get(name).cloned().ok_or_else(|| VariableError::NotGiven(name.to_string())))
    }
}

/// Says whether every variable in a text is one that exists.
pub fn check(text: &str) -> Result<(), VariableError> {
    replace(text, |_| Ok(String::new())).map(drop)
}

fn canonical(name: &str) -> Result<&'static str, VariableError> {
    let known = KNOWN.iter().find(|(known, _)| *known == name);
    known.map(|(known, _)| *known).ok_or_else(|| VariableError::Unknown(name.to_string()))
}

/// Replaces every `${NAME}` of a text; nothing where one has no end.
pub fn replaced<E>(text: &str, value: impl Fn(&str) -> Result<String, E>) -> Result<Option<String>, E> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { return Ok(None) };
        filled.push_str(before);
        filled.push_str(&value(name)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(Some(filled))
}

fn replace(text: &str, value: impl Fn(&'static str) -> Result<String, VariableError>) -> Result<String, VariableError> {
    replaced(text, |name| value(canonical(name)?))?.ok_or(VariableError::Open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_a_shells_own_stay() {
        let mut variables = Variables::default();
        variables.set("svr4", "/var/tmp/a.pkg").unwrap();
        assert_eq!(
            variables.fill("-d ${svr4} $HOME $(x) ${svr4}").unwrap(),
            "-d /var/tmp/a.pkg $HOME $(x) /var/tmp/a.pkg"
        );
        assert_eq!(variables.fill("${ips}"), Err(VariableError::NotGiven("ips".into())));
    }

    #[test]
    fn what_is_no_variable_is_refused_with_those_that_are() {
        let error = check("${svr5}").unwrap_err().to_string();
        assert!(error.contains("${svr5}") && error.contains("svr4-previous"), "{error}");
        assert_eq!(check("${svr4"), Err(VariableError::Open));
        assert_eq!(Variables::default().set("x", ""), Err(VariableError::Unknown("x".into())));
    }

    #[test]
    fn a_value_is_not_looked_through_again() {
        let mut variables = Variables::default();
        variables.set("svr4", "${ips}").unwrap();
        assert_eq!(variables.fill("${svr4}").unwrap(), "${ips}");
    }
}
