//! Rights as text and as values: what `ls -V` prints, what the properties keep, and what of it is to be trusted.
//!
//! The properties can be written by whoever has been given the right to, and their values are acted on by root: each
//! is checked in full before it is used.

use crate::zfs::parse::OwnedVolume;

pub const USER: &str = "owner:user";
pub const GROUP: &str = "owner:group";
pub const CHMOD: &str = "owner:chmod";
pub const ACL: &str = "owner:acl";
/// What a property is set to in order to mean nothing: what `zfs` shows for one that is not set.
pub const UNSET: &str = "-";

/// The mode of a new node.
const DEFAULT_MODE: u32 = 0o600;
/// Longer names and lists than any system has.
const NAME_MAX: usize = 256;
const ACL_MAX: usize = 8192;

/// The rights on a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    pub user: String,
    pub group: String,
    /// Of the permission bits only.
    pub mode: u32,
    /// In the form of `ls -V`, commas between the entries; `None` where the mode says it all.
    pub acl: Option<String>,
}

/// What a volume's properties say; what is `None` is left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Saved {
    pub user: Option<String>,
    pub group: Option<String>,
    pub mode: Option<u32>,
    pub acl: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RightsError {
    #[error("{property} is {value:?}, which is not the name of a user or a group")]
    Name { property: &'static str, value: String },
    #[error("owner:chmod is {value:?}, which is neither like u=rw,g=r,o= nor like 0640")]
    Mode { value: String },
    #[error("the ACL has an entry {entry:?}, and {why}")]
    Acl { entry: String, why: &'static str },
    #[error("ls -V printed what is no ACL: {text:?}")]
    Listing { text: String },
    #[error("its two nodes differ: {dsk} on dsk, {rdsk} on rdsk; give both the same")]
    Conflict { dsk: String, rdsk: String },
}

impl Saved {
    pub fn of(volume: &OwnedVolume) -> Result<Saved, RightsError> {
        let name = |property, value: &Option<String>| match value {
            Some(value) if !is_name(value) => Err(RightsError::Name { property, value: value.clone() }),
            value => Ok(value.clone()),
        };
        Ok(Saved {
            user: name(USER, &volume.user)?,
            group: name(GROUP, &volume.group)?,
            mode: volume.chmod.as_deref().map(parse_mode).transpose()?,
            acl: volume.acl.as_deref().map(parse_acl).transpose()?,
        })
    }

    pub fn is_empty(&self) -> bool {
        *self == Saved::default()
    }

    /// The properties to set, with their values, so that they say what these rights are.
    pub fn changes_to(&self, rights: &Rights) -> Vec<(&'static str, String)> {
        let mut changes = Vec::new();
        if self.user.as_ref() != Some(&rights.user) {
            changes.push((USER, rights.user.clone()));
        }
        if self.group.as_ref() != Some(&rights.group) {
            changes.push((GROUP, rights.group.clone()));
        }
        if self.mode != Some(rights.mode) {
            changes.push((CHMOD, mode_text(rights.mode)));
        }
        if self.acl != rights.acl {
            changes.push((ACL, rights.acl.clone().unwrap_or(UNSET.to_string())));
        }
        changes
    }
}

impl Rights {
    /// Whether these are the rights of a new node, which say nothing.
    pub fn are_default(&self) -> bool {
        let system = self.user == "root" && matches!(self.group.as_str(), "root" | "sys");
        system && self.mode == DEFAULT_MODE && self.acl.is_none()
    }
}

impl std::fmt::Display for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let acl = self.acl.as_deref().unwrap_or(UNSET);
        write!(f, "{}:{} {} {acl}", self.user, self.group, mode_text(self.mode))
    }
}

impl std::fmt::Display for Saved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |value: &Option<String>| value.clone().unwrap_or(UNSET.to_string());
        let mode = self.mode.map(mode_text);
        write!(f, "{}:{} {} {}", text(&self.user), text(&self.group), text(&mode), text(&self.acl))
    }
}

/// The rights to save of a volume with these nodes: those that are not the default. Where all are, `None`, unless they
/// are wanted too.
pub fn to_save<'r>(
    dsk: Option<&'r Rights>,
    rdsk: Option<&'r Rights>,
    defaults_too: bool,
) -> Result<Option<&'r Rights>, RightsError> {
    let given = |rights: Option<&'r Rights>| rights.filter(|r| !r.are_default());
    match (given(dsk), given(rdsk)) {
        (Some(dsk), Some(rdsk)) if dsk != rdsk => {
            Err(RightsError::Conflict { dsk: dsk.to_string(), rdsk: rdsk.to_string() })
        }
        (None, None) => Ok(dsk.or(rdsk).filter(|_| defaults_too)),
        (dsk, rdsk) => Ok(dsk.or(rdsk)),
    }
}

