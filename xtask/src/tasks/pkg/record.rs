//! What was made and with what: the build record and the checksums.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use super::material::Material;
use super::{Made, write_whole};
use crate::contents::Contents;
use crate::hash::{sha256, sha256_of_file};
use crate::payload::Payload;

/// The record, as `build-record.json` holds it. It tells no time but the one the build believed in.
#[derive(Debug, Serialize)]
pub struct Record {
    version: String,
    source_date_epoch: u64,
    commit: Option<String>,
    /// Files of the workspace differed from the commit.
    changed_since_commit: bool,
    executable: Executable,
    contents: Vec<Content>,
    made: Vec<Made>,
}

#[derive(Debug, Serialize)]
struct Executable {
    target: String,
    /// What may be claimed of it.
    standing: String,
    rustc: String,
    std: String,
    linker: String,
    sysroot: Option<String>,
    stub_linked: bool,
    elf: crate::payload::elf::ElfReport,
}

#[derive(Debug, Serialize)]
struct Content {
    path: String,
    bytes: u64,
    sha256: String,
}

impl Record {
    pub fn new(
        workspace: &Path,
        version: &str,
        epoch: u64,
        payload: &Payload,
        contents: &Contents,
        material: &Material,
        made: &[Made],
    ) -> Result<Record> {
        let content = |(path, bytes): (&str, &[u8])| Content {
            path: path.to_string(),
            bytes: bytes.len() as u64,
            sha256: sha256(bytes),
        };
        debug_assert_eq!(contents.files.len(), material.iter().count());
        Ok(Record {
            version: version.to_string(),
            source_date_epoch: epoch,
            commit: git(workspace, &["rev-parse", "HEAD"]),
            changed_since_commit: git(workspace, &["status", "--porcelain"]).is_none_or(|s| !s.is_empty()),
            executable: Executable {
                target: payload.target.to_string(),
                standing: payload.standing().to_string(),
                rustc: payload.rustc.clone(),
                std: payload.std.clone(),
                linker: payload.linker.clone(),
                sysroot: payload.sysroot.as_ref().map(|s| s.display().to_string()),
                stub_linked: payload.stub_linked,
                elf: payload.elf.clone(),
            },
            contents: material.iter().map(content).collect(),
            made: made.to_vec(),
        })
    }

    pub fn standing(&self) -> &str {
        &self.executable.standing
    }

    /// The standard library in the executable, and the compiler, as they name themselves.
    pub fn toolchain(&self) -> (&str, &str) {
        (&self.executable.std, &self.executable.rustc)
    }

    pub fn epoch(&self) -> u64 {
        self.source_date_epoch
    }
}

/// Writes the record and the checksums of everything made, the record included.
pub fn write(out: &Path, record: &Record, made: &[Made]) -> Result<Vec<Made>> {
    let record_path = out.join("build-record.json");
    let text = serde_json::to_string_pretty(record)? + "\n";
    write_whole(&record_path, |file| Ok(std::io::Write::write_all(file, text.as_bytes())?))?;
    let record_made = self::made(&record_path, "what was built, with what")?;
    let mut sums: Vec<String> =
        made.iter().chain([&record_made]).map(|m| format!("{}  {}\n", m.sha256, m.file)).collect();
    sums.sort_by(|a, b| a.get(64..).cmp(&b.get(64..)));
    let sums_path = out.join("SHA256SUMS");
    write_whole(&sums_path, |file| Ok(std::io::Write::write_all(file, sums.concat().as_bytes())?))?;
    Ok(vec![record_made, self::made(&sums_path, "their checksums")?])
}

/// A file as it lies on disk.
pub fn made(path: &Path, what: &str) -> Result<Made> {
    let (sha256, bytes) = sha256_of_file(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path.file_name().context("a made file has a name")?;
    Ok(Made { file: name.to_string_lossy().into_owned(), bytes, sha256, what: what.to_string() })
}

fn git(workspace: &Path, args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).current_dir(workspace).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}
