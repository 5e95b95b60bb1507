//! Goes through a stream from its header to its last archive and hands each package to the checks.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use super::check;
use super::cpio::{self, Member, Next};
use super::finding::Findings;
use super::header::{self, Listed};
use super::input::Input;
use super::{ReadPackage, Report, Stored, Visitor};
use crate::svr4::pkgmap::parse::unsafe_path;
use crate::svr4::{S_IFDIR, S_IFMT, S_IFREG};

/// No package comes near; without a limit a stream of empty members would fill the memory.
const MAX_MEMBERS: usize = 1_000_000;

/// The most kept of any pkginfo, pkgmap or depend.
const MAX_TEXT: u64 = 16 * 1024 * 1024;

/// The most kept of all of them.
const MAX_TEXTS: u64 = 128 * 1024 * 1024;

/// pkginfo and pkgmap of a package.
#[derive(Debug, Default, Clone)]
pub struct Texts {
    pub pkginfo: Option<Vec<u8>>,
    pub pkgmap: Option<Vec<u8>>,
}

/// What the archives hold of one package.
#[derive(Debug, Default)]
pub struct Contents {
    pub texts: Texts,
    pub depend: Option<Vec<u8>>,
    pub files: BTreeMap<String, Stored>,
}

/// Whether the stream can be read on after an archive.
#[derive(PartialEq, Eq)]
enum Outcome {
    Whole,
    Lost,
}

struct Session<'v, R> {
    input: Input<R>,
    findings: Findings,
    visitor: &'v mut dyn Visitor,
    members: usize,
    texts: u64,
}

pub fn read<R: Read>(input: R, visitor: &mut dyn Visitor) -> io::Result<Report> {
    let mut session =
        Session { input: Input::new(input), findings: Findings::default(), visitor, members: 0, texts: 0 };
    let packages = session.stream()?;
    // For the length of the whole stream, whatever became of it.
    session.input.pass(u64::MAX, &mut |_| ())?;
    Ok(Report { packages, findings: session.findings.into_vec(), bytes: session.input.position() })
}