/// `u=rw,g=r,o=`
pub fn mode_text(mode: u32) -> String {
    let bits = |shift: u32| -> String {
        let bits = mode >> shift;
        [(4, 'r'), (2, 'w'), (1, 'x')].iter().filter(|(bit, _)| bits & bit != 0).map(|(_, c)| c).collect()
    };
    format!("u={},g={},o={}", bits(6), bits(3), bits(0))
}

/// `u=rw,g=r,o=` or `0640`: permission bits and nothing else.
fn parse_mode(value: &str) -> Result<u32, RightsError> {
    let wrong = || RightsError::Mode { value: value.to_string() };
    if (3..=4).contains(&value.len()) && value.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
        return u32::from_str_radix(value, 8).ok().filter(|mode| *mode <= 0o777).ok_or_else(wrong);
    }
    let clauses: Vec<&str> = value.split(',').collect();
    let [user, group, others] = clauses.as_slice() else { return Err(wrong()) };
    let bits = |clause: &str, who: &str| {
        let mut bits = 0;
        for c in clause.strip_prefix(who)?.strip_prefix('=')?.chars() {
            let bit = match c {
                'r' => 4,
                'w' => 2,
                'x' => 1,
                _ => return None,
            };
            if bits & bit != 0 {
                return None;
            }
            bits |= bit;
        }
        Some(bits)
    };
    let mode = || Some(bits(user, "u")? << 6 | bits(group, "g")? << 3 | bits(others, "o")?);
    mode().ok_or_else(wrong)
}

/// A name as passwd and group may have it, or a number: nothing that a program could take for an option.
fn is_name(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    begins && text.len() <= NAME_MAX && text.chars().all(|c| c.is_ascii_alphanumeric() || "_.-$".contains(c))
}

/// The ACL that `ls -dVL` shows: a first line that ends its permissions in `+`, then an entry a line. `None` where
/// there is no `+`: the mode says it all.
pub fn acl_of_listing(output: &str) -> Result<Option<String>, RightsError> {
    let wrong = || RightsError::Listing { text: output.chars().take(200).collect() };
    let mut lines = output.lines();
    let permissions = lines.next().and_then(|line| line.split_whitespace().next()).ok_or_else(wrong)?;
    let extra = permissions.get(10..).filter(|_| permissions.is_ascii()).ok_or_else(wrong)?;
    let entries: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    match extra {
        "+" if !entries.is_empty() => parse_acl(&entries.join(",")).map(Some),
        "" => Ok(None),
        _ => Err(wrong()),
    }
}

/// An ACL in the compact form of NFSv4, commas between the entries, and perhaps one at the end, as it used to be saved.
fn parse_acl(text: &str) -> Result<String, RightsError> {
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.len() > ACL_MAX {
        let entry = text.chars().take(40).collect();
        return Err(RightsError::Acl { entry, why: "the whole is longer than any ACL" });
    }
    for entry in text.split(',') {
        check_entry(entry).map_err(|why| RightsError::Acl { entry: entry.to_string(), why })?;
    }
    Ok(text.to_string())
}

/// `owner@:rw-p--aARWcCos:-------:allow`, `user:ann:rw------------:-------:allow`
fn check_entry(entry: &str) -> Result<(), &'static str> {
    let fields: Vec<&str> = entry.split(':').collect();
    let (permissions, flags, kind) = match fields.as_slice() {
        ["owner@" | "group@" | "everyone@", permissions, flags, kind] => (permissions, flags, kind),
        ["user" | "group", name, permissions, flags, kind] if is_name(name) => (permissions, flags, kind),
        _ => {
            return Err(
                "it is none of owner@, group@, everyone@, user:NAME or group:NAME with permissions, flags and type",
            );
        }
    };
    let of = |text: &str, letters: &str| text.chars().all(|c| c == '-' || letters.contains(c));
    if permissions.is_empty() || permissions.len() > 14 || !of(permissions, "rwxpdDaARWcCos") {
        return Err("its permissions are not of rwxpdDaARWcCos");
    }
    if flags.len() > 7 || !of(flags, "fdinSFI") {
        return Err("its flags are not of fdinSFI");
    }
    if !matches!(*kind, "allow" | "deny") {
        return Err("it neither allows nor denies");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
