//! Package archives (.p5p), member for member as pkgrecv writes them.
//!
//! A plain tar of a repository: the index, then for each package its manifest and its payloads below
//! `publisher/<publisher>`, then the repository's configuration. The same packages give the same bytes.

use std::collections::HashSet;
use std::io::{self, Write};

use tar::{Builder, EntryType, Header};

use super::action::{Action, Package};
use super::error::IpsError;
use super::fmri::{Fmri, Publisher, quote};
use super::format::{FILE_DIR, INDEX_COMMENT, INDEX_NAME, PKG_DIR, PUBLISHER_DIR, RECORD, REPOSITORY_NAME};
use super::index::{Entry, index};
use super::manifest::{sort, stored_line};
use super::payload::{Payload, Store};
use super::validate;

/// What was written.
#[derive(Debug)]
pub struct Written {
    /// One for each package, in the order given.
    pub packages: Vec<WrittenPackage>,
    /// Every payload once, in the archive's order.
    pub payloads: Vec<Payload>,
    /// Length of the archive.
    pub bytes: u64,
}

#[derive(Debug)]
pub struct WrittenPackage {
    /// The full name, publisher and timestamp included.
    pub fmri: Fmri,
    /// The stored manifest: what `pkg contents -m` prints.
    pub manifest: String,
}

/// Writes an archive of packages of one publisher. `mtime` is every member's time of change, in seconds since 1970.
/// Packages are checked, and all content read, before the first byte goes out; after an error, what went out is no
/// archive.
pub fn write(publisher: &str, packages: &[Package], mtime: u64, out: &mut impl Write) -> Result<Written, IpsError> {
    let publisher: Publisher = publisher.parse()?;
    let mut store = Store::new();
    let mut plan = Plan::new(&publisher);
    let mut written = Vec::new();
    for package in packages {
        let fmri = published_name(package, &publisher)?;
        if written.iter().any(|w: &WrittenPackage| w.fmri == fmri) {
            return Err(IpsError::DuplicatePackage { package: fmri.to_string() });
        }
        validate::check(package)?;
        let (manifest, payloads) = publish(package, &fmri, &mut store)?;
        plan.package(&fmri, &manifest, &payloads);
        written.push(WrittenPackage { fmri, manifest });
    }
    plan.file(REPOSITORY_NAME.to_owned(), Body::Text(repository_text(&publisher)));
    let bytes = plan.write(&mut store, mtime, out)?;
    Ok(Written { packages: written, payloads: plan.into_payloads(), bytes })
}

fn published_name(package: &Package, publisher: &Publisher) -> Result<Fmri, IpsError> {
    let name = || package.fmri.to_string();
    if package.fmri.version.as_ref().is_none_or(|v| v.timestamp.is_none()) {
        return Err(IpsError::NoTimestamp { package: name() });
    }
    match &package.fmri.publisher {
        Some(other) if other != publisher => {
            Err(IpsError::OtherPublisher { package: name(), publisher: publisher.to_string() })
        }
        _ => Ok(Fmri { publisher: Some(publisher.clone()), ..package.fmri.clone() }),
    }
}

/// What pkgsend does to a package: names it, compresses its payloads, describes them in their actions, and puts the
/// manifest in order. The payloads come in the manifest's order.
fn publish(package: &Package, fmri: &Fmri, store: &mut Store) -> Result<(String, Vec<Payload>), IpsError> {
    let name = Action::set("pkg.fmri", &fmri.to_string());
    let mut entries = Vec::with_capacity(package.actions.len() + 1);
    for action in std::iter::once(&name).chain(&package.actions) {
        let payload = action.content.as_ref().map(|content| store.add(action, content)).transpose()?;
        let action = payload.as_ref().map_or_else(|| action.clone(), |p| p.describe(action));
        let line = stored_line(&action, payload.as_ref().map(|p| p.sha1.as_str()));
        entries.push((action, line, payload));
    }
    sort(&mut entries, |e| &e.0, |e| &e.1);
    let manifest = entries.iter().map(|e| format!("{}\n", e.1)).collect();
    Ok((manifest, entries.into_iter().filter_map(|e| e.2).collect()))
}

fn repository_text(publisher: &Publisher) -> String {
    format!("[CONFIGURATION]\nversion = 4\n\n[publisher]\nprefix = {publisher}\n\n[repository]\nversion = 4\n")
}

enum Body {
    Directory,
    Text(String),
    Payload(Payload),
}

impl Body {
    fn size(&self) -> u64 {
        match self {
            Self::Directory => 0,
            Self::Text(text) => text.len() as u64,
            Self::Payload(payload) => payload.csize,
        }
    }
}

/// The members that follow the index, in order.
struct Plan {
    root: String,
    members: Vec<(String, Body)>,
    names: HashSet<String>,
}

impl Plan {
    fn new(publisher: &Publisher) -> Self {
        let root = format!("{PUBLISHER_DIR}/{publisher}");
        let mut plan = Self { root, members: Vec::new(), names: HashSet::new() };
        plan.directory(PUBLISHER_DIR.to_owned());
        plan.directory(plan.root.clone());
        plan
    }

