//! The depend file: which packages this one needs, cannot stand, or is needed by.

use std::fmt;

use thiserror::Error;

use super::pkginfo::rules::package_name_problem;

/// The reader's line buffer holds 256 with newline and NUL.
pub const MAX_LINE: usize = 254;

/// The reader copies a description into 128 bytes without looking.
pub const MAX_DESCRIPTION: usize = 127;

/// The reader's tables of versions have this many places.
pub const MAX_VERSIONS: usize = 49;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DependKind {
    /// `P`: must be installed before.
    Prerequisite,
    /// `I`: must not be installed.
    Incompatible,
    /// `R`: depends on this package; looked at when this one is removed.
    Reverse,
}

/// One acceptable `(ARCH)VERSION`; either may be absent but not both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alternative {
    pub arch: Option<String>,
    pub version: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependency {
    pub kind: DependKind,
    pub package: String,
    pub description: String,
    /// Empty: any version.
    pub versions: Vec<Alternative>,
}

/// A depend file, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depend(pub Vec<Dependency>);

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("depend line {line}: {problem}")]
pub struct DependError {
    pub line: usize,
    pub problem: DependProblem,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DependProblem {
    #[error("package name {name:?} {problem}")]
    Package { name: String, problem: &'static str },
    #[error("the description of {0} bytes is longer than the 127 that fit the reader's buffer")]
    DescriptionTooLong(usize),
    #[error("a line of {0} bytes is longer than the 254 that fit the reader's buffer")]
    LineTooLong(usize),
    #[error("more than 49 versions of one package overflow the reader's table")]
    TooManyVersions,
    #[error("{0:?} cannot be written: it is empty or holds control characters, outer blanks or a parenthesis")]
    Text(String),
    #[error("type {0:?} is not P, I or R")]
    Kind(String),
    #[error("the package name is missing")]
    NoPackage,
    #[error("a version line stands before any package")]
    VersionFirst,
    #[error("the parenthesis of the architecture is not closed")]
    ArchNotClosed,
}

impl DependKind {
    fn letter(self) -> char {
        match self {
            Self::Prerequisite => 'P',
            Self::Incompatible => 'I',
            Self::Reverse => 'R',
        }
    }
}

impl fmt::Display for Alternative {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if let Some(arch) = &self.arch {
            write!(f, "({arch})")?;
        }
        f.write_str(self.version.as_deref().unwrap_or_default())
    }
}

impl Depend {
    /// The text of the file, after checking that its reader gets it whole. Errors count written lines.
    pub fn render(&self) -> Result<String, DependError> {
        let mut lines: Vec<String> = Vec::new();
        for dependency in &self.0 {
            let here = lines.len() + 1;
            check(dependency).map_err(|problem| DependError { line: here, problem })?;
            let Dependency { kind, package, description, versions } = dependency;
            lines.push(format!("{} {package} {description}", kind.letter()).trim_end().to_owned());
            lines.extend(versions.iter().map(|version| format!("\t{version}")));
        }
        for (line, number) in lines.iter().zip(1..) {
            if line.len() > MAX_LINE {
                return Err(DependError { line: number, problem: DependProblem::LineTooLong(line.len()) });
            }
        }
        Ok(lines.into_iter().fold(String::new(), |text, line| text + &line + "\n"))
    }

