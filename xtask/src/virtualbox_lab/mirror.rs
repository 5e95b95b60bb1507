//! Which Debian mirror the laboratory is made from: the one this host's apt uses, or one that is named.

use std::env;
use std::process::{Command, Stdio};

/// Names a mirror, for hosts whose apt knows no Debian.
pub const VARIABLE: &str = "VBOXSVC_DEBIAN_MIRROR";
/// One line for each index that apt is configured to fetch.
const FORMAT: &str = "$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)";

pub fn mirror() -> Option<String> {
    if let Some(named) = env::var(VARIABLE).ok().filter(|uri| !uri.is_empty()) {
        return Some(named);
    }
    let listed = Command::new("apt-get")
        .args(["indextargets", "--format", FORMAT])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    debian(&String::from_utf8_lossy(&listed.stdout)).map(str::to_string)
}

/// The first archive that is Debian itself (its security archive has no sid), by a method that debootstrap knows too.
fn debian(indexes: &str) -> Option<&str> {
    indexes.lines().find_map(|line| match line.split('|').collect::<Vec<_>>().as_slice() {
        ["Packages", "Debian", "Debian", "main", uri] => known_to_debootstrap(uri).then_some(*uri),
        _ => None,
    })
}

fn known_to_debootstrap(uri: &str) -> bool {
    ["http://", "https://", "file:/"].iter().any(|method| uri.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_debian_archive_that_debootstrap_can_use_is_taken() {
        let indexes = "\
Packages|Somebody|Their tools|main|https://tools.example/apt/
DEP-11|Debian|Debian|main|https://zero.example/debian/
Packages|Debian|Debian-Security|main|https://one.example/debian-security/
Packages|Debian|Debian|contrib|https://two.example/debian/
Packages|Debian|Debian|main|mirror+file:/etc/apt/mirrors.list
Packages|Debian|Debian|main|https://three.example/debian/
Packages|Debian|Debian|main|https://four.example/debian/
";
        assert_eq!(debian(indexes), Some("https://three.example/debian/"));
    }

    #[test]
    fn a_host_of_another_kind_has_none() {
        assert_eq!(debian("Packages|Ubuntu|Ubuntu|main|https://one.example/ubuntu/\n"), None);
        assert_eq!(debian(""), None);
    }
}
