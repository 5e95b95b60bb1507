//! The release notes: the changelog's section of a version.

/// The section under `## VERSION`, whatever follows the version on that line, up to the next heading of its level.
/// `None` if it is not there or empty.
pub fn cut(changelog: &str, version: &str) -> Option<String> {
    let mut lines = changelog.lines().skip_while(|line| heading(line) != Some(version));
    let title = lines.next()?.trim_start_matches('#').trim();
    let body: Vec<&str> = lines.take_while(|line| heading(line).is_none()).collect();
    let body = body.join("\n");
    let body = body.trim();
    (!body.is_empty()).then(|| format!("# {title}\n\n{body}\n"))
}

/// The version of a heading such as `## 1.2`, `## [1.2] - 2026-01-01` or `## v1.2`.
fn heading(line: &str) -> Option<&str> {
    let word = line.strip_prefix("## ")?.split_whitespace().next()?;
    let word = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    Some(word.strip_prefix('v').unwrap_or(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str =
        "# Changelog\n\nAll of it.\n\n## [1.10] - 2026-01-02\n\n### Added\n- a\n\n## 1.1\n\n- b\n\n## 1.0\n\n";

    #[test]
    fn the_section_of_the_version_and_no_other_is_cut() {
        assert_eq!(cut(LOG, "1.1").unwrap(), "# 1.1\n\n- b\n");
        assert_eq!(cut(LOG, "1.10").unwrap(), "# [1.10] - 2026-01-02\n\n### Added\n- a\n");
    }

    #[test]
    fn a_section_that_is_not_there_or_empty_is_none() {
        for version in ["1.0", "1", "2.0", ""] {
            assert_eq!(cut(LOG, version), None, "{version:?}");
        }
        assert_eq!(cut("", "1.0"), None);
    }

    #[test]
    fn the_committed_changelog_has_this_version() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../CHANGELOG.md");
        assert!(cut(&std::fs::read_to_string(path).unwrap(), env!("CARGO_PKG_VERSION")).is_some());
    }
}
