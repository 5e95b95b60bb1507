//! Whether KVM really runs a processor here: its device may be there and answer, and yet nothing run, or crawl.
//!
//! A boot sector tells: it does what every kernel does first, switch to 64 bits with paging on, and then writes to a port
//! that ends QEMU with an exit code of our own.

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

/// A processor that runs needs a fraction of a second for its BIOS; one that crawls is worse than emulation.
const LIMIT: Duration = Duration::from_secs(5);
/// Where isa-debug-exit listens.
const PORT: &str = "0xf4";
/// What it makes of the value 0x10.
const EXIT: i32 = 0x10 << 1 | 1;

/// The code, for address 0x7c00, as GNU as makes it of this:
///
/// ```text
/// .code16;  cli;  xorw %ax,%ax;  movw %ax,%ds;  movw %ax,%es;  movw %ax,%ss;  movw $0x7c00,%sp
///           movw $0x1000,%di;  movw $0x1800,%cx;  cld;  rep stosw            # three empty tables of pages
///           movl $0x2003,0x1000;  movl $0x3003,0x2000;  movl $0x83,0x3000    # the first 2 MiB as they are
///           movl $0x1000,%eax;  movl %eax,%cr3;  movl $0x20,%eax;  movl %eax,%cr4
///           movl $0xc0000080,%ecx;  rdmsr;  orl $0x100,%eax;  wrmsr          # EFER.LME
///           lgdtl gdtr;  movl $0x80000001,%eax;  movl %eax,%cr0;  ljmp $8,$long
/// .code64;  long: movb $0x10,%al;  outb %al,$0xf4;  1: hlt;  jmp 1b
/// .p2align 3;  gdt: .quad 0, 0x00209a0000000000;  gdtr: .word 15;  .long gdt
/// ```
#[rustfmt::skip]
const CODE: [u8; 134] = [
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0xbf, 0x00, 0x10, 0xb9,
    0x00, 0x18, 0xfc, 0xf3, 0xab, 0x66, 0xc7, 0x06, 0x00, 0x10, 0x03, 0x20, 0x00, 0x00, 0x66, 0xc7,
    0x06, 0x00, 0x20, 0x03, 0x30, 0x00, 0x00, 0x66, 0xc7, 0x06, 0x00, 0x30, 0x83, 0x00, 0x00, 0x00,
    0x66, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22, 0xd8, 0x66, 0xb8, 0x20, 0x00, 0x00, 0x00, 0x0f,
    0x22, 0xe0, 0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0, 0x0f, 0x32, 0x66, 0x0d, 0x00, 0x01, 0x00, 0x00,
    0x0f, 0x30, 0x66, 0x0f, 0x01, 0x16, 0x80, 0x7c, 0x66, 0xb8, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22,
    0xc0, 0xea, 0x66, 0x7c, 0x08, 0x00, 0xb0, 0x10, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd, 0x0f, 0x1f, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9a, 0x20, 0x00,
    0x0f, 0x00, 0x70, 0x7c, 0x00, 0x00,
];

/// What KVM gives a guest: this machine's processor, as this machine's kernel has it.
pub fn processor() -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let of_first = |line: &&str| line.starts_with("model name") || line.starts_with("flags");
    let first: Vec<&str> = processors.lines().filter(of_first).take(2).collect();
    format!("{}\n{}", first.join("\n"), read("/proc/sys/kernel/osrelease"))
}

fn boot_sector() -> [u8; 512] {
    let mut sector = [0; 512];
    sector[..CODE.len()].copy_from_slice(&CODE);
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
    // Every feature that a guest may be given.
    command.args(["-cpu", "max", "-device", &format!("isa-debug-exit,iobase={PORT},iosize=1")]);
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
