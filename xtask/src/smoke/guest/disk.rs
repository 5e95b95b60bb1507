//! Disks of a guest: an overlay over an image that is never written to, an empty disk, and one that holds files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use super::accel::Accel;
use super::frame::summed;
use super::machine::{Hardware, Machine, MachineError};
use super::qmp::QmpError;

/// The first member of a disk of files; the guest finds the disk by it.
pub const MARK: &str = "vboxsvc-smoke-files";
/// Some systems look at the last part of a disk of any size; none minds a whole MiB.
pub const UNIT: u64 = 1024 * 1024;
/// The size of a disk of files: a guest that comes back out of a snapshot believes in the size that it saw.
const FILES_SIZE: u64 = 256 * UNIT;
const JOB: Duration = Duration::from_secs(60);

#[derive(Debug, Error)]
pub enum DiskError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("cannot make the disk {name}: {reason}")]
    Job { name: String, reason: String },
    #[error("cannot write the disk {name}: {source}")]
    Io { name: String, source: io::Error },
    #[error("{bytes} bytes of files do not fit on a disk of {max} MiB", max = FILES_SIZE / UNIT)]
    TooMuch { bytes: u64 },
}

impl From<QmpError> for DiskError {
    fn from(error: QmpError) -> Self {
        DiskError::Machine(error.into())
    }
}

/// What lies under an overlay.
#[derive(Debug, Clone, Copy)]
pub enum Base<'a> {
    /// Nothing: an empty disk of this size.
    Empty(u64),
    /// An image of this format and (virtual) size or larger.
    Image { path: &'a Path, format: &'a str },
}

/// Makes a qcow2 disk, by QEMU itself: the one that will use it is the one that knows the format.
pub fn overlay(qemu: &Path, path: &Path, base: Base) -> Result<(), DiskError> {
    let folder = tempfile::tempdir().map_err(|source| DiskError::Io { name: path.display().to_string(), source })?;
    let hardware = Hardware {
        accel: Accel::Tcg,
        memory_mib: 16,
        processors: 1,
        arguments: ["-machine", "none"].map(String::from).into(),
    };
    let (mut machine, _console) = Machine::start(qemu, &hardware, folder.path())?;
    let size = match base {
        Base::Empty(size) => size,
        Base::Image { path, format } => {
            let node = json!({ "node-name": "base", "driver": format, "read-only": true,
                "file": { "driver": "file", "filename": path } });
            machine.qmp.execute("blockdev-add", node)?;
            let nodes = machine.qmp.execute("query-named-block-nodes", json!({ "flat": true }))?;
            let is_base = |node: &&Value| node.get("node-name") == Some(&json!("base"));
            let base = nodes.as_array().and_then(|nodes| nodes.iter().find(is_base));
            let size = base.and_then(|node| node.pointer("/image/virtual-size")).and_then(Value::as_u64);
            size.ok_or_else(|| failed(path, "its size is not known"))?
        }
    };
    create(&mut machine, path, json!({ "driver": "file", "filename": path, "size": 0 }))?;
    machine.qmp.execute("blockdev-add", json!({ "node-name": "new", "driver": "file", "filename": path }))?;
    let mut options = json!({ "driver": "qcow2", "file": "new", "size": size });
    if let (Base::Image { path, format }, Some(options)) = (base, options.as_object_mut()) {
        options.insert("backing-file".into(), json!(path));
        options.insert("backing-fmt".into(), json!(format));
    }
    create(&mut machine, path, options)
}

fn create(machine: &mut Machine, path: &Path, options: Value) -> Result<(), DiskError> {
    machine.qmp.execute("blockdev-create", json!({ "job-id": "make", "options": options }))?;
    loop {
        let change = machine.qmp.wait_event(&["JOB_STATUS_CHANGE"], JOB)?;
        if change.data.get("status") == Some(&json!("concluded")) {
            break;
        }
    }
    let jobs = machine.qmp.execute("query-jobs", json!({}))?;
    machine.qmp.execute("job-dismiss", json!({ "id": "make" }))?;
    match jobs.pointer("/0/error").and_then(Value::as_str) {
        Some(reason) => Err(failed(path, reason)),
        None => Ok(()),
    }
}

