//! What the VM's process prints: kept for the log of a launch that fails, within bounds.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::rundir::RunFile;

/// How much is kept: a VM in guru meditation prints without end, and the run folder lies in memory.
const KEPT: u64 = 1 << 20;

/// The file is opened once: a run folder that is lost meanwhile leaves no VM down.
#[derive(Debug, Default)]
pub struct VmOutput(Option<File>);

impl VmOutput {
    /// The file, emptied, for a process about to be launched.
    pub fn for_launch(&mut self, place: &RunFile) -> anyhow::Result<File> {
        let file = match self.0.take() {
            Some(file) => file,
            None => place.open_output()?,
        };
        file.set_len(0)?;
        Ok(self.0.insert(file).try_clone()?)
    }

    /// What was written, as far as it can be read.
    pub fn text(&self) -> String {
        self.0.as_ref().and_then(|file| read(file).ok()).unwrap_or_default()
    }

    /// Forgets an output that has grown beyond what is kept.
    pub fn trim(&self) {
        if let Some(file) = &self.0
            && file.metadata().is_ok_and(|m| m.len() > KEPT)
        {
            // Where it cannot be emptied, it can be next time.
            let _ = file.set_len(0);
        }
    }
}

fn read(file: &File) -> io::Result<String> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len().min(KEPT)).unwrap_or_default()];
    let n = file.read_at(&mut bytes, 0)?;
    bytes.truncate(n);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
