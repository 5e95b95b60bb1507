//! What kind of image this is, and what of a package is for it.

use super::package::Action;

const ARCH: &str = "variant.arch";
const ZONE: &str = "variant.opensolaris.zone";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variants {
    /// `i386` on every simulated host.
    pub arch: String,
    pub is_global: bool,
}

impl Variants {
    pub fn of_zone(name: &str) -> Variants {
        Variants { arch: "i386".to_string(), is_global: name == "global" }
    }

    /// Whether a tag that lists these values lets an image of this kind have what it is on. An unknown variant is no
    /// hindrance.
    pub fn allows<'a>(&self, variant: &str, mut values: impl Iterator<Item = &'a str>) -> bool {
        match variant {
            ARCH => values.any(|v| v == self.arch),
            // A value that pkg does not know names no kind of zone, and so excludes none.
            ZONE => {
                let known: Vec<&str> = values.filter(|v| matches!(*v, "global" | "nonglobal")).collect();
                known.is_empty() || known.contains(&if self.is_global { "global" } else { "nonglobal" })
            }
            _ => true,
        }
    }

    pub fn delivers(&self, action: &Action) -> bool {
        [ARCH, ZONE].iter().all(|name| action.value(name).is_none() || self.allows(name, action.values(name)))
    }
}
