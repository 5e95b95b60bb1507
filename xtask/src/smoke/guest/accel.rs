//! Whether KVM really runs a processor here: its device may be there and answer, and yet nothing ever run.
//!
//! A boot sector of a few bytes tells: it writes to a port that ends QEMU with an exit code of our own.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use crate::bounded;

/// What runs the guest's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    Kvm,
    /// QEMU's own emulation: everywhere, and slow.
    Tcg,
}

impl Accel {
    /// QEMU's word for it.
    pub fn word(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }
}

/// Far more than the few instructions of a BIOS take.
const LIMIT: Duration = Duration::from_secs(10);
const PORT: u8 = 0xf4;
const VALUE: u8 = 0x10;
/// What isa-debug-exit makes of a value.
const EXIT: i32 = (VALUE as i32) << 1 | 1;

/// `mov al, VALUE; out PORT, al; hlt; jmp $-1` in a boot sector.
fn boot_sector() -> [u8; 512] {
    let mut sector = [0; 512];
    let code = [0xb0, VALUE, 0xe6, PORT, 0xf4, 0xeb, 0xfd];
    for (place, byte) in sector.iter_mut().zip(code) {
        *place = byte;
    }
    sector[510] = 0x55;
    sector[511] = 0xaa;
    sector
}

/// The best that works here, found by trying, in a folder of the caller's.
pub fn best(qemu: &Path, folder: &Path) -> io::Result<Accel> {
    Ok(if Path::new("/dev/kvm").exists() && runs(qemu, folder, Accel::Kvm)? { Accel::Kvm } else { Accel::Tcg })
}

/// Whether a processor runs at all.
fn runs(qemu: &Path, folder: &Path, accel: Accel) -> io::Result<bool> {
    let disk = folder.join("accel-probe.raw");
    fs::write(&disk, boot_sector())?;
    let mut command = Command::new(qemu);
    command.args([
        "-accel",
        accel.word(),
        "-machine",
        "pc",
        "-nodefaults",
        "-no-reboot",
        "-display",
        "none",
        "-m",
        "32",
    ]);
    command.args(["-device", &format!("isa-debug-exit,iobase={PORT:#x},iosize=1")]);
    command.arg("-drive").arg(format!("if=ide,format=raw,file={}", disk.display()));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = bounded::status(&mut command, LIMIT)?;
    fs::remove_file(&disk)?;
    Ok(status.is_some_and(|status| status.code() == Some(EXIT)))
}

#[cfg(test)]
mod tests {
    use super::super::machine;
    use super::*;

    #[test]
    fn the_probe_runs_where_qemu_emulates() {
        let Ok(qemu) = machine::program() else {
            eprintln!("not run: no QEMU here");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        assert!(runs(&qemu, folder.path(), Accel::Tcg).unwrap());
    }

    #[test]
    fn a_program_that_ends_otherwise_runs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!runs(Path::new("/bin/true"), folder.path(), Accel::Kvm).unwrap());
        assert!(runs(Path::new("/no/such/qemu"), folder.path(), Accel::Kvm).is_err());
    }
}
