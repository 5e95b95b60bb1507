//! `cargo xtask verify`: everything that the readers find wrong with packages of any producer, one line a finding; and,
//! held against a key, whether they are signed by it.

mod signed;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Serialize;

use crate::finding::{Finding, Level};
use crate::package_view::{self, PackageFile, View};
use crate::shown::{self, escaped};
use crate::signature;
use signed::Signer;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// SVR4 datastreams, plain or gzipped, and IPS archives; their names are of no account. With --key, any signed file:
    /// of a list of checksums, the files beside it are compared too
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The public key that every file must be signed by, in OpenSSH's format
    #[arg(long, value_name = "KEY.pub")]
    key: Option<PathBuf>,
    /// The signature of the one FILE; FILE.sig if not given
    #[arg(long, value_name = "FILE", requires = "key")]
    signature: Option<PathBuf>,
    /// Print findings and summaries as JSON
    #[arg(long)]
    json: bool,
}

/// What came of one file.
#[derive(Debug, Serialize)]
struct Verdict {
    file: String,
    /// Whether it installs, and as it says.
    good: bool,
    summary: String,
    findings: Vec<Finding>,
}

pub fn run(args: &Args) -> Result<()> {
    if args.signature.is_some() && args.files.len() > 1 {
        bail!("--signature is for one file; each of several has its signature beside it");
    }
    let signer = match &args.key {
        Some(key) => Some(Signer { key: signature::public(key)?, signature: args.signature.clone() }),
        None => None,
    };
    let verdicts: Vec<Verdict> = args.files.iter().map(|file| verdict(file, signer.as_ref())).collect();
    if args.json {
        println!("{}", shown::json(&verdicts)?);
    } else {
        verdicts.iter().for_each(|verdict| print!("{}", lines(verdict)));
    }
    match verdicts.iter().filter(|verdict| !verdict.good).count() {
        0 => Ok(()),
        bad => bail!("{bad} of {} not right", counted(verdicts.len(), "file")),
    }
}

fn verdict(path: &Path, signer: Option<&Signer>) -> Verdict {
    let file = escaped(&path.to_string_lossy());
    let read = match package_view::read(path) {
        Ok(read) => read,
        Err(error) => {
            let summary = format!("cannot be read: {error}");
            return Verdict { file, good: false, summary, findings: Vec::new() };
        }
    };
    let Some(signer) = signer else {
        let good = read.count(Level::Error) == 0;
        return Verdict { file, good, summary: summary(&read), findings: read.findings };
    };
    let judged = signer.judge(path);
    let about = match (read.container, judged.listed) {
        (Some(_), _) => summary(&read),
        (None, Some(listed)) => match judged.findings.len() {
            0 => format!("{} listed and as listed", counted(listed, "file")),
            bad => format!("{bad} of {} not right", counted(listed, "listed file")),
        },
        // Anything can be signed; what is no package is not judged as one.
        (None, _) => "no package".to_owned(),
    };
    let mut findings = judged.findings;
    if read.container.is_some() {
        findings.extend(read.findings);
    }
    let good = !findings.iter().any(|finding| finding.level == Level::Error);
    let words = judged.words.unwrap_or_else(|| "not signed as it should be".to_owned());
    Verdict { file, good, summary: format!("{about}; {words}"), findings }
}

fn summary(read: &PackageFile) -> String {
    let container = read.container.map_or_else(|| "unknown format".to_owned(), |container| container.to_string());
    let package = |view: &View| {
        let named = format!("{} {}", escaped(&view.name), escaped(&view.version));
        format!(", {} with {}", named.trim_end(), counted(view.entries.len(), "entry"))
    };
    let packages: String = read.packages.iter().map(package).collect();
    let errors = counted(read.count(Level::Error), "error");
    format!("{container}{packages}: {errors}, {}", counted(read.count(Level::Warning), "warning"))
}