impl<R: Read> Session<'_, R> {
    fn stream(&mut self) -> io::Result<Vec<ReadPackage>> {
        let Some(listed) = header::read(&mut self.input, &mut self.findings)? else { return Ok(Vec::new()) };
        let mut tables = BTreeMap::new();
        if self.table(&listed, &mut tables)? == Outcome::Lost {
            return Ok(Vec::new());
        }
        let mut packages = Vec::new();
        let mut archive: u64 = 0;
        for listed in listed {
            let mut contents = Contents::default();
            for part in 1..=listed.parts {
                archive += 1;
                let place = format!("archive {archive} ({}, part {part})", listed.name);
                if self.input.at_end()? {
                    self.findings.error("archive-missing", &place, "the stream ends before this archive");
                    break;
                }
                if self.package(&listed.name, &place, &mut contents)? == Outcome::Lost {
                    packages.push(check::unchecked(listed, contents));
                    return Ok(packages);
                }
            }
            let table = tables.remove(&listed.name).unwrap_or_default();
            packages.push(check::package(listed, &table, contents, &mut self.findings));
        }
        self.after_last_archive()?;
        Ok(packages)
    }

    /// Archive 0: copies of every package's pkginfo and pkgmap.
    fn table(&mut self, listed: &[Listed], tables: &mut BTreeMap<String, Texts>) -> io::Result<Outcome> {
        let place = "archive 0";
        let packages: BTreeSet<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
        self.archive(place, |session, member| {
            let Some(name) = session.safe_name(place, member) else { return session.pass_over(member) };
            if member.mode & S_IFMT == S_IFDIR {
                return session.pass_over(member);
            }
            let of_package = name.split_once('/').filter(|(package, _)| packages.contains(package));
            let (package, file) = of_package.unwrap_or_default();
            let text = match file {
                "pkginfo" => &mut tables.entry(package.to_owned()).or_default().pkginfo,
                "pkgmap" => &mut tables.entry(package.to_owned()).or_default().pkgmap,
                _ => {
                    let message = format!("{name:?} is not pkginfo or pkgmap of a package in the header");
                    session.findings.warning("member-unknown", place, message);
                    return session.pass_over(member);
                }
            };
            session.keep(place, member, text)
        })
    }

    /// One archive of a package, its files added to `contents`.
    fn package(&mut self, package: &str, place: &str, contents: &mut Contents) -> io::Result<Outcome> {
        let earlier = std::mem::take(&mut contents.texts);
        let outcome =
            self.archive(place, |session, member| session.package_member(package, place, member, contents))?;
        // Later parts bring pkginfo again and no map.
        let again = std::mem::take(&mut contents.texts);
        if earlier.pkginfo.is_some() && again.pkginfo.is_some() && earlier.pkginfo != again.pkginfo {
            self.findings.error("table-differs", place, "pkginfo differs from that of the first part");
        }
        contents.texts = Texts { pkginfo: earlier.pkginfo.or(again.pkginfo), pkgmap: earlier.pkgmap.or(again.pkgmap) };
        Ok(outcome)
    }

    fn package_member(
        &mut self,
        package: &str,
        place: &str,
        member: &Member,
        contents: &mut Contents,
    ) -> io::Result<bool> {
        let Some(name) = self.safe_name(place, member) else { return self.pass_over(member) };
        match member.mode & S_IFMT {
            S_IFDIR => return self.pass_over(member),
            // An archive without type bits is read as files, as cpio does.
            S_IFREG | 0 => {}
            _ => {
                let message = format!("{name:?} is neither file nor directory; those live in the map only");
                self.findings.error("member-type", place, message);
                return self.pass_over(member);
            }
        }
        let is_text = matches!(name.as_str(), "pkginfo" | "pkgmap" | "install/depend");
        let mut text = (is_text && self.affordable(place, &member.name, member.size)).then(Vec::new);
        let (complete, stored) = self.file(package, &name, place, member, text.as_mut())?;
        let twice = match name.as_str() {
            "pkginfo" => replace(&mut contents.texts.pkginfo, text),
            "pkgmap" => replace(&mut contents.texts.pkgmap, text),
            _ => {
                if is_text {
                    contents.depend = text;
                }
                if !in_known_tree(&name) {
                    self.findings.warning("member-unknown", place, format!("{name:?} is in no tree of a package"));
                }
                contents.files.insert(name.clone(), stored).is_some()
            }
        };
        if twice {
            self.findings.error("member-duplicate", place, format!("{name:?} is there twice"));
        }
        Ok(complete)
    }

    /// Goes through one archive; `each` must read its member's data and says whether they were complete.
    fn archive(
        &mut self,
        place: &str,
        mut each: impl FnMut(&mut Self, &Member) -> io::Result<bool>,
    ) -> io::Result<Outcome> {
        let mut first = true;
        loop {
            match cpio::next(&mut self.input)? {
                Next::Member(member) => {
                    self.members += 1;
                    if self.members > MAX_MEMBERS {
                        let message = format!("there are more than {MAX_MEMBERS} members; the rest is not read");
                        self.findings.error("too-many-members", place, message);
                        return Ok(Outcome::Lost);
                    }
                    if !each(self, &member)? {
                        let message = format!("the stream ends within {:?}", member.name);
                        self.findings.error("archive-cut", place, message);
                        return Ok(Outcome::Lost);
                    }
                    first = false;
                    continue;
                }
                Next::Trailer { block_filled } => {
                    if !block_filled {
                        self.findings.warning("last-block-short", place, "the stream does not fill its last block");
                    }
                    return Ok(Outcome::Whole);
                }
                Next::Cut => {
                    self.findings.error("archive-cut", place, "the stream ends before the archive's trailer");
                }
                Next::NotAHeader if first => {
                    self.findings.error("archive-magic", place, "is not a cpio archive");
                }
                Next::NotAHeader => {
                    self.findings.error("archive-damaged", place, "a member does not begin with a cpio header");
                }
                Next::Damaged(what) => self.findings.error("archive-damaged", place, what),
            }
            return Ok(Outcome::Lost);
        }
    }

    /// A member's name without `./`; `None`, and a finding, if making a file of it could do harm.
    fn safe_name(&mut self, place: &str, member: &Member) -> Option<String> {
        let mut name = member.name.strip_prefix("./").unwrap_or(&member.name);
        if member.mode & S_IFMT == S_IFDIR {
            // Some producers have the top folder as a member, or end folders with a slash.
            name = name.strip_suffix('/').unwrap_or(name);
            if matches!(name, "" | ".") {
                return Some(".".to_owned());
            }
        }
        let problem = if name.starts_with('/') { Some("is absolute") } else { unsafe_path(name) };
        if let Some(problem) = problem {
            self.findings.error("member-unsafe", place, format!("the name {:?} {problem}", member.name));
            return None;
        }
        Some(name.to_owned())
    }

    fn pass_over(&mut self, member: &Member) -> io::Result<bool> {
        cpio::data(&mut self.input, member, &mut |_| ())
    }

    /// Reads a text to be kept, from archive 0.
    fn keep(&mut self, place: &str, member: &Member, text: &mut Option<Vec<u8>>) -> io::Result<bool> {
        if text.is_some() {
            self.findings.error("member-duplicate", place, format!("{:?} is there twice", member.name));
        }
        if !self.affordable(place, &member.name, member.size) {
            return self.pass_over(member);
        }
        let mut bytes = Vec::new();
        let complete = cpio::data(&mut self.input, member, &mut |piece| bytes.extend_from_slice(piece))?;
        *text = Some(bytes);
        Ok(complete)
    }

    /// Whether a text may be kept in memory.
    fn affordable(&mut self, place: &str, name: &str, size: u64) -> bool {
        let total = self.texts.saturating_add(size);
        if size > MAX_TEXT || total > MAX_TEXTS {
            let message = format!("{name:?} of {size} bytes is more than is kept of a text, or of all together");
            self.findings.error("text-too-large", place, message);
            return false;
        }
        self.texts = total;
        true
    }

    /// Passes a file through the checksum, to the visitor and into `keep`.
    fn file(
        &mut self,
        package: &str,
        name: &str,
        place: &str,
        member: &Member,
        mut keep: Option<&mut Vec<u8>>,
    ) -> io::Result<(bool, Stored)> {
        let mut sum: u64 = 0;
        self.visitor.begin(package, name, member.size);
        let visitor = &mut *self.visitor;
        let complete = cpio::data(&mut self.input, member, &mut |piece| {
            sum += piece.iter().map(|byte| u64::from(*byte)).sum::<u64>();
            if let Some(keep) = &mut keep {
                keep.extend_from_slice(piece);
            }
            visitor.data(piece);
        })?;
        self.visitor.end(complete);
        if complete && member.sum.is_some_and(|stated| u64::from(stated) != sum % (1 << 32)) {
            let message = format!("the bytes of {name:?} do not have the sum its header states");
            self.findings.error("cpio-crc", place, message);
        }
        Ok((complete, Stored { size: member.size, cksum: fold(sum), mode: member.mode, mtime: member.mtime }))
    }

    fn after_last_archive(&mut self) -> io::Result<()> {
        let mut zeros = true;
        let length = self.input.pass(u64::MAX, &mut |piece| zeros &= piece.iter().all(|byte| *byte == 0))?;
        if length > 0 {
            let what = if zeros { "NULs" } else { "bytes" };
            let message = format!("{length} {what} follow the last archive, which pkgadd does not look at");
            self.findings.warning("trailing-data", "end of stream", message);
        }
        Ok(())
    }
}