fn failed(path: &Path, reason: &str) -> DiskError {
    DiskError::Job { name: path.display().to_string(), reason: reason.to_string() }
}

/// What a disk of files holds, as the guest can check it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files {
    /// Where the archive ends, in whole [`UNIT`]s: the rest of the disk is empty.
    pub units: u64,
    /// A line for each file, as `cksum` prints it.
    pub sums: Vec<(String, String)>,
}

/// Writes files to a raw disk, as a tar archive from its first block on.
pub fn of_files(path: &Path, files: &[(String, &Path)]) -> Result<Files, DiskError> {
    let failed = |source| DiskError::Io { name: path.display().to_string(), source };
    let (bytes, sums) = write_files(path, files).map_err(failed)?;
    if bytes > FILES_SIZE {
        return Err(DiskError::TooMuch { bytes });
    }
    File::options().write(true).open(path).and_then(|disk| disk.set_len(FILES_SIZE)).map_err(failed)?;
    Ok(Files { units: bytes.div_ceil(UNIT), sums })
}

/// Gives the size of the archive, and the files' names and sums.
fn write_files(path: &Path, files: &[(String, &Path)]) -> io::Result<(u64, Vec<(String, String)>)> {
    let mut archive = tar::Builder::new(File::create(path)?);
    archive.append_data(&mut header(0), MARK, io::empty())?;
    let mut sums = Vec::new();
    for (name, source) in files {
        let content = fs::read(source)?;
        archive.append_data(&mut header(content.len() as u64), name, content.as_slice())?;
        sums.push((name.clone(), format!("{} {name}", summed(&content))));
    }
    let mut disk = archive.into_inner()?;
    disk.flush()?;
    Ok((disk.metadata()?.len(), sums))
}

fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(size);
    header
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::machine;
    use super::*;

    #[test]
    fn an_overlay_keeps_its_base_as_it_is() {
        let Ok(qemu) = machine::program() else {
            eprintln!("not run: no QEMU here");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().join("base.raw");
        fs::write(&base, vec![7; 3 * 1024 * 1024]).unwrap();
        let path = folder.path().join("over.qcow2");
        overlay(&qemu, &path, Base::Image { path: &base, format: "raw" }).unwrap();
        let mut head = [0; 32];
        File::open(&path).unwrap().read_exact(&mut head).unwrap();
        assert_eq!(&head[..4], b"QFI\xfb");
        assert_eq!(head[24..32], (3u64 * 1024 * 1024).to_be_bytes(), "the size of the base");
        overlay(&qemu, &folder.path().join("empty.qcow2"), Base::Empty(1 << 30)).unwrap();
        let error = overlay(&qemu, Path::new("/no/such/folder/x"), Base::Empty(1 << 20)).unwrap_err().to_string();
        assert!(error.contains("/no/such/folder/x"), "{error}");
    }

    #[test]
    fn a_disk_of_files_is_a_tar_with_its_mark_first_on_a_disk_of_one_size() {
        let folder = tempfile::tempdir().unwrap();
        let (file, disk) = (folder.path().join("f"), folder.path().join("disk"));
        fs::write(&file, "content").unwrap();
        let files = of_files(&disk, &[("ours.pkg".to_string(), file.as_path())]).unwrap();
        assert_eq!(files.units, 1);
        assert_eq!(files.sums, [("ours.pkg".to_string(), "1579075118 7 ours.pkg".to_string())]);
        assert_eq!(fs::metadata(&disk).unwrap().len(), FILES_SIZE);
        let mut bytes = vec![0; UNIT as usize];
        File::open(&disk).unwrap().read_exact(&mut bytes).unwrap();
        assert!(bytes.starts_with(MARK.as_bytes()));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> =
            archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names, [MARK, "ours.pkg"]);
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("large");
        File::create(&file).unwrap().set_len(FILES_SIZE).unwrap();
        let error = of_files(&folder.path().join("disk"), &[("large".to_string(), file.as_path())]).unwrap_err();
        assert!(error.to_string().ends_with("bytes of files do not fit on a disk of 256 MiB"), "{error}");
    }
}
