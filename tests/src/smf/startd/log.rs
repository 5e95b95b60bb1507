//! The log of an instance, where its methods' output and svc.startd's own bracketed lines meet.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::{Timestamp, tz::TimeZone};

use crate::smf::fmri::InstanceName;

pub fn path(root: &Path, name: &InstanceName) -> PathBuf {
    root.join("var/svc/log").join(name.log_name())
}

pub fn write(root: &Path, name: &InstanceName, text: &str) {
    let path = path(root, name);
    if let Some(directory) = path.parent() {
        let _ = fs::create_dir_all(directory);
    }
    let time = Timestamp::now().to_zoned(TimeZone::UTC).strftime("%b %e %H:%M:%S").to_string();
    // A log that cannot be written must not stop the host.
    if let Ok(mut file) = OpenOptions::new().create(true).append(true).open(path) {
        let _ = file.write_all(format!("[ {time} {text} ]\n").as_bytes());
    }
}