/// Puts `new` in its place and tells whether something was there.
fn replace(place: &mut Option<Vec<u8>>, new: Option<Vec<u8>>) -> bool {
    std::mem::replace(place, new).is_some()
}

/// The checksum of a map for a plain sum of bytes: `sum` counts modulo 2^32 and then adds the halves, twice.
pub fn fold(sum: u64) -> u32 {
    let sum = sum % (1 << 32);
    let halves = sum % 65_536 + sum / 65_536;
    (halves % 65_536 + halves / 65_536) as u32
}

/// `install`, `reloc`, `root` and `archive`, or `reloc.2` and the like in packages of several parts.
fn in_known_tree(name: &str) -> bool {
    let (top, rest) = name.split_once('/').unwrap_or((name, ""));
    let (tree, part) = top.split_once('.').unwrap_or((top, "1"));
    let numbered =
        matches!(tree, "reloc" | "root") && !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    !rest.is_empty() && (numbered || matches!(top, "install" | "archive"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svr4::reader::NoVisitor;

    #[test]
    fn the_sum_folds_like_the_sum_command() {
        for (sum, cksum) in [(0, 0), (641, 641), (20_000_000 * 255, 764), (0x1_ffff, 1), (u64::from(u32::MAX), 0xffff)]
        {
            assert_eq!(fold(sum), cksum, "{sum}");
        }
    }

    fn session<'v>(input: &'v [u8], visitor: &'v mut NoVisitor) -> Session<'v, &'v [u8]> {
        Session { input: Input::new(input), findings: Findings::default(), visitor, members: 0, texts: 0 }
    }

    #[test]
    fn texts_are_kept_up_to_a_limit_each_and_together() {
        let mut visitor = NoVisitor;
        let mut session = session(b"", &mut visitor);
        assert!(!session.affordable("archive 0", "pkgmap", MAX_TEXT + 1));
        for _ in 0..MAX_TEXTS / MAX_TEXT {
            assert!(session.affordable("archive 0", "pkgmap", MAX_TEXT));
        }
        assert!(session.affordable("archive 0", "pkgmap", 0));
        assert!(!session.affordable("archive 0", "pkgmap", 1));
    }

    #[test]
    fn members_are_read_up_to_a_limit() {
        let member = format!("070701{}0000000200000000a\0", "0".repeat(88));
        let two = member.repeat(2);
        let mut visitor = NoVisitor;
        let mut session = session(two.as_bytes(), &mut visitor);
        session.members = MAX_MEMBERS - 1;
        let mut seen = 0;
        let outcome = session.archive("archive 1", |session, member| {
            seen += 1;
            session.pass_over(member)
        });
        assert!(outcome.unwrap() == Outcome::Lost);
        assert_eq!((seen, session.findings.into_vec()[0].id), (1, "too-many-members"));
    }
}