fn lines(verdict: &Verdict) -> String {
    let finding = |finding: &Finding| format!("{}: {finding}\n", verdict.file);
    let findings: String = verdict.findings.iter().map(finding).collect();
    let word = if verdict.good { "good" } else { "BAD" };
    format!("{findings}{}: {word}: {}\n", verdict.file, verdict.summary)
}

/// A number with its noun.
pub fn counted(number: usize, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package_view::Format;
    use crate::package_view::samples::{Sample, file};

    fn of(bytes: &[u8]) -> Verdict {
        verdict(file(bytes).path(), None)
    }

    fn ids(verdict: &Verdict) -> Vec<&str> {
        verdict.findings.iter().filter(|f| f.level == Level::Error).map(|f| f.id).collect()
    }

    /// Replaces bytes that must be there, all of them, by as many others.
    fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let mut bytes = bytes.to_vec();
        let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(from)).collect();
        assert!(!places.is_empty(), "{:?} is not there", String::from_utf8_lossy(from));
        places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
        bytes
    }

    #[test]
    fn good_packages_of_both_formats_are_good() {
        for format in [Format::Svr4, Format::Ips] {
            let verdict = of(&Sample::new().bytes(format));
            assert!(verdict.good, "{}", lines(&verdict));
            assert!(verdict.summary.contains("with 5 entries: 0 errors"), "{}", verdict.summary);
        }
    }

    #[test]
    fn broken_datastreams_are_refused_for_what_is_broken() {
        let whole = Sample::new().bytes(Format::Svr4);
        let table: [(&str, Vec<u8>); 6] = [
            ("archive-cut", whole[..whole.len() - 600].to_vec()),
            ("file-cksum", replaced(&whole, b"exec web\n", b"exec wex\n")),
            ("pkg-differs", replaced(&whole, b"PKG=ABCweb", b"PKG=ABCwex")),
            ("class-unknown", replaced(&whole, b"CLASSES=none manifest", b"CLASSES=none manifesx")),
            ("map-path", replaced(&whole, b"d none usr/share/doc/web ", b"d none usr/share/../webs ")),
            ("depend-syntax", replaced(&whole, b"P ABCbase", b"Q ABCbase")),
        ];
        for (id, bytes) in &table {
            let verdict = of(bytes);
            assert!(!verdict.good && ids(&verdict).contains(id), "{id}: {}", lines(&verdict));
        }
    }

    #[test]
    fn broken_archives_are_refused_for_what_is_broken() {
        let whole = Sample::new().bytes(Format::Ips);
        let table = [
            ("mode", replaced(&whole, b"mode=0555", b"mode=0595")),
            ("depend-type", replaced(&whole, b"type=require", b"type=reqxire")),
            (
                "payload-gzip",
                replaced(&whole, &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 0xff], &[0x1f, 0x8b, 9, 0, 0, 0, 0, 0, 2, 0xff]),
            ),
        ];
        for (id, bytes) in &table {
            let verdict = of(bytes);
            assert!(!verdict.good && ids(&verdict).contains(id), "{id}: {}", lines(&verdict));
        }
        assert!(!of(&whole[..whole.len() / 2]).good, "a cut archive");
    }

    #[test]
    fn what_is_no_package_or_not_there_is_one_bad_file_and_no_end_of_the_others() {
        let (none, gone) = (of(b"#!/bin/sh\n"), verdict(Path::new("/nonexistent/x.pkg"), None));
        assert_eq!(ids(&none), ["format-unknown"]);
        assert!(lines(&gone).contains("BAD: cannot be read"), "{}", lines(&gone));
    }

    #[test]
    fn each_finding_is_one_line_with_its_file_first() {
        let verdict = of(b"nothing");
        let text = lines(&verdict);
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|line| line.starts_with(&verdict.file)), "{text}");
        assert!(text.contains("[format-unknown]\n") && text.contains("1 error, 0 warnings"), "{text}");
    }
}