    fn directory(&mut self, name: String) {
        if self.names.insert(name.clone()) {
            self.members.push((name, Body::Directory));
        }
    }

    fn file(&mut self, name: String, body: Body) {
        if self.names.insert(name.clone()) {
            self.members.push((name, body));
        }
    }

    fn package(&mut self, fmri: &Fmri, manifest: &str, payloads: &[Payload]) {
        let manifests = format!("{}/{PKG_DIR}", self.root);
        let stem = format!("{manifests}/{}", quote(fmri.name.as_str()));
        let version = fmri.version.as_ref().map(ToString::to_string).unwrap_or_default();
        self.directory(manifests);
        self.directory(stem.clone());
        self.file(format!("{stem}/{}", quote(&version)), Body::Text(manifest.to_owned()));
        let files = format!("{}/{FILE_DIR}", self.root);
        for payload in payloads {
            let fan = payload.sha1.get(..2).unwrap_or(&payload.sha1);
            self.directory(files.clone());
            self.directory(format!("{files}/{fan}"));
            self.file(format!("{files}/{fan}/{}", payload.sha1), Body::Payload(payload.clone()));
        }
    }

    fn write(&self, store: &mut Store, mtime: u64, out: &mut impl Write) -> Result<u64, IpsError> {
        let entries: Vec<Entry> = self
            .members
            .iter()
            .map(|(name, body)| Entry {
                name: name.clone(),
                size: body.size(),
                directory: matches!(body, Body::Directory),
            })
            .collect();
        let index = index(&entries).map_err(IpsError::Write)?;

        let mut tar = Builder::new(CountingWriter { inner: out, length: 0 });
        append_comment(&mut tar).map_err(IpsError::Write)?;
        append(&mut tar, INDEX_NAME, false, index.len() as u64, mtime, index.as_slice())?;
        for (name, body) in &self.members {
            let size = body.size();
            match body {
                Body::Directory => append(&mut tar, &format!("{name}/"), true, size, mtime, io::empty())?,
                Body::Text(text) => append(&mut tar, name, false, size, mtime, text.as_bytes())?,
                Body::Payload(payload) => {
                    let bytes = store.read(payload).map_err(IpsError::Spool)?;
                    append(&mut tar, name, false, size, mtime, bytes)?;
                }
            }
        }
        let mut out = tar.into_inner().map_err(IpsError::Write)?;
        let padding = out.length.next_multiple_of(RECORD) - out.length;
        io::copy(&mut io::Read::take(io::repeat(0), padding), &mut out).map_err(IpsError::Write)?;
        out.flush().map_err(IpsError::Write)?;
        Ok(out.length)
    }

    fn into_payloads(self) -> Vec<Payload> {
        let payload = |(_, body)| if let Body::Payload(payload) = body { Some(payload) } else { None };
        self.members.into_iter().filter_map(payload).collect()
    }
}

/// The pax header without which pkg ignores the index. Made here and not by the tar crate, which leaves its name empty
/// where Python's tarfile does not.
fn append_comment<W: Write>(tar: &mut Builder<W>) -> io::Result<()> {
    let rest = format!(" comment={INDEX_COMMENT}\n");
    // The length counts its own two digits.
    let record = format!("{}{rest}", rest.len() + 2);
    let mut header = Header::new_ustar();
    if let Some(ustar) = header.as_ustar_mut() {
        // set_path would drop the leading "./".
        let name = b"././@PaxHeader";
        ustar.name.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
    }
    header.set_entry_type(EntryType::XHeader);
    header.set_size(record.len() as u64);
    header.set_mode(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    seal(&mut header)?;
    tar.append(&header, record.as_bytes())
}

fn append<W: Write>(
    tar: &mut Builder<W>,
    name: &str,
    directory: bool,
    size: u64,
    mtime: u64,
    body: impl io::Read,
) -> Result<(), IpsError> {
    let mut header = Header::new_ustar();
    header.set_path(name).map_err(|source| IpsError::MemberName { name: name.to_owned(), source })?;
    header.set_entry_type(if directory { EntryType::Directory } else { EntryType::Regular });
    header.set_mode(if directory { 0o755 } else { 0o644 });
    header.set_size(size);
    header.set_mtime(mtime);
    header.set_uid(0);
    header.set_gid(0);
    header.set_username("root").map_err(IpsError::Write)?;
    header.set_groupname("root").map_err(IpsError::Write)?;
    seal(&mut header).map_err(IpsError::Write)?;
    tar.append(&header, body).map_err(IpsError::Write)
}

/// Sets the checksum in the traditional six digits, as Python's tarfile does; the tar crate would write seven.
fn seal(header: &mut Header) -> io::Result<()> {
    header.set_cksum();
    let sum = format!("{:06o}\0 ", header.cksum()?);
    header.as_old_mut().cksum.iter_mut().zip(sum.bytes()).for_each(|(to, from)| *to = from);
    Ok(())
}

struct CountingWriter<W> {
    inner: W,
    length: u64,
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.inner.write(bytes)?;
        self.length += length as u64;
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
