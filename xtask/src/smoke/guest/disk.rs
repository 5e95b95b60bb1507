//! Disks of a guest: an overlay over an image that is never written to, an empty disk, and one that holds files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use thiserror::Error;

use super::accel::Accel;
use super::machine::{Hardware, Machine, MachineError};
use super::qmp::QmpError;

/// The first member of a disk of files; the guest finds the disk by it.
pub const MARK: &str = "vboxsvc-smoke-files";
/// Some systems look at the last part of a disk of any size; none minds a whole MiB.
pub const UNIT: u64 = 1024 * 1024;
const JOB: Duration = Duration::from_secs(60);

#[derive(Debug, Error)]
pub enum DiskError {
    #[error(transparent)]
    Machine(#[from] MachineError),
    #[error("cannot make the disk {name}: {reason}")]
    Job { name: String, reason: String },
    #[error("cannot write the disk {name}: {source}")]
    Io { name: String, source: io::Error },
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

/// Writes files to a raw disk, as a tar archive from its first block on.
pub fn of_files(path: &Path, files: &[(String, &Path)]) -> Result<(), DiskError> {
    write_files(path, files).map_err(|source| DiskError::Io { name: path.display().to_string(), source })
}

fn write_files(path: &Path, files: &[(String, &Path)]) -> io::Result<()> {
    let mut archive = tar::Builder::new(File::create(path)?);
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o644);
    header.set_size(0);
    archive.append_data(&mut header, MARK, io::empty())?;
    for (name, source) in files {
        let mut file = File::open(source)?;
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_size(file.metadata()?.len());
        archive.append_data(&mut header, name, &mut file)?;
    }
    let mut disk = archive.into_inner()?;
    disk.flush()?;
    disk.set_len(fs::metadata(path)?.len().next_multiple_of(UNIT))
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
    fn a_disk_of_files_is_a_tar_of_whole_mebibytes_with_its_mark_first() {
        let folder = tempfile::tempdir().unwrap();
        let (file, disk) = (folder.path().join("f"), folder.path().join("disk"));
        fs::write(&file, "content").unwrap();
        of_files(&disk, &[("ours.pkg".to_string(), file.as_path())]).unwrap();
        let bytes = fs::read(&disk).unwrap();
        assert_eq!(bytes.len() as u64, UNIT);
        assert!(bytes.starts_with(MARK.as_bytes()));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> =
            archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(names, [MARK, "ours.pkg"]);
    }
}
