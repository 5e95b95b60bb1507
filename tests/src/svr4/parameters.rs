//! pkginfo and its like: `PARAMETER=value` lines, read by the rules of fpkgparam.

use std::fs;
use std::io;
use std::path::Path;

/// Parameters in their order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(Self::parse(&String::from_utf8_lossy(&fs::read(path)?)))
    }

    pub fn parse(text: &str) -> Self {
        let mut all = Parameters::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(at) = line.find(['=', ':']).filter(|_| !line.starts_with('#')) else { continue };
            let mut value = line[at + 1..].trim_start().to_string();
            while value.ends_with('\\') {
                value.pop();
                value.push('\n');
                value.push_str(lines.next().unwrap_or_default());
            }
            all.set(line[..at].trim(), unquoted(value.trim_end()));
        }
        all
    }

    /// The value, where there is one that is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value.into(),
            None => self.0.push((name.into(), value.into())),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    pub fn classes(&self) -> Vec<&str> {
        self.get("CLASSES").unwrap_or_default().split_whitespace().collect()
    }

    pub fn render(&self) -> String {
        self.iter().map(|(key, value)| format!("{key}={value}\n")).collect()
    }
}

/// One quote at the beginning goes, and with it the next one of either kind.
fn unquoted(value: &str) -> String {
    let Some(rest) = value.strip_prefix(['"', '\'']) else { return value.to_string() };
    match rest.find(['"', '\'']) {
        Some(at) => format!("{}{}", &rest[..at], &rest[at + 1..]),
        None => rest.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_go_as_they_do_in_the_real_reader() {
        let read = Parameters::parse("A=\"x y\"\n#B=1\nVENDOR=\"Dumont's script\"\nC: plain's \\\nmore\n");
        assert_eq!(read.get("A"), Some("x y"));
        assert_eq!(read.get("B"), None);
        assert_eq!(read.get("VENDOR"), Some("Dumonts script\""));
        assert_eq!(read.get("C"), Some("plain's \nmore"));
    }
}
