//! What pkg does about each defect of an archive: when it comes to light, with which exit status and in what words.
//!
//! The verdicts were taken from three builds of the real pkg; the wordings follow theirs.

use std::path::Path;

use xtask::finding::{Finding, Level};

use super::package::{Action, Package};
use super::refused::Refused;

/// When pkg meets a defect.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    /// On looking what the archive has.
    Catalog,
    /// On making a plan with the package.
    Plan,
    /// Later, by code of its own here; or never.
    Elsewhere,
}

fn stage(id: &str) -> Stage {
    match id {
        _ if id.starts_with("payload-") => Stage::Elsewhere,
        // Two actions for one path, and packages that are only a notice, are told from the plan as a whole.
        "path-conflict" | "obsolete-content" | "renamed-content" | "renamed-depend" => Stage::Elsewhere,
        "version-build" | "manifest-size" | "manifest-text" => Stage::Plan,
        "mode" | "account" | "attribute-missing" | "attribute-repeated" | "mediator-version" => Stage::Plan,
        _ if ["action-", "depend-", "path-"].iter().any(|group| id.starts_with(group)) => Stage::Plan,
        _ => Stage::Catalog,
    }
}

fn errors(findings: &[Finding], at: Stage) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(move |f| f.level == Level::Error && stage(f.id) == at)
}

/// An origin as pkg names it.
fn uri(path: &Path) -> String {
    format!("file://{}/", path.display())
}

fn protocol(code: &str, reason: impl std::fmt::Display) -> Refused {
    Refused::oops(format!("file protocol error: code: {code} reason: {reason}"))
}

/// There is no archive, or nothing that could be one.
pub fn unusable(path: &Path) -> Refused {
    protocol("E_HTTP_NOT_FOUND (22)", format!("Archive {} is missing, unsupported, or corrupt.", path.display()))
}

/// Whether pkg finds packages in the archive at all.
pub fn archive(path: &Path, findings: &[Finding]) -> Result<(), Refused> {
    let Some(first) = errors(findings, Stage::Catalog).next() else { return Ok(()) };
    // Without its publisher an archive is nothing to pkg, whatever else is wrong with it.
    let publisher = errors(findings, Stage::Catalog).find(|f| f.id == "publisher-missing");
    Err(match (publisher, first.id) {
        (Some(_), _) => Refused::oops(format!(
            "The package repository at {} does not provide publisher configuration information or the information \
             provided is incomplete or invalid.",
            uri(path)
        )),
        (None, "version") => {
            let version = first.message.split('"').nth(1).unwrap_or_default();
            let url = format!("Bad Version: {version} Repository URL: '{}'", uri(path));
            protocol("E_TFTP_ILLEGAL (71)", url)
        }
        (None, "index-unlisted") => lost(path, &first.place),
        (None, _) => unusable(path),
    })
}

/// Whether a plan can be made with a package whose manifest is this member.
pub fn manifest(path: &Path, package: &Package, member: &str, findings: &[Finding]) -> Result<(), Refused> {
    let own = |f: &&Finding| f.place == member || f.place.starts_with(&format!("{member} line "));
    let Some(first) = errors(findings, Stage::Plan).find(own) else { return Ok(()) };
    let fmri = package.fmri();
    if first.id == "version-build" {
        let reason = format!("No package manifest for {fmri} exists in archive {}.", path.display());
        return Err(protocol("E_FAILED_INIT (2)", reason));
    }
    let message = format!("{fmri}: Malformed or invalid action: {}", first.message);
    // These two nobody checks before they are used.
    if first.id == "mediator-version" || first.message == "depend without type" {
        return Err(Refused::traceback(format!("KeyError\n{message}")));
    }
    Err(Refused::oops(message))
}

/// pkg reckons that there is nothing to transfer, and then misses it.
pub fn nothing_to_transfer(path: &Path, package: &Package) -> Refused {
    let url = format!("Repository URL: '{}'", uri(path));
    Refused::oops(format!("{}   file protocol error: code: E_TFTP_ILLEGAL (71) {url}", package.fmri()))
}

pub fn payload_missing(path: &Path, member: &str) -> Refused {
    // Without a hash pkg looks for this name.
    lost(path, member)
}

fn lost(path: &Path, member: &str) -> Refused {
    protocol("E_HTTP_NOT_FOUND (22)", format!("Archive {} does not contain: {member}", path.display()))
}

/// Nothing has been changed yet: the content came over damaged.
pub fn payload_damaged(package: &Package, action: &Action, expected: &str, actual: &str) -> Refused {
    Refused::oops(format!(
        "{}   1: Invalid contentpath {}: chash failure: expected: {expected} computed: {actual}",
        package.fmri(),
        action.path()
    ))
}

/// In the middle of the work.
pub fn failed_action(action: &Action, details: &str) -> Refused {
    Refused::oops(format!(
        "Action upgrade or installation failed:\n  ActionExecutionError: Requested operation failed for action \
         {action}:\n  {details}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defects_come_to_light_in_their_time() {
        for id in ["archive-gzip", "index-version", "tar-truncated", "publisher-missing", "version", "member-type"] {
            assert_eq!(stage(id), Stage::Catalog, "{id}");
        }
        for id in ["version-build", "action-malformed", "attribute-missing", "depend-fmri", "mode", "path-parent"] {
            assert_eq!(stage(id), Stage::Plan, "{id}");
        }
        for id in ["payload-gzip", "payload-chash", "path-conflict", "obsolete-content"] {
            assert_eq!(stage(id), Stage::Elsewhere, "{id}");
        }
    }
}