    /// Reads the file as pkgadd does, but says what pkgadd would overrun or skip. Runs of blanks separate fields.
    pub fn parse(text: &str) -> Result<Self, DependError> {
        let mut depend = Self::default();
        for (line, number) in text.lines().zip(1..) {
            let at = |problem| DependError { line: number, problem };
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with('#') {
                continue;
            }
            if line.len() > MAX_LINE {
                return Err(at(DependProblem::LineTooLong(line.len())));
            }
            if line.starts_with(char::is_whitespace) {
                let last = depend.0.last_mut().ok_or(at(DependProblem::VersionFirst))?;
                last.versions.push(alternative(trimmed).map_err(at)?);
            } else {
                depend.0.push(dependency(trimmed).map_err(at)?);
            }
            depend.0.last().map_or(Ok(()), check).map_err(at)?;
        }
        Ok(depend)
    }
}

fn dependency(line: &str) -> Result<Dependency, DependProblem> {
    let (kind, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let kind = match kind {
        "P" => DependKind::Prerequisite,
        "I" => DependKind::Incompatible,
        "R" => DependKind::Reverse,
        other => return Err(DependProblem::Kind(other.to_owned())),
    };
    let (package, description) = rest.trim_start().split_once([' ', '\t']).unwrap_or((rest.trim_start(), ""));
    if package.is_empty() {
        return Err(DependProblem::NoPackage);
    }
    let description = description.trim_start().to_owned();
    Ok(Dependency { kind, package: package.to_owned(), description, versions: Vec::new() })
}

fn alternative(text: &str) -> Result<Alternative, DependProblem> {
    let (arch, version) = match text.strip_prefix('(') {
        Some(rest) => {
            let (arch, version) = rest.split_once(')').ok_or(DependProblem::ArchNotClosed)?;
            (Some(arch.to_owned()), version.trim_start())
        }
        None => (None, text),
    };
    Ok(Alternative { arch, version: (!version.is_empty()).then(|| version.to_owned()) })
}

fn check(dependency: &Dependency) -> Result<(), DependProblem> {
    let Dependency { package, description, versions, .. } = dependency;
    if let Some(problem) = package_name_problem(package) {
        return Err(DependProblem::Package { name: package.clone(), problem });
    }
    if description.len() > MAX_DESCRIPTION {
        return Err(DependProblem::DescriptionTooLong(description.len()));
    }
    if description.trim() != description || description.contains(char::is_control) {
        return Err(DependProblem::Text(description.clone()));
    }
    if versions.len() > MAX_VERSIONS {
        return Err(DependProblem::TooManyVersions);
    }
    versions.iter().try_for_each(check_alternative)
}

fn check_alternative(alternative: &Alternative) -> Result<(), DependProblem> {
    let Alternative { arch, version } = alternative;
    let unusable = |text: &str| text.is_empty() || text.trim() != text || text.contains(char::is_control);
    let bad_arch = arch.as_deref().is_some_and(|arch| unusable(arch) || arch.contains(['(', ')']));
    let bad_version = version.as_deref().is_some_and(|version| unusable(version) || version.starts_with(['(', '#']));
    if bad_arch || bad_version || (arch.is_none() && version.is_none()) {
        return Err(DependProblem::Text(alternative.to_string()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn needs(package: &str, description: &str) -> Dependency {
        let kind = DependKind::Prerequisite;
        Dependency { kind, package: package.into(), description: description.into(), versions: Vec::new() }
    }

    fn problem(text: &str) -> (usize, DependProblem) {
        let error = Depend::parse(text).unwrap_err();
        (error.line, error.problem)
    }

    #[test]
    fn a_file_with_every_type_reads_and_writes_back() {
        let text = "P ABCbase The base\n\t(i386)1.0\n\t2.0\nI ABCold\nR ABCuser A user of this\n";
        let depend = Depend::parse(text).unwrap();
        assert_eq!(depend.0.len(), 3);
        assert_eq!(depend.0[0].versions[0].arch.as_deref(), Some("i386"));
        assert_eq!(depend.0[0].versions[1], Alternative { arch: None, version: Some("2.0".into()) });
        assert_eq!(depend.render().unwrap(), text);
    }

    #[test]
    fn tabs_comments_and_blank_lines_are_read_as_pkgadd_reads_them() {
        let depend = Depend::parse("# comment\n\nP\tABCbase\t The base \n   # also\n   (sparc)\n").unwrap();
        let mut expected = needs("ABCbase", "The base");
        expected.versions = vec![Alternative { arch: Some("sparc".into()), version: None }];
        assert_eq!(depend, Depend(vec![expected]));
    }

    #[test]
    fn what_would_overrun_the_reader_is_refused() {
        assert!(Depend(vec![needs("ABCbase", &"d".repeat(127))]).render().is_ok());
        let long = Depend(vec![needs("ABCbase", &"d".repeat(128))]).render().unwrap_err();
        assert_eq!(long.problem, DependProblem::DescriptionTooLong(128));
        assert_eq!(problem(&format!("P A x\n\t{}", "1".repeat(254))), (2, DependProblem::LineTooLong(255)));
        assert_eq!(problem(&format!("P A x\n{}", "\t1\n".repeat(50))), (51, DependProblem::TooManyVersions));
    }

    #[test]
    fn wrong_lines_are_named_with_their_number() {
        assert_eq!(problem("P A x\nQ B y"), (2, DependProblem::Kind("Q".into())));
        assert_eq!(problem("P"), (1, DependProblem::NoPackage));
        assert_eq!(problem(" 1.0"), (1, DependProblem::VersionFirst));
        assert_eq!(problem("P A x\n (i386 1.0"), (2, DependProblem::ArchNotClosed));
        assert!(matches!(problem("P A.2 x"), (1, DependProblem::Package { .. })));
    }

    #[test]
    fn a_version_that_reads_back_as_something_else_is_refused() {
        for (arch, version) in [(None, None), (None, Some("(x)1")), (Some(""), Some("1")), (None, Some("#1"))] {
            let mut dependency = needs("ABCbase", "");
            let own = |text: Option<&str>| text.map(str::to_owned);
            dependency.versions = vec![Alternative { arch: own(arch), version: own(version) }];
            assert!(Depend(vec![dependency]).render().is_err(), "{arch:?} {version:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_writes_and_reads_back_the_same(text in "([PIR#\t ]{1,2}[A-Za-z(). 0-9\t]{0,12}\n){0,6}") {
            if let Ok(depend) = Depend::parse(&text) {
                prop_assert_eq!(Depend::parse(&depend.render().unwrap()).unwrap(), depend);
            }
        }
    }
}
